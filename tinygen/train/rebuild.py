"""A model out of what a run left behind."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from .run import RunDirectory, read_checkpoint
from .snapshot import restore_weights

if TYPE_CHECKING:
    from ..models.base import Model


def load(run: str | os.PathLike[str]) -> Model:
    """The model of a run as at its newest checkpoint; or of a checkpoint, given the path of its file.

    It has the weights, the buffers and the optimisers of the run; its random numbers begin anew, on the current device.
    Raises RunError if there is no such run or checkpoint, it can't be read, or its model is not one of tinygen's.
    """
    from ..models import MODELS

    path = Path(run)
    if not path.is_file():
        directory = RunDirectory(path)
        directory.read_config()
    snapshot = read_checkpoint(path) if path.is_file() else directory.newest()
    name, config = snapshot.facts["model"], snapshot.facts["config"]
    if name not in MODELS:
        raise RunError(
            f"{path}: a run of {name!r}, which is no model of tinygen's; build it and pass it to fit(resume=True)"
        )
    kind = MODELS[name]
    unknown = config.keys() - {field.name for field in fields(kind.Config)}
    if unknown:
        raise RunError(f"{path}: of another version of tinygen, whose {name} had {', '.join(sorted(unknown))}")
    model = kind(kind.Config(**{key: _tuples(value) for key, value in config.items()}))
    restore_weights(snapshot, model)
    return model


def _tuples(value: Any) -> Any:
    """JSON has lists only; a config has tuples only."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
