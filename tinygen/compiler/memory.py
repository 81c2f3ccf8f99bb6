"""Which arrays share memory, and how they lie in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..backend import Array
from ..tracing import Untraceable

LINE = 64  # bytes of a line of the cache
_nowhere = np.empty(1 << 20, np.uint8)


def shadow(x: Array) -> np.ndarray:
    """An array of the same shape, dtype and layout, whose memory all shadows share: it is neither read nor written."""
    global _nowhere
    room = x.itemsize + sum(step * (n - 1) for n, step in zip(x.shape, x.strides, strict=True)) if x.size else 0
    if room > _nowhere.nbytes:
        _nowhere = np.empty(2 * room, np.uint8)
    return np.ndarray(x.shape, x.dtype, _nowhere, 0, x.strides)


def likeness(x: Array) -> np.ndarray:
    """What shows the shape, dtype and layout of an array: itself on the CPU, a shadow of one on a device."""
    return x if isinstance(x, np.ndarray) else shadow(x)


class _At:
    """What NumPy asks of memory that is not its own."""

    def __init__(self, x: Array):
        place = {"data": (x.data.ptr, False), "shape": x.shape, "strides": x.strides, "typestr": x.dtype.str}
        self.__array_interface__ = {"version": 3, **place}


def standing(x: Array) -> np.ndarray:
    """What shows where an array lies: itself on the CPU; of a device an array at its address, never to be read."""
    return x if isinstance(x, np.ndarray) else np.asarray(_At(x))


def address(x: Array) -> int:
    """Where the first element of an array lies."""
    return standing(x).__array_interface__["data"][0]


def outer_first(x: Array) -> list[int]:
    """The axes, from the outermost in memory to the innermost."""
    return sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))


def flattened(x: Array) -> Array | None:
    """All elements in the order of the memory, if they lie there without gaps."""
    x = x.transpose(outer_first(x))
    return x.reshape(-1) if x.flags.c_contiguous else None


def outermost(held: Sequence[tuple[Array, str]]) -> list[tuple[int, Array, str]]:
    """For each array the one that contains it, with where its memory begins and its name: mostly itself.

    Raises Untraceable for two that overlap while neither contains the other.
    """
    bounds = [np.lib.array_utils.byte_bounds(standing(x)) if x.size else (-n, -n) for n, (x, _) in enumerate(held, 1)]
    found: list[tuple[int, Array, str]] = [(0, x, name) for x, name in held]
    outer, end = 0, 0
    for n in sorted(range(len(held)), key=lambda n: (bounds[n][0], -bounds[n][1], flattened(held[n][0]) is None, n)):
        if bounds[n][0] >= end or bounds[n][1] <= 0:
            outer, end = n, bounds[n][1]
        elif bounds[n][1] > end:
            raise Untraceable(f"{held[outer][1]} and {held[n][1]} share a part of their memory")
        found[n] = bounds[outer][0], *held[outer]
    return found


class Room:
    """Memory that blocks of code borrow: those within a block other memory, those after it the same again.

    memory: bytes to lend; by default more is made when it is needed.  most: the bytes that were borrowed at one time.
    """

    def __init__(self, memory: np.ndarray[Any, Any] | None = None):
        self._memory, self._end, self.most = memory, 0, 0
        self._pieces: list[np.ndarray[Any, Any]] = []  # without memory: one for each array borrowed at one time
        self._kept: list[Any] = []  # all that were lent: what knows their addresses doesn't keep them
        self._count = 0

    @contextmanager
    def borrowed(self, dtype: Any, *shapes: Sequence[int]) -> Iterator[list[np.ndarray[Any, Any]]]:
        """Arrays for what a block does, or adds to be done later."""
        before = self._end, self._count
        try:
            yield [
                self._lent(math.prod(shape) * np.dtype(dtype).itemsize).view(dtype).reshape(shape) for shape in shapes
            ]
        finally:
            self._end, self._count = before

    def _lent(self, size: int) -> np.ndarray[Any, Any]:
        begin, place = self._end, self._count
        self._end, self._count = begin - (-size // LINE) * LINE, place + 1
        self.most = max(self.most, self._end)
        if self._memory is not None:
            return self._memory[begin : begin + size]
        if place == len(self._pieces) or self._pieces[place].nbytes < size:
            self._pieces[place : place + 1] = [np.empty(size, np.uint8)]
            self._kept.append(self._pieces[place])
        return self._pieces[place][:size]
