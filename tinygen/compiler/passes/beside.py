"""Small loops of one shape that need nothing of each other run side by side, as one: a launch less for each.

    b' = fused(b, %8): ...                             b', c' = fused(b, %8, c, %9): ...
    %9 = matmul(%5, %6)                          ->
    c' = fused(c, %9): ...

A loop waits until somebody reads what it makes, or writes over what it reads; then all that wait with it run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..program import VIEWS, Instruction, Program, Value
from .fuse import loop_of
from .order import views_where_read

_SMALL = 1 << 16  # elements; a larger loop fills a GPU alone
_MANY = 40  # arrays of a kernel: of its arguments, CUDA takes 4 KB


def side_by_side(program: Program) -> Program:
    """The program with one loop in place of several small ones of one shape that can run at the same time."""
    latest = _Latest(program)
    waiting: dict[tuple[int, ...], list[Instruction]] = {}
    made: list[Instruction] = []
    for place, instruction in enumerate(program.instructions):
        for shape, loops in waiting.items():
            if any(latest.place_of(loop) <= place for loop in loops):
                made += _merged(loops)
                waiting[shape] = []
        if instruction.op == "fused" and math.prod(instruction.options["shape"]) <= _SMALL:
            waiting.setdefault(instruction.options["shape"], []).append(instruction)
        else:
            made.append(instruction)
    made += (loop for loops in waiting.values() for loop in _merged(loops))
    return views_where_read(program, made)


class _Latest:
    """Until where a loop can wait."""

    def __init__(self, program: Program):
        self._places = {i: n for n, i in enumerate(program.instructions)}
        self._read: dict[Value, list[int]] = {}  # where the memory of each value is read
        self._written: dict[Value, list[int]] = {}  # where each state gets another value
        for place, instruction in enumerate(program.instructions):
            if instruction.op not in VIEWS:
                for root in {v.root for v in instruction.values}:
                    self._read.setdefault(root, []).append(place)
                for state in {v.state for v in instruction.results if v.state is not None}:
                    self._written.setdefault(state, []).append(place)
        self._found: dict[Instruction, int] = {}

    def place_of(self, loop: Instruction) -> int:
        """The place of the first instruction that can't go before it."""
        if loop not in self._found:
            mine = self._places[loop]
            reads = [at for v in loop.results for at in self._read.get(v, ())]
            states = {v.root if v.root.state is None else v.root.state for v in (*loop.values, *loop.results)}
            writes = [at for state in states for at in self._written.get(state, ())]
            self._found[loop] = min((at for at in (*reads, *writes) if at > mine), default=len(self._places))
        return self._found[loop]


def _merged(loops: list[Instruction]) -> Iterator[Instruction]:
    """These loops as one, or as a few, none of which has too many arrays."""
    together: list[Instruction] = []
    for loop in loops:
        if together and _arrays_of([*together, loop]) > _MANY:
            yield _as_one(together)
            together = []
        together.append(loop)
    if together:
        yield _as_one(together)


def _arrays_of(loops: list[Instruction]) -> int:
    return len({v for loop in loops for v in (*loop.values, *loop.results)})


def _as_one(loops: list[Instruction]) -> Instruction:
    body = dict.fromkeys(member for loop in loops for member in loop.body)
    if len(loops) == 1:
        return loops[0]
    return loop_of([*body], loops[0].options["shape"], [v for loop in loops for v in loop.results])
