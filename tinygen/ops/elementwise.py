"""Element by element: arithmetic, functions, choices. Arguments broadcast as in NumPy.

At a kink (abs at 0, equal arguments of maximum) the rules give the mean of the two slopes, and at a bound of clip the
slope inside, as PyTorch does; the second derivative there is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from ..backend import Array, array_module
from ..primitives import elementwise
from ..rules import flat
from .comparisons import equal, greater, less, less_equal

# Arithmetic


@elementwise
def add(a: Any, b: Any) -> Array:
    """a + b.

    >>> tg.ops.add([1.0, 2.0], 10.0)
    array([11., 12.], dtype=float32)
    """
    return a + b


@elementwise
def subtract(a: Any, b: Any) -> Array:
    """a - b.

    >>> tg.ops.subtract([3.0, 2.0], 1.0)
    array([2., 1.], dtype=float32)
    """
    return a - b


@elementwise
def multiply(a: Any, b: Any) -> Array:
    """a · b.

    >>> tg.ops.multiply([1.0, 2.0], [3.0, 4.0])
    array([3., 8.], dtype=float32)
    """
    return a * b


@elementwise
def divide(a: Any, b: Any) -> Array:
    """a / b; integers give float32 or float64.

    >>> tg.ops.divide([1, 2], 4)
    array([0.25, 0.5 ])
    """
    y = a / b
    if getattr(y, "dtype", None) is _HALF and _HALF not in (getattr(a, "dtype", None), getattr(b, "dtype", None)):
        return floats(a) / floats(b)
    return y


@elementwise
def floor_divide(a: Any, b: Any) -> Array:
    """a // b: a / b, rounded down; a constant to backward.

    >>> tg.ops.floor_divide([7.0, -7.0], 2.0)
    array([ 3., -4.], dtype=float32)
    """
    return array_module(a, b).floor_divide(a, b)


@elementwise
def remainder(a: Any, b: Any) -> Array:
    """a % b: a - b · (a // b), which has the sign of b, as in NumPy and Python.

    >>> tg.ops.remainder([7.0, -7.0], 2.0)
    array([1., 1.], dtype=float32)
    """
    return array_module(a, b).remainder(a, b)


@elementwise
def negative(x: Any) -> Array:
    """-x.

    >>> tg.ops.negative([1.0, -2.0])
    array([-1.,  2.], dtype=float32)
    """
    return -x


@elementwise
def power(x: Any, p: Any) -> Array:
    """x to the power of p.

    >>> tg.ops.power([1.0, 2.0, 3.0], 2)
    array([1., 4., 9.], dtype=float32)
    """
    return x**p


add.rules(lambda gy, y, a, b: gy, lambda gy, y, a, b: gy)
subtract.rules(lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy)
multiply.rules(lambda gy, y, a, b: gy * b, lambda gy, y, a, b: a * gy)
divide.rules(lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b)
floor_divide.rules(flat, flat)
remainder.rules(lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy * floor_divide(a, b))
negative.rules(lambda gy, y, x: -gy)
power.rules(
    lambda gy, y, x, p: _power_slope(gy, x, p),
    lambda gy, y, x, p: gy * y * _log_or_0(x, y),
)


def _power_slope(gy: Any, x: Any, p: Any) -> Any:
    """gy · p · xᵖ⁻¹; 0 where x and p are 0, and for the number p = 0 everywhere, whatever gy is."""
    if isinstance(p, (int, float)):
        return gy * p * x ** (p - 1) if p else where(less(x, x), gy, 0.0)
    return gy * p * where(equal(x, 0) * equal(p, 0), 1.0, x) ** (p - 1)


def _log_or_0(x: Any, y: Any) -> Any:
    """log x, and 0 where x is 0 and y = xᵖ is 0 or 1: d(0ᵖ)/dp is 0 for p >= 0."""
    if isinstance(x, (int, float)) and x:
        return math.log(x) if x > 0 else math.nan
    return log(where(equal(x, 0) * less_equal(y, 1), 1.0, x))


# Functions. Integers give floats: float32 for 8 and 16 bits, else float64. (NumPy gives float16 for 8.)

_HALF = np.dtype(np.float16)


def floats(x: Any) -> Any:
    """x, or floats of at least 32 bits if x is an array of integers or booleans."""
    return kernels.wide(x) if _is_whole(x) else x


@elementwise
def exp(x: Any) -> Array:
    """eˣ.

    >>> tg.ops.exp([0.0, 1.0]).round(3)
    array([1.   , 2.718], dtype=float32)
    """
    return array_module(x).exp(floats(x))


@elementwise
def expm1(x: Any) -> Array:
    """eˣ - 1, exact for small x.

    >>> tg.ops.expm1(1e-12)
    array(1.e-12)
    """
    return array_module(x).expm1(floats(x))


@elementwise
def log(x: Any) -> Array:
    """The natural logarithm of x.

    >>> tg.ops.log([1.0, 10.0]).round(3)
    array([0.   , 2.303], dtype=float32)
    """
    return array_module(x).log(floats(x))


@elementwise
def log1p(x: Any) -> Array:
    """log(1 + x), exact for small x.

    >>> tg.ops.log1p(1e-12)
    array(1.e-12)
    """
    return array_module(x).log1p(floats(x))


@elementwise
def sqrt(x: Any) -> Array:
    """The square root of x.

    >>> tg.ops.sqrt([4.0, 9.0])
    array([2., 3.], dtype=float32)
    """
    return array_module(x).sqrt(floats(x))


@elementwise
def abs(x: Any) -> Array:
    """|x|.

    >>> tg.ops.abs([-2.0, 3.0])
    array([2., 3.], dtype=float32)
    """
    return array_module(x).abs(x)


@elementwise
def sign(x: Any) -> Array:
    """-1, 0 or 1, as x is negative, zero or positive; a constant to backward.

    >>> tg.ops.sign([-2.0, 0.0, 3.0])
    array([-1.,  0.,  1.], dtype=float32)
    """
    return array_module(x).sign(x)


@elementwise
def floor(x: Any) -> Array:
    """The largest whole number that is no larger than x; a constant to backward.

    >>> tg.ops.floor([1.7, -1.7])
    array([ 1., -2.], dtype=float32)
    """
    return x.copy() if _is_whole(x) else array_module(x).floor(x)


@elementwise
def ceil(x: Any) -> Array:
    """The smallest whole number that is no smaller than x; a constant to backward.

    >>> tg.ops.ceil([1.2, -1.2])
    array([ 2., -1.], dtype=float32)
    """
    return x.copy() if _is_whole(x) else array_module(x).ceil(x)


@elementwise
def round(x: Any) -> Array:
    """The nearest whole number, of two equally near ones the even one; a constant to backward.

    >>> tg.ops.round([0.5, 1.5, 1.7])
    array([0., 2., 2.], dtype=float32)
    """
    return x.copy() if _is_whole(x) else array_module(x).rint(x)


def _is_whole(x: Any) -> bool:
    """Whether x is an array of integers or booleans."""
    return getattr(x, "dtype", _HALF).kind in "biu"


@elementwise
def sin(x: Any) -> Array:
    """sin x, x in radians.

    >>> tg.ops.sin([0.0, np.pi / 2])
    array([0., 1.], dtype=float32)
    """
    return array_module(x).sin(floats(x))


@elementwise
def cos(x: Any) -> Array:
    """cos x, x in radians.

    >>> tg.ops.cos([0.0, np.pi])
    array([ 1., -1.], dtype=float32)
    """
    return array_module(x).cos(floats(x))


exp.rules(lambda gy, y, x: gy * y)
expm1.rules(lambda gy, y, x: gy * (y + 1))
log.rules(lambda gy, y, x: gy / x)
log1p.rules(lambda gy, y, x: gy / (1 + x))
sqrt.rules(lambda gy, y, x: gy * 0.5 / y)
abs.rules(lambda gy, y, x: where(greater(x, 0), gy, where(less(x, 0), -gy, 0.0)))
sign.rules(flat)
floor.rules(flat)
ceil.rules(flat)
round.rules(flat)
sin.rules(lambda gy, y, x: gy * cos(x))
cos.rules(lambda gy, y, x: -gy * sin(x))


# Choices


@elementwise
def maximum(a: Any, b: Any) -> Array:
    """The larger of a and b.

    >>> tg.ops.maximum([1.0, 5.0], 3.0)
    array([3., 5.], dtype=float32)
    """
    return array_module(a, b).maximum(a, b)


@elementwise
def minimum(a: Any, b: Any) -> Array:
    """The smaller of a and b.

    >>> tg.ops.minimum([1.0, 5.0], 3.0)
    array([1., 3.], dtype=float32)
    """
    return array_module(a, b).minimum(a, b)


@elementwise
def clip(x: Any, min: Any = None, max: Any = None) -> Array:
    """x, but no smaller than min and no larger than max (None: no bound).

    >>> tg.ops.clip([-2.0, 0.5, 3.0], 0.0, 1.0)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return array_module(x).clip(x, min, max)


@elementwise
def where(condition: Any, a: Any, b: Any) -> Array:
    """a where condition holds, b elsewhere.

    >>> tg.ops.where([True, False], [1.0, 2.0], 0.0)
    array([1., 0.], dtype=float32)
    """
    return array_module(condition, a, b).where(condition, a, b)


maximum.rules(
    lambda gy, y, a, b: _unless_lost(gy, less(a, b), equal(a, b)),
    lambda gy, y, a, b: _unless_lost(gy, greater(a, b), equal(a, b)),
)
minimum.rules(
    lambda gy, y, a, b: _unless_lost(gy, greater(a, b), equal(a, b)),
    lambda gy, y, a, b: _unless_lost(gy, less(a, b), equal(a, b)),
)
clip.rules(
    lambda gy, y, x, min, max: where(equal(x, y), gy, 0.0),
    lambda gy, y, x, min, max: where(less(x, min), gy if max is None else where(less(min, max), gy, 0.0), 0.0),
    lambda gy, y, x, min, max: where(greater(x, max), gy, 0.0 if min is None else where(less(max, min), gy, 0.0)),
)
where.rules(
    flat,
    lambda gy, y, condition, a, b: where(condition, gy, 0.0),
    lambda gy, y, condition, a, b: where(condition, 0.0, gy),
)


def _unless_lost(gy: Any, loses: Any, tie: Any) -> Any:
    """0 where it loses, half of gy at a tie, else gy; NaN wins on either side."""
    return where(loses, 0.0, where(tie, gy * 0.5, gy))


@elementwise
def astype(x: Any, dtype: npt.DTypeLike) -> Array:
    """x as another dtype. The gradient comes back in x's own.

    >>> tg.ops.astype(tg.tensor([1.5, 2.0]), "float64")
    Tensor([1.5, 2. ], dtype=float64)
    """
    return x.astype(dtype)


astype.rules(lambda gy, y, x, dtype: gy)  # the engine casts every gradient to its argument's dtype
