"""The space of a loop: the dimensions that its arrays have in memory.

Axes are put in the order in which they lie in memory, and neighbours that all arrays pass in one stride become one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..backend import Array
from .memory import outer_first


class Space:
    """The dimensions of a loop over arrays of a shape, and the arrays with just these dimensions.

    sums: the axes of each sum that is taken in the loop.  merges: whether neighbours become one.
    """

    def __init__(
        self, shape: tuple[int, ...], arrays: Sequence[Array], sums: Sequence[tuple[int, ...]] = (), merges: bool = True
    ):
        self.shape = shape
        self.merged = _dimensions(shape, arrays, sums, merges)
        self.lengths = tuple(math.prod(shape[a] for a in axes) for axes in self.merged) or (1,)
        self.arrays = [self._with_dimensions(x if x.shape == shape else np.broadcast_to(x, shape)) for x in arrays]

    def _with_dimensions(self, x: Array) -> Array:
        """An array with a dimension for each of the loop, of length 1 where it doesn't move."""
        strides = [x.strides[axes[-1]] for axes in self.merged] or [0]
        lengths = [1 if step == 0 else n for step, n in zip(strides, self.lengths, strict=True)]
        return np.lib.stride_tricks.as_strided(x, lengths, strides)

    def reduced(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """The dimensions over which a sum along some axes goes."""
        if not self.merged:
            return (0,)
        return tuple(d for d, group in enumerate(self.merged) if {*group} <= {*axes})

    def summed(self, axes: tuple[int, ...], y: Array) -> Array | None:
        """The result of a sum with just the dimensions that are left; None if it lies in another order."""
        left = [a for a in range(len(self.shape)) if a not in axes]
        over = self.reduced(axes)
        groups = [group for d, group in enumerate(self.merged) if d not in over]
        own = dict(zip(left, y.strides, strict=True))
        lengths = [math.prod(self.shape[a] for a in group) for group in groups]
        view = np.lib.stride_tricks.as_strided(y, lengths, [own[group[-1]] for group in groups])
        dense = [
            own[group[-1]] * math.prod(self.shape[b] for b in group[i + 1 :])
            for group in groups
            for i, _ in enumerate(group)
        ]
        return view if dense == [own[a] for group in groups for a in group] else None


def _dimensions(
    shape: tuple[int, ...], arrays: Sequence[Array], sums: Sequence[tuple[int, ...]], merges: bool
) -> list[list[int]]:
    """The axes of each dimension, outermost first."""
    spread = [np.broadcast_to(x, shape) for x in arrays]
    whole = next((x for x, y in zip(arrays, spread, strict=True) if x.shape == y.shape), spread[0])
    merged: list[list[int]] = []
    for axis in (a for a in outer_first(whole) if shape[a] != 1):
        last = merged[-1][-1] if merged else axis
        joins = merges and last != axis and all((last in axes) == (axis in axes) for axes in sums)
        if joins and all(x.strides[last] == x.strides[axis] * shape[axis] for x in spread):
            merged[-1].append(axis)
        else:
            merged.append([axis])
    return merged
