"""Images (N, H, W, C) of another size: resizing to any, upsampling by a whole number, and pixel shuffle and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..kernels.reference_conv import Pair
from .linear import matmul
from .shape import broadcast_to
from .windows import check_images, pair


def upsample_nearest(x: Any, scale: int | Pair) -> Any:
    """Each pixel repeated to a rectangle of scale (vertical, horizontal): (N, H·sh, W·sw, C).

    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> tg.ops.upsample_nearest(x, 2)[0, :, :, 0]
    array([[0., 0., 1., 1.],
           [0., 0., 1., 1.],
           [2., 2., 3., 3.],
           [2., 2., 3., 3.]])
    """
    check_images("upsample_nearest", x)
    (sh, sw), (N, H, W, C) = pair("upsample_nearest", "scale", scale), x.shape
    return broadcast_to(x.reshape(N, H, 1, W, 1, C), (N, H, sh, W, sw, C)).reshape(N, H * sh, W * sw, C)


def upsample_bilinear(x: Any, scale: int | Pair) -> Any:
    """Linear in each direction between the centres of the pixels, constant beyond the outermost: (N, H·sh, W·sw, C).

    Pixel i of the result lies at (i + ½) / scale - ½ of x, as in Keras and in PyTorch with align_corners=False.

    >>> tg.ops.upsample_bilinear(np.zeros((1, 2, 2, 1)), 2).shape
    (1, 4, 4, 1)
    """
    check_images("upsample_bilinear", x)
    sh, sw = pair("upsample_bilinear", "scale", scale)
    return resize(x, (x.shape[1] * sh, x.shape[2] * sw), "bilinear")


def resize(x: Any, size: int | Pair, mode: str = "nearest", antialias: bool = True, align_corners: bool = False) -> Any:
    """Images of another size (height, width): (N, *size, C). Pixel i of the result lies at (i + ½) · H / height - ½.

    mode: "nearest", PyTorch's "nearest-exact", or a mean of the pixels around that place, weighted by a kernel of their
    distance d. "bilinear": 1 - |d| where |d| < 1. "bicubic": Keys 1981, eq. 15, which reaches to |d| < 2, with a = -½.
    antialias: where the result is smaller, the kernels are wider by the same factor, so that every pixel counts; the
    weights of the pixels inside the image sum to 1. Pillow does so, and PyTorch with antialias=True. Without it the
    kernels keep their width, pixels outside are copies of the outermost, and a is -¾: PyTorch with antialias=False.
    align_corners: pixel i lies at i · (H - 1) / (height - 1), so that the outermost stay where they are; with
    antialias=False, and not for "nearest".
    Raises ValueError for another mode, a size below 1, and images without pixels.

    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> tg.ops.resize(x, (4, 4))[0, :, :, 0]
    array([[0., 0., 1., 1.],
           [0., 0., 1., 1.],
           [2., 2., 3., 3.],
           [2., 2., 3., 3.]])
    """
    check_images("resize", x)
    if mode not in _KERNELS:
        raise ValueError(f'resize: mode is {mode!r}, but it must be "nearest", "bilinear" or "bicubic"')
    if align_corners and (antialias or mode == "nearest"):
        raise ValueError(
            f"resize: align_corners is True, but it is for bilinear and bicubic with antialias=False, and here mode is "
            f"{mode!r} and antialias {antialias}"
        )
    (height, width), (N, H, W, C) = pair("resize", "size", size), x.shape
    if not H * W:
        raise ValueError(f"resize: x is {x.shape}, images without pixels")
    y = matmul(_weights(H, height, mode, antialias, align_corners, x), x.reshape(N, H, W * C))
    y = matmul(_weights(W, width, mode, antialias, align_corners, x), y.reshape(N * height, W, C))
    return y.reshape(N, height, width, C)


def _weights(n: int, m: int, mode: str, antialias: bool, align_corners: bool, like: Any) -> Array:
    """The matrix (m, n) that resizes n pixels to m: in each row the weights of the pixels, for one place."""
    xp, (kernel, reach) = array_module(like), _KERNELS[mode]
    dtype = like.dtype if like.dtype.kind == "f" else np.promote_types(like.dtype, np.float32)
    if mode == "nearest":
        return (((2 * xp.arange(m) + 1) * n // (2 * m))[:, None] == xp.arange(n)).astype(dtype)
    i = xp.arange(m, dtype=np.float64)
    places = i * (n - 1) / max(m - 1, 1) if align_corners else (i + 0.5) * n / m - 0.5
    outside = 0 if antialias else reach
    pixels = xp.arange(-outside, n + outside, dtype=np.float64)
    stretch = max(1.0, n / m) if antialias else 1.0
    w = kernel(xp, xp.abs(places[:, None] - pixels) / stretch, -0.5 if antialias else -0.75)
    if outside:
        w = w @ (xp.clip(pixels, 0, n - 1)[:, None] == xp.arange(n)).astype(np.float64)
    return (w / w.sum(axis=1, keepdims=True)).astype(dtype)


def _linear(xp: Any, d: Array, a: float) -> Array:
    return xp.maximum(1 - d, 0)


def _cubic(xp: Any, d: Array, a: float) -> Array:
    near, far = ((a + 2) * d - (a + 3)) * d * d + 1, (((d - 5) * d + 8) * d - 4) * a
    return xp.where(d < 1, near, xp.where(d < 2, far, 0.0))


_KERNELS: dict[str, tuple[Any, int]] = {"nearest": (None, 0), "bilinear": (_linear, 1), "bicubic": (_cubic, 2)}


def pixel_shuffle(x: Any, factor: int) -> Any:
    """(N, H, W, C·r²) to (N, H·r, W·r, C) for the factor r: Shi et al. 2016.

    y[n, h·r + i, w·r + j, c] = x[n, h, w, c·r² + i·r + j]: the order of PyTorch's channels; TensorFlow's depth_to_space
    has them as (i·r + j)·C + c. Raises ValueError if r² does not divide the channels.

    >>> tg.ops.pixel_shuffle(np.zeros((1, 2, 2, 12)), 2).shape
    (1, 4, 4, 3)
    """
    check_images("pixel_shuffle", x)
    (r, _), (N, H, W, channels) = pair("pixel_shuffle", "factor", factor), x.shape
    if channels % (r * r):
        raise ValueError(f"pixel_shuffle: x has {channels} channels, but it must be a multiple of {r}² = {r * r}")
    C = channels // (r * r)
    return x.reshape(N, H, W, C, r, r).transpose(0, 1, 4, 2, 5, 3).reshape(N, H * r, W * r, C)


def pixel_unshuffle(x: Any, factor: int) -> Any:
    """(N, H·r, W·r, C) to (N, H, W, C·r²) for the factor r: what pixel_shuffle undoes.

    Raises ValueError if r does not divide the height and the width.

    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> tg.ops.pixel_unshuffle(x, 2)[0, 0, 0]
    array([0., 1., 2., 3.])
    """
    check_images("pixel_unshuffle", x)
    (r, _), (N, height, width, C) = pair("pixel_unshuffle", "factor", factor), x.shape
    if height % r or width % r:
        raise ValueError(f"pixel_unshuffle: x is {x.shape}, but its height and width must be multiples of {r}")
    H, W = height // r, width // r
    return x.reshape(N, H, r, W, r, C).transpose(0, 1, 3, 5, 2, 4).reshape(N, H, W, C * r * r)
