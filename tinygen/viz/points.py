"""A plot of points on a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..colours import COLOURS
from .plots import Range, figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 50


def histogram(points: np.ndarray, points_range: Range | None = None) -> Figure:
    """How many points (N,) lie where; those outside of points_range = (low, high) are counted in its first or last bin.

    The title counts those that are NaN or infinite.
    """
    finite = np.isfinite(points)
    inside = points[finite].astype(np.float64)
    low, high = points_range or (float(inside.min(initial=0)), float(inside.max(initial=0)))
    low, high = (low, high) if low < high else (low - 1, high + 1)
    fig = figure(480, 480)
    axes = fig.add_subplot(xlim=(low, high), yticks=[])
    axes.hist(inside.clip(low, high), bins=BINS, range=(low, high), color=COLOURS[0], alpha=0.8)
    tidy(axes)
    if not finite.all():
        axes.set_title(f"{(~finite).sum()} of {len(points)} points are not finite", color=COLOURS[1], fontsize=10)
    return fig
