"""Loops compiled by Numba, for one thread and for all.

Long arrays are shared out among the cores. That pays only while BLAS's threads do not spin on the same cores, waiting
for the next product: so it is done where gemm.py makes the products, on Numba's threads too, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable

import numba

from .compiled import compiled, in_turn

_SHARED = compiled("gemm") is not None
_LONG = 1 << 14  # elements: to wake a thread takes as long as to work through a few thousand


def loop(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a loop twice, for one thread and for all; the size of the last argument says which of them runs."""
    options = {"cache": True, "nogil": True, "error_model": "numpy"}  # Python's check for x / 0 would forbid SIMD
    alone, together = numba.njit(**options)(function), in_turn(numba.njit(parallel=True, **options)(function))
    return lambda *args: together(*args) if _SHARED and args[-1].size > _LONG else alone(*args)
