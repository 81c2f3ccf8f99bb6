"""Convolution and pooling of sequences (N, L, C): those of images one row high."""

from __future__ import annotations

from typing import Any

from ..checks import whole
from .conv import check_channels, convolved, transposed
from .pool import Windows, averages, largest, windows_over
from .shape import expand_dims, squeeze
from .windows import RowPadding, check_sequences, of_row


def conv1d(x: Any, w: Any, stride: int = 1, padding: RowPadding = 0, dilation: int = 1, groups: int = 1) -> Any:
    """y[n, i, o] = Σ x[n, i·s + k·d - before, c] · w[k, c, o] over k and c; 0 outside of x.

    x: (N, L, C).  w: (K, C / groups, CO); each group of channels has its own part of the CO.
    padding: a number of places on each side, (before, after), "valid" (none), or "same", as for conv2d.
    y: (N, OL, CO) with OL = ⌊(L + before + after - d·(K - 1) - 1) / s⌋ + 1.
    Raises ValueError for shapes or options that do not fit.

    >>> x, w = np.array([1.0, 4.0, 9.0, 16.0]), np.array([-1.0, 1.0])  # w takes differences
    >>> tg.ops.conv1d(x.reshape(1, 4, 1), w.reshape(2, 1, 1))[0, :, 0]
    array([3., 5., 7.])
    """
    op = "conv1d"
    check_sequences(op, x)
    check_channels(op, x, w, groups, w_axis=1)
    options = _along(op, "stride", stride), of_row(op, padding), _along(op, "dilation", dilation)
    return squeeze(convolved(op, expand_dims(x, 1), expand_dims(w, 0), *options, groups), 1)


def conv_transpose1d(
    x: Any,
    w: Any,
    stride: int = 1,
    padding: RowPadding = 0,
    output_padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv1d(·, w) for its x, run forwards: each x[n, i] spreads x · w over a window of the result.

    x: (N, L, C).  w: (K, CO / groups, C), the kernel of the convolution that is transposed.
    Result: (N, OL, CO) with OL = (L - 1)·s + d·(K - 1) + 1 - before - after + output_padding, or for "same",
    OL = L·s + output_padding; output_padding: as for conv_transpose2d.
    Raises ValueError for shapes or options that do not fit.

    >>> x, w = np.array([1.0, 2.0]), np.array([1.0, 10.0, 100.0])
    >>> tg.ops.conv_transpose1d(x.reshape(1, 2, 1), w.reshape(3, 1, 1), stride=2)[0, :, 0]
    array([  1.,  10., 102.,  20., 200.])
    """
    op = "conv_transpose1d"
    check_sequences(op, x)
    check_channels(op, x, w, groups, w_axis=2)
    sizes, apart = _along(op, "stride", stride), _along(op, "dilation", dilation)
    least = 1 - stride if isinstance(padding, str) and padding == "same" else 0
    extra = 0, whole(op, "output_padding", output_padding, least, least + stride - 1)
    row, kernel = expand_dims(x, 1), expand_dims(w, 0)
    return squeeze(transposed(op, row, kernel, sizes, of_row(op, padding), extra, apart, groups), 1)


def max_pool1d(
    x: Any,
    window: int,
    stride: int | None = None,
    padding: RowPadding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> Any:
    """The largest element of each window of a sequence (N, L, C), channel by channel.

    padding: as for conv1d, but less than the window.  Other options, ties and errors: as for max_pool2d.

    >>> x = np.array([1.0, 4.0, 9.0, 16.0])
    >>> tg.ops.max_pool1d(x.reshape(1, 4, 1), 2)[0, :, 0]
    array([ 4., 16.])
    """
    return squeeze(largest(*_row("max_pool1d", x, window, stride, padding, dilation, ceil_mode)), 1)


def avg_pool1d(
    x: Any,
    window: int,
    stride: int | None = None,
    padding: RowPadding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Any:
    """The mean of each window's elements inside a sequence (N, L, C), channel by channel.

    padding: as for conv1d, but less than the window.  Other options and errors: as for avg_pool2d.

    >>> x = np.array([1.0, 4.0, 9.0, 16.0])
    >>> tg.ops.avg_pool1d(x.reshape(1, 4, 1), 2)[0, :, 0]
    array([ 2.5, 12.5])
    """
    row = _row("avg_pool1d", x, window, stride, padding, dilation, ceil_mode)
    return squeeze(averages(*row, count_include_pad), 1)


def _row(
    op: str, x: Any, window: int, stride: int | None, padding: RowPadding, dilation: int, ceil_mode: bool
) -> tuple[Any, Windows]:
    """The sequences as images one row high, and the windows over these."""
    check_sequences(op, x)
    sizes = _along(op, "window", window), _along(op, "stride", window if stride is None else stride)
    x = expand_dims(x, 1)
    return x, windows_over(op, x, *sizes, of_row(op, padding), _along(op, "dilation", dilation), ceil_mode)


def _along(op: str, option: str, value: int) -> tuple[int, int]:
    """The option of a sequence as that of an image one row high."""
    return 1, whole(op, option, value, 1)
