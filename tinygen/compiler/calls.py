"""The back end for NumPy alone: a program as a list of calls with `out=` into planned memory.

Loops over long arrays are done in blocks: what is between the instructions of a fused group then stays in the cache.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..backend import Array
from ..kernels import sums
from .definitions import definition
from .plan import Plan
from .program import DRAWS, SILENT, VIEWS, Instruction, Program, Value

Call: TypeAlias = "Callable[[], Any]"

_BLOCK = 1 << 16  # elements


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
        return functools.partial(_compute, out, definition(op), operands, options)

    def _fused(self, instruction: Instruction) -> list[Call]:
        """The body's calls, for one block of the arrays after the other."""
        shape = instruction.options["shape"]
        rows = self._rows_of_block(instruction)
        if rows is None:
            return Block(self, instruction, (), shape, {}).calls()
        scratch: dict[Any, Array] = {}
        calls = []
        for begin in range(0, shape[0], rows):
            part = slice(begin, min(begin + rows, shape[0]))
            calls += Block(self, instruction, (part,), (part.stop - begin, *shape[1:]), scratch).calls()
        return calls

    def _update(self, instruction: Instruction) -> list[Call]:
        """Some rows of the product, and the optimiser's calls on these, one block after the other."""
        product, loop, gradient = (instruction.options[name] for name in ("product", "loop", "gradient"))
        a, b = (self.plan[v] for v in product.values)
        columns = b.shape[1]
        rows = min(max(_BLOCK // columns, 1), len(a))
        room, scratch = np.empty((rows, columns), product.result.dtype), dict[Any, Array]()
        calls: list[Call] = []
        for begin in range(0, len(a), rows):
            end = min(begin + rows, len(a))
            calls.append(functools.partial(np.matmul, a[begin:end], b, out=room[: end - begin]))
            part = slice(begin * columns, end * columns)
            block = Block(self, loop, (part,), (part.stop - part.start,), scratch)
            block.arrays[gradient] = room[: end - begin].reshape(-1)
            calls += block.calls()
        return calls

    def _rows_of_block(self, instruction: Instruction) -> int | None:
        """How many rows a block has; None if all is one block: it is small, or has sums."""
        shape, body = instruction.options["shape"], instruction.body
        if math.prod(shape) < 2 * _BLOCK or len(body) < 3 or any(m.op == "sum" for m in body):
            return None
        contiguous = all(v.like.flags.c_contiguous for v in (*instruction.values, *instruction.results))
        return max(_BLOCK // math.prod(shape[1:]), 1) if contiguous else None


class Block:
    """Some rows of a fused group: its values there are views of planned arrays, or scratch memory."""

    def __init__(self, lowering: Lowering, fused: Instruction, index: Any, shape: tuple[int, ...], scratch: Any):
        self.lowering, self.fused, self.index, self.shape, self.scratch = lowering, fused, index, shape, scratch
        self.whole = fused.options["shape"]
        self.arrays: dict[Value, Array] = {}
        self._left = {v: sum(v in m.operands for m in fused.body) for m in fused.body for v in m.values}
        self._free: list[Array] = []

    def calls(self) -> list[Call]:
        return [call for member in self.fused.body for call in self._calls(member)]

    def _calls(self, member: Instruction) -> list[Call]:
        op, y = member.op, member.result
        operands = [self._operand(x, member) for x in member.operands]
        for v in set(member.values):
            self._left[v] -= 1
        spent = [self.arrays[v] for v in set(member.values) if not self._left[v] and self._is_scratch(v)]
        if op == "sum":
            return [functools.partial(_sum, self._part(y, reduced=True), operands[0], member.options["axes"])]
        out = self._out(y, spent)
        if op in ("copy", "astype"):
            return [functools.partial(np.copyto, out, operands[0], casting="unsafe")]
        if op == "where":
            condition, a, b = operands
            if out is a or out is condition:
                return [functools.partial(_choose, out, condition, a, b)]
            return [functools.partial(np.copyto, out, b), functools.partial(np.copyto, out, a, where=condition)]
        return [functools.partial(getattr(np, op), *operands, out)]

    def _is_scratch(self, v: Value) -> bool:
        return v in self.arrays and v not in self.fused.results and v.maker in self.fused.body

    def _operand(self, x: Any, member: Instruction) -> Any:
        if not isinstance(x, Value):
            return x
        if x.op == "call":
            return self.lowering.numbers.array(x, _float_of(member))
        if x not in self.arrays:
            self.arrays[x] = self._part(x)
        return self.arrays[x]

    def _part(self, value: Value, reduced: bool = False) -> Array:
        """The rows of a planned array; all of it where it has no such rows."""
        array = self.lowering.plan[value]
        moves = self.index and not reduced and array.ndim == len(self.whole) and array.shape[0] == self.whole[0] > 1
        return array[self.index] if moves else array

    def _out(self, value: Value, spent: Sequence[Array]) -> Array:
        """Where a value goes: its planned place, or the memory of an operand that nobody needs any more."""
        if value in self.fused.results:
            self.arrays[value] = self._part(value)
            self._free += spent
            return self.arrays[value]
        self._free += spent
        found = next((a for a in self._free if a.dtype == value.dtype and a.shape == self.shape), None)
        if found is not None:
            self._free = [a for a in self._free if a is not found]
        else:
            like = value.like if not self.index else None
            found = self._new(value.dtype, like)
        self.arrays[value] = found
        return found

    def _new(self, dtype: Any, like: Array | None) -> Array:
        """Scratch memory, the same for every block."""
        if like is not None:
            return np.empty_like(like)
        pool = self.scratch.setdefault(np.dtype(dtype), [])
        used = {id(a.base if a.base is not None else a) for a in (*self.arrays.values(), *self._free)}
        room = next((a for a in pool if id(a) not in used), None)
        if room is None:
            room = np.empty(math.prod(self.shape), dtype)
            pool.append(room)
        return room[: math.prod(self.shape)].reshape(self.shape)


def _float_of(member: Instruction) -> Any:
    """The dtype in which a scalar enters: that of the arrays beside it."""
    others = [v.dtype for v in member.values if v.op != "call"]
    return np.result_type(*others, 1.0) if others else np.dtype(float)


def _choose(out: Array, condition: Array, a: Any, b: Any) -> None:
    out[...] = np.where(condition, a, b)


def _compute(out: Array, function: Callable[..., Any], operands: Sequence[Any], options: dict[str, Any]) -> None:
    out[...] = function(*operands, **options)


def _put(out: Array, x: Array, value: Any, index: Any) -> None:
    if out is not x:
        out[...] = x
    out[index] = value


def _sum(out: Array, x: Array, axes: tuple[int, ...]) -> None:
    out[...] = sums.total(x, axes)


class CallList:
    """A program ready to run with NumPy."""

    def __init__(self, program: Program):
        self.plan, self.numbers = Plan(program), Numbers()
        lowering = Lowering(self.plan, self.numbers)
        self.calls = [call for instruction in program.instructions for call in lowering.calls(instruction)]
        self.calls += self.plan.last_copies()
        self._inputs = [self.plan[value] for value in program.inputs]
        self._outputs = [self.plan[value] for value in program.outputs]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Take a step: with this batch, on the program's states. Returns its outputs, as arrays of their own."""
        for array, x in zip(self._inputs, inputs, strict=True):
            array[...] = x
        for call in self.calls:
            call()
        return [y.copy() for y in self._outputs]
