"""cuBLAS on the host: products of matrices in memory, as its documentation says."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np


class Library:
    """Columns lie one after the other, `step` elements from each other; of a stack, matrices are `apart` elements."""

    def cublasGemmEx(self, handle, a_turned, b_turned, m, n, k, one, a, a_kind, a_step, b, b_kind, b_step, *rest):
        zero, c, kind, step, compute, how = rest
        far = ctypes.c_longlong(0)
        matrices = (a, a_kind, a_step, far, b, b_kind, b_step, far, zero, c, kind, step, far)
        return self.cublasGemmStridedBatchedEx(handle, a_turned, b_turned, m, n, k, one, *matrices, 1, compute, how)

    def cublasGemmStridedBatchedEx(self, handle, a_turned, b_turned, m, n, k, one, *rest):
        a, a_kind, a_step, a_apart, b, b_kind, b_step, b_apart, zero, c, kind, step, apart, count, compute, how = rest
        number = {0: ctypes.c_float, 1: ctypes.c_double}[kind]
        assert a_kind == b_kind == kind and compute == {0: 68, 1: 70}[kind] and how == -1
        assert (one._obj.value, zero._obj.value) == (1, 0)

        def matrix(pointer, rows, columns, step, first):
            assert step >= rows
            address = pointer.value + first * ctypes.sizeof(number)
            room = ctypes.cast(address, ctypes.POINTER(number))
            flat = np.ctypeslib.as_array(room, ((columns - 1) * step + rows,))
            return np.lib.stride_tricks.as_strided(flat, (rows, columns), (flat.itemsize, step * flat.itemsize))

        for i in range(count):
            x = matrix(a, *((k, m) if a_turned else (m, k)), a_step, i * a_apart.value)
            y = matrix(b, *((n, k) if b_turned else (k, n)), b_step, i * b_apart.value)
            matrix(c, m, n, step, i * apart.value)[...] = (x.T if a_turned else x) @ (y.T if b_turned else y)
        return 0


def products(module: Any) -> Any:
    """The Products of a module that stands for tinygen.kernels.cublas, made by this library."""
    made = object.__new__(module.Products)
    made._library, made._handle = Library(), ctypes.c_void_p()
    return made
