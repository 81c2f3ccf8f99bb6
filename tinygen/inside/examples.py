"""The examples on which a model is observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backend import Array
from ..data import batch_of
from ..errors import ConfigError
from ..ops import concatenate

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model


def batch_for(model: Model, dataset: Dataset, n: int) -> tuple[Array, ...]:
    """About n training examples as the model takes them, (x,) or (x, labels): the first ones, repeated if there are
    fewer. The labels are 0, 1, 2, ..., so that samples show each class. Raises ConfigError if the data have none."""
    n = max(n // model.batch_unit, 1) * model.batch_unit
    if model.takes_labels and dataset.labels is None:
        raise ConfigError(f"{model.name} learns from labels, and {dataset.name} has none; give other data")
    few = model.defaults.get("examples")
    x = batch_of(dataset.train[: few or n], model.value_range)
    x = x if few else repeated(x, n)
    return (x, model.labels_for(n)) if model.takes_labels else (x,)


def first_examples(model: Model, dataset: Dataset, n: int, test: bool = False) -> tuple[Array, np.ndarray | None]:
    """The first n training (or test) examples as the model takes them, on the device, and their labels, on the host."""
    x, labels = dataset.train, dataset.labels
    if test and len(dataset.test):
        x, labels = dataset.test, dataset.test_labels
    return batch_of(x[:n], model.value_range), None if labels is None else labels[:n]


def repeated(x: Array, n: int) -> Array:
    """The first n of the examples x, repeated if there are fewer."""
    return concatenate([x] * -(-n // len(x)))[:n] if len(x) < n else x[:n]
