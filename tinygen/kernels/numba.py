"""The twins of `reference.py` for the CPU, compiled by Numba. Single-threaded: BLAS's threads spin on the same cores.

What each buys is measured by `python -m benchmarks.kernels`.
"""

from __future__ import annotations

import math
from typing import Any

import numba

from ..backend import Array


@numba.njit(cache=True, error_model="numpy")  # Python's checks for division by zero would keep the loop from SIMD
def _adam(
    p: Any, g: Any, m: Any, v: Any, beta1: Any, beta2: Any, eps: Any, size: Any, correction: Any, one: Any
) -> None:
    for i in range(p.size):
        m[i] = beta1 * m[i] + (one - beta1) * g[i]
        v[i] = beta2 * v[i] + (one - beta2) * g[i] * g[i]
        p[i] -= size * m[i] / (math.sqrt(v[i]) * correction + eps)


def adam(p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, t: int) -> None:
    """As reference.adam, in one pass over the memory."""
    number = p.dtype.type  # scalars of p's precision, or the loop would run in float64
    size, correction = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    _adam(p, g, m, v, number(beta1), number(beta2), number(eps), number(size), number(correction), number(1))
