"""float16 and integers: as exact as the same computed in float64 and rounded, or refused by name; never NaN, never
wrapped around. The right values are NumPy's in float64."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from tinygen import grad, layers, ops, optim, tensor
from tinygen.backend import array_module
from tinygen.tensor import Parameter

INTEGERS = [np.uint8, np.int8, np.uint16, np.int32, np.int64, bool]


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


OF_INTEGERS = {  # op, and what it means in float64
    "exp": (ops.exp, np.exp),
    "expm1": (ops.expm1, np.expm1),
    "log": (lambda x: ops.log(x + 1), lambda x: np.log(x + 1)),
    "log1p": (ops.log1p, np.log1p),
    "sqrt": (ops.sqrt, np.sqrt),
    "sin": (ops.sin, np.sin),
    "cos": (ops.cos, np.cos),
    "tanh": (ops.tanh, np.tanh),
    "erf": (ops.erf, special.erf),
    "erfc": (ops.erfc, special.erfc),
    "silu": (ops.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (ops.gelu, lambda x: x * special.ndtr(x)),
    "sigmoid": (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "softplus": (ops.softplus, lambda x: np.logaddexp(x, 0)),
    "elu": (ops.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    "leaky_relu": (ops.leaky_relu, lambda x: np.where(x > 0, x, 0.2 * x)),
    "relu": (ops.relu, lambda x: np.maximum(x, 0)),
    "divide": (lambda x: ops.divide(x, x + x), lambda x: x / (x + x)),
    "one over": (lambda x: 1 / tensor(x), lambda x: 1 / x),
    "cross entropy": (lambda x: ops.sigmoid_cross_entropy(x, 0.25), lambda x: np.logaddexp(x, 0) - 0.25 * x),
    "dropout": (lambda x: ops.dropout(x, x > 2, 2.5), lambda x: np.where(x > 2, 2.5 * x, 0)),
    "sum": (lambda x: ops.sum(x, 0), lambda x: x.sum(0)),
    "mean": (ops.mean, np.mean),
    "var": (lambda x: ops.var(x, 0), lambda x: x.var(0)),
    "std": (lambda x: ops.std(x, 0), lambda x: x.std(0)),
    "norm": (lambda x: ops.norm(x, axis=0), lambda x: np.linalg.norm(x, axis=0)),
    "norm 1": (lambda x: ops.norm(x, 1), lambda x: np.linalg.norm(x, 1)),
    "prod": (lambda x: ops.prod(x[:2], 0), lambda x: x[:2].prod(0)),
    "remainder": (lambda x: ops.remainder(x, 7.0), lambda x: x % 7.0),
    "logsumexp": (lambda x: ops.logsumexp(x, 0), lambda x: np.logaddexp.reduce(x, 0)),
    "softmax": (ops.softmax, softmax),
    "log_softmax": (ops.log_softmax, lambda x: np.log(softmax(x))),
    "batch_norm": (lambda x: ops.batch_norm(x, *(array_module(x).full(3, n, np.float32) for n in (1, 0)), 0.1),
                   lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 0.1)),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_INTEGERS)
def test_integers(name, backend):
    for dtype in INTEGERS:
        if dtype is not bool or name not in ("log", "divide", "one over", "dropout", "leaky_relu"):
            assert_in_float64(name, dtype, backend)  # True + 1 and True + True are what NumPy says


def assert_in_float64(name, dtype, backend):
    values = [[9, 1, 30], [3, 25, 7], [40, 2, 5], [6, 14, 11]]
    x = np.array(values) > 8 if dtype is bool else np.array(values, dtype)
    f, right = OF_INTEGERS[name]
    found = f(backend.asarray(x))
    y = found.numpy() if hasattr(found, "numpy") else backend.to_host(found)
    expected = right(x.astype(np.float64))
    assert y.dtype.kind == "f" or name in ("sum", "prod", "relu")
    assert y.dtype.itemsize >= 4 or name == "relu"
    np.testing.assert_allclose(y, expected, rtol=3e-6, atol=1e-7)


def test_integers_larger_than_their_type_in_pools_and_resizing(backend):
    for dtype in (np.uint8, np.int8, np.int64):
        x = np.random.default_rng(0).integers(0, 120, (1, 6, 6, 2)).astype(dtype)
        given, x64 = backend.asarray(x), x.astype(np.float64)
        for window, padding in ((3, 0), (2, 1)):
            for pool in (ops.avg_pool2d, ops.max_pool2d):
                y = backend.to_host(pool(given, window, padding=padding))
                np.testing.assert_allclose(y, pool(x64, window, padding=padding), rtol=1e-6)
        y = backend.to_host(ops.upsample_bilinear(given, 2))
        np.testing.assert_allclose(y, ops.upsample_bilinear(x64, 2), rtol=1e-6)
    low = backend.asarray(np.full((1, 2, 2, 1), -5, np.int8))
    assert (backend.to_host(ops.max_pool2d(low, 2, padding=1)) == -5).all(), "the padding is never the largest"


def half(x):
    return np.asarray(x, np.float16)


def assert_half(found, right, ulps=1.0):
    found = found.numpy() if hasattr(found, "numpy") else found
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.astype(np.float64), right, rtol=ulps * 1e-3, atol=6e-8)


REDUCTIONS = {
    "sum": (ops.sum, np.sum),
    "mean": (ops.mean, np.mean),
    "var": (ops.var, np.var),
    "std": (ops.std, np.std),
    "norm": (lambda x, axis: ops.norm(x, axis=axis), lambda x, axis: np.linalg.norm(x, axis=axis)),
    "norm 1": (lambda x, axis: ops.norm(x, 1, axis), lambda x, axis: np.linalg.norm(x, 1, axis)),
    "logsumexp": (ops.logsumexp, lambda x, axis: np.log(np.exp(x).sum(axis))),
    "softmax": (ops.softmax, softmax),
    "log_softmax": (ops.log_softmax, lambda x, axis: np.log(softmax(x, axis))),
    "cumsum": (ops.cumsum, np.cumsum),
}


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_float16(name, axis, backend):
    x = half(np.random.default_rng(0).uniform(0.5, 1.5, (5000, 2) if axis == 0 else (2, 5000)))
    f, right = REDUCTIONS[name]
    assert_half(backend.to_host(f(backend.asarray(x), axis)), right(x.astype(np.float64), axis))


def test_sums_of_many_ones_and_means_of_large_numbers():
    assert_half(ops.sum(half(np.ones(5000))), 5000)
    assert_half(ops.sum(half(np.ones((5000, 2))), 0), [5000, 5000])
    assert_half(ops.mean(half(np.full(100, 60_000))), 60_000)
    assert_half(ops.var(half([300, -300, 100, 50])), np.var([300, -300, 100, 50]))


def test_norms_of_large_float16(backend):
    """Whose squares are beyond 65504."""
    x = np.random.default_rng(0).choice([300.0, -300.0, 900.0, 20.0], (2, 3, 4))
    given = backend.asarray(half(x))
    groups = x.reshape(2, 3, 2, 2)
    centred = groups - groups.mean((1, 3), keepdims=True)
    right = (centred / np.sqrt((centred**2).mean((1, 3), keepdims=True))).reshape(x.shape)
    found = layers.GroupNorm(4, 2, dtype=np.float16)(tensor(given))
    np.testing.assert_allclose(found.numpy().astype(np.float64), right, atol=2e-3)
    found = layers.RMSNorm(4, dtype=np.float16)(tensor(given))
    assert_half(found, x / np.sqrt((x**2).mean(-1, keepdims=True)), 2)


def test_norms_and_products_of_float16_pass_what_it_holds():
    assert_half(ops.norm(half([3e4, 4e4])), 5e4)
    assert_half(ops.std(half([3e4, -3e4])), 3e4)
    assert_half(ops.prod(half([6e4, 6e4, 1e-4, 1e-4])), 36)


def test_batch_norm_of_float16(backend):
    x = half([[300], [-300], [900]])
    gamma, beta = (backend.asarray(half([v])) for v in (1, 0))
    right = (x - 300.0) / np.sqrt(240_000)
    for layer in (
        lambda x: ops.batch_norm(x, gamma, beta),
        lambda x: ops.swapaxes(layers.LayerNorm(3, dtype=np.float16)(ops.swapaxes(x, 0, 1)), 0, 1),
    ):
        assert_half(layer(tensor(x)), right, 2)
    x, beta = (tensor(a, requires_grad=True) for a in (backend.asarray(x), beta))
    y, mu, var = ops.batch_norm_with_statistics(x, tensor(gamma, requires_grad=True), beta)
    assert backend.to_host(var)[0] == pytest.approx(240_000) and backend.to_host(mu)[0] == 300
    gy = backend.asarray(half([[1], [0.5], [-2]]))
    first = grad(y, [x, beta], gy, create_graph=True)
    again = grad(first[0], x, gy)
    assert all(np.isfinite(g.numpy()).all() and g.dtype == np.float16 for g in (*first, again))
    xhat, g = right[:, 0], np.array([1, 0.5, -2.0])
    np.testing.assert_allclose(
        first[0].numpy()[:, 0], (g - g.mean() - xhat * (g * xhat).mean()) / np.sqrt(240_000), rtol=3e-3, atol=2e-6
    )


def test_running_statistics_of_float16():
    norm = layers.BatchNorm(1, momentum=0.5)
    norm(tensor(half([[300], [-300], [900]])))
    assert norm.mean.numpy()[0] == 150 and norm.var.numpy()[0] == pytest.approx(120_000.5)


def test_the_shares_of_many_ties_in_float16():
    x = tensor(half(np.zeros(70_000)), requires_grad=True)
    np.testing.assert_allclose(grad(ops.max(x), x).numpy(), half(1 / 70_000))


def test_resizing_and_pools_of_float16():
    x = half(np.linspace(0, 1, 2100)).reshape(1, 2100, 1, 1)
    assert_half(ops.upsample_bilinear(x, (2, 1)), ops.upsample_bilinear(x.astype(np.float64), (2, 1)), 2)
    x = half(np.full((1, 10, 10, 1), 3000))
    for window, padding in ((10, 0), (10, 5)):
        assert_half(
            ops.avg_pool2d(x, window, padding=padding), np.full((1, 1, 1, 1) if not padding else (1, 2, 2, 1), 3000)
        )


def test_products_and_convolutions_of_float16():
    rng = np.random.default_rng(0)
    a, b = half(rng.uniform(0.5, 1, (3000, 2))), half(rng.uniform(0.5, 1, (3000, 3)))
    right = a.astype(np.float64).T @ b
    assert_half(ops.matmul(a.T, b), right)
    assert_half(ops.einsum("ki,kj->ij", a, b), right)
    assert_half(ops.dense(a.T, b, half([1, 2, 3])), right + np.array([1, 2, 3]), 1.5)
    x, w = half(rng.uniform(0.5, 1, (2, 20, 20, 3))), half(rng.uniform(0.5, 1, (9, 9, 3, 2)))
    x64, w64 = x.astype(np.float64), w.astype(np.float64)
    y = ops.conv2d(x, w)
    assert_half(y, ops.conv2d(x64, w64))
    assert_half(ops.conv_transpose2d(y, w64.astype(np.float16)), ops.conv_transpose2d(y.astype(np.float64), w64), 1.5)
    assert_half(
        ops.conv2d_weight_grad(x, half(y / 100), 9), ops.conv2d_weight_grad(x64, half(y / 100).astype(np.float64), 9)
    )


def test_the_gradient_of_a_bias_in_float16():
    b = tensor(half([0.0, 0.0]), requires_grad=True)
    assert_half(grad(ops.sum(b + half(np.ones((5000, 2))), None), b), [5000, 5000])


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_optimisers_on_float16(name):
    """Small gradients, whose squares are 0 in float16, and large ones, whose squares are inf."""
    start, gradient = half([1.0, -2.0, 0.5]), half([1e-4, 300, -3])
    for clip_norm in (None, 1.0):
        results = []
        for dtype in (np.float16, np.float64):
            p = Parameter(start.astype(dtype))
            opt = optim.OPTIMIZERS[name]([p], lr=0.01, clip_norm=clip_norm)
            for _ in range(3):
                opt.step([tensor(gradient.astype(dtype))])
            results.append(p.numpy())
        assert results[0].dtype == np.float16
        np.testing.assert_allclose(results[0].astype(np.float64), results[1], rtol=3e-3)
