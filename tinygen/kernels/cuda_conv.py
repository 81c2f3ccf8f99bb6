"""The convolutions for CuPy: one launch that gathers, and one product. Nothing is added atomically.

The definitions in reference_conv.py copy, or add, one tap of the kernel after the other: 25 launches for 5 by 5.
"""

from __future__ import annotations

import functools
from typing import Any

import cupy

from ..backend import Array
from . import reference_conv
from .reference_conv import Padding, Pair, output_size, windows_by_taps

# Elementwise kernels of CuPy, whose element i is worked out from i, and x or cols is read at any place.
GATHERS = {
    # cols[n, oh, ow, k, l, c] = x[n, oh sh + k - top, ow sw + l - left, c], or 0 where that is padding
    "im2col": (
        "raw T x, int64 H, int64 W, int64 C, int64 OH, int64 OW, int64 KH, int64 KW, "
        "int64 sh, int64 sw, int64 top, int64 left",
        "T cols",
        """
        const long long c = i % C, l = i / C % KW, k = i / (C * KW) % KH;
        const long long window = i / (C * KW * KH), n = window / (OW * OH);
        const long long h = window / OW % OH * sh + k - top, w = window % OW * sw + l - left;
        cols = h >= 0 && h < H && w >= 0 && w < W ? x[((n * H + h) * W + w) * C + c] : T(0)
        """,
    ),
    # x[n, h, w, c] = the sum of cols[n, oh, ow, k, l, c] over all taps k, l of windows oh, ow that see it
    "col2im": (
        "raw T cols, int64 H, int64 W, int64 C, int64 OH, int64 OW, int64 KH, int64 KW, "
        "int64 sh, int64 sw, int64 top, int64 left",
        "T x",
        """
        const long long c = i % C, w = i / C % W + left, h = i / (C * W) % H + top, n = i / (C * W * H);
        T sum = 0;
        for (long long k = h % sh; k < KH && k <= h; k += sh) {
          const long long oh = (h - k) / sh;
          if (oh >= OH) continue;
          for (long long l = w % sw; l < KW && l <= w; l += sw) {
            const long long ow = (w - l) / sw;
            if (ow < OW) sum += cols[((((n * OH + oh) * OW + ow) * KH + k) * KW + l) * C + c];
          }
        }
        x = sum
        """,
    ),
}


@functools.cache
def _gather(name: str) -> Any:
    return cupy.ElementwiseKernel(*GATHERS[name], f"tinygen_{name}")


def im2col(x: Array, kernel_size: Pair, stride: Pair, padding: Padding, cols: Any = None) -> Array:
    """As reference_conv.im2col, in one launch."""
    if x.dtype.char not in "fd":
        return reference_conv.im2col(x, kernel_size, stride, padding, cols)
    size = output_size(x.shape[1:3], kernel_size, stride, padding)
    if cols is None:
        cols = cupy.empty((len(x), *size, *kernel_size, x.shape[3]), x.dtype)
    (top, _), (left, _) = padding
    _gather("im2col")(cupy.ascontiguousarray(x), *x.shape[1:], *size, *kernel_size, *stride, top, left, cols)
    return cols


def col2im(cols: Array, size: Pair, stride: Pair, padding: Padding, out: Any = None) -> Array:
    """As reference_conv.col2im, in one launch, which sums for each pixel what came from it."""
    if cols.dtype.char not in "fd":
        return reference_conv.col2im(cols, size, stride, padding, out)
    n, *windows, c = cols.shape
    if out is None:
        out = cupy.empty((n, *size, c), cols.dtype)
    (top, _), (left, _) = padding
    _gather("col2im")(cupy.ascontiguousarray(cols), *size, c, *windows, *stride, top, left, out)
    return out


def conv2d(x: Array, w: Array, stride: Pair, padding: Padding) -> Array:
    """As reference_conv.conv2d, in two launches."""
    cols = im2col(x, w.shape[:2], stride, padding)
    rows, columns = windows_by_taps(cols.shape)
    return (cols.reshape(rows, columns) @ w.reshape(columns, -1)).reshape(*cols.shape[:3], w.shape[3])


def conv_transpose2d(gy: Array, w: Array, stride: Pair, padding: Padding, size: Pair) -> Array:
    """As reference_conv.conv_transpose2d, in two launches."""
    shape = (*gy.shape[:3], *w.shape[:3])
    rows, columns = windows_by_taps(shape)
    cols = gy.reshape(rows, w.shape[3]) @ w.reshape(columns, w.shape[3]).T
    return col2im(cols.reshape(shape), size, stride, padding)


def conv2d_weight_grad(x: Array, gy: Array, kernel_size: Pair, stride: Pair, padding: Padding) -> Array:
    """As reference_conv.conv2d_weight_grad, in two launches."""
    cols = im2col(x, kernel_size, stride, padding)
    rows, columns = windows_by_taps(cols.shape)
    gw = cols.reshape(rows, columns).T @ gy.reshape(rows, gy.shape[3])
    return gw.reshape(*cols.shape[3:], gy.shape[3])
