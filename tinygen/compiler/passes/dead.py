"""Dead code: what nobody reads is not computed.

    %5 = multiply(x, x)          dropped, if no instruction, update or output reads %5
    %6 = add(x, 1)
    return %6

Draws of random numbers and calls stay: they move their stream, or a count of steps, for the next step.
"""

from __future__ import annotations

from ..program import DRAWS, Program, Value


def drop_unused(program: Program) -> Program:
    """The program without instructions whose results nobody reads."""
    read: set[Value] = {*program.outputs, *program.updates.values()}
    kept = []
    for instruction in reversed(program.instructions):
        needed = instruction.op in DRAWS or instruction.op in ("call", "input", "state")
        if needed or not read.isdisjoint(instruction.results):
            kept.append(instruction)
            read.update(instruction.values)
    return program.with_instructions(kept[::-1])
