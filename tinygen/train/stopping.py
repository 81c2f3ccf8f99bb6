"""Ending a training before its last step, because a metric no longer improves."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..backend import to_host
from ..checks import number, whole
from ..errors import ConfigError
from ..settings import did_you_mean
from ..viz.panels import is_share
from .callbacks import Callback, History, StopTraining

if TYPE_CHECKING:
    from ..models.base import Model
    from .run import RunDirectory


class EarlyStopping(Callback):
    """Ends the training when a metric has not improved in `patience` consecutive rows that have it.

    metric: the name of a value that train_step returns, read at logged steps, or that a callback measures, such as
    "score.fid" of Evaluate.  min_delta: an improvement is a change by more than this.
    mode: "min" or "max"; "auto" means "max" for accuracies, shares and scores where higher is better, else "min".
    restore_best: at the end, before the last checkpoint, give the model its state at the best row back.
    best, best_step: the best value and its step.

    A metric that is NaN has not improved.  Raises ConfigError for an invalid option.

    >>> tg.train.EarlyStopping("loss", patience=20, restore_best=True)
    EarlyStopping(metric='loss', patience=20, min_delta=0.0, restore_best=True)
    """

    def __init__(
        self,
        metric: str = "loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: Literal["auto", "min", "max"] = "auto",
        restore_best: bool = False,
    ):
        if mode not in ("auto", "min", "max"):
            raise ConfigError(f"EarlyStopping: mode is {mode!r}, but it must be 'auto', 'min' or 'max'")
        self.metric, self.restore_best = metric, restore_best
        self.patience = whole("EarlyStopping", "patience", patience, 1)
        self.min_delta = number("EarlyStopping", "min_delta", min_delta, 0)
        self._sign = 1 if (mode == "max" or (mode == "auto" and more_is_better(metric))) else -1

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        self._model = model
        self.best: float | None = None
        self.best_step = 0
        self._waited, self._state = 0, dict[str, Any]()

    def on_log(self, step: int, values: dict[str, float]) -> None:
        self.on_measured(step, values)
        if step == 1 and self.best is None:
            warnings.warn(
                f"EarlyStopping: the first step has no {self.metric!r}{did_you_mean(self.metric, values)}, but "
                f"{', '.join(values)}; unless a callback measures it, the training won't stop early",
                stacklevel=2,
            )

    def on_measured(self, step: int, values: dict[str, float]) -> None:
        if self.metric not in values:
            return
        value = values[self.metric]
        gain = math.inf if self.best is None else self._sign * (value - self.best)
        if gain > self.min_delta and not math.isnan(value):
            self.best, self.best_step, self._waited = value, step, 0
            if self.restore_best:
                self._state = {name: np.array(to_host(x)) for name, x in self._model.state_dict().items()}
            return
        self._waited += 1
        if self._waited >= self.patience:
            best = (
                "it was never a number"
                if self.best is None
                else f"the best was {self.best:g}, at step {self.best_step}"
            )
            raise StopTraining(f"{self.metric} has not improved in {self._waited} rows: {best}")

    def on_checkpoint(self, step: int, history: History) -> None:
        if history.complete and self._state:
            self._model.load_state_dict({name: x.copy() for name, x in self._state.items()})

    def state_dict(self) -> dict[str, Any]:
        state = {f"best/{name}": x for name, x in self._state.items()}
        return {"best": self.best, "best_step": self.best_step, "waited": self._waited, **state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.best_step, self._waited = state["best"], state["best_step"], state["waited"]
        arrays = {name.removeprefix("best/"): x for name, x in state.items() if name.startswith("best/")}
        self._state = {name: x.copy() for name, x in arrays.items()} if self.restore_best else {}


def more_is_better(metric: str) -> bool:
    """Whether a metric of that name grows as a model gets better. Raises ConfigError for a score that may do either."""
    if not metric.startswith("score."):
        return is_share(metric)
    from ..metrics.evaluate import ABOUT

    about = ABOUT.get(metric.removeprefix("score."), "lower is better")
    if "is better" not in about:
        raise ConfigError(f"EarlyStopping: {metric} has no better direction ({about}); give mode='min' or mode='max'")
    return "lower is better" not in about
