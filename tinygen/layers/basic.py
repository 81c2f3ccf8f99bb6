"""Layers for arrays of any rank: Dense, Embedding, Dropout, and the two that only change the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import init, ops
from ..backend import Generator, new_stream
from ..tensor import Parameter, Tensor
from .module import Module


class Dense(Module):
    """y = x @ w + b for x (..., in_features), with w (in_features, out_features) and b (out_features,).

    w begins Glorot-uniform, b at 0, as in Keras. Raises ValueError for a size below 1, and if the last axis of x is not
    in_features.
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
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Dense: from {in_features} to {out_features} features, but both must be at least 1")
        self.w = Parameter(weight_init((in_features, out_features), rng, dtype))
        self.b = Parameter(init.zeros((out_features,), rng, dtype)) if bias else None

    def forward(self, x: Any) -> Any:
        if x.shape[-1:] != self.w.shape[:1]:
            raise ValueError(
                f"Dense: x is {x.shape}, but its last axis must be {self.w.shape[0]}; is a Flatten missing?"
            )
        return x @ self.w if self.b is None else ops.dense(x, self.w, self.b)

    def _options(self) -> str:
        return f"{self.w.shape[0]}, {self.w.shape[1]}" + (", bias=False" if self.b is None else "")


class Embedding(Module):
    """Row i of w (num_embeddings, features) for each integer i of the input, whose shape gains a last axis.

    w begins as N(0, 1). Raises TypeError for an input that is not of integers, and on the CPU IndexError for one out of
    range; a GPU, which isn't waited for, takes it modulo num_embeddings.
    """

    def __init__(self, num_embeddings: int, features: int, rng: Generator | None = None, dtype: Any = np.float32):
        self.w = Parameter(init.normal((num_embeddings, features), rng, dtype, std=1.0))

    def forward(self, i: Any) -> Any:
        if i.dtype.kind not in "iu":
            raise TypeError(f"Embedding: expected integers, but got {i.dtype}")
        indices, n = i.data if isinstance(i, Tensor) else i, len(self.w)
        if isinstance(indices, np.ndarray) and indices.size and not 0 <= indices.min() <= indices.max() < n:
            raise IndexError(f"Embedding: integers go from {indices.min()} to {indices.max()}, not from 0 to {n - 1}")
        return self.w[i]

    def _options(self) -> str:
        return f"{self.w.shape[0]}, {self.w.shape[1]}"


class Dropout(Module):
    """In training, each element is 0 with probability rate, else divided by 1 - rate; in eval mode, x itself.

    Srivastava et al. 2014. rng: by default a stream of `seed` of its own. Raises ValueError unless 0 <= rate < 1.
    """

    def __init__(self, rate: float, rng: Generator | None = None):
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout: rate is {rate}, but it must be at least 0 and below 1")
        self.rate, self.rng = rate, rng or new_stream("dropout")

    def forward(self, x: Any) -> Any:
        if not self.training or self.rate == 0:
            return x
        return ops.dropout(x, self.rng.bernoulli(1 - self.rate, x), 1 / (1 - self.rate))

    def _options(self) -> str:
        return str(self.rate)


class Flatten(Module):
    """(N, ...) to (N, C), in C order."""

    def forward(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Reshape(Module):
    """(N, ...) to (N, *shape), in C order."""

    def __init__(self, shape: Sequence[int]):
        self.shape = tuple(shape)

    def forward(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], *self.shape))

    def _options(self) -> str:
        return str(self.shape)
