"""Zeros with an array put in at an index, for CuPy, in one launch."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import cupy

from ..backend import Array, is_array
from . import reference

MANY = 1 << 20  # elements: of more, a copy takes longer than its launch, and needs no division


def put_text(ndim: int) -> tuple[str, str, str]:
    """An elementwise kernel of CuPy for so many axes: inputs, outputs and text. Element i of y is worked out from i."""
    names = [f"int32 {name}{a}" for a in range(ndim) for name in ("length", "begin", "step", "count")]
    axes = "".join(
        f"""
        {{
          const int place = rest % length{a} - begin{a}, k = place / step{a};
          rest /= length{a};
          inside = inside && place == k * step{a} && k >= 0 && k < count{a};
          at += k * size;
          size *= count{a};
        }}"""
        for a in reversed(range(ndim))
    )
    text = f"int rest = i, at = 0, size = 1; bool inside = true; {axes} y = inside ? x[at] : T(0)"
    return ", ".join(["raw T x", *names]), "T y", text


@functools.cache
def _put(ndim: int) -> Any:
    return cupy.ElementwiseKernel(*put_text(ndim), f"tinygen_put{ndim}")


def put(x: Array, shape: Sequence[int], index: Any) -> Array:
    """As reference.put, in one launch for up to a million elements."""
    parts = index if isinstance(index, tuple) else (index,)
    fits = x.dtype.char in "fd" and x.size and shape and math.prod(shape) <= MANY
    if not fits or any(is_array(part) for part in parts):
        return reference.put(x, shape, index)
    y = cupy.empty(shape, x.dtype)
    parts = tuple(part for part in parts if part is not None)
    dots = parts.index(...) if ... in parts else len(parts)
    missing = [slice(None)] * (len(shape) - len(parts) + (dots < len(parts)))
    sizes = list[int]()
    for part, length in zip([*parts[:dots], *missing, *parts[dots + 1 :]], shape, strict=True):
        places = range(length)[part] if isinstance(part, slice) else range(length)[part:][:1]
        sizes += [length, places.start, places.step, len(places)]
    return _put(len(shape))(cupy.ascontiguousarray(x), *sizes, y)
