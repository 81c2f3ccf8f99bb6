"""How a process becomes one of a group, and what it leaves to the others when it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..checks import number
from ..errors import ConfigError
from ..processes import LAUNCHERS, Group, cores, enter
from .mpi import PATIENCE, MPIGroup


@contextmanager
def join(kind: str = "mpi", local_batch_norm: bool = False, patience: float = PATIENCE) -> Iterator[Group]:
    """For the length of the block, be one of the processes that were started together.

    kind: "mpi", for those that mpiexec or srun started.  local_batch_norm: whether batch norm takes the statistics of
    each process's share alone: fewer messages, but not what one process would learn.  patience: how many seconds to
    wait for the others' answer.
    If a process ends with an error, the others are told, and end, too.
    Raises ConfigError for another kind, PackageError without mpi4py, and RunError without an MPI library.

    >>> with tg.parallel.join("mpi") as group:  # without mpiexec, a group of one
    ...     group.size
    1
    """
    if kind not in LAUNCHERS:
        raise ConfigError(f"join: kind is {kind!r}, but it must be one of {', '.join(LAUNCHERS)}")
    group = MPIGroup(local_batch_norm=local_batch_norm, patience=number("join", "patience", patience, above=0))
    share_cores(group.neighbours())
    before = enter(group)
    try:
        yield group
    except BaseException as error:
        if group.fail(error):
            raise
        raise SystemExit(2) from None
    finally:
        enter(before)


def share_cores(several: int) -> None:
    """Compute on as many threads as there are cores for this process, of several that may use the same ones.

    What the environment says, in OMP_NUM_THREADS and its like, stays as it is.
    """
    from threadpoolctl import threadpool_limits

    threads = max(1, cores() // several)
    if several > 1 and not any(name in os.environ for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")):
        threadpool_limits(threads)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if "NUMBA_NUM_THREADS" not in os.environ and (numba := sys.modules.get("numba")):
        numba.set_num_threads(min(threads, numba.get_num_threads()))  # it has read the environment
    else:
        os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
