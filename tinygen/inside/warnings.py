"""Early warning that a GAN collapses: what its losses, its samples and its gradients say before the pictures do."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..backend import array_of, to_host
from ..checks import whole
from ..data import batch_of
from ..optim import SGD, Optimizer, RMSprop
from ..random import Generator
from ..train import contents
from ..train.callbacks import Callback, checked_dataset

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model
    from ..train.run import RunDirectory

SAMPLES = 100  # of one noise, that are compared with each other
SATURATED = 0.99  # the share that D gets right
ALIKE = 0.25  # of the distance between data
REMEMBERED = 1000  # logs, of whose gradients the usual one is taken
VANISHED, EXPLODED = 1e-3, 1e2  # times the usual gradient of G

NOISE = "label_smoothing=0.1 (Salimans et al. 2016, section 3.4), instance_noise=0.1 (Arjovsky and Bottou 2017)"
PENALTY = "the gradient penalty of wgangp (Gulrajani et al. 2017)"
NONSATURATING = "loss=nonsaturating, whose gradient for G stays while D wins (Goodfellow et al. 2014, section 3)"


class CollapseWarning(UserWarning):
    """A GAN shows a sign of collapse."""


class Sign(NamedTuple):
    """A sign of collapse: its name, what was seen, and the remedies of the papers."""

    name: str
    seen: str
    remedy: str


class Warnings(Callback):
    """A CollapseWarning the first time that each sign is seen in as many logs on end as `patience` says:

    D saturated: it gets 99% right, and G's loss doesn't fall.
    samples alike: of a fixed noise they lie a quarter as far from each other as data do, or nearer; of those that have
        labels, each class by itself.
    G's gradient vanished: to a thousandth of what it was.  exploded: to a hundred times the usual, in a single log.

    Of other models than GANs it says nothing. Each is a row of the run's events.jsonl. It looks at logged steps alone.
    dataset: whose training examples the samples are compared with.
    """

    def __init__(self, dataset: Dataset, patience: int = 10):
        self._dataset, self._patience = checked_dataset("Warnings", dataset), whole("Warnings", "patience", patience, 1)

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        self._model, self._run = model, run
        self._rows: list[dict[str, float]] = []  # of the last logs
        self._norms: list[float] = []  # of G's gradient
        self._told: list[str] = []
        optimizer = getattr(model, "opt_G", None)
        self._optimizer = optimizer if isinstance(optimizer, Optimizer) else None
        if self._optimizer is not None:
            x, labels = self._dataset.train[:SAMPLES], self._dataset.labels
            labels = labels[:SAMPLES] if model.takes_labels and labels is not None else None
            self._usual = spread(to_host(batch_of(x, model.value_range)), labels)

    def on_log(self, step: int, values: dict[str, float]) -> None:
        if self._optimizer is None:
            return
        self._rows = [*self._rows, values | {"spread": self._spread()}][-self._patience :]
        self._norms = [*self._norms, gradient_norm(self._optimizer)][-REMEMBERED:]
        for sign in self._signs():
            if sign.name not in self._told:
                self._told.append(sign.name)
                self._tell(step, sign)

    def _signs(self) -> Iterator[Sign]:
        rows, norms, k = self._rows, self._norms, self._patience
        minimax = getattr(self._model.config, "loss", None) == "minimax"
        if len(rows) < k:
            return
        if norms[-1] > EXPLODED * float(np.median(norms)):
            seen = f"it is {norms[-1]:.2g}, and was {float(np.median(norms)):.2g} in the median of the logs before"
            yield Sign("G's gradient exploded", seen, "a lower lr, or clipped gradients (Pascanu et al. 2013)")
        if all(row.get("acc", 0) >= SATURATED and "loss_G" in row for row in rows) and _does_not_fall(rows):
            seen = f"it told real images from made ones in {k} logs, {SATURATED:.0%} right, and G's loss did not fall"
            yield Sign("D saturated", seen, f"{NONSATURATING if minimax else NOISE}; or {PENALTY}")
        if all(row["spread"] < ALIKE * self._usual for row in rows):
            seen = f"they lie {rows[-1]['spread'] / self._usual:.0%} as far from each other as data do"
            yield Sign("samples alike", seen, f"packing, as in pacgan (Lin et al. 2018), {PENALTY}, or a lower lr")
        if max(norms[-k:]) < VANISHED * max(norms):
            seen = f"it is {norms[-1]:.1e}, and was {max(norms):.1e}"
            yield Sign("G's gradient vanished", seen, f"{NONSATURATING if minimax else NOISE}; or {PENALTY}")

    def _tell(self, step: int, sign: Sign) -> None:
        message = f"step {step}: {sign.name}: {sign.seen}. What may help: {sign.remedy}"
        warnings.warn(CollapseWarning(message), stacklevel=2)
        if self._run is not None:
            self._run.append_event({"step": step, **sign._asdict()})

    def _spread(self) -> float:
        """How far samples of the same noise lie from each other; NaN if the model makes none."""
        model = self._model
        try:
            samples = model.sample(SAMPLES, Generator(0, "warnings"))  # keyed afresh: the same noise each time
        except NotImplementedError:
            return math.nan
        labels = np.arange(len(samples)) % model.config.classes if model.takes_labels else None
        return spread(to_host(array_of(samples)), labels)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows, "norms": self._norms, "told": self._told}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if fault := contents.fault(state, contents.WARNINGS):
            raise ValueError(fault)
        self._rows, self._norms, self._told = list(state["rows"]), list(state["norms"]), list(state["told"])


def spread(x: np.ndarray, labels: np.ndarray | None = None) -> float:
    """The root mean square distance between two examples x (N, ...), of those of one label if there are labels."""
    x = x.reshape(len(x), -1).astype(np.float64)
    same = np.ones(len(x)) if labels is None else labels
    groups = [x[same == label] for label in np.unique(same)]
    pairs = sum(len(g) * (len(g) - 1) for g in groups)
    squares = sum(2 * len(g) * np.square(g - g.mean(axis=0)).sum() for g in groups)  # Σᵢⱼ ‖xᵢ - xⱼ‖² of a group
    return math.sqrt(squares / max(pairs, 1))


def gradient_norm(optimizer: Optimizer) -> float:
    """The length of the last gradients as an optimiser remembers them: of their mean (Adam, SGD with momentum), or the
    root of their mean square (RMSprop); 0 for one that remembers nothing. This waits for the GPU.
    """
    state = {slot: to_host(buffer) for slot, buffer in optimizer.state.items()}
    if isinstance(optimizer, RMSprop):
        return math.sqrt(float(state["v"].sum()))
    if isinstance(optimizer, SGD):
        return (1 - optimizer.momentum) * float(np.linalg.norm(state["v"])) if state else 0.0
    return float(np.linalg.norm(state["m"])) if "m" in state else 0.0


def _does_not_fall(rows: list[dict[str, float]]) -> bool:
    losses = [row["loss_G"] for row in rows]
    half = len(losses) // 2
    return float(np.mean(losses[half:])) >= float(np.mean(losses[:half])) - 0.01 * abs(float(np.mean(losses)))
