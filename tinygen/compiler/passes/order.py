"""Order: what Python does comes first, so that nothing waits for it.

Calls depend on nothing but each other; draws depend on calls. Both keep their order among themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..program import DRAWS, SILENT, VIEWS, Instruction, Program, Value


def calls_first(program: Program) -> Program:
    """The program with the calls, which compute numbers, before everything else."""
    return _first(program, {"call", *SILENT})


def draws_first(program: Program) -> Program:
    """The program with its calls and draws before everything else: then all the rest is one run of native code."""
    return _first(program, {"call", *SILENT, *DRAWS})


def _first(program: Program, ops: set[str]) -> Program:
    early = [i for i in program.instructions if i.op in ops]
    return program.with_instructions([*early, *(i for i in program.instructions if i.op not in ops)])


def views_where_read(program: Program, instructions: Iterable[Instruction]) -> Program:
    """The program with these instructions, which may have moved, and each view just before it is first read."""
    made: dict[Instruction, None] = {}
    for instruction in instructions:
        if instruction.op not in VIEWS:
            _add_views(instruction.values, made)
            made[instruction] = None
    _add_views([*program.outputs, *program.updates.values()], made)
    return program.with_instructions([*made])


def _add_views(values: Iterable[Value], made: dict[Instruction, None]) -> None:
    for value in values:
        if value.op in VIEWS and value.maker not in made:
            _add_views(value.maker.values, made)
            made[value.maker] = None
