"""SRGAN: its networks, its two phases, what it makes, and that it learns what bicubic enlargement can't know."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import SHAPES, batches, in_float64, small

import tinygen as tg
from tinygen.errors import ConfigError, DataError
from tinygen.gradcheck import gradcheck
from tinygen.layers import Conv
from tinygen.models import SRGAN, SRGANConfig
from tinygen.models.collapse import Recent
from tinygen.models.srgan import prime_factors

SHAPE = SHAPES["srgan"]


def state(network):
    return {name: t.numpy().copy() for name, t in network.named_tensors()}


def moved(network, before):
    return any(not np.array_equal(t.numpy(), before[name]) for name, t in network.named_tensors())


def test_the_defaults():
    model = SRGAN()
    first, slope, skip, *growth = model.G
    assert [repr(first), repr(slope)] == ["Conv(1, 32, 3)", "PReLU(1)"]
    block, *_ = blocks = list(skip.body)
    assert len(blocks) == 6 and [type(layer).__name__ for layer in block.body] == [
        *("Conv", "BatchNorm", "PReLU", "Conv", "BatchNorm")
    ]
    assert [repr(layer) for layer in growth] == [
        *(2 * ["Conv(32, 128, 3)", "PixelShuffle(2)", "PReLU(1)"]),
        *("Conv(32, 1, 3)", "Sigmoid()"),
    ]
    assert [repr(layer) for layer in model.D][:4] == [
        *("Conv(1, 32, 3, stride=2)", "LeakyReLU(0.2)", "Conv(32, 64, 3, stride=2)", "LeakyReLU(0.2)")
    ]
    assert model.maps is not None and not any("maps" in name for name in model.state_dict())
    assert "BatchNorm" not in repr(SRGAN(SRGANConfig(batch_norm=False)).G)


def test_the_first_image_has_no_checkerboard():
    """ICNR: before the last convolution, each pixel of the small maps is a square of one value."""
    model = SRGAN(SRGANConfig(data_shape=(8, 12, 3), batch_norm=False))
    maps = np.random.default_rng(0).normal(size=(1, 2, 3, 32)).astype(np.float32)
    for layer in list(model.G)[3:5]:
        maps = layer(maps)
    squares = maps.numpy().reshape(1, 2, 2, 3, 2, 32)
    np.testing.assert_array_equal(squares, np.broadcast_to(squares[:, :, :1, :, :1], squares.shape))
    assert np.ptp(squares) > 0.1


def test_the_warm_up_moves_G_alone_down_the_squared_error_and_then_both_learn():
    model, x = small("srgan", warmup=2), batches(1, SHAPE)[0]
    before = state(model.D)
    for _ in range(2):
        z = x.reshape(4, 2, 2, 2, 2, 1).mean((2, 4))
        error = np.square(model.G(z).numpy() - x).mean()
        metrics = model.train_step(x)
        assert set(metrics) == {"loss_G", "psnr", "psnr_plain"}
        assert metrics["loss_G"].item() == pytest.approx(error, rel=1e-4)
        assert metrics["psnr"].item() == pytest.approx(-10 * np.log10(error), rel=1e-4)
    assert not moved(model.D, before) and (model.opt_G.t, model.opt_D.t) == (2, 0)
    metrics = model.train_step(x)
    assert {"loss_D", "loss_G", "acc", "D(x)", "D(G(z))", "psnr", "psnr_plain"} == set(metrics)
    assert moved(model.D, before) and (model.opt_G.t, model.opt_D.t) == (3, 1)


def test_the_losses_by_hand():
    model, x = small("srgan", data_shape=(28, 28, 1), adversarial=0.3, content=0.2), batches(1, (28, 28, 1))[0]
    D, G = (step.compute_loss() for step in model.steps(x))
    z = x.reshape(4, 14, 2, 14, 2, 1).mean((2, 4))
    fake = model.G(z).numpy()
    real_score, fake_score = (model.D(a).numpy() for a in (x, fake))
    softplus = lambda s: np.log1p(np.exp(s)).mean()
    assert D.value.item() == pytest.approx(softplus(-real_score) + softplus(fake_score), rel=1e-5)
    judge = tg.metrics.load_classifier()
    seen, shown = (np.maximum(judge.body[2](judge.body[1](judge.body[0](a))).numpy(), 0) for a in (x, fake))
    content = np.square(shown - seen).mean() / np.square(seen).mean()
    expected = np.square(fake - x).mean() + 0.3 * softplus(-fake_score) + 0.2 * content
    assert G.value.item() == pytest.approx(expected, rel=1e-5) and content > 0.01
    np.testing.assert_allclose(G.named["z"], z, rtol=1e-6)


def test_the_judge_of_faces_sees_faces():
    judge, x = tg.metrics.load_face_judge(), batches(1, (64, 64, 3), size=2)[0]
    model = SRGAN(SRGANConfig(data_shape=(64, 64, 3), blocks=1, channels=2, d_channels=(2,)))
    half = x.reshape(2, 32, 2, 32, 2, 3).mean((2, 4))
    first, _, second = list(judge.body)[:3]
    seen = np.maximum(second(tg.ops.relu(first(half))).numpy(), 0)
    np.testing.assert_allclose(model.maps(x), seen, rtol=1e-4, atol=1e-5)
    assert SRGAN(SRGANConfig(data_shape=(64, 32, 3), blocks=1, channels=2)).maps is None


def test_the_gradients_of_the_losses_by_every_parameter():
    model = in_float64(small("srgan", channels=1, d_channels=(1,), batch_norm=False, adversarial=0.5))
    x = batches(1, SHAPE, size=2)[0].astype(np.float64)
    losses = lambda: tuple(step.compute_loss(freeze=False).value for step in model.steps(x))
    assert gradcheck(losses, model.parameters(), 1).error < 1e-6


def test_without_a_game_it_is_the_srresnet_for_good():
    model = small("srgan", adversarial=0)
    assert model.D is None and model.game is None and list(model.optimizers()) == ["opt_G"]
    for x in batches(3, SHAPE):
        assert set(model.train_step(x)) == {"loss_G", "psnr", "psnr_plain"}


def stripes(n, seed=0):
    """Images of 8x8 that their means over 4x4 decide: each square is its mean times a pattern that squares share."""
    means = np.random.default_rng(seed).uniform(0.1, 0.5, (n, 2, 2, 1, 1))
    pattern = 2.0 * (np.arange(16).reshape(4, 4) % 2)
    return (means * pattern).transpose(0, 1, 3, 2, 4).reshape(n, 8, 8, 1).astype(np.float32)


def test_it_learns_what_squares_are_made_of():
    tg.seed(0)
    sizes = {"data_shape": (8, 8, 1), "channels": 8, "blocks": 1, "d_channels": (8,)}
    model = SRGAN(SRGANConfig(**sizes, warmup=70, lr=2e-2))
    for step in range(90):
        model.train_step(stripes(16, step))
    x = stripes(32, 1000)
    psnr = lambda y: -10 * np.log10(np.square(y - x).mean())
    assert psnr(model.plain(model.degrade(x))) < 12 and psnr(model.reconstruct(x)) > 22


def test_it_translates_images_of_any_size_and_degrades_those_of_a_multiple():
    model = small("srgan", scale=4, data_shape=(8, 4, 1))
    assert model.accepts == (None, None, 1)
    assert model.translate(np.zeros((2, 3, 5, 1), np.float32)).shape == (2, 12, 20, 1)
    x = batches(1, (12, 16, 1))[0]
    np.testing.assert_allclose(model.degrade(x), x.reshape(4, 3, 4, 4, 4, 1).mean((2, 4)), rtol=1e-6)
    np.testing.assert_array_equal(model.reconstruct(x), model.translate(model.degrade(x)))
    bright = model.plain(np.array([[0, 1], [1, 1]], np.float32).reshape(1, 2, 2, 1))
    assert bright.shape == (1, 8, 8, 1) and bright.max() == 1 and bright.min() == 0  # bicubic overshoots
    with pytest.raises(DataError, match="srgan: the images are 9x16, but their sides must be multiples of 4"):
        model.degrade(x[:, :9])


def test_images_are_made_with_the_mean_of_the_weights():
    model, x = small("srgan", ema=0.5), batches(1, SHAPE)[0]
    weights = [model.G[0].w.numpy().copy()]
    for _ in range(2):
        model.train_step(x)
        weights.append(model.G[0].w.numpy().copy())
    d = 2 / 11, 3 / 12  # less than ema at first
    mean = d[1] * (d[0] * weights[0] + (1 - d[0]) * weights[1]) + (1 - d[1]) * weights[2]
    np.testing.assert_allclose(model.G_mean.network[0].w.numpy(), mean, rtol=1e-5)
    z = model.degrade(x)
    with tg.layers.evaluating(model.G_mean):
        np.testing.assert_array_equal(model.translate(z), model.G_mean(z).numpy())
    assert small("srgan", ema=0).G_mean is None


def test_a_preview_shows_what_is_left_the_plain_way_its_own_and_the_truth():
    model, x = small("srgan"), batches(1, SHAPE)[0]
    rows = model.preview(x, 9).reshape(2, 4, 4, 4, 1)
    z = model.degrade(x[:2])
    np.testing.assert_array_equal(rows[:, 0], z.repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(rows[:, 1], model.plain(z))
    np.testing.assert_array_equal(rows[:, 2], model.translate(z))
    np.testing.assert_array_equal(rows[:, 3], x[:2])
    assert model.columns == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"data_shape": (30, 28, 1)},
            r"data_shape is \(30, 28, 1\), but scale=4 takes .* are multiples of 4",
        ),
        ({"data_shape": (28, 28, 1), "scale": 3}, "scale=3 takes images whose sides are multiples of 3"),
        ({"scale": 1}, "scale is 1, but it must be an int of at least 2"),
        ({"data_shape": (28,)}, r"data_shape is|the data have the shape \(28,\), but convolutions take images"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        SRGANConfig(**settings)


def test_factors():
    assert [prime_factors(n) for n in (2, 3, 4, 6, 8, 12, 49, 97)] == [
        *([2], [3], [2, 2], [2, 3], [2, 2, 2], [2, 2, 3], [7, 7], [97])
    ]
    kernels = [
        layer.w.shape for layer in SRGAN(SRGANConfig(data_shape=(12, 12, 1), scale=6)).G if isinstance(layer, Conv)
    ]
    assert kernels[1:3] == [(3, 3, 32, 128), (3, 3, 32, 288)]


def signs(model, psnr, plain, n=3):
    rows = [{"psnr": psnr, "psnr_plain": plain, "spread": float("nan")}] * n
    return {sign.name: sign for sign in model.signs(Recent(rows, [1.0] * n, 1.0))}


@pytest.mark.parametrize("settings", [{}, {"adversarial": 0}], ids=str)
def test_it_warns_of_images_that_are_worse_than_bicubic_ones(settings):
    model = small("srgan", **settings)
    worse = signs(model, 12.04, 14.55)["restored worse than plainly"]
    assert worse.evidence == "the PSNR is 12.0 dB, and 14.6 dB by the simplest means"
    assert "lr" in worse.remedy
    assert signs(model, 14.6, 14.5) == {}
    assert "D saturated" not in signs(model, 19.0, 14.5)


def test_it_warns_of_a_D_that_has_won():
    rows = [{"acc": 1.0, "loss_G": 1.0, "psnr": 20.0, "psnr_plain": 14.0, "spread": float("nan")}] * 3
    assert [sign.name for sign in small("srgan").signs(Recent(rows, [1.0] * 3, 1.0))] == ["D saturated"]
