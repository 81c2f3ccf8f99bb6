"""Grids of images, drawn pixel by pixel: a small digit is scaled up by a whole factor and stays sharp."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, to_host
from ..files import replace_file
from .plots import Range, figure, scatter, write_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GUTTER = 2  # pixels between images and around them
GUTTER_GREY = 72  # dark enough to vanish beside a digit, light enough to part two black images
NOT_FINITE = (255, 0, 255)  # magenta: no greyscale image holds it and few photographs do
COMFORTABLE = 512  # pixels: a picture is scaled up while its longer side stays within this
LARGEST_SCALE = 8
NAME_WIDTH = 40  # pixels, for the names of rows


def grid(
    images: Array, value_range: Range | None, columns: int | None = None, *, scale: int = 1, gutter: int = GUTTER
) -> np.ndarray:
    """Images (N, H, W, C) or (N, H, W) row by row in one uint8 array: (H', W') for grey ones, (H', W', 3) for colour.

    value_range (low, high) goes to black and white, what lies outside is clipped; None stands for (0, 255). Pixels that
    are NaN or infinite come out magenta, and the grid is then in colour. By default it is as near to square as it gets.
    scale: every pixel becomes a square of scale x scale.  Raises ValueError for another shape.
    """
    images = _as_images(images)
    n, height, width, _ = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    tiles = _as_bytes(images, value_range or (0, 255)).repeat(scale, axis=1).repeat(scale, axis=2)
    step_y, step_x = height * scale + gutter, width * scale + gutter
    sheet = np.full((rows * step_y + gutter, columns * step_x + gutter, tiles.shape[-1]), GUTTER_GREY, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = gutter + i // columns * step_y, gutter + i % columns * step_x
        sheet[y : y + height * scale, x : x + width * scale] = tile
    return sheet[..., 0] if sheet.shape[-1] == 1 else sheet


def save_grid(
    images: Array,
    path: str | os.PathLike[str],
    value_range: Range | None,
    points_range: Range | None = None,
    columns: int | None = None,
) -> None:
    """Write images as a PNG grid, scaled up to a comfortable size, or points (N, 2) as a scatter plot.

    value_range, columns: as in `grid`.  points_range: as in `scatter`; give it, so that the frames of a film agree.
    Raises OSError if the file can't be written; one that was there is then as it was.
    """
    from PIL import Image

    images = to_host(images)
    if _are_points(images):
        write_png(scatter(images, points_range), path)
        return
    sheet = grid(images, value_range, columns, scale=_comfortable_scale(images, columns))
    with replace_file(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", optimize=True)


def samples(model: Any, n: int = 25) -> Figure:
    """A Figure of n samples of a model: a grid of images, or a scatter plot of points. Its run is not changed."""
    images = to_host(model.sample(n))
    if _are_points(images):
        return scatter(images)
    return sheet_figure(images, model.value_range)


def sheet_figure(
    images: Array,
    value_range: Range | None,
    columns: int | None = None,
    row_names: Sequence[str] = (),
    gutter: int = GUTTER,
) -> Figure:
    """A Figure of a grid of images, scaled up to a comfortable size, with the names of its rows to their left."""
    images = to_host(images)
    scale = _comfortable_scale(images, columns)
    sheet = grid(images, value_range, columns, scale=scale, gutter=gutter)
    height, width = sheet.shape[:2]
    margin = NAME_WIDTH if row_names else 0
    fig = figure(margin + width, height, layout=None)
    fig.set_facecolor(str(GUTTER_GREY / 255))
    axes = fig.add_axes((margin / (margin + width), 0, width / (margin + width), 1))
    axes.set_axis_off()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    for i, name in enumerate(row_names):
        y = gutter + (i + 0.5) * (images.shape[1] * scale + gutter) - gutter / 2
        axes.text(-6, y, name, ha="right", va="center", color="white", fontsize=8)
    return fig


def _are_points(images: np.ndarray) -> bool:
    return images.ndim == 2 and images.shape[1] == 2


def _as_images(images: Array) -> np.ndarray:
    images = to_host(images)
    shape = images.shape
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        hint = "; images are NHWC, did you pass NCHW?" if len(shape) == 4 and shape[1] in (1, 3) else ""
        raise ValueError(
            f"grid: images has shape {shape}, but it must be (N, H, W), (N, H, W, 1) or (N, H, W, 3){hint}"
        )
    return images


def _as_bytes(images: np.ndarray, value_range: Range) -> np.ndarray:
    low, high = value_range
    broken = ~np.isfinite(images).all(axis=-1)
    levels = (np.where(broken[..., None], low, images).clip(low, high) - low) * (255 / (high - low))
    pixels = np.rint(levels).astype(np.uint8)
    if broken.any():
        pixels = np.where(broken[..., None], np.array(NOT_FINITE, np.uint8), pixels)
    return pixels


def _comfortable_scale(images: np.ndarray, columns: int | None) -> int:
    n, height, width = images.shape[:3]
    columns = columns or math.ceil(math.sqrt(n))
    longest = max(math.ceil(n / columns) * height, columns * width)
    return min(max(COMFORTABLE // longest, 1), LARGEST_SCALE)
