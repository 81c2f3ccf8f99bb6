"""Grids of points in a latent plane, for pictures of a decoder's output."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from ..backend import Array, to_device, to_host

PLANE = ("latent_plane", "manifold")  # the pictures of a model with two latents


def gaussian_plane(side: int) -> Array:
    """Latents (side², 2) at the quantiles 1/2side, 3/2side, ... of N(0, 1) on both axes: Kingma and Welling 2013,
    appendix A. Row by row as in a picture: the first axis grows to the right, the second upwards."""
    ticks = np.array([NormalDist().inv_cdf((i + 0.5) / side) for i in range(side)])
    return _grid(ticks, ticks)


def plane_around(codes: Array, side: int) -> Array:
    """Latents (side², 2), evenly spaced over the middle 98% of codes (N, 2) on each axis: an outlier would leave no
    room for the others. Rows as in gaussian_plane."""
    low, high = np.quantile(to_host(codes), [0.01, 0.99], axis=0)
    return _grid(*(np.linspace(low[i], high[i], side) for i in (0, 1)))


def _grid(right: np.ndarray, up: np.ndarray) -> Array:
    first, second = np.meshgrid(right, up[::-1])
    return to_device(np.stack([first, second], axis=-1).reshape(-1, 2).astype(np.float32))
