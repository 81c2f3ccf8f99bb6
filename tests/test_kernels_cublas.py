"""Products by cuBLAS: what it is told, read as its documentation says, and the products themselves on a GPU."""

from __future__ import annotations

from types import SimpleNamespace

import cublas_on_host
import numpy as np
import pytest
from conftest import BACKENDS, device
from test_kernels_cuda import on_host

SHAPES = [(3, 4, 5), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1), (64, 7, 1)]


class Placed(np.ndarray):
    """An array that says where it lies, as CuPy's do."""

    data = property(lambda self: SimpleNamespace(ptr=self.ctypes.data))


@pytest.fixture(params=["host", *(["cupy"] if "cupy" in BACKENDS else [])])
def products(request):
    """What makes products, and the array module whose arrays it takes."""
    if request.param == "cupy":
        with device("cupy") as backend:
            from tinygen.kernels.cublas import Products

            yield Products(backend.xp.cuda.get_current_stream()), backend.xp.asarray
    else:
        yield cublas_on_host.products(on_host("cublas")), lambda x: x.view(Placed)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stacks_of_matrices(dtype, products):
    makes, placed = products
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, 3, 4)).astype(dtype), rng.normal(size=(6, 4, 5)).astype(dtype)
    turned, wide = np.ascontiguousarray(b.mT).mT, np.zeros((6, 3, 9), dtype)[..., :4]
    wide[...] = a
    for x, y in [
        (a, b),
        (a[0], b),
        (a, b[0]),
        (a[:1], b),
        (wide, turned),
        (a[::2], b[::2]),
        (a[::-1], b),
        (a[:1], b[:1]),
    ]:
        for out in (np.zeros_like(x @ y), np.zeros_like((x @ y).mT).mT):
            assert_product(makes, *map(placed, (x, y, out)), x @ y)


def test_stacks_of_stacks(products):
    makes, placed = products
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 3, 4)), rng.normal(size=(2, 6, 4, 5))
    turned, moved = np.ascontiguousarray(b.mT).mT, np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, 2)), 2, 1)
    for x, y in [(a, b), (a, b[0, 0]), (a[0, 0], b), (a, turned), (moved, b), (moved, turned)]:
        assert_product(makes, *map(placed, (x, y, np.zeros((2, 6, 3, 5)))), x @ y)
    assert makes.product(placed(a[:1]), placed(b), placed(a @ b)) is None


def test_what_has_gaps_or_repeats_or_another_dtype_is_copied_first_each_time(products):
    makes, placed = products
    x, y = np.arange(32.0).reshape(4, 8), np.ones((3, 5))
    row = np.broadcast_to(np.arange(3.0), (4, 3))
    for a, b in [
        (x[:, ::3], y),
        (row, y),
        (y.T, row.T),
        (np.arange(64.0).reshape(2, 4, 8)[..., ::3], y),
        (x[:, :3].astype("f4"), y),
    ]:
        out = np.zeros(np.matmul(a, b).shape)
        assert_product(makes, *map(placed, (a, b, out)), a @ b)
    a, out = placed(x[:, ::3]), placed(np.zeros((4, 5)))
    call = makes.product(a, placed(y), out)
    for k in (1, 2):
        a[...] = k
        call()
        assert float(out[0, 0]) == 3 * k


def assert_product(makes, x, y, out, right):
    makes.product(x, y, out)()
    np.testing.assert_allclose(out.get() if hasattr(out, "get") else out, right, rtol=1e-4, atol=1e-5)


def test_what_cublas_does_not_take(products):
    makes, placed = products
    x = placed(np.ones((4, 4), np.float32))
    for refused in (x[:0], x[0]):
        assert makes.product(refused, x, x) is None
    assert makes.product(x, x, x[::2, ::2]) is None
    for dtype in (np.int64, np.float16):
        other = placed(np.ones((4, 4), dtype))
        assert makes.product(other, other, other) is None
