"""Element by element: arithmetic, functions, activations, choices, comparisons. Arguments broadcast as in NumPy.

At a kink (relu at 0, abs at 0, equal arguments of maximum) the rules give the mean of the two slopes or the slope from
the left, as PyTorch does; the second derivative there is 0.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from ..backend import Array, array_module
from ..primitives import primitive
from ..rules import flat

elementwise: Any = functools.partial(primitive, elementwise=True)


# Arithmetic


@elementwise
def add(a: Any, b: Any) -> Array:
    """a + b."""
    return a + b


@elementwise
def subtract(a: Any, b: Any) -> Array:
    """a - b."""
    return a - b


@elementwise
def multiply(a: Any, b: Any) -> Array:
    """a · b."""
    return a * b


@elementwise
def divide(a: Any, b: Any) -> Array:
    """a / b; of integers in float32 or float64."""
    y = a / b
    if getattr(y, "dtype", None) is _HALF and _HALF not in (getattr(a, "dtype", None), getattr(b, "dtype", None)):
        return _floats(a) / _floats(b)
    return y


@elementwise
def negative(x: Any) -> Array:
    """-x."""
    return -x


@elementwise
def power(x: Any, p: Any) -> Array:
    """x to the power of p."""
    return x**p


add.rules(lambda gy, y, a, b: gy, lambda gy, y, a, b: gy)
subtract.rules(lambda gy, y, a, b: gy, lambda gy, y, a, b: -gy)
multiply.rules(lambda gy, y, a, b: gy * b, lambda gy, y, a, b: a * gy)
divide.rules(lambda gy, y, a, b: gy / b, lambda gy, y, a, b: -gy * y / b)
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


# Functions. Of integers they are floats: float32 of those of 8 and 16 bits, else float64. NumPy takes float16 for 8.

_HALF = np.dtype(np.float16)


def _floats(x: Any) -> Any:
    """x, or floats of at least 32 bits if x is an array of integers or booleans."""
    return x if getattr(x, "dtype", _HALF).kind not in "biu" else kernels.wide(x)


@elementwise
def exp(x: Any) -> Array:
    """eˣ."""
    return array_module(x).exp(_floats(x))


@elementwise
def expm1(x: Any) -> Array:
    """eˣ - 1, exact for small x."""
    return array_module(x).expm1(_floats(x))


@elementwise
def log(x: Any) -> Array:
    """The natural logarithm of x."""
    return array_module(x).log(_floats(x))


@elementwise
def log1p(x: Any) -> Array:
    """log(1 + x), exact for small x."""
    return array_module(x).log1p(_floats(x))


@elementwise
def sqrt(x: Any) -> Array:
    """The square root of x."""
    return array_module(x).sqrt(_floats(x))


@elementwise
def abs(x: Any) -> Array:
    """|x|."""
    return array_module(x).abs(x)


@elementwise
def sign(x: Any) -> Array:
    """-1, 0 or 1, as x is negative, zero or positive; a constant to backward."""
    return array_module(x).sign(x)


@elementwise
def sin(x: Any) -> Array:
    """sin x, x in radians."""
    return array_module(x).sin(_floats(x))


@elementwise
def cos(x: Any) -> Array:
    """cos x, x in radians."""
    return array_module(x).cos(_floats(x))


exp.rules(lambda gy, y, x: gy * y)
expm1.rules(lambda gy, y, x: gy * (y + 1))
log.rules(lambda gy, y, x: gy / x)
log1p.rules(lambda gy, y, x: gy / (1 + x))
sqrt.rules(lambda gy, y, x: gy * 0.5 / y)
abs.rules(lambda gy, y, x: where(greater(x, 0), gy, where(less(x, 0), -gy, 0.0)))
sign.rules(flat)
sin.rules(lambda gy, y, x: gy * cos(x))
cos.rules(lambda gy, y, x: -gy * sin(x))


# Activations


@elementwise
def tanh(x: Any) -> Array:
    """tanh x = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""
    return array_module(x).tanh(_floats(x))


@elementwise
def sigmoid(x: Any) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), without overflow for any x."""
    return kernels.sigmoid(_floats(x))


@elementwise
def softplus(x: Any) -> Array:
    """log(1 + eˣ) = max(x, 0) + log(1 + exp(-|x|)), without overflow for any x."""
    xp, x = array_module(x), _floats(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


@elementwise
def relu(x: Any) -> Array:
    """max(x, 0)."""
    return array_module(x).maximum(x, 0)


@elementwise
def leaky_relu(x: Any, slope: float = 0.2) -> Array:
    """x where x > 0, slope · x elsewhere. slope: from 0 up to 1 (ValueError otherwise)."""
    if not 0 <= slope <= 1:
        raise ValueError(f"leaky_relu: slope is {slope}, but it must be from 0 to 1")
    return kernels.leaky_relu(x, slope)


@elementwise
def elu(x: Any, alpha: float = 1.0) -> Array:
    """x where x > 0, alpha · (eˣ - 1) elsewhere (Clevert et al. 2015, eq. 15). alpha: at least 0 (or ValueError)."""
    if alpha < 0:
        raise ValueError(f"elu: alpha is {alpha}, but it must be at least 0")
    xp, x = array_module(x), _floats(x)
    return xp.where(xp.greater(x, 0), x, alpha * xp.expm1(xp.minimum(x, 0)))


@elementwise
def _leaky_relu_grad(gy: Any, y: Any, slope: float) -> Array:
    """gy where y > 0, slope · gy elsewhere."""
    return kernels.leaky_relu_grad(gy, y, slope)


tanh.rules(lambda gy, y, x: gy * (1 - y * y))
sigmoid.rules(lambda gy, y, x: gy * y * sigmoid(-x))  # 1 - y has no digits left where x is large
softplus.rules(lambda gy, y, x: gy * sigmoid(x))
relu.rules(lambda gy, y, x: _leaky_relu_grad(gy, y, 0.0))  # y > 0 where x > 0, and y is kept by the next op anyway
leaky_relu.rules(lambda gy, y, x, slope: _leaky_relu_grad(gy, y, slope))
_leaky_relu_grad.rules(lambda ggx, gx, gy, y, slope: _leaky_relu_grad(ggx, y, slope), flat)
elu.rules(lambda gy, y, x, alpha: where(less_equal(x, 0), gy * alpha * exp(where(less(x, 0), x, 0.0)), gy))


# Dropout


@elementwise
def dropout(x: Any, kept: Any, scale: float) -> Array:
    """scale · x where kept (booleans, of x's shape), 0 elsewhere. Raises TypeError if kept are no booleans."""
    if kept.dtype.kind != "b":
        raise TypeError(f"dropout: kept must be booleans, but they are {kept.dtype}; give kept > 0, or multiply")
    return kernels.dropout(_floats(x), kept, scale)


dropout.rules(lambda gy, y, x, kept, scale: dropout(gy, kept, scale))


# Cross entropy


@elementwise
def sigmoid_cross_entropy(x: Any, t: Any) -> Array:
    """-t log σ(x) - (1 - t) log(1 - σ(x)) = max(x, 0) - x · t + log(1 + exp(-|x|)), without overflow for any x."""
    return kernels.sigmoid_cross_entropy(_floats(x), t)


@elementwise
def _sigmoid_cross_entropy_grad(gy: Any, x: Any, t: Any) -> Array:
    """gy · (σ(x) - t)."""
    return kernels.sigmoid_cross_entropy_grad(gy, x, t)


sigmoid_cross_entropy.rules(
    lambda gy, y, x, t: _sigmoid_cross_entropy_grad(gy, x, t),
    lambda gy, y, x, t: -gy * x,
)
_sigmoid_cross_entropy_grad.rules(
    lambda ggx, gx, gy, x, t: _sigmoid_cross_entropy_grad(ggx, x, t),
    lambda ggx, gx, gy, x, t: ggx * gy * sigmoid(x) * sigmoid(-x),
    lambda ggx, gx, gy, x, t: -ggx * gy,
)


# Choices


@elementwise
def maximum(a: Any, b: Any) -> Array:
    """The larger of a and b."""
    return array_module(a, b).maximum(a, b)


@elementwise
def minimum(a: Any, b: Any) -> Array:
    """The smaller of a and b."""
    return array_module(a, b).minimum(a, b)


@elementwise
def clip(x: Any, min: Any = None, max: Any = None) -> Array:
    """x, but no smaller than min and no larger than max (None: no bound)."""
    return array_module(x).clip(x, min, max)


@elementwise
def where(condition: Any, a: Any, b: Any) -> Array:
    """a where condition holds, b elsewhere."""
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
    """0 where it loses, half of gy at a tie, else gy; NaN wins, on both sides."""
    return where(loses, 0.0, where(tie, gy * 0.5, gy))


# Comparisons: constants to backward


@elementwise
def equal(a: Any, b: Any) -> Array:
    """a == b."""
    return a == b


@elementwise
def not_equal(a: Any, b: Any) -> Array:
    """a != b."""
    return a != b


@elementwise
def less(a: Any, b: Any) -> Array:
    """a < b."""
    return a < b


@elementwise
def less_equal(a: Any, b: Any) -> Array:
    """a <= b."""
    return a <= b


@elementwise
def greater(a: Any, b: Any) -> Array:
    """a > b."""
    return a > b


@elementwise
def greater_equal(a: Any, b: Any) -> Array:
    """a >= b."""
    return a >= b


@elementwise
def astype(x: Any, dtype: npt.DTypeLike) -> Array:
    """x as another dtype. The gradient comes back in x's own."""
    return x.astype(dtype)


astype.rules(lambda gy, y, x, dtype: gy)  # the engine casts every gradient to its argument's dtype
