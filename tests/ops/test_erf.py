"""The error function, to the last digits: against the C library's, which Python has for single numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygen import grad, ops, tensor
from tinygen.kernels import reference

X = np.concatenate([np.linspace(-6, 6, 5001), np.linspace(-27, 27, 2001), np.logspace(-300, 0, 301), [0.5, -0.5, 0.0]])


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_the_definition_errs_by_some_units_in_the_last_place(name):
    right = np.array([getattr(math, name)(x) for x in X])
    np.testing.assert_array_max_ulp(getattr(reference, name)(X), right, 6)
    single = X.astype(np.float32)
    right = np.array([getattr(math, name)(x) for x in single.astype(np.float64)], np.float32)
    np.testing.assert_array_max_ulp(getattr(reference, name)(single), right, 1)


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_on_each_backend(name, backend):
    right = np.array([getattr(math, name)(x) for x in X])
    np.testing.assert_allclose(backend.to_host(getattr(ops, name)(backend.asarray(X))), right, rtol=1e-15, atol=0)


def test_erf_keeps_the_sign_of_zero_and_nan():
    assert np.signbit(ops.erf(np.array([-0.0]))).all()
    assert np.isnan(ops.erf(np.array([np.nan]))).all() and np.isnan(ops.erfc(np.array([np.nan]))).all()


def test_numbers_of_python():
    for found, right in (
        (ops.erf(0.5), math.erf(0.5)),
        (ops.erfc(3), math.erfc(3)),
        (ops.gelu(1), 0.5 * math.erfc(-math.sqrt(0.5))),
    ):
        assert float(found) == pytest.approx(right, rel=1e-15)


def test_gelu_is_exact_where_it_is_small():
    """Where 1 + erf(x / √2) would have lost its digits, and in its slope."""
    x = np.linspace(-15, -2, 200)
    below = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])
    t = tensor(x, requires_grad=True)
    y = ops.gelu(t)
    np.testing.assert_allclose(y.numpy(), x * below, rtol=1e-13)
    slope = below + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(grad(y.sum(), t).numpy(), slope, rtol=1e-12)
