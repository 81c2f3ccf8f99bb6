"""Whether two traces of one step are the same program: if not, something in it changes from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from .program import Instruction, Program, Value


def difference(a: Program, b: Program) -> str:
    """What differs, in words; "" if nothing does."""
    places = _numbered(a), _numbered(b)
    for x, y in zip(a.instructions, b.instructions, strict=False):
        if why := _differs(x, y, a, b, places):
            return f"{_where(x)}: {why}"
    if len(a) != len(b):
        longer = max(a, b, key=len).instructions[min(len(a), len(b))]
        return f"{_where(longer)}: one step does it and the next does not"
    if _left_by(a, places[0]) != _left_by(b, places[1]):
        return "one step changes or returns other arrays than the next"
    return ""


def _left_by(program: Program, places: dict[Value, int]) -> Any:
    """What a step leaves: its updates and outputs, by place."""
    return {places[s]: places[v] for s, v in program.updates.items()}, [places[v] for v in program.outputs]


def _numbered(program: Program) -> dict[Value, int]:
    return {v: n for n, v in enumerate(v for i in program.instructions for v in i.results)}


def _differs(x: Instruction, y: Instruction, a: Program, b: Program, places: Any) -> str:
    """What differs between two instructions, in words; "" if nothing does."""
    if x.op != y.op:
        return f"one step computes {x.op} where the next computes {y.op}"
    if x.op == "constant":
        same = _same_array(a.arrays[x.result], b.arrays[y.result])
        return "" if same else "an array from outside of the model changes from step to step"
    if x.options.get("generator") is not y.options.get("generator"):
        return f"{x.op} draws from a stream that the step makes anew each time"
    differs = f"{x.op} differs from step to step"
    if [(v.shape, v.dtype) for v in x.results] != [(v.shape, v.dtype) for v in y.results]:
        return differs
    for p, q in zip(x.operands, y.operands, strict=False):
        if isinstance(p, Value) or isinstance(q, Value):
            if places[0].get(p) != places[1].get(q):
                return differs
        elif p is not q and p != q and not (p != p and q != q):
            return _number_changes(x, p, q)
    for name, option in x.options.items():
        other = y.options[name]
        same = option is other or option == other or getattr(option, "__code__", 0) is getattr(other, "__code__", 1)
        if not same:
            return _number_changes(x, option, other) if isinstance(option, (int, float)) else differs
    return ""


def _number_changes(x: Instruction, p: Any, q: Any) -> str:
    return f"{x.op} takes a number that changes from step to step ({p}, then {q}); compute it with tg.per_step"


def _same_array(p: Any, q: Any) -> bool:
    return p is q or (p.dtype == q.dtype and np.array_equal(to_host(p), to_host(q), equal_nan=p.dtype.kind == "f"))


def _where(x: Instruction) -> str:
    return str(x.place[0]) if x.place else x.op
