"""Training: the loop, the run directory that it leaves, and how a run goes on after whatever ended it."""

from .callbacks import Callback, History, StopTraining
from .ema import EMA
from .evaluate import Evaluate
from .hunt import NonFiniteError
from .loop import fit
from .rebuild import load
from .recorder import Recorder
from .recording import Recording
from .run import RunDirectory
from .stopping import EarlyStopping
from .warnings import CollapseWarning, Warnings

__all__ = [
    "EMA",
    "Callback",
    "CollapseWarning",
    "EarlyStopping",
    "Evaluate",
    "History",
    "NonFiniteError",
    "Recorder",
    "Recording",
    "RunDirectory",
    "StopTraining",
    "Warnings",
    "fit",
    "load",
]
