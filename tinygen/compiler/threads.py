"""Threads for calls that leave Python while they compute, as NumPy's do on long arrays."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..processes import cores


def default_size() -> int:
    """How many threads compute: the CPUs that this process may use, or fewer if OMP_NUM_THREADS says so."""
    limits = [os.environ.get(f"{name}_NUM_THREADS", "") for name in ("OMP", "NUMBA")]
    return min([cores(), *(int(limit) for limit in limits if limit.isdecimal() and int(limit) > 0)])


def run_together(parts: Sequence[Sequence[Callable[[], Any]]]) -> None:
    """Do several lists of calls at the same time: the first here, each other one on a thread of its own.

    While another run goes on, in another thread or under a signal's handler, all are done here. Raises the first error
    of a call, when all lists have ended.
    """
    if not _turn.acquire(blocking=False):
        for part in parts:
            _do(part)
        return
    try:
        begun: list[_Helper] = []
        try:
            for number, part in enumerate(parts[1:]):
                _helper(number).begin(part)
                begun.append(_helper(number))
            _do(parts[0])
        finally:
            errors = [helper.end() for helper in begun]
        for error in filter(None, errors):
            raise error
    finally:
        _turn.release()


def _do(calls: Sequence[Callable[[], Any]]) -> None:
    for call in calls:
        call()


class _Helper:
    """A thread that sleeps until it is given calls. Two locks cost half of what a pool of the standard library does."""

    def __init__(self) -> None:
        self._given, self._done = threading.Lock(), threading.Lock()
        self._given.acquire()
        self._done.acquire()
        self._calls: Sequence[Callable[[], Any]] = ()
        self._error: BaseException | None = None
        threading.Thread(target=self._work, name="tinygen-numpy", daemon=True).start()

    def begin(self, calls: Sequence[Callable[[], Any]]) -> None:
        self._calls, self._errors = calls, np.geterr()
        self._given.release()

    def end(self) -> BaseException | None:
        """Wait until the calls are done, whatever interrupts this thread meanwhile; returns their error."""
        interrupt: BaseException | None = None
        while True:
            try:
                self._done.acquire()
                break
            except BaseException as why:  # of a signal's handler
                interrupt = why
        error, self._error, self._calls = self._error, None, ()
        return error or interrupt

    def _work(self) -> None:
        while True:
            self._given.acquire()
            try:
                with np.errstate(**self._errors):  # as where the calls come from
                    _do(self._calls)
            except BaseException as why:
                self._error = why
            self._done.release()


_turn = threading.Lock()


@functools.cache
def _helper(number: int) -> _Helper:
    return _Helper()


def _after_fork() -> None:
    """Threads stay behind in the parent."""
    global _turn
    _turn = threading.Lock()
    _helper.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
