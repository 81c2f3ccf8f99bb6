"""The CPU's convolutions against their definitions, on many sizes, memory orders and dtypes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tinygen import kernels
from tinygen.kernels import blas, conv, reference_conv

WITHIN = {np.float32: 2e-5, np.float64: 1e-12}

# x (N, H, W, C), kernel (KH, KW), CO, stride, padding
SIZES = [
    ((2, 5, 6, 3), (3, 3), 4, (1, 1), ((1, 1), (1, 1))),  # few channels: KW · C below 16
    ((3, 7, 5, 1), (5, 5), 2, (2, 2), ((2, 2), (2, 2))),
    ((1, 4, 4, 2), (2, 3), 1, (1, 2), ((0, 1), (2, 0))),
    ((2, 8, 8, 3), (4, 4), 17, (2, 2), ((1, 1), (1, 1))),
    ((2, 6, 7, 17), (3, 2), 3, (1, 1), ((0, 0), (0, 0))),  # many: kernel row by kernel row
    ((3, 9, 8, 8), (4, 4), 16, (2, 2), ((1, 1), (1, 1))),
    ((2, 7, 6, 6), (3, 4), 5, (3, 2), ((2, 0), (0, 3))),
    ((1, 5, 5, 20), (1, 1), 3, (1, 1), ((0, 0), (0, 0))),
    ((2, 5, 5, 20), (1, 1), 3, (2, 2), ((0, 0), (0, 0))),
    ((1, 2, 2, 16), (5, 4), 2, (1, 1), ((2, 2), (2, 1))),  # a kernel larger than the image
    ((2, 3, 2, 1), (7, 6), 2, (2, 1), ((3, 3), (2, 3))),
    ((1, 3, 3, 16), (2, 2), 2, (1, 1), ((4, 4), (4, 4))),  # windows that see padding alone
    ((1, 3, 3, 2), (2, 2), 2, (1, 1), ((4, 4), (4, 4))),
    ((1, 5, 6, 16), (2, 2), 2, (4, 5), ((0, 0), (0, 0))),  # pixels that no window sees
    ((1, 5, 6, 2), (2, 2), 2, (4, 5), ((0, 0), (0, 0))),
    ((0, 4, 4, 2), (3, 3), 3, (1, 1), ((1, 1), (1, 1))),  # no images
    ((0, 4, 4, 32), (3, 3), 3, (2, 2), ((1, 1), (1, 1))),
    ((4, 16, 16, 24), (5, 5), 40, (2, 2), ((1, 2), (1, 2))),  # large enough for what is compiled
    ((16, 12, 12, 3), (5, 5), 32, (1, 1), ((2, 2), (2, 2))),
    ((9, 7, 6, 16), (5, 5), 32, (2, 2), ((1, 2), (1, 2))),  # small kernels of whole vectors: pixel by pixel
    ((8, 6, 6, 32), (3, 3), 16, (1, 1), ((1, 1), (1, 1))),
    ((12, 3, 3, 16), (2, 2), 16, (1, 1), ((4, 4), (4, 4))),
    ((9, 5, 6, 16), (2, 2), 16, (4, 5), ((0, 0), (0, 0))),
    ((10, 4, 5, 48), (3, 2), 80, (3, 1), ((0, 2), (1, 0))),
    ((200, 4, 4, 64), (4, 4), 64, (2, 2), ((1, 1), (1, 1))),  # images in several portions
]
WAYS = ["compiled", "blas", "numpy"]


def as_it_is(x):
    return x


def hwnc(x):
    """In memory as H, N, W, C: what the convolutions themselves return."""
    return x.swapaxes(0, 1).copy().swapaxes(0, 1) if x.ndim == 4 else x


def reversed_axes(x):
    return x.transpose().copy().transpose()


def apart(x):
    return x.repeat(2, axis=-1)[..., ::2]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """With Numba, on NumPy's OpenBLAS, and on NumPy alone."""
    if request.param == "compiled":
        if sys.modules["tinygen.kernels.compiled"].compiled("numba") is None:
            pytest.skip("no Numba")
    else:
        monkeypatch.setattr(conv, "compiled", lambda name: None)
        monkeypatch.setattr(blas, "compiled", lambda name: None)
    if request.param == "numpy":
        monkeypatch.setattr(blas, "_gemm", lambda dtype: None)


def near(found, expected, dtype):
    assert found.shape == expected.shape and found.dtype == dtype
    limit = WITHIN[dtype] * max(np.abs(expected).max(initial=0), 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit)


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_all_three_against_their_definitions(way, sizes, dtype):
    """However the arrays lie in memory."""
    shape, kernel, co, stride, padding = sizes
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal(shape), rng.standard_normal((*kernel, shape[3], co))
    expected = reference_conv.conv2d(x, w, stride, padding)
    gy = rng.standard_normal(expected.shape)
    gx = reference_conv.conv_transpose2d(gy, w, stride, padding, shape[1:3])
    gw = reference_conv.conv2d_weight_grad(x, gy, kernel, stride, padding)
    for lay in (as_it_is, hwnc, reversed_axes, apart):
        given = [lay(a.astype(dtype)) for a in (x, w, gy)]
        before = [a.copy() for a in given]
        near(kernels.conv2d(given[0], given[1], stride, padding), expected, dtype)
        near(kernels.conv_transpose2d(given[2], given[1], stride, padding, shape[1:3]), gx, dtype)
        near(kernels.conv2d_weight_grad(given[0], given[2], kernel, stride, padding), gw, dtype)
        for a, b in zip(given, before, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_results_go_into_an_array_that_is_given(way, sizes):
    shape, kernel, co, stride, padding = sizes
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal(shape), rng.standard_normal((*kernel, shape[3], co))
    y = conv.conv2d(x, w, stride, padding)
    gy = rng.standard_normal(y.shape)
    for function, arguments in (
        (conv.conv2d, (x, w, stride, padding)),
        (conv.conv_transpose2d, (gy, w, stride, padding, shape[1:3])),
        (conv.conv2d_weight_grad, (x, gy, kernel, stride, padding)),
    ):
        expected = function(*arguments)
        for into in (np.full_like(expected, np.nan), np.full(expected.shape, np.nan)):
            assert function(*arguments, into=into) is into
            near(into, expected, np.float64)


def test_random_sizes(way):
    rng = np.random.default_rng(7)
    for _ in range(80):
        n, h, w_, kh, kw, sh, sw = (int(v) for v in rng.integers(1, 6, 7))
        c, co = (int(v) for v in rng.choice([1, 2, 3, 8, 17], 2))
        pads = rng.integers(0, 4, (2, 2)).tolist()
        padding = tuple(
            (a, b + max(k - size - a - b, 0)) for (a, b), k, size in zip(pads, (kh, kw), (h, w_), strict=True)
        )
        x, w = rng.standard_normal((n, h, w_, c)), rng.standard_normal((kh, kw, c, co))
        y = reference_conv.conv2d(x, w, (sh, sw), padding)
        gy = rng.standard_normal(y.shape)
        near(kernels.conv2d(x, w, (sh, sw), padding), y, np.float64)
        gx = reference_conv.conv_transpose2d(gy, w, (sh, sw), padding, (h, w_))
        near(kernels.conv_transpose2d(gy, w, (sh, sw), padding, (h, w_)), gx, np.float64)
        gw = reference_conv.conv2d_weight_grad(x, gy, (kh, kw), (sh, sw), padding)
        near(kernels.conv2d_weight_grad(x, gy, (kh, kw), (sh, sw), padding), gw, np.float64)
