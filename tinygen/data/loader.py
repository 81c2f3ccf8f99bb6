"""Batches: shuffled, scaled, on the device, and resumable at any point of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..backend import Array, is_array, to_device
from ..checks import whole
from ..errors import ConfigError, DataError
from ..processes import own
from ..random import Generator, new_stream
from .dataset import Dataset
from .examples import are_tokens, check_examples, kind_of, range_misfit


class Loader:
    """An endless stream of batches, epoch after epoch, each epoch in a new order.

    `for x in loader` yields the rest of the current epoch (a whole one at its start); `next_batch()` never
    ends. A batch is a new float32 array (B, H, W, C) or (B, D), or tokens (B, L) as they are. With labels it is the
    pair of examples and labels, and with a second domain the pair of examples and as many of the other.

    data: uint8 images (N, H, W, C), which are scaled from 0..255 to value_range, or floats (N, ...), which are not.
    They are moved to the current device once, and the batches are there too.
    batch: examples per batch, 1 to N.  value_range: (low, high), or None for points and tokens, which have no range.
    rng: a Generator on the CPU that decides the order, by default a stream of `tinygen.seed`.
    augment: changes each batch after scaling, f(x) -> x; its `state`, if any, is part of the loader's.
    drop_last: leave out an epoch's last batch if it is smaller than the others.
    other: examples of a second domain, scaled and augmented like data. They have an order of their own, unless they are
    paired. An epoch is one pass over data.

    Raises ConfigError for an option and DataError for data that don't fit.

    >>> loader = tg.data.Loader(np.zeros((100, 28, 28, 1), np.uint8), batch=32)
    >>> x = loader.next_batch()
    >>> x.shape, x.dtype, float(x.min())
    ((32, 28, 28, 1), dtype('float32'), -1.0)
    >>> len(list(tg.data.Loader(np.zeros((100, 2), np.float32), 32)))  # batches of an epoch; the rest is dropped
    3
    """

    def __init__(
        self,
        data: Array,
        batch: int,
        value_range: tuple[float, float] | None = (-1, 1),
        rng: Generator | None = None,
        shuffle: bool = True,
        labels: Array | None = None,
        augment: Callable[[Array], Array] | None = None,
        drop_last: bool = True,
        other: Array | None = None,
        paired: bool = False,
    ):
        _check_data("data", data, labels, value_range)
        _check_other(other, paired, data, labels, value_range)
        _check_augment(augment, data, value_range)
        if paired and augment is not None:
            raise ConfigError("Loader: augment would change the examples of a pair differently; leave it out")
        self.batch = whole("Loader", "batch", batch, 1, len(data), unit=", the number of examples")
        self.value_range, self.shuffle, self.drop_last = value_range, shuffle, drop_last
        self.augment = augment
        self.rng = _host_stream() if rng is None else rng
        self._data = to_device(data)
        self.labels = None if labels is None else to_device(labels)
        self._other, self._paired = None if other is None else to_device(other), paired
        self._epoch = self._position = 0
        self._begin_epoch()

    def __repr__(self) -> str:
        n, *shape = self._data.shape
        labels = "" if self.labels is None else " with labels"
        return f"Loader({n:,} examples {tuple(shape)} {self._data.dtype}{labels}, batch={self.batch})"

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self._data) // self.batch if self.drop_last else -(-len(self._data) // self.batch)

    def __iter__(self) -> Iterator[Any]:
        epoch = self._epoch
        while self._epoch == epoch:
            yield self.next_batch()

    def next_batch(self) -> Any:
        """The next batch x, or (x, labels); after an epoch's last, the first of the next epoch."""
        batch = slice(self._position * self.batch, (self._position + 1) * self.batch)
        rows, other_rows = own(self._order[batch]), own(self._other_order[batch])
        self._position += 1
        if self._position == len(self):
            self._epoch, self._position = self._epoch + 1, 0
            self._begin_epoch()
        x = self._examples(self._data, rows)
        if self._other is not None:
            return x, self._examples(self._other, other_rows)
        return x if self.labels is None else (x, self.labels.take(rows, axis=0))

    def _examples(self, data: Array, rows: Array) -> Array:
        x = self._scaled(data.take(rows, axis=0))
        return x if self.augment is None else self.augment(x)

    def _scaled(self, x: Array) -> Array:
        """A fresh batch as float32, or tokens as they are.

        0..255 becomes low..high, and both ends are exact for (-1, 1) and (0, 1).
        """
        if are_tokens(x):
            return x
        if x.dtype != np.uint8 or self.value_range is None:
            return x.astype(np.float32, copy=False)
        low, high = self.value_range
        x = x.astype(np.float32)
        x /= 255 / (high - low)
        x += low
        return x

    def _begin_epoch(self) -> None:
        """Draw the epoch's order, on the host so that no GPU waits, and move it to the device at once."""
        self._before_order = self.rng.state
        n = len(self._data)
        self._order = self._other_order = to_device(self._drawn_order(n))
        if self._other is not None and not self._paired:
            m = len(self._other)
            self._other_order = to_device(np.concatenate([self._drawn_order(m) for _ in range(-(-n // m))])[:n])

    def _drawn_order(self, n: int) -> np.ndarray:
        return self.rng.permutation(n) if self.shuffle else np.arange(n)

    @property
    def state(self) -> dict[str, Any]:
        """The position in the stream of batches, as a dict for JSON; assign it to resume there, to the bit.

        Assigning raises ConfigError for the state of a loader of other examples, batches or augmentations.
        """
        where = {"epoch": self._epoch, "position": self._position, "order": self._before_order}
        return self._kind() | where | {"augment": getattr(self.augment, "state", None)}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        for name, here in self._kind().items():
            if state[name] != here:
                raise ConfigError(
                    f"Loader: the state is of a loader with {name} {state[name]}, but this one has {here}"
                )
        self._epoch = whole("Loader", "state's epoch", state["epoch"], 0)
        self._position = whole("Loader", "state's position", state["position"], 0, len(self._data))
        self.rng.state = state["order"]
        self._begin_epoch()
        if state["augment"] is not None:
            self.augment.state = state["augment"]  # type: ignore[union-attr]

    def _kind(self) -> dict[str, Any]:
        """What two loaders must share for one to resume where the other stopped."""
        stateful = type(self.augment).__name__ if hasattr(self.augment, "state") else None
        return {
            "examples": len(self._data),
            "batch": self.batch,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "augmentation": stateful,
            **({} if self._other is None else {"other": len(self._other), "paired": self._paired}),
        }


def batch_of(
    data: Array, value_range: tuple[float, float] | None, labels: Array | None = None, other: Array | None = None
) -> Any:
    """All examples in order, as one batch of a Loader: x, (x, labels), or (x, y) with y of a second domain.

    >>> digits = tg.data.load("digits")
    >>> x, labels = tg.data.batch_of(digits.test[:5], (0, 1), digits.test_labels[:5])
    >>> x.shape, labels.shape
    ((5, 28, 28, 1), (5,))
    """
    order = Generator(0, "batch_of", "cpu")
    return Loader(data, len(data), value_range, order, shuffle=False, labels=labels, other=other).next_batch()


def first_examples(
    dataset: Dataset, n: int, value_range: tuple[float, float] | None, test: bool = False
) -> tuple[Array, np.ndarray | None]:
    """The first n training examples as a batch of a Loader, and their labels, on the host, if any.

    test: test examples instead, if the dataset has some.
    """
    x, labels = dataset.train, dataset.labels
    if test and len(dataset.test):
        x, labels = dataset.test, dataset.test_labels
    return batch_of(x[:n], value_range), None if labels is None else labels[:n]


def _host_stream() -> Generator:
    stream = new_stream("loader")
    return Generator(stream.seed, stream.name, device="cpu")


def _check_data(name: str, data: Array, labels: Array | None, value_range: tuple[float, float] | None) -> None:
    check_examples("Loader", name, data)
    if len(data) == 0:
        raise DataError(f"Loader: {name} holds no examples")
    if labels is not None and (not is_array(labels) or len(labels) != len(data)):
        raise DataError(f"Loader: labels is {kind_of(labels)}, but each of {len(data):,} examples needs one")
    _check_range(name, data, value_range)


def _check_other(
    other: Array | None, paired: bool, data: Array, labels: Array | None, value_range: tuple[float, float] | None
) -> None:
    if other is None:
        return
    if labels is not None:
        raise ConfigError("Loader: a batch holds labels or examples of a second domain, not both; give one of them")
    _check_data("other", other, None, value_range)
    if other.shape[1:] != data.shape[1:] or other.dtype != data.dtype or (paired and len(other) != len(data)):
        pairs = "; pairs need equally many" if paired else ""
        raise DataError(
            f"Loader: other is {kind_of(other)}, but data is {kind_of(data)}, and they must be alike{pairs}"
        )


def _check_range(name: str, data: Array, value_range: tuple[float, float] | None) -> None:
    if value_range is None:
        if data.dtype == np.uint8:
            raise ConfigError("Loader: value_range is None, but uint8 images must be scaled to one: (-1, 1) or (0, 1)")
        return
    if are_tokens(data):
        raise ConfigError(
            f"Loader: value_range is {value_range!r}, but {name} holds tokens, which have none; pass None"
        )
    if len(value_range) != 2 or not value_range[0] < value_range[1]:
        raise ConfigError(f"Loader: value_range is {value_range!r}, but it must be None or (low, high)")
    if data.dtype != np.uint8 and (misfit := range_misfit(data, value_range)):
        raise DataError(f"Loader: {name} has {misfit}; floats are taken as they are, and value_range=None takes any")


def _check_augment(augment: object, data: Array, value_range: tuple[float, float] | None) -> None:
    """Raise ConfigError for no function of a batch, for one of images if the data are points, and for a fill outside of
    value_range, which no model could draw.
    """
    for step in getattr(augment, "steps", (augment,)):
        if step is not None and not callable(step):
            raise ConfigError(f"Loader: augment is {step!r}, but it must be a function of a batch, such as Flip()")
        name, fill = type(step).__name__, getattr(step, "fill", None)
        if getattr(step, "of_images", False) and data.ndim != 4:
            option = " (--mirror)" if name == "Flip" else ""
            raise ConfigError(
                f"Loader: {name}{option} changes images (N, H, W, C), but data is {kind_of(data)}; leave it out"
            )
        if fill is not None and value_range is not None and not value_range[0] <= fill <= value_range[1]:
            raise ConfigError(
                f"Loader: {name} fills with {fill:g}, outside of value_range {value_range}; "
                f"pass fill={value_range[0]:g}"
            )
