"""Activations, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import init, ops
from ..checks import check_input, number, whole
from ..tensor import Parameter, Tensor
from .module import Module


class LeakyReLU(Module):
    """x where x > 0, slope · x elsewhere. Keras's default slope is 0.3, PyTorch's is 0.01; GANs take 0.2.

    Raises ValueError unless 0 <= slope <= 1.

    >>> tg.layers.LeakyReLU(0.2)(tg.tensor([-1.0, 2.0]))
    Tensor([-0.2,  2. ], dtype=float32)
    """

    def __init__(self, slope: float = 0.2):
        self.slope = number("LeakyReLU", "slope", slope, 0, 1)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.leaky_relu(x, self.slope)

    def _options(self) -> str:
        return str(self.slope)


class PReLU(Module):
    """x where x > 0, slope · x elsewhere, with slopes that are learnt: see ops.prelu.

    features: 1, one slope for all, or C, one for each channel of x (..., C).  slope: the value of each at first.
    Raises ValueError if x has another number of channels.

    >>> tg.layers.PReLU()(tg.tensor([-1.0, 2.0])).detach()
    Tensor([-0.25,  2.  ], dtype=float32)
    """

    def __init__(self, features: int = 1, slope: float = 0.25, dtype: Any = np.float32):
        whole("PReLU", "features", features, 1)
        self.slope = Parameter(number("PReLU", "slope", slope) * init.ones((features,), dtype=dtype))

    def forward(self, x: Any) -> Tensor:
        features = self.slope.shape[0]
        check_input(self, x, features=features if features > 1 else None)
        return ops.prelu(x, self.slope)

    def _options(self) -> str:
        return str(self.slope.shape[0])


class ReLU(Module):
    """max(x, 0).

    >>> tg.layers.ReLU()(tg.tensor([-1.0, 2.0]))
    Tensor([0., 2.], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.relu(x)


class SiLU(Module):
    """x · σ(x), also called swish: see ops.silu.

    >>> tg.layers.SiLU()(tg.tensor([-1.0, 10.0])).numpy().round(3)
    array([-0.269, 10.   ], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.silu(x)


class GELU(Module):
    """x · Φ(x): see ops.gelu.  approximate: by a formula with tanh.

    >>> tg.layers.GELU()(tg.tensor([-1.0, 10.0])).numpy().round(3)
    array([-0.159, 10.   ], dtype=float32)
    """

    def __init__(self, approximate: bool = False):
        self.approximate = bool(approximate)

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.gelu(x, self.approximate)

    def _options(self) -> str:
        return "approximate=True" if self.approximate else ""


class Tanh(Module):
    """tanh x.

    >>> tg.layers.Tanh()(tg.tensor([0.0]))
    Tensor([0.], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ).

    >>> tg.layers.Sigmoid()(tg.tensor([0.0]))
    Tensor([0.5], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.sigmoid(x)


class Softplus(Module):
    """log(1 + eˣ).

    >>> tg.layers.Softplus()(tg.tensor([0.0])).numpy().round(3)
    array([0.693], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x)
        return ops.softplus(x)
