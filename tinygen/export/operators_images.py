"""Operators of ONNX on images (N, C, H, W), by ops on images (N, H, W, C). A transpose in tinygen copies nothing."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..kernels.reference_conv import Padding, Pair
from .graph import NCHW
from .operators import Operator, numbers, reads, refuse

NHWC = (0, 2, 3, 1)
TO_KERNEL = (2, 3, 1, 0)  # (K, C, KH, KW) to (KH, KW, C, K)


def _channels_last(kind: str, x: Any) -> Any:
    if x.ndim != 4:
        raise refuse(kind, f"x is {x.shape}, but only images (N, C, H, W) and sequences (N, C, L) are supported")
    return ops.transpose(x, NHWC)


def with_sequences(function: Operator) -> Operator:
    """An operator on images that takes sequences (N, C, L), too: images of one column."""

    @functools.wraps(function)
    def call(x: Any, *more: Any, **options: Any) -> Any:
        if x.ndim != 3:
            return function(x, *more, **options)
        wide = {name: value for name, value in options.items() if name not in NEUTRAL}
        for name, neutral in NEUTRAL.items():
            if (value := options.get(name)) is not None:
                wide[name] = [n for one in value for n in (one, neutral)]
        more = tuple(ops.expand_dims(w, -1) if w is not None and w.ndim == 3 else w for w in more)
        return ops.squeeze(function(ops.expand_dims(x, -1), *more, **wide), -1)

    return call


NEUTRAL = dict.fromkeys(("kernel_shape", "strides", "dilations", "output_shape"), 1)  # what an axis of length 1 gets
NEUTRAL |= dict.fromkeys(("pads", "output_padding"), 0)


def _geometry(
    kind: str, size: Sequence[int], window: Sequence[int], strides: Any, pads: Any, dilations: Any, auto_pad: str
) -> tuple[Pair, Padding]:
    """The strides and the padding ((top, bottom), (left, right))."""
    sh, sw = strides or (1, 1)
    if auto_pad in ("NOTSET", "VALID"):
        top, left, bottom, right = pads or (0,) * 4
        return (sh, sw), ((top, bottom), (left, right))
    sides = []
    for n, k, s, d in zip(size, window, (sh, sw), dilations or (1, 1), strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        less, more = total // 2, total - total // 2
        sides.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
    return (sh, sw), (sides[0], sides[1])


@reads("Conv")
@with_sequences
def _conv(
    x: Any, w: Any, b: Any = None, *, kernel_shape: Any = None, strides: Any = None, pads: Any = None,
    dilations: Any = None, group: int = 1, auto_pad: str = "NOTSET",
) -> Any:  # fmt: skip
    images, kernel = _channels_last("Conv", x), ops.transpose(w, TO_KERNEL)
    stride, padding = _geometry("Conv", x.shape[2:], w.shape[2:], strides, pads, dilations, auto_pad)
    y = ops.conv2d(images, kernel, stride, padding, tuple(dilations or (1, 1)), group)
    return ops.transpose(y if b is None else y + b, NCHW)


@reads("ConvTranspose")
@with_sequences
def _conv_transpose(
    x: Any, w: Any, b: Any = None, *, kernel_shape: Any = None, strides: Any = None, pads: Any = None,
    dilations: Any = None, group: int = 1, auto_pad: str = "NOTSET", output_padding: Any = None,
    output_shape: Any = None,
) -> Any:  # fmt: skip
    images, stride = _channels_last("ConvTranspose", x), tuple(strides or (1, 1))
    dilation, extra = tuple(dilations or (1, 1)), tuple(output_padding or (0, 0))
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    full = [(n - 1) * s + k + e for n, s, k, e in zip(x.shape[2:], stride, reach, extra, strict=True)]
    if output_shape is None and auto_pad.startswith("SAME"):
        output_shape = [n * s for n, s in zip(x.shape[2:], stride, strict=True)]
    if output_shape is not None:
        gone = [max(n - m, 0) for n, m in zip(full, output_shape[-2:], strict=True)]
        full = [max(n, m) for n, m in zip(full, output_shape[-2:], strict=True)]
        halves = [(n - n // 2, n // 2) if auto_pad != "SAME_UPPER" else (n // 2, n - n // 2) for n in gone]
        pads = [side[i] for i in (0, 1) for side in halves]
    top, left, bottom, right = pads or (0,) * 4
    # what output_padding adds below is left to the crop: a kernel may reach less far than the result
    kernel = ops.transpose(w, TO_KERNEL)  # (C, K / group, KH, KW) to (KH, KW, K / group, C)
    y = ops.conv_transpose2d(images, kernel, stride, 0, 0, dilation, group)
    missing = [max(n - m, 0) for n, m in zip(full, y.shape[1:3], strict=True)]
    y = ops.pad(y, ((0, 0), *((0, n) for n in missing), (0, 0))) if any(missing) else y
    y = y[:, top : full[0] - bottom, left : full[1] - right]
    return ops.transpose(y if b is None else y + b, NCHW)


@reads("MaxPool")
@with_sequences
def _max_pool(
    x: Any, *, kernel_shape: Sequence[int], strides: Any = None, pads: Any = None, dilations: Any = None,
    ceil_mode: int = 0, storage_order: int = 0, auto_pad: str = "NOTSET",
) -> Any:  # fmt: skip
    images, stride, padding, dilation = _pooling("MaxPool", x, kernel_shape, strides, pads, dilations, auto_pad)
    y = ops.max_pool2d(images, _two(kernel_shape), stride, padding, dilation, bool(ceil_mode))
    return ops.transpose(y, NCHW)


@reads("AveragePool")
@with_sequences
def _average_pool(
    x: Any, *, kernel_shape: Sequence[int], strides: Any = None, pads: Any = None, dilations: Any = None,
    ceil_mode: int = 0, count_include_pad: int = 0, auto_pad: str = "NOTSET",
) -> Any:  # fmt: skip
    images, stride, padding, dilation = _pooling("AveragePool", x, kernel_shape, strides, pads, dilations, auto_pad)
    options = bool(ceil_mode), bool(count_include_pad)
    return ops.transpose(ops.avg_pool2d(images, _two(kernel_shape), stride, padding, dilation, *options), NCHW)


def _pooling(
    kind: str, x: Any, window: Sequence[int], strides: Any, pads: Any, dilations: Any, auto_pad: str
) -> tuple[Any, Pair, Padding, Pair]:
    """The images, and the options as tinygen's poolings take them."""
    images = _channels_last(kind, x)
    stride, padding = _geometry(kind, x.shape[2:], window, strides, pads, dilations, auto_pad)
    return images, stride, padding, _two(dilations or (1, 1))


def _two(sides: Sequence[int]) -> Pair:
    """Two numbers as a pair."""
    first, second = sides
    return first, second


@reads("GlobalAveragePool")
def _global_average_pool(x: Any) -> Any:
    return ops.mean(x, tuple(range(2, x.ndim)), True)


@reads("GlobalMaxPool")
def _global_max_pool(x: Any) -> Any:
    return ops.max(x, tuple(range(2, x.ndim)), True)


@reads("Resize")
def _resize(
    x: Any, roi: Any = None, scales: Any = None, sizes: Any = None, *, mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel", nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75, antialias: int = 0, exclude_outside: int = 0, axes: Any = None,
    extrapolation_value: float = 0.0, keep_aspect_ratio_policy: str = "stretch",
) -> Any:  # fmt: skip
    """Images of another size, where tinygen's resize has the same meaning."""
    images, named = _channels_last("Resize", x), list(axes or range(4))
    lengths = list(x.shape)
    for i, axis in enumerate(named):
        lengths[axis] = numbers(sizes)[i] if sizes is not None else math.floor(x.shape[axis] * float(scales[i]))
    (N, C, H, W), whole = lengths, [m % n == 0 for n, m in zip(x.shape, lengths, strict=True)]
    exact = scales is None or all(float(scales[i]) * x.shape[axis] == lengths[axis] for i, axis in enumerate(named))
    centres = coordinate_transformation_mode == "half_pixel"
    fits = x.shape[:2] == (N, C) and exact and keep_aspect_ratio_policy == "stretch"
    if mode == "nearest":
        corner = coordinate_transformation_mode == "asymmetric" and nearest_mode == "floor"
        nearest = centres and nearest_mode.startswith("round")
        fits &= (all(whole) and (nearest or corner)) or (nearest and nearest_mode == "round_prefer_ceil")
    else:
        fits &= centres and exclude_outside == antialias
        fits &= mode == "linear" or cubic_coeff_a == (-0.5 if antialias else -0.75)
    if not fits:
        raise refuse(
            "Resize", f"{mode} with {coordinate_transformation_mode}, {nearest_mode} and its other options from "
            f"{x.shape} to {tuple(lengths)} is none of the ways in which tinygen resizes images"
        )  # fmt: skip
    name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    return ops.transpose(ops.resize(images, (H, W), name, bool(antialias)), NCHW)
