"""A network's forward pass, op by op, on two batches side by side: where the two differ, the batch size shows.

Nothing else tells what a number of the pass means. The 4 in a reshape may be twice the batch or a number of channels;
it is the latter if it is 4 for a batch of 2 and for one of 5.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backend import is_array, to_host, use
from ..errors import ConfigError
from ..layers import Module, evaluating
from ..places import lines_above
from ..scopes import no_grad, substituted, trace
from ..tensor import Tensor

BATCHES = 2, 5  # in units of the smallest batch that the network takes


class Pair(NamedTuple):
    """One thing of the pass, as it was in both batches: an array, a number, or an option."""

    first: Any
    second: Any

    @property
    def same(self) -> bool:
        """Whether it is the same in both, and so does not depend on the input."""
        a, b = self
        if not is_array(a):
            return bool(a == b)
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")

    @property
    def shape(self) -> list[Pair]:
        """The lengths of an array's axes."""
        return [Pair(*lengths) for lengths in zip(self.first.shape, self.second.shape, strict=True)]


class Step(NamedTuple):
    """A call of a primitive.  line: of the code that called it."""

    op: str
    inputs: list[Pair]
    y: Pair
    line: str


class Pass(NamedTuple):
    """A forward pass: its inputs, its steps in order, its outputs, and the weights, by name."""

    inputs: list[Pair]
    steps: list[Step]
    outputs: list[Pair]
    weights: dict[str, Any]


def two_passes(module: Module, shapes: Sequence[Sequence[int]]) -> Pass:
    """The forward pass of a module in eval mode, with copies of its weights on the host if they are on a GPU.

    shapes: of one example of each input; (): a whole number, a label.  Raises ConfigError if the module does other
    things for one batch than for another, or gives something else than Tensors.
    """
    tensors = dict(module.named_tensors())
    weights = {name: to_host(t.array) for name, t in tensors.items()}
    with use("cpu"), substituted([*tensors.values()], [*map(Tensor, weights.values())]):
        try:
            runs = [_run(module, shapes, n * module.batch_unit, 2) for n in BATCHES]
        except IndexError:  # there is no label but 0
            runs = [_run(module, shapes, n * module.batch_unit, 1) for n in BATCHES]
    (inputs, calls, outputs), (others, other_calls, other_outputs) = runs
    if [op for op, *_ in calls] != [op for op, *_ in other_calls]:
        raise ConfigError("onnx: the network does other things with a batch of another size or other numbers")
    steps = [
        Step(op, _pairs(xs, zs), Pair(y, z), line)
        for (op, xs, y, line), (_, zs, z, _) in zip(calls, other_calls, strict=True)
    ]
    return Pass(_pairs(inputs, others), steps, _pairs(outputs, other_outputs), weights)


def _pairs(xs: Sequence[Any], zs: Sequence[Any]) -> list[Pair]:
    return [Pair(*both) for both in zip(xs, zs, strict=True)]


def _run(
    module: Module, shapes: Sequence[Sequence[int]], n: int, classes: int
) -> tuple[list[Any], list[Any], list[Any]]:
    """The inputs, calls and outputs for a batch of n examples, which are noise, with labels of so many classes."""
    rng, dtype = np.random.default_rng(n), _first_dtype(module)
    drawn = [rng.normal(size=(n, *shape)).astype(dtype) if shape else np.arange(n) % classes for shape in shapes]
    inputs = [Tensor(x) for x in drawn]
    calls = list[Any]()

    def note(op: str, phase: str, xs: tuple[Any, ...], y: Any, where: Any) -> None:
        calls.append((op, xs, y, next((str(place) for place in lines_above(sys._getframe(1))), "")))

    with evaluating(module), no_grad(), trace(note):
        made = module(*inputs)
    outputs = list(made) if isinstance(made, (tuple, list)) else [made]
    if not all(isinstance(y, Tensor) for y in outputs):
        kinds = ", ".join(type(y).__name__ for y in outputs)
        raise ConfigError(f"onnx: {type(module).__name__} gives {kinds}, but the outputs of a graph are Tensors")
    return drawn, calls, [y.array for y in outputs]


def _first_dtype(module: Module) -> Any:
    """The dtype of the first parameter or buffer of floats, which the inputs get, too."""
    return next((t.dtype for _, t in module.named_tensors() if t.dtype.kind == "f"), np.float32)
