"""How each GAN differs from the GAN: its defaults, its loss by every parameter, and that it learns its data."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, in_float64, small

import tinygen as tg
from tinygen.errors import ConfigError
from tinygen.gradcheck import gradcheck
from tinygen.models import LSGAN, MODELS, SNGAN, WGAN, WGANGP, LSGANConfig, PacGAN
from tinygen.models.pacgan import Pack
from tinygen.optim import Adam, RMSprop


def layers_of(network):
    return [repr(layer) for layer in network]


# Learning

SIZES = {"data_shape": (2,), "latent_dim": 4, "g_hidden": (32,), "d_hidden": (32,), "weight_init": "glorot"}
FAST = {"lr": 1e-3, "beta1": 0.0}
LEARNS = {
    "lsgan": FAST,
    "hingegan": FAST,
    "wgan": {"lr": 2e-3, "clip": 0.1},
    "wgangp": {"lr": 2e-3, "d_lr": 5e-3, "beta1": 0.0, "gp": 1.0, "ema": 0.98, "batch_norm": False},
    "pacgan": FAST,
}


@pytest.mark.parametrize("name", LEARNS)
def test_it_learns_a_gaussian(name):
    """Points N((1, -1), 0.5²): the mean and the spread of the samples come close."""
    kind, rng = MODELS[name], np.random.default_rng(0)
    model = kind(kind.Config(**SIZES, **LEARNS[name]))
    mean, std, n = np.array([1.0, -1.0]), 0.5, 64 * model.batches_per_step
    start = model.sample(1000)
    for _ in range(800 // model.batches_per_step):
        model.train_step(rng.normal(mean, std, (n, 2)).astype(np.float32))
    samples = model.sample(1000)
    assert np.abs(start.mean(0) - mean).min() > 0.5
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.2)
    np.testing.assert_allclose(samples.std(0), std, rtol=0.4)


def test_the_sngan_learns_two_patterns():
    """Images with one bright half, left or right: samples are one or the other, about equally often."""
    left = np.full((4, 4, 1), -0.8, np.float32)
    left[:, :2] = 0.8
    patterns, rng = np.stack([left, -left]), np.random.default_rng(0)
    sizes = {"g_channels": (16, 8), "d_channels": (8, 16), "kernel_size": 3, "latent_dim": 4, "bn_momentum": 0.8}
    model = SNGAN(SNGAN.Config(data_shape=(4, 4, 1), **sizes, lr=2e-3))
    for _ in range(400):
        x = patterns[rng.integers(0, 2, 32)] + rng.normal(0, 0.05, (32, 4, 4, 1))
        model.train_step(x.astype(np.float32))
    samples = model.sample(500)
    distance = np.sqrt(((samples[:, None] - patterns) ** 2).mean((2, 3, 4)))
    assert np.median(distance.min(1)) < 0.2
    assert 0.2 < (distance[:, 0] < distance[:, 1]).mean() < 0.8


# The losses by every parameter

TINY = {"latent_dim": 2, "g_hidden": (4, 3), "d_hidden": (3, 2)}
SETTINGS = {
    "lsgan": {**TINY, "a": -1.0, "b": 1.5, "c": 0.5},
    "hingegan": {**TINY, "batch_norm": False},
    "sngan": {"latent_dim": 2, "g_channels": (2, 2), "d_channels": (2,), "kernel_size": 2},
    "wgan": TINY,
    "wgangp": TINY,
    "pacgan": TINY,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_gradients_of_both_losses_by_every_parameter(name):
    """With u and v of the spectral norm fixed: no gradient goes through them."""
    model, x = in_float64(small(name, **SETTINGS[name])), batches(1)[0].astype(np.float64)
    z, start = model.noise(len(x)), model.rng.state
    model.D.eval()

    def both():
        model.rng.state, fake = start, model.G(z)  # the same points between real and fake
        return model.loss_D(x, fake)[0], model.loss_G(fake)[0]

    if name == "wgangp":  # its D takes the fakes as they are
        assert gradcheck(lambda: both()[0], model.D.parameters(), 1).error < 1e-8
        assert gradcheck(lambda: both()[1], model.parameters(), 1).error < 1e-8
    else:
        assert gradcheck(both, model.parameters(), 1).error < 1e-8


# Least squares, hinge


def test_lsgan_has_the_labels_of_its_config():
    model, (x, fake) = LSGAN(LSGANConfig(data_shape=(3, 2, 1), a=-1, b=2, c=0.5)), batches(2)
    r, f = (model.D(images).numpy().astype(np.float64) for images in (x, fake))
    loss = model.loss_D(x, tg.tensor(fake))
    assert loss.value.item() == pytest.approx(((r - 2) ** 2).mean() / 2 + ((f + 1) ** 2).mean() / 2, rel=1e-5)
    assert model.loss_G(tg.tensor(fake))[0].item() == pytest.approx(((f - 0.5) ** 2).mean() / 2, rel=1e-5)
    report = model.measured([(model.step_D(x), loss)])
    assert report["acc"].item() == ((r > 0.5).mean() + (f <= 0.5).mean()) / 2


@pytest.mark.parametrize("name, loss", [("lsgan", "lsgan"), ("hingegan", "hinge"), ("wgan", "wasserstein")])
def test_a_gan_named_for_its_loss_has_no_other(name, loss):
    kind = MODELS[name]
    assert kind.Config().loss == loss
    with pytest.raises(ConfigError, match=f"loss is 'minimax', but it must be {loss}"):
        kind.Config(loss="minimax")


# Spectral normalisation


def test_the_sngan_is_a_dcgan_with_every_layer_of_D_normed():
    model = SNGAN()
    assert [line for layer in model.D for line in repr(layer).splitlines()] == [
        *("SpectralNorm(", "  (normed) Conv(1, 32, 5, stride=2)", ")", "LeakyReLU(0.1)"),
        *("SpectralNorm(", "  (normed) Conv(32, 64, 5, stride=2)", ")", "LeakyReLU(0.1)", "Flatten()"),
        *("SpectralNorm(", "  (normed) Dense(3136, 1)", ")"),
    ]
    assert [n for n, _ in model.D.named_tensors()][:4] == ["0.normed.w", "0.normed.b", "0.u", "0.v"]
    assert (type(model.opt_D), model.opt_D.lr, model.opt_D.betas) == (Adam, 5e-4, (0.5, 0.999))
    assert model.config.loss == "hinge"


def test_the_singular_values_of_the_sngan_are_divided_out():
    model = small("sngan", lr=2e-4)
    for x in batches(30):
        model.train_step(x)
    for layer in (layer for layer in model.D if hasattr(layer, "normed")):
        w = layer.normed.w.numpy()
        sigma = np.linalg.svd(w.reshape(-1, w.shape[-1]), compute_uv=False)[0]
        assert layer.u.numpy() @ w.reshape(-1, w.shape[-1]).T @ layer.v.numpy() == pytest.approx(sigma, rel=0.02)


# Wasserstein


def test_the_wgan_of_algorithm_1():
    model = WGAN(WGAN.preset("paper"))
    for optimizer in (model.opt_D, model.opt_G):
        assert (type(optimizer), optimizer.lr, optimizer.alpha) == (RMSprop, 5e-5, 0.99)
    assert (model.config.clip, model.batches_per_step) == (0.01, 5)
    assert not any("BatchNorm" in line for line in layers_of(model.D))


def test_the_weights_of_the_critic_stay_within_the_clip():
    model = small("wgan", lr=0.05, clip=0.02)
    start = max(np.abs(p.numpy()).max() for p in model.D.parameters())
    for x in batches(3):
        model.train_step(x)
        largest = [np.abs(p.numpy()).max() for p in model.D.parameters()]
        assert max(largest) == np.float32(0.02) and start > 0.02
    assert max(np.abs(p.numpy()).max() for p in model.G.parameters()) > 0.02


@pytest.mark.parametrize("name", ["wgan", "wgangp"])
def test_the_gap_is_the_difference_of_the_mean_scores(name):
    model, (x, fake) = small(name), batches(2)
    real_score, fake_score = model.D(x).numpy(), model.D(fake).numpy()
    report = model.measured([(model.step_D(x), model.loss_D(x, tg.tensor(fake)))])
    assert report["gap"].item() == pytest.approx(real_score.mean() - fake_score.mean(), abs=1e-6)
    assert "acc" not in report
    if name == "wgan":
        assert report["loss_D"].item() == pytest.approx(-report["gap"].item(), abs=1e-7)


def test_the_defaults_of_the_wgangp():
    model = WGANGP()
    assert (type(model.opt_D), model.opt_D.lr, model.opt_D.betas) == (Adam, 1e-4, (0.5, 0.9))
    assert (model.config.gp, model.config.penalty, model.batches_per_step) == (10.0, "two-sided", 5)


@pytest.mark.parametrize("penalty", ["two-sided", "one-sided"])
def test_the_gradient_penalty_of_a_linear_critic(penalty):
    """Its slope is ‖w‖ everywhere, so the loss and the metrics have closed forms."""
    for size in (0.5, 3.0):
        model, (x, fake) = small("wgangp", d_hidden=(), penalty=penalty), batches(2)
        w = model.D[1].w
        w.assign(w.data * (size / np.linalg.norm(w.numpy())))
        loss, report, _ = model.loss_D(x, tg.tensor(fake))
        excess = size - 1 if penalty == "two-sided" else max(size - 1, 0)
        gap = ((x - fake).reshape(len(x), -1) @ w.numpy()).mean()
        assert loss.item() == pytest.approx(10 * excess**2 - gap, rel=1e-4)
        expected = {"slope": size, "(n-1)n": excess * size, "gap/2λ": gap / 20}
        assert {name: report[name].item() for name in expected} == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_penalty_is_between_each_real_example_and_a_fake_one():
    model, D_inputs = small("wgangp"), []
    x, fake = np.zeros((200, 3, 2, 1), np.float32), np.ones((200, 3, 2, 1), np.float32)
    forward = model.D.forward
    model.D.forward = lambda points: (D_inputs.append(points), forward(points))[1]
    model.loss_D(x, tg.tensor(fake))
    points = D_inputs[-1].numpy().reshape(200, -1)
    t = points[:, 0]
    np.testing.assert_array_equal(points, np.broadcast_to(t[:, None], points.shape))  # one t for an example
    assert 0 <= t.min() < 0.05 and 0.95 < t.max() <= 1 and abs(t.mean() - 0.5) < 0.07


def test_the_critic_finds_its_scale():
    """E (n - 1) n = gap / 2λ where no multiple of the critic is better (see wgangp.py), while G stands still."""
    rng, rows = np.random.default_rng(0), []
    model = WGANGP(WGANGP.Config(**SIZES, batch_norm=False, lr=3e-3))
    model.opt_G.step = lambda gradients: None
    for _ in range(150):
        x = rng.normal((1, -1), 0.5, (64 * 5, 2)).astype(np.float32)
        rows.append([model.train_step(x)[name].item() for name in ("(n-1)n", "gap/2λ")])
    (left, right), (early_left, early_right) = np.mean(rows[75:], 0), rows[0]
    assert abs(early_left - early_right) > 0.05 < right
    assert left == pytest.approx(right, rel=0.05)


# Packing


def test_a_pack_is_joined_along_the_channels(backend):
    x = backend.asarray(np.arange(4 * 2 * 3 * 2).reshape(4, 2, 3, 2), np.float64)
    y = Pack(2)(x)
    host = backend.to_host(x)
    np.testing.assert_array_equal(backend.to_host(y)[0], np.concatenate([host[0], host[1]], -1))
    np.testing.assert_array_equal(backend.to_host(y)[1], np.concatenate([host[2], host[3]], -1))
    points = backend.asarray(np.arange(12).reshape(6, 2), np.float64)
    np.testing.assert_array_equal(backend.to_host(Pack(3)(points)), backend.to_host(points).reshape(2, 6))
    assert Pack(1)(x).shape == x.shape
    assert gradcheck(Pack(2), host).error < 1e-8
    with pytest.raises(ValueError, match="Pack: the batch has 4 examples, but that must be a multiple of 3"):
        Pack(3)(x)


def test_D_scores_packs_of_real_or_of_fake_samples():
    model, (x, fake) = small("pacgan"), batches(2)
    real_score, fake_score = model.judge(x, tg.tensor(fake))
    assert real_score.shape == fake_score.shape == (2, 1)
    np.testing.assert_allclose(real_score.numpy(), model.D(x).numpy(), rtol=1e-6)
    np.testing.assert_allclose(fake_score.numpy(), model.D(fake).numpy(), rtol=1e-6)
    assert "D.0 Pack(2)" in model.summary()


def test_packs_of_one_are_the_gan():
    """The GAN's layers of D have numbers one lower, as there is no Pack."""
    same = {"latent_dim": 2, "batch_norm": False, "g_activation": "relu", "d_activation": "relu"}
    gan, pacgan = small("gan", **same, lr=5e-4, d_lr=2e-3), small("pacgan", **same, pack=1, ema=0.0)
    weights = dict(zip(pacgan.state_dict(), gan.state_dict().values(), strict=True))
    pacgan.load_state_dict(weights)
    pacgan.rng.state = gan.rng.state
    for x in batches(2):
        assert pacgan.train_step(x)["loss_D"].item() == gan.train_step(x)["loss_D"].item()


def test_a_batch_that_makes_no_whole_packs_is_refused():
    with pytest.raises(ConfigError, match="pacgan: the batch is 4, but it must be a multiple of pack=3"):
        small("pacgan", pack=3).train_step(batches(1)[0])
    PacGAN().check_batch(64)
