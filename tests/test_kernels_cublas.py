"""Products by cuBLAS: what it is told, read as its documentation says, and the products themselves on a GPU."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import BACKENDS, device
from test_kernels_cuda import on_host

SHAPES = [(3, 4, 5), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1), (64, 7, 1)]


class Placed(np.ndarray):
    """An array that says where it lies, as CuPy's do."""

    data = property(lambda self: SimpleNamespace(ptr=self.ctypes.data))


class Library:
    """cuBLAS on the host: columns lie one after the other, `step` elements from each other."""

    def cublasGemmEx(
        self,
        handle,
        a_turned,
        b_turned,
        m,
        n,
        k,
        one,
        a,
        a_kind,
        a_step,
        b,
        b_kind,
        b_step,
        zero,
        c,
        kind,
        step,
        compute,
        how,
    ):
        number = {0: ctypes.c_float, 1: ctypes.c_double}[kind]
        assert a_kind == b_kind == kind and compute == {0: 68, 1: 70}[kind] and how == -1
        assert (one._obj.value, zero._obj.value) == (1, 0)

        def matrix(pointer, rows, columns, step):
            assert step >= rows
            flat = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(number)), ((columns - 1) * step + rows,))
            return np.lib.stride_tricks.as_strided(flat, (rows, columns), (flat.itemsize, step * flat.itemsize))

        x = matrix(a, *((k, m) if a_turned else (m, k)), a_step)
        y = matrix(b, *((n, k) if b_turned else (k, n)), b_step)
        matrix(c, m, n, step)[...] = (x.T if a_turned else x) @ (y.T if b_turned else y)
        return 0


@pytest.fixture(params=["host", *(["cupy"] if "cupy" in BACKENDS else [])])
def products(request):
    """What makes products, and the array module whose arrays it takes."""
    if request.param == "cupy":
        with device("cupy") as backend:
            from tinygen.kernels.cublas import Products

            yield Products(backend.xp.cuda.get_current_stream()), backend.xp.asarray
    else:
        cublas = on_host("cublas")
        made = object.__new__(cublas.Products)
        made._library, made._handle = Library(), ctypes.c_void_p()
        yield made, lambda x: x.view(Placed)


def laid_out(x, layout):
    """x as it is, in Fortran order, or as the left part of a wider matrix."""
    if layout == "in columns":
        return np.asfortranarray(x)
    wide = np.full((x.shape[0], x.shape[1] + 3), np.nan, x.dtype)
    wide[:, : x.shape[1]] = x
    return wide[:, : x.shape[1]] if layout == "wide" else x


LAYOUTS = ["in rows", "in columns", "wide"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_of_every_layout(shape, dtype, products):
    makes, placed = products
    (m, k, n), rng = shape, np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    for of_a in LAYOUTS:
        for of_b in LAYOUTS:
            for of_out in LAYOUTS:
                x, y, out = placed(laid_out(a, of_a)), placed(laid_out(b, of_b)), placed(laid_out(a @ b, of_out))
                out[...] = 0
                makes.product(x, y, out)()
                got = out.get() if hasattr(out, "get") else out
                np.testing.assert_allclose(got, a @ b, rtol=1e-4, atol=1e-5, err_msg=f"{of_a}, {of_b}, {of_out}")


def test_what_cublas_does_not_take(products):
    makes, placed = products
    x = placed(np.ones((4, 4), np.float32))
    for refused in (x[::2, ::2], x.astype(np.float16), x.astype(np.float64), x[:0], x.reshape(2, 2, 4)):
        assert makes.product(refused, x, x) is None
    whole = placed(np.ones((4, 4), np.int64))
    assert makes.product(whole, whole, whole) is None
