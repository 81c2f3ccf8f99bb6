"""The textbook convolution: lay the windows of the image side by side (im2col), then take one matrix product.

`ops.conv2d` computes the same, faster; this is what it means. The derivatives need no thought: im2col copies elements,
so its adjoint adds them back where they came from (col2im), and the adjoint of that is im2col again.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend import Array
from ..kernels import reference_conv
from ..kernels.reference_conv import Padding, Pair, output_size
from ..primitives import primitive
from .linear import matmul
from .windows import PaddingOption, check_fits, check_images, pair, resolve_padding


def im2col(x: Any, kernel_size: int | Pair, stride: int | Pair = 1, padding: PaddingOption = 0) -> Any:
    """The windows of x (N, H, W, C) side by side, (N, OH, OW, KH, KW, C); 0 outside of x.

    cols[n, i, j, k, l, c] = x[n, i·sh + k - top, j·sw + l - left, c].  padding: as for conv2d.
    Raises ValueError for a bad option, or if no window fits.

    >>> tg.ops.im2col(np.zeros((1, 4, 4, 3)), 2, stride=2).shape
    (1, 2, 2, 2, 2, 3)
    """
    check_images("im2col", x)
    kernel_size, stride = pair("im2col", "kernel_size", kernel_size), pair("im2col", "stride", stride)
    resolved = resolve_padding("im2col", padding, x.shape[1:3], kernel_size, stride)
    check_fits("im2col", x.shape[1:3], kernel_size, resolved)
    return _im2col(x, kernel_size, stride, resolved)


def col2im(cols: Any, size: Pair, stride: int | Pair = 1, padding: PaddingOption = 0) -> Any:
    """The adjoint of im2col: an image (N, H, W, C) of the size (H, W), with each window added where it came from.

    Raises ValueError for a bad option, or if an image of that size does not have these windows.

    >>> cols = tg.ops.im2col(np.ones((1, 3, 3, 1)), 2)
    >>> tg.ops.col2im(cols, (3, 3))[0, :, :, 0]  # in how many windows each pixel is
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    size, stride, kernel_size = pair("col2im", "size", size), pair("col2im", "stride", stride), cols.shape[3:5]
    resolved = resolve_padding("col2im", padding, size, kernel_size, stride)
    if cols.ndim != 6 or output_size(size, kernel_size, stride, resolved) != cols.shape[1:3]:
        raise ValueError(
            f"col2im: cols are {cols.shape}, but expected (N, OH, OW, KH, KW, C) with the OH by OW windows that an "
            f"image of {size} has at stride {stride} and padding {resolved}"
        )
    return _col2im(cols, size, stride, resolved)


@primitive
def _im2col(x: Any, kernel_size: Pair, stride: Pair, padding: Padding) -> Array:
    return reference_conv.im2col(x, kernel_size, stride, padding)


@primitive
def _col2im(cols: Any, size: Pair, stride: Pair, padding: Padding) -> Array:
    return reference_conv.col2im(cols, size, stride, padding)


_im2col.rules(lambda gy, y, x, kernel_size, stride, padding: _col2im(gy, x.shape[1:3], stride, padding))
_col2im.rules(lambda gy, y, cols, size, stride, padding: _im2col(gy, cols.shape[3:5], stride, padding))


def textbook_conv2d(x: Any, w: Any, stride: int | Pair = 1, padding: PaddingOption = 0) -> Any:
    """conv2d of x (N, H, W, C) with w (KH, KW, C, CO), in three lines.

    Each output is one window of x times one filter: all windows in rows, all filters in columns, one product.

    >>> x, w = np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 1))
    >>> tg.ops.textbook_conv2d(x, w)[0, :, :, 0]
    array([[9., 9.],
           [9., 9.]])
    """
    cols = im2col(x, w.shape[:2], stride, padding)  # (N, OH, OW, KH, KW, C)
    windows = cols.reshape(math.prod(cols.shape[:3]), math.prod(cols.shape[3:]))
    filters = w.reshape(math.prod(w.shape[:3]), w.shape[3])
    return matmul(windows, filters).reshape(*cols.shape[:3], w.shape[3])
