"""The VAE of convolutions: its layers, image sizes, and that it learns the known optimum."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, small

from tinygen.errors import ConfigError
from tinygen.gradcheck import gradcheck
from tinygen.models import VAE, ConvVAE, ConvVAEConfig, VAEConfig
from tinygen.random import Generator


def layers_of(network):
    return [repr(layer) for layer in network]


def test_the_defaults_are_those_of_keras_mirrored():
    vae = ConvVAE()
    assert layers_of(vae.encoder) == [
        *("Conv(1, 32, 3, stride=2)", "ReLU()", "Conv(32, 64, 3, stride=2)", "ReLU()"),
        *("Flatten()", "Dense(3136, 128)", "ReLU()", "Dense(128, 40)"),
    ]
    assert layers_of(vae.decoder) == [
        *("Dense(20, 128)", "ReLU()", "Dense(128, 3136)", "Reshape((7, 7, 64))", "ReLU()"),
        *("ConvTranspose(64, 32, 3, stride=2)", "ReLU()", "ConvTranspose(32, 1, 3, stride=2)"),
    ]
    assert vae.likelihood == "bernoulli" and vae.value_range == (0, 1)


@pytest.mark.parametrize("shape", [(28, 28, 1), (17, 30, 3), (5, 9, 1), (1, 2, 2)])
@pytest.mark.parametrize("channels, hidden", [((2, 3), (4,)), ((3,), ()), ((), (4,)), ((2, 3, 4), (5, 6))])
def test_images_of_any_size(shape, channels, hidden):
    vae = ConvVAE(ConvVAEConfig(data_shape=shape, channels=channels, hidden=hidden, latent_dim=2))
    x = batches(1, shape)[0]
    assert np.isfinite(vae.train_step(x)["loss"].item())
    assert vae.sample(2).shape == (2, *shape) and vae.reconstruct(x).shape == x.shape


def test_images_alone():
    with pytest.raises(ConfigError, match=r"the data have the shape \(2,\), but convolutions take images"):
        ConvVAEConfig(data_shape=(2,))


def test_pixels_that_know_nothing_of_each_other_need_no_latents():
    """Independent Bernoulli pixels: the best bound has KL 0, and the decoder gives each pixel's own mean."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, (4, 3, 1))
    vae = small("convvae", data_shape=p.shape, lr=0.01)
    for _ in range(500):
        metrics = vae.train_step((rng.random((64, *p.shape)) < p).astype(np.float32))
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    assert metrics["kl"].item() < 0.05
    np.testing.assert_allclose(vae.sample(200).mean(0), p, atol=0.06)
    assert metrics["loss"].item() == pytest.approx(entropy, rel=0.05)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_a_linear_vae_finds_the_principal_components(beta):
    """A decoder W z + m of unit variance with KL weighed by beta is probabilistic PCA with noise beta: at the optimum
    W Wᵀ has the components of the data's covariance, each variance less beta (Tipping and Bishop 1999, eq. 15; Lucas et
    al. 2019), those below beta left out; and m is the mean."""
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    variances, mean = np.array([9.0, 4.0, 0.5, 0.25]), np.array([1.0, -1.0, 0.5, 2.0])
    white = np.linalg.qr(np.concatenate([np.ones((512, 1)), rng.normal(size=(512, 4))], 1))[0][:, 1:] * 512**0.5
    x = (mean + (white * np.sqrt(variances)) @ axes.T).astype(np.float32)  # of exactly this mean and covariance
    vae, steps = VAE(VAEConfig(data_shape=(4,), latent_dim=3, hidden=(), beta=beta)), 2500
    for step in range(steps):
        vae.opt.lr = 0.03 * (1 - step / steps)
        vae.train_step(x)
    w, m = vae.decoder[0].w.numpy(), vae.decoder[0].b.numpy()
    np.testing.assert_allclose(w.T @ w, (axes * np.maximum(variances - beta, 0)) @ axes.T, atol=0.15)
    np.testing.assert_allclose(m, mean, atol=0.03)


@pytest.mark.parametrize("reconstruction", ["bernoulli", "mse"])
def test_the_gradient_of_the_bound_by_every_parameter(reconstruction):
    tiny = {"channels": (2, 2), "hidden": (3,), "latent_dim": 2, "activation": "tanh"}
    vae, x = small("convvae", **tiny, reconstruction=reconstruction, beta=2.0), batches(1)[0]
    assert gradcheck(lambda: vae.loss(x, Generator(0))[0], vae.parameters(), order=1).error < 1e-8
