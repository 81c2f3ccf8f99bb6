"""Finding the op that made a loss or a weight NaN: the steps since the last checkpoint run again, every op watched.

A good step may make an infinity too (a -inf that a maximum drops), so what happened in one is never blamed.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..backend import Array, array_module, array_of, is_array
from ..errors import RunError
from ..places import Place, lines_above
from ..primitives import PRIMITIVES
from ..scopes import trace
from .batches import Batches
from .checkpoint import Snapshot
from .measured import fetch_numbers
from .snapshot import restore

if TYPE_CHECKING:
    from ..models.base import Model

_REMEDIES = {
    "log": "keep its argument above 0, or take a loss that starts from logits",
    "sqrt": "its derivative at 0 is infinite: add a small number to its argument",
    "power": "keep its base away from 0 and its exponent small",
    "divide": "keep its divisor away from 0",
    "exp": "clip its argument, or take a loss that starts from logits",
}


class Event(NamedTuple):
    """An op whose result was not finite.

    phase: "forward", or "backward" for the gradient of one of its arguments.  places: the lines that called the op in
    its forward pass, the innermost first.  arguments, result: in words.  inherited: an argument was not finite already.
    """

    op: str
    phase: str
    places: tuple[Place, ...]
    arguments: list[str]
    result: str
    inherited: bool

    def __str__(self) -> str:
        calls = [f"  {place}" for place in self.places]
        return "\n".join([*calls, *(f"    {x}" for x in self.arguments), f"    result: {self.result}"])


class Watch:
    """Records the ops whose results are not finite, and describes the first that is not among `known`."""

    def __init__(self, known: set[tuple[str, str, tuple[Place, ...]]]):
        self._known = known
        self.events: set[tuple[str, str, tuple[Place, ...]]] = set()
        self.first: Event | None = None

    def __call__(self, op: str, phase: str, inputs: Any, output: Any, where: Any) -> tuple[Place, ...]:
        places = lines_above(sys._getframe(1)) if where is None else where
        output = array_of(output)
        if not _is_finite(output):
            event = (op, phase, places)
            self.events.add(event)
            if self.first is None and event not in self._known:
                self.first = _event(op, phase, places, inputs, output)
        return places


class NonFiniteError(RunError):
    """A loss or a weight became NaN or infinite.

    step: the first step that went wrong.  event: the first op in it that did.  Each is None if none was found.

    >>> issubclass(tg.train.NonFiniteError, tg.UserError)
    True
    """

    step: int | None = None
    event: Event | None = None


class Finding(NamedTuple):
    """The first step of a replay that went wrong, the first op in it that did, and what was not finite afterwards."""

    step: int
    event: Event | None
    broken: list[str]
    bad_data: list[str]  # the arrays of the batch that are not finite

    def __str__(self) -> str:
        where, event = f"In step {self.step}, which left {join_names(self.broken)} not finite,", self.event
        if self.bad_data:
            where += f" {join_names(self.bad_data)} was not finite to begin with:"
        if event is None:
            return f"{where} every op was finite: the update of the weights overflowed."
        did = "received" if event.inherited else "made"
        phase = f"in its {event.phase} pass, called at"
        return f"{where} `{event.op}` was the first op that {did} such a value, {phase}\n{event}"

    @property
    def advice(self) -> str:
        """What may help."""
        if self.bad_data:
            return "What may help: leave such examples out of the data, or mend them"
        usual = "a lower learning rate, or clipped gradients (an optimiser's clip_norm)"
        own = None if self.event is None or self.event.inherited else _REMEDIES.get(self.event.op)
        return f"What may help: {own}; or {usual}" if own else f"What may help: {usual}"


def diagnose(step: int, broken: Sequence[str], good: Snapshot | None, model: Model, batches: Batches) -> NonFiniteError:
    """The error for values that are not finite after a step. Restores the model from `good`, the last snapshot."""
    symptom = f"after step {step} {join_names(broken)} {'is' if len(broken) == 1 else 'are'} not finite"
    if good is None:
        return NonFiniteError(f"{symptom}, before any training: check the initial weights")
    restored = f"The model is back at its last good checkpoint, {good.source}, after step {good.step}"
    try:
        restore(good, model, batches)
        finding = replay(model, batches, range(good.step + 1, step + 1))
        restore(good, model, batches)
    except Exception as error:  # the steps are the user's, and so are their errors
        return NonFiniteError(f"{symptom}. The cause can't be found by running the steps again: {error}")
    if finding is None:
        return NonFiniteError(
            f"{symptom}, but when the steps since {good.step} run again they stay finite: does the model draw random "
            "numbers from outside its generators(), or does a callback change it? Or did the compiled step round "
            f"differently from these steps, which are not compiled? Try compile off\n{restored}"
        )
    found = NonFiniteError(f"{symptom}. {finding}\n{finding.advice}\n{restored}")
    found.step, found.event = finding.step, finding.event
    return found


def replay(model: Model, batches: Batches, steps: Iterable[int]) -> Finding | None:
    """Run steps again; what went wrong in the first after which a metric or a weight is not finite, if any."""
    known: set[tuple[str, str, tuple[Place, ...]]] = set()
    for step in steps:
        watch, batch = Watch(known), batches.next()
        with trace(watch):
            metrics = model.train_step(batch)
        values = fetch_numbers(metrics, f"{model.name}.train_step")
        broken = [*broken_values(values), *broken_arrays(model.state_dict())]
        if broken:
            return Finding(step, watch.first, broken, broken_arrays(_arrays_of(batch)))
        known |= watch.events
    return None


def _arrays_of(batch: Any) -> dict[str, Any]:
    """The arrays of a batch, by their names in an error."""
    if isinstance(batch, tuple):
        return {f"its batch's {name}": x for name, x in zip(("x", "labels"), batch, strict=False) if is_array(x)}
    return {"its batch": batch} if is_array(batch) else {}


def broken_values(values: dict[str, float]) -> list[str]:
    """The names of the numbers that are NaN or infinite."""
    return [name for name, value in values.items() if not math.isfinite(value)]


def broken_arrays(arrays: dict[str, Any]) -> list[str]:
    """The names of the arrays that hold a NaN or an infinity."""
    return [name for name, x in arrays.items() if x.dtype.kind == "f" and not array_module(x).isfinite(x).all()]


def join_names(names: Sequence[str]) -> str:
    """a; a and b; a, b, c and 5 more."""
    names = [*names[:3], f"{len(names) - 3} more"] if len(names) > 4 else names
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _event(op: str, phase: str, places: tuple[Place, ...], inputs: Any, output: Array) -> Event:
    names = list(inspect.signature(PRIMITIVES[op]).parameters)
    if phase == "backward":
        names = ["gy", "y", *names]
    if len(names) != len(inputs):  # a primitive that takes any number of arguments
        names = [f"argument {i}" for i in range(len(inputs))]
    arrays = {name: array_of(x) for name, x in zip(names, inputs, strict=True) if is_array(array_of(x))}
    inherited = not all(map(_is_finite, arrays.values()))
    op = op.lstrip("_")  # matmul and @ call the primitive _matmul
    return Event(op, phase, places, [f"{n}: {_in_words(x)}" for n, x in arrays.items()], _in_words(output), inherited)


def _is_finite(x: Array) -> bool:
    return x.dtype.kind != "f" or bool(array_module(x).isfinite(x).all())


def _in_words(x: Array) -> str:
    finite = array_module(x).isfinite(x)
    good = x[finite]
    span = f", from {good.min().item():.4g} to {good.max().item():.4g}" if good.size else ""
    broken = x.size - good.size
    return f"{x.dtype} of shape {x.shape}{span}" + (f", {broken:,} of {x.size:,} not finite" if broken else "")
