"""The VAE-GAN: its three losses, which network learns from which, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, small

import tinygen as tg
from tinygen.gradcheck import gradcheck
from tinygen.models import VAEGAN, VAEGANConfig
from tinygen.random import Generator

NETWORKS = {"E": "encoder", "G": "G", "D": "D"}


def layers_of(network):
    return [repr(layer) for layer in network]


def test_the_defaults():
    gan = VAEGAN()
    assert layers_of(gan.encoder) == [
        *("Conv(1, 32, 4, stride=2)", "ReLU()", "Conv(32, 64, 4, stride=2)", "ReLU()", "Flatten()", "Dense(3136, 32)")
    ]
    assert layers_of(gan.D)[:4] == [
        *("Conv(1, 32, 4, stride=2)", "LeakyReLU(0.2)", "Conv(32, 64, 4, stride=2)", "LeakyReLU(0.2)")
    ]
    assert gan.G[0].w.shape[0] == 16 and gan.value_range == (-1, 1)


def same_draws(gan):
    """Make each call of gan.losses draw the same z and z_p."""
    losses = gan.losses

    def again(x):
        gan.rng.state = start
        return losses(x)

    start, gan.losses = gan.rng.state, again
    return gan


@pytest.mark.parametrize("similarity", ["learned", "pixels"])
def test_the_losses_by_hand(similarity):
    gan, x = same_draws(small("vaegan", similarity=similarity, gamma=0.3, beta=0.2)), batches(1)[0]
    losses = gan.losses(x)
    report = losses["E"].metrics
    start = small("vaegan").rng.state
    gan.rng.state = start
    mu, logvar = (t.numpy() for t in gan.encode(x))
    z, z_p = mu + np.exp(logvar / 2) * gan.rng.normal(mu.shape), gan.rng.normal(mu.shape)
    copy, fake = gan.G(z).numpy(), gan.G(z_p).numpy()
    features = lambda x: x if similarity == "pixels" else gan.D[3](gan.D[2](gan.D[1](gan.D[0](x)))).numpy()
    kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean() / 2
    likelihood = ((features(x) - features(copy)) ** 2).reshape(4, -1).sum(1).mean() / 2
    real, copied, faked = (gan.D(a).numpy() for a in (x, copy, fake))
    softplus = lambda s: np.log1p(np.exp(s))
    assert losses["E"].value.item() == pytest.approx(0.2 * kl + likelihood, rel=1e-5)
    fooled = (softplus(-copied).mean() + softplus(-faked).mean()) / 2
    assert losses["G"].value.item() == pytest.approx(0.3 * likelihood + fooled, rel=1e-5)
    fakes = (softplus(copied).mean() + softplus(faked).mean()) / 2
    assert losses["D"].value.item() == pytest.approx(softplus(-real).mean() + fakes, rel=1e-5)
    assert report["kl"].item() == pytest.approx(kl, rel=1e-5)
    assert report["likelihood"].item() == pytest.approx(likelihood, rel=1e-5)


@pytest.mark.parametrize("layer, cut", [(1, 4), (2, 2), (3, 0), (9, 0)])
def test_the_features_are_those_of_the_layer_that_is_named(layer, cut):
    gan, x = small("vaegan", feature_layer=layer), batches(1)[0]
    expected = x
    for part in list(gan.D)[:cut]:
        expected = part(expected)
    features, score = gan.features_and_score(x)
    np.testing.assert_array_equal(getattr(features, "data", features), getattr(expected, "data", expected))
    np.testing.assert_array_equal(score.numpy(), gan.D(x).numpy())


@pytest.mark.parametrize("learner", NETWORKS)
def test_each_network_learns_by_its_own_loss_of_weights_before_any_step(learner):
    """The optimisers get the gradients at the old weights of all three networks."""
    gan, x = same_draws(small("vaegan", optimizer="sgd", lr=0.1, beta1=0.0)), batches(1)[0]
    network = getattr(gan, NETWORKS[learner])
    gradients = tg.grad(gan.losses(x)[learner].value, network.parameters())
    before = [p.numpy().copy() for p in network.parameters()]
    gan.train_step(x)
    for p, w, g in zip(network.parameters(), before, gradients, strict=True):
        np.testing.assert_allclose(p.numpy(), w - 0.1 * g.numpy(), rtol=1e-4, atol=1e-6)


def test_further_steps_of_D_move_D_alone():
    gan, x = small("vaegan", d_steps=3), batches(1, size=12)[0]
    gan.train_step(x)
    assert (gan.opt_E.t, gan.opt_G.t, gan.opt_D.t) == (1, 1, 3)


@pytest.mark.parametrize("similarity", ["learned", "pixels"])
def test_the_gradients_of_the_losses_by_every_parameter(similarity):
    tiny = {"latent_dim": 2, "e_channels": (2,), "g_channels": (2, 2), "d_channels": (2,), "kernel_size": 2}
    gan = same_draws(small("vaegan", **tiny, similarity=similarity, g_activation="tanh", gamma=0.5))
    x = batches(1, size=3)[0]
    assert gradcheck(lambda: tuple(one.value for one in gan.losses(x).values()), gan.parameters(), 1).error < 1e-8


@pytest.mark.parametrize("similarity", ["learned", "pixels"])
def test_it_learns_a_gaussian(similarity):
    """Images of 2x1 pixels with values N((1, -1), 0.5²): the samples' mean and spread come close."""
    rng = np.random.default_rng(0)
    mean, std = np.array([1.0, -1.0]).reshape(2, 1, 1), 0.5
    sizes = {"latent_dim": 2, "e_channels": (16,), "g_channels": (32, 16), "d_channels": (32, 16), "kernel_size": 2}
    options = {"output": "linear", "similarity": similarity, "lr": 1e-3, "beta1": 0.0, "gamma": 0.1}
    gan = VAEGAN(VAEGANConfig(data_shape=(2, 1, 1), **sizes, **options))
    for _ in range(500):
        gan.train_step(rng.normal(mean, std, (64, 2, 1, 1)).astype(np.float32))
    samples = gan.sample(1000)
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.2)
    np.testing.assert_allclose(samples.std(0), std, rtol=0.4)


def test_reconstructions_come_nearer():
    gan, x = small("vaegan", similarity="pixels", gamma=1.0, lr=0.01), batches(1, size=32)[0]
    error = lambda: ((gan.reconstruct(x) - x) ** 2).mean()
    before = error()
    for _ in range(150):
        gan.train_step(x)
    assert error() < 0.6 * before


def test_looking_takes_the_running_statistics():
    gan, xs = small("vaegan", ema=0.9), batches(4)
    for x in xs:
        gan.train_step(x)
    rng = Generator(3)
    z = gan.noise(5, rng)
    np.testing.assert_allclose(gan.decode(z)[:1], gan.decode(z[:1]), rtol=1e-5)
    np.testing.assert_array_equal(gan.decode(z), gan.sample(5, Generator(3)))
