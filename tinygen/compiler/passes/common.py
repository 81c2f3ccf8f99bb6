"""Common subexpressions: what is computed twice is computed once.

%5 = negative(x)             %5 = negative(x)
%6 = exp(%5)                 %6 = exp(%5)
%7 = negative(x)        ->
%8 = exp(%7)
%9 = add(%6, %8)             %9 = add(%6, %6)
"""

from __future__ import annotations

from typing import Any

from ..program import DRAWS, Instruction, Program, Value
from .rewrite import key_of, rewritten

_NEVER = DRAWS | {"constant", "input", "state"}  # two draws differ


def merge_equal(program: Program) -> Program:
    """The program with one instruction in place of several that compute the same."""
    known: dict[Any, list[Value]] = {}

    def earlier(instruction: Instruction) -> list[Value] | None:
        if instruction.op in _NEVER or (instruction.op == "call" and not instruction.operands):
            return None
        key = key_of(instruction)
        if key in known:
            return known[key]
        known[key] = instruction.results
        return None

    return rewritten(program, earlier)
