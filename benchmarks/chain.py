"""How time and memory grow with the length of a graph: forward and backward of chains of adds, fitted on log-log axes.

`python -m benchmarks.chain --help`
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from pathlib import Path

import numpy as np

import tinygen as tg

LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000)


def chain(n: int) -> None:
    """Forward and backward of n adds of one element; the graph is freed at the end."""
    x, one = tg.tensor([1.0], requires_grad=True), tg.tensor([1.0])
    y = x
    for _ in range(n):
        y = y + one
    y.backward()


def seconds(n: int, clock: str) -> float:
    now = time.process_time if clock == "cpu" else time.perf_counter
    start = now()
    chain(n)
    return now() - start


def peak_bytes(n: int) -> int:
    """Peak memory, arrays included."""
    tracemalloc.start()
    try:
        chain(n)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def slope(values: list[float]) -> float:
    """The exponent p of a fit by n^p: 1 is linear."""
    return float(np.polyfit(np.log(LENGTHS), np.log(values), 1)[0])


def draw(times: list[float], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    linear = np.exp(np.mean(np.log(times) - np.log(LENGTHS))) * np.array(LENGTHS)
    axes.loglog(LENGTHS, linear, color="0.7", label="linear")
    axes.loglog(LENGTHS, times, "o", label=f"measured: slope {slope(times):.3f}")
    axes.set(xlabel="ops in the chain", ylabel="seconds", title="Forward and backward of a chain")
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chain", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each length is timed (default 7)")
    parser.add_argument("--clock", choices=["cpu", "wall"], default="cpu", help="CPU time (default) or elapsed time")
    parser.add_argument("--out", type=Path, help="write a picture here, such as chain.png")
    options = parser.parse_args()
    chain(LENGTHS[-1])  # warm-up
    rounds = [[seconds(n, options.clock) for n in LENGTHS] for _ in range(options.rounds)]
    times = [statistics.median(column) for column in zip(*rounds, strict=True)]
    peaks = [peak_bytes(n) for n in LENGTHS]
    print(f"{'ops':>9}{'seconds':>12}{'us an op':>12}{'peak bytes an op':>20}")
    for n, t, peak in zip(LENGTHS, times, peaks, strict=True):
        print(f"{n:>9,}{t:>12.5f}{t / n * 1e6:>12.3f}{peak / n:>20.0f}")
    print(f"log-log slope of the time: {slope(times):.3f}, of the memory: {slope([float(p) for p in peaks]):.3f}")
    if options.out:
        draw(times, options.out)
        print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
