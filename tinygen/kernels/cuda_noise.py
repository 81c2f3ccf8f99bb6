"""Draws of random numbers for CuPy, as in noise.py: a launch a draw instead of a dozen."""

from __future__ import annotations

import functools
from typing import Any

import cupy
import numpy as np

from ..backend import Array
from . import noise


@functools.cache
def _noise(name: str) -> Any:
    return cupy.ElementwiseKernel(*noise.CUDA[name], f"tinygen_{name}", preamble=noise.MIX_CUDA)


def bits(out: Array, first: np.uint64) -> Array:
    """As noise.bits, in one launch."""
    return _noise("bits")(first, out)


def bernoulli(out: Array, first: np.uint64, below: int) -> Array:
    """As noise.bernoulli, in one launch."""
    return _noise("bernoulli")(first, below, out)


def uniform(out: Array, first: np.uint64) -> Array:
    """As noise.uniform, in one launch; float16 is left to the definition."""
    if out.dtype.itemsize <= 2:
        return noise.uniform(out, first)
    return _noise("uniform")(first, *noise.resolution(out.dtype), out)


def normal(out: Array, first: np.uint64) -> Array:
    """As noise.normal, in one launch; float16 is left to the definition."""
    return noise.normal(out, first) if out.dtype.itemsize <= 2 else _noise("normal")(first, 2.0**-53, out)
