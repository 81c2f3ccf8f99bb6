"""The page that shows what happened inside a run, and the comparison of many: HTML files that need nothing else."""

from .comparison import Comparison, compare
from .page import report

__all__ = ["Comparison", "compare", "report"]


def __dir__() -> list[str]:
    return __all__
