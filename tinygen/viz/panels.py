"""Which of a run's metrics share a panel of a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..rows import Rows

BESIDE = {"step", "epoch", "seconds", "time", "steps_per_s"}  # what a row holds beside its metrics
CRITIC = {"slope", "(n-1)n", "gap/2λ"}  # measures of a critic's slope, not losses


def panels(rows: Sequence[Mapping[str, Any]], probability: bool | None = None) -> dict[str, list[str]]:
    """The names of metrics in the rows of metrics.jsonl, by panel; empty panels are left out.

    losses: all that is in no other panel.  shares: accuracies, and D's verdicts D(x) and D(G(z)) if they are
    probabilities (probability; by default, if all lie in [0, 1]).  scores: D's verdicts otherwise, and their gap.
    critic: see CRITIC.  Each "score.x" has a panel of its own, named like it.
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
