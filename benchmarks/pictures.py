"""The pictures of a run: bars of time for each workload, and the roofline."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .peers import PEERS
from .report import measured, roof, spread
from .workloads import workload

OURS, THEIRS = {"tinygen": "#1f6feb", "tinygen-fast": "#0b3d91"}, "#b0b7c3"
FAMILIES = {"tinygen": "#1f6feb", "pytorch": "#e4572e", "keras": "#f2a541", "jax": "#7b5ea7"}
MARKERS = "osD^vP*XphH<>"


def times(results: dict[str, Any], path: Path) -> None:
    """Milliseconds a step, a panel a workload, the fastest on top; the whisker is the least and the most."""
    entries = {n: measured(e) for n, e in results["workloads"].items() if measured(e)}
    heights = [len(peers) + 1.2 for peers in entries.values()]
    figure = Figure(figsize=(8, 0.3 * sum(heights) + 0.4), layout="constrained")
    panels = figure.subplots(len(entries), height_ratios=heights, squeeze=False)[:, 0]
    for axes, (name, peers) in zip(panels, entries.items(), strict=True):
        order = sorted(peers, key=lambda n: -statistics.median(peers[n]["ms"]))
        for y, n in enumerate(order):
            ms, low, high = spread(peers[n]["ms"])
            color = OURS.get(n, THEIRS)
            axes.barh(y, ms, 0.72, color=color, xerr=[[ms - low], [high - ms]], error_kw={"ecolor": "0.25", "lw": 1})
            axes.annotate(f"{ms:.3g}", (high, y), (5, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(order)), order, fontsize=8)
        axes.set_title(workload(name).title, loc="left", fontsize=10, fontweight="bold")
        axes.set_xlim(0, max(max(r["ms"]) for r in peers.values()) * 1.09)
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("ms a step, median; whiskers: least and most. Less is better.", fontsize=9)
    figure.savefig(path, dpi=150)


def roofline(results: dict[str, Any], path: Path) -> None:
    """GFLOP/s over FLOPs a byte (both as workloads.py counts them), under what sgemm and a copy reach here."""
    entries = {n: e for n, e in results["workloads"].items() if measured(e)}
    sgemm, copy = (max(rate) for rate in zip(*map(roof, entries.values()), strict=True))
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    axes = figure.subplots()
    spots = {n: workload(n).flops / workload(n).bytes for n in entries}
    knee = sgemm / copy
    left, right = min([*spots.values(), knee]) / 2, max([*spots.values(), knee]) * 2.2
    axes.loglog([left, knee, right], [left * copy, sgemm, sgemm], color="0.2", lw=1.5)
    axes.annotate(f"sgemm {sgemm:.0f} GFLOP/s", (right, sgemm), (-4, 4), textcoords="offset points", ha="right")
    axes.annotate(f"copy {copy:.0f} GB/s", (left, left * copy), (6, -2), textcoords="offset points", va="top")
    names = list(dict.fromkeys(n for e in entries.values() for n in measured(e)))
    lowest = sgemm
    for name, entry in entries.items():
        w, peers = workload(name), measured(entry)
        for n in (n for n in names if n in peers):
            rate = w.flops / statistics.median(peers[n]["ms"]) / 1e6
            x = spots[name] * 1.025 ** (names.index(n) - len(names) / 2)  # side by side, so that all can be seen
            color = FAMILIES.get(PEERS[n].file, "0.55")
            axes.plot(x, rate, MARKERS[names.index(n)], color=color, ms=6, mec="white", mew=0.5)
            lowest = min(lowest, rate)
        axes.axvline(spots[name], color="0.9", lw=8, zorder=0)
        axes.annotate(
            w.name,
            (spots[name], 0.02),
            xycoords=("data", "axes fraction"),
            rotation=90,
            fontsize=8,
            ha="center",
            va="bottom",
            color="0.35",
        )
    for n in names:
        axes.plot([], [], MARKERS[names.index(n)], color=FAMILIES.get(PEERS[n].file, "0.55"), label=n, mec="white")
    axes.set(xlim=(left, right), ylim=(lowest / 3, sgemm * 1.6), xlabel="FLOP a byte", ylabel="GFLOP/s")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
