"""Sums over places that come several times, for CuPy: always in the same order, so that a run resumes to the bit.

CuPy's own `add.at` adds atomically, in the order in which the threads happen to come.
"""

from __future__ import annotations

import functools
from typing import Any

import cupy

from ..backend import Array
from . import reference

# x[i] += the values whose place is i; the places in their order, and where in it each begins, are looked up
SEGMENTS = (
    "raw T value, raw int64 order, raw int64 begins",
    "T x",
    "T sum = x; for (long long k = begins[i]; k < begins[i + 1]; ++k) sum += value[order[k]]; x = sum",
)


@functools.cache
def _segments() -> Any:
    return cupy.ElementwiseKernel(*SEGMENTS, "tinygen_add_at")


def add_at(x: Array, index: Any, value: Any) -> None:
    """As reference.add_at: each element of x adds up what is for it, from the first to the last."""
    if x.dtype.kind != "f":
        reference.add_at(x, index, value)
        return
    places = cupy.arange(x.size).reshape(x.shape)[index]
    value = cupy.ascontiguousarray(cupy.broadcast_to(cupy.asarray(value, x.dtype), places.shape))
    places = places.reshape(-1)
    order = cupy.argsort(places)  # which is stable
    begins = cupy.searchsorted(places[order], cupy.arange(x.size + 1))
    _segments()(value, order, begins, x)
