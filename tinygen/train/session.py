"""A training between its first and its last step: what `fit` keeps around its loop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..rows import Rows
from . import snapshot
from .batches import Batches
from .callbacks import Callback, History
from .hunt import NonFiniteError, broken_arrays, explain, not_finite
from .run import RunDirectory
from .snapshot import Snapshot

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model


class Session:
    """A model, its data, who looks on, and the run directory if there is one."""

    def __init__(
        self,
        model: Model,
        batches: Batches,
        callbacks: Sequence[Callback],
        run: RunDirectory | None,
        dataset: Dataset | None = None,
    ):
        self.model, self.batches, self.callbacks, self.run, self.dataset = model, batches, callbacks, run, dataset
        self.history = History(Rows(), path=None if run is None else run.path)
        self._saved: Snapshot | None = None  # the last snapshot, for a run that has no directory
        self._safe = 0  # the step of the last checkpoint

    @contextmanager
    def opened(
        self,
        steps: int,
        settings: dict[str, Any] | None,
        resume: bool,
        changing: Collection[str] = (),
        origin: dict[str, Any] | None = None,
    ) -> Iterator[None]:
        """Begin or resume, alone in the run directory for the length of the block. Raises RunError.

        changing: see `fit`.  origin: what config.json says of the run that the weights come from, if any.
        """
        if self.run is None:
            self._begin()
            with self._interruptible(steps):
                yield
            return
        with self.run.locked(resume):
            saved = self.run.read_config() if resume else {}
            settings = saved.get("settings", {}) if settings is None else settings
            config = {"tinygen": _version(), **snapshot.describe(self.model), "settings": settings}
            if resume:
                config = saved | self._resume(self.run, config, changing)
            else:
                self._begin()
                config |= {} if self.dataset is None else {"fingerprint": self.dataset.fingerprint()}
                config |= {} if origin is None else {"init_from": origin}
            # The last file of a beginning: a run that is there can be resumed.
            self.run.write_config(config | {"steps": max(steps, self.history.steps)})
            with self._interruptible(steps):
                yield

    @contextmanager
    def _interruptible(self, steps: int) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            how = "" if self.run is None else f"; go on from step {self._safe} with --resume --out {self.run.path}"
            with suppress(OSError):  # the terminal may be gone
                print(f"\nstopped after step {self.history.steps} of {steps}{how}", flush=True)
            raise

    def _begin(self) -> None:
        for callback in self.callbacks:
            callback.on_start(self.model, self.run, 0)
        self.save(0)

    def _resume(self, run: RunDirectory, config: dict[str, Any], changing: Collection[str]) -> dict[str, Any]:
        """Go back to the newest checkpoint; returns what config.json shall say now."""
        changes = run.check(config, changing)
        if self.dataset is not None:
            config = config | {"fingerprint": run.check_data(self.dataset)}
        newest = run.newest()
        snapshot.restore(newest, self.model, self.batches)
        for callback in self.callbacks:
            callback.on_start(self.model, run, newest.step)
        new = snapshot.restore_callbacks(newest, self.callbacks)
        self.history.rows, self.history.steps = run.go_on_from(newest.step), newest.step  # all fits: files may change
        self._safe = newest.step
        for name in new:
            print(f"{name} was not part of this run before: it begins now")
        print(f"resuming {run.path} after step {newest.step}")
        if not changes:
            return config
        return config | {"changes": [*run.read_config().get("changes", []), {"step": newest.step, **changes}]}

    def step(self, step: int, metrics: dict[str, Any]) -> dict[str, float]:
        """Tell the callbacks of a step; returns what they measured, which is in the history then."""
        self.history.steps, measured = step, dict[str, float]()
        for callback in self.callbacks:
            measured |= callback.on_step(step, metrics) or {}
        if measured:
            self._record({"step": step, **measured})
        return measured

    def log(self, step: int, values: dict[str, float], scheduled: bool) -> None:
        """Add a row to the history. One off the schedule, of a last step, leaves no trace in what the run goes on from:
        a run that ended there and went on equals one that never ended."""
        row = {"step": step, **values}
        if not scheduled:
            self.history.rows.append(row)
        else:
            self._record(row)
            for callback in self.callbacks:
                callback.on_log(step, values)

    def _record(self, row: dict[str, float]) -> None:
        self.history.rows.append(row)
        if self.run is not None:
            self.run.append_metrics(row)

    def save(self, step: int) -> None:
        """Make a checkpoint. Raises NonFiniteError for weights that are not finite, RunError if it can't be written."""
        for callback in self.callbacks:
            callback.on_checkpoint(step, self.history)
        taken = snapshot.take(step, self.model, self.batches, self.callbacks)
        if broken := broken_arrays(taken.tensors):
            raise self._blame(step, broken)
        if self.run is None:
            self._saved = taken
        else:
            self.run.save(taken)
        self._safe = step

    def check(self, step: int, values: dict[str, float]) -> None:
        """Raise NonFiniteError if a metric of a step is not finite."""
        if broken := not_finite(values):
            raise self._blame(step, broken)

    def _blame(self, step: int, broken: list[str]) -> NonFiniteError:
        """The error that says what first went wrong, found by replaying. The model goes back to the last checkpoint."""
        good = self._saved if self.run is None else self.run.newest() if self.run.checkpoints() else None
        return explain(step, broken, good, self.model, self.batches)

    def end(self) -> History:
        """Tell the callbacks of the end, and the user what to open."""
        said = [callback.on_end(self.history) for callback in self.callbacks]
        if self.run is not None:
            picture, curves, film = self.run.sample_file(self.history.steps), self.run.curves_file, self.run.film_file
            said.append(f"open {picture}, {curves} and {film}")
        for line in filter(None, said):  # when all is written: nobody may be reading any more
            print(line, flush=True)
        return self.history


def _version() -> str:
    from .. import __version__

    return __version__
