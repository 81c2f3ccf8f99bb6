"""The twins of `reference.py` for the CPU, compiled by Numba: one pass over the memory where NumPy makes several.

`python -m benchmarks micro` measures the gain of each.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import prange

from ..backend import Array
from . import reference, sums
from .loops import loop

_BLOCK = 1 << 13  # elements that are summed at a time, in 32 to 512 rows: sums of sums round less, and threads share


def _twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave what the loops are not made for to the definition: broadcasting, mixed or other dtypes, no elements."""
    per_channel = function.__name__.startswith("batch_norm")
    definition = getattr(reference, function.__name__)

    @functools.wraps(definition)
    def twin(x: Array, *more: Any) -> Any:
        same = x.dtype in (np.float32, np.float64) and x.size and x.ndim
        for other in more:
            if isinstance(other, np.ndarray):
                fits = other.shape == x.shape or (per_channel and other.shape == x.shape[-1:])
                same = same and fits and other.dtype in (x.dtype, bool)
        return function(x, *more) if same else definition(x, *more)

    return twin


def _aligned(x: Array, *others: Array) -> tuple[tuple[int, ...] | None, list[Array]]:
    """Arrays of one shape with their axes in the order of x's memory, contiguous, and that order (None: as it is)."""
    if x.flags.c_contiguous:
        return None, [x, *map(np.ascontiguousarray, others)]
    axes = (*sorted(range(x.ndim - 1), key=lambda i: -abs(x.strides[i])), x.ndim - 1)
    return axes, [np.ascontiguousarray(a.transpose(axes)) for a in (x, *others)]


def _restored(y: Array, axes: tuple[int, ...] | None) -> Array:
    """The result with its axes in their logical order again; its memory stays in the order of x's."""
    return y if axes is None else y.transpose(np.argsort(axes))


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _elementwise(loop: Callable[..., None], numbers: tuple[float, ...], *arrays: Array) -> Array:
    """loop(*numbers, *lines of the arrays, line of the result), in the order of the first array's memory."""
    axes, aligned = _aligned(*arrays)
    y = np.empty(aligned[0].shape, arrays[-1].dtype)
    loop(*map(y.dtype.type, numbers), *(a.reshape(-1) for a in aligned), y.reshape(-1))
    return _restored(y, axes)


# Activations and dropout


@loop
def _leaky_relu(slope: Any, x: Any, y: Any) -> None:
    for i in prange(y.size):
        y[i] = max(x[i], x[i] * slope)


@_twin
def leaky_relu(x: Array, slope: float) -> Array:
    return _elementwise(_leaky_relu, (slope,), x) if slope else reference.leaky_relu(x, slope)


@loop
def _leaky_relu_grad(slope: Any, y: Any, gy: Any, gx: Any) -> None:
    for i in prange(gx.size):
        gx[i] = gy[i] if y[i] > 0 else gy[i] * slope


@loop
def _relu_grad(y: Any, gy: Any, gx: Any) -> None:
    for i in prange(gx.size):
        gx[i] = 0 if y[i] <= 0 else gy[i]


@_twin
def leaky_relu_grad(gy: Array, y: Array, slope: float) -> Array:
    return _elementwise(_leaky_relu_grad, (slope,), y, gy) if slope else _elementwise(_relu_grad, (), y, gy)


@loop
def _erf(x: Any, y: Any) -> None:
    for i in prange(y.size):
        y[i] = math.erf(x[i])


@_twin
def erf(x: Array) -> Array:
    return _elementwise(_erf, (), x)


@loop
def _erfc(x: Any, y: Any) -> None:
    for i in prange(y.size):
        y[i] = math.erfc(x[i])


@_twin
def erfc(x: Array) -> Array:
    return _elementwise(_erfc, (), x)


@loop
def _dropout(scale: Any, kept: Any, x: Any, y: Any) -> None:
    for i in prange(y.size):
        y[i] = x[i] * scale if kept[i] else 0


@_twin
def dropout(x: Array, kept: Array, scale: float) -> Array:
    return _elementwise(_dropout, (scale,), kept, x)


# Cross entropy. Numba's exp and log1p are calls, one element at a time; these are a few multiplications, in SIMD


@numba.njit(inline="always")
def _exp_minus(a: Any) -> Any:
    """e⁻ᵃ for float32 a >= 0: 2ⁿ eʳ with |r| <= ½ log 2, eʳ by the polynomial of Cephes' expf (Moshier 1992)."""
    f = np.float32
    if a > f(104):
        return f(0)
    a = min(a, f(87))  # to 104 it is less than any normal float32
    n = np.floor(f(0.5) - a * f(1.44269504088896341))
    r = -a - n * f(0.693359375) + n * f(2.12194440e-4)
    p = f(1.9875691500e-4) * r + f(1.3981999507e-3)
    p = p * r + f(8.3334519073e-3)
    p = p * r + f(4.1665795894e-2)
    p = p * r + f(1.6666665459e-1)
    p = p * r + f(5.0000001201e-1)
    return (p * r * r + r + f(1)) * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@numba.njit(inline="always")
def _log1p(e: Any) -> Any:
    """log(1 + e) for float32 e from 0 to 1: 2 artanh s = 2 (s + s³/3 + s⁵/5 + ...), s = e / (2 + e) <= 1/3."""
    f = np.float32
    s = e / (f(2) + e)
    q = s * s
    p = q * f(1 / 13) + f(1 / 11)
    p = p * q + f(1 / 9)
    p = p * q + f(1 / 7)
    p = p * q + f(1 / 5)
    p = p * q + f(1 / 3)
    return f(2) * (s + s * q * p)


@loop
def _sigmoid_cross_entropy(x: Any, t: Any, y: Any) -> None:
    for i in prange(y.size):
        share = np.float32(x[i] > 0) - t[i]
        y[i] = (x[i] * share if share != 0 else np.float32(0)) + _log1p(_exp_minus(abs(x[i])))


@_twin
def sigmoid_cross_entropy(x: Array, t: Array) -> Array:
    if x.dtype.char != "f" or getattr(t, "shape", None) != x.shape:
        return reference.sigmoid_cross_entropy(x, t)
    return _elementwise(_sigmoid_cross_entropy, (), x, t)


@loop
def _sigmoid_cross_entropy_grad(gy: Any, x: Any, t: Any, gx: Any) -> None:
    for i in prange(gx.size):
        e = _exp_minus(abs(x[i]))
        gx[i] = gy[i] * ((np.float32(1) if x[i] >= 0 else e) / (np.float32(1) + e) - t[i])


@_twin
def sigmoid_cross_entropy_grad(gy: Array, x: Array, t: Array) -> Array:
    if x.dtype.char != "f" or not getattr(gy, "shape", None) == getattr(t, "shape", None) == x.shape:
        return reference.sigmoid_cross_entropy_grad(gy, x, t)
    return _elementwise(_sigmoid_cross_entropy_grad, (), gy, x, t)


# Sums over the rows, and batch norm


def _blocks(x: Array) -> tuple[int, int]:
    """How many rows (M, C) are summed at a time, and how often."""
    step = min(max(_BLOCK // x.shape[1], 32), 512)
    return step, -(-len(x) // step)


@loop
def _moments(step: Any, means: Any, centres: Any, squares: Any, x: Any) -> None:
    """For each block: the means of the columns in float64, the same rounded, and the sums of the squared distances."""
    for b in prange(len(means)):
        start, end = b * step, min(b * step + step, len(x))
        first, centre, square = x[start], centres[b], squares[b]
        for r in range(start + 1, end):
            row = x[r]
            for c in range(len(row)):
                centre[c] += row[c] - first[c]  # a small sum, if all lie far from 0
        for c in range(len(centre)):
            means[b, c] = first[c] + centre[c] / np.float64(end - start)
            centre[c] = means[b, c]
        for r in range(start, end):
            row = x[r]
            for c in range(len(row)):
                d = row[c] - centre[c]
                square[c] += d * d


@loop
def _normalise(mu: Any, scale: Any, beta: Any, x: Any, y: Any) -> None:
    for r in prange(len(x)):
        for c in range(x.shape[1]):
            y[r, c] = (x[r, c] - mu[c]) * scale[c] + beta[c]


@_twin
def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    axes, (aligned,) = _aligned(x)
    rows = _rows(aligned)
    step, blocks = _blocks(rows)
    means, (centres, squares) = np.empty((blocks, rows.shape[1])), np.zeros((2, blocks, rows.shape[1]), x.dtype)
    _moments(step, means, centres, squares, rows)
    share = np.minimum(step, len(rows) - step * np.arange(blocks)) / len(rows)
    mu = share @ means  # in float64, as the variance: Chan, Golub and LeVeque 1983, eq. 2.1
    var = squares.sum(axis=0, dtype=np.float64) / len(rows) + share @ (means - mu) ** 2
    scale, y = gamma / np.sqrt(var + eps), np.empty_like(aligned)
    centre = mu.astype(x.dtype)
    shift = beta - (mu - centre) * scale
    _normalise(centre, scale.astype(x.dtype), shift.astype(x.dtype), rows, _rows(y))
    return _restored(y, axes), centre, var.astype(x.dtype)


@loop
def _gradient_sums(step: Any, mu: Any, gbeta: Any, ggamma: Any, gy: Any, x: Any) -> None:
    for b in prange(len(gbeta)):
        total, slope = gbeta[b], ggamma[b]
        for r in range(b * step, min(b * step + step, len(x))):
            g, row = gy[r], x[r]
            for c in range(len(row)):
                total[c] += g[c]
                slope[c] += g[c] * (row[c] - mu[c])


@loop
def _batch_norm_grad(scale: Any, mean: Any, slope: Any, mu: Any, gy: Any, x: Any, gx: Any) -> None:
    for r in prange(len(x)):
        for c in range(x.shape[1]):
            gx[r, c] = scale[c] * (gy[r, c] - mean[c] - slope[c] * (x[r, c] - mu[c]))


@_twin
def batch_norm_grad(gy: Array, x: Array, gamma: Array, mu: Array, var: Array, eps: float) -> tuple[Array, Array, Array]:
    axes, (x, gy) = _aligned(x, gy)
    x_rows, gy_rows, n = _rows(x), _rows(gy), x.dtype.type(x.size // x.shape[-1])
    step, blocks = _blocks(x_rows)
    parts = np.zeros((2, blocks, x.shape[-1]), x.dtype)
    _gradient_sums(step, mu, *parts, gy_rows, x_rows)
    inverse_std = 1 / np.sqrt(var + x.dtype.type(eps))
    gbeta, ggamma = sums.total(parts, 1)
    ggamma = ggamma * inverse_std
    gx = np.empty_like(x)
    _batch_norm_grad(gamma * inverse_std, gbeta / n, inverse_std * ggamma / n, mu, gy_rows, x_rows, _rows(gx))
    return _restored(gx, axes), ggamma, gbeta


# Adam


@loop
def _adam(
    old1: Any, new1: Any, old2: Any, new2: Any, eps: Any, size: Any, correction: Any, g: Any, m: Any, v: Any, p: Any
) -> None:
    for i in prange(p.size):
        m[i] = old1 * m[i] + new1 * g[i]
        v[i] = old2 * v[i] + new2 * g[i] * g[i]
        p[i] -= size * m[i] / (math.sqrt(v[i]) * correction + eps)


@_twin
def adam(p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, t: int) -> None:
    size, correction = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    shares = (beta1, 1 - beta1, beta2, 1 - beta2)  # subtracted here: 1 - float32(0.999) is 0.001 to five digits only
    _adam(*map(p.dtype.type, (*shares, eps, size, correction)), g, m, v, p)  # or the loop would run in float64
