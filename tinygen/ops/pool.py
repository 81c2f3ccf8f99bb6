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
    element of a window to the next.  ceil_mode: a last window that sticks out counts, too, if it begins inside x or its
    padding before, as in PyTorch: OH = ⌈(H + top + bottom - dh·(KH - 1) - 1) / sh⌉ + 1, or one less.
    Equal largest elements share the gradient (in PyTorch the first one gets it). Raises ValueError for a bad option, if
    no window fits, or if a window would hold padding alone.
    """
    check_images("max_pool2d", x)
    return largest("max_pool2d", x, window, stride, padding, dilation, ceil_mode)


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

    count_include_pad: padding counts as zeros, but what a window of ceil_mode has beyond it does not.
    Other options and errors: as for max_pool2d.
    """
    check_images("avg_pool2d", x)
    return averages("avg_pool2d", x, window, stride, padding, dilation, ceil_mode, count_include_pad)


def largest(op: str, x: Any, window: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """max_pool2d of what was checked so far by the op that names itself in errors."""
    windows = _geometry(op, x, window, stride, padding, dilation, ceil_mode)
    if windows.whole != _NONE:
        least = -math.inf if x.dtype.kind == "f" else False if x.dtype.kind == "b" else int(np.iinfo(x.dtype).min)
        x = pad(x, ((0, 0), *windows.whole, (0, 0)), constant_values=least)
    return max(windows.of(x), (3, 4))


def averages(
    op: str,
    x: Any,
    window: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Any:
    """avg_pool2d of what was checked so far by the op that names itself in errors."""
    windows = _geometry(op, x, window, stride, padding, dilation, ceil_mode)
    y = mean(windows.of(x, windows.whole), (3, 4))  # a sum of float16 could be too large
    if windows.whole == (windows.padding if count_include_pad else _NONE):
        return y
    counted = array_module(x).ones((1, *x.shape[1:3], 1), np.float64)
    counted = pad(counted, ((0, 0), *windows.padding, (0, 0)), constant_values=float(count_include_pad))
    return y * (1 / mean(windows.of(counted, windows.beyond), (3, 4))).astype(y.dtype)


_NONE: Padding = ((0, 0), (0, 0))


class _Windows(NamedTuple):
    """How windows lie over an image: what they span, and the borders, of padding and beyond it, and both together."""

    span: Pair
    stride: Pair
    dilation: Pair
    padding: Padding
    beyond: Padding
    whole: Padding

    def of(self, x: Any, padding: Padding = _NONE) -> Any:
        """The windows of x, as im2col has them."""
        cols, (dh, dw) = im2col(x, self.span, self.stride, padding), self.dilation
        return cols if (dh, dw) == (1, 1) else cols[:, :, :, ::dh, ::dw]


def _geometry(
    op: str, x: Any, window: Any, stride: Any, padding: PaddingOption, dilation: Any, ceil_mode: bool
) -> _Windows:
    """The options in full. Raises ValueError if a window could lie in the padding alone."""
    window, size = pair(op, "window", window), x.shape[1:3]
    stride = window if stride is None else pair(op, "stride", stride)
    dilation = pair(op, "dilation", dilation)
    span = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    resolved = resolve_padding(op, padding, size, span, stride)
    if any(n >= k for sides, k in zip(resolved, span, strict=True) for n in sides):
        raise ValueError(f"{op}: padding is {padding!r}, but it must be less than the window, {span}")
    axes = [*zip(size, span, stride, resolved, strict=True)]
    below, right = (_overhang(*axis) if ceil_mode else 0 for axis in axes)
    (top, bottom), (left, end) = resolved
    whole = (top, bottom + below), (left, end + right)
    check_fits(op, size, span, whole)
    for n, k, d, s, (before, _), count in zip(
        size, window, dilation, stride, resolved, output_size(size, span, stride, whole), strict=True
    ):
        if d > 1 and before and not all(any(0 <= i * s - before + j * d < n for j in range(k)) for i in range(count)):
            raise ValueError(f"{op}: with padding {padding!r} and dilation {dilation}, a window would hold padding alone")
    return _Windows(span, stride, dilation, resolved, ((0, below), (0, right)), whole)


def _overhang(n: int, k: int, s: int, sides: Pair) -> int:
    """How far one more window of k, at stride s, sticks out of n elements and their padding; 0 if there is none, as
    it would begin beyond the elements."""
    rest = n + sum(sides) - k
    start = (rest // s + 1) * s
    return start - rest if rest % s and 0 <= start < n + sides[0] else 0
