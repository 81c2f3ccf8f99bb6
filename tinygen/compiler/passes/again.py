"""Small arrays are computed again by each loop that reads them: arithmetic costs a GPU less than a launch.

    %72 = fused(%71): divide(%71, 32)            # (1, 256)
    %73 = fused(%69, %72): subtract(%69, %72)    ->    %73 = fused(%69, %71): divide(%71, 32); subtract(%69, %72)

What nobody reads any more is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..program import Instruction, Program, Value, members
from .fuse import loop_of
from .order import views_where_read

_SMALLER = 4  # times that an array is smaller than the loop that may compute it again
_LONG = 16  # instructions that may be done again


def compute_again(program: Program) -> Program:
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
    source = _needed_for([value], value.maker.body)
    once = any(m.op == "sum" or m.result.state is not None for m in source)  # sums, and what is written to a state
    return [] if once or len(source) > _LONG else source


def _needed_for(values: Iterable[Value], body: list[Instruction]) -> list[Instruction]:
    """The members of a body that make values, or something that they need."""
    wanted, kept = {*values}, []
    for member in reversed(body):
        if not wanted.isdisjoint(member.results):
            kept.append(member)
            wanted.update(member.values)
    return kept[::-1]


def _without_unread(program: Program, instructions: list[Instruction]) -> list[Instruction]:
    read = {v.root for v in (*program.outputs, *program.updates.values())}
    kept = []
    for instruction in reversed(instructions):
        if instruction.op == "fused":
            results = [v for v in instruction.results if v in read]
            if not results:
                continue
            instruction = loop_of(_needed_for(results, instruction.body), instruction.options["shape"], results)
        kept.append(instruction)
        read.update(v.root for v in instruction.values)
    return kept[::-1]
