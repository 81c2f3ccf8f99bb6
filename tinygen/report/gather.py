"""What the page shows of a run: its recording, curves, events and settings, within a number of bytes."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..files import open_regular
from ..inside.recording import CONSTANTS, Recording
from ..losses import GAN_LOSSES
from ..rows import Rows, outline
from ..train import RunDirectory
from ..viz.panels import panels
from .embed import embed_array, to_script
from .steps import follow

TEXT_BYTES = 300_000  # of a page's share, for curves, settings and the page itself
LONGEST_CURVE, MOST_COLUMNS, MOST_NUMBERS = 4000, 60, 40_000  # points of a curve, curves, and numbers of all of them
MOST_PICTURES, MOST_EVENTS = 40, 100


def gather(path: Path, budget: int) -> dict[str, Any]:
    """One run as JSON: what it is, its curves and events, and its recording and, where that has no images or points in
    the plane, its sample pictures.

    budget: the most bytes that it may take.  Raises RunError if there is no run, or its recording can't be read.
    """
    run = RunDirectory(path)
    saved = run.read_config()
    recording = Recording.load(path) if run.recording_file.exists() else None
    followed = follow(path)
    room = max(0, budget - TEXT_BYTES - len(to_script(followed)))
    drawn = recording is not None and _is_drawn(recording)
    rows, events = run.read_metrics(), run.read_events()
    columns = _columns(rows)
    groups = panels(rows, _probability(saved["config"].get("loss")))
    groups = {panel: [name for name in names if name in columns] for panel, names in groups.items()}
    return {
        "name": str(path),
        "model": saved["model"],
        "about": _about(saved["model"]),
        "config": saved["config"],
        "changed": _changed(saved["model"], saved["config"]),
        "settings": saved["settings"],
        "steps": saved["steps"],
        "metrics": {name: embed_array(column) for name, column in columns.items()},
        "panels": {panel: names for panel, names in groups.items() if names},
        "events": [events[i] for i in _evenly(len(events), MOST_EVENTS)],
        "recording": _embedded(recording, room if drawn else room // 2) if recording else None,
        "follow": followed,
        "pictures": {} if drawn else _pictures(run.samples(), room),
    }


def _is_drawn(recording: Recording) -> bool:
    """Whether the page draws the samples itself: images, and points in the plane."""
    shape = recording.arrays["samples"].shape[2:] if "samples" in recording else ()
    return shape == (2,) or (len(shape) == 3 and recording.facts.get("value_range") is not None)


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


def _columns(table: Rows) -> dict[str, np.ndarray]:
    """The metrics by name, NaN where a row has none; of a long run, the rows that keep the outline of each curve."""
    columns = {name: table.column(name) for name in table.names()[:MOST_COLUMNS]}
    most = min(LONGEST_CURVE, MOST_NUMBERS // max(len(columns), 1))
    kept = np.arange(len(table))
    if len(table) > most:
        each = [np.flatnonzero(there) for _, there in columns.values()]
        each = [
            known[outline(x[known], most // len(each))] for known, (x, _) in zip(each, columns.values(), strict=True)
        ]
        kept = np.unique(np.concatenate([[0, len(table) - 1], *each]))
    return {name: x[kept] for name, (x, _) in columns.items()}


def _pictures(samples: dict[int, Path], budget: int) -> dict[int, str]:
    """Sample pictures by step, evenly thinned, as data URLs."""
    steps = list(samples)
    chosen = [steps[i] for i in _evenly(len(steps), MOST_PICTURES)]
    while sum(4 / 3 * samples[step].stat().st_size for step in chosen) > budget:
        chosen = chosen[1 + len(chosen) % 2 :: 2]  # every second, and the last, as long as there is room for one
    data = {step: base64.b64encode(_content(samples[step])).decode() for step in chosen}
    return {step: f"data:image/png;base64,{text}" for step, text in data.items()}


def _content(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read()


def _evenly(n: int, most: int) -> list[int]:
    """At most so many of the indices 0, ..., n - 1, evenly, with the first and the last."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, most))})


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
