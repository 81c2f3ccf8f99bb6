"""What the page shows of a run: its recording, curves, events and settings, within a number of bytes."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..losses import GAN_LOSSES
from ..train import RunDirectory
from ..train.recording import Recording
from ..viz.panels import panels
from .embed import embed_array, to_script
from .steps import follow

TEXT_BYTES = 300_000  # of a page's share, for curves, settings and the page itself
LONGEST_CURVE = 2000  # points
MOST_PICTURES = 40
CONSTANTS = {"data", "data_labels", "labels", "centres"}  # arrays of a recording that have no axis of steps


def gather(path: Path, budget: int) -> dict[str, Any]:
    """One run as JSON: what it is, its curves and events, and its recording or, without one, its sample pictures.

    budget: the most bytes that it may take.  Raises RunError if there is no run, or its recording can't be read.
    """
    run = RunDirectory(path)
    saved = run.read_config()
    recording = Recording.load(path) if run.recording_file.exists() else None
    followed = follow(path)
    room = max(0, budget - TEXT_BYTES - len(to_script(followed)))
    rows = run.read_metrics()
    return {
        "name": str(path),
        "model": saved["model"],
        "about": _about(saved["model"]),
        "config": saved["config"],
        "changed": _changed(saved["model"], saved["config"]),
        "settings": saved["settings"],
        "steps": saved["steps"],
        "metrics": {name: embed_array(column) for name, column in _columns(rows).items()},
        "panels": panels(rows, _probability(saved["config"].get("loss"))),
        "events": run.read_events(),
        "recording": _embedded(recording, room) if recording else None,
        "follow": followed,
        "pictures": {} if recording else _pictures(run.samples(), room),
    }


def thin(arrays: dict[str, np.ndarray], budget: int) -> dict[str, np.ndarray]:
    """The arrays with every second recorded step left out, but for the last, until their base64 fits the budget."""
    while 4 / 3 * sum(x.nbytes for x in arrays.values()) > budget:
        steps = len(arrays["step"])
        if steps <= 2:
            break
        kept = sorted({*range(0, steps, 2), steps - 1})
        arrays = {name: x if name in CONSTANTS else x[kept] for name, x in arrays.items()}
    return arrays


def _embedded(recording: Recording, budget: int) -> dict[str, Any]:
    arrays = thin(recording.arrays, budget)
    return recording.facts | {"arrays": {name: embed_array(x) for name, x in arrays.items()}}


def _probability(loss: str | None) -> bool | None:
    """Whether D's verdicts are probabilities under a GAN's loss; None if it isn't one of tinygen's."""
    return GAN_LOSSES[loss].probability if loss in GAN_LOSSES else None


def _columns(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """The metrics by name, NaN where a row has none; of a long run every k-th row, the last, and those with scores."""
    every = max(1, -(-len(rows) // LONGEST_CURVE))
    rows = [row for i, row in enumerate(rows) if not i % every or i == len(rows) - 1 or _has_scores(row)]
    numbers = (name for row in rows for name, value in row.items() if isinstance(value, (int, float)))
    return {name: np.array([_number(row.get(name)) for row in rows], np.float64) for name in dict.fromkeys(numbers)}


def _has_scores(row: dict[str, float]) -> bool:
    return any(name.startswith("score.") for name in row)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _pictures(samples: dict[int, Path], budget: int) -> dict[int, str]:
    """Sample pictures by step, evenly thinned, as data URLs."""
    steps = list(samples)
    chosen = sorted({steps[round(i)] for i in np.linspace(0, len(steps) - 1, min(len(steps), MOST_PICTURES))})
    while sum(4 / 3 * samples[step].stat().st_size for step in chosen) > budget:
        chosen = chosen[1 + len(chosen) % 2 :: 2]  # every second, and the last, as long as there is room for one
    data = {step: base64.b64encode(samples[step].read_bytes()).decode() for step in chosen}
    return {step: f"data:image/png;base64,{text}" for step, text in data.items()}


def _about(model: str) -> str:
    """The first line of what the model's class says of itself; nothing for a model that isn't tinygen's."""
    from ..models import MODELS

    return (MODELS[model].__doc__ or "").partition("\n")[0] if model in MODELS else ""


def _changed(model: str, config: dict[str, Any]) -> list[str]:
    """The names of the settings that are not the model's defaults."""
    from ..models import MODELS

    if model not in MODELS:
        return []
    defaults = {field.name: field.default for field in fields(MODELS[model].Config)}
    return [key for key, value in config.items() if json.loads(json.dumps(defaults.get(key))) != value]
