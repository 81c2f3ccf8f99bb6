"""Elements in order along an axis. Equal ones keep the order that they had; NaN counts as the largest, as in NumPy."""

from __future__ import annotations

import operator
from typing import Any

from ..backend import Array, array_module
from ..primitives import primitive
from .shape import getitem, take_along_axis


@primitive
def argsort(x: Any, axis: int | None = -1, descending: bool = False) -> Array:
    """Where the smallest element along the axis is, where the next, and so on; a constant to backward.

    axis: None for the flattened x.  descending: from the largest on.
    """
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    if not descending:
        return x.argsort(axis=axis, kind="stable")
    xp = array_module(x)
    return x.shape[axis] - 1 - xp.flip(xp.flip(x, axis).argsort(axis=axis, kind="stable"), axis)


def sort(x: Any, axis: int | None = -1, descending: bool = False) -> Any:
    """x with its elements along the axis in order, the smallest first, or the largest if descending.

    axis: None for the flattened x. Each element of the result has the gradient of the one that it is.
    """
    x, along = (x.reshape(-1), 0) if axis is None else (x, axis)
    return take_along_axis(x, argsort(x, along, descending), along)


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Any, Any]:
    """The k largest elements along the axis, or the smallest, in order, and where they are.

    Raises ValueError unless k is from 0 to the length of the axis.
    """
    order, n = argsort(x, axis, largest), x.shape[axis]
    if not 0 <= operator.index(k) <= n:
        raise ValueError(f"topk: k is {k}, but it must be from 0 to {n}, the length of axis {axis}")
    first = getitem(order, (slice(None),) * (axis % x.ndim) + (slice(k),))
    return take_along_axis(x, first, axis), first
