"""A run as TensorBoard shows it: scalars, sample pictures and histograms of weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..backend import to_host
from ..checks import check_installed
from ..errors import ConfigError
from .callbacks import Callback, History
from .disk import writing

if TYPE_CHECKING:
    from ..models.base import Model
    from .run import RunDirectory


class TensorBoard(Callback):
    """Writes what `tensorboard --logdir runs` shows: each metric, the run's sample pictures, histograms of weights.

    out: the folder of the event files; by default `tensorboard` in the run directory.
    histograms: whether each checkpoint adds a histogram of each parameter.

    The pictures are those that the run directory gets every `sample_every` steps, so there are none without one. A
    resumed run continues in the same folder, and hides what was written after its checkpoint. Raises PackageError
    without tensorboardX, ConfigError if there is neither `out` nor a run directory.

    >>> import os
    >>> board, digits = tg.train.TensorBoard("events"), tg.data.load("digits")
    >>> history = tg.fit(tg.models.VAE(), digits, steps=2, callbacks=[board], progress=False)
    >>> os.listdir("events")
    ['events.out.tfevents...']
    """

    def __init__(self, out: str | os.PathLike[str] | None = None, histograms: bool = True):
        check_installed("TensorBoard", "tensorboardX")
        self.out, self.histograms = out, histograms

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        from tensorboardX import SummaryWriter

        if self.out is None and run is None:
            raise ConfigError("TensorBoard: fit has no out= to write to; give that, or TensorBoard(out=...)")
        self._folder = Path(self.out) if self.out is not None else Path(run.path, "tensorboard")  # type: ignore[union-attr]
        self._model, self._run, self._shown = model, run, step - 1  # shown: the step of the last picture
        with writing(self._folder):
            suffix = f".{step:09d}"  # else a run resumed within a second would write over its first file
            self._writer = SummaryWriter(
                str(self._folder), purge_step=step + 1 if step else None, filename_suffix=suffix
            )

    def on_log(self, step: int, values: dict[str, float]) -> None:
        self.on_measured(step, values)
        self._add_pictures()

    def on_measured(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def on_checkpoint(self, step: int, history: History) -> None:
        if self.histograms:
            for name, parameter in self._model.named_parameters():
                self._writer.add_histogram(name, to_host(parameter.data), step)
        with writing(self._folder):
            self._writer.flush()

    def on_end(self, history: History) -> str:
        with writing(self._folder):
            self._writer.close()
        return f"tensorboard --logdir {self._folder}"

    def _add_pictures(self) -> None:
        from PIL import Image

        samples = self._run.samples() if self._run is not None else {}
        for step, path in samples.items():
            if step > self._shown:
                with Image.open(path) as image:
                    self._writer.add_image("samples", np.asarray(image.convert("RGB")), step, dataformats="HWC")
                self._shown = step
