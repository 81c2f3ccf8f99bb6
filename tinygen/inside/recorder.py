"""Recording what happens inside a model while it trains, for `tinygen report`: bounded in memory and in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import to_host
from ..checks import number, whole
from ..data.loader import first_examples
from ..errors import RunError
from ..layers.module import title_of
from ..models.probe import Weights, layers_of
from ..options import DEFAULTS
from ..train.callbacks import Callback, History, checked_dataset
from ..train.checkpoint import NewerError
from ..train.progress import say
from ..train.snapshot import identity
from ..version import __version__
from .budget import Budget
from .observer import Observer
from .recording import IMAGES, Recording, image_bytes, quantised

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model
    from ..train.run import RunDirectory

MOST_STEPS, MOST_BYTES, FEWEST_STEPS = 64, 8_000_000, 8  # of a recording; the fewest even if they take more bytes


class Recorder(Callback):
    """recording.safetensors in the run directory: steps 0, 1, 2, 4, 8, ... and then one in `every`.

    every: in steps. Whenever more than 64 are kept (fewer of large images), every second one is dropped and `every`
    doubles, so a recording does not grow with its run.  share: of the training time that recording may take. A step
    that would exceed it is skipped, except the first and the last; half a second is free.  dataset: its examples are
    judged by D, or encoded.
    Recording does not change the run. Raises ConfigError for an `every` below 1.

    >>> ring = tg.data.load("ring8", train=100, test=100)
    >>> model = tg.models.GAN(tg.models.GANConfig(data_shape=(2,), g_hidden=(8,), d_hidden=(8,)))
    >>> recorder = tg.inside.Recorder(ring)
    >>> history = tg.fit(model, ring, steps=2, out="runs/mine", callbacks=[recorder], progress=False)
    >>> tg.inside.Recording.load("runs/mine").steps
    array([0, 1, 2])
    """

    def __init__(self, dataset: Dataset, every: int = DEFAULTS["record"], share: float = 0.05):
        self._dataset, self._first = checked_dataset("Recorder", dataset), whole("Recorder", "every", every, 1)
        self._share = number("Recorder", "share", share, 0)
        self._clear()

    def _clear(self) -> None:
        """Forget an earlier training."""
        self._every, self._budget = self._first, Budget(self._share)
        self._rows: dict[int, dict[str, np.ndarray]] = {}
        self._next: int | None = None  # the next step, if it will be recorded
        self._written: int | None = None  # the last step in the file

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        self._clear()
        self._path = None if run is None else run.recording_file
        self._model, self._step, self._from = model, step, step
        self._observer, self._weights = Observer(model, self._dataset), Weights(model)
        self._facts, self._constants = self._describe()
        if step == 0:
            self._record(0)
        self._budget.start()  # what comes before training, such as loading kernels, doesn't count
        self._plan(step + 1)

    def on_step(self, step: int, metrics: dict[str, Any]) -> None:
        self._step = step
        if step == self._next:
            self._record(step)
        self._plan(step + 1)

    def on_checkpoint(self, step: int, history: History) -> None:
        if max(self._rows, default=None) != self._written and self._budget.allows_more():
            self._write()

    def on_end(self, history: History) -> str:
        if history.steps not in self._rows:
            self._record(history.steps)
        if max(self._rows) != self._written:
            self._write()
        size = "" if self._path is None else f" in {self._path}, {self._path.stat().st_size / 1e6:.1f} MB"
        line = f"recorded {len(self._rows)} steps{size}"
        if history.steps == self._from:  # there was nothing left to train
            return line
        return f"{line}: that took {self._budget.spent / max(self._budget.trained, 1e-9):.1%} of the training time"

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "every": self._every}  # no times: equal runs make equal checkpoints

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the file in the run directory from the step of the checkpoint."""
        if state["every"] < 1:
            raise ValueError(f"Recorder: every is {state['every']}, but it must be at least 1")
        self._every = state["every"]
        self._rows = self._rows_until(state["step"])
        self._plan(state["step"] + 1)

    def recording(self) -> Recording:
        """The recording so far."""
        steps = sorted(self._rows)
        arrays = {name: np.stack([self._rows[step][name] for step in steps]) for name in self._rows[steps[0]]}
        missing = self._observer.missing(arrays)
        facts = self._facts | ({"missing": missing} if missing else {})
        return Recording({"step": np.array(steps, np.int64), **arrays, **self._constants}, facts)

    def _is_due(self, step: int) -> bool:
        return step % self._every == 0 or (step < self._every and step & (step - 1) == 0)

    def _plan(self, step: int) -> None:
        """Decide whether the next step is recorded; if so, keep the weights, to measure how far it moves them."""
        self._next = step if self._is_due(step) and self._budget.allows_more() else None
        if self._next is not None:
            self._weights.keep()

    def _record(self, step: int) -> None:
        with self._budget.spending():
            observed = quantised(self._observer(), self._model.value_range)
            row = observed | self._weights.arrays(moved=step == self._next)
        if any(_outline(earlier) != _outline(row) for earlier in [*self._rows.values()][:1]):
            say(f"the recording begins again: {self._path} holds that of another model")
            self._rows = {}
        self._rows[step] = row
        size = sum(x.nbytes for x in self._rows[step].values())
        while len(self._rows) > max(FEWEST_STEPS, min(MOST_STEPS, MOST_BYTES // size)):
            self._every *= 2
            self._rows = {step: row for step, row in self._rows.items() if self._is_due(step)}

    def _write(self) -> None:
        if self._path is not None:
            with self._budget.spending():
                self.recording().save(self._path)
            self._written = max(self._rows)

    def _rows_until(self, last: int) -> dict[int, dict[str, np.ndarray]]:
        """The rows of the file up to a step, without the last one of a run that ended off the schedule."""
        if self._path is None:
            return {}
        try:
            earlier = Recording.load(self._path)
        except NewerError:
            raise
        except RunError as problem:
            say(f"the recording begins again: {problem}")
            return {}
        names = [name for name in earlier.arrays if name != "step" and name not in self._constants]
        kept = [(row, step) for row, step in enumerate(earlier.steps.tolist()) if step <= last and self._is_due(step)]
        return {step: {name: earlier[name][row] for name in names} for row, step in kept}

    def _describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The facts and arrays that are the same at each step."""
        model, observer, known = self._model, self._observer, layers_of(self._model)
        shapes = model.output_shapes(None) if known else {}
        layers = [
            {"network": network, "name": name, "title": title_of(layer), "shape": list(shapes.get(id(layer), ()))}
            for network, name, layer in known
        ]
        data = {"data": self._dataset.name, "data_shape": list(self._dataset.shape)}
        facts = {"version": __version__, **identity(model), **data, "value_range": model.value_range, "layers": layers}
        constants = self._examples() | observer.constants
        arrays = {n: image_bytes(x, model.value_range) if n in IMAGES else x for n, x in constants.items()}
        return facts | observer.facts, arrays

    def _examples(self) -> dict[str, np.ndarray]:
        """The first real examples and, for a model that takes them, their labels, unless the observer keeps others."""
        known = self._observer.constants
        if "data" in known and ("data_labels" in known or not self._model.takes_labels):
            return {}
        n = len(known.get("data", ())) or self._observer.shown
        x, labels = first_examples(self._dataset, n, self._model.value_range)
        kept = {} if labels is None or not self._model.takes_labels else {"data_labels": labels}
        if self._model.takes_domains and self._dataset.other is not None:
            kept["data_other"] = to_host(first_examples(self._dataset.other, n, self._model.value_range)[0])
        return {"data": to_host(x)} | kept


def _outline(row: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: (x.dtype, x.shape) for name, x in row.items()}
