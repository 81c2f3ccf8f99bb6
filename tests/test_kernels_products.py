"""Products of matrices on the CPU against NumPy's in float64: sizes, memory orders, and each library that can."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygen.kernels import blas

compiled = sys.modules["tinygen.kernels.compiled"].compiled
WITHIN = {np.float32: 2e-6, np.float64: 1e-14}  # times √k: the sums are of k products of N(0, 1)


@pytest.fixture(params=["compiled", "blas", "numpy"])
def library(request, monkeypatch):
    """What makes the products: gemm.py and narrow_product, of any size; NumPy's OpenBLAS; or NumPy alone."""
    if request.param == "compiled":
        if compiled("gemm") is None:
            pytest.skip("no Numba, or no AVX-512")
        monkeypatch.setattr(blas, "_LARGE", 1)
    else:
        monkeypatch.setattr(blas, "compiled", lambda name: None)
    if request.param == "numpy":
        monkeypatch.setattr(blas, "_gemm", lambda dtype: None)
    return request.param


def rows(x):
    return np.ascontiguousarray(x)


def columns(x):
    return np.asfortranarray(x)


def rows_of_more(x):
    wide = np.zeros((x.shape[0], x.shape[1] + 5), x.dtype)
    wide[:, 2 : 2 + x.shape[1]] = x
    return wide[:, 2 : 2 + x.shape[1]]


def columns_of_more(x):
    return rows_of_more(x.T).T


def apart(x):
    """Neither rows nor columns lie together."""
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    wide[::2, ::3] = x
    return wide[::2, ::3]


def backwards(x):
    return x[::-1, ::-1].copy()[::-1, ::-1]


def repeated(x):
    return np.broadcast_to(x[:1], x.shape)


ORDERS = [rows, columns, rows_of_more, columns_of_more]


def assert_product(found, a, b, plus=0.0):
    expected = a.astype(np.float64) @ b.astype(np.float64) + plus
    assert found.shape == expected.shape and found.dtype == a.dtype
    limit = WITHIN[a.dtype.type] * max(a.shape[1], 1) ** 0.5 * 4
    np.testing.assert_allclose(found, expected, rtol=limit, atol=limit)


def check(m, k, n, dtype=np.float32, orders=(rows, rows, rows)):
    """a @ b, with and without a bias, and out += a @ b; nothing but out changes, not what lies between its rows."""
    rng = np.random.default_rng([m, k, n])
    a, b, bias, c = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n), (n,), (m, n)))
    a, b = orders[0](a), orders[1](b)
    before = a.copy(), b.copy(), bias.copy()
    assert_product(blas.matmul(a, b), a, b)
    assert_product(blas.matmul(a, b, bias), a, b, bias)
    frame = np.full((m, n + 7), 3, dtype)
    out = frame[:, 4 : 4 + n] if orders[2] is rows_of_more else np.empty((m, n), dtype)
    out[...] = c
    blas.add_product(out, a, b)
    assert_product(out, a, b, c)
    assert (frame[:, :4] == 3).all() and (frame[:, 4 + n :] == 3).all()
    for x, y in zip((a, b, bias), before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", WITHIN)
def test_every_order_in_memory(library, dtype):
    for a, b in itertools.product([*ORDERS, apart, backwards, repeated], repeat=2):
        check(37, 29, 53, dtype, (a, b, rows_of_more))


@pytest.mark.parametrize("dtype", WITHIN)
def test_random_sizes(library, dtype):
    rng = np.random.default_rng(3)
    for _ in range(60):
        m, k, n = (int(size) for size in rng.integers(1, 201, 3))
        check(m, k, n, dtype, [ORDERS[i] for i in rng.integers(0, len(ORDERS), 3)])


def test_sizes_about_those_of_a_tile(library):
    """Few rows, a last block of less than 8 or 16, and columns that fill no vector, some, and many strips of 48."""
    for m, n in itertools.product(
        [1, 2, 7, 8, 9, 15, 16, 17, 24, 25], [1, 7, 8, 15, 16, 17, 32, 48, 49, 64, 80, 97, 112]
    ):
        check(m, 5, n, orders=(columns if n % 2 else rows, columns if m % 2 else rows, rows_of_more))


@pytest.mark.parametrize("orders", [(rows, rows), (rows, columns), (columns, rows), (columns, columns)])
def test_sizes_that_are_cut_into_pieces(library, orders):
    """More than 512 in the sum, more than 2048 columns, and many rows; one more or less than a whole piece too."""
    for m, k, n in [
        (20, 511, 48), (20, 512, 48), (20, 513, 48), (33, 1030, 96), (17, 1537, 40), (16, 130, 2048), (19, 129, 2064),
        (40, 257, 2100), (18, 520, 3000), (700, 60, 16), (1001, 513, 24), (5, 600, 70), (300, 70, 5000),
    ]:  # fmt: skip
        check(m, k, n, orders=(*orders, rows_of_more))


@pytest.mark.parametrize("columns_of_b", range(1, 9))
def test_few_columns(library, columns_of_b):
    for m, k in [(1, 1), (3, 40), (700, 33), (1025, 9), (2049, 3)]:
        for orders in itertools.product([rows, columns, apart], repeat=2):
            check(m, k, columns_of_b, orders=(*orders, rows))


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (1, 1, 1), (1, 300, 1)], ids=str)
def test_nothing_and_little(library, shape, dtype):
    check(*shape, dtype, (rows, rows, rows))
    check(*shape, dtype, (columns, columns, rows))


def test_other_arrays_are_left_to_numpy(library):
    rng = np.random.default_rng(0)
    for a, b in [((3, 4, 5), (5, 2)), ((3, 4, 5), (3, 5, 6)), ((5,), (5, 2)), ((4, 5), (5,))]:
        a, b = (rng.standard_normal(shape) for shape in (a, b))
        np.testing.assert_allclose(blas.matmul(a, b), a @ b, rtol=1e-14)
    a, b = rng.integers(0, 9, (300, 30)), rng.integers(0, 9, (30, 40))
    np.testing.assert_array_equal(blas.matmul(a, b), a @ b)
    mixed = blas.matmul(a.astype(np.float32), b.astype(np.float64))
    assert mixed.dtype == np.float64
    np.testing.assert_array_equal(mixed, a @ b)


def test_nan_and_infinity_pass_through(library):
    a, b = np.ones((40, 20), np.float32), np.ones((20, 50), np.float32)
    a[3, 4], a[5, 6] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        y = blas.matmul(a, b)
    assert np.isnan(y[3]).all() and np.isinf(y[5]).all()
    assert np.isfinite(np.delete(y, [3, 5], 0)).all()


def test_threads_share_out_large_products_alike():
    """One thread and two give the same to the bit: which of them sums what does not depend on their number."""
    numba = pytest.importorskip("numba")
    if compiled("gemm") is None or numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("no Numba, no AVX-512, or one thread")
    rng = np.random.default_rng(0)
    before, results = numba.get_num_threads(), []
    for m, k, n in [(300, 200, 100), (64, 900, 600), (1000, 70, 16)]:
        a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
        try:
            for threads in (1, 2):
                numba.set_num_threads(threads)
                results.append(blas.matmul(a, b))
        finally:
            numba.set_num_threads(before)
        assert_product(results[-1], a, b)
        np.testing.assert_allclose(*results[-2:], rtol=1e-5, atol=1e-5)


def test_numpys_openblas_is_found_in_its_wheels():
    if not list(Path(np.__file__).parent.with_name("numpy.libs").glob("libscipy_openblas64_*")):
        pytest.skip("this NumPy has another BLAS")
    assert all(blas._gemm(np.dtype(t)) for t in "fd") and blas._gemm(np.dtype(">f4")) is None
