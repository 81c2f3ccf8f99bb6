"""Threads that stay, and a machine that does a table of jobs with them.

A job is a function f(args, rank, team) in machine code: it does its share, that of thread `rank` of `team`. After each
job the threads wait for each other. How the work is divided depends on the size of the team alone, so that a run gives
the same bits each time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from ..memory import Room
from ..threads import default_size
from .driver import LINE, addresses

_turn = threading.RLock()  # one run at a time: each takes all cores. A signal's handler may run one in another's thread
_teams: dict[int, Team] = {}


class Team:
    """The calling thread and size - 1 others, which live as long as the process and sleep between runs."""

    def __init__(self, size: int):
        run, work = addresses()
        self.size = size
        memory = np.zeros((5 + size) * LINE, np.int64)
        self._memory = memory[-(memory.ctypes.data // 8) % LINE :]
        self._place = self._memory.ctypes.data
        _keep(memory)
        self._run = _function(run, 7)
        sleep, wake, self._sleeping = _ways_to_sleep(size)
        self._memory[4 * LINE : 4 * LINE + 2] = sleep, wake
        for rank in range(1, size):
            self._memory[(4 + rank) * LINE + 1] = self._sleeping[rank]
            args = self._place, rank, size
            threading.Thread(target=_function(work, 3), args=args, name=f"tinygen-{rank}", daemon=True).start()

    def run(self, table: int, first: int, begin: int, end: int, last: int) -> None:
        """Do the table's jobs from `first` to before `last`: those from `begin` to before `end` together."""
        self._run(self._place, table, first, begin, end, last, self.size)


class Machine:
    """A table of jobs, and scalars that change from run to run.

    threads: the size of the team.  numbers: how many scalars; jobs read `numbers`, an array of float64, by address.
    """

    def __init__(self, threads: int | None = None, numbers: int = 0):
        self.threads = threads or default_size()
        self.numbers = np.zeros(max(numbers, 1))
        self.around: list[Callable[[], Callable[[], None]]] = []  # done before a run; what they return, after it
        self.jobs: list[tuple[int, int, bool]] = []
        self._groups: list[int] = []  # of each job: those of one group don't wait for each other; 0 is no group
        self._group = 0
        self._kept: list[Any] = []
        self.borrowed = Room().borrowed  # memory for some jobs
        self._table: tuple[int, Any] | None = None  # its address, and itself
        self._parts: dict[tuple[int, int], tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.jobs)

    def add(self, function: int, args: Iterable[int], small: bool = False, keep: Any = None) -> int:
        """Add a job: the address of its code, and the int64s that it gets. Returns its place in the table.

        small: thread 0 does it alone.  keep: what must stay in memory as long as the machine.
        """
        row = np.fromiter(args, np.int64)
        self._kept.append((row, keep))
        self.jobs.append((function, row.ctypes.data, small or self.threads == 1))
        self._groups.append(self._group)
        self._table = None
        return len(self.jobs) - 1

    def forget(self, length: int) -> None:
        """Take back the jobs after the first `length`."""
        del self.jobs[length:], self._groups[length:]
        self._table = None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """The jobs that are added in the block need nothing of each other: no thread waits between them."""
        with self._grouped(self._group or len(self.jobs) + 1):
            yield

    def in_turn(self) -> AbstractContextManager[None]:
        """The jobs that are added in the block wait for each other, also within a block of those that don't."""
        return self._grouped(0)

    @contextmanager
    def _grouped(self, group: int) -> Iterator[None]:
        before, self._group = self._group, group
        try:
            yield
        finally:
            self._group = before

    def run(self, first: int = 0, last: int | None = None) -> None:
        """Do the jobs from `first` to before `last`, in order. Python's other threads go on meanwhile."""
        last = len(self.jobs) if last is None else last
        if not 0 <= first <= last <= len(self.jobs):
            raise IndexError(f"run: jobs {first} to {last} of {len(self.jobs)}")
        with _turn:
            table, _ = self._table or self._laid_out()
            if (part := self._parts.get((first, last))) is None:
                part = self._parts[first, last] = self._part(first, last)
            after: list[Callable[[], None]] = []
            try:
                after.extend(prepare() for prepare in self.around)
                _team(self.threads).run(table, first, *part, last)
            finally:
                for restore in after:
                    restore()

    def _laid_out(self) -> tuple[int, Any]:
        """The table: no barrier stands between two small jobs, or two of a group."""
        groups, small = self._groups, [job[2] for job in self.jobs]
        rows = []
        for i, job in enumerate(self.jobs):
            goes_on = groups[i : i + 2] == [groups[i]] * 2 and (groups[i] != 0 or all(small[i : i + 2]))
            rows.append((*job, not goes_on))
        table = np.array(rows, np.int64)
        self._table, self._parts = (table.ctypes.data, table), {}
        return self._table

    def _part(self, first: int, last: int) -> tuple[int, int]:
        """From where to where the team is needed; the others need not wake up for what is small."""
        large = [i for i in range(first, last) if not self.jobs[i][2]]
        return (large[0], large[-1] + 1) if large else (last, last)


def _team(size: int) -> Team:
    if size not in _teams:
        _teams[size] = Team(size)
    return _teams[size]


def _after_fork() -> None:
    """Threads stay behind in the parent."""
    global _turn
    _turn = threading.RLock()
    _teams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _function(address: int, parameters: int) -> Callable[..., None]:
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * parameters)(address)


def _keep(*things: Any) -> None:
    """Let them live until the process ends: threads use them even while Python ends."""
    for thing in things:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _ways_to_sleep(size: int) -> tuple[int, int, list[int]]:
    """Functions to sleep and to wake, and what each thread sleeps on: Linux's semaphores, elsewhere Python's locks."""
    if sys.platform == "linux":
        libc, room = ctypes.CDLL(None), np.zeros((size, 2 * LINE), np.int64)
        _keep(room)
        places = [row.ctypes.data for row in room]
        for place in places:
            libc.sem_init(ctypes.c_void_p(place), 0, 0)
        sleep, wake = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in (libc.sem_wait, libc.sem_post))
        return sleep, wake, places
    return _python_locks(size)


def _python_locks(size: int) -> tuple[int, int, list[int]]:
    locks = [threading.Semaphore(0) for _ in range(size)]
    callback = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64)
    sleep = callback(lambda i: not locks[i].acquire())
    wake = callback(lambda i: bool(locks[i].release()))  # type: ignore[func-returns-value]
    _keep(locks, sleep, wake)
    return *(ctypes.cast(f, ctypes.c_void_p).value or 0 for f in (sleep, wake)), list(range(size))  # type: ignore[return-value]
