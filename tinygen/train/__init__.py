"""Training: the loop, the run directory that it leaves, and how a run goes on after whatever ended it."""

from .callbacks import Callback, History
from .ema import EMA
from .evaluate import Evaluate
from .hunt import NonFiniteError
from .loop import fit
from .rebuild import load
from .recorder import Recorder
from .recording import Recording
from .run import RunDirectory
from .warnings import CollapseWarning, Warnings

__all__ = [
    "EMA",
    "Callback",
    "CollapseWarning",
    "Evaluate",
    "History",
    "NonFiniteError",
    "Recorder",
    "Recording",
    "RunDirectory",
    "Warnings",
    "fit",
    "load",
]
