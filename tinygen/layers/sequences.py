"""Layers for sequences (N, L, C): those for images with one axis less. Their names have a 1d, as their ops have."""

from __future__ import annotations

from .. import ops
from .conv import Conv, ConvTranspose
from .resize import AvgPool, MaxPool


class Conv1d(Conv):
    """y = conv1d(x, w) + b for x (N, L, in_channels): see ops.conv1d.

    w: (K, in_channels / groups, out_channels). All else is as for Conv; kernel_size, stride and dilation are ints.
    """

    axes, op = 1, staticmethod(ops.conv1d)


class ConvTranspose1d(ConvTranspose):
    """y = conv_transpose1d(x, w) + b for x (N, L, in_channels): see ops.conv_transpose1d.

    w: (K, out_channels / groups, in_channels). All else is as for ConvTranspose; kernel_size, stride and dilation are
    ints.
    """

    axes, op = 1, staticmethod(ops.conv_transpose1d)


class MaxPool1d(MaxPool):
    """The largest element of each window of a sequence, channel by channel: see ops.max_pool1d."""

    axes, op = 1, staticmethod(ops.max_pool1d)


class AvgPool1d(AvgPool):
    """The mean of each window of a sequence, channel by channel: see ops.avg_pool1d."""

    axes, op = 1, staticmethod(ops.avg_pool1d)
