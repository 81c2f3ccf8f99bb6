"""Common subexpressions: what is computed twice is computed once.

%5 = negative(x)             %5 = negative(x)
%6 = exp(%5)                 %6 = exp(%5)
%7 = negative(x)        ->
%8 = exp(%7)
%9 = add(%6, %8)             %9 = add(%6, %6)
"""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType
from typing import Any

from ..program import DRAWS, Instruction, Program, Value
from .rewrite import key_of, rewritten

_NEVER = DRAWS | {"constant", "input", "state"}  # two draws differ


def merge_equal(program: Program) -> Program:
    """The program with one instruction in place of several that compute the same."""
    known: dict[Any, list[Value]] = {}

    def earlier(instruction: Instruction) -> list[Value] | None:
        if instruction.op in _NEVER or (instruction.op == "call" and not _depends_on_numbers_alone(instruction)):
            return None
        key = key_of(instruction)
        if key in known:
            return known[key]
        known[key] = instruction.results
        return None

    return rewritten(program, earlier)


def _depends_on_numbers_alone(call: Instruction) -> bool:
    """Whether a call of numbers takes some, and its function has nothing else to read or to change."""
    function = call.options["function"]
    plain = isinstance(function, FunctionType) and not function.__closure__
    return bool(call.operands) and (plain or isinstance(function, BuiltinFunctionType))
