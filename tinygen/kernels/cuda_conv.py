"""The convolutions for CuPy: one launch that gathers, and one product. Nothing is added atomically.

The definitions in reference_conv.py copy, or add, one tap of the kernel after the other: 25 launches for 5 by 5.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import cupy
import numpy as np

from ..backend import Array
from . import reference_conv
from .reference_conv import Padding, Pair, output_size, windows_by_taps

# Elementwise kernels of CuPy, whose element i is worked out from i, and x or cols is read at any place. `whole` is the
# type of all whole numbers: a division of 64 bits takes a GPU several times as long as one of 32.
SIZES = ("H", "W", "C", "OH", "OW", "KH", "KW", "sh", "sw", "top", "left")
GATHERS = {
    # cols[n, oh, ow, k, l, c] = x[n, oh sh + k - top, ow sw + l - left, c], or 0 where that is padding
    "im2col": (
        "raw T x",
        "T cols",
        """
        const whole at = i, tap = at / C, window = tap / (KW * KH), row = window / OW, n = row / OH;
        const whole c = at - tap * C, l = tap % KW, k = tap / KW % KH;
        const whole h = (row - n * OH) * sh + k - top, w = (window - row * OW) * sw + l - left;
        cols = h >= 0 && h < H && w >= 0 && w < W ? x[((n * H + h) * W + w) * C + c] : T(0)
        """,
    ),
    # x[n, h, w, c] = the sum of cols[n, oh, ow, k, l, c] over all taps k, l of windows oh, ow that see it
    "col2im": (
        "raw T cols",
        "T x",
        """
        const whole at = i, pixel = at / C, row = pixel / W, n = row / H;
        const whole c = at - pixel * C, w = pixel - row * W + left, h = row - n * H + top;
        T sum = 0;
        for (whole k = h % sh; k < KH && k <= h; k += sh) {
          const whole oh = (h - k) / sh;
          if (oh >= OH) continue;
          for (whole l = w % sw; l < KW && l <= w; l += sw) {
            const whole ow = (w - l) / sw;
            if (ow < OW) sum += cols[((((n * OH + oh) * OW + ow) * KH + k) * KW + l) * C + c];
          }
        }
        x = sum
        """,
    ),
}


def gather_text(name: str, bits: int) -> tuple[str, str, str]:
    """A kernel of GATHERS for sizes of so many bits: inputs, outputs and text."""
    source, out, text = GATHERS[name]
    sizes = ", ".join(f"int{bits} {size}" for size in SIZES)
    return f"{source}, {sizes}", out, re.sub(r"\bwhole\b", "int" if bits == 32 else "long long", text)


@functools.cache
def _gather(name: str, bits: int) -> Any:
    return cupy.ElementwiseKernel(*gather_text(name, bits), f"tinygen_{name}{bits}")


def _gathered(name: str, x: Array, out: Array, *sizes: int) -> Array:
    """out, filled by a kernel of GATHERS."""
    bits = 32 if max(x.size, out.size) < 1 << 31 else 64
    _gather(name, bits)(x, *sizes, out)
    return out


def im2col(x: Array, kernel_size: Pair, stride: Pair, padding: Padding, cols: Any = None) -> Array:
    """As reference_conv.im2col, in one launch. Two channels of float32 are copied at once, where that is possible."""
    if x.dtype.char not in "fd":
        return reference_conv.im2col(x, kernel_size, stride, padding, cols)
    size = output_size(x.shape[1:3], kernel_size, stride, padding)
    if cols is None:
        cols = cupy.empty((len(x), *size, *kernel_size, x.shape[3]), x.dtype)
    (top, _), (left, _) = padding
    x, out = cupy.ascontiguousarray(x), cols
    if x.dtype.char == "f" and x.shape[3] % 2 == 0 and _in_pairs(x) and _in_pairs(cols):
        x, out = x.view(np.float64), cols.view(np.float64)
    _gathered("im2col", x, out, *x.shape[1:], *size, *kernel_size, *stride, top, left)
    return cols


def _in_pairs(x: Array) -> bool:
    """Whether two elements of float32 can be read at once: they begin at a multiple of 8 bytes."""
    return getattr(x.data, "ptr", 0) % 8 == 0


def col2im(cols: Array, size: Pair, stride: Pair, padding: Padding, out: Any = None) -> Array:
    """As reference_conv.col2im, in one launch, which sums for each pixel what came from it."""
    if cols.dtype.char not in "fd":
        return reference_conv.col2im(cols, size, stride, padding, out)
    n, *windows, c = cols.shape
    if out is None:
        out = cupy.empty((n, *size, c), cols.dtype)
    (top, _), (left, _) = padding
    return _gathered("col2im", cupy.ascontiguousarray(cols), out, *size, c, *windows, *stride, top, left)


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
