"""Callbacks, which observe a training, and those that draw the pictures of every run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks import as_numbers, call_of
from ..errors import ConfigError
from ..models.probe import undisturbed
from ..random import Generator
from ..rows import Rows
from ..viz.points import range_around_zero
from .batches import Batches
from .disk import writing
from .progress import say

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model
    from .run import RunDirectory

SAMPLE_IMAGES = 25  # in a sample picture
SAMPLE_VALUES = 25 * 512 * 512 * 3  # in a sample picture at most: fewer of large images
SAMPLE_POINTS = 1000  # in a scatter plot of samples
LATENT_EXAMPLES = 1000  # whose latents are drawn


@dataclass
class History:
    """What `fit` returns: a row of metrics for each logged step, the last step, and the run directory if any.

    >>> history = tg.fit(tg.models.VAE(), tg.data.load("digits"), steps=2, log_every=1, progress=False)
    >>> [row["step"] for row in history.rows]
    [1, 2]
    """

    rows: Rows
    steps: int = 0
    path: Path | None = None
    stopped: str | None = None  # why a callback ended the training, if one did
    complete: bool = False  # whether the last step was made, or a callback ended the training

    def __post_init__(self) -> None:
        self.rows = Rows.of(self.rows)

    def __repr__(self) -> str:
        n, where = len(self.rows), "" if self.path is None else f", in {self.path}"
        return f"History({n} row{'s' * (n != 1)} of {', '.join(self.rows.names())}, to step {self.steps}{where})"

    def _repr_html_(self) -> str:
        from .shown import history_html

        return history_html(self)

    def __getitem__(self, name: str) -> list[float]:
        """The values of one metric, or of "step"."""
        return [row[name] for row in self.rows if name in row]


class StopTraining(Exception):
    """Raised by a callback to end the training: the step is finished, a checkpoint made, and `fit` returns as usual.

    Its message, the reason, becomes History.stopped.

    >>> def until_three(step, metrics):
    ...     if step == 3:
    ...         raise tg.train.StopTraining("three is enough")
    >>> history = tg.fit(tg.models.VAE(), tg.data.load("digits"), steps=9, callbacks=[until_three], progress=False)
    >>> history.steps, history.stopped
    (3, 'three is enough')
    """


class Callback:
    """Base class of what observes a training by `fit`. Override what you need; the methods here do nothing.

    A callback does not change the run: what a model draws, learns or schedules belongs in the model. After a kill the
    steps since the last checkpoint are made again, and so are the calls. StopTraining ends the training; so does any
    other exception, which fit raises once the step is finished and saved.

    >>> class Count(tg.train.Callback):
    ...     steps = 0
    ...     def on_step(self, step, metrics):
    ...         self.steps += 1
    >>> count = Count()
    >>> history = tg.fit(tg.models.VAE(), tg.data.load("digits"), steps=3, callbacks=[count], progress=False)
    >>> count.steps
    3
    """

    def __repr__(self) -> str:
        return call_of(self)

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        """Before the first step, with the step after which the run resumes: 0 for a new run."""

    def on_step(self, step: int, metrics: dict[str, Any]) -> dict[str, float] | None:
        """After each step, with what train_step returned, still on the device: fetching a value waits for the GPU.

        Numbers returned by name become a row of the history and of metrics.jsonl.
        """

    def on_log(self, step: int, values: dict[str, float]) -> None:
        """After each logged step, with the metrics as numbers."""

    def on_measured(self, step: int, values: dict[str, float]) -> None:
        """After a step at which callbacks measured something, with all of their values."""

    def on_checkpoint(self, step: int, history: History) -> None:
        """Before the checkpoint of a step is written."""

    def on_end(self, history: History) -> str | None:
        """After the last step and its checkpoint. A line returned here is printed."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold for this callback: arrays, and values that JSON can hold, by name."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() returned; called after on_start."""


class Function(Callback):
    """A plain function as a callback: f(step, metrics), called as on_step is."""

    def __init__(self, function: Callable[[int, dict[str, Any]], Any]):
        self._function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def on_step(self, step: int, metrics: dict[str, Any]) -> dict[str, float] | None:
        return self._function(step, metrics)


def as_callbacks(callbacks: Any) -> list[Callback]:
    """The callbacks given to `fit`, functions made into Callbacks. Raises ConfigError for anything else."""
    if not isinstance(callbacks, (list, tuple)):
        raise ConfigError(f"fit: callbacks is {callbacks!r}, but it must be a list of them: [{_called(callbacks)}]")
    for callback in callbacks:
        if isinstance(callback, type) or not (isinstance(callback, Callback) or callable(callback)):
            hint = f"; did you mean {_called(callback)}?" if isinstance(callback, type) else ""
            raise ConfigError(
                f"fit: a callback is {callback!r}, but it must be a tinygen.train.Callback or a function "
                f"f(step, metrics){hint}"
            )
    return [callback if isinstance(callback, Callback) else Function(callback) for callback in callbacks]


def _called(callback: Any) -> str:
    name = getattr(callback, "__name__", type(callback).__name__)
    return name if not isinstance(callback, (type, Callback)) else f"{name}(...)"


def checked_dataset(owner: str, dataset: Any) -> Dataset:
    """The dataset given to a callback. Raises ConfigError for anything else."""
    from ..data import Dataset

    if not isinstance(dataset, Dataset):
        raise ConfigError(
            f"{owner}: dataset is a {type(dataset).__name__}, but it must be a Dataset, such as "
            'tinygen.data.load("digits") or tinygen.data.Dataset(name, train, test)'
        )
    return dataset


class SamplePictures(Callback):
    """samples/step_000200.png every so many steps, always of the same noise, so that they show the model learn.

    Lines say where they will be, and when the first is there. For a model without samples there are none; on_end()
    says so.
    """

    def __init__(self, batches: Batches, every: int):
        self._batches, self._every = batches, every

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        assert run is not None
        self._model, self._run = model, run
        self._why_none = ""  # the reason for no pictures, if there are none
        self._drawn = False  # whether there is a picture of what it has learnt here
        if step == 0:
            self._draw(0)
        if run.samples():
            say(f"pictures appear in {run.sample_file(0).parent}, one every {self._every:,} steps")

    def on_step(self, step: int, metrics: dict[str, Any]) -> None:
        if step % self._every == 0:
            self._draw(step)
            if not (self._drawn or self._why_none):
                say(f"the first picture is there: {self._run.sample_file(step)}")
            self._drawn = True

    def on_end(self, history: History) -> str:
        if history.steps not in self._run.samples():
            self._draw(history.steps)
        return self._why_none

    def _draw(self, step: int) -> None:
        self._why_none = save_preview(self._model, self._batches, self._run.sample_file(step))


def save_preview(model: Model, batches: Batches, path: Path) -> str:
    """Write a picture of samples, always of the same noise. Returns why there is none, or "".

    Training is not affected.
    """
    from .. import viz

    first = batches.first
    n, columns = picture_layout(model)
    try:  # a new generator each time, so the same noise
        with undisturbed(model):
            images = model.preview(first, n, Generator(0, "preview"))
    except NotImplementedError:
        return f"no pictures of samples: {model.name} has no sample()"
    images = as_numbers("fit", f"the preview of {model.name}", images)
    x = first[0] if isinstance(first, tuple) else first
    points_range = range_around_zero(x) if model.value_range is None else None
    with writing(path):
        viz.save_grid(images, path, model.value_range, points_range, columns, model.vocabulary)
    return ""


class Curves(Callback):
    """curves.png, drawn at each checkpoint."""

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        assert run is not None
        self._path = run.curves_file
        self._rows_drawn: int | None = None

    def on_checkpoint(self, step: int, history: History) -> None:
        if history.rows:
            self.on_end(history)

    def on_end(self, history: History) -> None:
        if len(history.rows) == self._rows_drawn:  # by the last checkpoint
            return
        from .. import viz

        with writing(self._path):
            viz.save_curves(history.rows, self._path)
        self._rows_drawn = len(history.rows)


class Film(Callback):
    """training.gif: the sample pictures one after another."""

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        assert run is not None
        self._run = run

    def on_end(self, history: History) -> None:
        from .. import viz

        if frames := list(self._run.samples().values()):
            with writing(self._run.film_file):
                viz.save_gif(frames, self._run.film_file)


class Drawings(Callback):
    """latent_plane.png, traversals.png and whatever else the model's drawings() name, drawn at each checkpoint.

    They show a Dataset's test examples, with their labels, or the run's first batch if there is no Dataset.
    """

    def __init__(self, batches: Batches, dataset: Dataset | None):
        self._batches, self._dataset = batches, dataset

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        assert run is not None
        self._model, self._run = model, run
        self._names = model.drawings()

    def on_checkpoint(self, step: int, history: History) -> None:
        if step == 0 or not self._names:
            return
        from .. import viz

        x, labels = self._examples()
        for name in self._names:
            path = self._run.drawing_file(name)
            with writing(path), undisturbed(self._model):
                viz.save_drawing(name, self._model, x, labels, path)

    def _examples(self) -> tuple[Any, Any]:
        from ..data.loader import first_examples

        if self._dataset is None:
            first = self._batches.first
            return first if isinstance(first, tuple) else (first, None)
        return first_examples(self._dataset, LATENT_EXAMPLES, self._model.value_range, test=True)


def picture_layout(model: Model) -> tuple[int, int | None]:
    """How many samples a picture of a model shows, and in how many columns (None: as near to square as possible)."""
    columns, shape = model.columns, model.data_shape or (1, 1, 1)
    if model.value_range is None and shape in ((1,), (2,)) and model.vocabulary is None:
        return SAMPLE_POINTS, columns
    return columns**2 if columns else min(SAMPLE_IMAGES, max(SAMPLE_VALUES // math.prod(shape), 1)), columns
