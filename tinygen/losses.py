"""Losses. Each is the mean over all elements, or over the batch where it says so, as a 0-d Tensor.

`reduction` of those that have it: "mean", "sum", or "none" for the loss of each element. A target has the shape of
what is compared with it, or broadcasts to that; all raise ValueError for others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import ops
from .backend import array_module


def _reduce(loss: Any, like: Any, reduction: str) -> Any:
    if loss.shape != like.shape:  # (N, 1) against (N,) would make (N, N), and learn nonsense
        raise ValueError(f"the target stretches a loss of shape {like.shape} to {loss.shape}; give it the first shape")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction is {reduction!r}, but it must be "mean", "sum" or "none"')
    return loss if reduction == "none" else ops.mean(loss) if reduction == "mean" else ops.sum(loss)


def bce_logits(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Binary cross entropy of p = σ(logits): -t log p - (1 - t) log(1 - p), without overflow for any logit.

    target: in [0, 1].
    """
    return _reduce(ops.sigmoid_cross_entropy(logits, target), logits, reduction)


def bce(p: Any, target: Any, reduction: str = "mean") -> Any:
    """Binary cross entropy of probabilities: -t log p - (1 - t) log(1 - p).

    p is held off 0 and 1 by the machine's epsilon, as in Keras, so that the loss stays finite; there its gradient is 0:
    where a network ends in a sigmoid, bce_logits learns better.
    """
    edge = float(np.finfo(p.dtype).eps)
    p = ops.clip(p, edge, 1 - edge)
    return _reduce(-(target * ops.log(p) + (1 - target) * ops.log(1 - p)), p, reduction)


def cross_entropy(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    """-log softmax(logits)[label] for logits (N, classes) and integer labels (N,); reduced over the batch."""
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"cross_entropy: expected logits (N, classes) and labels (N,), got {logits.shape} and {labels.shape}"
        )
    rows = array_module(logits).arange(logits.shape[0])
    return _reduce(-ops.getitem(ops.log_softmax(logits), (rows, labels)), labels, reduction)


def mse(x: Any, target: Any, reduction: str = "mean") -> Any:
    """(x - target)²."""
    return _reduce(ops.power(x - target, 2), x, reduction)


def l1(x: Any, target: Any, reduction: str = "mean") -> Any:
    """|x - target|."""
    return _reduce(ops.abs(x - target), x, reduction)


def hinge(score: Any, target: Any, reduction: str = "mean") -> Any:
    """max(0, 1 - target · score), with targets -1 and 1."""
    return _reduce(ops.relu(1 - target * score), score, reduction)


def gaussian_kl(mu: Any, logvar: Any) -> Any:
    """KL(N(mu, e^logvar) ‖ N(0, 1)), summed over the latents, mean over the batch. mu, logvar: (N, latents)."""
    return ops.sum(gaussian_kls(mu, logvar))


def gaussian_kls(mu: Any, logvar: Any) -> Any:
    """The same of each latent, (latents,): ½ (mu² + e^logvar - 1 - logvar), mean over the batch.

    Kingma and Welling 2013, appendix B.
    """
    return ops.mean(mu * mu + ops.exp(logvar) - 1 - logvar, 0) * 0.5


class GANLoss(NamedTuple):
    """The two sides of a GAN's game, on D's scores: real and fake are what D's last layer gives, before any sigmoid."""

    D: Callable[..., Any]  # (real, fake) -> the loss that D lowers; if labelled, a third argument may be real's label
    G: Callable[[Any], Any]  # fake -> the loss that G lowers
    probability: bool  # whether σ(score) is D's probability that the image is real
    threshold: float | None  # the score above which D takes an image for real; None: it only ranks them
    labelled: bool  # whether D's loss compares scores with labels, 1 for real and 0 for fake


def _logistic_D(real: Any, fake: Any, target: float = 1.0) -> Any:
    return bce_logits(real, target) + bce_logits(fake, 0.0)


def _hinge_D(real: Any, fake: Any) -> Any:
    return hinge(real, 1.0) + hinge(fake, -1.0)


def _wasserstein_D(real: Any, fake: Any) -> Any:
    return ops.mean(fake) - ops.mean(real)


def _minus_mean(fake: Any) -> Any:
    return -ops.mean(fake)


def least_squares(a: float = 0.0, b: float = 1.0, c: float = 1.0) -> GANLoss:
    """½ E (D(x) - b)² + ½ E (D(G(z)) - a)² for D, ½ E (D(G(z)) - c)² for G: Mao et al. 2017, eq. 2."""
    return GANLoss(
        lambda real, fake, target=b: (mse(real, target) + mse(fake, a)) * 0.5,
        lambda fake: mse(fake, c) * 0.5,
        probability=False,
        threshold=(a + b) / 2,
        labelled=True,
    )


GAN_LOSSES = {
    # Goodfellow et al. 2014, eq. 1: G lowers log(1 - D(G(z))), which is flat while D wins
    "minimax": GANLoss(_logistic_D, lambda fake: -bce_logits(fake, 0.0), True, 0.0, True),
    # Goodfellow et al. 2014, section 3: G raises log D(G(z))
    "nonsaturating": GANLoss(_logistic_D, lambda fake: bce_logits(fake, 1.0), True, 0.0, True),
    # Mao et al. 2017, eq. 9, with labels 0 and 1
    "lsgan": least_squares(),
    # Lim and Ye 2017, eq. 3; Miyato et al. 2018, eq. 16 and 17
    "hinge": GANLoss(_hinge_D, _minus_mean, False, 0.0, False),
    # Arjovsky et al. 2017, eq. 2; D must be held Lipschitz by other means
    "wasserstein": GANLoss(_wasserstein_D, _minus_mean, False, None, False),
}
