"""The bounds of a tiny VAE against its exact likelihood, by quadrature over its one or two latents."""

import itertools

import numpy as np
import pytest
from models.small import in_float64, small
from scipy.integrate import quad
from scipy.special import expit

from tinygen.data import load
from tinygen.errors import ConfigError
from tinygen.metrics import likelihood
from tinygen.metrics.likelihood import binarise, likelihood_bounds
from tinygen.random import Generator

PIXELS = 6


def vae(latent_dim):
    """A VAE of 3 by 2 pixels in float64 whose decoder is far from flat and whose q(z|x) is nearer to the prior than to
    the posterior: the weights w vary, but not so that a few thousand draws miss those that count."""
    model = in_float64(small("vae", latent_dim=latent_dim))
    for network, factor in ((model.encoder, 0.5), (model.decoder, 2)):
        for p in network.parameters():
            p.data[...] *= factor
    return model


def p_of(model, x, z):
    """p(x|z) of one image at each z (N, latents)."""
    p = expit(model.decoder(z).data.reshape(len(z), -1))
    return np.prod(np.where(x.ravel() > 0.5, p, 1 - p), axis=1)


def normal(z, mu=0.0, logvar=0.0):
    return np.prod(np.exp(-0.5 * (z - mu) ** 2 / np.exp(logvar)) / np.sqrt(2 * np.pi * np.exp(logvar)), axis=1)


def exact(model, x, latent_dim):
    """log p(x) = log ∫ p(x|z) N(z; 0, 1) dz, by adaptive quadrature, or by the trapezoidal rule on a fine grid."""
    if latent_dim == 1:
        integrand = lambda z: (p_of(model, x, np.array([[z]])) * normal(np.array([[z]])))[0]
        return np.log(quad(integrand, -9, 9, epsabs=1e-12)[0])
    ticks = np.linspace(-7, 7, 351)
    z = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return np.log((p_of(model, x, z) * normal(z)).sum() * (ticks[1] - ticks[0]) ** 2)


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, 3, 2, 1)).astype(np.float64)


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_the_bound_with_many_draws_is_the_exact_likelihood(latent_dim):
    model, x = vae(latent_dim), images(3)
    bounds = likelihood_bounds(model, x, k=20_000)
    truth = [exact(model, image, latent_dim) for image in x]
    np.testing.assert_allclose(bounds["iwae"], truth, atol=0.02)
    assert (bounds["elbo"] < bounds["iwae"] - 0.02).all()


def test_the_elbo_is_its_integral():
    model, x = vae(1), images(1)
    mu, logvar = (q.data.item() for q in model.encode(x))
    spread = 9 * np.exp(logvar / 2)

    def integrand(z):
        z = np.array([[z]])
        q = normal(z, mu, logvar)
        return (q * np.log(p_of(model, x[0], z) * normal(z) / q))[0]

    truth = quad(integrand, mu - spread, mu + spread)[0]
    assert likelihood_bounds(model, x, k=20_000)["elbo"][0] == pytest.approx(truth, abs=0.02)


def test_the_bound_grows_with_k_and_stays_below_the_likelihood():
    model, x = vae(1), images(1)
    many = np.repeat(x, 4000, axis=0)
    means = [likelihood_bounds(model, many, k)["iwae"].mean() for k in (1, 2, 5, 20)]
    assert (np.diff(means) > 0.003).all() and means[-1] < exact(model, x[0], 1) + 0.001
    one = likelihood_bounds(model, many, 1)
    np.testing.assert_allclose(one["iwae"], one["elbo"], rtol=1e-12)  # with one draw they are the same


def test_the_likelihoods_of_all_images_sum_to_one():
    x = np.array(list(itertools.product([0.0, 1.0], repeat=PIXELS))).reshape(-1, 3, 2, 1)
    total = np.exp(likelihood_bounds(vae(2), x, k=3000)["iwae"]).sum()
    assert total == pytest.approx(1, abs=0.02)


def test_the_blocks_do_not_matter(monkeypatch):
    class Always:
        def normal(self, shape, dtype):
            return np.full(shape, 0.3, dtype)

    model, x = vae(2), images(7)
    expected = likelihood_bounds(model, x, 1, Always())["elbo"]
    monkeypatch.setattr(likelihood, "EXAMPLES", 3)
    monkeypatch.setattr(likelihood, "DRAWS", 15)
    for k in (14, 15, 16, 100):  # equal draws give equal weights, however many there are
        bounds = likelihood_bounds(model, x, k, Always())
        np.testing.assert_allclose(bounds["elbo"], expected)
        np.testing.assert_allclose(bounds["iwae"], expected)


def test_images_that_no_float32_can_hold_the_probability_of():
    model = small("vae", data_shape=(28, 28, 1), latent_dim=2)
    model.decoder.parameters()[-1].data[...] = -40  # log p(x) about -40 · 784: e^ of that is 0
    bounds = likelihood_bounds(model, np.ones((2, 28, 28, 1), np.float32), k=10)
    for bound in bounds.values():
        np.testing.assert_allclose(bound, -40 * 784, rtol=0.02)


def test_a_seed_decides_and_the_model_draws_nothing():
    model, x = small("vae"), images(3).astype(np.float32)
    before = model.rng.state
    first, again, other = (likelihood_bounds(model, x, 5, Generator(seed, "look")) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["iwae"], again["iwae"])
    assert (first["iwae"] != other["iwae"]).all() and model.rng.state == before


def test_on_a_gpu(gpu):
    model, x = small("vae", seed=1), images(3).astype(np.float32)
    bounds = likelihood_bounds(model, x, k=300)
    assert all(type(b) is np.ndarray and b.shape == (3,) for b in bounds.values())
    with_host_array = likelihood_bounds(model, gpu.asarray(x), k=300)
    np.testing.assert_array_equal(bounds["iwae"], with_host_array["iwae"])


def test_binarised_digits_are_always_the_same_draws_of_the_grey_values():
    grey = load("digits").test
    x = binarise(grey)
    assert x.shape == grey.shape and x.dtype == np.float32 and set(np.unique(x)) == {0, 1}
    np.testing.assert_array_equal(x, binarise(grey))
    np.testing.assert_array_equal(x, binarise(grey.astype(np.float32) / 255))
    assert (x != binarise(grey, seed=1)).any()
    assert (x[grey == 0] == 0).all() and (x[grey == 255] == 1).all()
    middle = (grey > 100) & (grey < 155)
    assert abs(x[middle].mean() - grey[middle].mean() / 255) < 4 * 0.5 / np.sqrt(middle.sum())


@pytest.mark.parametrize("k", [0, 2.5, True])
def test_a_wrong_k_is_named(k):
    with pytest.raises(ConfigError, match=f"likelihood_bounds: k is {k!r}"):
        likelihood_bounds(small("vae"), images(1), k)


@pytest.mark.parametrize("model", [small("vae", reconstruction="mse"), small("ae")], ids=["mse", "ae"])
def test_a_model_without_a_likelihood_is_refused(model):
    with pytest.raises(ConfigError, match="is not a VAE of Bernoulli pixels"):
        likelihood_bounds(model, images(1))
