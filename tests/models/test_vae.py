"""The VAE: its networks, its bound, its draws, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import POINT, batches, small

import tinygen as tg
from tinygen.gradcheck import gradcheck
from tinygen.models import VAE, VAEConfig
from tinygen.optim import Adam
from tinygen.random import Generator


def test_the_defaults_are_784_400_20():
    vae = VAE()
    assert [repr(layer) for layer in vae.encoder] == ["Flatten()", "Dense(784, 400)", "ReLU()", "Dense(400, 40)"]
    assert [repr(layer) for layer in vae.decoder] == [
        "Dense(20, 400)",
        "ReLU()",
        "Dense(400, 784)",
        "Reshape((28, 28, 1))",
    ]
    default = Adam(vae.decoder.parameters())
    assert (type(vae.opt), vae.opt.lr, vae.opt.betas, vae.opt.eps) == (Adam, default.lr, default.betas, default.eps)
    assert vae.likelihood == "bernoulli" and vae.value_range == (0, 1)


def test_widths_mirror_in_the_decoder():
    vae = small("vae", hidden=(9, 7, 5))
    assert [p.shape for p in vae.parameters() if p.ndim == 2] == [
        *((6, 9), (9, 7), (7, 5), (5, 6)),
        *((3, 5), (5, 7), (7, 9), (9, 6)),
    ]


def test_the_bound_by_hand():
    """The loss of one batch, from the networks' outputs and the same draw."""
    for reconstruction in ("bernoulli", "mse"):
        vae, x = small("vae", reconstruction=reconstruction, beta=3.0), batches(1)[0]
        mu, logvar = (t.numpy() for t in vae.encode(x))
        eps = Generator(5).normal(mu.shape)
        p = vae.to_image(vae.decoder(mu + np.exp(logvar / 2) * eps)).numpy()
        each = {"bernoulli": -(x * np.log(p) + (1 - x) * np.log(1 - p)), "mse": (x - p) ** 2 / 2}
        rec = each[reconstruction].reshape(4, -1).sum(1).mean()
        kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean() / 2
        loss, parts, _ = vae.loss(x, Generator(5))
        assert loss.item() == pytest.approx(rec + 3 * kl, rel=1e-5)
        assert {n: v.item() for n, v in parts.items()} == pytest.approx({"reconstruction": rec, "kl": kl}, rel=1e-5)


def test_reparameterised_draws_have_their_mean_and_scale():
    vae, n = small("vae"), 100_000
    mu, logvar = (tg.tensor(np.tile(row, (n, 1))) for row in ([[1.0, -2.0, 0.0]], [[0.0, -1.0, 1.0]]))
    z = vae.reparameterise(mu, logvar).numpy()
    np.testing.assert_allclose(z.mean(0), [1, -2, 0], atol=0.03)
    np.testing.assert_allclose(z.std(0), np.exp([0, -0.5, 0.5]), rtol=0.02)
    again = vae.reparameterise(mu, logvar).numpy()
    assert not np.isclose(z, again).all()


def test_a_draw_comes_from_the_stream_that_is_given():
    vae, x = small("vae"), batches(1)[0]
    before = vae.rng.state
    first, again, other = (vae.loss(x, Generator(seed))[0].item() for seed in (1, 1, 2))
    assert first == again != other
    assert vae.rng.state == before
    assert vae.loss(x)[0].item() != vae.loss(x)[0].item()


def test_images_are_bernoulli_and_points_gaussian_unless_told():
    points = small("vae", data_shape=POINT)
    assert (points.likelihood, points.value_range) == ("mse", None)
    x = batches(1, POINT)[0]
    assert np.array_equal(points.reconstruct(x), points.decoder(points.encode(x)[0]).numpy()), "no sigmoid"
    bits = small("vae", data_shape=POINT, reconstruction="bernoulli")
    assert bits.value_range == (0, 1)
    assert bits.sample(100).min() > 0 and bits.sample(100).max() < 1


def test_it_learns_a_ring_of_points():
    """The samples of N(0, 1) in the latent plane lie near the unit circle, all around it."""
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, (600, 64))
    model = VAE(VAEConfig(data_shape=POINT, latent_dim=2, hidden=(32,), beta=0.01, lr=3e-3))
    for a in angles:
        model.train_step(np.stack([np.cos(a), np.sin(a)], 1).astype(np.float32))
    x = model.sample(1000)
    radius = np.hypot(*x.T)
    assert abs(np.median(radius) - 1) < 0.15
    assert (np.histogram(np.arctan2(*x.T), 8, (-np.pi, np.pi))[0] > 20).all()


def test_reconstructions_come_nearer(backend):
    model, x = small("vae", lr=0.01, beta=0.01), backend.asarray(batches(1)[0])

    def error():
        return float(((tg.to_host(model.reconstruct(x)) - tg.to_host(x)) ** 2).mean())

    before = error()
    for _ in range(60):
        model.train_step(x)
    assert error() < 0.5 * before


@pytest.mark.parametrize("reconstruction", ["bernoulli", "mse"])
def test_the_gradient_of_the_bound_by_every_parameter(reconstruction):
    model, x = small("vae", reconstruction=reconstruction, hidden=(4,), latent_dim=2, beta=2.0), batches(1)[0]
    report = gradcheck(lambda: model.loss(x, Generator(0))[0], model.parameters(), order=2)
    assert report.error < 1e-8
