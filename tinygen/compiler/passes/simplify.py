"""Simplification: views of views, copies that change nothing, and arithmetic on constants.

%1 = reshape(x, shape=(4, 2))
%2 = reshape(%1, shape=(8,))        ->  %2 = reshape(x, shape=(8,))
%3 = full(value=1.0)
%4 = multiply(%3, 0.5)              ->  %4 = full(value=0.5)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..definitions import definition
from ..program import ELEMENTWISE, VIEWS, Instruction, Program, Value
from .rewrite import rewritten


def simplify(program: Program) -> Program:
    """The program without instructions that need not be computed, in one walk from its beginning to its end."""

    def simpler(instruction: Instruction) -> list[Value] | Instruction | None:
        for rule in (_same_elements, _view_of_view, _constant):
            made = rule(instruction)
            if isinstance(made, Value):
                return [made]
            if made is not None:
                return Instruction(*made)
        return None

    return rewritten(program, simpler)


def _same_elements(instruction: Instruction) -> Any:
    """x for a view or a copy that has the shape and the layout of x."""
    if instruction.op in ("reshape", "broadcast_to", "copy", "astype", "transpose"):
        x, y = instruction.operands[0], instruction.result
        if x.shape == y.shape and x.dtype == y.dtype and x.like.strides == y.like.strides:
            return x
    return None


def _view_of_view(instruction: Instruction) -> Any:
    """A reshape of a reshape is one; so is a transpose of a transpose."""
    op = instruction.op
    if op not in ("reshape", "transpose") or instruction.operands[0].op != op:
        return None
    inner = instruction.operands[0].maker
    source, y = inner.operands[0], instruction.result
    if op == "transpose":
        axes = tuple(inner.options["axes"][a] for a in instruction.options["axes"])
        if axes == tuple(range(len(axes))):
            return source
        return op, (source,), {"axes": axes}
    if source.shape == y.shape and source.like.strides == y.like.strides:
        return source
    possible = np.may_share_memory(source.like.reshape(y.shape), source.like)
    return (op, (source,), instruction.options) if possible else None


def _constant(instruction: Instruction) -> Any:
    """The same element everywhere, computed now."""
    op, values = instruction.op, list(instruction.values)
    if not values or any(v.op != "full" for v in values) or not (op in ELEMENTWISE or op in VIEWS or op == "copy"):
        return None
    if op in VIEWS or op == "copy":
        return ("full", (), values[0].maker.options) if op != "bitcast" else None
    numbers = [x.dtype.type(x.maker.options["value"]) if isinstance(x, Value) else x for x in instruction.operands]
    y = np.asarray(definition(op)(*numbers, **instruction.options)).astype(instruction.result.dtype)
    return "full", (), {"value": y.item()}
