"""A group of threads in one process, on which training on several processes is tested without MPI."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygen import processes


class ThreadGroup(processes.Group):
    """One of several threads, each of which is made a member of the group as a process would be."""

    def __init__(self, rank: int, shared: list[Any], barrier: threading.Barrier, local_batch_norm: bool):
        self.rank, self.size, self._shared, self._barrier = rank, len(shared), shared, barrier
        self.local_batch_norm = local_batch_norm

    def from_all(self, value: Any) -> list[Any]:
        self._shared[self.rank] = value
        self._barrier.wait()
        values = list(self._shared)
        self._barrier.wait()
        return values

    def from_first(self, value: Any) -> Any:
        return self.from_all(value)[0]

    def add_up(self, x: np.ndarray) -> None:
        total = sum(self.from_all(x.copy()))
        x[...] = total

    def mean_of(self, x: Any) -> Any:
        return sum(self.from_all(x.copy())) / np.asarray(self.size, x.dtype)  # its owner goes on to use the memory

    def any(self, flag: bool) -> bool:
        return any(self.from_all(flag))


def on_threads(size: int, work: Callable[[processes.Group], Any], local_batch_norm: bool = False) -> list[Any]:
    """What the work returns in each of so many threads that form a group. Raises the first error of any."""
    results, errors = [None] * size, list[BaseException]()
    shared, barrier = [None] * size, threading.Barrier(size, timeout=60)

    def run(rank: int) -> None:
        group = ThreadGroup(rank, shared, barrier, local_batch_norm)
        before = processes.enter(group)
        try:
            results[rank] = work(group)
        except BaseException as error:
            if not isinstance(error, threading.BrokenBarrierError):
                errors.append(error)
            barrier.abort()
        finally:
            processes.enter(before)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
