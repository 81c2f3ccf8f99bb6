"""`python -m benchmarks sweep`: how time and memory of a training step grow with batch, image area and depth.

A small GAN, with convolutions for batch and image, with dense layers for depth (workloads.sweep). Time is the least of
the turns, to leave out what other programs add; memory is the peak of the process above that of the smallest point, to
leave out the libraries themselves (under 1 MB is noise and ignored). A slope of 1 on log-log axes is linear. Small
steps are mostly overhead, which does not grow, so judge by the slope of the upper half.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import machine, runner
from .workloads import workload

AXES = {  # axis: the points, and the quantity whose growth the slope measures
    "batch": ((1, 2, 4, 8, 16, 32, 64, 128, 256, 512), "batch"),
    "image": ((16, 24, 32, 48, 64, 96, 128), "image area, pixels"),
    "depth": ((2, 4, 8, 16, 32, 64), "hidden layers"),
}


def size(axis: str, n: int) -> int:
    return n * n if axis == "image" else n


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The exponent p of the least-squares fit y = c · x^p; nan for fewer than two points above 0."""
    import numpy as np

    points = [(x, y) for x, y in zip(xs, ys, strict=True) if x > 0 and y > 0]
    if len(points) < 2:
        return float("nan")
    return float(np.polyfit(*np.log(points).T, 1)[0])


def upper(values: Sequence[Any]) -> Sequence[Any]:
    return values[len(values) // 2 :] if len(values) >= 4 else values


def series(results: dict[str, Any], axis: str, peer: str) -> tuple[list[int], list[float], list[float]]:
    """Sizes, milliseconds, and MB above the smallest, of the points of an axis that a peer completed."""
    found = [(int(n), r) for n, peers in results[axis].items() if (r := peers.get(peer, {})).get("ms")]
    base = found[0][1]["peak_mb"] if found else 0.0
    return (
        [size(axis, n) for n, _ in found],
        [min(r["ms"]) for _, r in found],
        [more if (more := r["peak_mb"] - base) > 1 else 0.0 for _, r in found],
    )


def lines(results: dict[str, Any], axis: str, peers: Sequence[str]) -> list[str]:
    """The axis as text: a row for each point, then the slopes."""
    found = []
    for peer in peers:
        xs, ms, mb = series(results, axis, peer)
        found += [
            f"{peer:>14} {AXES[axis][1]} {x:>6}: {t:9.2f} ms {m:8.1f} MB" for x, t, m in zip(xs, ms, mb, strict=True)
        ]
        (time, time_top), (memory, memory_top) = ((slope(xs, ys), slope(upper(xs), upper(ys))) for ys in (ms, mb))
        found.append(
            f"{peer:>14} slope of time {time:.2f} (upper half {time_top:.2f}), memory {memory:.2f} ({memory_top:.2f})"
        )
    return found


def draw(results: dict[str, Any], peers: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure

    from .pictures import OURS, plain

    figure = Figure(figsize=(4 * len(results), 6.4), layout="constrained")
    panels = figure.subplots(2, len(results), squeeze=False)
    for column, axis in enumerate(results):
        for row, unit in enumerate(("ms a step", "MB above the smallest")):
            axes = panels[row, column]
            for peer in peers:
                xs, *values = series(results, axis, peer)
                ys = values[row]
                color = OURS.get(peer, "#e4572e")
                label = f"{peer}: slope {slope(upper(xs), upper(ys)):.2f}"
                axes.loglog(xs, [y or float("nan") for y in ys], "o-", ms=4, lw=1.2, color=color, label=label)
            xs, *values = series(results, axis, peers[0])
            if xs and values[row][-1] > 0:
                axes.loglog(xs, [values[row][-1] * x / xs[-1] for x in xs], ":", color="0.6", lw=1, label="linear")
            axes.set(xlabel=AXES[axis][1], ylabel=unit)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, fontsize=8)
        panels[0, column].set_title(axis, fontweight="bold")
    for axes in panels.flat:
        plain(axes)
    figure.savefig(path, dpi=150)


def run(options: argparse.Namespace) -> int:
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {axis: {} for axis in options.axis}
    code, present = 0, set[str]()
    with runner.ends_by_signal():
        try:
            for axis in options.axis:
                for n in AXES[axis][0]:
                    w = workload(f"{axis}={n}")
                    names, absent = runner.line_up(w, options.peers, options)
                    contest = runner.Contest(w, names, options, options.out, quiet=True)
                    results[axis][str(n)] = contest.results
                    present |= set(names)
                    contest.run()
                    print(f"{axis} {n}" + "".join(f", {peer} {why}" for peer, why in absent.items()), flush=True)
                print("\n".join(lines(results, axis, [p for p in options.peers if p in present])), flush=True)
        except KeyboardInterrupt:
            print("\nstopped: the results so far are kept")
            code = 130
    peers = [p for p in options.peers if p in present]
    (options.out / "sweep.json").write_text(json.dumps({"machine": machine.describe(), "axes": results}, indent=1))
    if peers:
        draw(results, peers, options.out / "sweep.png")
        print(f"wrote {options.out}/sweep.json and sweep.png")
    return code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--axis", nargs="+", default=list(AXES), choices=list(AXES))
    parser.set_defaults(clock="wall")
    runner.add_shared(parser, peers=["tinygen", "tinygen-fast"], rounds=5, seconds=0.3)
