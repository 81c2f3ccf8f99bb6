"""Processes that `mpiexec` started, over MPI: on CPUs by its own means, on GPUs over NCCL where CuPy has it.

A process that waits for the others looks up from time to time: whether one of them has told why it ended, whether it
was told to end itself, and for how long nothing has come.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from contextlib import suppress
from typing import Any

import numpy as np

from .. import signals, terminal
from ..backend import array_module, to_device, to_host
from ..checks import check_installed
from ..errors import RunError, UserError
from ..processes import Group, Lost

ENDED = 91  # the tag of a message that says why a process ended
PATIENCE = 1800.0  # seconds without an answer after which the others are given up
NOTICE = 0.1  # seconds after which a process that was told to end says that it waits: mpiexec may kill it after 0.25
GRACE = 0.6  # seconds that the others get to say why they end, before all are ended
LOOKS = 0.01  # seconds between two looks up
SPINS = 0.002  # seconds that a wait keeps a core busy; a longer one leaves it to others


class MPIGroup(Group):
    """The processes of an MPI communicator, by default all that were started together.

    Raises PackageError without mpi4py, and RunError if that finds no MPI library.
    """

    def __init__(self, comm: Any = None, local_batch_norm: bool = False, patience: float = PATIENCE):
        check_installed("parallel training over MPI", "mpi4py")
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise RunError(f"mpi4py finds no MPI library ({error}); install Open MPI or MPICH") from error
        self._mpi = MPI
        self._comm = MPI.COMM_WORLD.Dup() if comm is None else comm
        self._control = self._comm.Dup()  # for messages that may come at any time
        self.rank, self.size = self._comm.Get_rank(), self._comm.Get_size()
        self.local_batch_norm, self._patience = local_batch_norm, patience
        self._nccl: Any = None

    def __repr__(self) -> str:
        return f"process {self.rank} of {self.size}"

    def add_up(self, x: np.ndarray) -> None:
        self._wait(self._comm.Iallreduce(self._mpi.IN_PLACE, x, self._mpi.SUM))

    def mean_of(self, x: Any) -> Any:
        if self._nccl is not None and array_module(x).__name__ == "cupy":
            return self._nccl.mean_of(x)
        y = np.array(to_host(x), np.promote_types(x.dtype, np.float32), order="C")  # MPI has no float16
        self.add_up(y)
        y /= self.size
        return to_device(y.astype(x.dtype, copy=False))

    def take_gpu(self) -> None:
        import cupy
        from cupy.cuda import nccl

        from .nccl import NCCL

        number, several = self._among(self._mpi.Get_processor_name())
        gpus = cupy.cuda.runtime.getDeviceCount()
        cupy.cuda.Device(number % gpus).use()
        shared = several > gpus  # which NCCL refuses
        if not self.any(shared or not nccl.available):
            self._nccl = NCCL(self)

    def from_first(self, value: Any) -> Any:
        return self.from_all(value if self.rank == 0 else None)[0]

    def from_all(self, value: Any) -> list[Any]:
        packed = np.frombuffer(self._mpi.pickle.dumps(value), np.uint8)
        sizes = np.zeros(self.size, np.int64)
        sizes[self.rank] = packed.size
        self.add_up(sizes)
        ends = np.cumsum(sizes)
        all_packed = np.empty(ends[-1], np.uint8)
        self._wait(self._comm.Iallgatherv(packed, [all_packed, sizes.tolist()]))
        parts = zip(ends - sizes, ends, strict=True)
        return [self._mpi.pickle.loads(all_packed[begin:end].tobytes()) for begin, end in parts]

    def any(self, flag: bool) -> bool:
        flags = np.array([flag], np.int32)
        self.add_up(flags)
        return bool(flags[0])

    def neighbours(self) -> int:
        """How many processes, with this one, may use the same cores of one machine."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        return self._among((self._mpi.Get_processor_name(), cores))[1]

    def _among(self, here: Any) -> tuple[int, int]:
        """The number of this process among those that give the same value, and how many they are."""
        alike = [rank for rank, there in enumerate(self.from_all(here)) if there == here]
        return alike.index(self.rank), len(alike)

    def _wait(self, request: Any) -> None:
        began = looked = time.monotonic()
        told: float | None = None  # when this process was told to end
        noticed = False
        while not request.Test():
            now = time.monotonic()
            if now - began > SPINS:
                time.sleep(1e-4)
            if now - looked < LOOKS:
                continue
            looked = now
            self._hear(request)
            if told is None and signals.asked():
                told = now
            if told is not None and now - told > NOTICE and not noticed:
                noticed = True
                self._say(f"told to end; waiting for the others, unless one was killed; {self._left()}")
            if now - began > self._patience:
                raise Lost(f"{self!r}: no answer from the others for {self._patience:g} seconds; {self._left()}")

    def _left(self) -> str:
        return "no checkpoint was made" if self.saved is None else f"the last checkpoint is of step {self.saved}"

    def _say(self, text: str) -> None:
        with suppress(OSError):
            terminal.write_line(f"tinygen: {self!r}: {text}", sys.stderr)

    def _hear(self, request: Any) -> None:
        """Raise what another process said when it ended, if one did before it answered this request."""
        if self._control.Iprobe(tag=ENDED):
            rank, reason = self._control.recv(tag=ENDED)
            time.sleep(LOOKS)
            if not request.Test():
                raise Lost(f"{self!r}: process {rank} has ended: {reason}; {self._left()}")

    def fail(self, error: BaseException) -> bool:
        """Tell the others why this process ends. After an error, the processes that still wait are ended, too.

        An error that process 0 has as well, such as a wrong option, need not be said twice.
        """
        if self.size == 1:
            return True
        if isinstance(error, Exception):
            atexit.register(self._abort, 2 if isinstance(error, UserError) else 1, isinstance(error, Lost))
        if isinstance(error, Lost):
            return True
        reason = str(error) or type(error).__name__
        for rank in range(self.size):
            if rank != self.rank:
                self._control.isend((self.rank, reason), rank, tag=ENDED)
        return not isinstance(error, Exception) or not self._said_by_first(reason)

    def _said_by_first(self, reason: str) -> bool:
        until = time.monotonic() + GRACE / 2
        while self.rank > 0 and time.monotonic() < until:
            if self._control.Iprobe(0, tag=ENDED):
                return bool(self._control.recv(source=0, tag=ENDED)[1] == reason)
            time.sleep(LOOKS)
        return False

    def _abort(self, code: int, lost: bool) -> None:
        """End all processes at once, also those that wait for an answer. lost: whether another has more to say."""
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(2 * GRACE if lost else GRACE)
        self._comm.Abort(code)
