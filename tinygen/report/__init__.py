"""The page that shows what happened inside a run: one HTML file that needs nothing else."""

from .page import report

__all__ = ["report"]


def __dir__() -> list[str]:
    return __all__
