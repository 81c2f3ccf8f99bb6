"""The data given to `fit` as an endless stream of batches, whose position can be saved and restored."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..backend import is_array, to_device
from ..checks import as_array
from ..errors import ConfigError, DataError
from ..processes import own_batch, whole
from ..tensor import Tensor
from .suits import check_examples, check_kind

if TYPE_CHECKING:
    from ..data import Dataset, Loader
    from ..models.base import Model
    from ..random import Generator


class Batches(Protocol):
    """An endless stream of batches on the current device.

    first: the first batch of the run, which the sample pictures show.
    state: the position in the stream, as values that JSON can hold; assign it to return there.
    """

    first: Any
    state: Any

    def next(self) -> Any: ...


def batches_of(data: Any, model: Model) -> Batches:
    """The batches of a Loader, of an array or a Dataset (of the model's default size), or of any iterable.

    Raises ConfigError for anything else, for labels or a batch size that the model does not take; DataError if there
    are none, or their dtype, shape or range does not suit the model.
    """
    beside: dict[str, Any] = {}
    if hasattr(data, "train") and not callable(data.train):
        beside = {name: getattr(data, name) for name in ("labels", "other", "paired") if hasattr(data, name)}
        data = data.train
    examples = _array(data)
    if isinstance(data, (str, bytes, dict, type)) or not (
        examples is not None or hasattr(data, "next_batch") or hasattr(data, "__iter__")
    ):
        raise ConfigError(
            f"fit: data is {data!r:.100}, but it must be a Loader, an array, an iterable of batches, or a Dataset such "
            'as tinygen.data.load("digits")'
        )
    if isinstance(data, tuple) and len(data) == 2 and _is_labels(data[1], data[0]):
        raise ConfigError(
            "fit: data is a pair (x, labels), which would be taken for two batches; give x alone, or with labels a "
            "tinygen.data.Dataset(name, x, test, labels)"
        )
    value_range = getattr(data, "value_range", model.value_range)
    if value_range != model.value_range:
        raise ConfigError(
            f"fit: the Loader gives values in {value_range}, but {model.name} takes {model.value_range}; make it with "
            "value_range=model.value_range"
        )
    if examples is not None:
        check_examples(examples, model, scaled=True)
        batch = min(model.defaults["batch"], largest_batch(model, examples)) or 1
        data = loader_for(model, examples, batch, **beside)
    batches: Batches = LoaderBatches(data) if hasattr(data, "next_batch") else IterableBatches(data)
    _check_first(batches.first, model, data)
    return batches


def _is_labels(y: Any, x: Any) -> bool:
    """Whether y looks like the labels of examples x."""
    x, y = _array(x), _array(y)
    return x is not None and y is not None and x.ndim > 1 and y.dtype.kind in "iu" and y.shape == x.shape[:1]


def _check_first(batch: Any, model: Model, data: Any) -> None:
    if isinstance(batch, tuple) and not (model.takes_labels or model.takes_domains):
        what = "(x, labels)" if len(batch) == 2 else f"lists of {len(batch)} arrays"
        advice = "give x alone" if len(batch) == 2 else "give arrays, np.stack(batch)"
        raise ConfigError(f"fit: the batches are {what}, but {model.name} takes no labels; {advice}")
    if model.takes_labels and not isinstance(batch, tuple):
        raise ConfigError(f"fit: {model.name} learns from labels: give a Dataset or a Loader that has them")
    if model.takes_domains:
        if not isinstance(batch, tuple) or len(batch) != 2:
            raise ConfigError(f"fit: {NO_OTHER.format(model.name)}")
        for domain, examples in zip(("first", "second"), batch, strict=True):
            check_examples(examples, model, scaled=False, what=f"the batches of the {domain} domain")
    x = batch[0] if isinstance(batch, tuple) else batch
    if is_array(x):
        check_examples(x, model, scaled=False, what="the batches")
        n = model.batches_per_step
        if len(x) % n:
            raise ConfigError(
                f"fit: {model.name} takes {n} batches a step, but {len(x)} examples can't be split into {n}"
            )
        model.check_batch(len(x) // n)
    if model.takes_labels:
        model.check_labels(getattr(data, "labels", batch[1]))


def loader_for(
    model: Model,
    examples: Any,
    batch: int,
    rng: Generator | None = None,
    labels: Any = None,
    augment: Any = None,
    other: Dataset | None = None,
    paired: bool = False,
) -> Loader:
    """A Loader of examples for a model: with or without labels, all batches of a step at a time, and only a few
    examples, unshuffled, if its defaults say so.  augment: f(x) -> x, applied to each batch.  other, paired: the
    second domain, for a model that takes two, as in a Dataset.

    Raises ConfigError for a batch size that does not suit the model or the data, or for missing labels.
    """
    from ..data import Loader

    if len(examples) == 0:
        raise DataError(f"the data hold no examples; {model.name} has nothing to learn from")
    check_kind(examples, model, f"the data are {examples.dtype} of shape {tuple(examples.shape)}")
    if model.takes_labels and labels is None:
        raise ConfigError(
            f"{model.name} learns from labels, and these data have none; `tinygen data` lists others, and "
            "in folder:PATH each subfolder is a label, if every image lies in one"
        )
    if model.takes_domains and other is None:
        raise ConfigError(NO_OTHER.format(model.name))
    if batch > (most := largest_batch(model, examples)):
        enough = f"enough for {most:,} at most; write --batch {most}" if most else f"too few for {model.name}"
        raise ConfigError(f"batch is {batch}, but {len(examples):,} examples are {enough}")
    model.check_batch(batch)
    batch *= model.batches_per_step
    if "examples" in model.defaults:
        examples = examples[: max(batch, model.defaults["examples"])]
    return Loader(
        examples,
        batch,
        model.value_range,
        rng,
        model.defaults.get("shuffle", True),
        labels=labels if model.takes_labels else None,
        augment=augment,
        other=other.train if model.takes_domains and other is not None else None,
        paired=paired,
    )


def largest_batch(model: Model, examples: Any) -> int:
    """The largest batch size for which these examples fill all batches of a step."""
    most = len(examples) // model.batches_per_step
    return most - most % model.batch_unit


NO_OTHER = (
    "{} learns from two domains; give a Dataset with an `other`, such as tinygen.data.two_domains(a, b), on the "
    "command line --data A --data-b B"
)


class LoaderBatches:
    """The batches of a Loader, or of anything with a next_batch() and a state. Going back is exact."""

    def __init__(self, loader: Any):
        from ..data import Loader

        if not hasattr(loader, "state"):
            raise ConfigError(
                f"fit: data is a {type(loader).__name__} with a next_batch(), but without a `state` to go back to; "
                "give it one, or an iterable of batches"
            )
        self._loader, self._start = loader, loader.state
        self._deals = isinstance(loader, Loader)  # to the processes of a group, before it takes the examples
        self.first = self._peek()

    def next(self) -> Any:
        if self._deals:
            return self._loader.next_batch()
        with whole():
            batch = self._loader.next_batch()
        return own_batch(batch)

    def _peek(self) -> Any:
        here = self._loader.state
        self._loader.state = self._start
        batch = self._loader.next_batch()
        self._loader.state = here
        return batch

    @property
    def state(self) -> dict[str, Any]:
        return {"start": self._start, "now": self._loader.state}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._start, self._loader.state = state["start"], state["now"]
        self.first = self._peek()


class IterableBatches:
    """The batches of an iterable, over and over, as float32. To go back, it iterates again and skips as many batches:
    right for a list, wrong for an iterable whose order changes each time; give such data as a Loader."""

    def __init__(self, data: Iterable[Any]):
        self._data = data
        self._restart()
        self.first = self._first

    def next(self) -> Any:
        with whole():
            batch = self._next()
        return own_batch(batch)

    def _next(self) -> Any:
        for batch in self._iterator:
            self._passed += 1
            batch = _on_device(batch)
            if _example_shapes(batch) != _example_shapes(self.first):
                raise DataError(
                    f"fit: batch {self._passed} of the data is {_in_words(batch)}, but the first was "
                    f"{_in_words(self.first)}; only the number of examples may differ"
                )
            return batch
        if iter(self._data) is self._data:
            raise DataError(
                f"fit: the data ended after {self._passed} batches, and an iterator can't be restarted; give a list of "
                "batches, an array or a Loader"
            )
        self._restart()
        return self._next()

    def _restart(self) -> None:
        iterator = iter(self._data)
        first = next(iterator, None)
        if first is None:
            raise DataError("fit: the data hold no batches (any more); give a list of batches, an array or a Loader")
        self._first = _on_device(first)
        self._iterator, self._passed = chain([first], iterator), 0

    @property
    def state(self) -> int:
        return self._passed

    @state.setter
    def state(self, passed: int) -> None:
        if self._passed > 0:
            if iter(self._data) is self._data:
                raise DataError("fit: an iterator can't be restarted; give a list of batches, an array or a Loader")
            self._restart()
        if sum(1 for _ in islice(self._iterator, passed)) < passed:
            raise DataError(f"fit: the data have fewer batches than the {passed} that the run had used")
        self._passed = passed


def _array(x: Any) -> Any:
    """x as an array if it is one, of any library; else None. Raises DataError if it can't be converted."""
    readable = is_array(x) or isinstance(x, Tensor) or hasattr(x, "__array__")
    return as_array("fit", "the data", x) if readable else None


def _on_device(batch: Any) -> Any:
    """A batch of an iterable: an array x, floats as float32, or a tuple such as (x, labels)."""
    x = _array(batch)
    if x is not None:
        x = to_device(x)
        return x.astype(np.float32, copy=False) if x.dtype.kind == "f" else x
    if isinstance(batch, (tuple, list)) and batch and all(isinstance(p, tuple) or _array(p) is not None for p in batch):
        return _on_device(batch[0]) if len(batch) == 1 else tuple(map(_on_device, batch))
    raise DataError(
        f"fit: a batch is {_in_words(batch)}, but it must be an array or a pair (x, labels) of arrays; for lists of "
        "numbers use np.asarray(batch, np.float32)"
    )


def _example_shapes(batch: Any) -> Any:
    return tuple(map(_example_shapes, batch)) if isinstance(batch, tuple) else batch.shape[1:]


def _in_words(batch: Any) -> str:
    if isinstance(batch, tuple):
        return f"({', '.join(map(_in_words, batch))})"
    return f"{batch.dtype} of shape {tuple(batch.shape)}" if is_array(batch) else f"a {type(batch).__name__}"
