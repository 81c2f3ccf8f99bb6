"""Convolution of images (N, H, W, C) with kernels (KH, KW, C, CO), and its derivatives of every order.

<gy, conv2d(x, w)> is linear in each of gy, x and w, and conv_transpose2d, conv2d_weight_grad and conv2d itself are its
three partial gradients, for x, for w and for gy:

    <gy, conv2d(x, w)> = <conv_transpose2d(gy, w), x> = <conv2d_weight_grad(x, gy), w>

So the rules of each are the other two, and no order of derivative needs anything else. columns.py shows the meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import kernels
from ..backend import Array
from ..kernels.reference_conv import Padding, Pair, output_size
from ..primitives import primitive
from .joining import concatenate, split
from .shape import put
from .windows import PaddingOption, check_fits, check_images, pair, resolve_padding


@primitive
def _conv2d(x: Any, w: Any, stride: Pair, padding: Padding) -> Array:
    return kernels.conv2d(x, w, stride, padding)


@primitive
def _conv_transpose2d(gy: Any, w: Any, stride: Pair, padding: Padding, size: Pair) -> Array:
    return kernels.conv_transpose2d(gy, w, stride, padding, size)


@primitive
def _conv2d_weight_grad(x: Any, gy: Any, kernel_size: Pair, stride: Pair, padding: Padding) -> Array:
    """gw of conv2d: the windows of x as rows, transposed, times gy."""
    return kernels.conv2d_weight_grad(x, gy, kernel_size, stride, padding)


_conv2d.rules(
    lambda gy, y, x, w, stride, padding: _conv_transpose2d(gy, w, stride, padding, x.shape[1:3]),
    lambda gy, y, x, w, stride, padding: _conv2d_weight_grad(x, gy, w.shape[:2], stride, padding),
)
_conv_transpose2d.rules(
    lambda ggx, gx, gy, w, stride, padding, size: _conv2d(ggx, w, stride, padding),
    lambda ggx, gx, gy, w, stride, padding, size: _conv2d_weight_grad(ggx, gy, w.shape[:2], stride, padding),
)
_conv2d_weight_grad.rules(
    lambda ggw, gw, x, gy, kernel_size, stride, padding: _conv_transpose2d(gy, ggw, stride, padding, x.shape[1:3]),
    lambda ggw, gw, x, gy, kernel_size, stride, padding: _conv2d(x, ggw, stride, padding),
)


def conv2d(
    x: Any,
    w: Any,
    stride: int | Pair = 1,
    padding: PaddingOption = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Any:
    """y[n, i, j, o] = Σ x[n, i·sh + k·dh - top, j·sw + l·dw - left, c] · w[k, l, c, o] over k, l, c; 0 outside of x.

    x: (N, H, W, C).  w: (KH, KW, C / groups, CO); each group of channels has its own part of the CO.
    padding: a number of rows and columns on each side, ((top, bottom), (left, right)), "valid" (none), or "same": as
    TensorFlow, OH = ⌈H / sh⌉.  y: (N, OH, OW, CO) with OH = ⌊(H + top + bottom - dh·(KH - 1) - 1) / sh⌋ + 1.
    Raises ValueError for shapes or options that do not fit.

    >>> x, w = np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 1))
    >>> tg.ops.conv2d(x, w, padding="same")[0, :, :, 0]
    array([[4., 6., 6., 4.],
           [6., 9., 9., 6.],
           [6., 9., 9., 6.],
           [4., 6., 6., 4.]])
    """
    check_images("conv2d", x)
    check_channels("conv2d", x, w, groups, w_axis=2)
    return convolved("conv2d", x, w, stride, padding, dilation, groups)


def convolved(op: str, x: Any, w: Any, stride: Any, padding: PaddingOption, dilation: Any, groups: int) -> Any:
    """conv2d of what was checked so far by the op that names itself in errors."""
    stride = pair(op, "stride", stride)
    w = _dilated(op, w, dilation)
    resolved = resolve_padding(op, padding, x.shape[1:3], w.shape[:2], stride)
    check_fits(op, x.shape[1:3], w.shape[:2], resolved)
    return _grouped(lambda x, w: _conv2d(x, w, stride, resolved), x, w, groups)


def conv_transpose2d(
    x: Any,
    w: Any,
    stride: int | Pair = 1,
    padding: PaddingOption = 0,
    output_padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Any:
    """The gradient of conv2d(·, w) for its x, run forwards: each x[n, i, j] spreads x · w over a window of the result.

    x: (N, H, W, C).  w: (KH, KW, CO / groups, C), the kernel of the convolution that is transposed, as in Keras.
    Result: (N, OH, OW, CO) with OH = (H - 1)·sh + dh·(KH - 1) + 1 - top - bottom + output_padding, or for "same",
    as in Keras, OH = H·sh + output_padding. Several sizes convolve to H: this is the smallest, for "same" the
    largest; output_padding gives the others: 0 to sh - 1, for "same" -(sh - 1) to 0.
    Dumoulin and Visin 2016, section 4. Raises ValueError for shapes or options that do not fit.

    >>> x, w = np.ones((1, 2, 2, 1)), np.ones((2, 2, 1, 1))
    >>> tg.ops.conv_transpose2d(x, w, stride=2).shape
    (1, 4, 4, 1)
    """
    check_images("conv_transpose2d", x)
    check_channels("conv_transpose2d", x, w, groups, w_axis=3)
    return transposed("conv_transpose2d", x, w, stride, padding, output_padding, dilation, groups)


def transposed(
    op: str, x: Any, w: Any, stride: Any, padding: PaddingOption, output_padding: Any, dilation: Any, groups: int
) -> Any:
    """conv_transpose2d of what was checked so far by the op that names itself in errors."""
    stride = pair(op, "stride", stride)
    w = _dilated(op, w, dilation)
    size = _size_before(op, x.shape[1:3], w.shape[:2], stride, padding, output_padding)
    resolved = resolve_padding(op, padding, size, w.shape[:2], stride)
    return _grouped(lambda x, w: _conv_transpose2d(x, w, stride, resolved, size), x, w, groups)


def conv2d_weight_grad(
    x: Any, gy: Any, kernel_size: int | Pair, stride: int | Pair = 1, padding: PaddingOption = 0
) -> Any:
    """The gradient of conv2d(x, w) for w: gw[k, l, c, o] = Σ x[n, i·sh + k - top, j·sw + l - left, c] · gy[n, i, j, o].

    x: (N, H, W, C).  gy: (N, OH, OW, CO).  gw: (KH, KW, C, CO). Raises ValueError if gy does not have the
    shape of conv2d's result.

    >>> x, gy = np.ones((1, 4, 4, 1)), np.ones((1, 2, 2, 1))
    >>> tg.ops.conv2d_weight_grad(x, gy, kernel_size=3).shape
    (3, 3, 1, 1)
    """
    check_images("conv2d_weight_grad", x)
    kernel_size = pair("conv2d_weight_grad", "kernel_size", kernel_size)
    stride = pair("conv2d_weight_grad", "stride", stride)
    resolved = resolve_padding("conv2d_weight_grad", padding, x.shape[1:3], kernel_size, stride)
    check_fits("conv2d_weight_grad", x.shape[1:3], kernel_size, resolved)
    expected = (x.shape[0], *output_size(x.shape[1:3], kernel_size, stride, resolved))
    if gy.ndim != 4 or gy.shape[:3] != expected:
        raise ValueError(f"conv2d_weight_grad: gy is {gy.shape}, but x {x.shape} gives {(*expected, 'CO')}")
    return _conv2d_weight_grad(x, gy, kernel_size, stride, resolved)


def check_channels(op: str, x: Any, w: Any, groups: int, w_axis: int) -> None:
    """Raise ValueError unless the kernel's axis w_axis fits the channels of x (of one group)."""
    images, last = x.ndim == 4, x.ndim - 1
    if w.ndim != x.ndim:
        raise ValueError(f"{op}: w is {w.shape}, but a kernel is ({'KH, KW' if images else 'K'}, C, CO)")
    if groups < 1 or w.shape[last] % groups:
        raise ValueError(f"{op}: groups is {groups}, but it must divide the last axis of the kernel {w.shape}")
    taken = w.shape[last] if w_axis == last else w.shape[w_axis] * groups
    if x.shape[last] != taken:
        in_groups = f" in {groups} groups" if groups > 1 else ""
        order = "images are NHWC, did you pass NCHW?" if images else "sequences are NLC, did you pass NCL?"
        raise ValueError(
            f"{op}: x has {x.shape[last]} channels but the kernel {w.shape} takes {taken}{in_groups}; {order}"
        )


def _size_before(
    op: str, size: Pair, kernel_size: Pair, stride: Pair, padding: PaddingOption, output_padding: Any
) -> Pair:
    """The size of the image that the convolution turns into `size`: that of the transposed convolution's result."""
    same = isinstance(padding, str) and padding == "same"
    extra = pair(op, "output_padding", output_padding, least=1 - max(stride) if same else 0)
    if any(not (-s < e <= 0 if same else 0 <= e < s) for e, s in zip(extra, stride, strict=True)):
        limits = "from 1 - stride to 0" if same else "from 0 to stride - 1"
        raise ValueError(f"{op}: output_padding is {output_padding}, but with stride {stride} it must be {limits}")
    if same:
        height, width = (n * s + e for n, s, e in zip(size, stride, extra, strict=True))
    else:
        padded = resolve_padding(op, padding, size, kernel_size, stride)
        sides = zip(size, kernel_size, stride, padded, extra, strict=True)
        height, width = ((n - 1) * s + k - sum(p) + e for n, k, s, p, e in sides)
    if min(height, width) < 1:
        raise ValueError(f"{op}: the result would be {height}x{width}: padding {padding!r} leaves nothing of it")
    return height, width


def _dilated(op: str, w: Any, dilation: int | Pair) -> Any:
    """The kernel with dilation - 1 zeros between its rows and between its columns."""
    dh, dw = pair(op, "dilation", dilation)
    if (dh, dw) == (1, 1):
        return w
    KH, KW, C, CO = w.shape
    places = (slice(None, None, dh), slice(None, None, dw))
    return put(w, ((KH - 1) * dh + 1, (KW - 1) * dw + 1, C, CO), places)


def _grouped(conv: Callable[[Any, Any], Any], x: Any, w: Any, groups: int) -> Any:
    """conv of each group of channels with its own part of the kernel's last axis, side by side."""
    if groups == 1:
        return conv(x, w)
    pairs = zip(split(x, groups, axis=3), split(w, groups, axis=3), strict=True)
    return concatenate([conv(xg, wg) for xg, wg in pairs], axis=3)
