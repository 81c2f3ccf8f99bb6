"""Everything that decides how a run continues: taken at the end of a step, and put back to resume there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import is_array, to_host
from ..errors import ConfigError, RunError
from ..tensor import Tensor
from .batches import Batches
from .callbacks import Callback
from .checkpoint import CALLBACK_PREFIX, Snapshot
from .contents import state_fault

if TYPE_CHECKING:
    from ..models.base import Model


# raised by state of another kind
_MISFITS = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


def identity(model: Model) -> dict[str, Any]:
    """What it takes to build a model like this one: its name, its hyperparameters and, if it is a user's, its class."""
    kind, config = type(model), model.config
    if not isinstance(config, Mapping) and not is_dataclass(config):
        raise ConfigError(f"fit: the config of {model.name} is {config!r:.80}, but it must be a dataclass or a dict")
    values = asdict(config) if is_dataclass(config) else config  # type: ignore[arg-type]
    own = {} if kind.__module__.partition(".")[0] == "tinygen" else {"class": class_name(kind)}
    return {"model": model.name, "config": plain(values, f"the config of {model.name}"), **own}


def class_name(kind: type) -> str:
    """Where a class is, "module:Class": for people to read, never to be imported from."""
    return f"{kind.__module__}:{kind.__qualname__}"


def take(step: int, model: Model, batches: Batches, callbacks: Sequence[Callback]) -> Snapshot:
    """The state of a run after a step."""
    tensors = dict(model.state_dict())
    facts: dict[str, Any] = {
        **identity(model),
        "step": step,
        "generators": {name: generator.state for name, generator in model.generators().items()},
        "batches": batches.state,
        "callbacks": {},
    }
    for name, callback in named(callbacks):
        if state := callback.state_dict():
            state = {key: x.data if isinstance(x, Tensor) else x for key, x in state.items()}
            tensors |= {f"{_prefix(name)}{key}": x for key, x in state.items() if is_array(x)}
            values = {key: x for key, x in state.items() if not is_array(x)}
            facts["callbacks"][name] = plain(values, f"the state of the callback {name}")
    return Snapshot(step, {name: np.array(to_host(x)) for name, x in tensors.items()}, facts)


def restore(snapshot: Snapshot, model: Model, batches: Batches) -> None:
    """Put a model and its data back to where they were. Raises RunError if they do not fit the snapshot."""
    restore_weights(snapshot, model)
    try:
        for name, generator in model.generators().items():
            if name not in snapshot.facts["generators"]:
                raise KeyError(f"there is no state of the generator {name!r}")
            state = _checked(snapshot.facts["generators"][name], generator.state, f"generators.{name}")
            if _unnumbered(state["name"]) != _unnumbered(generator.name):
                raise ValueError(f"generators.{name} is the stream {state['name']!r}, not {generator.name!r}")
            generator.state = state
        batches.state = _checked(snapshot.facts["batches"], batches.state, "batches")
    except _MISFITS as error:
        raise _misfit(snapshot, error) from error


def _unnumbered(name: str) -> str:
    """The name of a stream without the number from new_stream(), which depends on what else was made before."""
    stem, slash, number = name.rpartition("/")
    return stem if slash and number.isdecimal() else name


def restore_weights(snapshot: Snapshot, model: Model) -> None:
    """Put the weights, buffers and optimisers of a model back. Raises RunError if they do not fit the snapshot."""
    try:
        model.load_state_dict({name: x.copy() for name, x in snapshot.weights.items()})  # a model may keep the arrays
    except _MISFITS as error:
        raise _misfit(snapshot, error) from error


def restore_callbacks(snapshot: Snapshot, callbacks: Sequence[Callback]) -> list[str]:
    """Put callbacks back to where they were; returns the names of those whose state the snapshot does not have."""
    new = []
    for name, callback in named(callbacks):
        if name in snapshot.facts["callbacks"]:
            arrays = {key: x for key, x in snapshot.tensors.items() if key.startswith(_prefix(name))}
            try:
                values = _checked(snapshot.facts["callbacks"][name], callback.state_dict(), f"callbacks.{name}")
                callback.load_state_dict({key.removeprefix(_prefix(name)): x for key, x in arrays.items()} | values)
            except _MISFITS as error:
                raise _misfit(snapshot, error) from error
        elif callback.state_dict():
            new.append(name)
    return new


def _checked(given: Any, own: Any, name: str) -> Any:
    """The value of a snapshot that is to replace `own`. Raises ValueError if it is of another kind."""
    if fault := state_fault(given, own, name):
        raise ValueError(fault)
    return given


def plain(x: Any, source: str) -> Any:
    """A value as JSON holds it, with NumPy's numbers as Python's. Raises ConfigError, with the path, for any other."""
    x = x.item() if isinstance(x, np.generic) else x
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    if isinstance(x, Mapping):
        if bad := [key for key in x if not isinstance(key, str)]:
            raise ConfigError(f"{source} has the key {bad[0]!r}, but JSON takes only text as keys; use str() of it")
        return {key: plain(value, f"{source}[{key!r}]") for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(value, source) for value in x]
    raise ConfigError(
        f"{source} holds {x!r:.80}, which can't be saved; a checkpoint takes arrays by name, numbers, text, lists and "
        "dicts"
    )


def _misfit(snapshot: Snapshot, error: Exception) -> RunError:
    reason = error.args[0] if error.args else error  # str() of a KeyError would put quotes around it
    return RunError(f"{snapshot.source} does not fit this run: {reason}; give the options with which the run began")


def _prefix(name: str) -> str:
    return f"{CALLBACK_PREFIX}{name}/"


def named(callbacks: Sequence[Callback]) -> Iterator[tuple[str, Callback]]:
    """Each callback with the name of its class, numbered from the second of a class on; otherwise order is free."""
    counts: dict[str, int] = {}
    for callback in callbacks:
        name = getattr(callback, "__name__", type(callback).__name__)
        counts[name] = counts.get(name, 0) + 1
        yield (name if counts[name] == 1 else f"{name}-{counts[name]}"), callback
