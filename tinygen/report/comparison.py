"""Runs beside one another: what differs between them, and how well each has learnt, over their seeds."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigError, RunError
from ..files import check_place, open_regular, replace_file, writing
from ..kinds import COUNT, MAY_NUMBER
from ..options import INTERVALS
from ..rows import Rows
from ..settings import format_value
from ..tables import table
from ..terminal import columns
from ..train import RunDirectory
from ..train.contents import fault, parse
from ..viz.panels import BESIDE

ALIKE = {"seed", "classes", "vocabulary", "data_shape", "compile", "device", *(option.name for option in INTERVALS)}
LAST = 10  # a run that was not evaluated is judged by the mean of the last tenth of its rows
SCORES = {"step": COUNT, "scores": {...: {"value": MAY_NUMBER, "reference": MAY_NUMBER}}}


class Run(NamedTuple):
    """One run: what it is, how many steps it has made, and its numbers.

    reference: the scores of real data, if it was evaluated.
    """

    path: Path
    model: str
    settings: dict[str, Any]
    seed: int | None
    steps: int
    numbers: dict[str, float]
    reference: dict[str, float]


class Group(NamedTuple):
    """Runs that differ in nothing but their seed.  values: what tells them from other groups."""

    values: dict[str, Any]
    runs: list[Run]

    @property
    def model(self) -> str:
        """The name of their model."""
        return self.values["model"]

    @property
    def steps(self) -> int:
        """The steps that each has made."""
        return self.values["steps"]

    def spread(self, name: str, form: str = "") -> str:
        """mean ± standard deviation of a number over the runs; of one run, the number; "" if none has it."""
        return spread([run.numbers[name] for run in self.runs if name in run.numbers], form)


class Comparison:
    """Runs beside one another, as `compare` finds them; print it for a table.

    runs: all of them.  groups: those that differ only in the seed, together.  names: the numbers in the columns.

    >>> for seed in (0, 1):
    ...     model = tg.models.VAE(seed=seed)
    ...     history = tg.fit(model, tg.data.load("digits"), steps=2, out=f"runs/{seed}", progress=False)
    >>> comparison = tg.report.compare("runs")
    >>> print(comparison.groups[0].values, len(comparison.groups[0].runs))
    {'model': 'vae', 'steps': 2} 2
    """

    def __init__(self, runs: Sequence[Run]):
        self.runs = list(runs)
        differing = _differing(self.runs)
        found = dict[str, Group]()
        for run in self.runs:
            values = {"model": run.model} | {name: run.settings.get(name) for name in differing} | {"steps": run.steps}
            found.setdefault(json.dumps(values), Group(values, [])).runs.append(run)
        self.groups = sorted(found.values(), key=lambda group: [_sortable(value) for value in group.values.values()])
        self.names = list(dict.fromkeys(name for run in self.runs for name in run.numbers))

    def __str__(self) -> str:
        return "\n\n".join(table(rows) for rows in _blocks(self.table(), len(self._heads), columns()))

    @property
    def _heads(self) -> list[str]:
        return [*(self.groups[0].values if self.groups else ()), "runs"]

    def table(self) -> list[list[str]]:
        """The head, a row for each group, and one for real data if the runs were evaluated, as texts."""
        rows = [[*map(_shown, group.values.values()), str(len(group.runs)), *map(group.spread, self.names)]
                for group in self.groups]  # fmt: skip
        reference = {name: x for run in self.runs for name, x in run.reference.items()}
        if reference:
            blank = [""] * (len(self._heads) - 1)
            rows.append(["real data", *blank, *(spread([reference[n]]) if n in reference else "" for n in self.names)])
        return [[*self._heads, *self.names], *rows]

    def markdown(self) -> str:
        """The table in Markdown."""
        return markdown(self.table())

    def csv(self) -> str:
        """A line for each run, with all digits."""
        heads = [name for name in self._heads if name not in ("runs", "steps", "model")]
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["run", "model", *heads, "seed", "steps", *self.names])
        for group in self.groups:
            for run in group.runs:
                cells = ["" if group.values[head] is None else format_value(group.values[head]) for head in heads]
                numbers = [run.numbers.get(name, "") for name in self.names]
                lines.writerow([run.path, run.model, *cells, "" if run.seed is None else run.seed, run.steps, *numbers])
        return text.getvalue()

    def write(self, out: str | os.PathLike[str]) -> Path:
        """Write the page `out`, an HTML file, and beside it the table as .md and the runs as .csv; returns its path.

        Raises ConfigError for another suffix, RunError if they can't be written.
        """
        from .compared import page

        target = Path(out)
        if target.suffix.lower() not in (".html", ".htm"):
            raise ConfigError(f"--out {target}: the comparison is a web page, so its name must end in .html")
        check_place(target)
        texts = {".csv": self.csv(), ".md": self.markdown(), target.suffix: page(self, target.parent)}
        for suffix, text in texts.items():
            file = target.with_suffix(suffix)
            with writing(file), replace_file(file) as temporary:
                temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        return target


def compare(*places: str | os.PathLike[str]) -> Comparison:
    """Compare runs: those given, and those in the folders given.

    Each is judged by what `tinygen evaluate` wrote, if that was after its last step, else by the mean of the last tenth
    of the rows of metrics.jsonl. Runs that differ in their seed alone are one row: mean ± standard deviation.

    Raises RunError if there is no run, or one can't be read.

    >>> history = tg.fit(tg.models.VAE(), tg.data.load("digits"), steps=2, out="runs/mine", progress=False)
    >>> tg.report.compare("runs/mine").names
    ['loss', 'reconstruction', 'kl']
    """
    found = [path for place in places for path in _runs_in(Path(place))]
    return Comparison([_read(path) for path in {path.resolve(): path for path in found}.values()])


def spread(numbers: Sequence[float], form: str = "") -> str:
    """mean ± standard deviation; of one number, itself; "" for none.  form: of both (two digits of the deviation)."""
    if not numbers:
        return ""
    mean, deviation = float(np.mean(numbers)), float(np.std(numbers))
    form = form or _digits(deviation)
    return f"{mean:{form}} ± {deviation:{form}}" if len(numbers) > 1 else f"{mean:{form}}"


def _digits(deviation: float) -> str:
    """The format that shows two digits of a deviation; if that takes too many places, or there is none, four digits."""
    places = 1 - math.floor(math.log10(deviation)) if deviation > 0 and math.isfinite(deviation) else -1
    return f".{places}f" if 0 <= places <= 6 else ".4g"


def markdown(rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the first row is its head."""
    head, *others = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *others))


def _runs_in(place: Path) -> list[Path]:
    """A run, or the runs of a folder."""
    if RunDirectory(place).config_file.exists():
        return [place]
    found = sorted(file.parent for file in place.glob("*/config.json")) if place.is_dir() else []
    if not found:
        raise RunError(f"{place}: there is no run, neither there nor in the folders in it; is the path right?")
    return found


def _read(path: Path) -> Run:
    run = RunDirectory(path)
    config, rows = run.read_config(), run.read_metrics()
    steps = max(run.checkpoints(), default=rows[-1]["step"] if rows else 0)
    scores = _scores(path / "metrics.json", steps)
    numbers = {name: score["value"] for name, score in scores.items() if score["value"] is not None}
    reference = {name: score["reference"] for name, score in scores.items() if score["reference"] is not None}
    settings = config["settings"] | config["config"]
    return Run(path, config["model"], settings, settings.get("seed"), steps, numbers or _last(rows), reference)


def _scores(file: Path, steps: int) -> dict[str, Any]:
    """The scores that `tinygen evaluate` wrote after so many steps; none if it wrote none. Raises RunError."""
    if not file.exists():
        return {}
    try:
        with open_regular(file) as opened:
            record = parse(opened.read())
    except (OSError, ValueError) as error:
        raise RunError(f"{file} can't be read: {error}") from None
    if wrong := fault(record, SCORES):
        raise RunError(f"{file} is not a tinygen file, or damaged: {wrong}")
    return record["scores"] if record["step"] == steps else {}


def _last(rows: Rows) -> dict[str, float]:
    """The mean of the last tenth of the values of each metric."""
    numbers = {}
    for name in rows.names():
        values, there = rows.column(name)
        last = values[there][-max(1, there.sum() // LAST) :]
        if name not in BESIDE:
            numbers[name] = float(last.mean())
    return numbers


def _differing(runs: Sequence[Run]) -> list[str]:
    """The settings in which runs of one model differ."""
    names = dict.fromkeys(name for run in runs for name in run.settings if name not in ALIKE)
    of_model: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        of_model.setdefault(run.model, []).append(run.settings)
    return [
        name
        for name in names
        if any(any(one.get(name) != settings[0].get(name) for one in settings) for settings in of_model.values())
    ]


def _sortable(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, (int, float))
    return not number, float(value) if number else 0.0, "" if number else format_value(value)


def _shown(value: Any) -> str:
    return f"{value:,}" if type(value) is int else format_value(value)


def _blocks(rows: list[list[str]], heads: int, width: int) -> list[list[list[str]]]:
    """The columns of a table in as many tables as it takes for each to fit the width; all begin with the first ones."""
    widths = [2 + max(map(len, column)) for column in zip(*rows, strict=True)]
    blocks, start = list[range](), heads
    while start < len(widths) or not blocks:
        end = start + 1
        while end < len(widths) and sum(widths[:heads]) + sum(widths[start : end + 1]) <= width + 2:
            end += 1
        blocks.append(range(start, min(end, len(widths))))
        start = end
    return [[[*row[:heads], *(row[i] for i in block)] for row in rows] for block in blocks]
