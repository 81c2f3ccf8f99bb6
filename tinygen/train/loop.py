"""The training loop: it loops, logs and saves. What is learnt, and how, is in the model's train_step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_installed, takes
from ..errors import ConfigError
from ..kinds import RANGE
from ..models.base import Model
from ..options import COMPILE, DEFAULTS, CompileMode
from ..processes import group
from ..signals import Interrupt
from .batches import batches_of
from .callbacks import Callback, Curves, Drawings, Film, History, SamplePictures, StopTraining, as_callbacks
from .live import live
from .progress import Progress, quietly
from .rebuild import start_from
from .run import RunDirectory
from .session import Session
from .suits import check_steps
from .together import asked_to_stop, check_alike, check_shares, note_checkpoint

if TYPE_CHECKING:
    from ..data import Dataset


def fit(
    model: Model,
    data: Any,
    steps: int,
    *,
    out: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback | Callable[[int, dict[str, Any]], Any]] = (),
    log_every: int = DEFAULTS["log_every"],
    sample_every: int = DEFAULTS["sample_every"],
    checkpoint_every: int = DEFAULTS["checkpoint_every"],
    resume: bool = False,
    settings: dict[str, Any] | None = None,
    dataset: Dataset | None = None,
    changing: Collection[str] = (),
    init_from: str | os.PathLike[str] | None = None,
    compile: CompileMode = DEFAULTS["compile"],
    progress: bool = True,
) -> History:
    """Train a model up to a step, and write a run directory to inspect and to resume from.

    data: a Loader, an array or a Dataset (batches as large as the model's default), or any iterable of batches.
    steps: the last step; a resumed run makes the missing ones, and ends bit for bit like one that never stopped.
    out: the run directory (see RunDirectory); without it nothing is written, and the sample pictures are not drawn.
    log_every, sample_every, checkpoint_every: in steps. Losses are fetched from the device at these steps alone.
    settings: what else config.json records (data, batch, seed, device); a run can't be resumed with other ones.
    dataset: whose test examples the pictures of latents show; by default `data`, if that is a Dataset. Resuming needs
        equal examples, wherever they are stored.
    changing: names in settings or in the model's config, such as "lr", whose values may differ when a run is resumed;
        the changes are recorded in config.json.
    init_from: another run, or a checkpoint, whose weights the model starts with; its optimisers start afresh.
    compile: whether the training step runs as a program, see tinygen.compile: "auto" if that pays, which is in a run of
        1,000 steps or more. A step that can't be a program runs as it is written, and a line says why.
        A resumed run continues as it began, to the bit, unless "on" or "off" is given, which config.json
        then records as a change.
    callbacks: Callbacks, or functions f(step, metrics) that are called after each step.
    progress: print a table of metrics, and show a bar on a terminal, samples and curves in a notebook.

    In a program of several processes, see tg.parallel, each calls fit with the same arguments, and `data` gives the
    batches of all: each process takes its share. The first one alone writes files and calls the callbacks.

    Ctrl-C finishes the step, makes a checkpoint and raises KeyboardInterrupt. So do SIGTERM and SIGHUP, with
    SystemExit, and a pipe that was closed, with BrokenPipeError; a handler of your own for a signal stays in charge.

    Raises ConfigError for an option or labels that the model does not take, DataError for data without batches,
    RunError for a run directory that can't be used, and NonFiniteError, which names the cause, for a loss or a weight
    that is NaN or infinite: the model is then back at the last checkpoint.

    >>> history = tg.fit(tg.models.VAE(), tg.data.load("digits"), steps=2, out="runs/mine", progress=False)
    >>> history.steps
    2
    """
    _check_model(model)
    _check_options(steps, log_every, sample_every, checkpoint_every, resume, out, settings, compile)
    if resume and init_from is not None:
        raise ConfigError("fit: init_from is for a new run, and resume=True for an existing one; leave one of them out")
    if group().rank > 0:  # the first of several processes writes files, prints, and looks at what is learnt
        out, resume, init_from, callbacks, progress = None, False, None, (), False
    watching = as_callbacks(callbacks)
    origin = None if init_from is None else start_from(init_from, model)
    if out is not None:
        check_installed("fit: a run directory", "matplotlib", "PIL", "safetensors")
    run = None if out is None else RunDirectory(out)
    batches = batches_of(data, model)
    check_steps(model, batches.first)
    check_shares(model, batches.first)
    dataset = data if hasattr(data, "test") else dataset
    if run is not None:
        watching += [SamplePictures(batches, sample_every), Curves(), Film(), Drawings(batches, dataset)]
    session = Session(model, batches, watching + live(batches, progress), run, dataset)

    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # NonFiniteError explains an overflow
    with quiet, quietly(not progress), session.opened(steps, settings, resume, changing, origin, compile):
        with Interrupt() as interrupt, Progress(session.history.steps, steps, interrupt.ask) as shown:
            began_at = session.history.steps
            for step in range(began_at + 1, steps + 1):
                metrics, values = session.train(), None
                if step == began_at + 1 and not group().local_batch_norm:  # else statistics differ until they are saved
                    check_alike(model, step)
                if session.compiled is not None:
                    shown.aside(*session.compiled.news())

                logs = step == 1 or step % log_every == 0
                saves = step == steps or step % checkpoint_every == 0
                if logs or saves or step % sample_every == 0:
                    values = session.values(step, metrics)
                    shown.pause()
                began = time.perf_counter()
                if measured := session.step(step, metrics):
                    shown.measured(step, measured, time.perf_counter() - began)
                stops = asked_to_stop(interrupt, session)
                if stops and values is None:
                    values = session.values(step, metrics)
                if logs:
                    session.log(step, values or {}, scheduled=True)
                    stops = asked_to_stop(interrupt, session) or stops
                ends = step == steps or session.raised
                if ends and not logs:
                    values = values or session.values(step, metrics)
                    session.log(step, values, scheduled=False)
                if logs or ends:
                    shown.log(step, values or {})
                if saves or stops or ends:
                    session.history.complete = step == steps or isinstance(session.raised, StopTraining)
                    session.save(step)
                    stops = asked_to_stop(interrupt, session) or stops
                    note_checkpoint(step)
                shown.advance()
                if stops or session.raised:
                    break
            session.finish(interrupt.asked)
        return session.end()


def _check_model(model: Any) -> None:
    kind = type(model).__name__
    if isinstance(model, type):
        raise ConfigError(f"fit: model is the class {model.__name__}; give an object of it: {model.__name__}()")
    if not isinstance(model, Model):
        raise ConfigError(
            f"fit: model is a {kind}, but it must be a tinygen.models.Model; derive your class from that, or give a "
            "model such as tinygen.models.GAN()"
        )
    if not (model.has("steps") or model.has("train_step")):
        raise ConfigError(f"fit: model is a {kind}, which has neither steps() nor train_step(); write one of them")
    for name, given in (("steps", ("batch",)), ("train_step", ("batch",)), ("sample", ("n", "rng"))):
        if not takes(getattr(model, name), len(given)):
            written = f"def {name}(self, {', '.join(given)})"
            raise ConfigError(f"fit: {kind}.{name}() can't be called as {written}; give it these arguments")
    if not hasattr(model, "config"):
        raise ConfigError(f"fit: model is a {kind}, which has no config; does its __init__ call super().__init__()?")
    if not RANGE.test(list(values) if isinstance(values := model.value_range, tuple) else values):
        raise ConfigError(
            f"fit: {kind}.value_range is {values!r}, but it must be None or a pair of numbers, such as (-1, 1)"
        )


def _check_options(
    steps: int, log: int, sample: int, checkpoint: int, resume: bool, out: Any, settings: Any, compile: Any
) -> None:
    options = {"steps": steps, "log_every": log, "sample_every": sample, "checkpoint_every": checkpoint}
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ConfigError(f"fit: {name} is {value!r}, but it must be a whole number of at least 1")
    if not COMPILE.test(compile):
        raise ConfigError(f"fit: compile is {compile!r}, but it must be {COMPILE.words}")
    if not isinstance(settings, (Mapping, type(None))):
        raise ConfigError(f"fit: settings is {settings!r:.80}, but it must be a dict of values for config.json")
    if resume and out is None:
        raise ConfigError("fit: resume=True resumes the run in a directory; name it with out=")
