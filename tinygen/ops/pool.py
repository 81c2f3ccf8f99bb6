"""Pooling: one value for each window of an image (N, H, W, C), channel by channel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backend import array_module
from ..kernels.reference_conv import Padding, Pair
from .columns import im2col
from .padding import pad
from .reduce import max, mean
from .windows import PaddingOption, check_fits, check_images, pair, resolve_padding


def max_pool2d(x: Any, window: int | Pair, stride: int | Pair | None = None, padding: PaddingOption = 0) -> Any:
    """The largest element of each window; padding never wins.

    stride: the window's size if None.  padding: as for conv2d, but less than the window. Equal largest elements share
    the gradient (in PyTorch the first one gets it). Raises ValueError for a bad option, or if no window fits.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> tg.ops.max_pool2d(x, 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    window, stride, resolved = _geometry("max_pool2d", x, window, stride, padding)
    if resolved != _NO_PADDING:
        least = -math.inf if x.dtype.kind == "f" else False if x.dtype.kind == "b" else int(np.iinfo(x.dtype).min)
        x = pad(x, ((0, 0), *resolved, (0, 0)), constant_values=least)
    return max(im2col(x, window, stride), (3, 4))


def avg_pool2d(x: Any, window: int | Pair, stride: int | Pair | None = None, padding: PaddingOption = 0) -> Any:
    """The mean of each window's elements inside x: padding does not count (as in Keras, and in PyTorch with
    count_include_pad=False).

    Options and errors as for max_pool2d.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> tg.ops.avg_pool2d(x, 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    window, stride, resolved = _geometry("avg_pool2d", x, window, stride, padding)
    cols = im2col(x, window, stride, resolved)
    if resolved == _NO_PADDING:
        return mean(cols, (3, 4))
    inside = im2col(array_module(x).ones((1, *x.shape[1:3], 1), np.float64), window, stride, resolved)
    y = mean(cols, (3, 4))  # a sum of float16 could be too large
    return y * (1 / mean(inside, (3, 4))).astype(y.dtype)


_NO_PADDING = ((0, 0), (0, 0))


def _geometry(
    op: str, x: Any, window: int | Pair, stride: int | Pair | None, padding: PaddingOption
) -> tuple[Pair, Pair, Padding]:
    """The options in full. Raises ValueError if a window could lie in the padding alone."""
    check_images(op, x)
    window = pair(op, "window", window)
    stride = window if stride is None else pair(op, "stride", stride)
    resolved = resolve_padding(op, padding, x.shape[1:3], window, stride)
    if any(n >= k for sides, k in zip(resolved, window, strict=True) for n in sides):
        raise ValueError(f"{op}: padding is {padding!r}, but it must be less than the window, {window}")
    check_fits(op, x.shape[1:3], window, resolved)
    return window, stride, resolved
