"""Training: the loop, the run directory that it leaves, and how a run resumes after whatever ended it."""

from .callbacks import Callback, History, StopTraining
from .ema import EMA
from .hunt import NonFiniteError
from .loop import fit
from .rebuild import load
from .run import RunDirectory
from .scores import Evaluate
from .stopping import EarlyStopping
from .tensorboard import TensorBoard

__all__ = [
    "EMA",
    "Callback",
    "EarlyStopping",
    "Evaluate",
    "History",
    "NonFiniteError",
    "RunDirectory",
    "StopTraining",
    "TensorBoard",
    "fit",
    "load",
]


def __dir__() -> list[str]:
    return __all__
