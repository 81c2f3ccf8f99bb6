"""How a process becomes one of a group, and what it leaves to the others when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import ConfigError
from ..processes import Group, enter
from ..settings import did_you_mean


def _mpi(local_batch_norm: bool) -> Group:
    from .mpi import MPIGroup

    return MPIGroup(local_batch_norm=local_batch_norm)


KINDS: dict[str, Callable[[bool], Group]] = {"mpi": _mpi}


@contextmanager
def join(kind: str = "mpi", local_batch_norm: bool = False) -> Iterator[Group]:
    """For the length of the block, be one of the processes that were started together.

    kind: "mpi", for those that mpiexec or srun started.  local_batch_norm: whether batch norm takes the statistics of
    each process's share alone: fewer messages, but not what one process would learn.
    If a process ends with an error, the others are told, and end, too.
    Raises ConfigError for another kind, PackageError without mpi4py, and RunError without an MPI library.
    """
    if kind not in KINDS:
        raise ConfigError(f"join: kind is {kind!r}, but it must be one of {', '.join(KINDS)}{did_you_mean(kind, KINDS)}")
    group = KINDS[kind](local_batch_norm)
    before = enter(group)
    try:
        yield group
    finally:
        enter(before)
