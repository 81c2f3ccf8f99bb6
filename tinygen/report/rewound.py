"""A trained model that takes its steps again and again, always from the same state and on the same batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..backend import Array
from ..data import batch_of, load_chosen
from ..errors import ConfigError, DataError
from ..inside.recording import Recording
from ..layers import Module
from ..models.base import Model
from ..models.steps import Loss, Step
from ..train import RunDirectory

EXAMPLES = 12


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
        return self.model.steps_on(*self.batch)[name].compute_loss(freeze=careful)

    def clear(self) -> None:
        """Forget all gradients."""
        for p in self.model.parameters():
            p.grad = None


def batch_of_run(model: Model, path: Path) -> tuple[tuple[Array, ...], bool]:
    """The first examples of the run's data as the model takes them, (x,), (x, labels) or (x, y), and whether they
    are samples.

    If the data are unavailable, they are those of the recording, or the last samples in one that keeps no data. Raises
    RunError, DataError or ConfigError if there are neither."""
    generated = False
    try:
        x, labels, other = _loaded(path)
    except (DataError, ConfigError):
        x, labels, other, generated = _recorded(model, Recording.load(path))
    n = model.defaults.get("examples") or max(EXAMPLES // model.batch_unit, 1) * model.batch_unit
    n = min(n, len(x if other is None else min(x, other, key=len)) // model.batch_unit * model.batch_unit)
    if not n:
        raise DataError(f"{path}: too few examples to show the model, which takes {model.batch_unit} at a time")
    if model.takes_labels and labels is None:
        raise DataError(f"{path}: no labels to show the model")
    if model.takes_domains and other is None:
        raise DataError(f"{path}: no second domain to show the model")
    labels, other = labels[:n] if model.takes_labels else None, other[:n] if model.takes_domains else None
    batch: Any = batch_of(x[:n], model.value_range, labels, other)
    return batch if isinstance(batch, tuple) else (batch,), generated


def _loaded(path: Path) -> tuple[Any, Any, Any]:
    """The training examples of a run, their labels, and those of the second domain. Raises DataError or ConfigError if
    they are unavailable."""
    run = RunDirectory(path)
    data = load_chosen(run.read_settings())
    run.check_data(data)
    return data.train, data.labels, None if data.other is None else data.other.train


def _recorded(model: Model, recording: Recording) -> tuple[Any, Any, Any, bool]:
    """The examples in a recording, their labels, and those of the second domain, or else the last samples; and whether
    they are samples."""
    labels, other = (recording.arrays.get(name) for name in ("data_labels", "data_other"))
    if "data" in recording and not (model.takes_labels and labels is None):
        return recording["data"], labels, other, False
    if "samples" not in recording:
        raise DataError("the run's data are unavailable, and its recording keeps no examples")
    return recording["samples"][-1], recording.arrays.get("labels"), None, True
