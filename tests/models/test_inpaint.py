"""The context encoder: its networks, its losses by hand, what it fills, and that D makes it choose."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, in_float64, shape_for, small

import tinygen as tg
from tinygen.errors import ConfigError, DataError
from tinygen.gradcheck import gradcheck
from tinygen.layers import evaluating
from tinygen.models import Inpaint, InpaintConfig
from tinygen.models.collapse import Recent

SHAPE = shape_for("inpaint", (3, 2, 1))  # (5, 4, 1), with a hole of 2x2 at (1, 1)
X = batches(1, SHAPE)[0]
softplus = lambda s: np.log1p(np.exp(s))


def hole(x):
    return x[:, 1:3, 1:3]


def test_the_defaults():
    model = Inpaint()
    norm = "BatchNorm({}, momentum=0.9, eps=1e-05)".format
    assert [repr(layer) for layer in model.G] == [
        *("Conv(4, 32, 4, stride=2)", "LeakyReLU(0.2)"),
        *("Conv(32, 64, 4, stride=2)", norm(64), "LeakyReLU(0.2)"),
        *("Conv(64, 128, 4, stride=2)", norm(128), "LeakyReLU(0.2)"),
        *("Flatten()", "Dense(2048, 128)", norm(128), "ReLU()", "Dense(128, 2048)", "Reshape((4, 4, 128))"),
        *(norm(128), "ReLU()", "ConvTranspose(128, 64, 4, stride=2)"),
        *(norm(64), "ReLU()", "ConvTranspose(64, 32, 4, stride=2)"),
        *(norm(32), "ReLU()", "ConvTranspose(32, 3, 4, stride=2)", "Sigmoid()"),
    ]
    assert [repr(layer) for layer in model.D] == [
        *("Conv(3, 32, 4, stride=2)", "LeakyReLU(0.2)", "Conv(32, 64, 4, stride=2)", "LeakyReLU(0.2)"),
        *("Flatten()", "Dense(1280, 1)"),  # of 16x20 pixels: the hole, and two around it
    ]
    assert not any("mask" in name for name in model.state_dict())  # a hole is the config's, not that of weights
    assert model.remade == (slice(17, 29), slice(8, 24)) and model.window == (16, 20)


@pytest.mark.parametrize("due", [True, False])
def test_the_losses_by_hand(due):
    model = in_float64(small("inpaint", r1=3.0, r1_every=2, ring=0.3, adversarial=0.2, seen=1))
    x = X.astype(np.float64)
    model.opt_D.t = 0 if due else 1
    D, G = (step.compute_loss() for step in model.steps(x))
    mask, framed = np.zeros((4, 5, 4, 1)), np.zeros((4, 5, 4, 1))
    mask[:, 1:3, 1:3] = 1
    framed[:, 0:4, 0:4] = 1  # all columns; one row around
    z = x * (1 - mask) + 0.5 * mask
    made = model.G(np.concatenate([z, mask], -1)).numpy()
    fake = np.where(mask == 1, made, x)
    np.testing.assert_allclose(G.named["G(z)"].numpy(), fake, atol=1e-12)
    np.testing.assert_allclose(D.named["z"], z)
    window = tg.tensor(x[:, 0:4], requires_grad=True)
    real, false = model.D(window), model.D(fake[:, 0:4]).numpy()
    (slope,) = tg.grad(tg.ops.sum(real), [window], retain_graph=True)
    penalty = due * 2 * 3.0 / 2 * np.square(slope.numpy()).sum() / 4
    assert D.value.item() == pytest.approx(softplus(-real.numpy()).mean() + softplus(false).mean() + penalty)
    squares = np.square(made - x)
    error, frame = (squares[part == 1].mean() for part in (mask, framed - mask))
    assert G.value.item() == pytest.approx(error + 0.3 * frame + 0.2 * softplus(-false).mean())
    assert G.metrics["psnr"].item() == pytest.approx(-10 * np.log10(error))
    colour = (x[:, 0:4].sum((1, 2)) - hole(x).sum((1, 2))) / 12
    plain = np.square(hole(x) - colour[:, None, None]).mean()
    assert G.metrics["psnr_plain"].item() == pytest.approx(-10 * np.log10(plain))
    np.testing.assert_allclose(model.score(x).numpy(), real.numpy())


@pytest.mark.parametrize("name", ["D", "G"])
def test_the_gradient_of_a_whole_loss(name):
    model = in_float64(small("inpaint", e_channels=(2,), bottleneck=2, batch_norm=False, adversarial=0.5))
    step = model.steps_on(X[:2].astype(np.float64))[name]
    assert gradcheck(lambda: step.compute_loss().value, step.optimizer.params, 1).error < 1e-6


def test_only_the_hole_is_filled():
    model = small("inpaint")
    model.train_step(X)
    z = model.degrade(X)
    inside = np.zeros(X.shape, bool)
    inside[:, 1:3, 1:3] = True
    for made in (model.translate(z), model.plain(z), model.reconstruct(X), model.translate(X)):
        np.testing.assert_array_equal(made[~inside], X[~inside])
        assert made.dtype == np.float32 and not np.isclose(made[inside], X[inside]).any()
    assert (z[inside] == 0.5).all()
    np.testing.assert_array_equal(model.translate(z), model.translate(X))  # what was there is not looked at


@pytest.mark.parametrize("n", [1, 4])
def test_a_mask_says_what_else_is_to_be_filled(n):
    model = small("inpaint", ema=0.0)
    mask = np.zeros((n, *SHAPE[:2], 1), bool)
    mask[:, 3:, 2:] = True
    made = model.translate(X, mask)
    elsewhere = ~np.broadcast_to(mask, X.shape)
    np.testing.assert_array_equal(made[elsewhere], X[elsewhere])
    seen = np.concatenate([np.where(elsewhere, X, np.float32(0.5)), ~elsewhere], -1).astype(np.float32)
    with evaluating(model.G):
        np.testing.assert_allclose(made[~elsewhere], model.G(seen).numpy()[~elsewhere], rtol=1e-6)
    np.testing.assert_array_equal(model.translate(X, mask.astype(int)), made)


def test_without_a_game_the_squared_error_alone_is_lowered():
    model = small("inpaint", adversarial=0)
    assert model.D is None and model.game is None and list(model.optimizers()) == ["opt_G"]
    assert set(model.train_step(X)) == {"loss_G", "psnr", "psnr_plain"}


def signals(n, seed=0):
    """Images of 6x6 of one grey, whose 2x2 in the middle is the opposite grey; and the same with a coin's throw."""
    rng = np.random.default_rng(seed)
    grey, coin = rng.uniform(0.1, 0.9, (n, 1, 1, 1)), rng.integers(0, 2, (n, 1, 1, 1))
    opposite, thrown = (np.broadcast_to(grey, (n, 6, 6, 1)).copy() for _ in range(2))
    opposite[:, 2:4, 2:4] = 1 - grey
    thrown[:, 2:4, 2:4] = coin
    return opposite.astype(np.float32), thrown.astype(np.float32)


TINY = {"data_shape": (6, 6, 1), "hole": (2, 2, 2, 2), "e_channels": (8,), "bottleneck": 8, "d_channels": (8,)}
TINY |= {"frame": 1, "seen": 0, "lr": 3e-3, "ema": 0.9}  # an ema of 0.98 would still remember the beginning


def learnt(x, steps, **settings):
    """What is in the holes of x after some steps on batches of 32."""
    model = Inpaint(InpaintConfig(**TINY, **settings))
    for i in range(steps):
        model.train_step(x[32 * i % len(x) :][:32])
    return model.reconstruct(x)[:, 2:4, 2:4], model


def test_it_learns_what_its_surroundings_tell():
    x, _ = signals(320)
    fill, model = learnt(x, 200, adversarial=0)
    assert np.abs(fill - x[:, 2:4, 2:4]).mean() < 0.05
    plain = model.plain(model.degrade(x))[:, 2:4, 2:4]
    assert np.abs(plain - x[:, 2:4, 2:4]).mean() > 0.3


def test_of_two_fills_D_makes_it_choose_where_the_squared_error_takes_the_mean():
    _, x = signals(320)
    mean, _ = learnt(x, 200, adversarial=0, batch_norm=False)
    chosen, _ = learnt(x, 200, adversarial=1.0, d_lr=1e-2, batch_norm=False)
    assert np.abs(mean - 0.5).mean() < 0.15 and np.abs(chosen - 0.5).mean() > 0.35


def test_its_warnings():
    model = small("inpaint")
    row = {"acc": 0.7, "loss_G": 1.0, "spread": 1.0, "psnr": 20.0, "psnr_plain": 15.0}
    for psnr, names in ((20.0, []), (12.0, ["restored worse than plainly"])):
        recent = Recent([{**row, "psnr": psnr}] * 10, [1.0] * 10, 1.0)
        assert [sign.name for sign in model.signs(recent)] == names


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hole": (1, 1, 2)}, r"hole is \(1, 1, 2\), but it must be \(top, left, height, width\)"),
        ({"hole": (1, 1, 4, 2)}, r"hole is \(1, 1, 4, 2\), .* must leave a pixel or more on each side"),
        ({"hole": (1, 3, 1, 1)}, "on each side; choose another hole"),
        ({"data_shape": (20,)}, "convolutions take images"),
        ({"e_channels": ()}, "e_channels is empty, but the encoder needs"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(ConfigError, match=message):
        small("inpaint", **settings)


@pytest.mark.parametrize("shape", [(5, 4, 1), (1, 4, 4, 1), (3, 5, 4, 1), (1, 5, 4, 2)])
def test_masks_that_do_not_fit(shape):
    with pytest.raises(DataError, match=r"inpaint: mask is .*, but it must be \(N or 1, 5, 4, 1\)"):
        small("inpaint").translate(X, np.zeros(shape, bool))
