"""`python -m benchmarks compare A B`: what changed from one results.json to another.

Milliseconds of two days or two machines can't be compared, but each file measured tinygen beside its peers, so the
ratios can: tinygen's time to the fastest peer's and to PyTorch's, and its memory to PyTorch's. B / A below 1 is better.
A change of time is marked if the rounds of A and of B, each from the least to the most, don't overlap; one of memory,
which is a single number, from 2% on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple

from . import markdown
from .bars import OTHERS, TORCH
from .peers import PEERS
from .ratios import fastest, loaded, measured, ratio, settings
from .workloads import WORKLOADS

SAME = ("processor", "device", "threads", "clock", "tf32")  # what two runs must share to be compared
STEADY = 0.02  # memory varies by less from run to run


class Measured(NamedTuple):
    """A ratio to a peer: its median, least and most."""

    peer: str
    median: float
    least: float
    most: float


def load(path: Path) -> dict[str, Any]:
    """The results in a file. Raises ValueError, in a line, unless `run` can have written it."""
    try:
        results = json.loads(path.read_text())
        fit = all(map(counts, (r for entry in results["workloads"].values() for r in measured(entry).values())))
        loaded(results), differences(results, results), about("", path, results)  # they need what every run writes
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; expected the results.json of a run") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fit = False
    if not fit:
        raise ValueError(f"{path} is not a results file; expected the results.json of `python -m benchmarks run`")
    return results


def counts(result: dict[str, Any]) -> bool:
    """Whether a peer's times and memory are numbers above 0."""
    return all(math.isfinite(n) and n > 0 for n in (*result["ms"], result["peak_mb"]))


def quantities(entry: dict[str, Any], variant: str) -> dict[str, Measured]:
    """What was measured of a variant in a workload, by name."""
    peers, found = measured(entry), {}
    for name, rivals in (("time / fastest peer", OTHERS), ("time / PyTorch", TORCH)):
        rival = fastest(entry, rivals)
        if variant in peers and rival is not None:
            found[name] = Measured(rival, *ratio(peers[variant]["ms"], peers[rival]["ms"]))
    if variant in peers and "torch" in peers:
        memory = peers[variant]["peak_mb"] / peers["torch"]["peak_mb"]
        found["memory / PyTorch"] = Measured("torch", memory, memory * (1 - STEADY / 2), memory * (1 + STEADY / 2))
    return found


def verdict(before: Measured, after: Measured) -> str:
    if after.most < before.least:
        return "**less**"
    return "**more**" if after.least > before.most else ""


def cell(name: str, m: Measured | None) -> str:
    if m is None:
        return "not measured"
    spread = "" if name.startswith("memory") else f" ({m.least:.2f} to {m.most:.2f})"
    return f"{m.median:.2f}{spread}{f' {m.peer}' if name == 'time / fastest peer' else ''}"


def table(before: dict[str, Any], after: dict[str, Any]) -> str:
    """A line for each workload, variant and quantity of either file."""
    lines = [
        markdown.head("workload", "variant", "quantity", "A (least to most)", "B (least to most)", "B / A:", "B is")
    ]
    for workload in dict.fromkeys([*before["workloads"], *after["workloads"]]):
        title = WORKLOADS[workload].title if workload in WORKLOADS else workload
        for variant in (name for name, entry in PEERS.items() if entry.ours):
            a, b = (quantities(r["workloads"].get(workload, {"peers": {}}), variant) for r in (before, after))
            for name in {**a, **b}:
                change = f"{b[name].median / a[name].median:.2f}" if name in a and name in b else ""
                mark = verdict(a[name], b[name]) if change else ""
                cells = title, variant, name, cell(name, a.get(name)), cell(name, b.get(name))
                lines.append(markdown.row(*cells, change, mark))
    return "\n".join(lines)


def about(letter: str, path: Path, results: dict[str, Any]) -> str:
    """A line on a file: where, when and how it was measured."""
    s = settings(results)
    how = ", ".join(f"{name} {s[name]}" for name in ("device", "threads", "clock", "rounds", "seconds") if name in s)
    busy = "; **the machine was not idle**" if loaded(results) else ""
    version = results.get("tinygen", "unknown")
    return f"- {letter}: {path}, {results['when']}, tinygen {version}, {results['machine']['processor']}; {how}{busy}"


def differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    """A line on what else changed, which moves the ratios too; nothing if nothing did."""
    a, b = ({**settings(r), "processor": r["machine"]["processor"]} for r in (before, after))
    changed = [name for name in SAME if a.get(name) != b.get(name)]
    return f"\nA and B differ in {' and '.join(changed)}, which moves the ratios, too.\n" if changed else ""


def run(options: argparse.Namespace) -> int:
    paths = {"A": options.before, "B": options.after}
    try:
        results = {letter: load(path) for letter, path in paths.items()}
    except ValueError as error:
        print(f"python -m benchmarks compare: {error}", file=sys.stderr)
        return 2
    print("\n".join(about(letter, path, results[letter]) for letter, path in paths.items()))
    print(differences(results["A"], results["B"]))
    print(table(results["A"], results["B"]))
    print("\nless, more: beyond the spread of the rounds; of memory, by 2% or more")
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "before", type=Path, metavar="A", help="the results.json of one run, such as of the last release"
    )
    parser.add_argument("after", type=Path, metavar="B", help="that of another")
    parser.set_defaults(device="cpu", peers_venv=None)  # it runs no peer
