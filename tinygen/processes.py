"""Which of several processes this one is, and its share of a batch and of the random numbers for it.

The processes of a group make each step together. The examples of a batch are dealt out like cards: with R processes,
process r takes number r, r + R, r + 2R, ... So are the random numbers that a step draws: each process draws for the
whole batch, from equal streams, and keeps those for its examples. Batches that a model puts one after the other, real
and generated, say, stay dealt out in this way, and the streams of all processes stay at one place. Therefore what is
learnt is what one process learns from the whole batch, and a checkpoint says nothing of how many made it.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import DataError, RunError

LAUNCHERS = ("mpi",)  # what may have started the processes of a group


class Lost(RunError):
    """Another process of the group has ended, or does not answer."""


class Group:
    """The processes that train one model; this class is that of a process alone.

    rank: the number of this process, from 0 on.  size: how many there are.
    local_batch_norm: whether batch norm takes the statistics of each process's share, and not of the whole batch.
    saved: the step of the training's last checkpoint, if there is one.

    >>> alone = tg.parallel.Group()
    >>> alone.rank, alone.size, alone.any(True)
    (0, 1, True)
    """

    rank = 0
    size = 1
    local_batch_norm = False
    saved: int | None = None

    def add_up(self, x: np.ndarray) -> None:
        """Replace the elements of a contiguous array by their sums over all processes."""

    def mean_of(self, x: Any) -> Any:
        """The mean of an array over all processes, as a new array on the same device."""
        return x.copy()

    def from_first(self, value: Any) -> Any:
        """What process 0 gave; what the others give does not matter."""
        return value

    def from_all(self, value: Any) -> list[Any]:
        """What each process gave."""
        return [value]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return flag

    def take_gpu(self) -> None:
        """Compute on a GPU of this process's own, as far as there are enough, and have means travel over NCCL."""

    def fail(self, error: BaseException) -> bool:
        """Tell the others that this process ends with an error. Returns whether it must be said here, too."""
        return True


ALONE = Group()


class _State(threading.local):
    group: Group = ALONE  # that this process belongs to
    sharing: Group = ALONE  # the same in a block of `shares`
    unit: int = 1  # how many consecutive examples are dealt out together


_state = _State()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share() -> tuple[int, int, int]:
    """What decides this process's share: its number, of how many, and how many examples belong together."""
    return _state.sharing.rank, _state.sharing.size, _state.unit


def group() -> Group:
    """The group that this process belongs to; by default it is alone.

    >>> tg.parallel.group().size
    1
    """
    return _state.group


def enter(group: Group) -> Group:
    """Make this process one of a group. Returns the group that it was in."""
    before, _state.group = _state.group, group
    return before


def sharing() -> Group:
    """The group with which the step that is being made is shared; outside of `shares()`, this process alone."""
    return _state.sharing


@contextmanager
def shares(unit: int = 1) -> Iterator[Group]:
    """In this block, batches and draws are this process's share, and means go over all processes of the group.

    Every process must do the same in it, in the same order.
    unit: how many consecutive examples belong together, as those of a pack that D judges do.

    >>> loader = tg.data.Loader(np.zeros((64, 2), np.float32), batch=32)
    >>> with tg.parallel.shares() as group:  # of 4 processes each would get 8 of the 32
    ...     x = loader.next_batch()
    >>> len(x) * group.size
    32
    """
    before = _state.sharing, _state.unit
    _state.sharing, _state.unit = _state.group, unit
    try:
        yield _state.group
    finally:
        _state.sharing, _state.unit = before


@contextmanager
def whole() -> Iterator[Group]:
    """In this block, within `shares()`, draws and batches are those of the whole batch, the same in each process.

    >>> with tg.parallel.shares(), tg.parallel.whole():
    ...     order = tg.Generator(0).permutation(4)
    >>> sorted(order.tolist())
    [0, 1, 2, 3]
    """
    before, _state.sharing = _state.sharing, ALONE
    try:
        yield before
    finally:
        _state.sharing = before


def own(x: Any, axis: int = 0) -> Any:
    """This process's share of an array of a whole batch; all of it outside of `shares()`.  axis: of the examples.

    Raises DataError unless each process gets as many examples as the others.

    >>> tg.parallel.own(np.arange(4))  # alone
    array([0, 1, 2, 3])
    """
    group, unit = _state.sharing, _state.unit
    if group.size == 1:
        return x
    axis, n = axis % x.ndim, x.shape[axis]
    if n % group.size:
        raise DataError(
            f"a batch of {n} examples can't be dealt out to {group.size} processes: each needs as many as the others; "
            "if it is what is left of an epoch, leave it out (drop_last=True)"
        )
    before = (slice(None),) * axis
    if unit == 1 or n % (group.size * unit):
        index: tuple[Any, ...] = (*before, slice(group.rank, None, group.size))
        return x[index]
    units = x.reshape((*x.shape[:axis], -1, group.size, unit, *x.shape[axis + 1 :]))
    index = (*before, slice(None), group.rank)
    return units[index].reshape((*x.shape[:axis], n // group.size, *x.shape[axis + 1 :]))


def dealt_back(shares: Any) -> Any:
    """The shares (R, n, ...) of all processes as the whole batch (R n, ...): the inverse of `own`."""
    size, n = shares.shape[:2]
    unit = _state.unit if n % _state.unit == 0 else 1
    dealt = shares.reshape(size, n // unit, unit, *shares.shape[2:])
    return dealt.transpose(1, 0, *range(2, dealt.ndim)).reshape(size * n, *shares.shape[2:])


def own_batch(batch: Any) -> Any:
    """This process's share of a batch: of x, or of each array of (x, labels)."""
    return tuple(map(own_batch, batch)) if isinstance(batch, tuple) else own(batch)


def whole_shape(shape: int | Sequence[int], axis: int = 0) -> tuple[int, ...]:
    """The shape of the whole batch's array, given that of this process's share."""
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    axis %= max(len(shape), 1)
    return tuple(n * _state.sharing.size if i == axis else n for i, n in enumerate(shape))


def check_batch(batch: int, unit: int, group: Group) -> None:
    """Raise DataError unless a batch can be dealt out to the processes of a group."""
    each = group.size * unit
    if batch % each:
        together = f", {unit} of which belong together," if unit > 1 else ""
        raise DataError(
            f"a batch of {batch} examples{together} can't be dealt out to {group.size} processes evenly; make it a "
            f"multiple of {each}, such as {math.ceil(batch / each) * each}"
        )
