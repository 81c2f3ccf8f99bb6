"""Recording what happens inside while a model trains, for `tinygen report`: bounded in memory and in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, current_device, current_module
from ..errors import ConfigError, RunError
from .callbacks import Callback, History
from .looks import Looks
from .probe import layers_of, length, numbers
from .recording import Recording, image_bytes, quantised
from .snapshot import describe

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model
    from .run import RunDirectory

MOST = 64  # steps that are kept
ADVANCE = 0.5  # seconds that may be spent before there was training to take a share of


class Recorder(Callback):
    """recording.safetensors in the run directory: what happens inside of the model at steps 0, 1, 2, 4, 8, ... and then
    at every so many.

    every: in steps. When 64 steps are kept, every second goes, and `every` doubles: a long run is kept as thinly as it
    is long.  share: of the training's time that looking may take; a step that would exceed it is passed over, but for
    the first and the last.  dataset: whose examples D judges and an encoder encodes.
    Looking changes nothing in the run. Raises ConfigError for an `every` below 1.
    """

    def __init__(self, dataset: Dataset, every: int = 16, share: float = 0.05):
        if every < 1:
            raise ConfigError(f"Recorder: every is {every}, but it must be at least 1")
        self._dataset, self._every, self._share = dataset, every, share
        self._rows: dict[int, dict[str, np.ndarray]] = {}
        self._before: list[Array] | None = None  # the weights before the next step, if that is to be recorded
        self._spent, self._trained = 0.0, 0.0  # seconds of looking, and of training up to the last resume
        self._began, self._spent_before = 0.0, 0.0  # when, and how much was spent by then
        self._cost = 0.0  # seconds of the last look
        self._written = -1

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        self._path = None if run is None else run.recording_file
        self._model, self._layers, self._step = model, layers_of(model), step
        self._looks = Looks(model, self._dataset)
        self._describe()
        if step == 0:
            self._record(0)
        self._began = time.perf_counter()  # what comes before training takes no share of it
        self._plan(step + 1)

    def on_step(self, step: int, metrics: dict[str, Any]) -> None:
        self._step = step
        if self._before is not None:
            with self._clock():
                self._record(step)
        self._plan(step + 1)

    def on_checkpoint(self, step: int, history: History) -> None:
        if self._path is not None and self._rows and max(self._rows) != self._written and self._may_spend():
            with self._clock():
                self._write(self._path)

    def on_end(self, history: History) -> None:
        with self._clock():
            if history.steps not in self._rows:
                self._record(history.steps)
            if self._path is not None:
                self._write(self._path)
        trained = max(self._training(), 1e-9)
        where = f" in {self._path} ({self._path.stat().st_size / 1e6:.1f} MB)" if self._path else ""
        print(f"recorded {len(self._rows)} steps{where}: {self._spent / trained:.1%} of the training time", flush=True)

    def state_dict(self) -> dict[str, Any]:
        now = {"step": self._step, "every": self._every, "cost": self._cost}
        return now | {"spent": self._spent, "trained": self._training()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the file in the run directory, as far as the checkpoint had come."""
        self._every, self._spent, self._trained = state["every"], state["spent"], state["trained"]
        self._cost = state["cost"]
        self._began, self._spent_before = time.perf_counter(), self._spent
        self._rows = self._rows_until(state["step"])
        self._plan(state["step"] + 1)

    def _rows_until(self, last: int) -> dict[int, dict[str, np.ndarray]]:
        """What the file holds up to a step, without the end of a run that was to end there."""
        if self._path is None:
            return self._rows
        try:
            earlier = Recording.load(self._path)
        except RunError as problem:
            print(f"passing over {problem}; recording goes on without it")
            return {}
        steps = [(row, int(step)) for row, step in enumerate(earlier.steps) if step <= last and self._is_due(int(step))]
        names = [name for name in earlier.arrays if name != "step" and name not in self._constants]
        return {step: {name: earlier[name][row] for name in names} for row, step in steps}

    def recording(self) -> Recording:
        """What was recorded up to now."""
        rows = [self._rows[step] for step in sorted(self._rows)]
        arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return Recording({"step": np.array(sorted(self._rows)), **arrays, **self._constants}, self._facts)

    # When

    def _is_due(self, step: int) -> bool:
        return step % self._every == 0 or (step < self._every and step & (step - 1) == 0)

    def _plan(self, step: int) -> None:
        """Keep the weights, if the next step is to be recorded, to see how far it goes."""
        self._before = None
        if self._is_due(step) and self._may_spend():
            with self._clock():
                self._before = [p.data.copy() for _, _, layer in self._layers for p in layer.parameters()]

    def _may_spend(self) -> bool:
        return self._spent + self._cost <= max(self._share * self._training(), ADVANCE)

    def _training(self) -> float:
        """Seconds of the run that were not spent here."""
        return self._trained + time.perf_counter() - self._began - (self._spent - self._spent_before)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        if current_device() == "cuda":  # the training that is still under way is not ours
            current_module().cuda.get_current_stream().synchronize()
        began = time.perf_counter()
        try:
            yield
        finally:
            self._spent += time.perf_counter() - began

    # What

    def _record(self, step: int) -> None:
        began = time.perf_counter()
        self._rows[step] = quantised(self._looks(), self._model.value_range) | self._weights()
        self._cost = time.perf_counter() - began
        while len(self._rows) > MOST:
            self._every *= 2
            self._rows = {step: row for step, row in self._rows.items() if self._is_due(step)}

    def _weights(self) -> dict[str, np.ndarray]:
        """Of each layer the length of its weights, and how far the step went, relative to it."""
        table = np.full((len(self._layers), 2), np.nan, np.float32)
        before, found, places = iter(self._before or ()), [], []
        for place, (_, _, layer) in enumerate(self._layers):
            weights = [p.data for p in layer.parameters()]
            if weights:
                steps = [w - next(before) for w in weights] if self._before else []
                places.append(place)
                found += [length(*weights), length(*steps) if steps else length(*weights) * np.nan]
        if found:
            table[places] = numbers(found, 2)
        norm, went = table.T
        return {"weight_norm": norm.copy(), "update_ratio": went / norm}

    def _describe(self) -> None:
        from .. import __version__

        model, looks = self._model, self._looks
        shapes = model._output_shapes(None)
        layers = [
            {"network": network, "name": name, "title": layer._title(), "shape": list(shapes.get(id(layer), ()))}
            for network, name, layer in self._layers
        ]
        self._facts = {
            "version": __version__,
            **describe(model),
            "data": self._dataset.name,
            "data_shape": list(self._dataset.shape),
            "value_range": model.value_range,
            "layers": layers,
            **looks.facts,
        }
        self._constants = {
            name: image_bytes(x, model.value_range) if name == "data" else x for name, x in looks.constants.items()
        }

    def _write(self, path: Path) -> None:
        self.recording().save(path)
        self._written = max(self._rows)
