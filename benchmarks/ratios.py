"""Numbers from a run's results: medians, ratios, which peers count. `results` is the dict that results.json holds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any


def check_losses(result: dict[str, Any]) -> None:
    """Record what is wrong with a peer's losses, if anything: they must be finite, and must have changed."""
    first, last = result["first_losses"], result["last_losses"]
    if not all(math.isfinite(v) for v in (*first.values(), *last.values())):
        result["wrong"] = f"losses are not finite: {last}"
    elif all(first[name] == last[name] for name in first):
        result["wrong"] = f"losses do not change: {last}"


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(values), min(values), max(values)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most of the ratios within each round: its turns are close in time, so they share the drift."""
    return spread([a / b for a, b in zip(ours, theirs, strict=False)])  # a run that was stopped has a last half round


def measured(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The peers with times that count."""
    return {n: r for n, r in entry["peers"].items() if r.get("ms") and not r.keys() & {"failed", "wrong"}}


def fastest(entry: dict[str, Any], names: Sequence[str]) -> str | None:
    """Of these peers, the one with the least median time."""
    medians = {n: statistics.median(r["ms"]) for n, r in measured(entry).items() if n in names}
    return min(medians, key=medians.__getitem__) if medians else None


def settings(results: dict[str, Any]) -> dict[str, Any]:
    """The options of a run. Older files name no clock: it was the one on the wall."""
    return {"clock": "wall", **results["settings"]}


def timed_by_cpu(results: dict[str, Any]) -> bool:
    """Whether the clock counted processor time."""
    return settings(results)["clock"] == "cpu"


def taken(results: dict[str, Any]) -> list[float]:
    """The share of the processors that other processes took, in each turn that counts."""
    return [share for e in results["workloads"].values() for r in measured(e).values() for share in r["others"]]


def loaded(results: dict[str, Any]) -> bool:
    """Whether other processes took so much that times don't count; processor time does."""
    shares = taken(results)
    return bool(shares) and statistics.median(shares) > 0.05 and not timed_by_cpu(results)


def roof(entry: dict[str, Any]) -> tuple[float, float]:
    """GFLOP/s of sgemm and GB/s of copying: the better of the rates before and after the workload."""
    return max(r["sgemm"] for r in entry["rates"]), max(r["copy"] for r in entry["rates"])
