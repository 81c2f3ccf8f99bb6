"""Optimisers: SGD, RMSprop, Adam, AdamW. What they share is in optimizer.py, schedules in schedules.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import kernels
from .backend import Array, array_module
from .checks import number
from .names import MissingName
from .optimizer import Optimizer, Rate, by_element
from .schedules import cosine_decay, exponential_decay, linear_decay, step_decay
from .tensor import Parameter

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .optimizer import Options

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "Rate",
    "cosine_decay",
    "exponential_decay",
    "linear_decay",
    "step_decay",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a type checker would take every name for one that may come

    def __getattr__(name: str) -> Any:
        raise MissingName(__name__, name)


class SGD(Optimizer):
    """v ← momentum · v + g,  p ← p - lr · v; with nesterov p ← p - lr · (g + momentum · v): Sutskever et al. 2013.

    >>> p = tg.Parameter(np.array([1.0]))
    >>> tg.optim.SGD([p], lr=0.1).step([np.array([2.0])])
    >>> p.numpy()
    array([0.8])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ):
        self.momentum, self.nesterov = number("SGD", "momentum", momentum, 0, below=1), nesterov
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum, such as 0.9")
        self.slots = ("v",) if momentum else ()
        super().__init__(params, lr, **options)

    @classmethod
    def options_of(cls, config: Any) -> dict[str, Any]:
        return {"momentum": config.beta1}

    @by_element
    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        if state:
            (v,) = state
            v *= self.momentum
            v += g
            g = g + self.momentum * v if self.nesterov else v
        p -= lr * g


class RMSprop(Optimizer):
    """v ← alpha · v + (1 - alpha) · g²,  p ← p - lr · g / (√v + eps): Tieleman and Hinton 2012, eps as in PyTorch.

    >>> p = tg.Parameter(np.array([1.0]))
    >>> tg.optim.RMSprop([p], lr=0.1, alpha=0.75).step([np.array([2.0])])
    >>> p.numpy().round(6)
    array([0.8])
    """

    slots = squares = ("v",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        **options: Unpack[Options],
    ):
        self.alpha, self.eps = number("RMSprop", "alpha", alpha, 0, below=1), number("RMSprop", "eps", eps, 0)
        super().__init__(params, lr, **options)

    @classmethod
    def options_of(cls, config: Any) -> dict[str, Any]:
        return {"alpha": config.beta2, "eps": config.eps}

    @by_element
    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        (v,) = state
        v *= self.alpha
        v += (1 - self.alpha) * g * g
        p -= lr * g / (array_module(v).sqrt(v) + self.eps)


class Adam(Optimizer):
    """p ← p - lr · m̂ / (√v̂ + eps), m̂ and v̂ the corrected means of g and g²: Kingma and Ba 2015, algorithm 1.

    The correction depends on this optimiser's step count, the same for all parameters. Keras's default eps is 1e-7.

    >>> p = tg.Parameter(np.array([1.0]))
    >>> tg.optim.Adam([p], lr=0.1).step([np.array([2.0])])  # the first step is lr long, whatever the gradient
    >>> p.numpy().round(6)
    array([0.9])
    """

    slots, squares = ("m", "v"), ("v",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        **options: Unpack[Options],
    ):
        name = type(self).__name__
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"{name}: betas is {betas!r}, but it must be a pair of numbers, such as (0.9, 0.999)")
        beta1, beta2 = (number(name, f"beta{i}", beta, 0, below=1) for i, beta in enumerate(betas, 1))
        self.betas, self.eps = (beta1, beta2), number(name, "eps", eps, 0)
        super().__init__(params, lr, **options)

    @classmethod
    def options_of(cls, config: Any) -> dict[str, Any]:
        return {"betas": (config.beta1, config.beta2), "eps": config.eps}

    @by_element
    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        (m, v), (beta1, beta2) = state, self.betas
        kernels.adam(p, g, m, v, lr, beta1, beta2, self.eps, self.t)


class AdamW(Adam):
    """Adam, with p ← p - lr · weight_decay · p before it: Loshchilov and Hutter 2019, algorithm 2.

    >>> p = tg.Parameter(np.array([1.0]))
    >>> tg.optim.AdamW([p], lr=0.1, weight_decay=0.5).step([np.array([2.0])])
    >>> p.numpy().round(6)
    array([0.85])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        **options: Unpack[Options],
    ):
        self.weight_decay = number("AdamW", "weight_decay", weight_decay, 0)
        super().__init__(params, lr, betas, eps, **options)

    @by_element
    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        p *= 1 - lr * self.weight_decay
        super().update(p, g, *state, lr=lr)


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD}
