"""Arrays joined, cut and repeated."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..primitives import primitive
from ..refusals import read_list
from ..tape import brief
from .shape import axis_of, broadcast_to, getitem


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """The arrays xs joined along an axis that they have. Raises ValueError if one lacks it.

    >>> tg.ops.concatenate([[[1.0, 2.0]], [[3.0, 4.0]]], axis=1)
    array([[1., 2., 3., 4.]], dtype=float32)
    """
    xs = _joinable("concatenate", xs)
    if any(not -x.ndim <= axis < x.ndim for x in xs):
        raise ValueError(
            f"concatenate: shapes {[x.shape for x in xs]} do not all have an axis {axis}; use stack to add one"
        )
    *ends, _ = itertools.accumulate(x.shape[axis] for x in xs)
    return _concatenate(axis, ends, *xs)


def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """The arrays xs, all of one shape, joined along a new axis.

    >>> tg.ops.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([[1., 3.],
           [2., 4.]], dtype=float32)
    """
    return _stack(axis, *_joinable("stack", xs))


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut along an axis: into n equal parts, or before each of the given indices.

    Raises ValueError if n does not divide the length of the axis.

    >>> tg.ops.split(np.arange(6), 3)
    [array([0, 1]), array([2, 3]), array([4, 5])]
    """
    axis = axis_of("split", axis, x)
    length = x.shape[axis]
    cuts: Sequence[int]
    at: Any = indices_or_sections
    if getattr(at, "ndim", 0) or isinstance(at, Sequence):
        cuts = [0, *map(operator.index, at)]
    else:
        n = operator.index(at)
        if n < 1 or length % n:
            raise ValueError(f"split: axis {axis} has length {length}, which can't be cut into {n} equal parts")
        cuts = range(0, length, length // n) if length else [0] * n
    before = (slice(None),) * axis
    return [getitem(x, (*before, slice(a, b))) for a, b in zip(cuts, [*cuts[1:], length], strict=True)]


def _joinable(name: str, xs: Sequence[Any]) -> Sequence[Any]:
    if not isinstance(xs, (list, tuple)) or not xs:
        raise ValueError(f"{name}: expected a list or tuple of at least one array, but got {type(xs).__name__}")
    try:
        return [x if hasattr(x, "shape") else read_list(x, xs) for x in xs]
    except (TypeError, ValueError):
        kinds = ", ".join(dict.fromkeys(map(brief, xs)))
        raise TypeError(f"{name}: expected Tensors, arrays or lists of numbers, but got {kinds}") from None


@primitive
def _concatenate(axis: int, ends: Sequence[int], *xs: Any) -> Array:
    return array_module(*xs).concatenate(xs, axis)


@primitive
def _stack(axis: int, *xs: Any) -> Array:
    return array_module(*xs).stack(xs, axis)


_concatenate.joint(lambda gy, y, axis, ends, *xs: (None, None, *split(gy, ends, axis)))
_stack.joint(
    lambda gy, y, axis, *xs: (
        None,
        *[getitem(gy, (slice(None),) * (axis % gy.ndim) + (i,)) for i in range(gy.shape[axis])],
    )
)


# Repeating


def tile(x: Any, reps: int | Sequence[int]) -> Any:
    """x side by side with itself, reps times along each axis; if reps are more than the axes, x gets new ones first.

    Raises ValueError for a negative number.

    >>> tg.ops.tile(np.array([1, 2]), 2)
    array([1, 2, 1, 2])
    """
    given: Any = reps if np.ndim(reps) else [reps]
    times = [*map(operator.index, given)]
    if min(times, default=0) < 0:
        raise ValueError(f"tile: reps is {reps}, but x can't be repeated less than 0 times")
    times = [1] * (x.ndim - len(times)) + times
    shape = [1] * (len(times) - x.ndim) + [*x.shape]
    apart = x.reshape([part for n in shape for part in (1, n)])
    whole = broadcast_to(apart, [part for pair in zip(times, shape, strict=True) for part in pair])
    return whole.reshape([r * n for r, n in zip(times, shape, strict=True)])


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
    """Each element along the axis, or of the flattened x, so many times: one number, or one for each element.

    Raises ValueError for a negative number, or if they are not as many as the elements.

    >>> tg.ops.repeat(np.array([1, 2]), 2)
    array([1, 1, 2, 2])
    >>> tg.ops.repeat(np.array([1, 2]), [3, 1])
    array([1, 1, 1, 2])
    """
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis_of("repeat", axis, x))
    n = x.shape[axis]
    times = np.asarray(repeats)
    if times.dtype.kind not in "iu" or times.shape not in ((), (1,), (n,)) or times.min(initial=0) < 0:
        raise ValueError(
            f"repeat: repeats is {repeats}, but it must be one whole number of at least 0, or {n}, one for each element"
        )
    if times.size != 1:
        return getitem(x, (slice(None),) * axis + (np.arange(n).repeat(times),))
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    whole = broadcast_to(x.reshape((*before, n, 1, *after)), (*before, n, times.item(), *after))
    return whole.reshape((*before, n * times.item(), *after))
