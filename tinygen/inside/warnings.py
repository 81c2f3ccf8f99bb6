"""Early warning that a training fails: its losses, samples and gradients show it before the pictures do."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import array_of, to_host
from ..checks import whole
from ..data.loader import first_examples
from ..kinds import NUMBER, TEXT
from ..models.collapse import Recent, Sign
from ..models.probe import undisturbed
from ..optim import SGD, Optimizer, RMSprop
from ..random import Generator
from ..train import contents
from ..train.callbacks import Callback, checked_dataset
from .examples import batch_for

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model
    from ..train.run import RunDirectory

SAMPLES = 100  # from the same noise each time, whose spread is measured
REMEMBERED = 1000  # logs whose gradients give the usual length
STATE = {"rows": [{"spread": NUMBER, ...: NUMBER}], "norms": [NUMBER], "told": [TEXT]}  # what a checkpoint holds


class CollapseWarning(UserWarning):
    """A model shows a sign that its training fails, such as a GAN that collapses.

    >>> issubclass(tg.inside.CollapseWarning, UserWarning)
    True
    """


class Warnings(Callback):
    """A CollapseWarning the first time that a model's signs() finds a sign in `patience` consecutive logs.

    The signs of a GAN are those of models.collapse; a model's own signs() may find others, such as images that are
    restored worse than by the simplest means. A model gets no warnings if it declares no steps, or has neither a game
    nor signs() of its own. Samples are of fixed noise; with labels, each class is compared with itself. Each warning is
    a row of the run's events.jsonl.  dataset: the samples are compared with its training examples.

    >>> ring = tg.data.load("ring8", train=100, test=100)
    >>> model = tg.models.GAN(tg.models.GANConfig(data_shape=(2,), g_hidden=(8,), d_hidden=(8,)))
    >>> history = tg.fit(model, ring, steps=2, callbacks=[tg.inside.Warnings(ring)], progress=False)
    >>> history.steps
    2
    """

    def __init__(self, dataset: Dataset, patience: int = 10):
        self._dataset, self._patience = checked_dataset("Warnings", dataset), whole("Warnings", "patience", patience, 1)

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        self._model, self._run = model, run
        self._rows: list[dict[str, float]] = []  # of the last logs
        self._norms: list[float] = []  # of the gradient of G, or of the network that learns last
        self._warned: list[str] = []  # the names of the signs
        self._optimizer: Optimizer | None = None
        if model.has("steps") and (model.has("signs") or model.game is not None):
            with undisturbed(model):
                steps = model.steps_on(*batch_for(model, self._dataset, SAMPLES))
            self._optimizer = steps.get("G", [*steps.values()][-1]).optimizer
            x, labels = first_examples(self._dataset, SAMPLES, model.value_range)
            self._usual = spread(to_host(x), labels if model.takes_labels else None)

    def on_log(self, step: int, values: dict[str, float]) -> None:
        if self._optimizer is None:
            return
        self._rows = [*self._rows, values | {"spread": self._spread()}][-self._patience :]
        self._norms = [*self._norms, gradient_norm(self._optimizer)][-REMEMBERED:]
        if len(self._rows) == self._patience:
            for sign in self._model.signs(Recent(self._rows, self._norms, self._usual)):
                if sign.name not in self._warned:
                    self._warned.append(sign.name)
                    self._warn(step, sign)

    def _warn(self, step: int, sign: Sign) -> None:
        message = f"step {step}: {sign.name}: {sign.evidence}. What may help: {sign.remedy}"
        warnings.warn(CollapseWarning(message), stacklevel=2)
        if self._run is not None:
            self._run.append_event({"step": step, **sign._asdict()})

    def _spread(self) -> float:
        """How far samples of the same noise lie from each other; NaN if the model makes none."""
        model = self._model
        if not model.has("sample"):
            return math.nan
        with undisturbed(model):
            samples = model.sample(SAMPLES, Generator(0, "warnings"))  # a new generator each time, so the same noise
        labels = to_host(model.labels_for(len(samples))) if model.takes_labels else None
        return spread(to_host(array_of(samples)), labels)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows, "norms": self._norms, "told": self._warned}  # "told" is its name in checkpoints

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if fault := contents.fault(state, STATE):
            raise ValueError(fault)
        self._rows, self._norms, self._warned = list(state["rows"]), list(state["norms"]), list(state["told"])


def spread(x: np.ndarray, labels: np.ndarray | None = None) -> float:
    """The root mean square distance between two examples x (N, ...), of the same label if there are labels."""
    x = x.reshape(len(x), -1).astype(np.float64)
    same = np.ones(len(x)) if labels is None else labels
    groups = [x[same == label] for label in np.unique(same)]
    pairs = sum(len(g) * (len(g) - 1) for g in groups)
    squares = sum(2 * len(g) * np.square(g - g.mean(axis=0)).sum() for g in groups)  # Σᵢⱼ ‖xᵢ - xⱼ‖² of a group
    return math.sqrt(squares / max(pairs, 1))


def gradient_norm(optimizer: Optimizer) -> float:
    """The length of the last gradients as an optimiser remembers them: of their mean (Adam, SGD with momentum), or the
    root of their mean square (RMSprop); 0 for an optimiser without memory. This waits for the GPU.
    """
    state = {slot: to_host(buffer) for slot, buffer in optimizer.state.items()}
    if isinstance(optimizer, RMSprop):
        return math.sqrt(float(state["v"].sum()))
    if isinstance(optimizer, SGD):
        return (1 - optimizer.momentum) * float(np.linalg.norm(state["v"])) if state else 0.0
    return float(np.linalg.norm(state["m"])) if "m" in state else 0.0
