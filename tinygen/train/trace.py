"""What each op of a training step makes, and which line of code called it: a callback for `tinygen.tensor.trace`."""

from __future__ import annotations

import inspect
import sys
from typing import Any, NamedTuple

from ..backend import Array, array_module, is_array
from ..places import Place, lines_above
from ..tensor import PRIMITIVES, Tensor


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
    """Notes which ops make something that is not finite, and describes the first that is not among `known`."""

    def __init__(self, known: set[tuple[str, str, tuple[Place, ...]]]):
        self._known = known
        self.seen: set[tuple[str, str, tuple[Place, ...]]] = set()
        self.first: Event | None = None

    def __call__(self, op: str, phase: str, inputs: Any, output: Any, where: Any) -> tuple[Place, ...]:
        places = lines_above(sys._getframe(1)) if where is None else where
        output = _array(output)
        if not _is_finite(output):
            event = (op, phase, places)
            self.seen.add(event)
            if self.first is None and event not in self._known:
                self.first = _describe_event(op, phase, places, inputs, output)
        return places


def _describe_event(op: str, phase: str, places: tuple[Place, ...], inputs: Any, output: Array) -> Event:
    names = list(inspect.signature(PRIMITIVES[op]).parameters)
    if phase == "backward":
        names = ["gy", "y", *names]
    if len(names) != len(inputs):  # a primitive of any number of arguments
        names = [f"argument {i}" for i in range(len(inputs))]
    arrays = {name: _array(x) for name, x in zip(names, inputs, strict=True) if is_array(_array(x))}
    inherited = not all(map(_is_finite, arrays.values()))
    op = op.lstrip("_")  # _matmul is what matmul and @ come down to
    return Event(op, phase, places, [f"{n}: {_describe(x)}" for n, x in arrays.items()], _describe(output), inherited)


def _array(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


def _is_finite(x: Array) -> bool:
    return x.dtype.kind != "f" or bool(array_module(x).isfinite(x).all())


def _describe(x: Array) -> str:
    finite = array_module(x).isfinite(x)
    good = x[finite]
    span = f", from {good.min().item():.4g} to {good.max().item():.4g}" if good.size else ""
    broken = x.size - good.size
    return f"{x.dtype} of shape {x.shape}{span}" + (f", {broken:,} of {x.size:,} not finite" if broken else "")
