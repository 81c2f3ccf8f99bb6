"""The subject of a measurement, a model and its data, and the resulting score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, to_host
from ..data import Dataset, batch_of
from ..judges.classifier import unit_images
from ..random import Generator

BLOCK = 500  # examples per call of the model: bounds the memory
MOST = 10_000  # examples to encode, or images to train a classifier on


class Score(NamedTuple):
    """A value; the same score of real data, where that is meaningful; the name of the features compared, if any; and
    the score of the simplest means, if there are any.

    >>> score = tg.metrics.Score(0.8, reference=0.1)
    >>> score.value, score.reference
    (0.8, 0.1)
    """

    value: float
    reference: float | None = None
    features: str | None = None
    plain: float | None = None


@dataclass(frozen=True)
class Subject:
    """A model, its data, and the options of `evaluate`."""

    model: Any
    data: Dataset
    n: int | None
    seed: int
    features: Any
    k: int

    def stream(self, name: str) -> Generator:
        return Generator(self.seed, f"evaluate/{name}")

    def samples(self, n: int, labels: np.ndarray | None = None) -> np.ndarray:
        """n samples on the host: points, tokens, or images in [0, 1]; labels: by default drawn from the data's."""
        if self.model.takes_labels and labels is None:
            assert self.data.labels is not None
            labels = self.data.labels[to_host(self.stream("labels").integers(0, len(self.data.labels), n))]
        rng, blocks = self.stream("samples"), []
        for start in range(0, n, BLOCK):
            count = min(BLOCK, n - start)
            wanted = {} if labels is None else {"labels": labels[start : start + count]}
            x = to_host(self.model.sample(count, rng, **wanted))
            blocks.append(unit_images(x, self.model.value_range) if x.ndim == 4 else x)
        return np.concatenate(blocks)

    def real(self, n: int) -> np.ndarray:
        """n real examples to measure instead of samples: of the test set if that has so many, else training ones."""
        return (self.data.test if len(self.data.test) >= n else self.data.train)[:n]

    def batches(self, x: np.ndarray) -> Iterator[Array]:
        """Batches of examples as the model takes them, in order."""
        return (batch_of(x[i : i + BLOCK], self.model.value_range) for i in range(0, len(x), BLOCK))

    def codes(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([to_host(self.model.codes(batch)) for batch in self.batches(x)])


def beside_real(measure: Callable[[Array], dict[str, float]], samples: Array, real: Array) -> dict[str, Score]:
    """The scores of samples, each with that of real examples as reference."""
    of_samples, of_real = measure(samples), measure(real)
    return {name: Score(value, of_real[name]) for name, value in of_samples.items()}
