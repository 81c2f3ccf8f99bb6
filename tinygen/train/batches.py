"""Whatever data `fit` is given, as an endless stream of batches that can say where it stands and go back there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol

from ..backend import is_array, to_device
from ..errors import ConfigError, DataError

if TYPE_CHECKING:
    from ..backend import Generator
    from ..data import Loader
    from ..models.base import Model


class Batches(Protocol):
    """An endless stream of batches on the current device.

    first: the first batch of the run, which the sample pictures show.
    state: where the stream stands, as values that JSON can hold; assign it to go back there.
    """

    first: Any
    state: Any

    def next(self) -> Any: ...


def batches_of(data: Any, model: Model) -> Batches:
    """The batches of a Loader, of an array or a Dataset (as many examples as the model likes), or of any iterable.

    Raises ConfigError for anything else, or labels that the model does not take; DataError if there are none.
    """
    if isinstance(data, str) or not any(hasattr(data, name) for name in ("next_batch", "train", "__iter__")):
        raise ConfigError(
            f"fit: data is {data!r}, but it must be a Loader, an array, an iterable of batches, or a Dataset such as "
            'tinygen.data.load("digits")'
        )
    labels, data = getattr(data, "labels", None), getattr(data, "train", data)
    value_range = getattr(data, "value_range", model.value_range)
    if value_range != model.value_range:
        raise ConfigError(
            f"fit: the Loader gives values in {value_range}, but {model.name} takes {model.value_range}; make it with "
            "value_range=model.value_range"
        )
    if is_array(data):
        data = loader_for(model, data, min(len(data), model.defaults["batch"]), labels=labels)
    batches: Batches = LoaderBatches(data) if hasattr(data, "next_batch") else IterableBatches(data)
    takes_labels = getattr(model, "takes_labels", isinstance(batches.first, tuple))
    if isinstance(batches.first, tuple) and not takes_labels:
        raise ConfigError(f"fit: the batches are (x, labels), but {model.name} takes no labels; give x alone")
    if takes_labels and not isinstance(batches.first, tuple):
        raise ConfigError(f"fit: {model.name} learns from labels: give a Dataset or a Loader that has them")
    if hasattr(model, "check_labels"):
        model.check_labels(getattr(data, "labels", batches.first[1]))
    return batches


def loader_for(model: Model, examples: Any, batch: int, rng: Generator | None = None, labels: Any = None) -> Loader:
    """A Loader of an array of examples as the model wants them: with labels or without, as many batches at a time as a
    step takes; its defaults may ask for a few examples, in their order.

    Raises ConfigError for a batch that does not suit the model or the data, or for labels that are missing.
    """
    from ..data import Loader

    model.check_batch(batch)
    takes_labels = getattr(model, "takes_labels", False)
    if takes_labels and labels is None:
        raise ConfigError(f"{model.name} learns from labels, and these data have none; `tinygen data` lists others")
    batch *= getattr(model, "batches_per_step", 1)
    if "examples" in model.defaults:
        examples = examples[: max(batch, model.defaults["examples"])]
    return Loader(
        examples,
        batch,
        model.value_range,
        rng,
        model.defaults.get("shuffle", True),
        labels=labels if takes_labels else None,
    )


class LoaderBatches:
    """The batches of a Loader, or of anything with a next_batch() and a state. It goes back to the bit."""

    def __init__(self, loader: Any):
        self._loader, self._start = loader, loader.state
        self.first = self._peek()

    def next(self) -> Any:
        return self._loader.next_batch()

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
    """The batches of an iterable, over and over. Going back means to iterate anew and pass over as many batches, which
    is right for a list, and wrong for what iterates in another order each time: give such data as a Loader."""

    def __init__(self, data: Iterable[Any]):
        self._data = data
        self._restart()
        self.first = _on_device(self._first)

    def next(self) -> Any:
        for batch in self._iterator:
            self._passed += 1
            return _on_device(batch)
        self._restart()
        return self.next()

    def _restart(self) -> None:
        iterator = iter(self._data)
        self._first = next(iterator, None)
        if self._first is None:
            raise DataError("fit: the data holds no batch (any more); give a list of batches, an array or a Loader")
        self._iterator, self._passed = chain([self._first], iterator), 0

    @property
    def state(self) -> int:
        return self._passed

    @state.setter
    def state(self, passed: int) -> None:
        if self._passed > 0:
            if iter(self._data) is self._data:
                raise DataError(
                    "fit: an iterator can't be gone through again; give a list of batches, an array or a Loader"
                )
            self._restart()
        if sum(1 for _ in islice(self._iterator, passed)) < passed:
            raise DataError(f"fit: the data has fewer batches than the {passed} that the run had used of it")
        self._passed = passed


def _on_device(batch: Any) -> Any:
    if isinstance(batch, (tuple, list)):
        return tuple(_on_device(x) for x in batch)
    return to_device(batch) if is_array(batch) else batch
