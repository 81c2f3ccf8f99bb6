"""Arrays that are computed again where they are read, so that they need not be kept, or made by a loop of their own.

Large ones, on the way back: what a layer made on the way forward takes memory until its gradient has been computed, and
is often made of another array that is kept as well.

    %4 = fused(%3, b): add(%3, b), maximum       %4 = fused(%3, b): add(%3, b), maximum
    %5 = conv2d(%4, w)                           %5 = conv2d(%4, w)              # and now %4 is gone
    ...                                    ->    ...
                                                 %8 = fused(%3, b): add(%3, b), maximum
    w' = conv2d_weight_grad(%4, %7)              w' = conv2d_weight_grad(%8, %7)

Small ones, on a GPU, where arithmetic costs less than a launch.

    %72 = fused(%71): divide(%71, 32)            # (1, 256)
    %73 = fused(%69, %72): subtract(%69, %72)    ->    %73 = fused(%69, %71): divide(%71, 32); subtract(%69, %72)

What nobody reads any more is dropped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable
from typing import Any

from ..program import CONVOLUTIONS, ELEMENTWISE, SILENT, VIEWS, Instruction, Program, Value, members
from .fuse import loop_of
from .order import views_where_read

_LARGE, _TINY = 1 << 22, 1 << 16  # bytes: smaller ones stay in the caches; what may be kept for the sake of a large one
_ARITHMETIC = ELEMENTWISE - {"exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "power"} | {"copy", "astype"}
_SMALLER = 4  # times that an array is smaller than the loop that may compute it again
_LONG = 16  # instructions that may be done again


def compute_large_again(program: Program) -> Program:
    """The program that keeps no large array for readers far away, and makes none for loops alone, if what it is made of
    is there for them anyway."""
    large = [v for i in program.instructions if i.op == "fused" for v in i.results if v.like.nbytes >= _LARGE]
    for value in large:
        program = _Again(program, value).program()
    return program


class _Again:
    """A large value on its way to be computed again for its readers: for loops, or for those that are far from it."""

    def __init__(self, program: Program, value: Value):
        self._before, self._value = program, value
        self._place_of = {instruction: place for place, instruction in enumerate(program.instructions)}
        self._readers = program.readers()
        self._kept = {v.root for v in (*program.outputs, *program.updates.values())}

    def program(self) -> Program:
        """The program afterwards: the same, if no reader is helped, or the value can't be computed again for one."""
        value, program = self._value, self._before
        if value in self._kept or value.state is not None:
            return program
        sources = {reader: self._sources(reader) for reader in self._readers.get(value, ())}
        if not all(reader.op == "fused" and found for reader, found in sources.items()):  # so it is needed as a whole
            sources = {reader: sources[reader] for reader in self._far_readers()}
        if not sources or not all(sources.values()):
            return program
        instead = {reader: _with_again(reader, value, found) for reader, found in sources.items()}
        early: dict[int, list[Instruction]] = {}
        for reader, new in instead.items():
            if reader.op != "fused":  # at once, when what it reads has been made: then its copy is soon gone
                ready = max(self._place_of.get(v.root.maker, 0) for i in new for v in i.values)
                early.setdefault(ready, []).extend(new)
                instead[reader] = []
        made = []
        for place, instruction in enumerate(program.instructions):
            made += [*instead.get(instruction, [instruction]), *early.get(place, [])]
        return views_where_read(program, _without_unread(program, made))

    def _far_readers(self) -> list[Instruction]:
        """The readers from the first on that has a product, or a convolution, between it and the one before it."""
        readers = self._readers.get(self._value, [])
        places = [self._place_of[i] for i in (self._value.maker, *readers)]
        between = (self._before.instructions[i + 1 : j] for i, j in itertools.pairwise(places))
        far = (any(i.op not in ("fused", "call", *SILENT, *VIEWS) for i in part) for part in between)
        return readers[next((n for n, is_far in enumerate(far) if is_far), len(readers)) :]

    def _sources(self, reader: Instruction) -> list[Instruction]:
        """The instructions that make the value of what is there for a reader; none if something is not."""
        value, body = self._value, self._value.maker.body
        direct = any(x is value for x in reader.operands) and not any(
            v is not value and v.root is value for v in reader.values
        )
        if not direct or not (reader.op in CONVOLUTIONS or (reader.op == "fused" and _shape(reader) == value.shape)):
            return []
        there = {v for v in value.maker.results if v is not value and self._is_there(v, reader)}
        found = needed_for([value], body, there)
        made = {v for m in found for v in m.results}
        read = {v for m in found for v in m.values} - made
        once = any(m.op not in _ARITHMETIC or m.result.state is not None for m in found)
        return [] if once or len(found) > _LONG or not all(self._is_there(v, reader) for v in read) else found

    def _is_there(self, value: Value, reader: Instruction) -> bool:
        """Whether a value, as the maker of this one reads or makes it, is kept until the reader anyway."""
        root, at = value.root, self._place_of[reader]
        if root.op in ("constant", "call", "full"):
            return True
        state = root if root.op == "state" else root.state
        if state is not None:
            begin = self._place_of[self._value.maker]
            between = self._before.instructions[begin + 1 : at]
            return root.op == "state" and not any(v.state is state for i in between for v in i.results)
        last = max((self._place_of[i] for i in self._readers.get(root, ())), default=-1)
        return root in self._kept or last >= at or root.like.nbytes <= _TINY


def _shape(loop: Instruction) -> tuple[int, ...]:
    return loop.options["shape"]


def _with_again(reader: Instruction, value: Value, sources: list[Instruction]) -> list[Instruction]:
    """A reader of a value that is computed again: by the reader, if that is a loop, else just before it."""
    again, copies = dict[Value, Value](), list[Instruction]()
    for source in sources:
        copies.append(_with_operands(source, again, [], reader.place))
        again |= zip(source.results, copies[-1].results, strict=True)
    instead = {value: again[value]}
    if reader.op == "fused":
        body = [_with_operands(m, instead, m.results, m.place) if value in m.values else m for m in reader.body]
        return [loop_of([*copies, *body], _shape(reader), reader.results)]
    return [
        loop_of(copies, value.shape, [again[value]]),
        _with_operands(reader, instead, reader.results, reader.place),
    ]


def _with_operands(old: Instruction, instead: dict[Value, Value], results: list[Value], place: Any) -> Instruction:
    """An instruction with other operands, which makes these results, or new ones."""
    operands = tuple(instead.get(x, x) if isinstance(x, Value) else x for x in old.operands)
    new = Instruction(old.op, operands, old.options, results, place)
    new.results = results or [Value(v.like, new) for v in old.results]
    for value in new.results:
        value.maker = new
    return new


def compute_small_again(program: Program) -> Program:
    """The program whose loops compute the small arrays that they read themselves."""
    every = (m for i in program.instructions for m in members(i))
    order = {member: n for n, member in enumerate(every)}
    place_of: dict[Value, int] = {}
    written: dict[Value, list[int]] = {}  # where the states are
    for place, instruction in enumerate(program.instructions):
        for value in instruction.results:
            place_of[value] = place
            if value.state is not None:
                written.setdefault(value.state, []).append(place)
    made = []
    for place, instruction in enumerate(program.instructions):
        if instruction.op == "fused":
            body = dict.fromkeys(instruction.body)
            for value in instruction.values:
                again = _small_source(value, instruction)
                states = {v.root for m in again for v in m.values if v.root.op == "state"}
                if not any(place_of[value] < at < place for s in states for at in written.get(s, ())):
                    body |= dict.fromkeys(again)
            instruction = loop_of(
                sorted(body, key=order.__getitem__), instruction.options["shape"], instruction.results
            )
        made.append(instruction)
    return views_where_read(program, _without_unread(program, made))


def _small_source(value: Value, loop: Instruction) -> list[Instruction]:
    """The few instructions that make a small value, if another loop has them."""
    if value.op != "fused" or math.prod(value.shape) * _SMALLER > math.prod(loop.options["shape"]):
        return []
    source = needed_for([value], value.maker.body)
    once = any(m.op == "sum" or m.result.state is not None for m in source)  # sums, and what is written to a state
    return [] if once or len(source) > _LONG else source


def needed_for(values: Iterable[Value], body: list[Instruction], there: Collection[Value] = ()) -> list[Instruction]:
    """The members of a body that make values, or something that they need and is not there."""
    wanted, kept = {*values}, []
    for member in reversed(body):
        if not wanted.isdisjoint(member.results):
            kept.append(member)
            wanted.update(v for v in member.values if v not in there)
    return kept[::-1]


def _without_unread(program: Program, instructions: list[Instruction]) -> list[Instruction]:
    read = {v.root for v in (*program.outputs, *program.updates.values())}
    kept = []
    for instruction in reversed(instructions):
        if instruction.op == "fused":
            results = [v for v in instruction.results if v in read]
            if not results:
                continue
            instruction = loop_of(needed_for(results, instruction.body), instruction.options["shape"], results)
        kept.append(instruction)
        read.update(v.root for v in instruction.values)
    return kept[::-1]
