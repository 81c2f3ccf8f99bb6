"""Observing a model while it learns: the recorder, its recording, and warnings that a training fails."""

from .recorder import Recorder
from .recording import Recording
from .warnings import CollapseWarning, Warnings

__all__ = ["CollapseWarning", "Recorder", "Recording", "Warnings"]


def __dir__() -> list[str]:
    return __all__
