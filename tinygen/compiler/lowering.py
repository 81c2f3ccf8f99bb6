"""What the back ends share: a program as a list of calls, in order, into memory that is planned once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..backend import Array
from .definitions import definition
from .plan import Plan
from .program import CONVOLUTIONS, DRAWS, SILENT, VIEWS, Instruction, Value

Call: TypeAlias = "Callable[[], Any]"


class Executable:
    """A program ready to run: its plan, and its calls, which a back end adds."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.calls: list[Call] = []

    @property
    def note(self) -> str:
        """What there is to say about how it runs."""
        return ""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Take a step: with this batch, on the program's states. Returns its outputs, as arrays of their own."""
        for value, x in zip(self.plan.program.inputs, inputs, strict=True):
            self.plan[value][...] = x
        self._take()
        return self.plan.finish()

    def _take(self) -> None:
        for call in self.calls:
            call()


class Numbers:
    """The scalars of a program that change from step to step, as Python's and as arrays of each dtype."""

    def __init__(self) -> None:
        self.now: dict[Value, Any] = {}
        self._arrays: dict[Value, dict[np.dtype[Any], np.ndarray]] = {}

    def array(self, value: Value, dtype: Any) -> Array:
        """A 0-d array that always holds the scalar."""
        return self._arrays.setdefault(value, {}).setdefault(np.dtype(dtype), np.zeros((), dtype))

    def set(self, value: Value, now: Any) -> None:
        self.now[value] = now
        for array in self._arrays.get(value, {}).values():
            array[...] = now


class Lowering:
    """What each instruction becomes: functions to call, in order, with everything that they need already in them.

    xp: the array module.  A back end adds what it has for loops, and for convolutions.
    """

    def __init__(self, plan: Plan, numbers: Numbers, xp: Any = np):
        self.plan, self.numbers, self.xp = plan, numbers, xp

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
        if op in CONVOLUTIONS:
            return self._convolution(instruction)
        return [self._single(instruction)]

    def _fused(self, instruction: Instruction) -> list[Call]:
        raise NotImplementedError

    def _update(self, instruction: Instruction) -> list[Call]:
        raise NotImplementedError

    def _convolution(self, instruction: Instruction) -> list[Call]:
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
            return functools.partial(self.xp.matmul, *operands, out=out)
        if op == "concatenate":
            return functools.partial(self.xp.concatenate, operands, options["axis"], out=out)
        if op == "put":
            return functools.partial(_put, out, *operands, **options)
        return functools.partial(_compute, out, definition(op, self.xp), operands, options)


def _compute(out: Array, function: Callable[..., Any], operands: Sequence[Any], options: dict[str, Any]) -> None:
    out[...] = function(*operands, **options)


def _put(out: Array, x: Array, value: Any, index: Any) -> None:
    if out is not x:
        out[...] = x
    out[index] = value
