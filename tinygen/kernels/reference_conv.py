"""The definitions of the convolutions: im2col, col2im and one matrix product each, on any array module.

x (N, H, W, C), w (KH, KW, C, CO), y and gy (N, OH, OW, CO); stride (sh, sw); padding ((top, bottom), (left, right)).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from ..backend import Array, array_module

Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = tuple[Pair, Pair]


def output_size(size: Pair, kernel_size: Pair, stride: Pair, padding: Padding) -> Pair:
    """(OH, OW): how often the window fits into the padded image, (size + padding - kernel) // stride + 1 a side."""
    oh, ow = ((n + sum(p) - k) // s + 1 for n, k, s, p in zip(size, kernel_size, stride, padding, strict=True))
    return oh, ow


def im2col(x: Array, kernel_size: Pair, stride: Pair, padding: Padding, cols: Any = None) -> Array:
    """The windows of x side by side, (N, OH, OW, KH, KW, C): cols[n, i, j, k, l] = padded x[n, i·sh + k, j·sw + l].

    cols: where to write them; by default a new array.
    """
    (N, H, W, C), (KH, KW), (sh, sw) = x.shape, kernel_size, stride
    xp = array_module(x)
    OH, OW = output_size((H, W), kernel_size, stride, padding)
    x = xp.pad(x, ((0, 0), *padding, (0, 0)))
    cols = xp.empty((N, OH, OW, KH, KW, C), x.dtype) if cols is None else cols
    for k in range(KH):
        for l in range(KW):
            cols[:, :, :, k, l] = x[:, k : k + sh * OH : sh, l : l + sw * OW : sw]
    return cols


def col2im(cols: Array, size: Pair, stride: Pair, padding: Padding, out: Any = None) -> Array:
    """The adjoint of im2col: each window is added where it came from, (N, H, W, C) for size (H, W).

    out: where to write it; by default a new array.
    """
    (N, OH, OW, KH, KW, C), (H, W), (sh, sw) = cols.shape, size, stride
    (top, bottom), (left, right) = padding
    x = array_module(cols).zeros((N, H + top + bottom, W + left + right, C), cols.dtype)
    for k in range(KH):
        for l in range(KW):
            x[:, k : k + sh * OH : sh, l : l + sw * OW : sw] += cols[:, :, :, k, l]
    x = x[:, top : top + H, left : left + W]
    if out is None:
        return x
    out[...] = x
    return out


def conv2d(x: Array, w: Array, stride: Pair, padding: Padding) -> Array:
    """y[n, i, j, o] = Σ_klc padded x[n, i·sh + k, j·sw + l, c] · w[k, l, c, o] (no filter is flipped)."""
    cols = im2col(x, w.shape[:2], stride, padding)
    y = _matrix(cols, 3) @ _matrix(w, 3)
    return y.reshape(*cols.shape[:3], w.shape[3])


def conv_transpose2d(gy: Array, w: Array, stride: Pair, padding: Padding, size: Pair) -> Array:
    """The gradient of conv2d for x of the size (H, W): each gy[n, i, j] spreads w · gy over the window it came from."""
    cols = _matrix(gy, 3) @ _matrix(w, 3).T
    return col2im(cols.reshape(*gy.shape[:3], *w.shape[:3]), size, stride, padding)


def conv2d_weight_grad(x: Array, gy: Array, kernel_size: Pair, stride: Pair, padding: Padding) -> Array:
    """The gradient of conv2d for w: each window of x times the gy that it led to, summed over the windows."""
    cols = im2col(x, kernel_size, stride, padding)
    gw = _matrix(cols, 3).T @ _matrix(gy, 3)
    return gw.reshape(*cols.shape[3:], gy.shape[3])


def windows_by_taps(shape: tuple[int, ...]) -> tuple[int, int]:
    """The shape of im2col's result, (N, OH, OW, KH, KW, C), as that of a matrix: a row a window."""
    return math.prod(shape[:3]), math.prod(shape[3:])


def _matrix(x: Array, rows: int) -> Array:
    """x as a matrix: its first axes make the rows, the others the columns. (-1 would not do for an empty batch.)"""
    return x.reshape(math.prod(x.shape[:rows]), math.prod(x.shape[rows:]))
