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
    p: Any, g: Any, m: Any, v: Any, old1: Any, new1: Any, old2: Any, new2: Any, eps: Any, size: Any, correction: Any
) -> None:
    for i in range(p.size):
        m[i] = old1 * m[i] + new1 * g[i]
        v[i] = old2 * v[i] + new2 * g[i] * g[i]
        p[i] -= size * m[i] / (math.sqrt(v[i]) * correction + eps)


def adam(p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, t: int) -> None:
    """As reference.adam, in one pass over the memory."""
    size, correction = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    shares = (beta1, 1 - beta1, beta2, 1 - beta2)  # subtracted here: 1 - float32(0.999) is 0.001 to five digits only
    _adam(p, g, m, v, *map(p.dtype.type, (*shares, eps, size, correction)))  # or the loop would run in float64
