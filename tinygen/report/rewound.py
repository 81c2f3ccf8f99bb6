"""A trained model that takes its steps again and again, always from the same state and on the same batch."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ..backend import Array
from ..data import batch_of
from ..data import load as load_data
from ..errors import ConfigError, DataError
from ..inside.recording import Recording
from ..layers import Module
from ..models.base import Model
from ..models.steps import Loss, Step
from ..scopes import frozen
from ..train import RunDirectory

EXAMPLES = 32


class Rewound:
    """A model in the state of a checkpoint, and a fixed batch for its steps."""

    def __init__(self, model: Model, batch: tuple[Array, ...]):
        self.model, self.batch = model, batch
        self._state = model.state_dict()
        self._streams = {name: stream.state for name, stream in model.generators().items()}

    @property
    def networks(self) -> dict[str, Module]:
        """All networks that learn, by name."""
        return {name: network for step in self.steps() for name, network in step.learns.items()}

    def steps(self) -> list[Step]:
        """The model's steps on the batch; the last of each name."""
        return list(self.model.steps_on(*self.batch).values())

    def loss(self, name: str, careful: bool) -> Loss:
        """The loss of a step from the state in which the run left the model; gradients stay.

        careful: the networks that must not learn from it are frozen.
        """
        self.model.load_state_dict(self._state)
        for stream_name, stream in self.model.generators().items():
            stream.state = self._streams[stream_name]
        step = self.model.steps_on(*self.batch)[name]
        with frozen(step.frozen.values()) if careful else contextlib.nullcontext():
            return step.compute_loss()

    def clear(self) -> None:
        """Forget all gradients."""
        for p in self.model.parameters():
            p.grad = None


def batch_of_run(model: Model, path: Path) -> tuple[Array, ...]:
    """The first examples of the run's data as the model takes them, (x,) or (x, labels); if the data are unavailable,
    those of the recording. Raises RunError, DataError or ConfigError if there is neither."""
    run = RunDirectory(path)
    settings = run.read_settings()
    try:
        options = {name: settings.get(name) for name in ("size", "channels", "fit")}
        data = load_data(settings.get("data") or "", **options)
        run.check_data(data)
        x, labels = data.train, data.labels
    except (DataError, ConfigError):
        recording = Recording.load(path)
        x, labels = recording["data" if "data" in recording else "samples"], recording.arrays.get("labels")
        x = x if model.data_shape is None or x.ndim == 1 + len(model.data_shape) else x[-1]
    n = model.defaults.get("examples") or max(EXAMPLES // model.batch_unit, 1) * model.batch_unit
    x, labels = x[:n], None if labels is None else labels[:n]
    if model.takes_labels and labels is None:
        raise DataError(f"{path}: no labels to show the model")
    batch: Any = batch_of(x, model.value_range, labels if model.takes_labels else None)
    return batch if isinstance(batch, tuple) else (batch,)
