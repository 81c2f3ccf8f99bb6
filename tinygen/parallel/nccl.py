"""Means between GPUs over NCCL, through CuPy: on the device, in the order of its stream, without waiting for it."""

from __future__ import annotations

from typing import Any

from ..backend import Array
from ..processes import Group


class NCCL:
    """A communicator of NCCL for a group, each process of which computes on a GPU of its own.

    CuPy finds NCCL where it is installed: pip install nvidia-nccl-cu13, or -cu12, as CuPy's own name ends.
    """

    def __init__(self, group: Group):
        import cupy
        from cupy.cuda import nccl

        self._cupy, self._sum, self._size = cupy, nccl.NCCL_SUM, group.size
        self._types = {"e": nccl.NCCL_FLOAT16, "f": nccl.NCCL_FLOAT32, "d": nccl.NCCL_FLOAT64}
        identity = group.from_first(nccl.get_unique_id() if group.rank == 0 else None)
        self._comm = nccl.NcclCommunicator(group.size, identity, group.rank)

    def mean_of(self, x: Array) -> Any:
        """The mean of an array of the GPU over all processes."""
        x = self._cupy.ascontiguousarray(x)
        y = self._cupy.empty_like(x)
        stream = self._cupy.cuda.get_current_stream()
        self._comm.allReduce(x.data.ptr, y.data.ptr, x.size, self._types[x.dtype.char], self._sum, stream.ptr)
        y /= self._size
        return y
