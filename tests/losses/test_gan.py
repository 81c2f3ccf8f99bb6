"""A GAN's losses against the papers' formulas and their own, their slopes, and what is said of them."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from losses.exact import HUGE, log_sigmoid, sigmoid

import tinygen as tg
from tinygen import losses
from tinygen.losses import GAN_LOSSES, GANLoss
from tinygen.losses.gan import slope_from


def test_minimax_and_nonsaturating_are_one_game_far_from_zero(backend):
    """The two losses of G differ by its score: log(1 - D) - (-log D) = -score. Both are finite however D wins."""
    x = backend.asarray(HUGE, np.float32)
    for name, sign in (("minimax", -1), ("nonsaturating", 0)):
        value, gradient = GAN_LOSSES[name].G(x), backend.to_host(GAN_LOSSES[name].slope(x)) / len(HUGE)
        t = 1 + sign
        exact = np.mean([log_sigmoid(-v) if name == "minimax" else -log_sigmoid(v) for v in HUGE])
        np.testing.assert_allclose(backend.to_host(value), exact, rtol=1e-6)
        slopes = [(-sigmoid(v) if t == 0 else sigmoid(v) - 1) / len(HUGE) for v in HUGE]
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-9)


def log_D(score):
    return np.log(1 / (1 + np.exp(-score)))


PAPERS = {  # (loss of D, loss of G) on scores, as printed
    # Goodfellow et al. 2014, eq. 1: D raises E log D(x) + E log(1 - D(G(z))), and G lowers it
    "minimax": (
        lambda real, fake: -(log_D(real).mean() + np.log(1 - np.exp(log_D(fake))).mean()),
        lambda fake: np.log(1 - np.exp(log_D(fake))).mean(),
    ),
    # section 3: "train G to maximize log D(G(z))"
    "nonsaturating": (
        lambda real, fake: -(log_D(real).mean() + np.log(1 - np.exp(log_D(fake))).mean()),
        lambda fake: -log_D(fake).mean(),
    ),
    # Mao et al. 2017, eq. 9 with a = 0, b = c = 1
    "lsgan": (
        lambda real, fake: ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
        lambda fake: ((fake - 1) ** 2).mean() / 2,
    ),
    # Miyato et al. 2018, eq. 16 and 17, with the sign of a loss
    "hinge": (
        lambda real, fake: -np.minimum(0, -1 + real).mean() - np.minimum(0, -1 - fake).mean(),
        lambda fake: -fake.mean(),
    ),
    # Arjovsky et al. 2017, eq. 2 and algorithm 1
    "wasserstein": (lambda real, fake: -(real.mean() - fake.mean()), lambda fake: -fake.mean()),
}


def test_every_gan_loss_has_its_formula():
    assert GAN_LOSSES.keys() == PAPERS.keys()


@pytest.mark.parametrize("name", PAPERS)
def test_gan_losses_against_the_papers(backend, name):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0.5, 2, (9, 1)), rng.normal(-0.5, 2, (7, 1))
    loss, (loss_D, loss_G) = GAN_LOSSES[name], PAPERS[name]
    on_device = [tg.tensor(backend.asarray(a)) for a in (real, fake)]
    assert loss.D(*on_device).item() == pytest.approx(loss_D(real, fake), rel=1e-12)
    assert loss.G(on_device[1]).item() == pytest.approx(loss_G(fake), rel=1e-12)


@pytest.mark.parametrize("name", PAPERS)
def test_the_threshold_is_where_an_undecided_D_stands(name):
    """Where real and fake images are alike, the best single score for both is the threshold."""
    loss = GAN_LOSSES[name]
    if name == "wasserstein":
        assert (loss.threshold, loss.probability) == (None, False)
        return
    scores = np.linspace(-2, 2, 4001)
    best = scores[np.argmin([loss.D(np.full(2, s), np.full(2, s)) for s in scores])]
    # of the hinge loss every score from -1 to 1 is as good
    assert abs(best - loss.threshold) < 1e-3 or (name == "hinge" and -1 <= best <= 1)
    assert loss.probability == (name in ("minimax", "nonsaturating"))


@pytest.mark.parametrize("name", PAPERS)
def test_gan_losses_of_lists_and_of_nothing(name):
    loss, nothing = GAN_LOSSES[name], np.zeros((0, 1), np.float32)
    for call in (lambda: loss.D([[1.0]], [[2.0]]), lambda: loss.G([[1.0]]), lambda: loss.D(nothing, [[1.0]])):
        with pytest.raises(TypeError, match="the input is a list, but it must be a Tensor or an array"):
            call()
    assert np.isnan(loss.D(nothing, nothing)) and np.isnan(loss.G(nothing))


def test_the_labels_of_least_squares_are_numbers():
    with pytest.raises(ValueError, match="least_squares: b is nan"):
        losses.least_squares(b=math.nan)


def computed(formula, r, s):
    """The value of a formula as it is written."""
    formula = re.sub(r"log (σ\(.\))", r"log(\1)", formula)
    words = {"−": "-", "½ ": "0.5 * ", "²": "**2", "σ": "sigmoid", "max": "maximum"}
    for mark, code in words.items():
        formula = formula.replace(mark, code)
    known = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "log": np.log, "maximum": np.maximum, "r": r, "s": s}
    return eval(formula, {"__builtins__": {}}, known).mean()


GAMES = [*GAN_LOSSES.values(), losses.least_squares(-1, 1, 0), losses.least_squares(-1.5, 0.25, 2)]


@pytest.mark.parametrize("loss", GAMES, ids=lambda loss: loss.formula_G)
def test_the_formulas_say_what_the_functions_compute(loss):
    r, s = np.random.default_rng(0).normal(0, 2, (2, 20, 1))
    assert loss.D(r, s).item() == pytest.approx(computed(loss.formula_D, r, s), rel=1e-12)
    assert loss.G(s).item() == pytest.approx(computed(loss.formula_G, r, s), rel=1e-12)


def test_every_loss_has_a_name_a_source_and_its_own_key():
    assert all(loss.name == key and loss.source for key, loss in GAN_LOSSES.items())


SLOPES = {  # dL_G/ds, by hand
    "minimax": lambda s: -1 / (1 + np.exp(-s)),
    "nonsaturating": lambda s: -1 / (1 + np.exp(s)),
    "lsgan": lambda s: s - 1,
    "hinge": lambda s: -np.ones_like(s),
    "wasserstein": lambda s: -np.ones_like(s),
}


@pytest.mark.parametrize("name", SLOPES)
def test_the_slope_is_that_of_each_score_alone(backend, name):
    scores = np.random.default_rng(0).normal(0, 4, (3, 5)).astype(np.float32)
    slope = GAN_LOSSES[name].slope(backend.asarray(scores))
    assert slope.shape == (3, 5) and slope.dtype == np.float32
    np.testing.assert_allclose(backend.to_host(slope), SLOPES[name](scores), rtol=1e-5)


@pytest.mark.parametrize("name", SLOPES)
def test_a_description_is_json_that_gives_the_slope_back(name):
    loss = GAN_LOSSES[name]
    said = json.loads(json.dumps(loss.describe()))
    scores = np.random.default_rng(0).normal(0, 4, 200)
    np.testing.assert_allclose(slope_from(said, scores), loss.slope(scores), rtol=1e-3)
    assert said["name"] == name and said["formula"] == loss.formula_G and said["threshold"] == loss.threshold


def test_a_slope_goes_on_beyond_the_ends_of_its_description():
    said, far = losses.least_squares(c=0.5).describe(), np.array([-500.0, 40.0, 1e4, np.nan])
    np.testing.assert_allclose(slope_from(said, far), far - 0.5, rtol=1e-6)


def only_above_0(s):
    return -tg.ops.mean(tg.ops.log(s))


def test_a_loss_of_ones_own_needs_two_functions_alone():
    own = GANLoss(lambda r, s: tg.ops.mean(s - r), only_above_0)
    said = own.describe()
    assert (said["name"], said["title"], said["formula"], said["threshold"]) == ("own", "own", "", None)
    json.dumps(said, allow_nan=False)
    np.testing.assert_allclose(slope_from(said, np.array([0.5, 2.0])), [-2, -0.5], rtol=1e-6)
    assert "own" in repr(own)
