"""Attention between the places of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import init, ops
from ..checks import check_array, check_input, whole
from ..random import Generator
from ..tensor import Tensor
from .basic import Dense
from .module import Module


class MultiHeadAttention(Module):
    """Each place of x (N, L, features) asks, and each place of y (N, S, features) answers: Vaswani et al. 2017, 3.2.2.

    Queries come from x, keys and values from y, each by a dense layer; each of `heads` parts of the features attends
    by itself (see ops.scaled_dot_product_attention), and a last dense layer mixes the results, (N, L, features).
    y: x itself if it is left out.  mask: (N, L, S) or (L, S), for all heads: booleans, True where a place may attend
    to another (in PyTorch's layer False), or floats, which are added to the scores; (N, 1, S) leaves out padding.
    causal: place i attends to places 0 to i alone.  The weights begin as those of Dense.
    Raises ValueError unless heads divides features, and if x, y or mask does not fit.

    >>> attention, x = tg.layers.MultiHeadAttention(6, heads=2, causal=True), np.eye(6, dtype=np.float32)[None]
    >>> y, of_three = attention(x).numpy(), attention(x[:, :3]).numpy()
    >>> np.allclose(y[:, :3], of_three, atol=1e-6)  # no place sees a later one
    True
    """

    def __init__(
        self,
        features: int,
        heads: int,
        causal: bool = False,
        bias: bool = True,
        weight_init: init.Init = init.glorot_uniform,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ):
        name = "MultiHeadAttention"
        self.features, self.heads = whole(name, "features", features, 1), whole(name, "heads", heads, 1)
        if self.features % self.heads:
            raise ValueError(f"{name}: heads is {heads}, but it must divide {features}, the number of features")
        self.causal = bool(causal)
        options = (self.features, self.features, bias, weight_init, rng, dtype)
        self.query, self.key, self.value, self.out = (Dense(*options) for _ in range(4))

    def forward(self, x: Any, y: Any = None, mask: Any = None) -> Tensor:
        check_input(self, x, least=2, features=self.features)
        if y is None:
            y = x
        check_input(self, y, least=2, features=self.features, name="y")
        if x.shape[:-2] != y.shape[:-2]:
            raise ValueError(f"MultiHeadAttention: x is {x.shape} and y {y.shape}, but they may differ in length alone")
        if mask is not None:
            check_array(self, mask, "mask")
            mask = ops.expand_dims(mask, -3)  # of all heads
        q, k, v = self._parts(self.query(x)), self._parts(self.key(y)), self._parts(self.value(y))
        heads = ops.scaled_dot_product_attention(q, k, v, mask, self.causal)
        return self.out(ops.reshape(ops.swapaxes(heads, -2, -3), x.shape))

    def _parts(self, x: Tensor) -> Tensor:
        """(..., L, features) as (..., heads, L, features / heads)."""
        return ops.swapaxes(ops.reshape(x, (*x.shape[:-1], self.heads, self.features // self.heads)), -2, -3)

    def _options(self) -> str:
        return f"{self.features}, {self.heads}" + (", causal=True" if self.causal else "")
