"""Thin arrays, compiled by Numba: products with few columns, and the windows of images of few channels."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import prange

from ..backend import Array
from .compiled import in_turn
from .loops import loop

# Products with too few columns for a tile


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _rows_times_columns(out: Any, a: Any, b: Any) -> None:
    for i in prange(out.shape[0]):
        for j in range(out.shape[1]):
            total = a[i, 0] * b[j, 0]
            for k in range(1, a.shape[1]):
                total += a[i, k] * b[j, k]
            out[i, j] = total


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True)
def _sum_of_rows(out: Any, a: Any, b: Any) -> None:
    """out[j, i] = Σ a[k, i] · b[k, j], in blocks of columns that stay in the first cache."""
    for block in prange((out.shape[1] + 1023) // 1024):
        for j in range(out.shape[0]):
            for k in range(a.shape[0]):
                for i in range(block * 1024, min(block * 1024 + 1024, out.shape[1])):
                    out[j, i] += a[k, i] * b[k, j]


def narrow_product(a: Array, b: Array) -> Array:
    """a @ b for a b of few columns; `a` has its rows or its columns in memory."""
    if a.flags.c_contiguous:
        out = np.empty((a.shape[0], b.shape[1]), a.dtype)
        _rows_times_columns(out, a, np.ascontiguousarray(b.T))
        return out
    transposed = np.zeros((b.shape[1], a.shape[0]), a.dtype)
    _sum_of_rows(transposed, np.ascontiguousarray(a.T), np.ascontiguousarray(b))
    return np.ascontiguousarray(transposed.T)


# im2col and col2im of images of few channels, (H, N, W, C), with windows (OH, N, OW, KH, KW, C): see conv.py


@loop
def _im2col(row_step: Any, step: Any, top: Any, left: Any, x: Any, cols: Any) -> None:
    for o in prange(cols.shape[0]):
        for n in range(cols.shape[1]):
            for p in range(cols.shape[2]):
                for k in range(cols.shape[3]):
                    i, first = o * row_step + k - top, p * step - left
                    for j in range(cols.shape[4]):
                        inside = 0 <= i < x.shape[0] and 0 <= first + j < x.shape[2]
                        cols[o, n, p, k, j] = x[i, n, first + j] if inside else 0


@loop
def _col2im(row_step: Any, step: Any, top: Any, left: Any, cols: Any, x: Any) -> None:
    for i in prange(x.shape[0]):
        for k in range(cols.shape[3]):
            o, rest = divmod(i + top - k, row_step)
            if rest == 0 and 0 <= o < cols.shape[0]:
                for n in range(cols.shape[1]):
                    for p in range(cols.shape[2]):
                        first = p * step - left
                        for j in range(max(0, -first), min(cols.shape[4], x.shape[2] - first)):
                            x[i, n, first + j] += cols[o, n, p, k, j]


def im2col(x: Array, cols: Array, stride: tuple[int, int], padding: Any) -> None:
    _im2col(*_steps(x, stride, padding), _side_by_side(x, 2), _side_by_side(cols, 4))


def col2im(cols: Array, x: Array, stride: tuple[int, int], padding: Any) -> None:
    _col2im(*_steps(x, stride, padding), _side_by_side(cols, 4), _side_by_side(x, 2))


def _steps(x: Array, stride: tuple[int, int], padding: Any) -> tuple[int, int, int, int]:
    """From window to window in rows and in numbers, and where the first window begins: a pixel is C numbers."""
    return stride[0], stride[1] * x.shape[3], padding[0][0], padding[1][0] * x.shape[3]


def _side_by_side(x: Array, axes: int) -> Array:
    """x with pixels and channels in one axis, the last."""
    return x.reshape(*x.shape[:axes], -1)
