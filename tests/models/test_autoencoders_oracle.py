"""The VAE and the autoencoders against PyTorch: losses, every gradient, and a few steps, in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from models.small import in_float64

import tinygen as tg
from tinygen.models import MODELS
from tinygen.random import Generator

torch = pytest.importorskip("torch")
nn, F, distributions = torch.nn, torch.nn.functional, torch.distributions
pytestmark = pytest.mark.oracle

WITHIN = 1e-9  # of each tensor's relative norm
SHAPE, BATCH = (4, 3, 1), 6


def network(ours, *widths, output=None):
    """Dense layers with ReLU between, with our weights."""
    body = [nn.Linear(widths[0], widths[1])]
    for n_in, n_out in itertools.pairwise(widths[1:]):
        body += [nn.ReLU(), nn.Linear(n_in, n_out)]
    theirs = nn.Sequential(*body, *([output] if output else [])).double()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        q.data = torch.tensor(p.numpy().T.copy())
    return theirs


def assert_near(ours, theirs, what):
    assert ours.shape == theirs.shape
    error, norm = np.linalg.norm(ours - theirs), np.linalg.norm(theirs)
    assert error <= WITHIN * norm, f"{what}: relative error {error / norm:.1e}"


def compare(model, networks, loss_of, xs):
    """The gradients on the first batch, then a step per batch side by side, and the weights afterwards."""
    parameters = [q for network in networks for q in network.parameters()]
    oracle = torch.optim.Adam(parameters, model.config.lr)
    for step, x in enumerate(xs):
        oracle.zero_grad()
        parts = loss_of(torch.tensor(x))
        parts["loss"].backward()
        if step == 0:
            check_gradients(model, x, parameters)
        oracle.step()
        metrics = {name: value.item() for name, value in model.train_step(x).items()}
        assert metrics == pytest.approx({name: value.item() for name, value in parts.items()}, rel=WITHIN)
    for (name, p), q in zip(model.named_parameters(), parameters, strict=True):
        assert p.dtype == np.float64
        assert_near(p.numpy(), q.detach().numpy().T, name)


def check_gradients(model, x, parameters):
    """The gradients of the model's own loss, as its optimiser gets them."""
    gradients = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.opt, "step", gradients.extend)
        before = {name: g.state for name, g in model.generators().items()}
        model.train_step(x)
        for name, g in model.generators().items():
            g.state = before[name]
    for (name, _), g, q in zip(model.named_parameters(), gradients, parameters, strict=True):
        assert_near(g.numpy(), q.grad.numpy().T, f"the gradient of {name}")


def data(n):
    return np.random.default_rng(2).uniform(0.02, 0.98, (n, BATCH, *SHAPE))


@pytest.mark.parametrize("beta", [1.0, 4.0, 0.0])
@pytest.mark.parametrize("reconstruction", ["bernoulli", "mse"])
def test_vae(reconstruction, beta):
    config = {"data_shape": SHAPE, "hidden": (9, 7), "latent_dim": 5, "reconstruction": reconstruction, "beta": beta}
    model = in_float64(MODELS["vae"](MODELS["vae"].Config(**config), seed=1))
    encoder, decoder = network(model.encoder, 12, 9, 7, 10), network(model.decoder, 5, 7, 9, 12)
    noise = Generator(0)
    noise.state = model.rng.state

    def loss_of(x):
        mu, logvar = encoder(x.flatten(1)).chunk(2, 1)
        q = distributions.Normal(mu, torch.exp(0.5 * logvar))
        eps = torch.tensor(noise.normal((BATCH, 5), dtype=np.float64))
        y = decoder(q.loc + q.scale * eps).reshape(x.shape)
        if reconstruction == "bernoulli":
            likelihood = -F.binary_cross_entropy_with_logits(y, x, reduction="none")
        else:  # a Gaussian of unit variance, without the constant of its logarithm
            gaussian = distributions.Normal(torch.sigmoid(y), torch.ones_like(y))
            likelihood = gaussian.log_prob(x) + 0.5 * np.log(2 * np.pi)
        kl = distributions.kl_divergence(q, distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu)))
        parts = {"reconstruction": -likelihood.flatten(1).sum(1).mean(), "kl": kl.sum(1).mean()}
        return {"loss": parts["reconstruction"] + beta * parts["kl"], **parts}

    compare(model, [encoder, decoder], loss_of, data(20))


def test_vae_on_points():
    config = MODELS["vae"].Config(data_shape=(2,), hidden=(9,), latent_dim=3)
    model = in_float64(MODELS["vae"](config))
    encoder, decoder = network(model.encoder, 2, 9, 6), network(model.decoder, 3, 9, 2)
    noise = Generator(0)
    noise.state = model.rng.state

    def loss_of(x):
        mu, logvar = encoder(x).chunk(2, 1)
        y = decoder(mu + torch.exp(0.5 * logvar) * torch.tensor(noise.normal((BATCH, 3), dtype=np.float64)))
        reconstruction = 0.5 * ((y - x) ** 2).sum(1).mean()
        kl = 0.5 * (mu**2 + torch.exp(logvar) - 1 - logvar).sum(1).mean()
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    compare(model, [encoder, decoder], loss_of, np.random.default_rng(2).normal(0, 2, (20, BATCH, 2)))


def test_autoencoder():
    model = in_float64(MODELS["ae"](MODELS["ae"].Config(data_shape=SHAPE, hidden=(9, 7), latent_dim=5)))
    encoder = network(model.encoder, 12, 9, 7, 5)
    decoder = network(model.decoder, 5, 7, 9, 12, output=nn.Sigmoid())
    compare(
        model,
        [encoder, decoder],
        lambda x: {"loss": F.mse_loss(decoder(encoder(x.flatten(1))), x.flatten(1))},
        data(20),
    )


def test_memory():
    model = in_float64(MODELS["memory"](MODELS["memory"].Config(data_shape=SHAPE, hidden=(9,), images=BATCH)))
    decoder = network(model.decoder, BATCH, 9, 12, output=nn.Sigmoid())
    codes = torch.eye(BATCH).double()
    compare(model, [decoder], lambda x: {"loss": F.mse_loss(decoder(codes), x.flatten(1))}, [data(1)[0]] * 20)


def test_samples_and_reconstructions_of_a_vae():
    """The decoder's means, at draws from the prior and at mu(x)."""
    model = in_float64(MODELS["vae"](MODELS["vae"].Config(data_shape=SHAPE, hidden=(9,), latent_dim=5)))
    encoder, decoder = network(model.encoder, 12, 9, 10), network(model.decoder, 5, 9, 12)
    z, x = torch.tensor(Generator(4).normal((3, 5))).double(), data(1)[0]
    with torch.no_grad():
        samples = torch.sigmoid(decoder(z)).reshape(3, *SHAPE)
        means = torch.sigmoid(decoder(encoder(torch.tensor(x).flatten(1))[:, :5])).reshape(x.shape)
    assert_near(tg.to_host(model.sample(3, Generator(4))), samples.numpy(), "samples")
    assert_near(tg.to_host(model.reconstruct(x)), means.numpy(), "reconstructions")
