"""out = a @ b, out += a @ b and out = a @ b + bias in float32, compiled by Numba for CPUs with AVX-512: see tiles.py.

A BLAS is made for large square matrices: it copies both operands into an order of its own, which pays if each number is
then used a thousand times. In a batch of 32, or a convolution to 64 channels, none is. Here only `b` is copied, and
`a` stays where it is unless it is transposed. (How a BLAS does it: Goto and van de Geijn 2008.) The gain:
`python -m benchmarks micro`.
"""

from __future__ import annotations

import numba
import numpy as np

from ..backend import Array
from .tiles import ITEM, LANES, LINE, ROWS, SUPPORTED, copy_all, product_of_parts, sums_at_places

__all__ = ["SUPPORTED", "product", "sums_of_runs"]

_STRIP, _DEPTH = 1 << 18, 512  # floats of b, and rows of it, in use at a time: half of the second cache (2 MB a core)
_RUNS = 1 << 17  # floats of `a` that a place's runs may read again and again
_DEEP = 8  # with this many times more k than rows or columns, the k are shared out among the threads
_THREADS = numba.get_num_threads()


def product(out: Array, a: Array, b: Array, adds: bool, bias: Array | None = None) -> None:
    """out = a @ b, out += a @ b, or out = a @ b + bias for float32 matrices: out in rows, a and b in rows or columns in
    memory; bias a contiguous row."""
    (m, k), n = a.shape, b.shape[1]
    if m < LANES or n % LANES:
        _product_of_odd_size(out, a, b, adds)
        if bias is not None:
            out += bias
        return
    axis = 2 if k > _DEEP * max(m, n) and bias is None else 0 if m > n else 1
    parts = min(_THREADS, (m // LANES, n // LANES, k)[axis])
    depth = min(k, _DEPTH, max(_STRIP * (parts if axis == 1 else 1) // n, 128))
    width = -(-(n // LANES) // parts) * LANES if axis == 1 else n  # of one part
    room = ((depth | 1) * width + ROWS * width + LANES * depth) * ITEM + LINE
    memory = _on_lines(parts * room // ITEM)
    row_of_bias = None if bias is None else np.ascontiguousarray(bias, a.dtype)
    target = np.empty((parts, m, n), a.dtype) if axis == 2 else out
    product_of_parts(
        _address(a), *a.strides, _address(b), *b.strides, _address(target), target.strides[-2],
        m, n, k, adds, 0 if row_of_bias is None else _address(row_of_bias), axis, parts, depth, room, _address(memory),
    )  # fmt: skip
    if axis == 2:
        out[...] = out + target.sum(axis=0) if adds else target.sum(axis=0)


def sums_of_runs(
    out: Array, a: Array, b: Array, places: Array, first_runs: Array, runs: Array, strides: tuple[int, int]
) -> None:
    """For each place p and row r: out[p + r·out_row :][:n] = Σ a[r·a_row + from :][:k] @ b[from :][:k] over its runs.

    b: (rows, n) with n a multiple of 16.  places: where in out, in bytes.  first_runs: the runs of place p are those
    from first_runs[p] on.  runs: (from in a, in bytes; from in b, in rows; k).  strides: a_row and out_row, in bytes.
    """
    (length, n), rows = b.shape, a.shape[1]
    vectors, pitch = n // LANES, LINE * (length | 1)
    copy = _on_lines((length | 1) * n)
    copy_all(_address(b), b.strides[0], _address(copy), pitch, vectors, length, min(_THREADS, vectors))
    table = runs * np.array([1, LINE, 1])
    ends = np.concatenate([[0], runs[:, 2].cumsum()])[first_runs]
    longest, shortest = np.diff(ends).max(), np.diff(ends).min()
    if shortest == 0:
        out[...] = 0
    together = max(_RUNS // max(int(longest), 1) // ROWS * ROWS, ROWS)
    sums_at_places(
        _address(a), strides[0], _address(copy), pitch, _address(out), strides[1],
        places, first_runs, _address(table), rows, vectors, together,
    )  # fmt: skip


def _product_of_odd_size(out: Array, a: Array, b: Array, adds: bool) -> None:
    """The same for too few rows, or for columns that fill no vector, on copies padded with zeros."""
    (m, k), n = a.shape, b.shape[1]
    whole = n - n % LANES if m >= LANES else 0
    if whole:
        product(out[:, :whole], a, b[:, :whole], adds)
    rows, rest = max(m, LANES), n - whole
    a_filled, b_filled = np.zeros((rows, k), a.dtype), np.zeros((k, -(-rest // LANES) * LANES), b.dtype)
    a_filled[:m], b_filled[:, :rest] = a, b[:, whole:]
    result = np.empty((rows, b_filled.shape[1]), a.dtype)
    product(result, a_filled, b_filled, False)
    part = out[:, whole:]
    part[...] = part + result[:m, :rest] if adds else result[:m, :rest]


def _on_lines(floats: int) -> Array:
    """Memory that begins with a line of the cache, or every vector in it would lie in two."""
    memory = np.empty(floats + LANES, np.float32)
    return memory[-_address(memory) % LINE // ITEM :]


def _address(x: Array) -> int:
    return x.__array_interface__["data"][0]
