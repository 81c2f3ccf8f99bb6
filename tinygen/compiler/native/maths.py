"""exp, log and their kin. In float32 they are polynomials, done for eight or sixteen numbers at once, which err by a
few units in the last place; in float64 they are libm's, one number at a time.

After Cephes (Moshier 1992, expf.c and logf.c): 2ⁿ eʳ with |r| <= ½ log 2, and e log 2 + log m with √½ <= m < √2.
"""

from __future__ import annotations

import math

from .values import FLOAT, Value

_LOG2E = 1 / math.log(2)
_LOG2_HIGH, _LOG2_LOW = 0.693359375, -2.12194440e-4  # their sum is log 2; n times the first is exact
_ROUNDING = 1.5 * 2**23  # added to a small float32 it rounds it to an integer, which the lowest bits then hold
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)


def exp(x: Value) -> Value:
    if x.dtype != FLOAT:
        return x.code.call("llvm.exp", x)
    n, rest = _parted(_within(x, -104, 89))
    half = n >> 1  # 2ⁿ itself may be too large for a float32, or too small
    return (rest + 1) * _power_of_2(half) * _power_of_2(n - half)


def expm1(x: Value) -> Value:
    if x.dtype != FLOAT:
        return x.code.call("expm1", x)
    n, rest = _parted(_within(x, -18, 89))  # e⁻¹⁸ is lost beside 1
    half = _power_of_2(n - 1)
    return (rest * half + (half - 0.5)) * 2


def log(x: Value) -> Value:
    if x.dtype != FLOAT:
        return x.code.call("llvm.log", x)
    choose, tiny = x.code.choose, x < 2.0**-126
    y = _log(choose(tiny, x * 2.0**23, x), choose(tiny, 23.0, x.code.constant(0, FLOAT)))
    return _log_at_the_edges(y, x, x)


def log1p(x: Value) -> Value:
    """log u + (what u = 1 + x lost by rounding) / u."""
    if x.dtype != FLOAT:
        return x.code.call("log1p", x)
    u = x + 1
    lost = x.code.choose(x > 1, 1 - (u - x), x - (u - 1)) / u
    return _log_at_the_edges(_log(u, x.code.constant(0, FLOAT)) + lost, u, x)


def tanh(x: Value) -> Value:
    """t / (t + 2) with t = e²ˣ - 1, for |x|: exact near 0, and 1 from 9.02 on."""
    if x.dtype != FLOAT:
        return x.code.call("tanh", x)
    size = x.code.call("llvm.fabs", x)
    t = expm1(x.code.choose(size > 10, 10.0, size) * 2)
    return x.code.call("llvm.copysign", t / (t + 2), x)


def _within(x: Value, low: float, high: float) -> Value:
    """x cut off at both ends; NaN stays."""
    x = x.code.choose(x > high, high, x)
    return x.code.choose(x < low, low, x)


def _parted(x: Value) -> tuple[Value, Value]:
    """n, as int32, and eʳ - 1 for x = n log 2 + r."""
    shifted = x * _LOG2E + _ROUNDING
    whole = shifted - _ROUNDING
    r = x - whole * _LOG2_HIGH - whole * _LOG2_LOW
    return shifted.view("int32") - x.code.constant(_ROUNDING, FLOAT).view("int32"), _horner(r, *_EXP) * (r * r) + r


def _power_of_2(n: Value) -> Value:
    return ((n + 127) << 23).view(FLOAT)


def _log(x: Value, less: Value) -> Value:
    """log x - less · log 2 for a normal number x > 0."""
    root = 0x3F3504F3  # the bits of √½
    bits = x.view("int32") - root
    m = ((bits & 0x7FFFFF) + root).view(FLOAT)
    e, f = (bits >> 23).astype(FLOAT) - less, m - 1
    square = f * f
    y = _horner(f, *_LOG) * (f * square) + e * _LOG2_LOW
    return y - square * 0.5 + f + e * _LOG2_HIGH


def _log_at_the_edges(y: Value, u: Value, x: Value) -> Value:
    """y = log u, mended: -∞ for u = 0, NaN for u < 0, and x, of which u is made, if that is ∞ or NaN."""
    choose = x.code.choose
    y = choose(u == 0, -math.inf, y)
    y = choose(u < 0, math.nan, y)
    return choose((x < math.inf) | (u < 0), y, x)


def _horner(x: Value, *coefficients: float) -> Value:
    """The polynomial, its highest coefficient first."""
    y = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        y = y * x + c
    return y
