"""The training loop: it loops, logs and saves. What is learnt, and how, stands in the model's train_step."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from .batches import batches_of
from .callbacks import Callback, Curves, Drawings, Film, History, SamplePictures
from .hunt import fetch
from .interrupt import Interrupt
from .progress import Progress
from .rebuild import start_from
from .run import RunDirectory
from .session import Session

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model


def fit(
    model: Model,
    data: Any,
    steps: int,
    *,
    out: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
    log_every: int = 50,
    sample_every: int = 200,
    checkpoint_every: int = 500,
    resume: bool = False,
    settings: dict[str, Any] | None = None,
    dataset: Dataset | None = None,
    changing: Collection[str] = (),
    init_from: str | os.PathLike[str] | None = None,
) -> History:
    """Train a model up to a step, and leave a run directory to look at and to go on from.

    data: a Loader, an array or a Dataset (batches as large as the model's default), or any iterable of batches.
    steps: the last step; a resumed run makes those that are missing, and ends with the bits of one that never stopped.
    out: the run directory (see RunDirectory); without it nothing is written, and the sample pictures are not drawn.
    log_every, sample_every, checkpoint_every: in steps. Losses are fetched from the device at these steps alone.
    settings: what else config.json shall record, and resuming insist on if it is given: data, batch, seed, device.
    dataset: whose test examples the pictures of latents show; by default `data`, if that is a Dataset. Resuming insists
        on equal examples, wherever they are.
    changing: what may differ when a run is resumed, by its name in settings or in the model's config, such as "lr"; the
        changes are recorded in config.json.
    init_from: another run, or a checkpoint, whose weights the model starts with; its optimisers start from nothing.

    Ctrl-C finishes the step, makes a checkpoint and raises KeyboardInterrupt. So do SIGTERM and SIGHUP, with
    SystemExit, and a pipe that was closed, with BrokenPipeError; a handler of your own for a signal stays in charge.

    Raises ConfigError for an option or labels that the model does not take, DataError for data without batches,
    RunError for a run directory that can't be used, and NonFiniteError, which says what made it, for a loss or a weight
    that is NaN or infinite: the model is then as at the last checkpoint.
    """
    _check_options(steps, log_every, sample_every, checkpoint_every, resume, out)
    if resume and init_from is not None:
        raise ConfigError(
            "fit: init_from is for a new run, and resume=True for one that is there; leave one of them out"
        )
    origin = None if init_from is None else start_from(init_from, model)
    run = None if out is None else RunDirectory(out)
    batches = batches_of(data, model)
    dataset = data if hasattr(data, "test") else dataset
    pictures = (
        [] if run is None else [SamplePictures(batches, sample_every), Curves(), Film(), Drawings(batches, dataset)]
    )
    session = Session(model, batches, [*callbacks, *pictures], run, dataset)

    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what overflows is found and explained
    with quiet, session.opened(steps, settings, resume, changing, origin):
        with Interrupt() as interrupt, Progress(session.history.steps, steps, interrupt.ask) as progress:
            for step in range(session.history.steps + 1, steps + 1):
                metrics = model.train_step(batches.next())

                stops = interrupt.asked
                logs = step == 1 or step % log_every == 0
                saves = stops or step == steps or step % checkpoint_every == 0
                if logs or saves or step % sample_every == 0:
                    values = fetch(metrics)
                    progress.pause()
                    session.check(step, values)
                began = time.perf_counter()
                if measured := session.step(step, metrics):
                    progress.measured(step, measured, time.perf_counter() - began)
                if logs or step == steps:
                    session.log(step, values, scheduled=logs)
                    progress.log(step, values)
                if saves:
                    session.save(step)
                progress.advance()
                if stops:
                    raise stops
            if interrupt.asked:  # after the last look, when the last step was being saved
                raise interrupt.asked
        return session.end()


def _check_options(steps: int, log: int, sample: int, checkpoint: int, resume: bool, out: Any) -> None:
    options = {"steps": steps, "log_every": log, "sample_every": sample, "checkpoint_every": checkpoint}
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ConfigError(f"fit: {name} is {value!r}, but it must be a whole number of at least 1")
    if resume and out is None:
        raise ConfigError("fit: resume=True goes on with the run in a directory; say which with out=")
