"""Initial weights. Each function takes the weights' shape, (..., in, out), and a generator, and returns an array.

In a convolution's kernel (KH, KW, in, out) every weight of the window counts: fan_in = KH · KW · in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .backend import Array, current_module, is_array
from .checks import number, type_of, whole
from .random import Generator, default_rng

__all__ = [
    "Init",
    "fan_in_uniform",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "icnr",
    "normal",
    "ones",
    "orthogonal",
    "zeros",
]


def __dir__() -> list[str]:
    return __all__


Init: TypeAlias = Callable[[tuple[int, ...], "Generator | None", Any], Array]


def weights(owner: str, init: Init, shape: tuple[int, ...], rng: Generator | None, dtype: Any) -> Array:
    """A layer's initial weights. Raises TypeError or ValueError, naming the layer, if init is not a function or gives
    another shape."""
    if not callable(init):
        raise TypeError(f"{owner}: weight_init is {init!r}, but it must be a function, such as init.he_normal")
    w = init(shape, rng, dtype)
    if not is_array(w) or w.shape != shape:
        raise ValueError(f"{owner}: weight_init gave {type_of(w)}, but the weights must be an array {shape}")
    return w


def biases(
    owner: str, bias: bool, size: int, dtype: Any, init: Init, shape: tuple[int, ...], rng: Generator | None
) -> Array | None:
    """A layer's initial biases, 0 unless fan_in_uniform makes its weights, of this shape; None if it has none. Raises
    TypeError unless bias is True or False."""
    if not isinstance(bias, (bool, np.bool_)):
        raise TypeError(f"{owner}: bias is {bias!r}, but it must be True or False; an activation is a layer of its own")
    if bias and init is fan_in_uniform:
        a = 1 / math.sqrt(_fans(shape)[0])
        return _source(rng).uniform((size,), -a, a, dtype)
    return zeros((size,), None, dtype) if bias else None


def checked_rng(rng: Any) -> Generator:
    """rng itself. Raises TypeError unless it is a Generator; NumPy's take other arguments, and a seed is no stream."""
    if not isinstance(rng, Generator):
        raise TypeError(f"rng is {rng!r}, but it must be a tinygen.Generator, such as Generator(0)")
    return rng


def _source(rng: Generator | None) -> Generator:
    return default_rng() if rng is None else checked_rng(rng)


def _shape(shape: Any, dtype: Any) -> tuple[int, ...]:
    """The shape as a tuple of ints. Raises ValueError unless it is a shape, TypeError unless the dtype is of floats."""
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in lengths):
        raise ValueError(f"init: shape is {shape!r}, but it must be a tuple of lengths, such as (in, out)")
    try:
        kind = "" if dtype is None else np.dtype(dtype).kind  # NumPy takes None for float64
    except TypeError:
        kind = ""
    if kind != "f":
        raise TypeError(f"init: dtype is {dtype!r}, but weights must be floats, such as float32")
    return tuple(int(n) for n in lengths)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        raise ValueError(f"init: weights of shape {shape} have no fan; expected at least (in, out)")
    window = math.prod(shape[:-2])
    return max(window * shape[-2], 1), max(window * shape[-1], 1)


def glorot_uniform(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """U(-a, a) with a = √(6 / (fan_in + fan_out)): Glorot and Bengio 2010, eq. 16.

    >>> dense = tg.layers.Dense(100, 50, weight_init=tg.init.glorot_uniform)
    >>> bool((abs(dense.w.data) <= 0.2).all())
    True
    """
    shape = _shape(shape, dtype)
    a = math.sqrt(6 / sum(_fans(shape)))
    return _source(rng).uniform(shape, -a, a, dtype)


def glorot_normal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """N(0, 2 / (fan_in + fan_out)): the variance of Glorot and Bengio 2010, eq. 12.

    >>> tg.init.glorot_normal((5, 5, 3, 64)).shape
    (5, 5, 3, 64)
    """
    shape = _shape(shape, dtype)
    return _source(rng).normal(shape, 0.0, math.sqrt(2 / sum(_fans(shape))), dtype)


def he_uniform(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """U(-a, a) with a = √(6 / fan_in): the variance of He et al. 2015, eq. 10, for layers before a ReLU.

    >>> bool((abs(tg.init.he_uniform((600, 10))) <= 0.1).all())
    True
    """
    shape = _shape(shape, dtype)
    a = math.sqrt(6 / _fans(shape)[0])
    return _source(rng).uniform(shape, -a, a, dtype)


def he_normal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """N(0, 2 / fan_in): He et al. 2015, eq. 10, for layers before a ReLU.

    >>> w = tg.init.he_normal((200, 1000), tg.Generator(0))
    >>> round(float(w.std()), 2)
    0.1
    """
    shape = _shape(shape, dtype)
    return _source(rng).normal(shape, 0.0, math.sqrt(2 / _fans(shape)[0]), dtype)


def fan_in_uniform(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """U(-a, a) with a = 1 / √fan_in, in a layer the biases as well: what PyTorch's Linear and Conv begin with.

    >>> bool((abs(tg.init.fan_in_uniform((100, 10))) <= 0.1).all())
    True
    """
    shape = _shape(shape, dtype)
    a = 1 / math.sqrt(_fans(shape)[0])
    return _source(rng).uniform(shape, -a, a, dtype)


def normal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32, std: float = 0.02) -> Array:
    """N(0, std²); 0.02 is the DCGAN's (Radford et al. 2015, section 4).

    >>> conv = tg.layers.Conv(64, 64, 5, weight_init=tg.init.normal)
    >>> round(float(conv.w.data.std()), 3)
    0.02
    """
    shape, std = _shape(shape, dtype), number("init.normal", "std", std, 0)
    return _source(rng).normal(shape, 0.0, std, dtype)


def orthogonal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """Orthonormal rows or columns, whichever are fewer, of the weights as a matrix (... · in, out): Saxe et al. 2013.

    From the QR decomposition of a Gaussian matrix, with the signs of R's diagonal, so that all such matrices are
    equally likely.

    >>> w = tg.init.orthogonal((3, 2), tg.Generator(0), np.float64)
    >>> bool(np.allclose(w.T @ w, np.eye(2)))
    True
    """
    shape = _shape(shape, dtype)
    fan_in, out = _fans(shape)[0], shape[-1]
    xp = current_module()
    if not math.prod(shape):
        return xp.zeros(shape, dtype)
    q, r = xp.linalg.qr(_source(rng).normal((max(fan_in, out), min(fan_in, out)), dtype=np.float64))
    q = q * xp.sign(xp.diagonal(r))
    return (q if fan_in >= out else q.T).reshape(shape).astype(dtype)


def icnr(factor: int, weight_init: Init = glorot_uniform) -> Init:
    """Weights for a convolution before pixel_shuffle by this factor: Aitken et al. 2017. Each weight_init draws goes to
    all factor² channels of a block, so that at first the block is constant and the image has no checkerboard.

    >>> w = tg.init.icnr(2)((3, 3, 8, 4))
    >>> bool((w == w[..., :1]).all())  # the four channels of a block begin alike
    True
    """
    r = whole("init.icnr", "factor", factor, 1)

    def init(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
        shape = _shape(shape, dtype)
        if shape[-1] % (r * r):
            raise ValueError(f"init.icnr: {shape[-1]} channels, but they must be a multiple of {r}² = {r * r}")
        return weight_init((*shape[:-1], shape[-1] // (r * r)), rng, dtype).repeat(r * r, axis=-1)

    return init


def zeros(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """All 0, for biases.

    >>> tg.init.zeros((3,))
    array([0., 0., 0.], dtype=float32)
    """
    shape = _shape(shape, dtype)
    return current_module().zeros(shape, dtype)


def ones(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """All 1, for gains.

    >>> tg.init.ones((3,))
    array([1., 1., 1.], dtype=float32)
    """
    shape = _shape(shape, dtype)
    return current_module().ones(shape, dtype)
