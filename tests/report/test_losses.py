"""A GAN loss is one entry in one place: registered or a user's own, it trains, is recorded, and reaches the page."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

import tinygen as tg
from tinygen import report as package
from tinygen.data import Dataset
from tinygen.inside import Recorder, Recording
from tinygen.losses import GAN_LOSSES, GANLoss, least_squares
from tinygen.models import GAN, LSGAN, GANConfig, LSGANConfig
from tinygen.report.gather import gather
from tinygen.report.page import script
from tinygen.train import fit

PARTS = Path(package.__file__).parent / "parts"


def exponential_D(r, s):
    return tg.ops.mean(tg.ops.exp(-r)) + tg.ops.mean(tg.ops.exp(s))


def exponential_G(s):
    return tg.ops.mean(tg.ops.exp(-s))


EXPONENTIAL = GANLoss(
    exponential_D, exponential_G, threshold=0.0, name="exponential", formula_D="e^−r + e^s", formula_G="e^−s"
)
SMALL = {"data_shape": (4, 4, 1), "latent_dim": 2, "g_hidden": (4,), "d_hidden": (4,)}


class Own(GAN):
    """A GAN with a loss of its own.

    The rest is not for the page.
    """

    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        self.game = EXPONENTIAL


def gathered(gan, out, **given):
    """The page's data on a run of two steps."""
    x = np.random.default_rng(0).uniform(-1, 1, (20, 4, 4, 1)).astype(np.float32)
    data = Dataset("own", x, x[:4])
    fit(gan, data, 2, out=out, callbacks=[Recorder(data, 1, share=1e6)], progress=False)
    return gather(out, 10**7, **given)


def slope(loss):
    return np.frombuffer(base64.b64decode(loss["slope"]["base64"]), np.float32)


def scores_of(loss):
    return np.linspace(loss["low"], loss["high"], loss["slope"]["shape"][0])


def assert_is_exponential(run):
    own = run["losses"][run["recording"]["loss"]]
    assert (run["recording"]["loss"], own["title"], own["formula"]) == ("exponential", "exponential", "e^−s")
    np.testing.assert_allclose(slope(own), -np.exp(-scores_of(own)), rtol=1e-6)
    assert run["recording"]["threshold"] == own["threshold"] == 0 and not own["probability"]


def test_a_new_entry_is_all_that_a_loss_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(GAN_LOSSES, "exponential", EXPONENTIAL)
    run = gathered(GAN(GANConfig(**SMALL, loss="exponential")), tmp_path)
    assert_is_exponential(run)
    assert run["losses"].keys() == GAN_LOSSES.keys() and run["missing"] == []
    recording = Recording.load(tmp_path)
    np.testing.assert_allclose(
        recording.pixel_gradient(),
        recording.gradient("score_gradient")
        * (-np.exp(-recording["score_fake"][:, :16]) / recording.facts["scores"])[..., None, None, None],
        rtol=2e-3,
    )


def test_a_loss_that_is_not_registered_is_recorded_under_its_own_name(tmp_path):
    run = gathered(Own(GANConfig(**SMALL)), tmp_path, model=Own)
    assert_is_exponential(run)
    assert run["losses"].keys() == {*GAN_LOSSES, "exponential"} and run["missing"] == []
    assert run["about"] == "A GAN with a loss of its own." and "latent_dim" in run["changed"]
    assert [step["name"] for step in run["follow"]["steps"]] == ["D", "G"]


def test_the_labels_of_least_squares_are_the_run_s(tmp_path):
    run = gathered(LSGAN(LSGANConfig(**SMALL, a=-1.0, b=1.0, c=0.0)), tmp_path)
    own = run["losses"]["lsgan"]
    assert own["formula"] == "½ s²"
    np.testing.assert_allclose(slope(own), scores_of(own), rtol=1e-6)


@pytest.mark.parametrize("name", ["gan", "wgangp", "acgan"])
def test_a_recording_of_an_earlier_version_has_its_loss_by_name(recorded, name):
    recording = Recording.load(recorded(name))
    facts = {key: fact for key, fact in recording.facts.items() if key != "game"}
    assert Recording(recording.arrays, facts).game == recording.game


def test_one_of_an_earlier_lsgan_has_its_labels():
    facts = {"loss": "lsgan", "config": {"a": -1.0, "b": 1.0, "c": 0.5}}
    assert Recording({"step": np.arange(1)}, facts).game == least_squares(-1, 1, 0.5).describe()


def test_a_vae_s_page_holds_no_losses_of_gans(recorded):
    assert gather(recorded("vae"), 10**7)["losses"] == {}


def test_no_loss_is_named_in_the_page_s_scripts():
    text = script().lower()
    for loss in GAN_LOSSES.values():
        for name in (loss.name, loss.title or loss.name):
            assert name.lower() not in text, name


def test_the_page_s_slopes_are_tinygen_s(browser):
    """Between the measured scores, at them, and beyond them."""
    losses = {**GAN_LOSSES, "own": least_squares(-1, 1, 0.25), "exponential": EXPONENTIAL}
    scores = np.concatenate([np.random.default_rng(0).normal(0, 6, 200), np.linspace(-31, 31, 50)])
    games = {name: loss.describe() for name, loss in losses.items()}
    parts = "\n".join((PARTS / name).read_text() for name in ("dom.js", "losses.js"))

    def run(expression):
        return browser.run(
            f"(() => {{ {parts}; const losses = Object.values({json.dumps(games)}); return {expression}; }})()"
        )

    found = run(f"losses.map((loss) => {json.dumps([*scores, -1e3, 1e3])}.map((score) => slopeAt(loss, score)))")
    for (name, loss), slopes in zip(losses.items(), found, strict=True):
        np.testing.assert_allclose(slopes[:-2], loss.slope(scores), rtol=1e-3, atol=1e-12, err_msg=name)
        if name in ("lsgan", "hinge"):  # lines to the end
            np.testing.assert_allclose(slopes[-2:], loss.slope(np.array([-1e3, 1e3])), rtol=1e-5)
    answers = run("losses.map((loss) => [whenFake(loss), turningPoint(loss) ?? null])")
    assert dict(zip(losses, answers, strict=True)) == {
        "minimax": ["fades", None], "nonsaturating": ["grows", None], "lsgan": ["grows", 1], "hinge": ["stays", None],
        "wasserstein": ["stays", None], "own": ["grows", 0.25], "exponential": ["grows", None],
    }  # fmt: skip
