"""The batch on which a model is observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backend import Array, to_device
from ..data.loader import first_examples
from ..errors import ConfigError
from ..ops import concatenate

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model


def batch_for(model: Model, dataset: Dataset, n: int, every_class: bool = False) -> tuple[Array, ...]:
    """About n training examples as the model takes them, (x,), (x, labels) or (x, y) of two domains: the first ones,
    repeated if there are fewer.  every_class: with the labels 0, 1, 2, ... in place of their own, so that samples show
    each class.

    Raises ConfigError if the data have no labels, or no second domain, and the model takes them.
    """
    if model.takes_domains and dataset.other is None:
        raise ConfigError(f"{model.name} learns from two domains, and {dataset.name} is one; give other data")
    n = max(n // model.batch_unit, 1) * model.batch_unit
    if model.takes_labels and dataset.labels is None:
        raise ConfigError(f"{model.name} learns from labels, and {dataset.name} has none; give other data")
    few = model.defaults.get("examples")
    x, labels = first_examples(dataset, few or n, model.value_range)
    x = x if few else repeated(x, n)
    if model.takes_domains and dataset.other is not None:
        return x, repeated(first_examples(dataset.other, n, model.value_range)[0], n)
    if not model.takes_labels:
        return (x,)
    return x, model.labels_for(len(x)) if every_class else repeated(to_device(labels), len(x))


def repeated(x: Array, n: int) -> Array:
    """The first n of the examples x, repeated if there are fewer."""
    return concatenate([x] * -(-n // len(x)))[:n] if len(x) < n else x[:n]
