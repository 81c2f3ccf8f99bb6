"""A model out of what a run left behind."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, RunError
from .run import RunDirectory, read_checkpoint
from .snapshot import Snapshot, restore_weights

if TYPE_CHECKING:
    from ..models.base import Model


def load(run: str | os.PathLike[str], **changes: Any) -> Model:
    """The model of a run as at its newest checkpoint; or of a checkpoint, given the path of its file.

    It has the weights, the buffers and the optimisers of the run; its random numbers begin anew, on the current device.
    changes: hyperparameters to build it with in place of the run's, such as lr.

    Raises RunError if there is no such run or checkpoint, it can't be read, or its model is not one of tinygen's.
    """
    from ..models import MODELS

    path, snapshot = Path(run), _newest(run)
    name, config = snapshot.facts.get("model"), snapshot.facts.get("config", {}) | changes
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


def start_from(run: str | os.PathLike[str], model: Model) -> dict[str, Any]:
    """Give a model the weights and buffers of a run, or of a checkpoint, but not its optimisers.

    Returns the path and the step, for config.json. Raises RunError if there is no such run, or it can't be read, and
    ConfigError, before anything is changed, if its weights are of another architecture; it says what differs.
    """
    snapshot, state = _newest(run), model.state_dict()
    here, there = _weights(state), _weights(snapshot.tensors)
    differences = [
        *(f"{name} has shape {there[name].shape} there and {x.shape} here"
          for name, x in here.items() if name in there and x.shape != there[name].shape),
        *(f"{name} is only here" for name in here if name not in there),
        *(f"{name} is only there" for name in there if name not in here),
    ]  # fmt: skip
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise ConfigError(
            f"the weights of {run}, a {snapshot.facts.get('model')}, do not fit this {model.name}: "
            f"{', '.join(differences[:3])}{more}; start with the same layers, or from another run"
        )
    model.load_state_dict({**state, **{name: x.copy() for name, x in there.items()}})
    return {"run": str(run), "step": snapshot.step}


def _newest(run: str | os.PathLike[str]) -> Snapshot:
    path = Path(run)
    if path.is_file():
        return read_checkpoint(path)
    directory = RunDirectory(path)
    directory.read_config()
    return directory.newest()


def _weights(state: dict[str, Any]) -> dict[str, Any]:
    """What is in a model's state but for its optimisers, which keep their count of steps as "t", and callbacks."""
    optimizers = {name.removesuffix(".t") for name in state if name.endswith(".t")}
    return {name: x for name, x in state.items() if name.partition(".")[0] not in optimizers and "/" not in name}


def _tuples(value: Any) -> Any:
    """JSON has lists only; a config has tuples only."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
