"""The data set: two arrays of examples, and their labels, if any."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..backend import is_array
from ..checks import whole
from ..errors import DataError
from ..random import Generator
from .examples import check_examples, check_tokens, kind_of
from .listing import listed

if TYPE_CHECKING:
    from .grammar import Grammar


@dataclass(frozen=True)
class Modes:
    """The modes of a mixture of Gaussians: centres (K, 2), and the standard deviation that all of them share.

    >>> tg.data.Modes(centres=np.array([[-1.0, 0.0], [1.0, 0.0]]), std=0.1)
    Modes(2 centres, std=0.1)
    """

    centres: np.ndarray
    std: float

    def __repr__(self) -> str:
        return f"Modes({len(self.centres)} centres, std={self.std:g})"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples to train on and examples to test with, all in host memory.

    train, test: uint8 images (N, H, W, C), where 0 is the background or black, float32 points (N, 2), or int64 tokens
    (N, L), each an index into the vocabulary.
    labels, test_labels: int64 (N,), or None where the data has none.  modes: of a mixture of Gaussians, else None.
    factors, test_factors: float32 (N, K), what each example was made from, where known, else None.
    classes: the names of labels 0, 1, ..., if they have names.  notes: remarks on how the data set was made.
    other: a second domain, for models that learn from two, else None; its examples have the shape of this one's.
    paired: whether example i of both domains belongs together; if not, each is shuffled on its own.
    vocabulary: the words of tokens.  grammar: the one that the sentences were drawn from, if it is known.
    Raises DataError for anything else.

    >>> mine = tg.data.Dataset("mine", train=np.zeros((90, 2), np.float32), test=np.zeros((10, 2), np.float32))
    >>> mine
    Dataset(mine: 90 to train and 10 to test, each (2,) float32, no labels)
    """

    name: str
    train: np.ndarray = field(repr=False)
    test: np.ndarray = field(repr=False)
    labels: np.ndarray | None = field(default=None, repr=False)
    test_labels: np.ndarray | None = field(default=None, repr=False)
    modes: Modes | None = field(default=None, repr=False)
    factors: np.ndarray | None = field(default=None, repr=False)
    test_factors: np.ndarray | None = field(default=None, repr=False)
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = field(default=(), repr=False)
    other: Dataset | None = None
    paired: bool = False
    vocabulary: tuple[str, ...] | None = field(default=None, repr=False)
    grammar: Grammar | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for part, labels in (("train", "labels"), ("test", "test_labels")):
            x, y = getattr(self, part), getattr(self, labels)
            check_examples("Dataset", part, x)
            if x.shape[1:] != self.train.shape[1:]:
                raise DataError(f"Dataset: train has examples of shape {self.train.shape[1:]}, test of {x.shape[1:]}")
            check_tokens("Dataset", part, x, self.vocabulary)
            if y is not None and (not is_array(y) or y.shape != x.shape[:1]):
                raise DataError(f"Dataset: {labels} is {kind_of(y)}, but each of {len(x):,} examples needs one")
        if len(self.train) == 0:
            raise DataError("Dataset: train holds no examples")
        if self.other is not None:
            self._check_other(self.other)

    def _check_other(self, other: Dataset) -> None:
        """Raise DataError unless the second domain fits the first."""
        if not isinstance(other, Dataset) or other.other is not None:
            raise DataError(f"Dataset: other is {kind_of(other)}, but it must be a Dataset of one domain")
        if other.shape != self.shape or other.train.dtype != self.train.dtype:
            raise DataError(
                f"two domains: {self.name} has examples {self.shape} of {self.train.dtype}, and {other.name} "
                f"{other.shape} of {other.train.dtype}, but they must be alike; give --size and --channels for folders"
            )
        if self.paired and (len(other.train), len(other.test)) != (len(self.train), len(self.test)):
            raise DataError(
                f"two domains: {self.name} has {len(self.train):,} and {len(self.test):,} examples, {other.name} "
                f"{len(other.train):,} and {len(other.test):,}, but pairs need equally many"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (H, W, C), (2,) for points, or (L,) for tokens."""
        return self.train.shape[1:]

    def fingerprint(self) -> str:
        """SHA-256 of the examples, labels and factors, as 64 hex digits: the same on every machine for equal data.

        It covers the values, dtypes and shapes of the arrays, in order, and the vocabulary; not the name, as data may
        be moved.
        """
        digest = hashlib.sha256()
        for name in EXAMPLES:
            x = getattr(self, name)
            if x is not None:
                little = np.ascontiguousarray(x, x.dtype.newbyteorder("<"))
                digest.update(f"{name} {little.dtype.str} {x.shape}\n".encode())
                digest.update(little.data)
        if self.other is not None:
            digest.update(f"other {self.paired} {self.other.fingerprint()}\n".encode())
        if self.vocabulary is not None:
            digest.update("\n".join(self.vocabulary).encode())
        return digest.hexdigest()

    def __str__(self) -> str:
        labels = "no labels" if self.labels is None else f"{len(np.unique(self.labels))} labels"
        if self.vocabulary is not None:
            labels = f"{len(self.vocabulary)} words, {labels}"
        if self.classes is not None:
            labels += f" ({listed(self.classes, 10)})"
        sizes = f"{len(self.train):,} to train and {len(self.test):,} to test"
        about = f"{self.name}: {sizes}, each {self.shape} {self.train.dtype}, {labels}"
        lines = [about, *(f"  {note}" for note in self.notes)]
        if self.other is not None:
            how = "in pairs with the first" if self.paired else "not paired with the first: each is shuffled on its own"
            lines += [f"and {self.other}", f"  the second domain is {how}"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Dataset({str(self).partition(chr(10))[0]})"


EXAMPLES = ("train", "test", "labels", "test_labels", "factors", "test_factors")


def own_stream(name: str, train: int, test: int, seed: int) -> Generator:
    """A data set's own stream, on the host, so that the examples depend on its options alone. Checks the options."""
    for option, value, least in (("train", train, 1), ("test", test, 0), ("seed", seed, 0)):
        whole(name, option, value, least)
    return Generator(seed, f"data/{name}", device="cpu")
