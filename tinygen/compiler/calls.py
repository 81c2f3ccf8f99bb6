"""The back end for NumPy alone: a program as a list of calls with `out=` into planned memory.

Loops over long arrays are done in blocks: what is between the instructions of a fused group then stays in the cache.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..backend import Array
from ..kernels import conv
from .blocks import Blocks, Products
from .definitions import definition
from .plan import Plan
from .program import DRAWS, SILENT, VIEWS, Instruction, Program, Value

Call: TypeAlias = "Callable[[], Any]"

_BLOCK = 1 << 16  # elements


_CONVOLUTIONS = ("conv2d", "conv_transpose2d", "conv2d_weight_grad")


class Numbers:
    """The scalars of a program that change from step to step, as Python's and as arrays of each dtype."""

    def __init__(self) -> None:
        self.now: dict[Value, Any] = {}
        self._arrays: dict[tuple[Value, Any], Array] = {}

    def array(self, value: Value, dtype: Any) -> Array:
        """A 0-d array that always holds the scalar."""
        return self._arrays.setdefault((value, np.dtype(dtype)), np.zeros((), dtype))

    def set(self, value: Value, now: Any) -> None:
        self.now[value] = now
        for (other, _), array in self._arrays.items():
            if other is value:
                array[...] = now


class Lowering:
    """What each instruction becomes: functions to call, in order, with everything that they need already in them."""

    def __init__(self, plan: Plan, numbers: Numbers):
        self.plan, self.numbers = plan, numbers
        self.scratch: dict[int, list[Array]] = {}  # memory that one block after the other uses, by its size

    def calls(self, instruction: Instruction) -> list[Call]:
        """The calls of an instruction; none for what is there from the beginning."""
        op = instruction.op
        if op in SILENT or op in VIEWS:
            return []
        if op == "call":
            return [functools.partial(self._call, instruction)]
        if op in DRAWS:
            return [functools.partial(self._draw, instruction, self.plan[instruction.result])]
        if op == "fused":
            return self._fused(instruction)
        if op == "update":
            return self._update(instruction)
        return [self._single(instruction)]

    def _call(self, instruction: Instruction) -> None:
        made = instruction.options["function"](*self._numbers(instruction))
        for value, now in zip(instruction.results, made if isinstance(made, tuple) else (made,), strict=True):
            self.numbers.set(value, now)

    def _draw(self, instruction: Instruction, out: Array) -> None:
        instruction.options["generator"].fill(instruction.op, out, *self._numbers(instruction))

    def _numbers(self, instruction: Instruction) -> list[Any]:
        return [self.numbers.now[x] if isinstance(x, Value) else x for x in instruction.operands]

    def _single(self, instruction: Instruction) -> Call:
        """One instruction that is no loop."""
        op, options, out = instruction.op, instruction.options, self.plan[instruction.result]
        operands = [self.plan[x] if isinstance(x, Value) else x for x in instruction.operands]
        if op == "full":
            return functools.partial(out.fill, options["value"])
        if op == "matmul":
            return functools.partial(np.matmul, *operands, out=out)
        if op == "concatenate":
            return functools.partial(np.concatenate, operands, options["axis"], out=out)
        if op == "put":
            return functools.partial(_put, out, operands[0], operands[1], options["index"])
        if op in _CONVOLUTIONS and out.dtype.char in "fd":
            return functools.partial(getattr(conv, op), *operands, *options.values(), into=out)
        return functools.partial(_compute, out, definition(op), operands, options)

    def _fused(self, instruction: Instruction) -> list[Call]:
        return Blocks(self, instruction).calls()

    def _update(self, instruction: Instruction) -> list[Call]:
        """Some rows of the product, and the optimiser's calls on these, one block after the other."""
        factors = [term.factors(self.plan.arrays) for term in instruction.options["terms"]]
        return Blocks(self, instruction.options["loop"], Products(instruction.options["gradient"], factors)).calls()


def _compute(out: Array, function: Callable[..., Any], operands: Sequence[Any], options: dict[str, Any]) -> None:
    out[...] = function(*operands, **options)


def _put(out: Array, x: Array, value: Any, index: Any) -> None:
    if out is not x:
        out[...] = x
    out[index] = value


class CallList:
    """A program ready to run with NumPy."""

    def __init__(self, program: Program):
        self.plan, self.numbers = Plan(program), Numbers()
        lowering = Lowering(self.plan, self.numbers)
        self.calls = [call for instruction in program.instructions for call in lowering.calls(instruction)]
        self._inputs = [self.plan[value] for value in program.inputs]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Take a step: with this batch, on the program's states. Returns its outputs, as arrays of their own."""
        for array, x in zip(self._inputs, inputs, strict=True):
            array[...] = x
        for call in self.calls:
            call()
        return self.plan.finish()
