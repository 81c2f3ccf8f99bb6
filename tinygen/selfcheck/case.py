"""One call of an op or a layer: its arrays, described here and made when needed, and its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import layers, ops
from ..gradcheck import GradcheckReport, gradcheck
from ..primitives import PRIMITIVES
from ..random import Generator
from ..tensor import Tensor


@dataclass(frozen=True)
class Spec:
    """An array to be made, on the host."""

    make: Callable[[Generator], np.ndarray]
    shape: tuple[int, ...]
    kind: str = ""

    def __repr__(self) -> str:
        return self.kind + str(self.shape).replace(" ", "")


def normal(*shape: int) -> Spec:
    """Draws from N(0, 1)."""
    return Spec(lambda rng: rng.normal(shape, dtype=np.float64), shape)


def uniform(low: float, high: float, *shape: int) -> Spec:
    """Draws from low to high."""
    return Spec(lambda rng: rng.uniform(shape, low, high, np.float64), shape)


def positive(*shape: int) -> Spec:
    """Draws from 0.5 to 2."""
    return uniform(0.5, 2.0, *shape)


def off_zero(*shape: int) -> Spec:
    """Draws of size 0.5 to 1.5 and either sign."""
    return Spec(lambda rng: rng.uniform(shape, 0.5, 1.5, np.float64) * (2.0 * rng.integers(0, 2, shape) - 1), shape)


def off_whole(*shape: int) -> Spec:
    """Draws of about a quarter more than the whole numbers from -2 to 2."""
    return Spec(lambda rng: rng.integers(-2, 3, shape) + rng.uniform(shape, 0.23, 0.27, np.float64), shape)


def near_one(*shape: int) -> Spec:
    """Draws near 1 or -1."""
    return Spec(lambda rng: rng.uniform(shape, 0.97, 1.03, np.float64) * (2.0 * rng.integers(0, 2, shape) - 1), shape)


def distinct(*shape: int, start: float = 0.15) -> Spec:
    """Numbers of either sign, no two closer than 0.2: start plus multiples of 0.3, and a little noise."""

    def make(rng: Generator) -> np.ndarray:
        n = int(np.prod(shape))
        return 0.3 * (rng.permutation(n).reshape(shape) - n // 2) + start + rng.uniform(shape, -0.05, 0.05, np.float64)

    return Spec(make, shape)


def between(*shape: int) -> Spec:
    """Numbers, no two closer than 0.2, and none closer than 0.05 to those of `distinct`."""
    return distinct(*shape, start=0.0)


def index(below: int, *shape: int) -> Spec:
    """Integers from 0 to below - 1."""
    return Spec(lambda rng: rng.integers(0, below, shape), shape, "index")


def mask(*shape: int) -> Spec:
    """Booleans, half of them True."""
    return Spec(lambda rng: rng.permutation(int(np.prod(shape))).reshape(shape) % 2 == 0, shape, "mask")


@dataclass(frozen=True)
class Case:
    """One call of the op or layer `name`."""

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    build: Callable[[], Callable[..., Any]] | None = None  # makes the layer, if it is one

    def __repr__(self) -> str:
        options = (f"{k}={v}".replace(" ", "") for k, v in self.options.items())
        return " ".join([self.name, *(str(a).replace(" ", "") for a in self.args), *options])

    def arrays(self, seed: int = 0) -> list[np.ndarray]:
        """Fresh arrays, in the order of the arguments."""
        rng = Generator(seed, repr(self), "cpu")
        return [spec.make(rng) for spec in _specs(self.args)]

    def arguments(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments, with arrays (or Tensors) instead of their Specs."""
        return _filled(self.args, iter(arrays))

    def function(self) -> Callable[..., Any]:
        """The call as a function of the arrays alone; for a layer, the layer itself."""
        if self.build is not None:
            return self.build()
        op = getattr(ops, self.name, None) or PRIMITIVES[self.name]
        return lambda *arrays: op(*self.arguments(arrays), **self.options)

    def check(self, order: int = 2, seed: int = 0, **options: Any) -> GradcheckReport:
        """gradcheck of this call."""
        f = self.function()
        return gradcheck(f if self.build else lambda *xs: tensors_in(f(*xs)), self.arrays(seed), order, **options)


def _specs(args: Any) -> Iterator[Spec]:
    for a in args:
        if isinstance(a, Spec):
            yield a
        elif isinstance(a, (list, tuple)):
            yield from _specs(a)


def _filled(args: Any, arrays: Iterator[Any]) -> Any:
    """The arguments, with the next array instead of each Spec."""
    return type(args)(
        next(arrays) if isinstance(a, Spec) else _filled(a, arrays) if isinstance(a, (list, tuple)) else a for a in args
    )


def tensors_in(y: Any) -> Any:
    """The Tensors in a result: batch_norm_with_statistics also gives plain arrays, which have no gradient."""
    return tuple(t for t in y if isinstance(t, Tensor)) if isinstance(y, (tuple, list)) else y


def op(name: str, *args: Any, **options: Any) -> Case:
    """A call of an op: its arguments by position, then by name."""
    return Case(name, args, options)


def layer(name: str, build: Callable[[], Callable[..., Any]], *inputs: Spec, **note: Any) -> Case:
    """A call of the layer that build() makes. note: what is special about it, for its line in a report."""
    return Case(name, inputs, note, build)


def same_draw(dropout: layers.Dropout) -> Callable[[Any], Any]:
    """The layer with the same random numbers in every call."""
    state = dropout.rng.state

    def call(x: Any) -> Any:
        dropout.rng.state = state
        return dropout(x)

    return call
