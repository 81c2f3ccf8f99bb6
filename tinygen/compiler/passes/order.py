"""Order: what Python does comes first, so that nothing waits for it.

Calls depend on nothing but each other; draws depend on calls. Both keep their order among themselves.
"""

from __future__ import annotations

from ..program import DRAWS, SILENT, Program


def calls_first(program: Program) -> Program:
    """The program with the calls, which compute numbers, before everything else."""
    return _first(program, {"call", *SILENT})


def draws_first(program: Program) -> Program:
    """The program with its calls and draws before everything else: then all the rest is one run of native code."""
    return _first(program, {"call", *SILENT, *DRAWS})


def _first(program: Program, ops: set[str]) -> Program:
    early = [i for i in program.instructions if i.op in ops]
    return program.with_instructions([*early, *(i for i in program.instructions if i.op not in ops)])
