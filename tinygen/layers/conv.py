"""Convolutions of images (N, H, W, C)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .. import init, ops
from ..checks import check_input, whole
from ..ops.windows import PaddingOption, check_padding, lengths
from ..random import Generator
from ..tensor import Parameter, Tensor
from .module import Module


class Conv(Module):
    """y = conv2d(x, w) + b for x (N, H, W, in_channels): see ops.conv2d.

    w: (KH, KW, in_channels / groups, out_channels), Glorot-uniform at first; b: (out_channels,), 0 at first, as in
    Keras. Raises ValueError for a wrong option, and if x does not fit.

    >>> conv = tg.layers.Conv(3, 16, kernel_size=5, stride=2)
    >>> conv(np.zeros((8, 28, 28, 3), np.float32)).shape
    (8, 14, 14, 16)
    """

    axes: ClassVar[int] = 2
    op: ClassVar[Callable[..., Any]] = staticmethod(ops.conv2d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: PaddingOption = "same",
        bias: bool = True,
        weight_init: init.Init = init.glorot_uniform,
        rng: Generator | None = None,
        dtype: Any = np.float32,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
    ):
        name = type(self).__name__
        C, out_channels = _channels(name, in_channels, out_channels, groups)
        kernel = _checked_kernel(name, self.axes, kernel_size, stride, padding, dilation)
        shape = (*kernel, C // groups, out_channels)
        self.w = Parameter(init.weights(name, weight_init, shape, rng, dtype))
        b = init.biases(name, bias, out_channels, dtype, weight_init, shape, rng)
        self.b = None if b is None else Parameter(b)
        self.options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        y = self.op(x, self.w, **self.options)
        return y if self.b is None else y + self.b

    def _options(self) -> str:
        *kernel_size, C, out_channels = self.w.shape
        return _shown(C * self.options["groups"], out_channels, kernel_size, self.options, self.b)


class ConvTranspose(Module):
    """y = conv_transpose2d(x, w) + b for x (N, H, W, in_channels): see ops.conv_transpose2d.

    w: (KH, KW, out_channels / groups, in_channels), Glorot-uniform at first; b: (out_channels,), 0 at first, as in
    Keras. With padding "same" the stride multiplies the image's size. Raises ValueError for a wrong option, and if x
    does not fit.

    >>> conv = tg.layers.ConvTranspose(16, 3, kernel_size=5, stride=2)
    >>> conv(np.zeros((8, 14, 14, 16), np.float32)).shape
    (8, 28, 28, 3)
    """

    axes: ClassVar[int] = 2
    op: ClassVar[Callable[..., Any]] = staticmethod(ops.conv_transpose2d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: PaddingOption = "same",
        output_padding: int | tuple[int, int] = 0,
        bias: bool = True,
        weight_init: init.Init = init.glorot_uniform,
        rng: Generator | None = None,
        dtype: Any = np.float32,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
    ):
        name = type(self).__name__
        C, out_channels = _channels(name, in_channels, out_channels, groups)
        kernel = _checked_kernel(name, self.axes, kernel_size, stride, padding, dilation)
        shape = (*kernel, out_channels // groups, C)
        self.w = Parameter(init.weights(name, weight_init, shape, rng, dtype))
        b = init.biases(name, bias, out_channels, dtype, weight_init, shape, rng)
        self.b = None if b is None else Parameter(b)
        self.options: dict[str, Any] = {"stride": stride, "padding": padding, "output_padding": output_padding}
        self.options |= {"dilation": dilation, "groups": groups}

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        y = self.op(x, self.w, **self.options)
        return y if self.b is None else y + self.b

    def _options(self) -> str:
        *kernel_size, CO, in_channels = self.w.shape
        return _shown(in_channels, CO * self.options["groups"], kernel_size, self.options, self.b)


def _channels(name: str, in_channels: int, out_channels: int, groups: int) -> tuple[int, int]:
    """The numbers of channels, checked."""
    in_channels = whole(name, "in_channels", in_channels, 1)
    out_channels = whole(name, "out_channels", out_channels, 1)
    if in_channels % whole(name, "groups", groups, 1) or out_channels % groups:
        raise ValueError(
            f"{name}: groups is {groups}, but it must divide {in_channels} and {out_channels}, the numbers of channels"
        )
    return in_channels, out_channels


def _checked_kernel(
    name: str, axes: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[int, ...]:
    """The lengths of a kernel with so many axes. Raises ValueError for an option that no x could make right."""
    lengths(name, "dilation", dilation, axes)
    kernel = lengths(name, "kernel_size", kernel_size, axes)
    check_padding(name, padding, kernel, lengths(name, "stride", stride, axes))
    return kernel


def _shown(in_channels: int, out_channels: int, kernel_size: Any, options: dict[str, Any], bias: Any) -> str:
    """The sizes, and the options that differ from their defaults."""
    usual = {"stride": 1, "padding": "same", "output_padding": 0, "dilation": 1, "groups": 1}
    plain = {name: _one_of_two(value) for name, value in options.items()}
    shown = [f"{name}={value!r}" for name, value in plain.items() if value != usual[name]]
    shown += ["bias=False"] if bias is None else []
    return ", ".join([str(in_channels), str(out_channels), str(_one_of_two(tuple(kernel_size))), *shown])


def _one_of_two(value: Any) -> Any:
    """n for (n, n), and for (n,)."""
    return value[0] if isinstance(value, (tuple, list)) and value[0] == value[-1] else value
