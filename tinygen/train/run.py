"""The run directory: the files that a training writes, and a lock so that only one process writes them."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError, RunError
from ..files import hold, open_regular, replace_file
from ..options import SETTINGS
from ..rows import Rows
from . import checkpoint, contents, disk
from .checkpoint import FORMAT, DamagedError, NewerError, Snapshot, read_checkpoint
from .progress import say

if TYPE_CHECKING:
    from ..data import Dataset

LOCK = ".lock"
KEPT_CHECKPOINTS = 3  # if the newest is damaged, an earlier one remains


class RunDirectory:
    """The files of one run.

    config.json                          the model and its hyperparameters; this file makes a directory a run
    metrics.jsonl                        a line for each logged step, and for each evaluation
    events.jsonl                         a line for each warning that the training gave
    samples/step_000200.png              samples after 200 steps
    recording.safetensors                what happened inside the model, for the report
    curves.png, training.gif             the metrics, and the samples as a film
    latent_plane.png, traversals.png     what the latents stand for, for models that can show it
    checkpoints/step_000200.safetensors  all that is needed to resume after 200 steps; the newest three

    >>> run = tg.train.RunDirectory("runs/mine")
    >>> history = tg.fit(tg.models.VAE(), tg.data.load("digits"), steps=2, out="runs/mine", progress=False)
    >>> run.path.exists()
    True
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Raises ConfigError for anything but a path."""
        if not isinstance(path, (str, os.PathLike)) or not str(path):
            raise ConfigError(f"a run directory is {path!r}, but it must be a path, such as 'runs/mine'")
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.events_file = self.path / "events.jsonl"
        self.recording_file = self.path / "recording.safetensors"
        self.curves_file = self.path / "curves.png"
        self.film_file = self.path / "training.gif"

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    def _repr_html_(self) -> str:
        from .shown import run_html

        return run_html(self)

    def sample_file(self, step: int) -> Path:
        """The path of the sample picture of a step."""
        return self.path / "samples" / f"step_{step:06d}.png"

    def drawing_file(self, name: str) -> Path:
        """The path of one of the model's drawings()."""
        return self.path / f"{name}.png"

    def checkpoint_file(self, step: int) -> Path:
        """The path of the checkpoint of a step."""
        return self.path / "checkpoints" / f"step_{step:06d}.safetensors"

    def samples(self) -> dict[int, Path]:
        """The sample pictures by step, in order."""
        return _by_step(self.path / "samples", ".png")

    def checkpoints(self) -> dict[int, Path]:
        """The checkpoints by step, in order."""
        return _by_step(self.path / "checkpoints", ".safetensors")

    # Who may write

    @contextmanager
    def locked(self, resume: bool) -> Iterator[None]:
        """Lock the directory, created if necessary, for the length of a block. A kill releases the lock.

        Raises RunError if another process holds the lock, if the directory can't be written, if there is a run and
        `resume` is not set, or if there is none and it is.
        """
        if resume:
            self.read_config()
        with disk.writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / LOCK, "a")  # noqa: SIM115
        with lock:
            if not hold(lock):
                raise RunError(
                    f"{self.path}: another process is training there; wait for it, or choose another directory with "
                    "--out"
                )
            if not resume:
                self.check_unused()
                self._prepare()
                with disk.writing(self.path):
                    for path in (self.metrics_file, self.events_file):  # of a run that made no step
                        path.unlink(missing_ok=True)
            yield

    def is_free(self) -> bool:
        """Whether no other process trains there."""
        if not (self.path / LOCK).exists():
            return True
        with open(self.path / LOCK, "ab") as lock:  # held for this moment
            return hold(lock)

    def check_unused(self) -> None:
        """Raise RunError if the directory holds a run that has made a step; one that ended earlier may begin again."""
        if self.config_file.exists():
            self.read_config()
        if any(self.checkpoints()) or any(True for _ in _rows(self.metrics_file)):
            raise RunError(
                f"{self.path} already holds a run: resume it with --resume (resume=True), "
                "or choose another directory with --out (out=)"
            )

    def _prepare(self) -> None:
        """Make the folders, and remove what a kill left unfinished."""
        with disk.writing(self.path):
            disk.remove_leftovers(self.path)
            for folder in ("samples", "checkpoints"):
                (self.path / folder).mkdir(exist_ok=True)

    # What the run is

    def write_config(self, config: dict[str, Any]) -> None:
        """Write config.json. Raises RunError."""
        disk.write(self.config_file, json.dumps({"format": FORMAT, **config}, indent=2).encode() + b"\n")

    def read_config(self) -> dict[str, Any]:
        """The contents of config.json. Raises RunError if there is none, or tinygen did not write it."""
        try:
            with open_regular(self.config_file) as file:
                config = contents.parse(file.read())
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{self.path}: there is no run (no config.json); is the path right? "
                           "`tinygen train MODEL --out DIR` begins one") from None  # fmt: skip
        except (OSError, ValueError) as error:
            raise RunError(f"{self.config_file} can't be read: {error}") from None
        form = config.pop("format", FORMAT) if isinstance(config, dict) else FORMAT  # the first versions wrote none
        if isinstance(form, int) and form > FORMAT:
            raise NewerError(self.config_file)
        fault = contents.fault(config, contents.CONFIG) or contents.fault(config, contents.CONFIG_OPTIONAL, partly=True)
        if fault or form != FORMAT:
            raise RunError(f"{self.config_file} is not a tinygen file, or damaged: {fault or 'its format is unknown'}")
        return config

    def read_settings(self) -> dict[str, Any]:
        """A run's data and options from config.json, if `tinygen train` began it. Raises RunError."""
        settings = self.read_config()["settings"]
        if fault := contents.fault(settings, SETTINGS, "settings", partly=True):
            raise RunError(f"{self.config_file} is not a tinygen file, or damaged: {fault}")
        return settings

    def check(self, config: dict[str, Any], changing: Collection[str] = ()) -> dict[str, Any]:
        """Raise RunError, with the difference, unless the run is the one that config describes.

        changing: names whose values may differ; returns those that do, with the old and the new value.
        """
        changes = dict[str, Any]()
        there, config = self.read_config(), json.loads(json.dumps(config))  # JSON has no tuples
        if there["model"] != config["model"]:
            raise RunError(f"{self.path} holds a run of {there['model']!r}, not of {config['model']!r}; "
                           f"train {there['model']!r}, or choose another directory with --out")  # fmt: skip
        for part in ("config", "settings"):
            for key in {**there[part], **config[part]}:
                before, now = there[part].get(key), config[part].get(key)
                if before != now and key in changing:
                    changes[key] = {"from": before, "to": now}
                elif before != now:
                    raise RunError(f"{self.path}: the run has {key}={before!r}, but {key}={now!r} was given; "
                                   f"resume with {before!r}, or choose another directory with --out")  # fmt: skip
        return changes

    def check_data(self, dataset: Dataset) -> str:
        """The fingerprint of the data. Raises DataError if the run began with other data; the first versions of tinygen
        recorded no fingerprint."""
        began, now = self.read_config().get("fingerprint"), dataset.fingerprint()
        if began is None and dataset.name.startswith("folder:"):
            warnings.warn(
                f"{self.path} was begun by an earlier tinygen, which split folders differently: images that it "
                "trained on may be among the test images now; to start a new run with its weights, use --init-from",
                stacklevel=2,
            )
        if began not in (None, now):
            raise DataError(
                f"{dataset.name}: these are not the data with which the run in {self.path} began: their fingerprint is "
                f"{now[:12]}, and was {str(began)[:12]}; restore the old ones, or give their place with --data"
            )
        return now

    # What it measured

    def append_metrics(self, row: dict[str, float]) -> None:
        """Add a row to metrics.jsonl. Raises RunError."""
        disk.append(self.metrics_file, json.dumps(row))

    def read_metrics(self) -> Rows:
        """The rows of metrics.jsonl, without those that a kill cut short."""
        return Rows(row for _, row in _rows(self.metrics_file))

    def append_event(self, event: dict[str, Any]) -> None:
        """Add an event, with its "step", to events.jsonl. Raises RunError."""
        disk.append(self.events_file, json.dumps(event))

    def read_events(self) -> list[dict[str, Any]]:
        """The rows of events.jsonl, without those that a kill cut short."""
        return [row for _, row in _rows(self.events_file)]

    # Where it can be resumed

    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint, and remove the oldest ones. Raises RunError; the earlier ones then stay."""
        disk.flush(self.metrics_file)  # so that the rows up to a checkpoint are on the disk before it
        checkpoint.save(self.checkpoint_file(snapshot.step), snapshot.tensors, snapshot.facts)
        self._remove_oldest()

    def _remove_oldest(self) -> None:
        for path in list(self.checkpoints().values())[:-KEPT_CHECKPOINTS]:
            path.unlink(missing_ok=True)

    def newest(self) -> Snapshot:
        """The newest checkpoint that isn't damaged; prints a line for each one that is.

        Raises RunError if there is none; NewerError for one that a newer tinygen wrote.
        """
        problems = []
        for path in reversed(self.checkpoints().values()):
            try:
                snapshot = read_checkpoint(path)
            except DamagedError as error:
                problems.append(str(error))
            else:
                for problem in problems:
                    say(f"skipping {problem}")
                return snapshot
        what = f"none of its {len(problems)} checkpoints can be read" if problems else "its checkpoints are gone"
        newest = f"; the newest: {problems[0]}" if problems else ""
        raise RunError(f"{self.path}: {what}; begin again, in another directory (--out){newest}")

    def rewind(self, step: int) -> Rows:
        """Restore the directory to its state at a checkpoint, and return the metrics up to there.

        Later metrics, events and pictures are removed, as they will be made again; a later checkpoint must be damaged,
        and is renamed.
        """
        self._prepare()
        self.read_events()  # raises before either file is changed
        rows = _cut(self.metrics_file, step)
        if self.events_file.exists():
            _cut(self.events_file, step)
        with disk.writing(self.path):
            for picture in _after(step, self.samples()):
                picture.unlink()
            for damaged in _after(step, self.checkpoints()):
                damaged.replace(damaged.with_name(f"{damaged.name}.damaged"))
            self._remove_oldest()
        return rows


def _by_step(folder: Path, suffix: str) -> dict[int, Path]:
    found = {path: re.fullmatch(rf"step_(\d{{6,}}){re.escape(suffix)}", path.name) for path in folder.glob("step_*")}
    return dict(sorted((int(match[1]), path) for path, match in found.items() if match))


def _after(step: int, paths: dict[int, Path]) -> list[Path]:
    return [path for later, path in paths.items() if later > step]


def _cut(path: Path, step: int) -> Rows:
    """Keep only the rows up to a step in a file of rows; returns them."""
    rows = Rows()
    with disk.writing(path), replace_file(path) as temporary, open(temporary, "wb") as file:
        for line, row in _rows(path):
            if row["step"] <= step:
                file.write(line)
                rows.append(row)
    return rows


def _rows(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The complete lines of a file of rows, each with its value; one at a time, as there may be a million.

    Raises RunError for a row that tinygen can't have written, not even when killed.
    """
    if not path.exists():
        return
    with open_regular(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            except RecursionError:
                raise RunError(f"{path}, line {number}: nested too deep; remove the line, or mend it") from None
            if not isinstance(row, dict) or "step" not in row:
                continue
            if not _is_plain(row) and (fault := contents.fault(row, contents.ROW)):
                raise RunError(f"{path}, line {number}: {fault}; remove the line, or mend it")
            if line.endswith(b"\n"):
                yield line, row


def _is_plain(row: dict[str, Any]) -> bool:
    """Whether a row holds floats and counts only: a quick test that nearly all rows pass."""
    return type(row["step"]) is int and all(
        type(x) is float or (type(x) is int and 0 <= x < 2**53) for x in row.values()
    )
