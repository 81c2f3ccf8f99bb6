"""Pooling: one value for each window of an image (N, H, W, C), channel by channel."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..backend import array_module
from ..kernels.reference_conv import Padding, Pair, output_size
from .columns import im2col
from .padding import pad
from .reduce import max, mean
from .windows import PaddingOption, check_fits, check_images, pair, resolve_padding


def max_pool2d(
    x: Any,
    window: int | Pair,
    stride: int | Pair | None = None,
    padding: PaddingOption = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> Any:
    """The largest element of each window; padding never wins.

    stride: the window's size if None.  padding: as for conv2d, but less than the window.  dilation: the step from one
    element of a window to the next.  ceil_mode: a last window that sticks out counts, too, as in PyTorch, if it begins
    inside x or the padding before: OH = ⌈(H + top + bottom - dh·(KH - 1) - 1) / sh⌉ + 1, or else one less.
    Equal largest elements share the gradient (in PyTorch the first one gets it). Raises ValueError for a bad option, if
    no window fits, or if a window would hold padding alone.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> tg.ops.max_pool2d(x, 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    check_images("max_pool2d", x)
    return largest(x, windows_over("max_pool2d", x, window, stride, padding, dilation, ceil_mode))


def avg_pool2d(
    x: Any,
    window: int | Pair,
    stride: int | Pair | None = None,
    padding: PaddingOption = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Any:
    """The mean of each window's elements inside x: padding does not count (as in Keras, and in PyTorch with
    count_include_pad=False).

    count_include_pad: padding counts as zeros; what a window of ceil_mode has beyond it still does not.
    Other options and errors: as for max_pool2d.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> tg.ops.avg_pool2d(x, 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    check_images("avg_pool2d", x)
    windows = windows_over("avg_pool2d", x, window, stride, padding, dilation, ceil_mode)
    return averages(x, windows, count_include_pad)


_NONE: Padding = ((0, 0), (0, 0))


class Windows(NamedTuple):
    """How windows lie over an image: how far each reaches, and the padding, what is beyond it, and both together."""

    span: Pair
    stride: Pair
    dilation: Pair
    padding: Padding
    beyond: Padding
    border: Padding

    def of(self, x: Any, padding: Padding = _NONE) -> Any:
        """The windows of x, as im2col has them."""
        cols, (dh, dw) = im2col(x, self.span, self.stride, padding), self.dilation
        return cols if (dh, dw) == (1, 1) else cols[:, :, :, ::dh, ::dw]


def largest(x: Any, windows: Windows) -> Any:
    """The largest element of each window."""
    if windows.border != _NONE:
        least = -math.inf if x.dtype.kind == "f" else False if x.dtype.kind == "b" else int(np.iinfo(x.dtype).min)
        x = pad(x, ((0, 0), *windows.border, (0, 0)), constant_values=least)
    return max(windows.of(x), (3, 4))


def averages(x: Any, windows: Windows, count_include_pad: bool) -> Any:
    """The mean of what counts of each window."""
    y = mean(windows.of(x, windows.border), (3, 4))  # a sum of float16 could be too large
    if windows.border == (windows.padding if count_include_pad else _NONE):
        return y
    counts = array_module(x).ones((1, *x.shape[1:3], 1), np.float64)
    counts = pad(counts, ((0, 0), *windows.padding, (0, 0)), constant_values=float(count_include_pad))
    return y * (1 / mean(windows.of(counts, windows.beyond), (3, 4))).astype(y.dtype)


def windows_over(
    op: str, x: Any, window: Any, stride: Any, padding: PaddingOption, dilation: Any, ceil_mode: bool
) -> Windows:
    """The options in full. Raises ValueError if a window could lie in the padding alone."""
    window, size = pair(op, "window", window), x.shape[1:3]
    stride = window if stride is None else pair(op, "stride", stride)
    dilation = pair(op, "dilation", dilation)
    KH, KW = ((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    resolved = resolve_padding(op, padding, size, (KH, KW), stride)
    (top, bottom), (left, right) = resolved
    for n, k in ((top, KH), (bottom, KH), (left, KW), (right, KW)):
        if n >= k:
            raise ValueError(f"{op}: padding is {n}, but it must be less than the window, {k}")
    below = _overhang(size[0], KH, stride[0], resolved[0]) if ceil_mode else 0
    beside = _overhang(size[1], KW, stride[1], resolved[1]) if ceil_mode else 0
    border = (top, bottom + below), (left, right + beside)
    check_fits(op, size, (KH, KW), border)
    counts = output_size(size, (KH, KW), stride, border)
    for n, k, s, d, before, count in zip(size, window, stride, dilation, (top, left), counts, strict=True):
        if d > 1 and before and not all(any(0 <= i * s - before + j * d < n for j in range(k)) for i in range(count)):
            raise ValueError(f"{op}: padding is {before}, but then a window of dilation {d} holds padding alone")
    return Windows((KH, KW), stride, dilation, resolved, ((0, below), (0, beside)), border)


def _overhang(n: int, k: int, s: int, sides: Pair) -> int:
    """How far one more window of k, at stride s, sticks out of n elements and their padding; 0 if it would begin beyond
    the elements, or if the last one ends where they do."""
    rest = n + sum(sides) - k
    start = (rest // s + 1) * s
    return start - rest if rest % s and 0 <= start < n + sides[0] else 0
