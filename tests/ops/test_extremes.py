"""Values at which the textbook formula overflows: finite and right, without a warning (pytest makes them errors)."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen import grad, ops, tensor

INF = np.inf
LOG2 = np.log(2.0)
ROOT_PI = np.sqrt(np.pi)
BELL = [0, 0, 0, 2 / ROOT_PI, 2 / ROOT_PI, 0, 0]  # erf' at the places below

# f, x, f(x), f'(x) of each element
ELEMENTWISE = [
    (ops.sigmoid, [-INF, -1e30, -1e4, 0, 1e4, 1e30, INF], [0, 0, 0, 0.5, 1, 1, 1], [0, 0, 0, 0.25, 0, 0, 0]),
    (ops.softplus, [-INF, -1e30, -1e4, 0, 1e4, 1e30], [0, 0, 0, LOG2, 1e4, 1e30], [0, 0, 0, 0.5, 1, 1]),
    (ops.tanh, [-INF, -1e30, -1e4, 0, 1e4, 1e30, INF], [-1, -1, -1, 0, 1, 1, 1], [0, 0, 0, 1, 0, 0, 0]),
    (ops.elu, [-INF, -1e30, -1e4, 1e4, 1e30], [-1, -1, -1, 1e4, 1e30], [0, 0, 0, 1, 1]),
    (ops.leaky_relu, [-1e30, 1e30, INF], [-2e29, 1e30, INF], [0.2, 1, 1]),
    (lambda x: ops.sigmoid_cross_entropy(x, 0.0), [-1e30, -1e4, 1e4, 1e30], [0, 0, 1e4, 1e30], [0, 0, 1, 1]),
    (lambda x: ops.sigmoid_cross_entropy(x, 1.0), [-1e30, -1e4, 1e4, 1e30], [1e30, 1e4, 0, 0], [-1, -1, 0, 0]),
    (ops.erf, [-INF, -1e30, -1e4, 0, 1e-20, 1e30, INF], [-1, -1, -1, 0, 2e-20 / ROOT_PI, 1, 1], BELL),
    (ops.erfc, [-INF, -1e30, -1e4, 0, 1e-20, 1e30, INF], [2, 2, 2, 1, 1, 0, 0], [-g for g in BELL]),
    (ops.silu, [-1e30, -1e4, 0, 1e4, 1e30], [0, 0, 0, 1e4, 1e30], [0, 0, 0.5, 1, 1]),
    (ops.gelu, [-1e30, -1e4, 0, 1e4, 1e30], [0, 0, 0, 1e4, 1e30], [0, 0, 0.5, 1, 1]),
    (lambda x: ops.gelu(x, True), [-1e30, -1e4, 0, 1e4, 1e30], [0, 0, 0, 1e4, 1e30], [0, 0, 0.5, 1, 1]),
    (ops.exp, [-INF, -1e30, -1e4], [0, 0, 0], [0, 0, 0]),
    (ops.expm1, [-INF, -1e4, 1e-20], [-1, -1, 1e-20], [0, 0, 1]),
    (ops.log1p, [1e-20, 1e30], [1e-20, 30 * np.log(10)], [1, 1e-30]),
]

# f, x, f(x), gradient of the first element of f(x)
ALONG_AXES = [
    (ops.logsumexp, [1e4, 1e4], 1e4 + LOG2, [0.5, 0.5]),
    (ops.logsumexp, [-1e4, -1e4], -1e4 + LOG2, [0.5, 0.5]),
    (ops.logsumexp, [1e4, 1e4 - 1], 1e4 + np.log1p(1 / np.e), [np.e / (1 + np.e), 1 / (1 + np.e)]),
    (ops.logsumexp, [1e30, -1e30], 1e30, [1, 0]),
    (ops.logsumexp, [-INF, 0.0, -INF], 0.0, [0, 1, 0]),
    (ops.logsumexp, [-1e30], -1e30, [1]),
    (ops.softmax, [1e4, -1e4], [1, 0], [0, 0]),
    (ops.softmax, [1e30, 1e30], [0.5, 0.5], [0.25, -0.25]),
    (ops.softmax, [-INF, 0.0, 0.0], [0, 0.5, 0.5], [0, 0, 0]),
    (ops.softmax, [-1e30, -1e30], [0.5, 0.5], [0.25, -0.25]),
    (ops.log_softmax, [1e4, -1e4], [0, -2e4], [0, 0]),
    (ops.log_softmax, [1e4, 1e4], [-LOG2, -LOG2], [0.5, -0.5]),
    (ops.log_softmax, [-1e30, 1e30], [-2e30, 0], [1, -1]),
    (ops.log_softmax, [0.0, -INF, 0.0], [-LOG2, -INF, -LOG2], [0.5, 0, -0.5]),
]

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def close(found, expected, dtype):
    rtol = 1e-6 if dtype is np.float32 else 1e-14
    np.testing.assert_allclose(found.numpy(), np.asarray(expected, dtype), rtol=rtol, atol=0)


@DTYPES
@pytest.mark.parametrize(("f", "x", "y", "slope"), ELEMENTWISE)
def test_elementwise(f, x, y, slope, dtype, backend):
    x = tensor(backend.asarray(x, dtype), requires_grad=True)
    found = f(x)
    close(found, y, dtype)
    close(grad(found, x, backend.xp.ones(x.shape, dtype)), slope, dtype)


@DTYPES
@pytest.mark.parametrize(("f", "x", "y", "g"), ALONG_AXES)
def test_along_axes(f, x, y, g, dtype, backend):
    x = tensor(backend.asarray(x, dtype), requires_grad=True)
    found = f(x)
    close(found, y, dtype)
    first = found if found.ndim == 0 else found[0]
    close(grad(first, x), g, dtype)


FAR = np.array([-90.0, -50.0, -20.0, -17.0, -10.0, -1.0, 1.0, 10.0, 17.0, 20.0, 50.0, 80.0])
LOGISTIC = 1 / ((1 + np.exp(FAR)) * (1 + np.exp(-FAR)))  # σ', without a difference of near numbers
BENT = -LOGISTIC * np.tanh(FAR / 2)  # σ''
SILU = (np.exp(-np.logaddexp(0, -FAR)) + FAR * LOGISTIC, 2 * LOGISTIC + FAR * BENT)
FAR_OUT = {  # f, f' and f'' at FAR
    "sigmoid": (ops.sigmoid, LOGISTIC, BENT),
    "softplus": (ops.softplus, 1 / (1 + np.exp(-FAR)), LOGISTIC),
    "elu": (ops.elu, np.exp(np.minimum(FAR, 0)), np.where(FAR < 0, np.exp(FAR), 0)),
    "bce of 0": (lambda x: ops.sigmoid_cross_entropy(x, 0.0), 1 / (1 + np.exp(-FAR)), LOGISTIC),
    "exp": (ops.exp, np.exp(FAR), np.exp(FAR)),
    "silu": (ops.silu, *SILU),
}


@DTYPES
@pytest.mark.parametrize("name", FAR_OUT)
def test_small_derivatives_far_out(name, dtype, backend):
    """To the last digits, not to those of 1: sigmoid'(20) is 2e-9, and 1 - σ(20) is 0 in float32."""
    f, first, second = FAR_OUT[name]
    x = tensor(backend.asarray(FAR, dtype), requires_grad=True)
    one = backend.xp.ones(x.shape, dtype)
    g = grad(f(x), x, one, create_graph=True)
    for found, right in ((g, first), (grad(g, x, one), second)):
        normal = np.abs(right) > np.finfo(dtype).tiny
        rtol = 2e-6 if dtype is np.float32 else 1e-13
        np.testing.assert_allclose(found.numpy()[normal], right[normal], rtol=rtol)
        assert (np.abs(found.numpy()[~normal]) <= np.finfo(dtype).tiny).all()


@DTYPES
@pytest.mark.parametrize("t", [0.0, 1.0, 0.3])
def test_cross_entropy_at_infinity(t, dtype, backend):
    """inf where the label is denied, 0 where it is met, and never inf - inf."""
    x = backend.asarray([-INF, INF], dtype)
    right = [INF if t else 0, INF if t < 1 else 0]
    for target in (t, backend.asarray([t, t], dtype)):
        logits = tensor(x, requires_grad=True)
        y = ops.sigmoid_cross_entropy(logits, target)
        close(y, right, dtype)
        close(grad(y, logits, backend.xp.ones(2, dtype)), [-t, 1 - t], dtype)


# f, and its slope at NaN, PyTorch's
AT_NAN = [
    (ops.elu, 1),
    (ops.relu, 1),
    (ops.leaky_relu, 0.2),
    (lambda x: ops.prelu(x, 0.2), 0.2),
    (ops.abs, 0),
    (ops.sigmoid, np.nan),
    (ops.tanh, np.nan),
]


@pytest.mark.parametrize(("f", "slope"), AT_NAN)
def test_slopes_at_nan(f, slope, backend):
    x = tensor(backend.asarray([np.nan], np.float32), requires_grad=True)
    np.testing.assert_array_equal(grad(f(x), x, backend.xp.ones(1, np.float32)).numpy(), np.float32([slope]))


@DTYPES
def test_leaky_relu_of_slope_0_is_relu(dtype, backend):
    x = tensor(backend.asarray([-INF, -1.0, 0.0, 2.0, INF], dtype), requires_grad=True)
    y = ops.leaky_relu(x, 0.0)
    close(y, [0, 0, 0, 2, INF], dtype)
    close(grad(y, x, backend.xp.full(5, INF, dtype)), [0, 0, 0, INF, INF], dtype)


@DTYPES
def test_logsumexp_of_nothing_but_minus_infinity(dtype, backend):
    close(ops.logsumexp(tensor(backend.asarray([-INF, -INF], dtype))), -INF, dtype)


@DTYPES
def test_rows_do_not_disturb_each_other(dtype, backend):
    x = tensor(backend.asarray([[1e30, 0.0], [-1e30, -1e30], [1.0, 2.0]], dtype))
    close(ops.logsumexp(x, axis=1), [1e30, -1e30, 2 + np.log1p(np.exp(-1.0))], dtype)
    close(ops.softmax(x)[2], [1 / (1 + np.e), np.e / (1 + np.e)], dtype)


def test_the_variance_of_large_numbers(backend):
    x = backend.asarray([1e8, 1e8 + 1, 1e8 + 2])
    close(ops.var(tensor(x)), 2 / 3, np.float64)
    y = ops.batch_norm(
        tensor(backend.asarray([[1e8], [1e8 + 2]])), tensor(backend.asarray([1.0])), tensor(backend.asarray([0.0])), 0.0
    )
    close(y, [[-1.0], [1.0]], np.float64)
