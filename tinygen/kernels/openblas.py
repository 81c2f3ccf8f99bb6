"""The OpenBLAS that NumPy's wheels carry: its products, to be called by address, and how many threads they use."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Alone:
    """Limits a library to one thread from the first call on, until what each call returned has been called."""

    def __init__(self, count: Any, limit: Any):
        self._count, self._limit, self._users, self._before = count, limit, 0, 1
        self._turn = threading.RLock()  # a signal's handler may run a step within a step

    def __call__(self) -> Callable[[], None]:
        with self._turn:
            if self._users == 0:
                self._before = self._count()
                self._limit(1)
            self._users += 1
        return self._restore

    def threads(self) -> int:
        """How many threads a call uses when nobody asks for one."""
        with self._turn:
            return self._before if self._users else self._count()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """All threads for the length of the block, whoever has asked for one."""
        with self._turn:
            self._limit(self.threads())
        try:
            yield
        finally:
            with self._turn:
                self._limit(1 if self._users else self._count())

    def _restore(self) -> None:
        with self._turn:
            self._users -= 1
            if self._users == 0:
                self._limit(self._before)


class Blas(NamedTuple):
    """A library's products.

    gemm: cblas_sgemm and cblas_dgemm, by dtype.  bits: of its integers.
    alone: makes each call run on the thread that makes it; returns what undoes that.
    """

    name: str
    gemm: dict[str, Any]
    bits: int
    alone: Alone

    def address(self, dtype: str) -> int:
        """Where the product of matrices of a dtype begins."""
        return ctypes.cast(self.gemm[dtype], ctypes.c_void_p).value or 0


@functools.cache
def blas() -> Blas | None:
    """The library that NumPy has loaded; None where NumPy has another BLAS."""
    folder = Path(np.__file__).parent.with_name("numpy.libs")
    for path in sorted(folder.glob("libscipy_openblas64_*")):
        library = ctypes.CDLL(str(path))
        names = {"float32": "scipy_cblas_sgemm64_", "float64": "scipy_cblas_dgemm64_"}
        count, limit = (getattr(library, f"scipy_openblas_{verb}_num_threads64_", None) for verb in ("get", "set"))
        if count and limit and all(hasattr(library, name) for name in names.values()):
            return Blas("OpenBLAS", {d: _gemm(library, name, d) for d, name in names.items()}, 64, Alone(count, limit))
    return None


def all_threads() -> AbstractContextManager[None]:
    """For something long outside of a compiled step: all threads for the length of the block."""
    library = blas()
    return nullcontext() if library is None else library.alone.paused()


def _gemm(library: ctypes.CDLL, name: str, dtype: str) -> Any:
    gemm = getattr(library, name)
    flag, size, pointer = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
    number = ctypes.c_float if dtype == "float32" else ctypes.c_double
    gemm.argtypes = [flag] * 3 + [size] * 3 + [number, pointer, size, pointer, size, number, pointer, size]
    gemm.restype = None
    return gemm
