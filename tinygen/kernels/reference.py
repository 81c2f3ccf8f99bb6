"""The definitions of the hot loops, short, on any array module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..tracing import per_step
from . import sums


def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """y, mean and biased variance of batch normalisation over all axes of x but the last; both float32 for float16."""
    axes = tuple(range(x.ndim - 1))
    y, mu, off, squares = sums.deviations(sums.wide(x), axes)
    var = squares / (math.prod(x.shape[:-1]) or 1)
    scale = gamma / array_module(x).sqrt(var + eps)
    y *= scale
    y += beta - off * scale
    return sums.narrow(y, x), mu.reshape(x.shape[-1:]), var


def batch_norm_grad(gy: Array, x: Array, gamma: Array, mu: Array, var: Array, eps: float) -> tuple[Array, Array, Array]:
    """The gradients of x, gamma and beta, from the mean and variance of the forward pass."""
    axes = tuple(range(x.ndim - 1))
    n = math.prod(x.shape[:-1]) or 1
    inverse_std = 1 / array_module(x).sqrt(var + eps)
    gx = sums.wide(x) - mu
    gx *= inverse_std  # x̂
    gbeta = sums.total(gy, axes)
    ggamma = sums.total(gy * gx, axes)
    gx *= -ggamma / n
    gx += gy
    gx -= gbeta / n
    gx *= gamma * inverse_std
    return sums.narrow(gx, x), ggamma, gbeta


def keep_running(mean: Array, var: Array, mu: Array, s2: Array, momentum: float) -> None:
    """mean ← momentum · mean + (1 - momentum) · mu, and var so from s2, in place: batch norm's running statistics."""
    for running, batch in ((mean, mu), (var, s2)):
        running[...] = running * momentum + batch * (1 - momentum)


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """a @ b, or a @ b + bias with a bias for each column."""
    if a.dtype.char == "e" == b.dtype.char:  # NumPy's own product of float16 takes a hundred times as long
        return sums.narrow(matmul(sums.wide(a), sums.wide(b), None if bias is None else sums.wide(bias)), a)
    y = a @ b
    if bias is None or y.dtype != bias.dtype:
        return y if bias is None else y + bias
    y += bias
    return y


def column_sum(x: Array) -> Array:
    """The sum of x (..., C) over all axes but the last: the gradient of a bias."""
    return sums.narrow(sums.total(x, tuple(range(x.ndim - 1))), x)


def leaky_relu(x: Array, slope: float) -> Array:
    """x where x > 0, slope · x elsewhere, and 0 there for slope 0, of -inf too; slope from 0 to 1."""
    return array_module(x).maximum(x, x * slope if slope else 0)  # inf · 0 is NaN


_BITS = {2: "int16", 4: "int32", 8: "int64"}


def select(chosen: Array, x: Array) -> Array:
    """x where chosen (booleans), 0 elsewhere, for an x of inf or NaN too; in the memory order of `chosen`.

    In NumPy the bits are multiplied, as whole numbers: its where takes seven times as long.
    """
    bits = _BITS.get(x.dtype.itemsize)
    if bits is None or not isinstance(x, np.ndarray):
        return array_module(x).where(chosen, x, 0)
    y = chosen.astype(bits)
    y *= x.view(bits)
    return y.view(x.dtype)


def leaky_relu_grad(gy: Array, y: Array, slope: float) -> Array:
    """gy where y > 0, slope · gy elsewhere; in the memory order of y. For slope 0 that is 0, and gy where y is NaN."""
    xp = array_module(y)
    if slope == 0:
        return select(xp.logical_not(xp.less_equal(y, 0)), gy)
    gx = xp.maximum(xp.greater(y, 0).astype(y.dtype), slope)
    gx *= gy
    return gx


def sigmoid_cross_entropy(x: Array, t: Array) -> Array:
    """max(x, 0) - x · t + log(1 + exp(-|x|)); at x = inf without inf - inf, and x · 0 there is 0."""
    xp = array_module(x)
    positive = xp.greater(x, 0).astype(x.dtype)
    return select(xp.not_equal(positive, t), x) * (positive - t) + log1p_to_1(xp.exp(-xp.abs(x)))


def log1p_to_1(e: Array) -> Array:
    """log(1 + e) for e from 0 to 1: log u, and what u = 1 + e lost by rounding.

    NumPy's log1p of float32s takes ten times as long as its log.
    """
    u = e + 1
    lost = e - (u - 1)
    lost /= u
    lost += array_module(e).log(u)
    return lost


def sigmoid_cross_entropy_grad(gy: Array, x: Array, t: Array) -> Array:
    """gy · (σ(x) - t), its gradient for x."""
    return gy * (sigmoid(x) - t)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), by way of the exponential that can't overflow."""
    xp = array_module(x)
    e = xp.exp(-xp.abs(x))
    return xp.maximum(xp.greater_equal(x, 0).astype(e.dtype), e) / (1 + e)


def tanh_grad(gy: Array, y: Array) -> Array:
    """gy · (1 - y²), the gradient of tanh from its result."""
    return gy * (1 - y * y)


_ERFC = (  # of (x - 4) / (x + 4), from its highest power down: (1 + 2x) exp(x²) erfc x by 24 Chebyshev polynomials
    9.311744978232572e-10, 1.5738283774192037e-09, -1.234686604382353e-08, -1.6371779763566967e-08,
    1.0633855618594884e-07, 7.115337800585303e-08, -8.210939042560568e-07, 2.9801353803031333e-07,
    5.706604414895734e-06, -1.1225101875659178e-05, -2.4397746422436416e-05, 0.00015062309720018628,
    -0.00019925714661091188, -0.000757773707063825, 0.005031970067657489, -0.016197733981455194,
    0.03716751552655567, -0.06633036582031154, 0.0937328349990944, -0.10103906603586531,
    0.06809705425466908, 0.015379652102610473, -0.1396211168405623, 1.2329951186255526,
)  # fmt: skip
_ERF = [2 / math.sqrt(math.pi) * (-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(12, -1, -1)]


def erf(x: Array) -> Array:
    """2/√π ∫ exp(-t²) dt from 0 to x: its Taylor series up to ½, 1 - erfc beyond; computed in float64."""
    xp = array_module(x)
    size = xp.abs(x).astype(np.float64)
    inner = xp.minimum(size, 0.5)
    near, far = x * _polynomial(_ERF, inner * inner), xp.sign(x) * (1 - _erfc_from_0(size))
    return xp.where(xp.less(size, 0.5), near, far).astype(x.dtype)


def erfc(x: Array) -> Array:
    """1 - erf x, to the last digits where it is small, too; computed in float64."""
    xp = array_module(x)
    y = _erfc_from_0(xp.abs(x).astype(np.float64))
    return xp.where(xp.less(x, 0), 2 - y, y).astype(x.dtype)


def _erfc_from_0(x: Array) -> Array:
    """erfc x for x >= 0, after Shepherd and Laframboise 1981: a polynomial times exp(-x²) / (1 + 2x).

    x² is rounded, and exp would make much of that: so exp(-x²) = exp(-c²) exp((c - x)(c + x)) for a short c near x.
    """
    xp = array_module(x)
    x = xp.minimum(x, 28)  # where erfc is 0; and inf - inf is NaN
    c = xp.rint(x * 16) / 16
    y = _polynomial(_ERFC, (x - 4) / (x + 4))
    y *= xp.exp(-c * c)
    y *= xp.exp((c - x) * (c + x))
    y /= 1 + 2 * x
    return y


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """Σ cₙ xⁿ by Horner's rule, from the highest power down."""
    y = x * coefficients[0]
    for c in coefficients[1:-1]:
        y += c
        y *= x
    y += coefficients[-1]
    return y


def dropout(x: Array, kept: Array, scale: float) -> Array:
    """scale · x where kept, 0 elsewhere; kept: booleans, whose memory order the result has."""
    y = select(kept, x)
    y *= scale
    return y


_BLOCK = 1 << 16  # elements: the six operands of a block stay in the cache (1.7 ms against 2.6 on 1.5 M parameters)


def adam(p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, t: int) -> None:
    """One step of Adam on flat p, m and v, in place (Kingma and Ba 2015, algorithm 1); t counts from 1.

    m ← β₁m + (1-β₁)g,  v ← β₂v + (1-β₂)g²,  p ← p - lr · m̂ / (√v̂ + eps),  m̂ = m / (1-β₁ᵗ),  v̂ = v / (1-β₂ᵗ)
    """
    xp = array_module(p)
    size, shift = per_step(_adam_sizes, lr, beta1, beta2, eps, t)
    length = _BLOCK if xp.__name__ == "numpy" and p.size > 2 * _BLOCK else p.size or 1
    for start in range(0, p.size, length):
        block = slice(start, start + length)
        gb, mb, vb = sums.wide(g[block]), m[block], v[block]
        mb *= beta1
        step = gb * (1 - beta1)
        mb += step
        vb *= beta2
        xp.multiply(gb, gb, out=step)
        step *= 1 - beta2
        vb += step
        xp.sqrt(vb, out=step)
        step += shift
        xp.divide(mb, step, out=step)
        step *= size
        p[block] -= step


def _adam_sizes(lr: float, beta1: float, beta2: float, eps: float, t: int) -> tuple[float, float]:
    """What m / (√v + shift) is multiplied by, and the shift: both divided by √v's correction, which saves a pass."""
    correction = 1 / math.sqrt(1 - beta2**t)
    return lr / (1 - beta1**t) / correction, eps / correction


def put(x: Array, shape: Sequence[int], index: Any) -> Array:
    """Zeros of the shape, but x at an index that picks nothing twice."""
    y = array_module(x).zeros(shape, x.dtype)
    y[index] = x
    return y


def add_at(x: Array, index: Any, value: Any) -> None:
    """x[index] += value, in place, where an element that the index picks twice gets both."""
    array_module(x).add.at(x, index, value)


def verdicts(real: Array, fake: Array, limit: float | None, probability: bool) -> tuple[Array, Array, Array]:
    """The share of scores on the right side of the limit, real ones above it; and the mean of real ones, and of fake.

    limit: None for E real - E fake instead of the share.  probability: whether the means are those of σ(score).
    """
    if limit is None:
        first = real.mean() - fake.mean()
    else:
        first = 0.5 * ((real > limit).mean(dtype=real.dtype) + (fake <= limit).mean(dtype=real.dtype))
    if probability:
        real, fake = sigmoid(real), sigmoid(fake)
    return first, real.mean(), fake.mean()


def flatten_into(out: Array, arrays: Sequence[Array]) -> None:
    """Write arrays, each flat, one after the other into a flat array as long as all of them."""
    begin = 0
    for x in arrays:
        out[begin : begin + x.size] = x.reshape(-1)
        begin += x.size
