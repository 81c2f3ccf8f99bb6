"""Layers for sequences (N, L, C): those for images with one axis less. Their names have a 1d, as their ops have."""

from __future__ import annotations

from .. import ops
from .conv import Conv, ConvTranspose
from .resize import AvgPool, MaxPool


class Conv1d(Conv):
    """y = conv1d(x, w) + b for x (N, L, in_channels): see ops.conv1d.

    w: (K, in_channels / groups, out_channels). All else is as for Conv; kernel_size, stride and dilation are ints.

    >>> conv = tg.layers.Conv1d(3, 16, kernel_size=5, stride=2)
    >>> conv(np.zeros((8, 100, 3), np.float32)).shape, conv.w.shape
    ((8, 50, 16), (5, 3, 16))
    """

    axes, op = 1, staticmethod(ops.conv1d)


class ConvTranspose1d(ConvTranspose):
    """y = conv_transpose1d(x, w) + b for x (N, L, in_channels): see ops.conv_transpose1d.

    w: (K, out_channels / groups, in_channels). All else is as for ConvTranspose; kernel_size, stride and dilation are
    ints.

    >>> conv = tg.layers.ConvTranspose1d(16, 3, kernel_size=5, stride=2)
    >>> conv(np.zeros((8, 50, 16), np.float32)).shape, conv.w.shape
    ((8, 100, 3), (5, 3, 16))
    """

    axes, op = 1, staticmethod(ops.conv_transpose1d)


class MaxPool1d(MaxPool):
    """The largest element of each window of a sequence, channel by channel: see ops.max_pool1d.

    >>> x = tg.tensor([[[1.0], [4.0], [9.0], [16.0]]])
    >>> tg.layers.MaxPool1d(2)(x)[0, :, 0]
    Tensor([ 4., 16.], dtype=float32)
    """

    axes, op = 1, staticmethod(ops.max_pool1d)


class AvgPool1d(AvgPool):
    """The mean of each window of a sequence, channel by channel: see ops.avg_pool1d.

    >>> x = tg.tensor([[[1.0], [4.0], [9.0], [16.0]]])
    >>> tg.layers.AvgPool1d(2)(x)[0, :, 0]
    Tensor([ 2.5, 12.5], dtype=float32)
    """

    axes, op = 1, staticmethod(ops.avg_pool1d)
