"""Which of a run's numbers stand together on a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..rows import Rows

BESIDE = {"step", "epoch", "seconds", "time", "steps_per_s"}  # what a row says beside its measurements
CRITIC = {"slope", "(n-1)n", "gap/2λ"}  # what is measured of a critic's slope, and no network lowers


def panels(rows: Sequence[Mapping[str, Any]], probability: bool | None = None) -> dict[str, list[str]]:
    """The names that the rows of metrics.jsonl have numbers under, by panel, without the empty panels.

    losses: what is in no other.  shares: accuracies, and D's verdicts D(x) and D(G(z)) if they are probabilities; by
    default they are if none of them ever left [0, 1].  scores: D's verdicts else, and their gap.  critic: see CRITIC.
    Each "score.x" has a panel of its own name.
    """
    rows = Rows.of(rows)
    names = [name for name in rows.names() if name not in BESIDE]
    verdicts = [name for name in names if name.startswith("D(")]
    if probability is None:
        probability = _bounded(rows, verdicts)
    found: dict[str, list[str]] = {"losses": [], "shares": [], "scores": [], "critic": []}
    own = {name: [name] for name in names if name.startswith("score.")}
    for name in names:
        if name in verdicts:
            found["shares" if probability else "scores"].append(name)
        elif name == "gap":
            found["scores"].append(name)
        elif name in CRITIC:
            found["critic"].append(name)
        elif is_share(name) and _bounded(rows, [name]):
            found["shares"].append(name)
        elif name not in own:
            found["losses"].append(name)
    return {panel: group for panel, group in (found | own).items() if group}


def is_share(name: str) -> bool:
    return name.startswith("acc") or name.endswith(("acc", "accuracy", "share"))


def _bounded(rows: Rows, names: Sequence[str]) -> bool:
    columns = (rows.column(name)[0] for name in names)
    return all(bool(np.all(np.isnan(x) | ((x >= 0) & (x <= 1)))) for x in columns)
