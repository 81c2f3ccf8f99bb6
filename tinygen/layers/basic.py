"""Layers for arrays of any rank: Dense, Embedding, Dropout, and Flatten and Reshape, which only change the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import init, ops
from ..checks import check_indices, check_input, number, whole
from ..random import Generator, new_stream
from ..tensor import Parameter, Tensor
from .module import Module


class Dense(Module):
    """y = x @ w + b for x (..., in_features), with w (in_features, out_features) and b (out_features,).

    w is Glorot-uniform at first, b is 0, as in Keras. Raises ValueError for a size below 1, and if the length of the
    last axis of x is not in_features.

    >>> dense = tg.layers.Dense(3, 2)
    >>> dense(np.zeros((8, 3), np.float32)).shape, dense.w.shape, dense.b.shape
    ((8, 2), (3, 2), (2,))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        weight_init: init.Init = init.glorot_uniform,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ):
        shape = whole("Dense", "in_features", in_features, 1), whole("Dense", "out_features", out_features, 1)
        self.w = Parameter(init.weights("Dense", weight_init, shape, rng, dtype))
        b = init.biases("Dense", bias, out_features, dtype, weight_init, shape, rng)
        self.b = None if b is None else Parameter(b)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, features=self.w.shape[0], hint="; is a Flatten missing?")
        return x @ self.w if self.b is None else ops.dense(x, self.w, self.b)

    def _options(self) -> str:
        return f"{self.w.shape[0]}, {self.w.shape[1]}" + (", bias=False" if self.b is None else "")


class Embedding(Module):
    """Row i of w (num_embeddings, features) for each integer i of the input, whose shape gains a last axis.

    w is N(0, 1) at first. Raises TypeError unless the input is of integers. One out of range, -1 included, raises
    IndexError on the CPU; on a GPU, which isn't waited for, its row is NaN.

    >>> tg.layers.Embedding(10, 4)(np.array([3, 1, 3])).shape
    (3, 4)
    """

    def __init__(self, num_embeddings: int, features: int, rng: Generator | None = None, dtype: Any = np.float32):
        shape = whole("Embedding", "num_embeddings", num_embeddings, 1), whole("Embedding", "features", features, 1)
        self.w = Parameter(init.normal(shape, rng, dtype, std=1.0))

    def forward(self, i: Any) -> Tensor:
        i, outside = check_indices("Embedding", i, len(self.w))
        return self.w[i] if outside is None else ops.where(outside[..., None], math.nan, self.w[i])

    def _options(self) -> str:
        return f"{self.w.shape[0]}, {self.w.shape[1]}"


class Dropout(Module):
    """In training, each element is 0 with probability rate, else divided by 1 - rate; in eval mode, x itself.

    Srivastava et al. 2014. rng: by default a stream of its own, derived from `seed`. Raises ValueError unless
    0 <= rate < 1.

    >>> dropout = tg.layers.Dropout(0.5)
    >>> sorted({*dropout(np.ones(100, np.float32)).tolist()})
    [0.0, 2.0]
    >>> with tg.layers.evaluating(dropout):
    ...     print(dropout(np.ones(2)).tolist())
    [1.0, 1.0]
    """

    def __init__(self, rate: float, rng: Generator | None = None):
        self.rate = number("Dropout", "rate", rate, 0, below=1)
        self.rng = new_stream("dropout") if rng is None else init.checked_rng(rng)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        if not self.training or self.rate == 0:
            return x
        kept = self.rng.bernoulli(1 - self.rate, x)
        if isinstance(x, Tensor):
            kept = Tensor(kept)  # which the tape keeps uncopied
        return ops.dropout(x, kept, 1 / (1 - self.rate))

    def _options(self) -> str:
        return str(self.rate)


class Flatten(Module):
    """(N, ...) to (N, C), in C order.

    >>> tg.layers.Flatten()(np.zeros((8, 28, 28, 1))).shape
    (8, 784)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, least=1)
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Reshape(Module):
    """(N, ...) to (N, *shape), in C order; a length of -1 is whatever is left. Raises ValueError if x doesn't fit.

    >>> tg.layers.Reshape((7, 7, -1))(np.zeros((8, 98))).shape
    (8, 7, 7, 2)
    """

    def __init__(self, shape: Sequence[int]):
        self.shape = _lengths(shape)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, least=1)
        size, known = math.prod(x.shape[1:]), math.prod(n for n in self.shape if n != -1)
        shape = tuple(size // max(known, 1) if n == -1 else n for n in self.shape)  # NumPy can't for an empty batch
        if math.prod(shape) != size:
            raise ValueError(f"Reshape: x is {x.shape}; an example's {size} elements can't be reshaped to {self.shape}")
        return ops.reshape(x, (x.shape[0], *shape))

    def _options(self) -> str:
        return str(self.shape)


def _lengths(shape: Any) -> tuple[int, ...]:
    """The shape as ints. Raises ValueError unless all are at least 0; one may be -1."""
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else ()
    whole_numbers = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= -1 for n in lengths)
    if not isinstance(shape, (tuple, list)) or not whole_numbers or lengths.count(-1) > 1:
        raise ValueError(
            f"Reshape: shape is {shape!r}, but it must be a tuple of an example's lengths, such as (7, 7, 64)"
        )
    return tuple(int(n) for n in lengths)
