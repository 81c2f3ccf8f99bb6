"""Initial weights. Each takes the shape of the weights, (..., in, out), and a generator, and returns an array.

In a convolution's kernel (KH, KW, in, out) every weight of the window counts: fan_in = KH · KW · in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .backend import Array, Generator, current_module, default_rng

Init: TypeAlias = Callable[[tuple[int, ...], "Generator | None", Any], Array]


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        raise ValueError(f"init: weights of shape {shape} have no fan; expected at least (in, out)")
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def glorot_uniform(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """U(-a, a) with a = √(6 / (fan_in + fan_out)): Glorot and Bengio 2010, eq. 16."""
    a = math.sqrt(6 / sum(_fans(shape)))
    return (rng or default_rng()).uniform(shape, -a, a, dtype)


def glorot_normal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """N(0, 2 / (fan_in + fan_out)): the variance of Glorot and Bengio 2010, eq. 12."""
    return (rng or default_rng()).normal(shape, 0.0, math.sqrt(2 / sum(_fans(shape))), dtype)


def he_uniform(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """U(-a, a) with a = √(6 / fan_in): the variance of He et al. 2015, eq. 10, for layers before a ReLU."""
    a = math.sqrt(6 / _fans(shape)[0])
    return (rng or default_rng()).uniform(shape, -a, a, dtype)


def he_normal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """N(0, 2 / fan_in): He et al. 2015, eq. 10, for layers before a ReLU."""
    return (rng or default_rng()).normal(shape, 0.0, math.sqrt(2 / _fans(shape)[0]), dtype)


def normal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32, std: float = 0.02) -> Array:
    """N(0, std²); 0.02 is what the DCGAN takes (Radford et al. 2015, section 4)."""
    return (rng or default_rng()).normal(shape, 0.0, std, dtype)


def orthogonal(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """Orthonormal rows or columns, whichever are fewer, of the weights seen as (... · in, out): Saxe et al. 2013.

    From the QR decomposition of a Gaussian matrix, with the signs of R's diagonal, so that all are equally likely.
    """
    fan_in, out = _fans(shape)[0], shape[-1]
    xp = current_module()
    q, r = xp.linalg.qr((rng or default_rng()).normal((max(fan_in, out), min(fan_in, out)), dtype=np.float64))
    q = q * xp.sign(xp.diagonal(r))
    return (q if fan_in >= out else q.T).reshape(shape).astype(dtype)


def zeros(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """All 0, as biases begin."""
    return current_module().zeros(shape, dtype)


def ones(shape: tuple[int, ...], rng: Generator | None = None, dtype: Any = np.float32) -> Array:
    """All 1, as gains begin."""
    return current_module().ones(shape, dtype)
