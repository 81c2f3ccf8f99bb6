"""The curves of many runs: of each metric the mean over runs that are alike, in a band as wide as their spread."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..colours import COLOURS
from ..rows import Rows
from .panels import BESIDE
from .plots import figure, running_mean, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS, COLUMNS = 12, 2
POINTS, REACH = 200, 5  # of a curve; it is a running mean over 2 * REACH + 1 of them
WIDTH, HEIGHT, LINE = 460, 260, 20  # pixels of a panel, and of a line of the legend
STYLES = ("-", "--", ":", "-.")  # one for each time that the colours come round


def bands(groups: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]) -> Figure:
    """The measurements of groups of runs by step, a panel each: mean ± standard deviation over the runs of a group.

    groups: for each name, the rows of its runs, as in metrics.jsonl. A curve ends where the first of its runs does.
    """
    runs = {label: [Rows.of(rows) for rows in group] for label, group in groups.items()}
    names = dict.fromkeys(name for group in runs.values() for rows in group for name in rows.names())
    shown = sorted((name for name in names if name not in BESIDE), key=lambda name: not name.startswith("score."))
    shown = shown[:MOST_PANELS] or [""]
    height = -(-len(shown) // COLUMNS)
    fig = figure(COLUMNS * WIDTH, height * HEIGHT + LINE * len(runs) + 10)
    grid = fig.subplots(height, COLUMNS, squeeze=False, sharex=True).ravel()
    styles = [(colour, style) for style, colour in itertools.product(STYLES, COLOURS)]
    for axes, name in zip(grid, shown, strict=False):
        for (label, group), (colour, style) in zip(runs.items(), itertools.cycle(styles), strict=False):
            step, mean, deviation = _band(group, name)
            axes.plot(step, mean, color=colour, linestyle=style, label=label, linewidth=1.6)
            axes.fill_between(step, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
        axes.set_title(name, fontsize=10, loc="left")
        tidy(axes)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    for axes in grid[max(len(shown) - COLUMNS, 0) : len(shown)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("step")
    fig.legend(*grid[0].get_legend_handles_labels(), loc="outside upper left", frameon=False, fontsize=9)
    return fig


def _band(group: Sequence[Rows], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The steps of a band, its middle and half its width; all empty if no run has a finite value of that name."""
    curves = []
    for rows in group:
        values = rows.column(name)[0]
        known = np.isfinite(values)
        if known.any():
            curves.append((rows.column("step")[0][known], values[known]))
    if not curves:
        return np.empty(0), np.empty(0), np.empty(0)
    step = min((step for step, _ in curves), key=lambda step: step[-1])
    step = step[np.linspace(0, len(step) - 1, min(len(step), POINTS)).astype(int)]
    values = np.stack([np.interp(step, *curve) for curve in curves])
    if len(step) > 10 * REACH:
        values = np.stack([running_mean(curve, REACH) for curve in values])
    return step, values.mean(axis=0), values.std(axis=0)
