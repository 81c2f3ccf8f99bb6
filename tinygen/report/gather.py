"""What the page shows of a run: its recording, curves, events and settings, in a limited number of bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.compiled import reason_of
from ..errors import ConfigError, DataError, RunError
from ..files import open_regular
from ..inside.recording import CONSTANTS, Recording
from ..losses import GAN_LOSSES, GANLoss
from ..rows import Rows, outline
from ..tracing import Untraceable
from ..train import RunDirectory
from ..train.checkpoint import NewerError
from ..train.shown import data_url
from ..train.snapshot import class_name
from ..viz.panels import panels
from .embed import embed_array, to_script
from .program import machine
from .steps import follow

TEXT_BYTES = 300_000  # reserved for curves, settings, losses and the page itself
LONGEST_CURVE, MOST_CURVES, MOST_POINTS = 4000, 60, 40_000  # points of a curve, curves, and points of all of them
MOST_PICTURES, MOST_EVENTS = 40, 100
FROM_THE_MODEL: dict[str, Callable[[Path, Any], Any]] = {"step": follow, "program": machine}  # views of its checkpoint


def gather(path: Path, budget: int, model: Any = None) -> dict[str, Any]:
    """One run as JSON: what it is, its curves and events, its recording and, unless that has images or points in the
    plane, its sample pictures.

    budget: the most bytes that it may take.  model: the class of the run's model, if it isn't tinygen's.  Raises
    RunError if there is no run, or its recording can't be read.
    """
    run = RunDirectory(path)
    saved = run.read_config()
    recording = Recording.load(path) if run.recording_file.exists() else None
    (followed, compiled), missing = _of_the_model(path, saved, model)
    room = max(0, budget - TEXT_BYTES - len(to_script([followed, compiled])))
    drawn = recording is not None and _has_drawable_samples(recording)
    rows, events = run.read_metrics(), run.read_events()
    columns = _columns(rows)
    groups = panels(rows, _probability(saved["config"], recording))
    groups = {panel: [name for name in names if name in columns] for panel, names in groups.items()}
    logged = [int(columns["step"][-1])] if len(rows) else []
    recorded = [int(recording.steps[-1])] if recording else []
    return {
        "name": str(path),
        "model": saved["model"],
        "about": _about(saved, model),
        "config": saved["config"],
        "changed": _changed(saved, model),
        "settings": saved["settings"],
        "steps": saved["steps"],
        "reached": max([*run.checkpoints(), *logged, *recorded], default=saved["steps"]),
        "metrics": {name: embed_array(column) for name, column in columns.items()},
        "panels": {panel: names for panel, names in groups.items() if names},
        "events": [events[i] for i in _evenly(len(events), MOST_EVENTS)],
        "losses": _games(saved["config"], recording),
        "recording": _embedded(recording, room if drawn else room // 2) if recording else None,
        "follow": followed,
        "program": compiled,
        "pictures": {} if drawn else _pictures(run.samples(), room),
        "missing": missing + _missing(recording),
    }


def _has_drawable_samples(recording: Recording) -> bool:
    """Whether the page can draw the recorded samples: images, or points in the plane."""
    shape = recording["samples"].shape[2:] if "samples" in recording else ()
    if shape and recording["samples"].dtype == np.int32:  # tokens
        return False
    return shape == (2,) or (len(shape) == 3 and recording.facts.get("value_range") is not None)


def thin(arrays: dict[str, np.ndarray], budget: int) -> dict[str, np.ndarray]:
    """The arrays with every second recorded step left out, except the last, until their base64 fits the budget."""
    while 4 / 3 * sum(x.nbytes for x in arrays.values()) > budget:
        steps = len(arrays["step"])
        if steps <= 2:
            break
        kept = sorted({*range(0, steps, 2), steps - 1})
        arrays = {name: x if name in CONSTANTS else x[kept] for name, x in arrays.items()}
    return arrays


def _embedded(recording: Recording, budget: int) -> dict[str, Any]:
    arrays = thin(recording.arrays, budget)
    facts = {name: fact for name, fact in recording.facts.items() if name not in ("game", "missing")}
    return facts | {"arrays": {name: embed_array(x) for name, x in arrays.items()}}


def _games(config: dict[str, Any], recording: Recording | None) -> dict[str, Any]:
    """All GAN losses and the run's own, by name, as `GANLoss.describe` gives them; none if there is no game."""
    known = {name: loss.describe() for name, loss in GAN_LOSSES.items()}
    loss = _loss(config)
    own = (None if loss is None else known[loss.name]) if recording is None else recording.game
    if own is None:
        return {}
    games = known | {own["name"]: own}
    return {name: game | {"slope": embed_array(np.array(game["slope"], np.float32))} for name, game in games.items()}


def _probability(config: dict[str, Any], recording: Recording | None) -> bool | None:
    """Whether D's verdicts are probabilities; None if that isn't known."""
    if recording is not None:
        return recording.facts.get("probability")
    loss = _loss(config)
    return None if loss is None else loss.probability


def _loss(config: dict[str, Any]) -> GANLoss | None:
    """The GAN loss that a config names, if it does; a config of a user's own may hold anything there."""
    name = config.get("loss")
    return GAN_LOSSES.get(name) if isinstance(name, str) else None


def _of_the_model(path: Path, saved: dict[str, Any], model: Any) -> tuple[list[Any], list[dict[str, str]]]:
    """The steps of the run's model on their tape, and as a compiled program; and the reasons for what is missing."""
    own = saved.get("class")
    if own and model is None:
        kind = own.rpartition(":")[2].rpartition(".")[2]
        why = f"{own} is a class of your own; give it: `tinygen.report.report({str(path)!r}, model={kind})`."
        return [None, None], [{"view": view, "why": why} for view in FROM_THE_MODEL]
    found, missing = [], []
    for view, look in FROM_THE_MODEL.items():
        try:
            found.append(look(path, model if own else None))
        except NewerError:
            raise
        except (RunError, DataError, ConfigError, Untraceable) as reason:
            found.append(None)
            missing.append({"view": view, "why": _why(reason, saved, model)})
    return found, missing


def _why(reason: BaseException, saved: dict[str, Any], model: Any) -> str:
    """Why something of the run's model can't be shown."""
    own = saved.get("class")
    if own and _class(saved, model) is None:
        given = class_name(model if isinstance(model, type) else type(model))
        return f"the run is of {own}, and {given} was given, which doesn't fit it; give the run's class."
    if isinstance(reason, Untraceable):
        return f"its step runs as it was written, since it can't be compiled: {reason_of(reason)}."
    return f"{reason}."


def _missing(recording: Recording | None) -> list[dict[str, str]]:
    """The views that the recording can't fill, by id or title, each with the reason and what to do about it."""
    if recording is None:
        why = (
            "this run was not recorded: `tinygen train` records unless it is given `--record none`, and `tinygen.fit` "
            "records with a `Recorder` among its callbacks."
        )
        return [{"view": "Inside the networks", "why": why}]
    missing = [{"view": view, "why": why} for view, why in recording.facts.get("missing", [])]
    if recording.facts.get("loss") is not None and recording.game is None:
        why = f"the recording doesn't say what the loss {recording.facts['loss']!r} is; train again to record it."
        missing.append({"view": "field" if "field" in recording else "pixels", "why": why})
    return missing


def _columns(table: Rows) -> dict[str, np.ndarray]:
    """The metrics by name, NaN where a row has none; a long run is thinned to rows that keep each curve's outline."""
    columns = {name: table.column(name) for name in table.names()[:MOST_CURVES]}
    most = min(LONGEST_CURVE, MOST_POINTS // max(len(columns), 1))
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
        chosen = chosen[1 + len(chosen) % 2 :: 2]  # every second one, with the last
    return {step: data_url(_content(samples[step])) for step in chosen}


def _content(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read()


def _evenly(n: int, most: int) -> list[int]:
    """At most `most` of the indices 0, ..., n - 1, evenly spaced, with the first and the last."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, most))})


def _class(saved: dict[str, Any], own: Any) -> Any:
    """The class of a run's model: tinygen's, or that of the user's class or model that was given, if it has the name of
    the run's; else None."""
    from ..models import MODELS

    if "class" in saved:
        given = own if isinstance(own, type) else type(own)
        return given if given.__qualname__ == saved["class"].rpartition(":")[2] else None
    return MODELS.get(saved["model"])


def _about(saved: dict[str, Any], own: Any) -> str:
    """The first line of the docstring of the model's class; "" if the class isn't known."""
    return (getattr(_class(saved, own), "__doc__", "") or "").strip().partition("\n")[0]


def _changed(saved: dict[str, Any], own: Any) -> list[str]:
    """The names of the settings that are not the model's defaults."""
    Config: Any = getattr(_class(saved, own), "Config", None)
    if not is_dataclass(Config):
        return []
    defaults = {field.name: field.default for field in fields(Config) if field.default is not MISSING}
    config = saved["config"].items()
    return [key for key, value in config if key in defaults and json.loads(json.dumps(defaults[key])) != value]
