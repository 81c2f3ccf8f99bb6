"""Sums along axes, and the means and variances that are made of them, as exact as their dtype allows.

NumPy adds pairwise along the innermost axis of the memory alone; along others it adds number by number, and
the last four digits of a sum of a million float32s are noise. Here such an axis is added in pieces, and then the sums
of the pieces in float64: in less time, as each addition takes a long line of numbers.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from ..backend import Array, array_module

Axis: TypeAlias = "int | tuple[int, ...] | None"

_FEW = 32  # numbers that are added one by one
_MANY = 128  # numbers for which a sum in pieces is worth its calls
_LINE = 4096  # numbers of a line, if there are so many: it stays in the first cache

_add: Any = np.add.reduce


def wide(x: Array) -> Array:
    """x in a dtype to compute in: float16 and integers become floats of 32 bits at least, other floats stay."""
    return x if x.dtype.char in "fd" else x.astype(np.promote_types(x.dtype, np.float32), copy=False)


def narrow(y: Array, x: Array) -> Array:
    """y, computed from wide(x), in float16 again if x is."""
    return y.astype(np.float16) if x.dtype.char == "e" else y


def total(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Σ x along the axes; float16 is summed in float32, and the result stays so."""
    dtype = np.float32 if x.dtype.char == "e" else None
    if type(x) is not np.ndarray:
        return x.sum(axis=axis, dtype=dtype, keepdims=keepdims)
    if x.size <= _MANY or x.dtype.kind != "f" or _is_summed_well(x, axis):
        return _add(x, axis=axis, dtype=dtype, keepdims=keepdims)
    axes = axes_of(axis, x.ndim)
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))  # from the outermost of the memory to the innermost
    y = x
    for i, a in enumerate(order):
        if a in axes:
            y = _along(y, a, math.prod([x.shape[b] for b in order[i + 1 :]]), dtype)
    y = y.astype(dtype or x.dtype, copy=False)
    return y if keepdims else y.reshape([n for a, n in enumerate(x.shape) if a not in axes])


def total_into(x: Array, axis: tuple[int, ...], out: Array) -> Array:
    """Σ x along the axes, in the dtype of out, where it is written."""
    if type(x) is np.ndarray:
        np.copyto(out, total(x, axis), casting="unsafe")  # int8 wraps around, as in NumPy
        return out
    return x.sum(axis=axis, dtype=out.dtype, out=out)


def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The mean of x along the axes; in float32 for float16."""
    if type(x) is not np.ndarray and x.dtype.kind == "f":
        return x.mean(axis=axis, dtype=np.float32 if x.dtype.char == "e" else None, keepdims=keepdims)
    return total(x, axis, keepdims) / count(x.shape, axis)


def variance(x: Array, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Array:
    """Σ (x - mean)² / (n - ddof) along the axes; in float32 for float16."""
    *_, squares = deviations(x, axis, keepdims)
    return squares / max(count(x.shape, axis) - ddof, 0)


def deviations(x: Array, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Array, Array, Array]:
    """d = x - μ; μ; the mean of d, which is the rounding error of μ; and Σ (x - mean)² without that error.

    Chan, Golub and LeVeque 1983, eq. 1.7. μ has its axes with length 1.
    """
    n, mu = count(x.shape, axis), mean(x, axis, True)
    d = x - mu
    off = total(d, axis, keepdims) / n
    return d, mu, off, array_module(x).maximum(total(d * d, axis, keepdims) - off * off * n, 0)


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes that an axis means, as numbers from 0 on; axis 0 of a 0-d array means all of it, as in NumPy."""
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(a % ndim for a in axes) if ndim else ()


def count(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements of an array of the shape go into each result along the axes."""
    return math.prod(shape if axis is None else [shape[a] for a in axis] if isinstance(axis, tuple) else (shape[axis],))


def _is_summed_well(x: np.ndarray, axis: Axis) -> bool:
    """Whether NumPy adds neighbours, or few numbers for each result."""
    if axis is None or axis == ():
        return axis == () or x.flags.c_contiguous or x.flags.f_contiguous
    if isinstance(axis, tuple):
        if len(axis) > 1:
            return x.flags.c_contiguous and min([a % x.ndim for a in axis]) == x.ndim - len(axis)
        (axis,) = axis
    return x.shape[axis] <= _MANY or x.strides[axis] == x.itemsize


def _along(x: np.ndarray, a: int, below: int, dtype: Any) -> np.ndarray:
    """The sum along axis a, which is left with length 1. below: how many numbers lie within a step along it."""
    n = x.shape[a]
    if n <= 2 * _FEW or x.strides[a] == x.itemsize:
        return _add(x, axis=a, dtype=dtype, keepdims=True)
    steps = min(max(_LINE // max(below, 1), 1), n // _FEW)  # of the axis, which make a line
    pieces, rest = divmod(n, _FEW * steps)
    before, after = (slice(None),) * a, x.shape[a + 1 :]
    begin, end = (*before, slice(n - rest)), (*before, slice(n - rest, n))
    lines = x[begin].reshape(*x.shape[:a], pieces, _FEW, steps, *after)
    sums = _add(lines, axis=a + 1, dtype=dtype).reshape(*x.shape[:a], pieces * steps, *after)
    y = _along(sums.astype(np.promote_types(sums.dtype, np.float64), copy=False), a, below, None)
    return y + _along(x[end], a, below, dtype) if rest else y
