"""Fused groups, copies and fills of any arrays as loops of native code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..backend import Array
from .definitions import operand_dtypes
from .native import copies
from .native.loops import Input, Loop, Output, Step, Sum, add_loop, moves_of
from .native.ops import OPS
from .native.team import Machine
from .program import Instruction, Value
from .space import Space


class Unsuited(Exception):
    """An instruction for which native code has no job."""


def add_group(
    machine: Machine,
    fused: Instruction,
    plan: Mapping[Value, Any],
    numbers: Mapping[Value, int],
    shape: tuple[int, ...] | None = None,
) -> None:
    """Add a fused group to a machine as one loop, over its own shape or a part of it. Raises Unsuited if it isn't one.

    plan: the array of each value.  numbers: the places of the machine's scalars.
    """
    shape = fused.options["shape"] if shape is None else shape
    summed = [m for m in fused.body if m.op == "sum"]
    made = [v for v in fused.results if all(v is not m.result for m in summed)]
    values = [*dict.fromkeys([*made, *(v for v in fused.values if v.op not in ("call", "full"))])]
    space = Space(shape, [plan[v] for v in values], [m.options["axes"] for m in summed])
    arrays = dict(zip(values, space.arrays, strict=True))
    writer = _Writer(fused, space, arrays, made)
    add_loop(
        machine,
        writer.loop(),
        space.lengths,
        [arrays[v] for v in writer.inputs],
        [arrays[v] for v in made],
        [_summed(space, m, plan[m.result]) for m in summed],
        [numbers[v] for v in writer.numbers],
    )


def _summed(space: Space, member: Instruction, y: Array) -> Array:
    """Where a sum goes, with the dimensions that are left."""
    view = space.summed(member.options["axes"], y)
    if view is None:
        raise Unsuited("a sum's result lies in another order")
    return view.reshape(1) if which(space, member.options["axes"]) == "all" else view


def which(space: Space, axes: tuple[int, ...]) -> str:
    """Over which dimensions a sum goes: "columns", "rows" or "all". Raises Unsuited for others."""
    over, last = space.reduced(axes), len(space.lengths) - 1
    if len(over) == last + 1:
        return "all"
    if over == tuple(range(last)):
        return "columns"
    if over == (last,):
        return "rows"
    raise Unsuited("a sum goes over dimensions that lie apart")


def add_copy(machine: Machine, y: Array, x: Array) -> None:
    """Add y[...] = x, cast and broadcast."""
    copies.add_copy(machine, *Space(y.shape, [y, x]).arrays)


def add_fill(machine: Machine, y: Array, value: Any) -> None:
    """Add y[...] = a number."""
    copies.add_fill(machine, Space(y.shape, [y]).arrays[0], value)


class _Writer:
    """A group's body as the steps of a Loop."""

    def __init__(self, fused: Instruction, space: Space, arrays: dict[Value, Array], outputs: list[Value]):
        self.fused, self.space, self.arrays, self.outputs = fused, space, arrays, outputs
        self.inputs: list[Value] = []
        self.numbers: list[Value] = []
        self._number_dtypes: list[str] = []
        self._steps: list[Step] = []
        self._at: dict[Value, Any] = {}
        self._sums: list[Sum] = []

    def loop(self) -> Loop:
        for member in self.fused.body:
            self._add(member)
        arrays = self.arrays
        return Loop(
            len(self.space.lengths),
            tuple(Input(v.dtype.name, moves_of(arrays[v])) for v in self.inputs),
            tuple(self._steps),
            tuple(Output(self._at[v], v.dtype.name, moves_of(arrays[v])) for v in self.outputs),
            tuple(self._sums),
            tuple(self._number_dtypes),
        )

    def _add(self, member: Instruction) -> None:
        op, y = member.op, member.result
        if op == "sum":
            operand = self._operand(member.operands[0], member.operands[0].dtype)
            self._sums.append(Sum(operand, which(self.space, member.options["axes"]), y.dtype.name))
            return
        if op not in OPS:
            raise Unsuited(f"{op} is not among the ops of loops")
        operands = tuple(
            self._operand(x, dtype) for x, dtype in zip(member.operands, operand_dtypes(member), strict=True)
        )
        self._steps.append(Step(op, operands, y.dtype.name))
        self._at[y] = ("step", len(self._steps) - 1)

    def _operand(self, x: Any, dtype: Any) -> Any:
        """What the loop knows it by; cast to the dtype in which the op is done."""
        if not isinstance(x, Value):
            return ("const", x, dtype.name)
        if x in self._at:
            found = self._at[x]
        elif x.op == "full":
            return ("const", x.maker.options["value"], x.dtype.name)
        elif x.op == "call":
            self.numbers.append(x)
            self._number_dtypes.append(dtype.name)
            return ("number", len(self.numbers) - 1)
        else:
            self.inputs.append(x)
            found = self._at[x] = ("in", len(self.inputs) - 1)
        if x.dtype != dtype:
            self._steps.append(Step("astype", (found,), dtype.name))
            return ("step", len(self._steps) - 1)
        return found
