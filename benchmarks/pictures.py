"""The pictures of a run: bars of time for each workload, and the roofline."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from .peers import PEERS
from .ratios import measured, roof, spread, timed_by_cpu
from .workloads import workload

OURS = {"tinygen": "#1f6feb", "tinygen-fast": "#0b3d91", "tinygen-eager": "#79b0f5", "tinygen-eager-fast": "#4f74b8"}
THEIRS = "#b0b7c3"
FAMILIES = {"tinygen": "#1f6feb", "pytorch": "#e4572e", "keras": "#f2a541", "jax": "#7b5ea7"}
MARKERS = "osD^vPX*hpd<>8H1"
LONGEST = 6  # a bar ends at this many times the shortest, or the slowest peers would flatten all others


def times(results: dict[str, Any], path: Path) -> None:
    """Milliseconds per step, one panel per workload, the fastest on top; the line goes from the least to the most."""
    entries = {n: measured(e) for n, e in results["workloads"].items() if measured(e)}
    heights = [len(peers) + 1.5 for peers in entries.values()]
    figure = Figure(figsize=(8, 0.27 * sum(heights) + 0.4), layout="constrained")
    panels = figure.subplots(len(entries), height_ratios=heights, squeeze=False)[:, 0]
    for axes, (name, peers) in zip(panels, entries.items(), strict=True):
        medians = {n: statistics.median(r["ms"]) for n, r in peers.items()}
        order = sorted(peers, key=lambda n: -medians[n])
        limit = max([LONGEST * min(medians.values()), *(1.1 * medians[n] for n in OURS if n in peers)])
        limit = min(limit, 1.05 * max(max(r["ms"]) for r in peers.values()))
        for y, n in enumerate(order):
            ms, low, high = spread(peers[n]["ms"])
            axes.barh(y, min(ms, limit), 0.72, color=OURS.get(n, THEIRS))
            axes.plot([min(low, limit), min(high, limit)], [y, y], color="0.2", lw=1)
            text = f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"
            beyond = " ▸" if ms > limit else ""
            at = (min(high, limit), y)
            axes.annotate(f"{text}{beyond}", at, (5, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(order)), order, fontsize=8)
        axes.set_title(workload(name).title, loc="left", fontsize=10, fontweight="bold")
        axes.set_xlim(0, limit * 1.1)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.4g}"))
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    unit = "processor ms" if timed_by_cpu(results) else "ms"
    panels[-1].set_xlabel(f"{unit} a step, less is better: median, and a line from the least to the most", fontsize=9)
    figure.savefig(path, dpi=150)


def roofline(results: dict[str, Any], path: Path) -> None:
    """GFLOP/s over FLOPs per byte (both as workloads.py counts them), under the rates of sgemm and of a copy."""
    entries = {n: e for n, e in results["workloads"].items() if measured(e)}
    names = list(dict.fromkeys(n for e in entries.values() for n in measured(e)))
    spots = {n: workload(n).flops / workload(n).bytes for n in entries}
    sgemm, copy = (max(rate) for rate in zip(*map(roof, entries.values()), strict=True))
    left, right, knee = min([*spots.values(), sgemm / copy]) / 2, max([*spots.values(), sgemm / copy]) * 2, sgemm / copy
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.loglog([left, knee, right], [left * copy, sgemm, sgemm], color="0.2", lw=1.5)
    axes.annotate(f"sgemm {sgemm:.0f} GFLOP/s", (knee, sgemm), (4, 4), textcoords="offset points")
    axes.annotate(f"copy {copy:.0f} GB/s", (left, left * copy), (4, -6), textcoords="offset points", va="top")
    rates = []
    for name, entry in entries.items():
        axes.axvline(spots[name], color="0.93", lw=12, zorder=0)
        place = {"xycoords": ("data", "axes fraction"), "rotation": 90, "ha": "center", "va": "bottom"}
        axes.annotate(name, (spots[name], 0.02), fontsize=8, color="0.35", **place)
        for n, r in measured(entry).items():
            rates.append(workload(name).flops / statistics.median(r["ms"]) / 1e6)
            shift = 0.08 * (names.index(n) / max(len(names) - 1, 1) - 0.5)  # side by side, so that all can be seen
            axes.plot(spots[name] * (1 + shift), rates[-1], **style(n, names))
    for n in names:
        axes.plot([], [], **style(n, names), label=n)
    axes.set(xlim=(left, right), ylim=(min(rates) / 2.5, sgemm * 1.5), xlabel="FLOP a byte", ylabel="GFLOP/s")
    plain(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def plain(axes: Any) -> None:
    """Numbers instead of powers on log-log axes."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 500 * low else (1,)))
        axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.set_minor_locator(NullLocator())


def style(n: str, names: list[str]) -> dict[str, Any]:
    """The style of a peer's points: its family's colour, and a marker of its own."""
    color = OURS.get(n) or FAMILIES.get(PEERS[n].file, "0.55")
    return {"marker": MARKERS[names.index(n)], "color": color, "ls": "", "ms": 7, "mec": "white", "mew": 0.5}
