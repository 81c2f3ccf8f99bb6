"""What models minimise: losses of predictions, the KL of a Gaussian posterior, and the two sides of a GAN's game."""

from .functions import bce, bce_logits, cross_entropy, gaussian_kl, gaussian_kls, hinge, l1, mse
from .gan import GAN_LOSSES, GANLoss, least_squares

__all__ = [
    "GAN_LOSSES",
    "GANLoss",
    "bce",
    "bce_logits",
    "cross_entropy",
    "gaussian_kl",
    "gaussian_kls",
    "hinge",
    "l1",
    "least_squares",
    "mse",
]


def __dir__() -> list[str]:
    return __all__
