"""The state of a training, and what `fit` does around its loop: begin or resume, call the callbacks, save, end."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from ..options import CompileMode
from ..processes import Lost, group, own_batch, shares
from ..rows import Rows
from ..version import __version__
from . import snapshot, together
from .batches import Batches
from .callbacks import Callback, History, StopTraining
from .checkpoint import Snapshot
from .compiling import CompiledStep, Decision, decide
from .hunt import NonFiniteError, broken_arrays, broken_values, diagnose, join_names
from .measured import fetch_numbers, off_the_tape
from .progress import say
from .run import RunDirectory

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model


class Session:
    """A model, its data, its callbacks, and the run directory if there is one."""

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
        self.compiled: CompiledStep | None = None
        self.raised: Exception | None = None  # by a callback: the training ends after the step
        self._saved: Snapshot | None = None  # the last snapshot, for a run that has no directory
        self._safe = 0  # the step of the last checkpoint

    @contextmanager
    def opened(
        self,
        steps: int,
        settings: dict[str, Any] | None,
        resume: bool,
        changing: Collection[str],
        origin: dict[str, Any] | None,
        compile: CompileMode,
    ) -> Iterator[None]:
        """Begin or resume, alone in the run directory for the length of the block. Raises RunError.

        changing, compile: see `fit`.  origin: the entry of config.json for the run that the weights come from, if any.
        """
        if self.run is None:
            self._begin()
            decision = self._like_the_first(decide(compile, None, steps))
            with self._interruptible(steps), self._compiled(decision, steps):
                yield
            return
        with self.run.locked(resume):
            saved = self.run.read_config() if resume else {}
            began = saved.get("settings", {})
            decision = decide(compile, began.get("compile", "off") if resume else None, steps)
            settings = snapshot.plain(began if settings is None else settings, "fit: settings")
            settings = _recorded(settings, decision, older=resume and "compile" not in began)
            config = {"tinygen": __version__, **snapshot.identity(self.model), "settings": settings}
            if resume:
                config = saved | self._resume(self.run, config, {*changing, "compile"})
            else:
                self._begin()
                config |= {} if self.dataset is None else {"fingerprint": self.dataset.fingerprint()}
                config |= {} if origin is None else {"init_from": origin}
            # Written last: a directory that has this file can be resumed.
            self.run.write_config(config | {"steps": max(steps, self.history.steps)})
            decision = self._like_the_first(decision)
            with self._interruptible(steps), self._compiled(decision, steps):
                yield

    @contextmanager
    def _interruptible(self, steps: int) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit, Lost)) or error is self.raised:
                with suppress(OSError):  # the terminal may be gone
                    say(f"\nstopped after step {self.history.steps} of {steps}{self._how_to_resume()}")
            raise

    def _how_to_resume(self) -> str:
        if self.run is None:
            return ""
        return f"; resume from step {self._safe} with --resume --out {shlex.quote(str(self.run.path))}"

    def _begin(self) -> None:
        self._start(0)
        self.save(0)
        self.finish()

    def _resume(self, run: RunDirectory, config: dict[str, Any], changing: Collection[str]) -> dict[str, Any]:
        """Go back to the newest checkpoint; returns the new contents of config.json."""
        changes = run.check(config, changing)
        if self.dataset is not None:
            config = config | {"fingerprint": run.check_data(self.dataset)}
        newest = run.newest()
        snapshot.restore(newest, self.model, self.batches)
        self._start(newest.step)
        new = snapshot.restore_callbacks(newest, self.callbacks)
        self.history.rows, self.history.steps = run.rewind(newest.step), newest.step  # all matched: files may change
        self._safe = newest.step
        for name in new:
            say(f"{name} was not part of this run before: it begins now")
        say(f"resuming {run.path} after step {newest.step}")
        if not changes:
            return config
        return config | {"changes": [*run.read_config().get("changes", []), {"step": newest.step, **changes}]}

    def _like_the_first(self, decision: Decision) -> Decision:
        """Begin where the first process of the group does: with its weights, streams, data and decision."""
        if group().size == 1:
            return decision
        taken = snapshot.take(self.history.steps, self.model, self.batches, ())
        first, decision = group().from_first((taken, decision))
        if group().rank > 0:
            snapshot.restore(first, self.model, self.batches)
            self.history.steps, self._safe, self._saved = first.step, first.step, first
        together.check_data(self.batches.first)
        group().saved = first.step
        return decision

    def _compiled(self, decision: Decision, steps: int) -> AbstractContextManager[None]:
        """Make a program of the step, if it was decided so, and say what was done. Returns what to hold meanwhile."""
        if self.history.steps >= steps:
            return nullcontext()
        if decision.mode == "off":
            say(f"step not compiled: {decision.why}")
            return nullcontext()
        self.compiled = CompiledStep(self.model)
        with shares(self.model.batch_unit):
            say(self.compiled.prepare(own_batch(self.batches.first)))
        return self.compiled.alone()

    def _start(self, step: int) -> None:
        self._call("on_start", self.model, self.run, step)
        self.finish()

    def train(self) -> dict[str, Any]:
        """Make a step; returns its metrics, on the device. If the data fail, the steps before are saved."""
        try:
            with shares(self.model.batch_unit):
                batch = self.batches.next()
        except Exception as error:
            self.raised = error
            if self.history.steps > self._safe and group().size == 1:  # of several, the others go on
                self.save(self.history.steps)
            raise
        with shares(self.model.batch_unit):
            take = self.model.train_step if self.compiled is None else self.compiled
            return off_the_tape(take(batch), self._source)

    def values(self, step: int, metrics: dict[str, Any]) -> dict[str, float]:
        """The metrics of a step as numbers. Raises NonFiniteError if one is not finite."""
        values = together.averaged(fetch_numbers(metrics, self._source))
        if broken := broken_values(values):
            raise self._blame(step, broken)
        return values

    @property
    def _source(self) -> str:
        return f"{self.model.name}.train_step"

    def step(self, step: int, metrics: dict[str, Any]) -> dict[str, float]:
        """Call the callbacks after a step; returns what they measured, and adds it to the history."""
        self.history.steps, measured = step, dict[str, float]()
        for name, found in self._call("on_step", step, metrics):
            measured |= fetch_numbers(off_the_tape(found or {}, f"{name}.on_step"), f"{name}.on_step")
        if measured:
            self._record({"step": step, **measured})
            self._call("on_measured", step, measured)
        return measured

    def log(self, step: int, values: dict[str, float], scheduled: bool) -> None:
        """Add a row to the history. The row of a last step off the schedule is not written to the run's files, so that
        a run that ended there and was resumed equals one that never ended."""
        row = {"step": step, **values}
        if not scheduled:
            self.history.rows.append(row)
        else:
            self._record(row)
            self._call("on_log", step, values)

    def _call(self, hook: str, *given: Any) -> list[tuple[str, Any]]:
        """What a hook of each callback returns, by its name. All are called; if one raises, the training ends later."""
        results = []
        for name, callback in snapshot.named(self.callbacks):
            try:
                results.append((name, getattr(callback, hook)(*given)))
            except Exception as error:
                if hasattr(error, "add_note"):  # from Python 3.11 on
                    error.add_note(f"raised by the callback {name} in {hook}(), step {self.history.steps}")
                if self.raised is None or isinstance(self.raised, StopTraining):
                    self.raised = error
        return results

    def _record(self, row: dict[str, float]) -> None:
        self.history.rows.append(row)
        if self.run is not None:
            self.run.append_metrics(row)

    def save(self, step: int) -> None:
        """Make a checkpoint. Raises NonFiniteError for weights that are not finite, RunError if it can't be written."""
        if step > 0:
            together.average_statistics(self.model)
            together.check_alike(self.model, step)
        self._call("on_checkpoint", step, self.history)
        if self.history.complete:
            together.follow_first(self.model)  # in which a callback may have put other weights
        taken = snapshot.take(step, self.model, self.batches, self.callbacks)
        if broken := broken_arrays(taken.weights):
            raise self._blame(step, broken)
        if self.run is None:
            self._saved = taken
        else:
            self.run.save(taken)
        self._safe = step

    def _blame(self, step: int, broken: list[str]) -> NonFiniteError:
        """The error that says what first went wrong, found by replaying. The model goes back to the last checkpoint."""
        good = self._saved if self.run is None else self.run.newest() if self.run.checkpoints() else None
        return diagnose(step, broken, good, self.model, self.batches)

    def finish(self, interrupt: BaseException | None = None) -> None:
        """Raise what ended the training before its last step, unless it was a callback's StopTraining."""
        stopped = isinstance(self.raised, StopTraining)
        if reason := interrupt if stopped else self.raised or interrupt:
            raise reason
        self.history.stopped = str(self.raised) if stopped else None

    def end(self) -> History:
        """Call the callbacks' on_end, and print what to open."""
        lines = [line for _, line in self._call("on_end", self.history)]
        if self.run is not None:
            files = (self.run.sample_file(self.history.steps), self.run.curves_file, self.run.film_file)
            lines.append(f"open {join_names([str(path) for path in files if path.exists()])}")
        if self.history.stopped is not None:
            lines.append(f"stopped after step {self.history.steps}: {self.history.stopped}")
        for line in filter(None, lines):  # after all files are written, as the output may be closed
            say(line)
        self.finish()
        return self.history


def _recorded(settings: dict[str, Any], decision: Decision, older: bool) -> dict[str, Any]:
    """The settings with what was decided about compiling, unless a run of an older version continues as it was, and how
    many processes had statistics of their own."""
    others = {name: value for name, value in settings.items() if name not in ("compile", "local_batch_norm")}
    if group().local_batch_norm and group().size > 1:
        others["local_batch_norm"] = group().size
    return others if older and decision.mode == "off" else {**others, "compile": decision.mode}
