"""Everything that decides how a run goes on, taken at the end of a step and put back: that is what resuming is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import is_array, to_host
from ..errors import RunError
from .batches import Batches
from .callbacks import Callback

if TYPE_CHECKING:
    from ..models.base import Model


_MISFITS = (ValueError, KeyError, TypeError, AttributeError, IndexError)  # what state of another kind leads to


@dataclass
class Snapshot:
    """A run after some step: host copies of its arrays, and the rest as values that JSON can hold."""

    step: int
    tensors: dict[str, np.ndarray]
    facts: dict[str, Any]
    source: str = "the checkpoint in memory"


def describe(model: Model) -> dict[str, Any]:
    """What it takes to build a model like this one: its name and its hyperparameters."""
    return {"model": model.name, "config": asdict(model.config)}


def take(step: int, model: Model, batches: Batches, callbacks: Sequence[Callback]) -> Snapshot:
    """The state of a run after a step."""
    tensors = dict(model.state_dict())
    facts: dict[str, Any] = {
        **describe(model),
        "step": step,
        "generators": {name: generator.state for name, generator in model.generators().items()},
        "batches": batches.state,
        "callbacks": {},
    }
    for name, callback in _named(callbacks):
        if state := callback.state_dict():
            tensors |= {f"{_prefix(name)}{key}": x for key, x in state.items() if is_array(x)}
            facts["callbacks"][name] = {key: x for key, x in state.items() if not is_array(x)}
    return Snapshot(step, {name: np.array(to_host(x)) for name, x in tensors.items()}, facts)


def restore(snapshot: Snapshot, model: Model, batches: Batches) -> None:
    """Put a model and its data back to where they were. Raises RunError if they do not fit the snapshot."""
    restore_weights(snapshot, model)
    try:
        for name, generator in model.generators().items():
            if name not in snapshot.facts["generators"]:
                raise KeyError(f"there is no state of the generator {name!r}")
            generator.state = snapshot.facts["generators"][name]
        batches.state = snapshot.facts["batches"]
    except _MISFITS as error:
        raise _misfit(snapshot, error) from error


def restore_weights(snapshot: Snapshot, model: Model) -> None:
    """Put the weights, buffers and optimisers of a model back. Raises RunError if they do not fit the snapshot."""
    try:
        own = {name: x for name, x in snapshot.tensors.items() if not name.startswith(_prefix())}
        model.load_state_dict({name: x.copy() for name, x in own.items()})  # a model may keep the arrays
    except _MISFITS as error:
        raise _misfit(snapshot, error) from error


def restore_callbacks(snapshot: Snapshot, callbacks: Sequence[Callback]) -> list[str]:
    """Put callbacks back to where they were; returns the names of those whose state the snapshot does not have."""
    new = []
    for name, callback in _named(callbacks):
        if name in snapshot.facts["callbacks"]:
            arrays = {key: x for key, x in snapshot.tensors.items() if key.startswith(_prefix(name))}
            values = snapshot.facts["callbacks"][name]
            try:
                callback.load_state_dict({key.removeprefix(_prefix(name)): x for key, x in arrays.items()} | values)
            except _MISFITS as error:
                raise _misfit(snapshot, error) from error
        elif callback.state_dict():
            new.append(name)
    return new


def _misfit(snapshot: Snapshot, error: Exception) -> RunError:
    reason = error.args[0] if error.args else error  # str() of a KeyError would put quotes around it
    return RunError(f"{snapshot.source} does not fit this run: {reason}; give the options with which the run began")


def _prefix(name: str | None = None) -> str:
    return "callbacks/" if name is None else f"callbacks/{name}/"


def _named(callbacks: Sequence[Callback]) -> Iterator[tuple[str, Callback]]:
    """Each callback with its class's name, numbered from the second of a class: apart from that, order is free."""
    seen: dict[str, int] = {}
    for callback in callbacks:
        name = type(callback).__name__
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}-{seen[name]}"), callback
