"""The launches of a step as one CUDA graph: the GPU is told once what to do, and later only to do it.

A launch takes Python and the driver several microseconds, more than most kernels of a small network run. What differs
from step to step, such as learning rates and places in random streams, is copied to the GPU before each step, and the
kernels of the graph read it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy
import numpy as np

from ..backend import Array
from ..kernels.cublas import Products
from .lowering import Call


class Launches:
    """Launches on a stream of their own: one by one in the first step, then captured, and from then on as a graph.

    Their temporary arrays come from a memory pool of their own: a graph uses the same addresses each time, and nobody
    else may.
    why_not: why there is no graph; "" if there is one, or can be. Without one they are launched one by one.
    """

    def __init__(self) -> None:
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._pool = cupy.cuda.MemoryPool()
        self._graph: Any = None
        self._taken = False
        self.why_not = ""
        self.products: Products | None = None
        try:
            self.products = Products(self._stream)
        except (OSError, ImportError, RuntimeError) as error:
            self.why_not = f"cuBLAS can't be called: {error}"

    @property
    def captured(self) -> bool:
        """Whether they are a graph by now."""
        return self._graph is not None

    def run(self, calls: Sequence[Call]) -> None:
        """Launch all of them, always the same ones, in the order of the current stream."""
        if self._graph is None and self._taken and not self.why_not:
            self._capture(calls)
        self._taken = True
        if self._graph is not None:
            self._graph.launch()
            return
        current = cupy.cuda.get_current_stream()
        self._stream.wait_event(current.record())
        with self._stream, cupy.cuda.using_allocator(self._pool.malloc):
            for call in calls:
                call()
        current.wait_event(self._stream.record())

    def _capture(self, calls: Sequence[Call]) -> None:
        with self._stream, cupy.cuda.using_allocator(self._pool.malloc):
            self._stream.begin_capture()
            try:
                for call in calls:
                    call()
            except Exception as error:  # of CuPy's many kinds: what can't be captured
                self.why_not = f"{type(error).__name__}: {error}"
            try:
                graph = self._stream.end_capture()
            except Exception as error:  # it was broken off
                self.why_not = self.why_not or f"{type(error).__name__}: {error}"
        if not self.why_not:
            self._graph = graph


class Upload:
    """Copies a small array of the host to the GPU in order with the launches, without waiting for them.

    The copy is made from pinned memory, which must not change until it is done. There is room for as many steps as
    Python may be ahead of the GPU.
    """

    AHEAD = 8

    def __init__(self, there: Array):
        self._there, self._next = there, 0
        self._rooms = [cupy.cuda.alloc_pinned_memory(there.nbytes) for _ in range(self.AHEAD)]
        self._copied: list[Any] = [None] * self.AHEAD

    def __call__(self, here: np.ndarray) -> None:
        room, copied = self._rooms[self._next], self._copied[self._next]
        if copied is not None:
            copied.synchronize()
        np.frombuffer(room, here.dtype, here.size)[...] = here
        stream = cupy.cuda.get_current_stream()
        self._there.data.copy_from_host_async(room.ptr, here.nbytes, stream)
        self._copied[self._next] = stream.record(cupy.cuda.Event(disable_timing=True))
        self._next = (self._next + 1) % self.AHEAD
