"""Images (N, H, W, C) read at any places, between the pixels too."""

from __future__ import annotations

import itertools
from typing import Any

from ..backend import array_module
from .comparisons import greater_equal
from .elementwise import astype, clip, floor, round, where
from .padding import pad
from .shape import expand_dims, getitem
from .windows import check_images


def grid_sample(
    x: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool = False
) -> Any:
    """x (N, H, W, C) at the places that grid (N, OH, OW, 2) names: (N, OH, OW, C). Jaderberg et al. 2015, section 3.3.

    grid[..., 0] goes from -1, the left, to 1, the right, and grid[..., 1] from -1, the top, to 1, the bottom, of the
    image, or if align_corners of the centres of its outermost pixels.
    mode: "bilinear", or "nearest", the pixel there, whose derivative by the grid is 0.
    padding_mode, outside of the image: "zeros", or "border", copies of the outermost pixels.
    Raises ValueError for another mode, images without pixels, and a grid of another shape.

    >>> x = np.array([10.0, 20.0]).reshape(1, 1, 2, 1)  # two pixels side by side
    >>> places = np.array([[-0.5, 0.0], [0.0, 0.0]])  # the centre of the first; between them
    >>> tg.ops.grid_sample(x, places.reshape(1, 1, 2, 2))[0, 0, :, 0]
    array([10., 15.])
    """
    check_images("grid_sample", x)
    _check_modes(mode, padding_mode)
    N, H, W, _ = x.shape
    if getattr(grid, "ndim", 0) != 4 or (grid.shape[0], grid.shape[3]) != (N, 2) or not H * W:
        raise ValueError(
            f"grid_sample: x is {x.shape} and grid {getattr(grid, 'shape', grid)}, but they must be (N, H, W, C), with "
            "at least one pixel, and (N, OH, OW, 2)"
        )
    margin = 1 if padding_mode == "zeros" else 0
    columns, rows = (
        _taps(_places(grid[..., i], n, margin, align_corners), n, mode, margin) for i, n in enumerate((W, H))
    )
    framed = pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))  # so zeros are copies of the outermost pixels
    image = array_module(x).arange(N)[:, None, None]
    y: Any = 0.0
    for (i, wi), (j, wj) in itertools.product(rows, columns):
        y = y + getitem(framed, (image, i, j)) * expand_dims(wi * wj, -1)
    return y


def _check_modes(mode: str, padding_mode: str) -> None:
    if mode not in ("bilinear", "nearest"):
        raise ValueError(f'grid_sample: mode is {mode!r}, but it must be "bilinear" or "nearest"')
    if padding_mode not in ("zeros", "border"):
        raise ValueError(f'grid_sample: padding_mode is {padding_mode!r}, but it must be "zeros" or "border"')


def _places(g: Any, n: int, margin: int, align_corners: bool) -> Any:
    """From -1 to 1 along n pixels as places, 0 for the centre of the first; at most two margins outside."""
    places = (g + 1) * ((n - 1) / 2) if align_corners else ((g + 1) * n - 1) * 0.5
    return clip(places, -2 * margin, n - 1 + 2 * margin)


def _taps(places: Any, n: int, mode: str, margin: int) -> list[tuple[Any, Any]]:
    """The pixels that count at each place along an axis of n, as indices with the margin in front, and how much."""
    if mode == "nearest":
        first = round(places)
        taps = [(first, first * 0 + 1)]
    else:
        first = floor(places)
        taps = [(first, first + 1 - places), (first + 1, places - first)]
    inside = [(clip(i, -margin, n - 1 + margin) + margin, w) for i, w in taps]
    return [(astype(where(greater_equal(i, 0), i, 0.0), "int64"), w) for i, w in inside]  # NaN picks something
