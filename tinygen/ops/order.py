"""Elements in order along an axis. Equal ones keep the order that they had; NaN counts as the largest, as in NumPy."""

from __future__ import annotations

import operator
from typing import Any

from ..backend import Array, array_module
from ..checks import check_array
from ..primitives import primitive
from .shape import axis_of, getitem, take_along_axis


@primitive
def argsort(x: Any, axis: int | None = -1, descending: bool = False) -> Array:
    """Where the smallest element along the axis is, where the next, and so on; a constant to backward.

    axis: None for the flattened x.  descending: from the largest on.

    >>> tg.ops.argsort([30, 10, 20])
    array([1, 2, 0])
    """
    x, along = _along("argsort", x, axis)
    if not descending:
        return x.argsort(axis=along, kind="stable")
    xp = array_module(x)
    return x.shape[along] - 1 - xp.flip(xp.flip(x, along).argsort(axis=along, kind="stable"), along)


def sort(x: Any, axis: int | None = -1, descending: bool = False) -> Any:
    """x with its elements along the axis in order, the smallest first, or the largest if descending.

    axis: None for the flattened x. An element takes its gradient along.

    >>> x = tg.tensor([30.0, 10.0, 20.0], requires_grad=True)
    >>> y = tg.ops.sort(x)
    >>> y.detach(), tg.grad(y[0], x)
    (Tensor([10., 20., 30.], dtype=float32), Tensor([0., 1., 0.], dtype=float32))
    """
    x, along = _along("sort", x, axis)
    return take_along_axis(x, argsort(x, along, descending), along)


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Any, Any]:
    """The k largest elements along the axis, or the smallest, in order, and where they are.

    Raises ValueError unless k is from 0 to the length of the axis.

    >>> tg.ops.topk(np.array([30, 10, 20]), 2)
    (array([30, 20]), array([0, 2]))
    """
    x, along = _along("topk", x, axis)
    if not 0 <= operator.index(k) <= x.shape[along]:
        raise ValueError(f"topk: k is {k}, but it must be from 0 to {x.shape[along]}, the length of axis {axis}")
    first = getitem(argsort(x, along, largest), (slice(None),) * along + (slice(k),))
    return take_along_axis(x, first, along), first


def _along(op: str, x: Any, axis: int | None) -> tuple[Any, int]:
    """x and an axis of it, counted from the front; of all its elements in a row if axis is None."""
    check_array(op, x)
    return (x.reshape(-1), 0) if axis is None else (x, axis_of(op, axis, x))
