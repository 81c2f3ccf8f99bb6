"""Products for a step that is captured as a CUDA graph: cuBLAS, called by address.

CuPy refuses to call cuBLAS while a stream is capturing. A handle of our own, whose stream and workspace are set once,
may be used then; so all products of a step go through one, and give the same bits in the graph as before it.
"""

from __future__ import annotations

import ctypes
import functools
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
        """out[...] = a @ b as a call without arguments, for matrices, or stacks of them, that stay where they are.

        What is of another dtype than out, or lies as cuBLAS doesn't take it, is copied first, each time. None if out is
        neither of float32 nor of float64 or lies so itself, for stacks of stacks that broadcast, and for what is empty.
        """
        fits = out.dtype.char in _TYPES and a.size and b.size and out.size and min(a.ndim, b.ndim) >= 2
        alike = out.ndim <= 3 or all(x.shape[:-2] in ((), out.shape[:-2]) for x in (a, b))
        if not fits or not alike or _layout(out) is None:
            return None
        given = a, b
        a, b = (x if x.dtype == out.dtype and _layout(x) else x.astype(out.dtype, order="C") for x in given)
        copies = [(here, x) for here, x in zip((a, b), given, strict=True) if here is not x]
        gemm = self._gemm(*map(_stack, (a, b, out)))

        def call(keep: Any = (a, b, out)) -> None:
            for here, x in copies:
                here[...] = x
            if status := gemm():
                raise RuntimeError(f"cuBLAS: status {status} for {a.shape} @ {b.shape}")

        return call

    def _gemm(self, a: Array, b: Array, out: Array) -> Callable[[], int]:
        """The call of cuBLAS, which returns its status."""
        if (layout := _layout(out)) is not None and layout.in_rows:  # cuBLAS writes columns: out.T = b.T @ a.T
            a, b, out = b.mT, a.mT, out.mT
        kind, compute = _TYPES[out.dtype.char]
        if out.dtype.char == "f" and os.environ.get("CUPY_TF32") == "1":
            compute = _FAST_TF32
        number = ctypes.c_float if out.dtype.char == "f" else ctypes.c_double
        one, zero = number(1), number(0)
        stacked = out.ndim == 3
        (a_rows, a_step), (b_rows, b_step), (_, step) = filter(None, map(_layout, (a, b, out)))

        def matrices(x: Array, step: int) -> tuple[Any, ...]:
            apart = x.strides[0] // x.itemsize if x.ndim == 3 and len(x) > 1 else 0  # 0: each time the same one
            return ctypes.c_void_p(x.data.ptr), kind, step, *([ctypes.c_longlong(apart)] * stacked)

        arguments = (
            *(self._handle, int(a_rows), int(b_rows), *out.shape[-2:], a.shape[-1]),
            *(ctypes.byref(one), *matrices(a, a_step), *matrices(b, b_step)),
            *(ctypes.byref(zero), *matrices(out, step), *([len(out)] * stacked), compute, _DEFAULT),
        )
        function = self._library.cublasGemmStridedBatchedEx if stacked else self._library.cublasGemmEx
        return functools.partial(function, *arguments)


class _Layout(NamedTuple):
    """How a matrix lies in memory: row after row or column after column, and how many elements from one to the next."""

    in_rows: bool
    step: int


def _layout(x: Array) -> _Layout | None:
    """Of a matrix, or of each in a stack. None for what lies with gaps in its rows and its columns."""
    if (x := _stack(x)) is None or (x.ndim == 3 and x.strides[0] < 0):
        return None
    (rows, columns), (down, right) = x.shape[-2:], (step // x.itemsize for step in x.strides[-2:])
    if (down == 1 or rows == 1) and (columns == 1 or right >= rows):
        return _Layout(False, max(right, rows))
    if (right == 1 or columns == 1) and (rows == 1 or down >= columns):
        return _Layout(True, max(down, columns))
    return None


def _stack(x: Array) -> Array:
    """x with all axes but the last two as one: a view, or None where they don't follow each other in memory."""
    if x.ndim <= 3:
        return x
    if x.flags.c_contiguous:
        return x.reshape(-1, *x.shape[-2:])
    return _stack(x.mT).mT if x.mT.flags.c_contiguous else None


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
    library.cublasGemmEx.restype = library.cublasGemmStridedBatchedEx.restype = ctypes.c_int
    return library
