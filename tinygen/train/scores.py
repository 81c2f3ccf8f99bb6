"""Scores while a model trains."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ..checks import whole
from ..models.probe import undisturbed
from .callbacks import Callback, checked_dataset

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model
    from .run import RunDirectory

# These take seconds; classifiers and likelihoods take minutes.
QUICK = ("modes", "images", "factors", "pairs", "reconstruction", "restoration", "translation", "text")


class Evaluate(Callback):
    """The scores of `metrics.evaluate` at the first step and every so many, as "score.fid" and so on in the history.

    n: samples each time. FID and KID are biased for few samples: compare only values of the same n.
    parts: of metrics.evaluate; by default those that take seconds. The noise is the same each time.
    Raises ConfigError unless every >= 1. It measures once before the first step, so that it can't fail much later.

    >>> model, ring = tg.models.GAN(tg.models.GANConfig(data_shape=(2,))), tg.data.load("ring8")
    >>> evaluate = tg.train.Evaluate(every=2, dataset=ring, n=100)
    >>> history = tg.fit(model, ring, steps=2, callbacks=[evaluate], progress=False)
    >>> [row["step"] for row in history.rows if "score.modes" in row]
    [1, 2]
    """

    def __init__(
        self, every: int, dataset: Dataset, n: int | None = 1000, seed: int = 0, parts: Collection[str] = QUICK
    ):
        self._every, self._dataset = whole("Evaluate", "every", every, 1), checked_dataset("Evaluate", dataset)
        self._options = {"n": n, "seed": seed, "parts": parts}

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        self._model = model
        self._measure()

    def on_step(self, step: int, metrics: dict[str, Any]) -> dict[str, float]:
        return {} if step != 1 and step % self._every else self._measure()

    def _measure(self) -> dict[str, float]:
        from ..kernels.openblas import all_threads
        from ..metrics import evaluate

        with undisturbed(self._model), all_threads():
            scores = evaluate(self._model, self._dataset, **self._options)  # type: ignore[arg-type]
        return {f"score.{name}": score.value for name, score in scores.items()}
