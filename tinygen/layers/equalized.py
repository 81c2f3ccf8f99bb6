"""Layers that learn at an equal rate: weights are N(0, 1), and brought to their scale in each pass.

An optimiser such as Adam moves every weight by about the same amount in a step, whatever its gradient. So weights of
one size learn equally fast: Karras et al. 2018, section 4.1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import init, ops
from ..checks import check_input, number
from ..ops.windows import PaddingOption
from ..random import Generator
from ..tensor import Tensor
from .basic import Dense
from .conv import Conv


class EqualizedDense(Dense):
    """y = x @ (c · w) + rate · b with c = rate · gain / √in_features, and w ~ N(0, 1 / rate²) at first.

    rate: how fast this layer learns beside others: c · w and rate · b move rate times as far in a step as with a rate
    of 1 (Karras et al. 2019, appendix C).  gain: the standard deviation of y at first, for x of standard deviation 1.
    start: rate · b at first.  Raises ValueError for a size below 1, a gain or rate that is not above 0, and if the
    length of the last axis of x is not in_features.

    >>> tg.layers.EqualizedDense(3, 2)(np.zeros((8, 3), np.float32)).shape
    (8, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        gain: float = 1.0,
        rate: float = 1.0,
        start: float = 0.0,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ):
        self.gain, self.rate = _scales("EqualizedDense", gain, rate)
        super().__init__(in_features, out_features, bias, _normal(self.rate), rng, dtype)
        if self.b is not None:
            self.b.data[...] = number("EqualizedDense", "start", start) / self.rate

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, features=self.w.shape[0], hint="; is a Flatten missing?")
        w = self.w * (self.rate * self.gain / math.sqrt(self.w.shape[0]))
        return x @ w if self.b is None else ops.dense(x, w, _times(self.b, self.rate))

    def _options(self) -> str:
        return super()._options() + _shown(self.gain, self.rate)


class EqualizedConv(Conv):
    """y = conv2d(x, c · w) + rate · b with c = rate · gain / √(KH · KW · in_channels); w ~ N(0, 1 / rate²) at first.

    rate and gain: as for EqualizedDense. Raises ValueError for a wrong option, and if x does not fit.

    >>> tg.layers.EqualizedConv(3, 16, 3)(np.zeros((8, 28, 28, 3), np.float32)).shape
    (8, 28, 28, 16)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: PaddingOption = "same",
        bias: bool = True,
        gain: float = 1.0,
        rate: float = 1.0,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ):
        self.gain, self.rate = _scales("EqualizedConv", gain, rate)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias, _normal(self.rate), rng, dtype)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        w = self.w * (self.rate * self.gain / math.sqrt(math.prod(self.w.shape[:3])))
        y = ops.conv2d(x, w, **self.options)
        return y if self.b is None else y + _times(self.b, self.rate)

    def _options(self) -> str:
        return super()._options() + _shown(self.gain, self.rate)


def _scales(name: str, gain: float, rate: float) -> tuple[float, float]:
    return number(name, "gain", gain, above=0), number(name, "rate", rate, above=0)


def _normal(rate: float) -> init.Init:
    """N(0, 1 / rate²)."""
    return lambda shape, rng, dtype: init.normal(shape, rng, dtype, std=1 / rate)


def _times(b: Tensor, rate: float) -> Tensor:
    return b if rate == 1 else b * rate


def _shown(gain: float, rate: float) -> str:
    """The scales that are not 1."""
    return "".join(f", {name}={x:g}" for name, x in (("gain", gain), ("rate", rate)) if x != 1)
