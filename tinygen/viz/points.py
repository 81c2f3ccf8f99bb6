"""Plots of points on a line and in the plane, and their ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..backend import Array, to_host
from ..colours import COLOURS
from .plots import figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Range: TypeAlias = "tuple[float, float]"

BINS = 50


def range_of(points: Array) -> Range:
    """The least and the largest coordinate of finite points, with a margin; (-1, 1) if there are no points."""
    if not len(points):
        return -1.0, 1.0
    margin = 0.05 * float(points.max() - points.min()) or 1.0
    return float(points.min()) - margin, float(points.max()) + margin


def range_around_zero(points: Array) -> Range:
    """(-r, r), with r a quarter more than the largest finite |coordinate|: one range for all pictures of a run."""
    points = to_host(points)
    r = 1.25 * float(np.abs(points[np.isfinite(points)]).max(initial=0)) or 1.0
    return -r, r


def scatter(points: Array, points_range: Range | None = None) -> Figure:
    """Points (N, 2) in a square from low to high on both axes, points_range = (low, high), on equal scales.

    A point outside is drawn in orange at the nearest point of the border; the title counts the points that are NaN or
    infinite. By default the square holds all points.  Raises ValueError for another shape.

    >>> tg.viz.scatter(tg.data.load("ring8").test[:100]).savefig("points.png")
    """
    points = to_host(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"scatter: points has shape {points.shape}, but it must be (N, 2)")
    finite = np.isfinite(points).all(axis=1)
    inside = points[finite]
    low, high = points_range or range_of(inside)
    outside = ((inside < low) | (inside > high)).any(axis=1)

    fig = figure(480, 480)
    axes = fig.add_subplot(aspect="equal", xlim=(low, high), ylim=(low, high))
    x, y = inside.clip(low, high).T
    size = 40 / max(1, len(points) / 100) ** 0.5
    axes.scatter(x, y, s=size, c=np.where(outside, COLOURS[1], COLOURS[0]), alpha=0.6, linewidths=0, clip_on=False)
    tidy(axes)
    if not finite.all():
        axes.set_title(f"{(~finite).sum()} of {len(points)} points are not finite", color=COLOURS[1], fontsize=10)
    return fig


def histogram(points: np.ndarray, points_range: Range | None = None) -> Figure:
    """A histogram of points (N,); those outside points_range = (low, high) are counted in the first or last bin.

    The title counts those that are NaN or infinite.
    """
    finite = np.isfinite(points)
    inside = points[finite].astype(np.float64)
    low, high = points_range or range_of(inside)
    fig = figure(480, 480)
    axes = fig.add_subplot(xlim=(low, high), yticks=[])
    axes.hist(inside.clip(low, high), bins=BINS, range=(low, high), color=COLOURS[0], alpha=0.8)
    tidy(axes)
    if not finite.all():
        axes.set_title(f"{(~finite).sum()} of {len(points)} points are not finite", color=COLOURS[1], fontsize=10)
    return fig
