"""What a run found: ratios, tables in Markdown, the bars, pictures. `results` is the dict that results.json holds."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .peers import PEERS
from .workloads import BARS, Bar, workload

LOADED = " **The machine was not idle: no number here is a result.**"


def check_losses(result: dict[str, Any]) -> None:
    """Note what is wrong with a peer's losses, if anything: they must be finite, and have moved."""
    first, last = result["first_losses"], result["last_losses"]
    if not all(math.isfinite(v) for v in (*first.values(), *last.values())):
        result["wrong"] = f"losses are not finite: {last}"
    elif all(first[name] == last[name] for name in first):
        result["wrong"] = f"losses do not move: {last}"


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(values), min(values), max(values)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most of the ratios pair by pair: two turns of one round, close in time, share the drift."""
    return spread([a / b for a, b in zip(ours, theirs, strict=False)])  # a run that was stopped has a last half round


def measured(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The peers with times that count."""
    return {n: r for n, r in entry["peers"].items() if r.get("ms") and not r.keys() & {"failed", "wrong"}}


def fastest(entry: dict[str, Any], names: Sequence[str]) -> str | None:
    """Of these peers, the one with the least median time."""
    here = {n: statistics.median(r["ms"]) for n, r in measured(entry).items() if n in names}
    return min(here, key=lambda n: here[n]) if here else None


def judge(bar: Bar, results: dict[str, Any]) -> tuple[float, str] | None:
    """What was measured for a bar and against whom; None if it can't be said."""
    entry = results["workloads"].get(bar.workload, {"peers": {}})
    rival, peers = fastest(entry, bar.peers), measured(entry)
    if rival is None or bar.variant not in peers:
        return None
    ours, theirs = peers[bar.variant], peers[rival]
    if bar.quantity == "time":
        return ratio(ours["ms"], theirs["ms"])[0], rival
    return ours["peak_mb"] / theirs["peak_mb"], rival


def bars(results: dict[str, Any]) -> str:
    """The table of the bars of the workloads that were run: asked, measured, met or not."""
    lines = [
        "| workload | variant | quantity | at most | measured | of | met |",
        "| --- | --- | --- | ---: | ---: | --- | --- |",
    ]
    for bar in BARS:
        if bar.workload in results["workloads"]:
            found = judge(bar, results)
            start = f"| {workload(bar.workload).title} | {bar.variant} | {bar.quantity} | {bar.at_most:.2f} |"
            if found is None:
                lines.append(f"{start} | | not measured |")
            else:
                lines.append(
                    f"{start} {found[0]:.2f} | {found[1]} | {'yes' if found[0] <= bar.at_most else '**no**'} |"
                )
    return "\n".join(lines)


def table(name: str, entry: dict[str, Any]) -> str:
    """A workload's peers, the fastest first; then those that could not be measured, and why."""
    w, peers = workload(name), measured(entry)
    order = sorted(peers, key=lambda n: statistics.median(peers[n]["ms"]))
    sgemm, copy = roof(entry)
    gpu = any("device_mb" in r for r in peers.values())
    lines = [
        f"### {w.title}",
        "",
        f"{w.flops / 1e9:.2f} GFLOP a step, parameters {w.parameters}. In this run sgemm reached {sgemm:.0f} GFLOP/s "
        f"and a copy {copy:.1f} GB/s.",
        "",
        f"| peer | ms a step (least to most) | of {order[0] if order else 'the fastest'} (least to most) | steps/s | "
        f"share of sgemm | peak MB | first step, s |{' GPU MB |' if gpu else ''}",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |" + (" ---: |" if gpu else ""),
    ]
    for n in order:
        r = peers[n]
        ms, low, high = spread(r["ms"])
        times, least, most = ratio(r["ms"], peers[order[0]]["ms"])
        lines.append(
            f"| {n} | {ms:.2f} ({low:.2f} to {high:.2f}) | {times:.2f} ({least:.2f} to {most:.2f}) | {1e3 / ms:.1f} | "
            f"{w.flops / ms / 1e6 / sgemm:.0%} | {r['peak_mb']:.0f} | {r['first_step_s']:.2f} |"
            + (f" {r['device_mb']:.0f} |" if "device_mb" in r else " |" if gpu else "")
        )
    left_out = {n: r.get("failed") or r.get("wrong") or "stopped" for n, r in entry["peers"].items() if n not in peers}
    lines += ["", *(f"- {n}: {why}" for n, why in {**left_out, **entry["absent"]}.items())]
    return "\n".join(lines).strip()


def roof(entry: dict[str, Any]) -> tuple[float, float]:
    """GFLOP/s of sgemm and GB/s of copying, before and after the workload: the better one."""
    return max(r["sgemm"] for r in entry["rates"]), max(r["copy"] for r in entry["rates"])


def notes(results: dict[str, Any]) -> str:
    """Versions, kernels and threads, and whether idle workers slept and memory stayed."""
    seen: dict[str, dict[str, Any]] = {}
    for entry in results["workloads"].values():
        for n, r in measured(entry).items():
            known = seen.setdefault(n, {"idle": 0.0, "growth": {}, **r})
            known["idle"] = max(known["idle"], r["idle_share"])
            known["taken"] = [*known.get("taken", []), *r["others"]]
            known["growth"][r["steps"]] = r["now_mb"] - r["warm_mb"]
    lines = []
    for n, r in seen.items():
        steps, growth = max(r["growth"].items(), default=(0, 0.0))
        versions = ", ".join(f"{package} {version}" for package, version in r["versions"].items())
        about = "; ".join(filter(None, [PEERS[n].about, versions, r["notes"], ", ".join(r["blas"])]))
        lines.append(f"- {n}: {about}; memory {growth:+.0f} MB over {steps:,} steps; idle {r['idle']:.1%} of a core")
    taken = [share for r in seen.values() for share in r["taken"]]
    if taken:
        lines.append(
            f"\nOther processes took {statistics.median(taken):.1%} of the processors during a turn (median; at most "
            f"{max(taken):.0%}).{LOADED if statistics.median(taken) > 0.05 else ''}"
        )
    return "\n".join(lines)


def text(results: dict[str, Any]) -> str:
    """The whole report in Markdown."""
    m, s = results["machine"], results["settings"]
    workloads = results["workloads"]
    kernels = next((line for e in workloads.values() for r in e["rates"] for line in r["blas"]), "unknown")
    parts = [
        f"{results['when']}, {m['cores']} cores of {m['processor']}, {m['system']}, Python {m['python']}; device "
        f"{s['device']}, {s['threads']} threads, {s['rounds']} rounds of {s['seconds']} s; BLAS of the roof: {kernels}"
        + (f"; TF32 {'allowed' if s['tf32'] else 'off'}" if s["device"] == "cuda" else "")
        + (f"; removed from the environment: {', '.join(gone)}" if (gone := m["removed_from_environment"]) else ""),
        *(table(name, entry) for name, entry in workloads.items()),
    ]
    if s["device"] == "cpu":
        parts += ["### Bars", bars(results)]
    return "\n\n".join([*parts, "### Peers", notes(results)]) + "\n"


def write(results: dict[str, Any], out: Path, pictures: bool = True) -> None:
    (out / "results.json").write_text(json.dumps(results, indent=1))
    (out / "results.md").write_text(text(results))
    if pictures and any(measured(entry) for entry in results["workloads"].values()):
        from . import pictures as drawn

        drawn.times(results, out / "times.png")
        drawn.roofline(results, out / "roofline.png")
