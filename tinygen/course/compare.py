"""Whether an answer is the right one, and if not, what differs: in shapes and types, never in the numbers drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from .child import Other


def difference(answer: Any, right: Any, rtol: float, name: str = "your answer") -> str:
    """What is wrong with an answer, or "" if it is right. Numbers may be off by rtol times the largest right one."""
    if isinstance(right, dict):
        if not isinstance(answer, dict) or set(answer) != set(right):
            return f"{name} is {_kind(answer)}; expected {', '.join(right)}"
        return next(filter(None, (difference(answer[key], right[key], rtol, key) for key in right)), "")
    if isinstance(right, list):
        if not isinstance(answer, list) or len(answer) != len(right):
            return f"{name} is {_kind(answer)}; expected {_kind(right)}"
        pairs = enumerate(zip(answer, right, strict=True))
        return next(filter(None, (difference(a, r, rtol, f"{name}[{i}]") for i, (a, r) in pairs)), "")
    if isinstance(right, np.ndarray | float | int) and not isinstance(right, bool):
        return _difference_of_numbers(answer, right, rtol, name)
    if type(answer) is not type(right):
        return f"{name} is {_kind(answer)}; expected {_kind(right)}"
    return "" if answer == right else f"{name} is not the right one"


def _difference_of_numbers(answer: Any, right: Any, rtol: float, name: str) -> str:
    if isinstance(answer, bool) or not isinstance(answer, np.ndarray | float | int):
        return f"{name} is {_kind(answer)}; expected {_kind(right)}" + (
            ": did you return it?" if answer is None else ""
        )
    a, r = np.asarray(answer), np.asarray(right)
    if a.shape != r.shape:
        return f"{name} has shape {a.shape}; expected {r.shape}"
    if r.dtype.kind != "b" and not np.isfinite(a).all() and np.isfinite(r).all():
        return f"{name} has NaNs or infinities"
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(r[np.isfinite(r)]), initial=0.0) if r.dtype.kind == "f" else 0.0
        close = np.isclose(a, r, rtol=0, atol=rtol * scale, equal_nan=True)
    if close.all():
        return ""
    if a.dtype == np.float32 and r.dtype == np.float64:
        return f"{name} is float32; compute in float64"
    if a.size == 1:
        return f"{name} is not the right number"
    return f"{name}: {np.count_nonzero(~close)} of {a.size} numbers are wrong"


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Other):
        return f"of type {value.name}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    names = {bool: "True or False", int: "a number", float: "a number", str: "a text", dict: "a dictionary"}
    return names.get(type(value), f"of type {type(value).__name__}")
