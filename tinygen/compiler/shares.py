"""Who does what: a space of indices cut into boxes, one a thread. It depends on sizes alone, so that bits repeat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Box: TypeAlias = "tuple[tuple[int, int], ...]"

LANES = 16  # columns are cut at multiples of these: of vectors, and in float32 of lines of the cache
FEW_PRODUCTS = 1 << 15  # multiplications that aren't worth waiting for another thread
TINY = 2000  # elements that aren't worth waiting for another thread
NARROW = 256  # columns; sums of so few are cut by rows, and each thread's sums added up


def boxes(shape: Sequence[int], threads: int, sums: str = "") -> list[Box]:
    """At most one box a thread, and one at least: together they are the space, and no two overlap.

    sums: "columns" or "rows" if sums over all but the last dimension, or over the last, are made on the way.
    """
    whole = tuple((0, n) for n in shape)
    if math.prod(shape) < TINY or threads == 1:
        return [whole]
    last = len(shape) - 1
    axes = range(last) if sums == "rows" else range(last + 1)
    if sums == "columns":
        axes = range(last, last + 1) if shape[last] >= max(NARROW, LANES * threads) else range(last)
    steps = [LANES if axis == last else 1 for axis in range(last + 1)]
    axis = min(axes, key=lambda axis: _imbalance(-(-shape[axis] // steps[axis]), threads), default=None)
    if axis is None:
        return [whole]
    return [(*whole[:axis], part, *whole[axis + 1 :]) for part in cut(shape[axis], threads, steps[axis])]


def cut(n: int, parts: int, step: int = 1) -> list[tuple[int, int]]:
    """0 to n in at most so many parts, about equal, that begin at multiples of a step; none is empty unless n is 0."""
    units = -(-n // step)
    parts = max(min(parts, units), 1)
    ends = [min(units * (i + 1) // parts * step, n) for i in range(parts)]
    return list(zip([0, *ends], ends, strict=False))


def cut_product(threads: int, out: Array, a: Array, b: Array) -> list[tuple[Array, Array, Array]]:
    """out = a @ b cut among the threads: by columns if there are more of them than rows, unless `a` lies in columns.

    Then, in the gradient of a weight, cutting rows is up to a tenth faster: each thread copies a part of `a` alone.
    """
    (m, k), n = a.shape, b.shape[1]
    if m * n * k < FEW_PRODUCTS:
        return [(out, a, b)]
    if n >= m and (a.strides[0] != a.itemsize or m < LANES * threads):
        return [(out[:, i:j], a, b[:, i:j]) for i, j in cut(n, threads, LANES)]
    return [(out[i:j], a[i:j], b) for i, j in cut(m, threads, LANES)]


def _imbalance(units: int, threads: int) -> float:
    """How much longer the slowest thread takes than if the work were cut evenly; less than a tenth doesn't count."""
    return max(-(-units // threads) * threads / max(units, 1), 1.1)
