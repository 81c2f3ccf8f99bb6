"""What the steps of a loop can do: one entry an op, a function of Values, with NumPy's names and meaning.

Operands come in the dtype in which the op is done: the step's own, or, for comparisons, the one that they share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import maths
from .values import BOOL, Value

Op = Callable[..., Value]


def _libm(name: str) -> Op:
    return lambda x: x.code.call(name, x)


def _maximum(a: Value, b: Value) -> Value:
    return _or_nan(a, a.code.choose(a > b, a, b))


def _minimum(a: Value, b: Value) -> Value:
    return _or_nan(a, a.code.choose(a < b, a, b))


def _or_nan(a: Value, chosen: Value) -> Value:
    """A comparison with NaN is false: b, which is right if b is NaN; but not if a is."""
    return a.code.choose(a != a, a, chosen) if a.dtype.kind == "f" else chosen


def _absolute(x: Value) -> Value:
    if x.dtype.kind == "f":
        return x.code.call("llvm.fabs", x)
    return x if x.dtype.kind in "bu" else x.code.choose(x < 0, -x, x)


def _sign(x: Value) -> Value:
    zero, one = x.code.constant(0, x.dtype), x.code.constant(1, x.dtype)
    less = zero if x.dtype.kind in "bu" else x.code.constant(-1, x.dtype)
    y = x.code.choose(x > 0, one, x.code.choose(x < 0, less, zero) if x.dtype.kind not in "bu" else zero)
    return x.code.choose(x != x, x, y) if x.dtype.kind == "f" else y


def _floor(x: Value) -> Value:
    return x.code.call("llvm.floor", x) if x.dtype.kind == "f" else x


def _isfinite(x: Value) -> Value:
    return _absolute(x) < math.inf if x.dtype.kind == "f" else x.code.constant(True, BOOL) | False


def _power(x: Value, n: Value) -> Value:
    """By multiplication if n is a small whole constant; else by libm."""
    constant = _number(n)
    if constant in (0.5, -0.5) and x.dtype.kind == "f":
        y = x.code.call("llvm.sqrt", x + 0)  # the root of -0 is -0, its power 0
        return y if constant > 0 else 1 / y
    if constant is None or constant != int(constant) or abs(constant) > 64 or (constant < 0 and x.dtype.kind != "f"):
        if x.dtype.kind != "f":
            raise ValueError("power: an integer's exponent must be a constant from 0 to 64")
        return x.code.call("llvm.pow", x, n)
    y, square, rest = x.code.constant(1, x.dtype), x, abs(int(constant))
    while rest:
        y = y * square if rest & 1 else y
        square, rest = square * square if rest > 1 else square, rest >> 1
    return 1 / y if constant < 0 else y + 0 if constant == 0 else y


def _number(x: Value) -> Any:
    """The number that a constant stands for; None for what is known at run time only."""
    if x.text[0] == "%":
        return None
    if x.dtype.kind == "f":
        number = float(np.array(int(x.text, 16), np.uint64).view(np.float64))
        return number if math.isfinite(number) else None
    return int(x.text)


def _shift(verb: str) -> Op:
    """Shifted by as many bits as there are, or more, nothing is left but the sign."""

    def shift(x: Value, n: Value) -> Value:
        bits, choose = 8 * x.dtype.itemsize, x.code.choose
        inside = (n < bits) & (n >= 0)
        rest = choose(x < 0, -1, x.code.constant(0, x.dtype)) if verb == ">>" else x.code.constant(0, x.dtype)
        n = choose(inside, n, x.code.constant(0, n.dtype))
        return choose(inside, x << n if verb == "<<" else x >> n, rest)

    return shift


ARITHMETIC: dict[str, Op] = {  # in the step's dtype
    "copy": lambda x: x,
    "astype": lambda x: x,
    "add": lambda a, b: a | b if a.dtype == BOOL else a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negative": lambda x: -x,
    "reciprocal": lambda x: 1 / x,
    "absolute": _absolute,
    "sign": _sign,
    "square": lambda x: x * x,
    "power": _power,
    "sqrt": _libm("llvm.sqrt"),
    "exp": maths.exp,
    "expm1": maths.expm1,
    "log": maths.log,
    "log1p": maths.log1p,
    "tanh": maths.tanh,
    "sin": _libm("llvm.sin"),
    "cos": _libm("llvm.cos"),
    "floor": _floor,
    "maximum": _maximum,
    "minimum": _minimum,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
    "invert": lambda x: ~x,
    "left_shift": _shift("<<"),
    "right_shift": _shift(">>"),
}

COMPARISONS: dict[str, Op] = {  # in the dtype that the operands share; the result is a bool
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "isfinite": _isfinite,
    "isnan": lambda x: x != x,
}

LOGICAL: dict[str, Op] = {  # in bool
    "logical_and": lambda a, b: a & b,
    "logical_or": lambda a, b: a | b,
    "logical_xor": lambda a, b: a ^ b,
    "logical_not": lambda x: ~x,
}

OPS = frozenset({"where", *ARITHMETIC, *COMPARISONS, *LOGICAL})


def apply(op: str, dtype: Any, *operands: Value) -> Value:
    """The op's result in `dtype`. Raises ValueError for an op that isn't known."""
    dtype = np.dtype(dtype)
    if op == "where":
        condition, a, b = operands
        return condition.code.choose(condition.astype(BOOL), a.astype(dtype), b.astype(dtype))
    if op in ARITHMETIC:
        return ARITHMETIC[op](*(x.astype(dtype) for x in operands)).astype(dtype)
    if op in COMPARISONS:
        shared = np.result_type(*(x.dtype for x in operands))
        return COMPARISONS[op](*(x.astype(shared) for x in operands)).astype(dtype)
    if op in LOGICAL:
        return LOGICAL[op](*(x.astype(BOOL) for x in operands)).astype(dtype)
    raise ValueError(f"a loop has no op {op!r}; it has {', '.join(sorted(OPS))}")
