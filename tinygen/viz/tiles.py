"""Any example of a model as a tile for the screen: a uint8 image of one channel or three.

One or three channels are an image already. Four are red, green, blue and alpha, laid on grey. Any other number of
channels, and the slices of a volume, become grey panels side by side. A vector becomes a bar chart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

GUTTER_GREY = 72  # dark enough beside a digit, light enough to separate black images
NOT_FINITE = (255, 0, 255)  # magenta: in no greyscale image and few photographs
PANELS = 16  # side by side at most; more channels or slices are sampled evenly
BARS, BAR_HEIGHT = 128, 32  # of a vector's chart: columns of pixels at most, and its height


def tiles(x: np.ndarray, value_range: tuple[float, float], longest: int) -> Iterator[np.ndarray]:
    """A tile, (H, W, 1) or (H, W, 3), for each example of x (N, ...), no side longer than `longest`.

    value_range (low, high) becomes black to white; values outside are clipped, those that are not finite are magenta.
    """
    for example in x:
        image = _chart(example.reshape(-1), value_range) if example.ndim < 2 else _panels(example)
        yield _shrunk(_as_bytes(image, (0, 1) if example.ndim < 2 else value_range), longest)


def _panels(x: np.ndarray) -> np.ndarray:
    """(H, W), (H, W, C) or (..., H, W, C) as (H, W', 1), (H, W', 3) or (H, W', 4)."""
    x = x[..., np.newaxis] if x.ndim == 2 else x
    if x.ndim > 3:
        x = _side_by_side(x.reshape(-1, *x.shape[-3:]))
    return x if x.shape[-1] in (1, 3, 4) else _side_by_side(np.moveaxis(x, -1, 0)[..., np.newaxis])


def _side_by_side(panels: np.ndarray) -> np.ndarray:
    chosen = np.unique(np.linspace(0, len(panels) - 1, min(len(panels), PANELS)).round().astype(int))
    return np.concatenate(panels[chosen], axis=1)


def _chart(v: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """A vector (D,) as a bar chart, (BAR_HEIGHT, W, 1) of 0 and 1; bars start at 0, or the end of the range next to it.

    A column of a long vector spans several values; it is NaN if one of them is not finite.
    """
    low, high = value_range
    columns = np.array_split(v.astype(np.float64), min(len(v), BARS))
    base = min(max(0.0, low), high)
    bottom = np.array([np.append(column, base).min() for column in columns])  # NaN stays NaN
    top = np.array([np.append(column, base).max() for column in columns])
    edges = np.linspace(high, low, BAR_HEIGHT + 1)[:, np.newaxis]
    chart = ((edges[1:] < top) & (edges[:-1] > bottom)).astype(np.float64)
    chart[:, ~(np.isfinite(bottom) & np.isfinite(top))] = np.nan
    return chart.repeat(max(BAR_HEIGHT // len(columns), 1), axis=1)[..., np.newaxis]


def _as_bytes(image: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    low, high = value_range
    broken = ~np.isfinite(image).all(axis=-1, keepdims=True)
    levels = (np.where(broken, low, image).clip(low, high) - low) * (255 / (high - low))
    if image.shape[-1] == 4:
        alpha = levels[..., 3:] / 255
        levels = levels[..., :3] * alpha + GUTTER_GREY * (1 - alpha)
    pixels = np.rint(levels).astype(np.uint8)
    return np.where(broken, np.array(NOT_FINITE, np.uint8), pixels) if broken.any() else pixels


def _shrunk(tile: np.ndarray, longest: int) -> np.ndarray:
    """A tile shrunk by averaging pixels until no side is longer than `longest`."""
    factor = -(-max(tile.shape[:2]) // max(longest, 1))
    if factor < 2:
        return tile
    height, width = (max(n // factor, 1) for n in tile.shape[:2])
    tile = tile[: height * factor, : width * factor]
    down, across = tile.shape[0] // height, tile.shape[1] // width
    means = tile.reshape(height, down, width, across, -1).mean(axis=(1, 3))
    return np.rint(means).astype(np.uint8)
