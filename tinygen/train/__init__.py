"""Training: the loop, the run directory that it leaves, and how a run goes on after whatever ended it."""

from .callbacks import Callback, History
from .hunt import NonFiniteError
from .loop import fit
from .rebuild import load
from .run import RunDirectory

__all__ = ["Callback", "History", "NonFiniteError", "RunDirectory", "fit", "load"]
