"""The layers of StyleGAN2, Karras et al. 2020: modulated convolution, blur, and the spread of a minibatch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import init, ops
from ..checks import check_input, number, whole
from ..kernels.reference_conv import Pair
from ..ops.windows import pair
from ..random import Generator
from ..tensor import Parameter, Tensor
from .equalized import EqualizedDense
from .module import Module


class Blur(Module):
    """Each pixel mixed with its neighbours by [1, 2, 1] / 4 along both axes, times gain: see ops.blur.

    >>> tg.layers.Blur()(np.ones((1, 4, 4, 3), np.float32)).shape
    (1, 4, 4, 3)
    """

    def __init__(self, gain: float = 1.0):
        self.gain = number("Blur", "gain", gain)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.blur(x, self.gain)

    def _options(self) -> str:
        return "" if self.gain == 1 else f"gain={self.gain:g}"


class ModulatedConv(Module):
    """A convolution of x (N, H, W, in_channels) whose kernel a style w (N, style_features) modulates for each example:
    see ops.modulated_conv2d. An equalised dense layer, whose bias is 1 at first, makes the factors s (N, in_channels)
    from w.

    up: None, or the stride of a transposed convolution, by which the sides grow; output_padding: as of ConvTranspose.
    The kernel is N(0, 1) at first, and divided by √fan_in in each pass. There is no bias. Raises ValueError for a wrong
    option, and if x or w does not fit.

    >>> conv = tg.layers.ModulatedConv(3, 16, 3, style_features=5)
    >>> conv(np.zeros((8, 4, 4, 3), np.float32), np.zeros((8, 5), np.float32)).shape
    (8, 4, 4, 16)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        style_features: int,
        demodulate: bool = True,
        up: int | Pair | None = None,
        output_padding: int | Pair = 0,
        eps: float = 1e-8,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ):
        name = "ModulatedConv"
        C, CO = whole(name, "in_channels", in_channels, 1), whole(name, "out_channels", out_channels, 1)
        KH, KW = pair(name, "kernel_size", kernel_size)
        self.up = None if up is None else pair(name, "up", up)
        self.demodulate, self.output_padding = bool(demodulate), output_padding
        self.eps = number(name, "eps", eps, 0)
        self.style = EqualizedDense(style_features, C, start=1.0, rng=rng, dtype=dtype)
        self.w = Parameter(init.normal((KH, KW, C, CO) if up is None else (KH, KW, CO, C), rng, dtype, std=1.0))
        self.scale = 1 / math.sqrt(KH * KW * C)

    def forward(self, x: Any, w: Any) -> Any:
        check_input(self, x)
        s = self.style(w) * self.scale
        if self.up is None:
            return ops.modulated_conv2d(x, self.w, s, self.demodulate, self.eps)
        more = self.up, "same", self.output_padding
        return ops.modulated_conv_transpose2d(x, self.w, s, self.demodulate, self.eps, *more)

    def _options(self) -> str:
        KH, KW, *channels = self.w.shape
        C, CO = channels if self.up is None else channels[::-1]
        options = "" if self.demodulate else ", demodulate=False"
        options += "" if self.up is None else f", up={self.up}"
        return f"{C}, {CO}, {(KH, KW)}, {self.style.w.shape[0]}{options}"


class MinibatchStd(Module):
    """x (N, H, W, C) and one more channel: how far the examples of a group differ, one number for each group.

    `group` consecutive examples form a group. The number is the mean over all pixels and channels of their standard
    deviation √(σ² + eps) within the group, with the biased σ²: Karras et al. 2018, section 3. A D that sees it notices
    samples that are all alike. Raises ValueError unless the group divides the batch.

    >>> tg.layers.MinibatchStd(group=4)(np.zeros((8, 4, 4, 3), np.float32)).shape
    (8, 4, 4, 4)
    """

    mixing = True

    def __init__(self, group: int = 4, eps: float = 1e-8):
        self.group = self.batch_multiple = whole("MinibatchStd", "group", group, 1)
        self.eps = number("MinibatchStd", "eps", eps, 0)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, least=2)
        N, m = x.shape[0], self.group
        if N % m:
            raise ValueError(f"MinibatchStd: the batch has {N} examples, but that must be a multiple of {m}")
        groups = ops.reshape(x, (N // m, m, math.prod(x.shape[1:])))
        std = ops.mean(ops.sqrt(ops.var(groups, 1) + self.eps), 1)
        maps = ops.broadcast_to(std.reshape(N // m, *[1] * x.ndim), (N // m, m, *x.shape[1:-1], 1))
        return ops.concatenate([x, maps.reshape(*x.shape[:-1], 1)], -1)

    def _options(self) -> str:
        return str(self.group)
