"""Replacing values of a program by others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..program import Instruction, Program, Value


def rewritten(program: Program, change: Callable[[Instruction], list[Value] | Instruction | None]) -> Program:
    """The program, with each instruction seen once, in order, its operands already replaced.

    change(instruction) returns the values to use in place of its results, and it is dropped; or another instruction,
    without results, to stand in its place; or None, and it stays.
    """
    instead: dict[Value, Value] = {}
    kept = []
    for instruction in program.instructions:
        operands = tuple(instead.get(x, x) if isinstance(x, Value) else x for x in instruction.operands)
        new = instruction
        if any(x is not y for x, y in zip(operands, instruction.operands, strict=True)):
            new = _in_place_of(instruction, instruction.op, operands, instruction.options)
        made = change(new)
        if isinstance(made, Instruction):
            new, made = _in_place_of(instruction, made.op, made.operands, made.options), None
        for old, value in zip(instruction.results, new.results if made is None else made, strict=True):
            if old is not value:
                instead[old] = value
        if made is None:
            kept.append(new)

    def final(value: Value) -> Value:
        return instead.get(value, value)

    updates = {state: final(value) for state, value in program.updates.items()}
    return replace(program, instructions=kept, updates=updates, outputs=[*map(final, program.outputs)])


def _in_place_of(old: Instruction, op: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Instruction:
    """An instruction with results like those of an old one."""
    new = Instruction(op, operands, options, place=old.place)
    new.results = [Value(v.like, new, v.name, v.state) for v in old.results]
    return new


def key_of(instruction: Instruction) -> Any:
    """What two instructions have in common if they compute the same."""
    operands = tuple(id(x) if isinstance(x, Value) else (type(x), repr(x)) for x in instruction.operands)
    result = instruction.result
    return (
        instruction.op,
        operands,
        repr(sorted(instruction.options.items())),
        result.dtype,
        result.shape,
        result.like.strides,
    )
