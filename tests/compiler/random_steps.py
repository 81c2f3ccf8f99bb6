"""Random steps on arrays that outlive them: functions of elements, views, writes into views, sums and products."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygen.backend import array_module

SHAPES = [(4, 6), (6,), (4, 1), (1, 6), (), (3, 4, 2), (24,), (0, 3)]
UNARY = ["negative", "absolute", "tanh", "sign", "square", "floor", "exp"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "greater", "less_equal"]


def states(seed: int) -> list[np.ndarray]:
    """The arrays that outlive a step."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in SHAPES]


def batch(seed: int) -> list[np.ndarray]:
    """The arrays that a step is given."""
    rng = np.random.default_rng([seed, 1])
    return [rng.normal(size=(4, 6)), rng.normal(size=(3, 4, 2))]


def random_step(seed: int, length: int, held: Sequence[np.ndarray]) -> Callable[..., list[Any]]:
    """A step that takes `length` random actions, the same each time."""

    def step(x: Any, y: Any) -> list[Any]:
        actor = _Actor(random.Random(seed), [x * 1, y * 1, *held])
        for _ in range(length):
            actor.act()
        return [actor.pick(), *actor.values[-2:], *actor.returned]

    return step


class _Actor:
    """What a step has so far, and what it does next."""

    def __init__(self, choose: random.Random, values: list[Any]):
        self.choose, self.values, self.returned = choose, values, list[Any]()
        self.actions = [self.elements, self.elements, self.elements, self.change, self.change, self.assign]
        self.actions += [self.look, self.look, self.reduce, self.multiply, self.give]

    def act(self) -> None:
        self.choose.choice(self.actions)()

    def pick(self, fits: Callable[[Any], bool] = lambda v: True) -> Any:
        return self.choose.choice([v for v in self.values if fits(v)])

    def keep(self, y: Any) -> None:
        self.values.append(y if hasattr(y, "strides") and not isinstance(y, np.generic) else np.asarray(y))

    def elements(self) -> None:
        x = self.pick(_is_float)
        xp, name = array_module(x), self.choose.choice([*UNARY, *BINARY, "where", "divide"])
        y = self.pick(lambda v: _broadcast(x, v) is not None) if self.choose.random() < 0.8 else 0.7
        if name in UNARY:
            self.keep(getattr(xp, name)(xp.clip(x, -2.0, 2.0)))
        elif name == "where":
            self.keep(xp.where(xp.greater(x, 0), y, x))
        else:
            self.keep(x / (y * y + 1) if name == "divide" else getattr(xp, name)(x, y * 1))

    def change(self) -> None:
        x = self.pick(lambda v: _is_float(v) and v.flags.writeable)
        y = self.pick(lambda v: _broadcast(v, x) == x.shape) if self.choose.random() < 0.8 else 0.25
        match self.choose.randrange(3):
            case 0:
                x += y
            case 1:
                x -= y * 0.5
            case _:
                x *= array_module(x).clip(y * 1.0, -1.0, 1.0) if hasattr(y, "shape") else y

    def assign(self) -> None:
        x = self.pick(lambda v: _is_float(v) and v.flags.writeable)
        part = slice(1, None) if x.ndim and x.shape[0] > 1 and self.choose.random() < 0.5 else ...
        x[part] = self.pick(lambda v: _broadcast(v, x[part]) == x[part].shape)

    def look(self) -> None:
        x = self.pick()
        views = [lambda: x.T, lambda: x.reshape(-1), lambda: x[1:], lambda: x[::2], lambda: x[::-1], lambda: x[..., 0]]
        if x.ndim and x.size:
            self.values.append(self.choose.choice(views)())

    def reduce(self) -> None:
        x = self.pick(lambda v: _is_float(v) and v.ndim > 0 and v.size > 0)
        axis, name = self.choose.randrange(x.ndim), self.choose.choice(["sum", "max", "mean"])
        self.keep(getattr(x, name)(axis=axis, keepdims=self.choose.random() < 0.5))

    def multiply(self) -> None:
        x = self.pick(lambda v: _is_float(v) and v.ndim == 2)
        xp = array_module(x)
        self.keep(xp.clip(x, -1.0, 1.0) @ xp.clip(x, -1.0, 1.0).T)

    def give(self) -> None:
        self.returned.append(self.pick())


def _is_float(x: Any) -> bool:
    return x.dtype.kind == "f"


def _broadcast(x: Any, y: Any) -> tuple[int, ...] | None:
    """The shape of x + y, if there is one, and it is small."""
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return None
    return shape if np.prod(shape, dtype=int) < 200 else None
