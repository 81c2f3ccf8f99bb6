"""A loop as a part of a kernel of CUDA: the text of what one of its blocks does."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backend import Array
from .columns import THREADS, Columns
from .cuda_text import C_TYPES, expression_of, literal
from .program import VIEWS, Instruction, Value


class Parameters:
    """What a kernel is called with, by name, and which functions it calls.

    partial: for each sum that several blocks take, its dtype and how many numbers they find.  tickets: one for each
    group of blocks that go down the same columns.
    """

    def __init__(self, arrays: Mapping[Value, Array]):
        self.arrays = arrays
        self.read: dict[Value, str] = {}
        self.written: dict[Value, str] = {}
        self.numbers: dict[tuple[Value, str], str] = {}
        self.partial: list[tuple[np.dtype[Any], int]] = []
        self.tickets = 0
        self.ops: dict[str, None] = {}

    def declared(self) -> list[str]:
        """The parameters as C declares them."""
        return [
            *(f"const {C_TYPES[v.dtype.name]}* {name}" for v, name in self.read.items()),
            *(f"{C_TYPES[v.dtype.name]}* {name}" for v, name in self.written.items()),
            *(f"const {C_TYPES[kind]}* {name}" for (_, kind), name in self.numbers.items()),
            *(f"volatile {C_TYPES[dtype.name]}* p{n}" for n, (dtype, _) in enumerate(self.partial)),
            *["unsigned int* tickets"] * (self.tickets > 0),
        ]

    def steps_of(self, value: Value) -> list[int]:
        """The strides of a value's array, in elements."""
        array = self.arrays[value]
        return [stride // array.itemsize for stride in array.strides]

    def number(self, value: Value, kind: str) -> str:
        return self.numbers.setdefault((value, kind), f"s{len(self.numbers)}")

    def share_tickets(self, blocks: int) -> int:
        """The first of some tickets."""
        self.tickets += blocks
        return self.tickets - blocks


class LoopText:
    """A loop in the making: what is done before its first pass, and within a pass."""

    def __init__(self, loop: Instruction, columns: Columns, params: Parameters):
        self.loop, self.columns, self.params = loop, columns, params
        self.maker = {v: member for member in loop.body for v in member.results}
        self.outputs = [v for v in loop.results if v in self.maker]
        self.names: dict[Value, str] = {}  # of what members make
        self.before, self.within = Loads("f"), Loads("e")
        self.passes: dict[Value, int] = {}  # in which an element is made, or after which a column's is known
        for member in loop.body:
            self._find_pass(member)
        self.last = max((n for v, n in self.passes.items() if not self._is_known(v)), default=0)
        assert columns.chunks == 1 or self.last == 0, "a loop of many rows reads its own sum"
        extents = [sum(abs(s) * (n - 1) for n, s in zip(v.shape, v.like.strides, strict=True)) for v in loop.values]
        self.whole = "int" if max([math.prod(columns.shape), *extents]) < 1 << 31 else "long long"

    def _is_known(self, value: Value) -> bool:
        """Whether a member makes an element a column, which a thread has for all its rows."""
        return self._is_sum(value) or (bool(self.columns.summed) and self.columns.is_of_columns(value.shape))

    def _is_sum(self, value: Value) -> bool:
        """Whether it is a sum; one along no axis is a copy."""
        return self.maker[value].op == "sum" and bool(self.columns.summed)

    def _find_pass(self, member: Instruction) -> None:
        y, given = member.result, [v for v in member.values if v in self.passes]
        if self._is_sum(y):
            self.passes[y] = self.passes.get(member.operands[0], 0)
        elif self._is_known(y):
            self.passes[y] = max((self.passes[v] for v in given), default=-1)
        else:
            self.passes[y] = max((self.passes[v] + self._is_known(v) for v in given), default=0)

    def lines(self) -> list[str]:
        """The text of the part."""
        text = list[str]()
        self._write_known(-1, self.before.lines)
        for n in range(self.last + 1):
            text += self._pass(n)
        stores = [self._store(v) for v in self.outputs if self._is_known(v)]
        if stores:
            text += ["__syncthreads();", "if (inside && d == 0) {", *_indented(stores), "}"]
        text = [*self.before.lines, *text]
        return [*self._places(any(re.search(r"\bk\b", line) for line in text)), *text]

    def _places(self, with_k: bool) -> list[str]:
        """Which column and which rows a thread has; one without a column reads the last."""
        c, whole = self.columns, self.whole
        lines, first = list[str](), f"({whole})block * {THREADS} + threadIdx.x"
        if c.summed:
            a, d = ("/", "%") if c.neighbours_are_rows else ("%", "/")
            width = c.down if c.neighbours_are_rows else c.across
            lines += [f"const int a = threadIdx.x {a} {width}, d = threadIdx.x {d} {width};"]
            first = f"({whole})tile * {c.across} + a"
            lines += [f"const int tile = block % {c.tiles};"]
        if c.chunks > 1:
            lines += [f"const {whole} chunk = block / {c.tiles}, begin = chunk * {c.chunk};"]
            lines += [f"const {whole} end = begin + {c.chunk} < {c.rows} ? begin + {c.chunk} : {c.rows};"]
        return [
            *lines,
            f"const {whole} at = {first};",
            *[f"const {whole} k = at < {c.columns} ? at : {c.columns - 1};"] * with_k,
            f"const bool inside = at < {c.columns};",
        ]

    def _pass(self, n: int) -> list[str]:
        """Once over the rows: for the sums of this pass, and in the last pass for the outputs."""
        c, self.within = self.columns, Loads("e")
        sums = [m for m in self.loop.body if self._is_sum(m.result) and self.passes[m.result] == n]
        outputs = [v for v in self.outputs if not self._is_known(v)] if n == self.last else []
        for member in self._needed_for([*(m.operands[0] for m in sums), *outputs]):
            self._write(member, self.within.lines)
        kinds = [C_TYPES[m.result.dtype.name] for m in sums]
        for i, (member, kind) in enumerate(zip(sums, kinds, strict=True)):
            element = self._operand(member.operands[0], member.result.dtype)
            self.within.lines.append(f"a{n}{i} += ({kind}){element};")
        self.within.lines += map(self._store, outputs)
        begin, end = ("begin + d", "end") if c.chunks > 1 else ("d", str(c.rows))
        each = f"for ({self.whole} r = {begin}; inside && r < {end}; r += {c.down})" if c.summed else "if (inside)"
        lines = [f"{kind} a{n}{i} = 0;" for i, kind in enumerate(kinds)]
        if self.within.lines:
            lines += [f"{each} {{", *_indented(self.within.lines), "}"]
        lines += self._totals(n, sums, kinds)
        self._write_known(n, lines)
        return lines

    def _totals(self, n: int, sums: list[Instruction], kinds: list[str]) -> list[str]:
        """What adds up the sums of all threads of a column, and of all blocks."""
        c, lines = self.columns, list[str]()
        found = [f"total(a{n}{i}, a, d, {c.across}, {c.down})" for i in range(len(sums))]
        if sums and c.chunks > 1:
            first = len(self.params.partial)
            self.params.partial += [(m.result.dtype, c.chunks * c.columns) for m in sums]
            pieces = [f"p{first + i}[%s * {c.columns} + k]" for i in range(len(sums))]
            for i, (kind, value) in enumerate(zip(kinds, found, strict=True)):
                lines += [f"const {kind} b{n}{i} = {value};"]
                lines += [f"if (inside && d == 0) {pieces[i] % 'chunk'} = b{n}{i};", f"a{n}{i} = 0;"]
            lines += [f"if (!comes_last(tickets + {self.params.share_tickets(c.tiles)} + tile, {c.chunks})) return;"]
            added = " ".join(f"a{n}{i} += {piece % 'j'};" for i, piece in enumerate(pieces))
            lines += [f"for ({self.whole} j = d; j < {c.chunks}; j += {c.down}) {{ {added} }}"]
        for i, (member, kind, value) in enumerate(zip(sums, kinds, found, strict=True)):
            self.names[member.result] = f"c{n}{i}"
            lines.append(f"const {kind} c{n}{i} = {value};")
        return lines

    def _needed_for(self, values: Sequence[Any]) -> list[Instruction]:
        """The members that make elements which these values need."""
        wanted, needed = {*values}, []
        for member in reversed(self.loop.body):
            if member.result in wanted and not self._is_known(member.result):
                needed.append(member)
                wanted.update(member.values)
        return needed[::-1]

    def _write_known(self, n: int, lines: list[str]) -> None:
        """The lines of what is known of a column after a pass."""
        for member in self.loop.body:
            y = member.result
            if self._is_known(y) and not self._is_sum(y) and self.passes[y] == n:
                self._write(member, lines)

    def _write(self, member: Instruction, lines: list[str]) -> None:
        """The line of a member, after what it loads."""
        y = member.result
        if member.op in VIEWS:  # the same elements, one a column
            self.names[y] = self.names[member.operands[0]]
            return
        if member.op == "concatenate":
            text = self._concatenated(member)
        elif member.op == "put":
            text = self._put(member)
        elif member.op == "sum":
            text = f"({C_TYPES[y.dtype.name]}){self._operand(member.operands[0], y.dtype)}"
        else:
            text, op = expression_of(member, self._operand, lambda: self._place_of_draw(y))
            self.params.ops |= {op: None} if op else {}
        self.names[y] = f"v{self.loop.body.index(member)}"
        lines.append(f"const {C_TYPES[y.dtype.name]} {self.names[y]} = {text};")

    def _operand(self, x: Any, dtype: np.dtype[Any]) -> str:
        """An operand, of which an element of this dtype is wanted."""
        if not isinstance(x, Value):
            return literal(x, dtype)
        if x in self.names:
            return self.names[x]
        if x.op == "full":
            return literal(x.maker.options["value"], x.dtype)
        if x.op == "call":
            kind = dtype.name if dtype.kind == "f" else "float64"
            return self.before.load(f"*{self.params.number(x, kind)}", kind)
        place = self.columns.offset(x.shape, self.params.steps_of(x))
        return (self.within if "r" in place else self.before).load(f"{self._array(x)}[{place}]", x.dtype.name)

    def _array(self, x: Value) -> str:
        return self.params.read.setdefault(x, f"x{len(self.params.read)}")

    def _place_of_draw(self, y: Value) -> str:
        """The place of an element in a stream: that of the draw's first one, and how many come before this one."""
        first = self.before.load(f"*{self.params.number(y, 'uint64')}", "uint64")
        steps = [math.prod(y.shape[i + 1 :]) for i in range(len(y.shape))]
        return f"{first}, {self.columns.offset(y.shape, steps)}"

    def _concatenated(self, member: Instruction) -> str:
        axis, end, pieces = member.options["axis"], 0, list[str]()
        for x in member.operands:
            pieces.append(self._piece(x, {axis: end}, (), member))
            end += x.shape[axis]
        text = pieces.pop()
        for x in member.operands[:0:-1]:
            end -= x.shape[axis]
            text = f"{self.columns.coordinate(axis)} < {end} ? {pieces.pop()} : {text}"
        return text

    def _put(self, member: Instruction) -> str:
        (x, value), index = member.operands, member.options["index"]
        if not all(isinstance(i, int) or (isinstance(i, slice) and i.step in (None, 1)) for i in index):
            raise KeyError("put")
        begin, tests = dict[int, int](), list[str]()
        for axis, (i, n) in enumerate(zip(index, x.shape, strict=False)):
            begin[axis], end, _ = i.indices(n) if isinstance(i, slice) else (i % n, i % n + 1, 1)
            place = self.columns.coordinate(axis)
            tests += [f"{place} >= {begin[axis]}"] * (begin[axis] > 0) + [f"{place} < {end}"] * (end < n)
        piece = self._piece(value, begin, [a for a, i in enumerate(index) if isinstance(i, int)], member)
        return f"{' && '.join(tests) or 'true'} ? {piece} : {self._operand(x, x.dtype)}"

    def _piece(self, x: Value, begin: Mapping[int, int], without: Sequence[int], member: Instruction) -> str:
        """An element of a piece of a member's result, which begins at these places of axes and is without some axes."""
        if x.dtype != member.result.dtype or x in self.maker or x.op == "call":
            raise KeyError(member.op)
        if x.op == "full":
            return literal(x.maker.options["value"], x.dtype)
        axes = [a for a in range(len(self.columns.shape)) if a not in without]
        axes = axes[len(axes) - len(x.shape) :]
        lengths, steps = dict(zip(axes, x.shape, strict=True)), dict(zip(axes, self.params.steps_of(x), strict=True))
        shape = tuple(lengths.get(a, 1) for a in range(len(self.columns.shape)))
        place = self.columns.offset(shape, [steps.get(a, 0) for a in range(len(shape))])
        shift = sum(i * steps[a] for a, i in begin.items() if lengths.get(a, 1) > 1)
        return f"{self._array(x)}[{place}{f' - {shift}' if shift else ''}]"

    def _store(self, value: Value) -> str:
        """What writes an element."""
        name = self.params.written.setdefault(value, f"y{len(self.params.written)}")
        steps = self.params.steps_of(value)
        place = self.columns.offset_of_sum(steps) if self._is_sum(value) else self.columns.offset(value.shape, steps)
        return f"{name}[{place}] = {self.names[value]};"


class Loads:
    """Lines of a part, and the names of what they have loaded."""

    def __init__(self, letter: str):
        self.lines: list[str] = []
        self._letter, self._names = letter, dict[str, str]()

    def load(self, expression: str, kind: str) -> str:
        """The name of what an expression reads."""
        if expression not in self._names:
            self._names[expression] = f"{self._letter}{len(self._names)}"
            self.lines.append(f"const {C_TYPES[kind]} {self._names[expression]} = {expression};")
        return self._names[expression]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
