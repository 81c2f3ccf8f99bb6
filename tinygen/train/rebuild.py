"""Rebuilding a model from a run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, RunError
from ..models.base import NoConfig
from ..settings import did_you_mean
from .checkpoint import Snapshot, read_checkpoint
from .run import RunDirectory
from .snapshot import class_name, restore_weights

if TYPE_CHECKING:
    from ..models.base import Model


def load(run: str | os.PathLike[str], model: Any = None, **changes: Any) -> Model:
    """The model of a run as at its newest checkpoint; or of a checkpoint, given the path of its file.

    It has the weights, the buffers and the optimisers of the run; its random numbers start again, on the device in use.
    model: for a run of a model of your own, its class, which is built with the config of the run, or a model like the
    one that was trained, which is given the state and returned. No code is ever imported because a run names it.
    changes: hyperparameters that replace the run's, such as lr.

    Raises RunError if there is no such run or checkpoint, it can't be read, or it holds another model.

    >>> history = tg.fit(tg.models.VAE(), tg.data.load("digits"), steps=2, out="runs/mine", progress=False)
    >>> tg.load("runs/mine").sample(4).shape
    (4, 28, 28, 1)
    """
    snapshot, path = _newest(run), Path(run)
    if hasattr(model, "load_state_dict") and not isinstance(model, type):
        if changes:
            raise ConfigError(
                f"load: {', '.join(changes)} can't change in a model that is already built; give its class instead"
            )
        restore_weights(snapshot, model)
        return model
    return rebuilt(snapshot, path, model, changes)


def rebuilt(snapshot: Snapshot, path: Path, kind: Any = None, changes: Mapping[str, Any] | None = None) -> Model:
    """The model of a snapshot, which was read from path: see `load`."""
    kind = _class_of(path, snapshot, kind)
    model = build(path, kind, snapshot.facts.get("config", {}), changes or {})
    restore_weights(snapshot, model)
    return model


def _class_of(path: Path, snapshot: Snapshot, given: Any) -> Any:
    from ..models import MODELS

    name, own = snapshot.facts.get("model"), snapshot.facts.get("class")
    if given is not None:
        if not isinstance(given, type):
            raise RunError(f"load: model is {given!r:.80}, but it must be a model or the class of one")
        return given
    if name in MODELS and own in (None, class_name(MODELS[name])):
        return MODELS[name]
    module, _, kind = (own or "").partition(":")
    there = f" ({kind} of {module})" if own else ""
    raise RunError(
        f"{path}: a run of {name!r}{there}, which is not a tinygen model; in Python, give its class or a model like "
        f"it: tinygen.load({str(path)!r}, {kind.rpartition('.')[2] or 'MODEL'})"
    )


def build(path: Path, kind: Any, config: dict[str, Any], changes: Mapping[str, Any]) -> Model:
    """A new object of a class, built with the config of a run and its changes, if the class takes a config."""
    parameters = list(inspect.signature(kind).parameters.values())
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    Config: Any = getattr(kind, "Config", None)
    takes_config = "config" in (p.name for p in parameters) and is_dataclass(Config)
    if set(needed) - ({"config"} if takes_config else set()):
        raise RunError(
            f"{path}: {kind.__name__} needs {', '.join(needed)}; build it as it was trained and give that: "
            f"`model={kind.__name__}(...)`"
        )
    known = [field.name for field in fields(Config)] if takes_config else []
    for name in changes:
        if name not in known:
            raise ConfigError(f"load: {kind.__name__} has no setting {name!r}{did_you_mean(name, known)}")
    if not takes_config:
        return kind()
    if Config is NoConfig and config:  # a dict
        return kind(config=config)
    if unknown := sorted(config.keys() - set(known)):
        raise RunError(
            f"{path}: the config of the run has {', '.join(unknown)}, which {kind.__name__} does not take; it is of "
            "another version, or of another model"
        )
    return kind(config=Config(**{key: _tuples(value) for key, value in {**config, **changes}.items()}))


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
    return {"run": str(Path(run)), "step": snapshot.step}


def _newest(run: str | os.PathLike[str]) -> Snapshot:
    if not isinstance(run, (str, os.PathLike)) or not str(run):
        raise RunError(f"run is {run!r:.80}, but it must be the path of a run directory or of a checkpoint")
    path = Path(run)
    if path.is_file():
        return read_checkpoint(path)
    if path.suffix == ".safetensors" and not path.exists():
        steps = RunDirectory(path.parent.parent).checkpoints()
        others = f"; there are those of steps {', '.join(map(str, steps))}" if steps else "; is the path right?"
        raise RunError(f"{path}: there is no such checkpoint{others}")
    directory = RunDirectory(path)
    directory.read_config()
    return directory.newest()


def _weights(state: dict[str, Any]) -> dict[str, Any]:
    """A model's state without its optimisers, which keep their step count as "t", and without callbacks."""
    optimizers = {name.removesuffix(".t") for name in state if name.endswith(".t")}
    return {name: x for name, x in state.items() if name.partition(".")[0] not in optimizers and "/" not in name}


def _tuples(value: Any) -> Any:
    """A value with tuples for lists: JSON has lists only, a config tuples only."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
