"""Optimisers, learning-rate schedules and gradient clipping.

An optimiser moves its parameters into one flat buffer, of which each becomes a view, and keeps its state the same way.
A step goes over the parameters and takes each gradient where it lies: to gather them first would move all once more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from . import kernels
from .backend import Array, array_module, to_device
from .errors import GradientError
from .tape import check_shape
from .tensor import Parameter, Tensor

Rate: TypeAlias = "float | Callable[[int], float]"  # a number, or a schedule: the rate of step 0, 1, 2, ...


class Optimizer:
    """What all optimisers share: the flat buffers, the gathering of gradients, clipping, and the count of steps, `t`.

    lr: a number or a schedule.  clip_norm: scale the gradient, taken as one long vector, down to this length if it is
    longer (Pascanu et al. 2013, algorithm 1).  clip_value: cut every element to ± this first.
    Raises ValueError for parameters that are none, not Parameters, or not all of one dtype and device.
    """

    slots: tuple[str, ...] = ()  # the names of the state's buffers

    def __init__(
        self, params: Iterable[Parameter], lr: Rate, clip_norm: float | None = None, clip_value: float | None = None
    ):
        self.params = [] if hasattr(params, "parameters") else list(params)  # a module is no list of parameters
        self.lr, self.clip_norm, self.clip_value = lr, clip_norm, clip_value
        name = type(self).__name__
        if not self.params or not all(isinstance(p, Tensor) for p in self.params):
            raise ValueError(f"{name}: params must be a list of at least one Parameter, such as module.parameters()")
        if len({id(p) for p in self.params}) != len(self.params):
            raise ValueError(f"{name}: params names a Parameter twice")
        if len({(p.dtype, p.device) for p in self.params}) > 1:
            raise ValueError(f"{name}: params must be of one dtype and device; give each kind an optimiser of its own")
        if not callable(lr) and not lr >= 0:
            raise ValueError(f"{name}: lr is {lr}, but it must be at least 0")
        for option, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if limit is not None and not limit > 0:
                raise ValueError(f"{name}: {option} is {limit}, but it must be above 0")
        kernels.memory.keep()
        xp = array_module(self.params[0])
        ends = np.cumsum([p.size for p in self.params]).tolist()
        self._slices = [slice(end - p.size, end) for p, end in zip(self.params, ends, strict=True)]
        self.flat = xp.zeros(ends[-1], self.params[0].dtype)
        self.state = {slot: kernels.wide(xp.zeros_like(self.flat)) for slot in self.slots}  # g² of float16 would be 0
        self.t = 0
        self._make_views()

    def _make_views(self) -> None:
        self._views = [self.flat[s].reshape(p.shape) for p, s in zip(self.params, self._slices, strict=True)]
        self._parts = [[array[s] for array in (self.flat, *self.state.values())] for s in self._slices]
        self._adopt()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._make_views()  # copies of the old ones, as deepcopy makes them, are no views

    def _adopt(self) -> None:
        """Make every parameter a view of the flat buffer: at first, and when somebody gave one another array since."""
        for p, view in zip(self.params, self._views, strict=True):
            if p._data is not view:
                view[...] = p._data
                p._data = view

    def zero_grad(self) -> None:
        """Forget the gradients: every `.grad` becomes None."""
        for p in self.params:
            p.grad = None

    def step(self, grads: Sequence[Any] | None = None) -> None:
        """Change the parameters by one step: along grads, in the order of the parameters, or along their `.grad`.

        A parameter whose gradient is None stays as it is, and so does its state. Raises GradientError if all are None,
        if there are not as many gradients as parameters, or if one has another shape.
        """
        grads = [p.grad for p in self.params] if grads is None else list(grads)
        self._check(grads)
        self._adopt()
        given = [(i, getattr(g, "_data", g)) for i, g in enumerate(grads) if g is not None]
        given = [(i, g.copy() if g is self.flat or g.base is self.flat else g) for i, g in given]  # a parameter itself
        flat = self._clipped([kernels.wide(g.astype(self.flat.dtype, copy=False)).reshape(-1) for _, g in given])
        lr = float(self.lr(self.t) if callable(self.lr) else self.lr)
        self.t += 1
        for (i, _), g in zip(given, flat, strict=True):
            p, *state = self._parts[i]
            self.update(p, g, *state, lr=lr)
            self.params[i].changed()

    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        """Change flat p and state in place, given the flat gradient g (not to be changed) and `self.t` >= 1."""
        raise NotImplementedError(f"{type(self).__name__} has no update(); write one")

    def _check(self, grads: list[Any]) -> None:
        name = type(self).__name__
        if len(grads) != len(self.params):
            raise GradientError(f"{name}.step: got {len(grads)} gradients for {len(self.params)} parameters")
        if all(g is None for g in grads):
            raise GradientError(f"{name}.step: no parameter has a gradient; call backward() first, or pass grads")
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                check_shape(g, p, f"{name}.step: the gradient of {p.name or 'a parameter'}")

    def _clipped(self, grads: list[Array]) -> list[Array]:
        if self.clip_value is not None:
            grads = [g.clip(-self.clip_value, self.clip_value) for g in grads]
        if self.clip_norm is not None:
            xp = array_module(grads[0])
            norm = xp.sqrt(sum((g * g).sum() for g in grads))
            grads = [g * xp.minimum(self.clip_norm / (norm + 1e-6), 1) for g in grads]
        return grads

    def state_dict(self) -> dict[str, Array]:
        """Copies of the state: the step count `t` and each buffer."""
        return {"t": np.asarray(self.t), **{slot: s.copy() for slot, s in self.state.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state_dict. Raises ValueError if it is of another optimiser or other parameters."""
        self.check_state(state)
        self.t = int(state["t"])
        for slot, s in self.state.items():
            s[...] = to_device(state[slot], self.params[0].device)

    def check_state(self, state: dict[str, Any]) -> None:
        """Raise the ValueError of load_state_dict, if there is one."""
        own, given = ({name: x.shape for name, x in d.items()} for d in (self.state_dict(), state))
        if own != given:
            raise ValueError(f"load_state_dict: this {type(self).__name__} keeps {own}, but the state has {given}")


class SGD(Optimizer):
    """v ← momentum · v + g,  p ← p - lr · v; with nesterov p ← p - lr · (g + momentum · v): Sutskever et al. 2013."""

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ):
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum is {momentum}, but it must be at least 0 and below 1")
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum, such as 0.9")
        self.momentum, self.nesterov = momentum, nesterov
        self.slots = ("v",) if momentum else ()
        super().__init__(params, lr, clip_norm, clip_value)

    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        if state:
            (v,) = state
            v *= self.momentum
            v += g
            g = g + self.momentum * v if self.nesterov else v
        p -= lr * g


class RMSprop(Optimizer):
    """v ← alpha · v + (1 - alpha) · g²,  p ← p - lr · g / (√v + eps): Tieleman and Hinton 2012, eps as in PyTorch."""

    slots = ("v",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ):
        if not 0 <= alpha < 1:
            raise ValueError(f"RMSprop: alpha is {alpha}, but it must be at least 0 and below 1")
        self.alpha, self.eps = alpha, eps
        super().__init__(params, lr, clip_norm, clip_value)

    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        (v,) = state
        v *= self.alpha
        v += (1 - self.alpha) * g * g
        p -= lr * g / (array_module(v).sqrt(v) + self.eps)


class Adam(Optimizer):
    """p ← p - lr · m̂ / (√v̂ + eps), m̂ and v̂ the corrected means of g and g²: Kingma and Ba 2015, algorithm 1.

    The correction counts this optimiser's steps, for all parameters alike. Keras's default eps is 1e-7.
    """

    slots = ("m", "v")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ):
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}: betas are {betas}, but both must be at least 0 and below 1")
        self.betas, self.eps = betas, eps
        super().__init__(params, lr, clip_norm, clip_value)

    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        (m, v), (beta1, beta2) = state, self.betas
        kernels.adam(p, g, m, v, lr, beta1, beta2, self.eps, self.t)


class AdamW(Adam):
    """Adam, and p ← p - lr · weight_decay · p beside it: Loshchilov and Hutter 2019, algorithm 2."""

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ):
        self.weight_decay = weight_decay
        super().__init__(params, lr, betas, eps, clip_norm, clip_value)

    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        p *= 1 - lr * self.weight_decay
        super().update(p, g, *state, lr=lr)


# Schedules: functions of the step, from 0. After the last step the rate stays where it is.


def _warm(rate: Callable[[int], float], lr: float, warmup: int) -> Callable[[int], float]:
    return lambda step: lr * (step + 1) / warmup if step < warmup else rate(step - warmup)


def linear_decay(lr: float, steps: int, final: float = 0.0, warmup: int = 0) -> Callable[[int], float]:
    """From lr to final in a straight line, over steps - warmup steps after a linear rise over warmup steps."""
    return _warm(lambda i: lr + (final - lr) * min(i / max(steps - warmup, 1), 1.0), lr, warmup)


def cosine_decay(lr: float, steps: int, final: float = 0.0, warmup: int = 0) -> Callable[[int], float]:
    """final + ½ (lr - final)(1 + cos(π i / n)), n = steps - warmup: Loshchilov and Hutter 2017, eq. 5."""

    def rate(i: int) -> float:
        return final + 0.5 * (lr - final) * (1 + math.cos(math.pi * min(i / max(steps - warmup, 1), 1.0)))

    return _warm(rate, lr, warmup)


def exponential_decay(lr: float, factor: float, every: int = 1) -> Callable[[int], float]:
    """lr · factor^(i / every): smooth, times factor every so many steps."""
    return lambda i: lr * factor ** (i / every)


def step_decay(lr: float, factor: float, every: int) -> Callable[[int], float]:
    """lr · factor^⌊i / every⌋: constant, then times factor, and so on."""
    return lambda i: lr * factor ** (i // every)


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam, "adamw": AdamW}
