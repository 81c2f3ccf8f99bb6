"""The beta-VAE: its schedule, its capacity, and the paper's loss."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, small

import tinygen as tg
from tinygen.gradcheck import gradcheck
from tinygen.models import BetaVAE
from tinygen.random import Generator


def test_the_defaults():
    vae = BetaVAE()
    assert [p.shape for p in vae.encoder.parameters() if p.ndim == 4] == [
        *((4, 4, 3, 16), (4, 4, 16, 32), (4, 4, 32, 32), (4, 4, 32, 64)),
    ]
    assert (vae.config.beta, vae.config.latent_dim, vae.value_range) == (4, 10, (0, 1))


def weight(vae, kl=2.0):
    return vae.weighted(tg.tensor(kl)).item()


def test_beta_rises_within_the_steps_of_annealing():
    vae, x = small("betavae", beta=6.0, anneal_steps=3), batches(1)[0]
    weights = []
    for _ in range(5):
        weights.append(weight(vae))
        vae.train_step(x)
    assert weights == pytest.approx([0, 4, 8, 12, 12])
    assert weight(small("betavae", beta=6.0, anneal_steps=0)) == pytest.approx(12)


def test_capacity_rises_within_the_steps_of_annealing():
    """beta · |KL - C(t)| with KL = 2 and C(t) = 0, 1.5, 3, 3."""
    vae, x = small("betavae", beta=10.0, capacity=3.0, anneal_steps=2), batches(1)[0]
    weights = []
    for _ in range(4):
        weights.append(weight(vae))
        vae.train_step(x)
    assert weights == pytest.approx([20, 5, 10, 10])


def test_a_resumed_model_anneals_on():
    vae, x = small("betavae", anneal_steps=5), batches(1)[0]
    for _ in range(2):
        vae.train_step(x)
    again = small("betavae", anneal_steps=5)
    again.load_state_dict(vae.state_dict())
    assert weight(again) == weight(vae) > 0


def test_the_latents_come_to_hold_the_capacity():
    """Telling eight images apart takes log 8 = 2.08 nats; with a capacity of 1 nat, the latents hold 1 nat."""
    x = np.eye(8, dtype=np.float32).reshape(8, 4, 2, 1)
    vae = small("betavae", data_shape=(4, 2, 1), beta=50.0, capacity=1.0, anneal_steps=200, lr=3e-3, hidden=(32,))
    kl = [vae.train_step(np.tile(x, (8, 1, 1, 1)))["kl"].item() for _ in range(600)]
    assert np.mean(kl[-100:]) == pytest.approx(1.0, abs=0.1)


def test_a_large_beta_empties_the_latents_and_a_small_one_fills_them():
    """Two images, each half white: their log 2 nats are worth it for beta = 0.1, and not for a large beta."""
    half = np.zeros((2, 4, 2, 1), np.float32)
    half[0, :2] = half[1, 2:] = 1
    kl = {}
    for beta in (0.1, 50.0):
        vae = small("betavae", data_shape=(4, 2, 1), beta=beta, anneal_steps=50, lr=3e-3, hidden=(16,))
        for _ in range(400):
            metrics = vae.train_step(np.tile(half, (16, 1, 1, 1)))
        kl[beta] = metrics["kl"].item()
    assert kl[0.1] > np.log(2) - 0.05 and kl[50.0] < 0.02


@pytest.mark.parametrize("capacity", [0.0, 0.7])
def test_the_gradient_of_the_loss_by_every_parameter(capacity):
    tiny = {"channels": (2,), "hidden": (3,), "latent_dim": 2, "activation": "tanh", "anneal_steps": 3}
    vae, x = small("betavae", **tiny, capacity=capacity), batches(1)[0]
    vae.train_step(x)
    assert gradcheck(lambda: vae.loss(x, Generator(0))[0], vae.parameters(), order=1).error < 1e-8
