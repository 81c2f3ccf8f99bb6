"""Sums, means and variances in float32 on long axes, and what stands on them: as exact as PyTorch's, by float64."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from tinygen import grad, kernels, layers, ops, tensor
from tinygen.kernels import sums


def turned(x):
    """The same values in memory as H, W, N, C."""
    return x if x.ndim < 3 else np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -2)), -2, 0)


def with_gaps(x):
    return np.concatenate([x, 1e3 + x], axis=-1)[..., : x.shape[-1]]


LAYOUTS = {
    "rows": lambda x: x,
    "turned": turned,
    "columns": np.asfortranarray,
    "gaps": with_gaps,
    "backwards": lambda x: x[::-1].copy()[::-1],
}
SHAPES = {  # long axes at all places, and odd lengths, of which pieces and lines leave a rest
    (16, 48, 70, 3): [None, (0, 1, 2), (1, 2), (0,), (0, 3), (0, 2), (1, 2, 3), -1, (-4, -3, -2)],
    (29989, 2): [0, (0,), None, (0, 1)],
    (3, 30011): [1, None, 0],
    (5, 7001, 3): [1, (0, 1), (1, 2)],
    (129, 70): [0],
    (30000,): [0, None],
    (1, 40000, 1): [1, (0, 1, 2)],
}
CASES = [(shape, axis) for shape, axes in SHAPES.items() for axis in axes]


def numbers(shape, mean=5.0, std=1.0):
    return np.random.default_rng(len(shape)).normal(mean, std, shape).astype(np.float32)


def assert_right(found, right, within):
    assert found.dtype == np.float32 and found.shape == right.shape
    np.testing.assert_allclose(found, right, rtol=within, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "axis"), CASES)
def test_sum_mean_and_variance(shape, axis, layout):
    x = LAYOUTS[layout](numbers(shape))
    exact = x.astype(np.float64)
    for keepdims in (False, True):
        assert_right(kernels.total(x, axis, keepdims), exact.sum(axis, keepdims=keepdims), 5e-7)
        assert_right(kernels.mean(x, axis, keepdims), exact.mean(axis, keepdims=keepdims), 5e-7)
        assert_right(kernels.variance(x, axis, 1, keepdims), exact.var(axis, ddof=1, keepdims=keepdims), 7e-7)


@pytest.mark.parametrize("axis", [0, (0,), None, (0, 1)])
def test_a_view_that_repeats_its_memory(axis):
    x = np.broadcast_to(numbers((1, 3)), (50_000, 3))
    assert_right(kernels.total(x, axis), x.astype(np.float64).sum(axis), 5e-7)


def test_the_statistics_of_an_image_batch_to_seven_digits():
    """Where a plain sum in float32 is 5e-4 off in the variance."""
    x = numbers((16, 192, 192, 3))
    exact = x.astype(np.float64)
    assert_right(ops.var(x, (0, 1, 2)), exact.var((0, 1, 2)), 1.2e-7)
    assert_right(ops.mean(x, (0, 1, 2)), exact.mean((0, 1, 2)), 1.2e-7)
    assert_right(ops.sum(x, (0, 1, 2)), exact.sum((0, 1, 2)), 1.2e-7)


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e5])
def test_the_variance_is_of_the_distances(mean):
    """Not E[x²] - E[x]², which is 0, or less, far from 0."""
    x = numbers((20_011, 3), mean)
    assert_right(ops.var(x, 0), x.astype(np.float64).var(0), 3e-7)
    assert (ops.var(np.full((1000, 3), np.float32(0.1)), 0) >= 0).all()


@pytest.fixture(params=["numpy", "numba"])
def twins(request):
    """The kernels with NumPy alone, and with Numba."""
    if request.param == "numpy":
        return kernels.reference
    pytest.importorskip("numba")
    return importlib.import_module("tinygen.kernels.numba")


@pytest.mark.parametrize("layout", ["rows", "turned", "gaps"])
@pytest.mark.parametrize(
    ("shape", "mean"), [((9, 96, 96, 3), 0.5), ((20_000, 1), 5.0), ((500, 300), 5.0), ((3001, 8), 1e3)]
)
def test_batch_norm_and_its_gradients(twins, shape, mean, layout):
    x = LAYOUTS[layout](numbers(shape, mean))
    gy = LAYOUTS[layout](np.random.default_rng(1).normal(0.3, 1, shape).astype(np.float32))
    gamma, beta = np.linspace(0.5, 2, shape[-1], dtype=np.float32), np.full(shape[-1], np.float32(-0.3))
    y, mu, var = twins.batch_norm(x, gamma, beta, 1e-5)
    axes, x64, gy64 = tuple(range(x.ndim - 1)), x.astype(np.float64), gy.astype(np.float64)
    right = x64.mean(axes), x64.var(axes)
    xhat = (x64 - right[0]) / np.sqrt(right[1] + 1e-5)
    assert_right(mu, right[0], 2e-7 if mean else 1e-5)
    assert_right(var, right[1], 7e-7)
    np.testing.assert_allclose(y, gamma * xhat + beta, rtol=0, atol=3e-6 if mean < 100 else 2e-5)
    gx, ggamma, gbeta = twins.batch_norm_grad(gy, x, gamma, mu, var, 1e-5)
    ggamma64, gbeta64 = (gy64 * xhat).sum(axes), gy64.sum(axes)
    gx64 = gamma / np.sqrt(right[1] + 1e-5) * (gy64 - (gbeta64 + xhat * ggamma64) / (x.size / shape[-1]))
    off = np.finfo(np.float32).eps * mean  # the mean that the forward pass hands on is rounded
    np.testing.assert_allclose(ggamma, ggamma64, rtol=3e-6, atol=(1e-6 + off) * np.abs(gy64).sum(axes).max())
    np.testing.assert_allclose(gbeta, gbeta64, rtol=3e-6)
    np.testing.assert_allclose(gx, gx64, rtol=0, atol=1e-5 + off)


def test_normalisation_layers_and_pools_over_large_images():
    x = numbers((2, 300, 300, 2), 3.0)
    x64 = x.astype(np.float64)

    def standardised(x, axes):
        return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)

    for layer, axes in ((layers.InstanceNorm(2), (1, 2)), (layers.BatchNorm(2), (0, 1, 2))):
        np.testing.assert_allclose(layer(tensor(x)).numpy(), standardised(x64, axes), rtol=0, atol=3e-6)
    y = layers.LayerNorm(180_000)(tensor(x.reshape(2, -1))).numpy()
    np.testing.assert_allclose(y, standardised(x64.reshape(2, -1), 1), rtol=0, atol=3e-6)
    pooled = ops.avg_pool2d(tensor(x), 300).numpy()
    np.testing.assert_allclose(pooled, x64.mean((1, 2), keepdims=True), rtol=2e-7)


def test_running_statistics_after_a_large_batch():
    norm, x = layers.BatchNorm(3, momentum=0.0), numbers((4, 128, 128, 3))
    norm(tensor(x))
    np.testing.assert_allclose(norm.mean.numpy(), x.mean((0, 1, 2), np.float64), rtol=2e-7)
    np.testing.assert_allclose(norm.var.numpy(), x.var((0, 1, 2), np.float64), rtol=3e-7)


def test_gradients_of_what_was_broadcast(backend):
    """The sums that undo broadcasting, of a bias, a scalar and a column."""
    x = numbers((40_000, 3))
    for shape in ((3,), (), (1, 3), (1, 1)):
        b = tensor(backend.asarray(np.ones(shape, np.float32)), requires_grad=True)
        g = grad(ops.sum(b * backend.asarray(x)), b).numpy()
        right = x.astype(np.float64).sum(0, keepdims=True) if shape in ((3,), (1, 3)) else x.sum(dtype=np.float64)
        np.testing.assert_allclose(g, np.reshape(right, shape), rtol=1e-5 if backend.name == "standin" else 3e-7)


def test_sums_of_exponentials_over_a_leading_axis():
    x = numbers((60_000, 3), 0.0)
    e = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(ops.logsumexp(x, 0), np.log(e.sum(0)), rtol=2e-7)
    np.testing.assert_allclose(ops.softmax(x, 0), e / e.sum(0), rtol=2e-6)
    np.testing.assert_allclose(ops.log_softmax(x, 0), np.log(e / e.sum(0)), rtol=5e-7)
    np.testing.assert_allclose(ops.cumsum(x + 1, 0), np.cumsum((x + 1).astype(np.float64), 0), rtol=2e-7)


def test_few_numbers_are_left_to_numpy():
    """Whatever the shape: to take a small sum to pieces would take longer."""
    for shape, axis in (((128, 64), 0), ((64, 784), 1), ((64, 784), None), ((2, 2), (0, 1))):
        assert sums._is_summed_well(np.ones(shape, np.float32), axis)
