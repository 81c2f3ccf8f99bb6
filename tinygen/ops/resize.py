"""Larger images (N, H, W, C): upsampling by a whole number, and pixel shuffle."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..kernels.reference_conv import Pair
from .linear import matmul
from .shape import broadcast_to
from .windows import check_images, pair


def upsample_nearest(x: Any, scale: int | Pair) -> Any:
    """Each pixel repeated to a rectangle of scale (vertical, horizontal): (N, H·sh, W·sw, C)."""
    check_images("upsample_nearest", x)
    (sh, sw), (N, H, W, C) = pair("upsample_nearest", "scale", scale), x.shape
    return broadcast_to(x.reshape(N, H, 1, W, 1, C), (N, H, sh, W, sw, C)).reshape(N, H * sh, W * sw, C)


def upsample_bilinear(x: Any, scale: int | Pair) -> Any:
    """Linear in each direction between the centres of the pixels, constant beyond the outermost: (N, H·sh, W·sw, C).

    Pixel i of the result lies at (i + ½) / scale - ½ of x, as in Keras and in PyTorch with align_corners=False.
    """
    check_images("upsample_bilinear", x)
    (sh, sw), (N, H, W, C) = pair("upsample_bilinear", "scale", scale), x.shape
    rows = matmul(_interpolation(H, sh, x), x.reshape(N, H, W * C))
    y = matmul(_interpolation(W, sw, x), rows.reshape(N * H * sh, W, C))
    return y.reshape(N, H * sh, W * sw, C)


def _interpolation(n: int, scale: int, like: Any) -> Array:
    """The matrix (n · scale, n) of the weights max(0, 1 - |p_i - j|) of the pixels j at the places p_i."""
    xp = array_module(like)
    places = (xp.arange(n * scale, dtype=np.float64) + 0.5) / scale - 0.5
    away = xp.clip(places, 0, n - 1)[:, None] - xp.arange(n, dtype=np.float64)
    dtype = like.dtype if like.dtype.kind == "f" else np.promote_types(like.dtype, np.float32)
    return xp.maximum(1 - xp.abs(away), 0).astype(dtype)


def pixel_shuffle(x: Any, factor: int) -> Any:
    """(N, H, W, C·r²) to (N, H·r, W·r, C) for the factor r: Shi et al. 2016.

    y[n, h·r + i, w·r + j, c] = x[n, h, w, c·r² + i·r + j]: the order of PyTorch's channels; TensorFlow's depth_to_space
    has them as (i·r + j)·C + c. Raises ValueError if r² does not divide the channels.
    """
    check_images("pixel_shuffle", x)
    (r, _), (N, H, W, channels) = pair("pixel_shuffle", "factor", factor), x.shape
    if channels % (r * r):
        raise ValueError(f"pixel_shuffle: x has {channels} channels, but it must be a multiple of {r}² = {r * r}")
    C = channels // (r * r)
    return x.reshape(N, H, W, C, r, r).transpose(0, 1, 4, 2, 5, 3).reshape(N, H * r, W * r, C)
