"""The likelihood of unseen images under a VAE: its evidence lower bound, and a tighter one by importance sampling.

    ELBO = E log w ≤ L_k = E log (1/k Σ w_i) ≤ log p(x),   w = p(x|z) p(z) / q(z|x),  z ~ q(z|x)

Burda, Grosse and Salakhutdinov 2016, eq. 8 and theorem 1: L_k grows with k and tends to log p(x).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..backend import Array, array_module, to_device, to_host
from ..checks import type_of, whole
from ..errors import ConfigError, DataError
from ..judges.classifier import unit_images
from ..layers import evaluating
from ..models.base import Model, has
from ..random import Generator
from ..scopes import no_grad
from .subject import Score, Subject

EXAMPLES, DRAWS = 64, 64  # per example, at a time: bounds the memory, whatever k is


def binarise(images: Array, seed: int = 0) -> np.ndarray:
    """Images as zeros and ones (float32, on the host), 1 with the grey value's probability; the same for the same seed.

    Salakhutdinov and Murray 2008, section 4.  images: (N, H, W, C), uint8 or floats in [0, 1].

    >>> tg.metrics.binarise(np.array([0, 255], np.uint8).reshape(1, 1, 2, 1)).ravel()
    array([0., 1.], dtype=float32)
    """
    grey = to_host(unit_images(images))
    return (Generator(seed, "binarise", "cpu").uniform(grey.shape) < grey).astype(np.float32)


def likelihood_bounds(model: Any, x: Array, k: int = 100, rng: Generator | None = None) -> dict[str, np.ndarray]:
    """{"elbo", "iwae"}: for each example of x, zeros and ones (N, H, W, C), the ELBO and L_k in nats, float64 (N,).

    Both use the same k draws of z. model: a VAE whose decoder gives logits of pixels, or ConfigError is raised.

    >>> model, digits = tg.models.VAE(), tg.data.load("digits")
    >>> bounds = tg.metrics.likelihood_bounds(model, tg.metrics.binarise(digits.test[:4]), k=8)
    >>> bool((bounds["elbo"] <= bounds["iwae"]).all())
    True
    """
    whole("likelihood_bounds", "k", k, 1)
    if not isinstance(model, Model) or model.likelihood != "bernoulli":
        name = model.name if isinstance(model, Model) else type_of(model)
        raise ConfigError(f"likelihood_bounds: {name} is not a VAE of Bernoulli pixels, so p(x|z) is unknown")
    x = unit_images(x)
    if x.shape[1:] != model.data_shape:
        raise DataError(f"likelihood_bounds: x is {tuple(x.shape)}, but an example has shape {model.data_shape}")
    rng = rng or Generator(0, "likelihood")
    with no_grad(), evaluating(model):
        blocks = [_bounds(model, to_device(x[i : i + EXAMPLES]), k, rng) for i in range(0, len(x), EXAMPLES)]
    elbo, iwae = np.concatenate(blocks, axis=1)
    return {"elbo": elbo, "iwae": iwae}


def _bounds(model: Any, x: Array, k: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    mu, logvar = model.posterior(x)
    total, log_sum = np.zeros(len(x)), np.full(len(x), -np.inf)
    for start in range(0, k, DRAWS):
        log_w = to_host(_log_weights(model, x, mu, logvar, min(DRAWS, k - start), rng)).astype(np.float64)
        total += log_w.sum(axis=0)
        log_sum = np.logaddexp(log_sum, np.logaddexp.reduce(log_w, axis=0))
    return total / k, log_sum - math.log(k)


def _log_weights(model: Any, x: Array, mu: Array, logvar: Array, draws: int, rng: Generator) -> Array:
    """log p(x|z) + log p(z) - log q(z|x), (draws, N); the last two share their constant, and eps = (z - mu) / std."""
    eps = rng.normal((draws, *mu.shape), dtype=mu.dtype)
    z = mu + ops.exp(logvar * 0.5) * eps
    targets = array_module(x).broadcast_to(x, (draws, *x.shape)).reshape(-1, *x.shape[1:])
    log_p = model.log_likelihood(targets, z.reshape(-1, mu.shape[1])).reshape(draws, len(x))
    return log_p + 0.5 * (eps * eps + logvar - z * z).sum(axis=-1)


JUDGED = 1_000  # test images to bound the likelihood of

ABOUT = {
    "elbo": "evidence lower bound, nats per binarised test image; higher is better",
    "iwae": "the bound of k draws, nearer to log p(x); higher is better",
}


def measure(subject: Subject) -> dict[str, Score]:
    grey = len(subject.data.shape) == 3 and subject.data.shape[-1] == 1
    if not grey or not has(subject.model, "log_likelihood") or subject.model.likelihood != "bernoulli":
        return {}
    x = binarise(subject.data.test[:JUDGED], subject.seed)
    bounds = likelihood_bounds(subject.model, x, subject.k, subject.stream("likelihood"))
    return {name: Score(float(bound.mean())) for name, bound in bounds.items()}
