"""Plots: the curves of a run, and helpers for all plots. Each returns a new matplotlib Figure."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..checks import check_installed
from ..colours import COLOURS
from ..files import replace_file
from ..rows import Rows, outline
from .panels import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
SMOOTHED_FROM = 100  # rows: shorter curves are not smoothed
MOST_POINTS = 3000  # of a curve: several per pixel of its width
MOST_PANELS = 30  # more are slow to draw, and in the end too tall
HEIGHT, SCORE_HEIGHT = 300, 120  # pixels of a panel


def figure(width: int, height: int, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """An empty Figure of width x height pixels."""
    check_installed("viz", "matplotlib")
    from .picture import Picture

    return Picture(figsize=(width / DPI, height / DPI), dpi=DPI, layout=layout)


def write_png(fig: Figure, path: str | os.PathLike[str]) -> None:
    """Write a Figure as a PNG file, whole or not at all. Raises OSError if it can't be written."""
    with replace_file(path) as temporary:
        fig.savefig(temporary, format="png")


def curves(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The measurements of a run by step, in `panels`: losses, shares, D's scores, and each "score.x" in a low panel.

    rows: dicts with "step" and numbers under any other names, as in metrics.jsonl; a name may be absent from some rows.
    A long run is drawn as a running mean over the raw values; gaps mark values that are not finite. At most 30 panels
    are drawn, and for a very long run only the lowest and highest values of each stretch.

    >>> rows = [{"step": 0, "loss": 1.0}, {"step": 50, "loss": 0.5}]
    >>> tg.viz.curves(rows).savefig("curves.png")
    """
    rows = Rows.of(rows)
    groups = dict(itertools.islice(panels(rows).items(), MOST_PANELS)) or {"losses": []}
    heights = [SCORE_HEIGHT if panel.startswith("score.") else HEIGHT for panel in groups]
    fig = figure(800, 60 + sum(heights))
    grid = fig.subplots(len(groups), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    step, _ = rows.column("step")
    for axes, (panel, names) in zip(grid, groups.items(), strict=True):
        columns = {name: rows.column(name) for name in names}
        for (name, (value, there)), colour in zip(columns.items(), itertools.cycle(COLOURS), strict=False):
            _draw_curve(axes, step[there], value[there], name, colour)
        tidy(axes)
        if not rows:
            axes.set_title("nothing measured yet", fontsize=10)
        if panel == "shares":
            axes.set_ylim(-0.02, 1.02)
        else:
            _frame_the_bulk(axes, np.concatenate([value for value, _ in columns.values()] or [np.empty(0)]))
        if names:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axes.set_xlabel("step")
    return fig


def save_curves(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Write `curves(rows)` as a PNG file. Raises OSError, and leaves the old file, if it can't.

    >>> tg.viz.save_curves([{"step": 0, "loss": 1.0}, {"step": 50, "loss": 0.5}], "curves.png")
    """
    write_png(curves(rows), path)


def _draw_curve(axes: Axes, step: np.ndarray, value: np.ndarray, name: str, colour: str) -> None:
    value = np.where(np.isfinite(value), value, np.nan)
    shown, known = outline(value, MOST_POINTS), np.isfinite(value)
    if known.sum() < SMOOTHED_FROM:
        marker = "o" if known.sum() == 1 else None
        axes.plot(step[shown], value[shown], color=colour, label=name, linewidth=1.5, marker=marker)
        return
    axes.plot(step[shown], value[shown], color=colour, linewidth=0.8, alpha=0.25)
    size = -(-len(value) // MOST_POINTS)  # rows per point of the running mean
    step, value = _middle(_stretches(step, size)), _middle(_stretches(value, size))
    known = np.isfinite(value)
    value[known] = running_mean(value[known], max(len(value) // 60, 2))
    axes.plot(step, value, color=colour, label=name, linewidth=1.8)


def running_mean(value: np.ndarray, reach: int) -> np.ndarray:
    """The mean of the middle half of the values within `reach` of each, so that a single spike leaves no plateau.

    Beyond an end the values are mirrored in it, so that the curve keeps its true start and end.
    """
    padded = np.pad(value, reach, "reflect", reflect_type="odd")
    return _middle(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1))


def _stretches(value: np.ndarray, size: int) -> np.ndarray:
    """The values (N,) in stretches of `size`, (N / size, size); the last is padded with the last value."""
    return np.pad(value, (0, -len(value) % size), "edge").reshape(-1, size)


def _middle(value: np.ndarray) -> np.ndarray:
    """The mean of the middle half of each row of values (N, K) without NaNs; NaN if there is nothing else."""
    count = np.isfinite(value).sum(axis=1, keepdims=True)
    rank, cut = np.arange(value.shape[1]), count // 4
    kept = (rank >= cut) & (rank < count - cut)
    total = np.sort(value, axis=1).sum(axis=1, where=kept)  # NaNs are sorted to the end
    return np.divide(total, kept.sum(axis=1), out=np.full(len(value), np.nan), where=kept.any(axis=1))


def _frame_the_bulk(axes: Axes, values: np.ndarray) -> None:
    """Cut off up to 1% of the values at either end if they would squeeze the rest: a spike can hide a whole run."""
    values = values[np.isfinite(values)]
    if len(values) < SMOOTHED_FROM:
        return
    low, high = np.percentile(values, [1, 99])
    margin = 0.5 * (high - low)
    axes.set_ylim(max(values.min(), low - margin), min(values.max(), high + margin))


def tidy(axes: Axes) -> None:
    """Grid lines behind the data, and no frame."""
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(color="#999999")
