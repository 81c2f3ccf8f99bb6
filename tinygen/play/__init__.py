"""The live lab: one HTML file that needs nothing else, in which a small GAN learns points in the plane."""

from .page import play

__all__ = ["play"]


def __dir__() -> list[str]:
    return __all__
