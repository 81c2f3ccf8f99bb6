"""What models minimise: losses of predictions, the KL of a Gaussian posterior, and the two sides of a GAN's game."""

from typing import TYPE_CHECKING, Any

from ..names import MissingName
from .functions import bce, bce_logits, cross_entropy, gaussian_kl, gaussian_kls, hinge, l1, mse

if TYPE_CHECKING:
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


if not TYPE_CHECKING:  # a type checker would take every name for one that may come

    def __getattr__(name: str) -> Any:
        """The games are loaded when they are first asked for: 2 of the 85 ms of `import tinygen`."""
        if name in ("GAN_LOSSES", "GANLoss", "least_squares"):
            from . import gan

            return getattr(gan, name)
        raise MissingName(__name__, name)


def __dir__() -> list[str]:
    return __all__
