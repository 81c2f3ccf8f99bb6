"""Cells of recurrent networks: one step in time. A loop over the steps makes a network of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import init, ops
from ..backend import array_module, array_of
from ..checks import check_input, whole
from ..random import Generator, default_rng
from ..tensor import Parameter, Tensor
from .module import Module


class _Cell(Module):
    """What the cells share: w_x (in_features, gates · features), w_h (features, gates · features), b_x and b_h.

    All are uniform on ±1/√features at first, as in PyTorch.
    """

    gates: int

    def __init__(
        self, in_features: int, features: int, bias: bool = True, rng: Generator | None = None, dtype: Any = np.float32
    ):
        name = type(self).__name__
        self.in_features = whole(name, "in_features", in_features, 1)
        self.features = whole(name, "features", features, 1)
        rng = default_rng() if rng is None else init.checked_rng(rng)
        wide, bound = self.gates * self.features, 1 / math.sqrt(self.features)

        def new(*shape: int) -> Parameter:
            return Parameter(rng.uniform(shape, -bound, bound, dtype))

        self.w_x, self.w_h = new(self.in_features, wide), new(self.features, wide)
        self.b_x = new(wide) if bias else None
        self.b_h = new(wide) if bias else None

    def _parts(self, x: Any, h: Any) -> tuple[list[Tensor], list[Tensor]]:
        """w_x x + b_x and w_h h + b_h, each cut into its gates."""
        parts = (_affine(x, self.w_x, self.b_x), _affine(h, self.w_h, self.b_h))
        a, b = (ops.split(part, self.gates, axis=-1) for part in parts)
        return a, b

    def _state(self, x: Any, h: Any, name: str = "h") -> Any:
        """h, or zeros if it is None. Raises ValueError unless x and h fit."""
        check_input(self, x, least=2, features=self.in_features)
        wanted = (*x.shape[:-1], self.features)
        if h is None:
            return array_module(x).zeros(wanted, array_of(self.w_h).dtype)
        check_input(self, h)
        if h.shape != wanted:
            raise ValueError(f"{type(self).__name__}: {name} is {h.shape}, but for x of {x.shape} it must be {wanted}")
        return h

    def _options(self) -> str:
        return f"{self.in_features}, {self.features}" + (", bias=False" if self.b_x is None else "")


def _affine(x: Any, w: Parameter, b: Parameter | None) -> Tensor:
    return x @ w if b is None else ops.dense(x, w, b)


class GRUCell(_Cell):
    """h' = (1 - z) · n + z · h for x (N, in_features) and h (N, features): Cho et al. 2014, as PyTorch has it.

    r = σ(x w_xr + b_xr + h w_hr + b_hr), z = σ(x w_xz + b_xz + h w_hz + b_hz),
    n = tanh(x w_xn + b_xn + r · (h w_hn + b_hn)); each weight and bias holds r, z and n side by side, in this order.
    h: zeros if it is left out. Raises ValueError if x or h does not fit.

    >>> cell = tg.layers.GRUCell(3, 5)
    >>> h = cell(np.zeros((8, 3), np.float32))
    >>> cell(np.ones((8, 3), np.float32), h).shape
    (8, 5)
    """

    gates = 3

    def forward(self, x: Any, h: Any = None) -> Tensor:
        h = self._state(x, h)
        (x_r, x_z, x_n), (h_r, h_z, h_n) = self._parts(x, h)
        z = ops.sigmoid(x_z + h_z)
        n = ops.tanh(x_n + ops.sigmoid(x_r + h_r) * h_n)
        return n + z * (h - n)


class LSTMCell(_Cell):
    """(h', c') = (o · tanh(c'), f · c + i · g) for x (N, in_features), h and c (N, features): Hochreiter and
    Schmidhuber 1997, with the forget gate of Gers et al. 2000, as PyTorch has it.

    i = σ(x w_xi + b_xi + h w_hi + b_hi), f and o likewise, g = tanh(x w_xg + b_xg + h w_hg + b_hg); each weight and
    bias holds i, f, g and o side by side, in this order.
    h, c: zeros if they are left out. Raises ValueError if x, h or c does not fit.

    >>> cell = tg.layers.LSTMCell(3, 5)
    >>> h, c = cell(np.zeros((8, 3), np.float32))
    >>> h.shape, c.shape
    ((8, 5), (8, 5))
    """

    gates = 4

    def forward(self, x: Any, h: Any = None, c: Any = None) -> tuple[Tensor, Tensor]:
        h, c = self._state(x, h), self._state(x, c, "c")
        i, f, g, o = (ops.add(a, b) for a, b in zip(*self._parts(x, h), strict=True))
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c
