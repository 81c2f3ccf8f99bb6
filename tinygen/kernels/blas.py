"""Products of matrices on the CPU: a @ b, and out += a @ b in one call, which NumPy's matmul does not offer.

Large products in float32 go to gemm.py where Numba is installed. Otherwise NumPy's own BLAS computes them: its wheels
carry an OpenBLAS whose functions can be called. (A second BLAS, such as SciPy's, would bring threads of its own, and
the two would wait for each other.) Where NumPy has another BLAS, out += a @ b makes the product first and adds it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import Array
from . import openblas, reference
from .compiled import compiled

_ROW_MAJOR, _AS_IT_IS, _TRANSPOSED = 101, 111, 112  # CBLAS's names for how a matrix lies in memory


_LARGE = 1 << 18  # multiplications; OpenBLAS, too, begins to share the work among threads there
_NARROW = 8  # columns: a tile of gemm.py has 16 at least


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """a @ b, or a @ b + bias with a bias for each column, as reference.matmul."""
    fits = a.ndim == b.ndim == 2 and (bias is None or bias.dtype == a.dtype)
    gemm = _compiled_for(a, b) if fits else None
    if gemm is not None and b.shape[1] >= _NARROW:
        out = np.empty((a.shape[0], b.shape[1]), a.dtype)
        gemm.product(out, _laid_out(a)[0], _laid_out(b)[0], False, bias)
        return out
    if gemm is None:
        return reference.matmul(a, b, bias)
    y = compiled("thin").narrow_product(a, b)
    return y if bias is None else y + bias


def add_product(out: Array, a: Array, b: Array, adds: bool = True) -> None:
    """out += a @ b, or out = a @ b, for matrices of one dtype. out: rows of neighbouring elements, at any distance."""
    a, order_a, lda = _laid_out(a)
    b, order_b, ldb = _laid_out(b)
    gemm = _compiled_for(a, b)
    if gemm is not None and b.shape[1] >= _NARROW:
        gemm.product(out, a, b, adds)
        return
    blas, (m, k), n = _gemm(out.dtype) if a.dtype == b.dtype == out.dtype else None, a.shape, b.shape[1]
    if blas is None or not (m and n and k):
        _multiply(out, a, b, adds)
        return
    pa, pb, pc = (x.__array_interface__["data"][0] for x in (a, b, out))
    beta, ldc = float(adds), max(out.strides[0] // out.itemsize, n)
    blas(_ROW_MAJOR, order_a, order_b, m, n, k, 1.0, pa, lda, pb, ldb, beta, pc, ldc)


def prepared_product(out: Array, a: Array, b: Array, adds: bool) -> Callable[[], Any]:
    """add_product as a function without arguments, for memory that stays where it is.

    NumPy's BLAS computes it, so that several threads may call it: Numba's loops end the process if two threads do.
    """
    (x, order_a, lda), (y, order_b, ldb), (m, k), n = _laid_out(a), _laid_out(b), a.shape, b.shape[1]
    blas = _gemm(out.dtype) if a.dtype == b.dtype == out.dtype else None
    if blas is None or not (m and n and k) or x is not a or y is not b:
        return functools.partial(_multiply, out, a, b, adds)
    pa, pb, pc = (x.__array_interface__["data"][0] for x in (a, b, out))
    sizes = m, n, k, 1.0, pa, lda, pb, ldb, float(adds), pc, max(out.strides[0] // out.itemsize, n)
    return functools.partial(blas, _ROW_MAJOR, order_a, order_b, *sizes)


def _multiply(out: Array, a: Array, b: Array, adds: bool) -> None:
    out[...] = out + a @ b if adds else a @ b


def _compiled_for(a: Array, b: Array) -> Any:
    """gemm.py, if it is available and made for this product."""
    large = a.shape[0] * b.size >= _LARGE and a.dtype == b.dtype == np.float32
    return compiled("gemm") if large else None


def _laid_out(x: Array) -> tuple[Array, int, int]:
    """A matrix as BLAS takes it, a copy if its elements lie apart; which way it lies, and the length of a line."""
    (rows, columns), (down, right), item = x.shape, x.strides, x.itemsize
    if right == item and (rows == 1 or down >= columns * item):
        return x, _AS_IT_IS, max(down // item, columns)
    if down == item and (columns == 1 or right >= rows * item):
        return x, _TRANSPOSED, max(right // item, rows)
    return np.ascontiguousarray(x), _AS_IT_IS, max(columns, 1)


@functools.cache
def _gemm(dtype: Any) -> Any:
    """OpenBLAS's product of matrices of a dtype; None if there is none."""
    library = openblas.blas()
    return library.gemm.get(dtype.name) if library is not None and dtype.isnative else None
