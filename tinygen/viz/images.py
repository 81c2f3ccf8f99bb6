"""Grids of images, drawn pixel by pixel: small images are scaled up by a whole factor and stay sharp."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, to_host
from ..checks import as_array, check_installed
from ..files import replace_file
from .plots import figure, write_png
from .points import Range, histogram, scatter
from .sentences import sentences_figure
from .tiles import GUTTER_GREY, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GUTTER = 2  # pixels between images and around them
COMFORTABLE = 512  # pixels: small pictures are scaled up while the longer side stays within this
LARGEST = 3000  # pixels: tiles are shrunk until a picture's longer side is within this
LARGEST_SCALE = 8
OPTIMIZED = 2_000_000  # bytes: for larger pictures the best compression takes seconds
NAME_WIDTH = 40  # pixels, for the names of rows


def grid(
    images: Array, value_range: Range | None, columns: int | None = None, *, scale: int = 1, gutter: int = GUTTER
) -> np.ndarray:
    """Images (N, H, W, C) or (N, H, W) row by row in one uint8 array: (H', W') for grey ones, (H', W', 3) for colour.

    value_range (low, high) becomes black to white, values outside are clipped; None stands for (0, 255). Pixels that
    are NaN or infinite are magenta, and the grid is then in colour. columns: by default for a nearly square grid. Other
    numbers of channels, volumes and vectors are shown as in `tiles`.  scale: every pixel becomes a square of scale x
    scale.  Raises ValueError for no images, and for images that look like NCHW.

    >>> tg.viz.grid(tg.data.load("digits").test[:6], None, columns=3).shape
    (62, 92)
    """
    return _sheet(_as_tiles(images, value_range), columns, scale, gutter)


def save_grid(
    images: Array,
    path: str | os.PathLike[str],
    value_range: Range | None,
    points_range: Range | None = None,
    columns: int | None = None,
    vocabulary: Sequence[str] | None = None,
) -> None:
    """Write images as a PNG grid, scaled up to a comfortable size; points (N, 2) as a scatter plot, (N, 1) as a
    histogram; tokens (N, L) of a vocabulary as lines of text.

    value_range, columns: as in `grid`.  points_range: used if there is no value_range, so that the frames of a film
    agree.  Raises OSError if the file can't be written; an existing file is then unchanged.

    >>> tg.viz.save_grid(tg.models.GAN().sample(9), "samples.png", value_range=(-1, 1))
    """
    check_installed("save_grid", "PIL")
    from PIL import Image

    images = to_host(as_array("grid", "images", images))
    if vocabulary is not None:
        write_png(sentences_figure(images, vocabulary), path)
        return
    if are_points(images):
        write_png(points_figure(images, points_range), path)
        return
    tiles = _as_tiles(images, value_range or points_range, _longest(len(images), columns))
    sheet = _sheet(tiles, columns, _comfortable_scale(tiles, columns), GUTTER)
    with replace_file(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", optimize=sheet.size < OPTIMIZED)


def samples(model: Any, n: int = 25) -> Figure:
    """A Figure of n samples of a model: a grid of images, points, or lines of text. Training is not affected.

    >>> tg.viz.samples(tg.models.GAN(), 9).savefig("samples.png")
    """
    if (vocabulary := getattr(model, "vocabulary", None)) is not None:
        return sentences_figure(model.sample(n), vocabulary)
    return made_figure(model.sample(n), model.value_range)


def made_figure(images: Array, value_range: Range | None, columns: int | None = None, gutter: int = GUTTER) -> Figure:
    """A Figure of examples from a model: a plot of points, or a grid of anything else."""
    images = to_host(as_array("grid", "images", images))
    return points_figure(images) if are_points(images) else sheet_figure(images, value_range, columns, gutter=gutter)


def sheet_figure(
    images: Array,
    value_range: Range | None,
    columns: int | None = None,
    row_names: Sequence[str] = (),
    gutter: int = GUTTER,
) -> Figure:
    """A Figure of a grid of images, scaled up to a comfortable size, with the names of its rows to their left."""
    tiles = _as_tiles(images, value_range, _longest(len(images), columns))
    scale = _comfortable_scale(tiles, columns)
    sheet = _sheet(tiles, columns, scale, gutter)
    height, width = sheet.shape[:2]
    margin = NAME_WIDTH if row_names else 0
    fig = figure(margin + width, height, layout=None)
    fig.set_facecolor(str(GUTTER_GREY / 255))
    axes = fig.add_axes((margin / (margin + width), 0, width / (margin + width), 1))
    axes.set_axis_off()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    for i, name in enumerate(row_names):
        y = gutter + (i + 0.5) * (tiles.shape[1] * scale + gutter) - gutter / 2
        axes.text(-6, y, name, ha="right", va="center", color="white", fontsize=8)
    return fig


def are_points(images: np.ndarray) -> bool:
    """Whether these are points on a line or in the plane, which a plot shows better than a grid."""
    return images.ndim == 1 or (images.ndim == 2 and images.shape[1] in (1, 2))


def points_figure(points: np.ndarray, points_range: Range | None = None) -> Figure:
    """A scatter plot of points (N, 2), a histogram of points (N, 1) or (N,)."""
    return scatter(points, points_range) if points[0].size == 2 else histogram(points.reshape(-1), points_range)


def _as_tiles(images: Any, value_range: Range | None, longest: int = sys.maxsize) -> np.ndarray:
    """Images as uint8 (N, H, W, 1) or (N, H, W, 3), no side longer than `longest`."""
    images = to_host(as_array("grid", "images", images))
    shape = images.shape
    nchw = len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3, 4) and shape[2] == shape[3]
    if nchw or len(shape) < 2 or 0 in shape or images.dtype.kind not in "fiub":
        hint = "; images are NHWC, did you pass NCHW?" if nchw else ""
        raise ValueError(
            f"grid: images has shape {shape} and dtype {images.dtype}, but it must be numbers (N, H, W), (N, H, W, C) "
            f"or (N, D){hint}"
        )
    if images.ndim == 2 and value_range is None:
        value_range = finite_range(images)
    found = list(tiles(images, value_range or (0, 255), longest))
    coloured = max(tile.shape[-1] for tile in found)
    return np.stack([np.broadcast_to(tile, (*tile.shape[:2], coloured)) for tile in found])


def finite_range(x: np.ndarray) -> Range:
    """The least and the greatest finite number; one less and one more if they are equal."""
    finite = x[np.isfinite(x)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if low < high else (low - 1, low + 1)


def _sheet(tiles: np.ndarray, columns: int | None, scale: int, gutter: int) -> np.ndarray:
    n, height, width, channels = tiles.shape
    columns = _columns(n, columns)
    step_y, step_x = height * scale + gutter, width * scale + gutter
    shape = (math.ceil(n / columns) * step_y + gutter, columns * step_x + gutter, channels)
    sheet = np.full(shape, GUTTER_GREY, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = gutter + i // columns * step_y, gutter + i % columns * step_x
        sheet[y : y + height * scale, x : x + width * scale] = tile.repeat(scale, axis=0).repeat(scale, axis=1)
    return sheet[..., 0] if channels == 1 else sheet


def _columns(n: int, columns: int | None) -> int:
    return columns or max(math.ceil(math.sqrt(n)), 1)


def _longest(n: int, columns: int | None) -> int:
    """The largest side that a tile may have."""
    columns = _columns(n, columns)
    return LARGEST // max(columns, math.ceil(n / columns)) - GUTTER


def _comfortable_scale(tiles: np.ndarray, columns: int | None) -> int:
    n, height, width = tiles.shape[:3]
    columns = _columns(n, columns)
    longest = max(math.ceil(n / columns) * height, columns * width)
    return min(max(COMFORTABLE // longest, 1), LARGEST_SCALE)
