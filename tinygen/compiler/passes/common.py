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
    read: dict[Any, list[Value]] = {}  # by calls that change nothing, since the last that may

    def earlier(instruction: Instruction) -> list[Value] | None:
        if instruction.op == "call" and not _depends_on_numbers_alone(instruction):
            function = instruction.options["function"]
            if not getattr(function, "only_reads", False):
                read.clear()
                return None
            of = id(getattr(function, "__self__", None)), getattr(function, "__func__", function)
            return _known(read, (of, key_of(instruction)), instruction)
        return None if instruction.op in _NEVER else _known(known, key_of(instruction), instruction)

    return rewritten(program, earlier)


def _known(known: dict[Any, list[Value]], key: Any, instruction: Instruction) -> list[Value] | None:
    """The results of an earlier instruction with this key; if there is none, note this one's."""
    found = known.get(key)
    known.setdefault(key, instruction.results)
    return found


def _depends_on_numbers_alone(call: Instruction) -> bool:
    """Whether a call is given numbers, and its function has no closure or object that it could read or change."""
    function = call.options["function"]
    plain = isinstance(function, FunctionType) and not function.__closure__
    return bool(call.operands) and (plain or isinstance(function, BuiltinFunctionType))
