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
    """Memory of which blocks of code borrow parts, the inner ones those that the outer ones left.

    memory: bytes; without, each part is memory of its own.  most: the bytes that were borrowed at one time.
    """

    def __init__(self, memory: np.ndarray[Any, Any] | None = None):
        self._memory, self._end, self.most = memory, 0, 0
        self._own: list[Any] = []  # addresses don't keep memory

    @contextmanager
    def borrowed(self, dtype: Any, *shapes: Sequence[int]) -> Iterator[list[np.ndarray[Any, Any]]]:
        """Arrays for what a block does, or adds to be done later: what comes after it has the same memory again."""
        before, made = self._end, []
        for shape in shapes:
            size = math.prod(shape) * np.dtype(dtype).itemsize
            part = np.empty(size, np.uint8) if self._memory is None else self._memory[self._end : self._end + size]
            made.append(part.view(dtype).reshape(shape))
            self._own += [part] if self._memory is None else []
            self._end += -(-size // LINE) * LINE
            self.most = max(self.most, self._end)
        try:
            yield made
        finally:
            self._end = before


class Pool:
    """Memory that is used for a while, and then again."""

    def __init__(self) -> None:
        self._free: list[np.ndarray[Any, Any]] = []  # bytes

    @contextmanager
    def borrowed(self, dtype: Any, *shapes: Sequence[int]) -> Iterator[list[np.ndarray[Any, Any]]]:
        """Arrays for what a block does, or adds to be done later: what comes after it has the same memory again."""
        sizes, taken = [math.prod(shape) * np.dtype(dtype).itemsize for shape in shapes], []
        for size in sizes:
            fitting = [i for i, room in enumerate(self._free) if size <= room.nbytes <= 2 * size]
            best = min(fitting, key=lambda i: self._free[i].nbytes, default=None)
            taken.append(np.empty(size, np.uint8) if best is None else self._free.pop(best))
        try:
            yield [room[:n].view(dtype).reshape(shape) for room, n, shape in zip(taken, sizes, shapes, strict=True)]
        finally:
            self._free += taken
