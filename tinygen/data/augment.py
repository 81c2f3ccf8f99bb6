"""Small random changes that make few images go further: each maps a batch (B, H, W, C) to another, on its device.

    augment = Compose(Shift(2), Rotate(10))
    Loader(data.train, 64, augment=augment)

Each image of a batch gets its own draw. Pixels from outside an image are filled with `fill`, the background:
-1.0 for the default value_range (-1, 1), 0.0 for (0, 1).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..backend import Array, array_module
from ..checks import call_of, number, whole
from ..errors import ConfigError
from ..random import Generator, new_stream


class Augment:
    """Base class of the augmentations. It has the stream they draw from; assigning `state` resumes that to the bit.

    rng: a Generator on the device of the batches, by default a stream of `tinygen.seed`.

    >>> class Negative(tg.data.Augment):
    ...     def __call__(self, x):
    ...         return -x
    >>> Negative()(np.array([0.25, -1.0]))
    array([-0.25,  1.  ])
    """

    of_images: ClassVar[bool] = True  # False: points too

    def __init__(self, rng: Generator | None = None):
        self.rng = new_stream(f"augment/{type(self).__name__}") if rng is None else rng

    def __call__(self, x: Array) -> Array:
        raise NotImplementedError

    def __repr__(self) -> str:
        return call_of(self)

    @property
    def state(self) -> Any:
        return self.rng.state

    @state.setter
    def state(self, state: Any) -> None:
        self.rng.state = state


class Compose(Augment):
    """Augmentations applied in order.

    >>> augment = tg.data.Compose(tg.data.Flip(), tg.data.Shift(2))
    >>> augment(np.zeros((8, 28, 28, 1), np.float32)).shape
    (8, 28, 28, 1)
    """

    def __init__(self, *steps: Augment):
        self.steps = steps

    def __call__(self, x: Array) -> Array:
        for step in self.steps:
            x = step(x)
        return x

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.steps))})"

    @property
    def state(self) -> Any:
        return [step.state for step in self.steps]

    @state.setter
    def state(self, state: Any) -> None:
        if len(state) != len(self.steps):
            raise ConfigError(f"Compose: the state is of {len(state)} steps, but this one has {len(self.steps)}")
        for step, one in zip(self.steps, state, strict=True):
            step.state = one


class Shift(Augment):
    """Moves each image by -pixels, ..., pixels whole pixels down and to the right, each equally likely.

    >>> tg.data.Shift(pixels=2)(np.zeros((8, 28, 28, 1), np.float32)).shape
    (8, 28, 28, 1)
    """

    def __init__(self, pixels: int = 2, fill: float = -1.0, rng: Generator | None = None):
        super().__init__(rng)
        self.pixels, self.fill = whole("Shift", "pixels", pixels, 0), number("Shift", "fill", fill)

    def __call__(self, x: Array) -> Array:
        xp, (B, H, W, _) = array_module(x), x.shape
        down, right = self.rng.integers(-self.pixels, self.pixels + 1, (2, B, 1, 1), axis=1)
        rows = xp.clip(xp.arange(H).reshape(H, 1) - down + 1, 0, H + 1)
        cols = xp.clip(xp.arange(W) - right + 1, 0, W + 1)
        return _pick(_framed(x, self.fill), rows, cols)


class Rotate(Augment):
    """Turns each image about its centre by an angle from U(-degrees, degrees), counter-clockwise; bilinear.

    >>> tg.data.Rotate(degrees=10.0)(np.zeros((8, 28, 28, 1), np.float32)).shape
    (8, 28, 28, 1)
    """

    def __init__(self, degrees: float = 10.0, fill: float = -1.0, rng: Generator | None = None):
        super().__init__(rng)
        self.degrees, self.fill = number("Rotate", "degrees", degrees, 0, 180), number("Rotate", "fill", fill)

    def __call__(self, x: Array) -> Array:
        xp, (B, H, W, _) = array_module(x), x.shape
        angle = self.rng.uniform((B, 1, 1), -math.radians(self.degrees), math.radians(self.degrees))
        cos, sin = xp.cos(angle), xp.sin(angle)
        down = xp.arange(H, dtype=x.dtype).reshape(H, 1) - (H - 1) / 2
        right = xp.arange(W, dtype=x.dtype) - (W - 1) / 2
        return bilinear(x, cos * down + sin * right + (H - 1) / 2, cos * right - sin * down + (W - 1) / 2, self.fill)


class Flip(Augment):
    """Mirrors each image left to right with probability p.

    >>> tg.data.Flip(p=1.0)(np.array([1.0, 2.0]).reshape(1, 1, 2, 1)).ravel()
    array([2., 1.])
    """

    def __init__(self, p: float = 0.5, rng: Generator | None = None):
        super().__init__(rng)
        self.p = number("Flip", "p", p, 0, 1)

    def __call__(self, x: Array) -> Array:
        mirrored = self.rng.uniform((len(x), 1, 1, 1)) < self.p
        return array_module(x).where(mirrored, x[:, :, ::-1], x)


class Noise(Augment):
    """Adds N(0, std²) to every value; nothing is clipped, so the result may leave the value_range.

    >>> float(tg.data.Noise(std=0.0)(np.ones((1, 2, 2, 1), np.float32)).mean())
    1.0
    """

    of_images = False

    def __init__(self, std: float = 0.05, rng: Generator | None = None):
        super().__init__(rng)
        self.std = number("Noise", "std", std, 0)

    def __call__(self, x: Array) -> Array:
        return x + self.rng.normal(x.shape, std=self.std, dtype=x.dtype)


def bilinear(x: Array, rows: Array, cols: Array, fill: float) -> Array:
    """x (B, H, W, C) interpolated at rows and cols that broadcast to (B, H', W'); `fill` outside of x.

    With v = rows - floor(rows) and u = cols - floor(cols):
    y = (1-v)(1-u) x[top, left] + (1-v)u x[top, right] + v(1-u) x[bottom, left] + vu x[bottom, right]
    """
    xp, (_, H, W, _) = array_module(x), x.shape
    rows, cols = xp.clip(rows + 1, 0, H + 1), xp.clip(cols + 1, 0, W + 1)
    top, left = xp.clip(xp.floor(rows), 0, H), xp.clip(xp.floor(cols), 0, W)
    v, u = (rows - top)[..., np.newaxis], (cols - left)[..., np.newaxis]
    framed, top, left = _framed(x, fill), top.astype(np.int64), left.astype(np.int64)
    above = _pick(framed, top, left) * (1 - u) + _pick(framed, top, left + 1) * u
    below = _pick(framed, top + 1, left) * (1 - u) + _pick(framed, top + 1, left + 1) * u
    return above * (1 - v) + below * v


def _framed(x: Array, fill: float) -> Array:
    """x with a border of one pixel of fill, which stands for everything outside."""
    B, H, W, C = x.shape
    framed = array_module(x).full((B, H + 2, W + 2, C), fill, x.dtype)
    framed[:, 1:-1, 1:-1] = x
    return framed


def _pick(x: Array, rows: Array, cols: Array) -> Array:
    """x[b, rows, cols] for each image b, by one gather: rows and cols are ints that broadcast to (B, H', W')."""
    B, H, W, C = x.shape
    image = array_module(x).arange(B).reshape(B, 1, 1)
    return x.reshape(B * H * W, C).take((image * H + rows) * W + cols, axis=0)
