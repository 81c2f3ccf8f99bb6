"""Attention: each query takes a mean of values, weighted by how well their keys fit it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backend import array_module
from ..checks import check_array
from .elementwise import astype, where
from .linear import matmul
from .reduce import softmax


def scaled_dot_product_attention(q: Any, k: Any, v: Any, mask: Any = None, causal: bool = False) -> Any:
    """softmax(q kᵀ / √E) v for queries q (..., L, E), keys k (..., S, E) and values v (..., S, EV): (..., L, EV).

    Vaswani et al. 2017, eq. 1. Batch axes broadcast.
    mask: (..., L, S), booleans, True where a query may attend to a key; or floats, which are added to the scores.
    causal: query i may attend to the keys 0 to i alone. A query to which booleans leave no key gets 0.
    Raises ValueError if the shapes do not fit, TypeError for a mask of integers.

    >>> q, k = np.array([[9.0, 0.0]]), np.array([[9.0, 0.0], [0.0, 9.0]])  # the query fits the first key
    >>> tg.ops.scaled_dot_product_attention(q, k, v=np.array([[1.0], [2.0]]))
    array([[1.]])
    """
    _check_shapes(q, k, v)
    scores = matmul(q * (1 / math.sqrt(q.shape[-1] or 1)), k.swapaxes(-1, -2))
    allowed = None
    if mask is not None:
        _check_mask(mask, scores.shape)
        allowed, scores = (mask, scores) if mask.dtype.kind == "b" else (None, scores + astype(mask, scores.dtype))
    if causal:
        xp, (L, S) = array_module(q), scores.shape[-2:]
        past = xp.arange(L)[:, None] >= xp.arange(S)
        allowed = past if allowed is None else where(allowed, past, False)
    if allowed is None:
        return matmul(softmax(scores), v)
    lowest = float(np.finfo(scores.dtype).min)  # -inf in a whole row would make it NaN
    return matmul(where(allowed, softmax(where(allowed, scores, lowest)), 0.0), v)


_OP = "scaled_dot_product_attention"


def _check_shapes(q: Any, k: Any, v: Any) -> None:
    """Raise TypeError unless they are arrays, ValueError unless their shapes fit."""
    for name, x in (("q", q), ("k", k), ("v", v)):
        check_array(_OP, x, name)
    fits = min(q.ndim, k.ndim, v.ndim) > 1 and q.shape[-1] == k.shape[-1] and k.shape[-2] == v.shape[-2]
    if not fits or _broadcast(q.shape[:-2], k.shape[:-2], v.shape[:-2]) is None:
        raise ValueError(
            f"{_OP}: q is {q.shape}, k {k.shape} and v {v.shape}, but they must be (..., L, E), (..., S, E) and "
            "(..., S, EV)"
        )


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape to which they broadcast, or None."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def _check_mask(mask: Any, shape: tuple[int, ...]) -> None:
    """Raise TypeError for a mask that is neither booleans nor floats, ValueError unless it broadcasts to the shape."""
    check_array(_OP, mask, "mask")
    if mask.dtype.kind not in "bf":
        raise TypeError(f"{_OP}: mask holds {mask.dtype}, but it must be booleans, True to attend, or floats to add")
    if _broadcast(mask.shape, shape) != shape:
        raise ValueError(f"{_OP}: mask is {mask.shape}, but it must broadcast to the scores, (..., L, S) = {shape}")
