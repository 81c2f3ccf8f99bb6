"""Where the values of a program lie in its memory, and from when to when."""

from __future__ import annotations

from typing import NamedTuple

from .memory import address
from .plan import Plan
from .program import VIEWS, Program, Value, work


class Span(NamedTuple):
    """The memory of a value: `size` bytes from `at` on, from instruction `first`, which makes it, to `last`, which is
    the last to read it.
    """

    value: Value
    at: int
    size: int
    first: int
    last: int


def spans(program: Program, plan: Plan) -> list[Span]:
    """Where each value lies in a program's own memory, and when; first and last count `work(program)`."""
    instructions = work(program)
    last = {value.root: len(instructions) - 1 for value in (*program.updates.values(), *program.outputs)}
    for i, instruction in enumerate(instructions):
        for value in instruction.values:
            last[value.root] = max(i, last.get(value.root, 0))
    inputs = [(v, 0) for v in program.inputs]
    owned = [(v, i) for i, instruction in enumerate(instructions) for v in instruction.results]
    owned = [(v, i) for v, i in [*inputs, *owned] if _is_own(v, program, plan)]
    begin = min((address(plan[v]) for v, _ in owned), default=0)
    return [Span(v, address(plan[v]) - begin, v.like.nbytes, i, last.get(v, i)) for v, i in owned]


def _is_own(value: Value, program: Program, plan: Plan) -> bool:
    """Whether a value lies in the program's memory, not in that of a state."""
    return value.op not in VIEWS and not any(plan[value] is array for array in program.arrays.values())


def bytes_apart(program: Program) -> int:
    """The memory that a program would take if each value had its own."""
    return sum(v.like.nbytes for i in work(program) for v in i.results if i.op != "call")
