"""A run's report in Markdown: its tables, the bars, notes. `results` is the dict that results.json holds."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from . import markdown
from .bars import BARS, judge
from .peers import PEERS
from .ratios import loaded, measured, ratio, roof, spread, taken, timed_by_cpu
from .workloads import workload

BY_CPU = (
    "Milliseconds here are processor time (`--clock cpu`): what all threads of a library's process compute, not what "
    "they wait for, with each library held to one thread. Other programs disturb this clock less than the one on the "
    "wall, but it doesn't show how well a library uses several threads."
)
LOADED = " **The machine was not idle: no number here is a result.**"


def bars(results: dict[str, Any]) -> str:
    """The table of the bars for the workloads that were run: the limit, what was measured, and whether it is met."""
    lines = [markdown.head("workload", "variant", "quantity", "at most:", "measured:", "of", "met")]
    for bar in BARS:
        if bar.workload in results["workloads"]:
            found = judge(bar, results)
            value, rival = ("", "") if found is None else (f"{found[0]:.2f}", found[1])
            met = "not measured" if found is None else "yes" if found[0] <= bar.at_most else "**no**"
            asked = (workload(bar.workload).title, bar.variant, bar.quantity, f"{bar.at_most:.2f}")
            lines.append(markdown.row(*asked, value, rival, met))
    return "\n".join(lines)


def table(name: str, entry: dict[str, Any], by_cpu: bool = False) -> str:
    """A workload's peers, the fastest first; then the peers that could not be measured, and why."""
    w, peers = workload(name), measured(entry)
    order = sorted(peers, key=lambda n: statistics.median(peers[n]["ms"]))
    sgemm, copy = roof(entry)
    unit = "processor ms" if by_cpu else "ms"
    gpu = any("device_mb" in r for r in peers.values())
    lines = [
        f"### {w.title}",
        "",
        f"{w.flops / 1e9:.2f} GFLOP a step, parameters {w.parameters}. In this run sgemm reached {sgemm:.0f} GFLOP/s "
        f"and a copy {copy:.1f} GB/s.",
        "",
        markdown.head(
            *("peer", f"{unit} a step (least to most):"),
            *(f"of {order[0] if order else 'the fastest'} (least to most):", "steps/s:"),
            *("share of sgemm:", "peak MB:", "first step, s:", *(["GPU MB:"] if gpu else [])),
        ),
    ]
    for n in order:
        r = peers[n]
        ms, low, high = spread(r["ms"])
        times, least, most = ratio(r["ms"], peers[order[0]]["ms"])
        cells = [
            n,
            f"{ms:.2f} ({low:.2f} to {high:.2f})",
            f"{times:.2f} ({least:.2f} to {most:.2f})",
            f"{1e3 / ms:.1f}",
        ]
        cells += [f"{w.flops / ms / 1e6 / sgemm:.0%}", f"{r['peak_mb']:.0f}", f"{r['first_step_s']:.2f}"]
        lines.append(markdown.row(*cells, *([f"{r['device_mb']:.0f}" if "device_mb" in r else ""] if gpu else [])))
    left_out = {n: r.get("failed") or r.get("wrong") or "stopped" for n, r in entry["peers"].items() if n not in peers}
    lines += ["", *(f"- {n}: {why}" for n, why in {**left_out, **entry["absent"]}.items())]
    return "\n".join(lines).strip()


def notes(results: dict[str, Any]) -> str:
    """Versions, kernels and threads of each peer, whether idle workers slept, and how much memory grew."""
    peers: dict[str, dict[str, Any]] = {}
    for entry in results["workloads"].values():
        for n, r in measured(entry).items():
            known = peers.setdefault(n, {"idle": 0.0, "growth": {}, **r})
            known["idle"] = max(known["idle"], r["idle_share"])
            known["growth"][r["steps"]] = r["now_mb"] - r["warm_mb"]
    lines = []
    for n, r in peers.items():
        steps, growth = max(r["growth"].items(), default=(0, 0.0))
        versions = ", ".join(f"{package} {version}" for package, version in r["versions"].items())
        about = "; ".join(filter(None, [PEERS[n].about, versions, r["notes"], ", ".join(r["blas"])]))
        lines.append(f"- {n}: {about}; memory {growth:+.0f} MB over {steps:,} steps; idle {r['idle']:.1%} of a core")
    if shares := taken(results):
        lines.append(
            f"\nOther processes took {statistics.median(shares):.1%} of the processors during a turn (median; at most "
            f"{max(shares):.0%}).{LOADED if loaded(results) else ''}"
        )
    return "\n".join(lines)


def text(results: dict[str, Any]) -> str:
    """The whole report in Markdown."""
    m, s = results["machine"], results["settings"]
    workloads, by_cpu = results["workloads"], timed_by_cpu(results)
    version = f", tinygen {results['tinygen']}" if "tinygen" in results else ""
    kernels = next((line for e in workloads.values() for r in e["rates"] for line in r["blas"]), "unknown")
    parts = [
        f"{results['when']}{version}, {m['cores']} cores of {m['processor']}, {m['system']}, Python {m['python']}; "
        f"device {s['device']}, {s['threads']} thread{'s' if s['threads'] > 1 else ''}, {s['rounds']} rounds of "
        f"{s['seconds']} s; BLAS of the roof: {kernels}"
        + (f"; TF32 {'allowed' if s['tf32'] else 'off'}" if s["device"] == "cuda" else "")
        + (f"; removed from the environment: {', '.join(gone)}" if (gone := m["removed_from_environment"]) else ""),
        *([BY_CPU] if by_cpu else []),
        *(table(name, entry, by_cpu) for name, entry in workloads.items()),
    ]
    if s["device"] == "cpu":
        parts += [
            "### Bars, by processor time; they are set for the wall clock" if by_cpu else "### Bars",
            bars(results),
        ]
    return "\n\n".join([*parts, "### Peers", notes(results)]) + "\n"


def write(results: dict[str, Any], out: Path, pictures: bool = True) -> None:
    (out / "results.json").write_text(json.dumps(results, indent=1))
    (out / "results.md").write_text(text(results))
    if pictures and any(measured(entry) for entry in results["workloads"].values()):
        from .pictures import roofline, times

        times(results, out / "times.png")
        roofline(results, out / "roofline.png")
