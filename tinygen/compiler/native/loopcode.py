"""The code of a Loop. Its arguments, in this order:

a counter of threads that are done, how many have a share, how many of these share columns, and in how many groups of
columns the sums of columns come, which are added up; the addresses of the numbers; of each input and output the
address, and its strides where it moves by "s"; of each sum the address and the pitch of the threads' own sums, its
address and its strides; then each thread's share, (first, end) for each dimension.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .ir import Module, Variable
from .ops import apply
from .values import DOUBLE, FLOAT, INT, Value

if TYPE_CHECKING:
    from .loops import Loop, Operand, Sum

BLOCK = 512  # columns at a time: their sums stay in the first cache
_LONG = {"exp", "expm1", "log", "log1p", "tanh"}  # chains of instructions that wait for each other: better four at once
_ROWS = 32  # of these, float32 are summed in float32 before they are added to a sum in float64


@functools.cache
def text_of(loop: Loop) -> str:
    """The loop as a module of LLVM's language, whose function is @job."""
    module = Module()
    _Writer(module, loop).write()
    return str(module)


class _Place:
    """Where an array is: an address, and how it moves with each dimension."""

    def __init__(self, take: Callable[[], Value], moves: str):
        self.address = take()
        self.strides = [take() if move == "s" else None for move in moves]
        self.moves = moves

    def at(self, dim: int, index: Value) -> Value:
        """How far it is to an index along a dimension that isn't the last one."""
        stride = self.strides[dim]
        return index * 0 if stride is None else index * stride


class _Sums:
    """One of the loop's sums: in what it is summed, where, and what becomes of it."""

    def __init__(self, what: Sum, take: Callable[[], Value], dimensions: int):
        self.operand, self.which, self.dtype = what.operand, what.which, np.dtype(what.dtype)
        self.wide = DOUBLE if self.dtype.kind == "f" else INT
        self.narrow = FLOAT if self.dtype == FLOAT else self.wide
        self.scratch, self.pitch = take(), take()
        self.place = _Place(take, "s" * (dimensions - 1 if what.which == "rows" else 1))
        self.total: Any = None  # of all lines, or of one
        self.variable: Any = None  # of a block of a line
        self.part: Any = None  # where the columns' sums of some rows are
        self.own: Any = None  # where this thread's sums are


class _Writer:
    def __init__(self, module: Module, loop: Loop):
        self.f, self.loop = module.function("job", "args", "rank", "team"), loop
        self.args, self.rank, _ = self.f.parameters
        self.taken = 0
        self.counter, self.parts, self.column_parts, self.groups = (self._take() for _ in range(4))
        self.numbers = [self.f.load(DOUBLE, self._take()).astype(dtype) for dtype in loop.numbers]
        self.inputs = [_Place(self._take, x.moves) for x in loop.inputs]
        self.outputs = [_Place(self._take, x.moves) for x in loop.outputs]
        self.sums = [_Sums(s, self._take, loop.dimensions) for s in loop.sums]
        self.of_columns = [s for s in self.sums if s.which == "columns"]
        self.of_lines = [s for s in self.sums if s.which != "columns"]
        long = self.of_lines or any(step.op in _LONG for step in loop.steps)
        self.vectors = 4 if long else 0

    def _take(self) -> Value:
        """The next argument."""
        self.taken += 1
        return self.f.load(INT, self.args, self.taken - 1)

    def write(self) -> None:
        f = self.f
        with f.when(self.rank < self.parts):
            share = self.args + (self.rank * (2 * self.loop.dimensions) + self.taken) * 8
            self.box = [(f.load(INT, share, 2 * d), f.load(INT, share, 2 * d + 1)) for d in range(self.loop.dimensions)]
            for s in self.sums:
                s.total, s.own = f.variable(0, s.wide), s.scratch + self.rank * s.pitch
            places = [p.address for p in (*self.inputs, *self.outputs)]
            places += [s.place.address for s in self.sums if s.which == "rows"]
            if self.of_columns:
                self._by_blocks(places)
            else:
                self._nest(0, places, self._line)
            self._finish()

    def _nest(self, dim: int, places: list[Value], body: Callable[[list[Value]], None]) -> None:
        """Loops over the dimensions from `dim` on; the body is given where all arrays are then."""
        if dim == self.loop.dimensions - 1:
            body(places)
            return
        movers = [*self.inputs, *self.outputs, *(s.place for s in self.sums if s.which == "rows")]
        with self.f.loop(*self.box[dim]) as i:
            self._nest(dim + 1, [p + m.at(dim, i) for p, m in zip(places, movers, strict=True)], body)

    def _line(self, places: list[Value]) -> None:
        """A whole line of the share: in blocks, if its sums are wanted."""
        f, (first, end) = self.f, self.box[-1]
        if not self.of_lines:
            self._block(places, first, end)
            return
        rows = [s for s in self.of_lines if s.which == "rows"]
        for s in rows:
            s.total.set(f.constant(0, s.wide))
        with f.loop(first, end, BLOCK) as start:
            self._block(places, start, f.least(start + BLOCK, end))
        for s, place in zip(rows, places[len(places) - len(rows) :], strict=True):
            f.store(s.total.get().astype(s.dtype), place)

    def _by_blocks(self, places: list[Value]) -> None:
        """All lines of the share, a block of columns after the other."""
        f, (first, end) = self.f, self.box[-1]
        for s in self.of_columns:
            s.part = f.array(s.narrow, BLOCK)
        with f.loop(first, end, BLOCK) as start:
            stop, rows = f.least(start + BLOCK, end), f.variable(0)
            for s in self.of_columns:
                f.clear(s.part, (stop - start) * s.narrow.itemsize)
                f.clear(s.own + start * 8, (stop - start) * 8)

            def line(places: list[Value], start: Value = start, stop: Value = stop, rows: Variable = rows) -> None:
                self._block(places, start, stop)
                rows.set(rows.get() + 1)
                with f.when(rows.get() == _ROWS):
                    rows.set(f.constant(0, INT))
                    self._gather(start, stop)

            self._nest(0, places, line)
            self._gather(start, stop)

    def _gather(self, start: Value, stop: Value) -> None:
        """Add the sums of some rows to those of all, and begin anew."""
        for s in self.of_columns:
            self.f.call_part(_gathering(self.f.module, s), s.part, s.own + start * 8, stop - start)

    def _block(self, places: list[Value], start: Value, end: Value) -> None:
        """The innermost loop, over some elements of a line."""
        f, loop = self.f, self.loop
        read, write = places[: len(self.inputs)], places[len(self.inputs) :]
        still = {k: f.load(x.dtype, read[k]) for k, x in enumerate(loop.inputs) if x.moves[-1] == "0"}
        for s in self.of_lines:
            s.variable = f.variable(0, s.narrow)
        with f.loop(start, end, parallel=True, vectors=self.vectors) as i:
            values: dict[Any, Value] = {("number", k): v for k, v in enumerate(self.numbers)}
            for k, x in enumerate(loop.inputs):
                values["in", k] = still[k] if k in still else f.load(x.dtype, *_element(self.inputs[k], read[k], i))
            for j, (op, operands, dtype) in enumerate(loop.steps):
                values["step", j] = apply(op, dtype, *(self._value(values, o) for o in operands))
            for out, target, place in zip(loop.outputs, self.outputs, write, strict=False):
                f.store(self._value(values, out.operand).astype(out.dtype), *_element(target, place, i))
            for s in self.sums:
                value = self._value(values, s.operand).astype(s.narrow)
                if s.which == "columns":
                    f.store(f.load(s.narrow, s.part, i - start) + value, s.part, i - start)
                else:
                    s.variable.set(f.binary("add", s.variable.get(), value, "reassoc contract"))
        for s in self.of_lines:
            s.total.set(s.total.get() + s.variable.get().astype(s.wide))

    def _value(self, values: dict[Any, Value], operand: Operand) -> Value:
        return self.f.constant(*operand[1:]) if operand[0] == "const" else values[operand[:2]]

    def _finish(self) -> None:
        """The last thread to come here adds up what all have summed, always in the same order."""
        f = self.f
        shared = [s for s in self.sums if s.which != "rows"]
        if not shared:
            return
        for s in shared:
            if s.which == "all":
                f.store(s.total.get(), s.own)
        last = f.arrive(self.counter) == self.parts - 1
        with f.when(last):
            f.store(f.constant(0, INT), self.counter)
            for s in shared:
                if s.which == "all":
                    zero, one = f.constant(0, INT), f.constant(1, INT)
                    self._combine(s, s.scratch, self.parts, one, zero, one)
        alone = self.column_parts == 1
        with f.when(last | alone):
            for s in self.of_columns:
                first, end = self.box[-1]
                end = first + (end - first) / self.groups
                self._combine(s, f.choose(alone, s.own, s.scratch), self.column_parts, self.groups, first, end)

    def _combine(self, s: _Sums, scratch: Value, parts: Value, groups: Value, first: Value, end: Value) -> None:
        stride = s.place.strides[0]
        assert stride is not None
        where = s.place.address, stride, first, end
        self.f.call_part(_combining(self.f.module, s), scratch, s.pitch, parts, groups, *where)


def _gathering(module: Module, s: _Sums) -> str:
    """The function that moves sums of some rows, in `part`, to those of all, and leaves zeros."""
    name = f"job.gather.{s.narrow}"
    if (f := module.part(name, "part", "own", "count")) is not None:
        part, own, count = f.parameters
        with f.loop(0, count, parallel=True) as c:
            f.store(f.load(s.wide, own, c) + f.load(s.narrow, part, c).astype(s.wide), own, c)
            f.store(f.constant(0, s.narrow), part, c)
    return name


def _combining(module: Module, s: _Sums) -> str:
    """The function that adds up the threads' sums, and writes them."""
    name = f"job.combine.{s.dtype}"
    if (f := module.part(name, "scratch", "pitch", "parts", "groups", "out", "stride", "first", "end")) is not None:
        scratch, pitch, parts, groups, out, stride, first, end = f.parameters
        with f.loop(first, end) as c:
            total = f.variable(0, s.wide)
            with f.loop(0, parts) as part, f.loop(0, groups) as group:
                total.set(total.get() + f.load(s.wide, scratch + part * pitch, c + group * (end - first)))
            f.store(total.get().astype(s.dtype), out + c * stride)
    return name


def _element(place: _Place, address: Value, index: Value) -> tuple[Any, ...]:
    """The address of an element of a line, or the line's and the element's number in it."""
    if place.moves[-1] == "s":
        return (address + index * place.strides[-1],)
    return (address, index) if place.moves[-1] == "1" else (address,)
