"""Products for a step that is captured as a CUDA graph: cuBLAS, called by address.

CuPy refuses to call cuBLAS while a stream is capturing. A handle of our own, whose stream and workspace are set once,
may be used then; so all products of a step go through one, and give the same bits in the graph as before it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import cupy

from ..backend import Array

_WORKSPACE = 32 << 20  # bytes: what NVIDIA recommends for Hopper; 4 MB are enough for older ones
# From cublas_api.h and library_types.h: the type of the elements, and how to compute with them
_TYPES = {"f": (0, 68), "d": (1, 70)}  # CUDA_R_32F, CUBLAS_COMPUTE_32F; CUDA_R_64F, CUBLAS_COMPUTE_64F
_FAST_TF32 = 77  # CUBLAS_COMPUTE_32F_FAST_TF32
_DEFAULT = -1  # CUBLAS_GEMM_DEFAULT: cuBLAS chooses the algorithm


class Products:
    """Products on one stream.

    Raises OSError or ImportError if cuBLAS isn't found, RuntimeError if it fails.
    """

    def __init__(self, stream: Any):
        self._handle = ctypes.c_void_p()
        self._library = _library()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        self._workspace = cupy.cuda.alloc(_WORKSPACE)
        self._call("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream.ptr))  # takes the workspace away
        size = ctypes.c_size_t(_WORKSPACE)
        self._call("cublasSetWorkspace_v2", self._handle, ctypes.c_void_p(self._workspace.ptr), size)

    def __del__(self) -> None:
        if self._handle:
            self._library.cublasDestroy_v2(self._handle)

    def _call(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            raise RuntimeError(f"{name}: cuBLAS answers with status {status}")

    def product(self, a: Array, b: Array, out: Array) -> Callable[[], None] | None:
        """out[...] = a @ b as a call without arguments, for matrices that stay where they are.

        None for what cuBLAS doesn't take as it lies, or of another dtype than float32 and float64.
        """
        if (layout := _layout(out)) is not None and layout.in_rows:  # cuBLAS writes columns: out.T = b.T @ a.T
            a, b, out = b.T, a.T, out.T
        layouts = [_layout(x) for x in (a, b, out)]
        alike = a.dtype == b.dtype == out.dtype and out.dtype.char in _TYPES
        if not alike or None in layouts:
            return None
        (a_rows, a_step), (b_rows, b_step), (_, step) = filter(None, layouts)
        kind, compute = _TYPES[out.dtype.char]
        if out.dtype.char == "f" and os.environ.get("CUPY_TF32") == "1":
            compute = _FAST_TF32
        number = ctypes.c_float if out.dtype.char == "f" else ctypes.c_double
        one, zero = number(1), number(0)
        (m, k), n = a.shape, b.shape[1]
        pa, pb, pout = (ctypes.c_void_p(x.data.ptr) for x in (a, b, out))
        gemm, arrays = self._library.cublasGemmEx, (a, b, out)
        arguments = (
            *(self._handle, int(a_rows), int(b_rows), m, n, k),
            *(ctypes.byref(one), pa, kind, a_step, pb, kind, b_step),
            *(ctypes.byref(zero), pout, kind, step, compute, _DEFAULT),
        )

        def call(keep: Any = (arrays, one, zero)) -> None:
            if status := gemm(*arguments):
                raise RuntimeError(f"cublasGemmEx: status {status} for ({m}, {k}) @ ({k}, {n})")

        return call


class _Layout(NamedTuple):
    """How a matrix lies in memory: row after row or column after column, and how many elements from one to the next."""

    in_rows: bool
    step: int


def _layout(x: Array) -> _Layout | None:
    """None for what is no matrix, is empty, or lies with gaps in its rows and its columns."""
    if x.ndim != 2 or not x.size:
        return None
    (rows, columns), (down, right) = x.shape, (step // x.itemsize for step in x.strides)
    if (down == 1 or rows == 1) and (columns == 1 or right >= rows):
        return _Layout(False, max(right, rows))
    if (right == 1 or columns == 1) and (rows == 1 or down >= columns):
        return _Layout(True, max(down, columns))
    return None


def _library() -> Any:
    """The cuBLAS that CuPy has loaded, or would load."""
    assert cupy.cuda.Device().cublas_handle  # CuPy loads it now
    major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    name = f"cublas64_{major}.dll" if os.name == "nt" else f"libcublas.so.{major}"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        from cuda import pathfinder  # comes with CuPy

        library = ctypes.CDLL(pathfinder.load_nvidia_dynamic_lib("cublas").abs_path)
    library.cublasGemmEx.restype = ctypes.c_int
    return library
