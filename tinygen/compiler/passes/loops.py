"""What a GPU does in loops, besides functions of elements and sums, so that it can run beside other loops.

    %10 = normal(1)                               %10 = fused(): normal(1)
    %87 = concatenate(x, %86, axis=0)      ->     %87 = fused(x, %86): concatenate(x, %86, axis=0)
    w', m', v' = update(%7, %6, m, v, w):         %8 = matmul(%7, %6)
        %8 = matmul(%7, %6)                       w', m', v' = fused(%8, m, v, w): ...
        ...

These are draws, arrays put together of others, and new values of states that lie elsewhere. An update leaves its
gradient in memory. A loop has one kind of sums: those over everything go into a loop of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ..columns import whole_axes
from ..program import DRAWS, VIEWS, Instruction, Program, Value
from .again import needed_for
from .fuse import loop_of
from .order import views_where_read


def in_loops(program: Program, has_kernel: Callable[[Instruction], bool]) -> Program:
    """The program with loops in place of what they can do; has_kernel says if that is so."""
    others = {state: v for state, v in program.updates.items() if v.op in VIEWS or v.state is not state}
    copies = {state: _copied(value, state) for state, value in others.items()}
    made = [new for i in program.instructions for new in _parts_of(i, has_kernel)]
    updates = program.updates | {state: copy.result for state, copy in copies.items()}
    return views_where_read(replace(program, updates=updates), [*made, *copies.values()])


def _copied(value: Value, state: Value) -> Instruction:
    """A loop that copies a value to a state, whose new value that is."""
    copy = Instruction("copy", (value,), place=value.maker.place)
    copy.results = [Value(state.like, copy, state=state)]
    return loop_of([copy], state.shape, copy.results)


def _parts_of(instruction: Instruction, has_kernel: Callable[[Instruction], bool]) -> Iterator[Instruction]:
    op = instruction.op
    if op == "update":
        yield from (term.product for term in instruction.options["terms"])
        yield from (_made_by(loop) for loop in (instruction.options["adder"], instruction.options["loop"]) if loop)
    elif op == "fused":
        yield from _of_one_kind(instruction)
    elif op in DRAWS or op in ("concatenate", "put"):
        loop = loop_of([instruction], instruction.result.shape, [*instruction.results])
        yield loop if has_kernel(loop) else _made_by(instruction)
    else:
        yield instruction


def _made_by(instruction: Instruction) -> Instruction:
    """An instruction as the maker of its results again."""
    for value in instruction.results:
        value.maker = instruction
    return instruction


def _of_one_kind(loop: Instruction) -> Iterator[Instruction]:
    """A loop as two, if it has sums over some axes and sums over all: these are the second."""
    sums = {m.result: tuple(sorted(m.options["axes"])) for m in loop.body if m.op == "sum"}
    over_all = [v for v in loop.results if v in sums and sums[v] == whole_axes(loop.options["shape"])]
    others = [v for v in loop.results if v not in over_all]
    if over_all and any(v in sums for v in others):
        yield loop_of(needed_for(others, loop.body), loop.options["shape"], others)
        yield loop_of(needed_for(over_all, loop.body), loop.options["shape"], over_all)
    else:
        yield loop
