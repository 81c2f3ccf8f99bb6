"""Layers without parameters that make images (N, H, W, C) smaller or larger, or give them a border."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from .. import ops
from ..checks import check_input, whole
from ..kernels.reference_conv import Pair
from ..ops.windows import PaddingOption, check_images, check_padding, lengths, pair
from ..tensor import Tensor
from .module import Module


class _Pool(Module):
    """What all poolings share: the options of their op, checked. stride: None for the window's size."""

    axes: ClassVar[int] = 2
    op: ClassVar[Callable[..., Any]] = staticmethod(ops.max_pool2d)

    def __init__(
        self,
        window: int | tuple[int, int] = 2,
        stride: int | tuple[int, int] | None = None,
        padding: PaddingOption = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ):
        name = type(self).__name__
        lengths(name, "dilation", dilation, self.axes)
        sizes = lengths(name, "window", window, self.axes)
        check_padding(name, padding, sizes, sizes if stride is None else lengths(name, "stride", stride, self.axes))
        self.window = window
        self.options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
        self.options["ceil_mode"] = bool(ceil_mode)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return self.op(x, self.window, **self.options)

    def _options(self) -> str:
        usual = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "count_include_pad": False}
        shown = [f"{name}={value!r}" for name, value in self.options.items() if value != usual[name]]
        return ", ".join([str(self.window), *shown])


class MaxPool(_Pool):
    """The largest element of each window, channel by channel: see ops.max_pool2d.

    >>> tg.layers.MaxPool(2)(np.ones((1, 4, 4, 3), np.float32)).shape
    (1, 2, 2, 3)
    """


class AvgPool(_Pool):
    """The mean of each window, channel by channel: see ops.avg_pool2d.

    >>> tg.layers.AvgPool(2)(np.ones((1, 4, 4, 3), np.float32)).shape
    (1, 2, 2, 3)
    """

    op: ClassVar[Callable[..., Any]] = staticmethod(ops.avg_pool2d)

    def __init__(
        self,
        window: int | tuple[int, int] = 2,
        stride: int | tuple[int, int] | None = None,
        padding: PaddingOption = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        count_include_pad: bool = False,
    ):
        super().__init__(window, stride, padding, dilation, ceil_mode)
        self.options["count_include_pad"] = bool(count_include_pad)


class GlobalAvgPool(Module):
    """The mean of each channel over the image: (N, H, W, C) to (N, C). Raises ValueError for fewer than three axes.

    >>> tg.layers.GlobalAvgPool()(np.zeros((8, 7, 7, 64))).shape
    (8, 64)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, least=3)
        if not math.prod(x.shape[1:-1]):
            raise ValueError(f"GlobalAvgPool: x is {x.shape}, no value per channel; give larger images")
        return ops.mean(x, tuple(range(1, x.ndim - 1)))


class UpSampling(Module):
    """Images whose sides are a whole number of times longer: see ops.upsample_nearest and ops.upsample_bilinear.

    Raises ValueError for another mode.

    >>> tg.layers.UpSampling(2)(np.zeros((1, 7, 7, 3))).shape
    (1, 14, 14, 3)
    """

    def __init__(self, scale: int | tuple[int, int] = 2, mode: Literal["nearest", "bilinear"] = "nearest"):
        if mode not in ("nearest", "bilinear"):
            raise ValueError(f'UpSampling: mode is {mode!r}, but it must be "nearest" or "bilinear"')
        pair("UpSampling", "scale", scale)
        self.scale, self.mode = scale, mode

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return (ops.upsample_nearest if self.mode == "nearest" else ops.upsample_bilinear)(x, self.scale)

    def _options(self) -> str:
        return str(self.scale) + (f", {self.mode!r}" if self.mode != "nearest" else "")


class Pad(Module):
    """Images with a border: see ops.pad.

    width: of all sides, (vertical, horizontal) or ((top, bottom), (left, right)).  mode: "reflect", "edge", "wrap", or
    "constant", 0. Raises ValueError for another mode, and for a border wider than the image has pixels for.

    >>> tg.layers.Pad(3)(np.zeros((1, 28, 28, 3))).shape
    (1, 34, 34, 3)
    """

    def __init__(
        self,
        width: int | Pair | tuple[Pair, Pair],
        mode: Literal["reflect", "edge", "wrap", "constant"] = "reflect",
    ):
        if mode not in (modes := ("reflect", "edge", "wrap", "constant")):
            raise ValueError(f"Pad: mode is {mode!r}, but it must be one of {', '.join(modes)}")
        both = width if isinstance(width, (tuple, list)) and len(width) == 2 else (width, width)
        self.width = tuple(pair("Pad", "width", sides, least=0) for sides in both)
        self.mode = mode

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        check_images("Pad", x)
        return ops.pad(x, ((0, 0), *self.width, (0, 0)), self.mode)

    def _options(self) -> str:
        (top, bottom), (left, right) = self.width
        return f"{top if top == bottom == left == right else self.width}, {self.mode!r}"


class PixelShuffle(Module):
    """r² times fewer channels, images r times higher and wider: see ops.pixel_shuffle.

    >>> tg.layers.PixelShuffle(2)(np.zeros((1, 7, 7, 12))).shape
    (1, 14, 14, 3)
    """

    def __init__(self, factor: int = 2):
        self.factor = whole("PixelShuffle", "factor", factor, 1)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.pixel_shuffle(x, self.factor)

    def _options(self) -> str:
        return str(self.factor)
