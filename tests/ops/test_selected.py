"""A slope that a comparison chooses is selected, not multiplied: no 0 · inf behind a kink, at any order."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tinygen import grad, kernels, ops, tensor
from tinygen.kernels import reference

INF, NAN = np.inf, np.nan
X = [-2.0, -1.0, 0.0, 1.0, 2.0, NAN]
CHOSEN = np.array([True, False] * 3)

OURS = {  # where the gradient that arrives is inf or NaN: which of it goes on, to each argument
    "relu": (ops.relu, lambda t, x: t.relu(x)),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.25), lambda t, x: t.nn.functional.leaky_relu(x, 0.25)),
    "elu": (ops.elu, lambda t, x: t.nn.functional.elu(x)),
    "abs": (ops.abs, lambda t, x: t.abs(x)),
    "clip": (lambda x: ops.clip(x, -1.0, 1.0), lambda t, x: t.clamp(x, -1.0, 1.0)),
    "clip from below": (lambda x: ops.clip(x, -1.0), lambda t, x: t.clamp(x, min=-1.0)),
    "maximum": (lambda x: ops.maximum(x, 0.0), lambda t, x: t.maximum(x, t.zeros_like(x))),
    "minimum": (lambda x: ops.minimum(1.0, x), lambda t, x: t.minimum(t.ones_like(x), x)),
    "where": (lambda x: ops.where(x > 0, x, 0.0), lambda t, x: t.where(x > 0, x, 0.0)),
    "where twice": (lambda x: ops.where(x > 0, x, 2 * x), lambda t, x: t.where(x > 0, x, 2 * x)),
    "hinge": (lambda x: ops.relu(1 - x), lambda t, x: t.relu(1 - x)),
    "power 0": (lambda x: x**0, lambda t, x: x**0),
    "power 1": (lambda x: x**1.0, lambda t, x: x**1.0),
}


@pytest.mark.oracle
@pytest.mark.parametrize("arrives", [1.0, INF, -INF, NAN])
@pytest.mark.parametrize("name", OURS)
def test_slopes_against_pytorch(name, arrives, backend):
    torch = pytest.importorskip("torch")
    ours, theirs = OURS[name]
    values = [v for v in X if v == v or name not in ("abs", "elu")]
    values = [v for v in values if v or name != "abs"]  # there it is 0, but 0 · inf in PyTorch
    x, t = tensor(backend.asarray(values), True), torch.tensor(values, dtype=torch.float64, requires_grad=True)
    gy = np.full(len(values), arrives)
    with np.errstate(all="ignore"):
        first = grad(ours(x), x, backend.asarray(gy), create_graph=True)
        (expected,) = torch.autograd.grad(theirs(torch, t), t, torch.tensor(gy), create_graph=True)
        np.testing.assert_array_equal(first.numpy(), expected.detach().numpy())
        second = grad(first, x, backend.asarray(gy))
    if expected.requires_grad and name != "elu":  # whose second slope at 0 is the one from the right in PyTorch
        (expected,) = torch.autograd.grad(expected, t, torch.tensor(gy), materialize_grads=True)
        np.testing.assert_array_equal(second.numpy(), expected.numpy(force=True))


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("values", [[1.0, NAN, 3.0, NAN], [NAN], [2.0, 2.0, 3.0, 3.0]])
def test_nan_is_an_extreme_as_in_pytorch(name, values, backend):
    torch = pytest.importorskip("torch")
    x, t = tensor(backend.asarray(values), True), torch.tensor(values, requires_grad=True)
    (expected,) = torch.autograd.grad(getattr(torch, name)(t), t)
    assert grad(getattr(ops, name)(x), x).numpy().tolist() == expected.tolist()


BEHIND = {  # f(x), whose slope is infinite where the kink before it gives 0
    "sqrt(relu(x))": lambda x: ops.sqrt(ops.relu(x)),
    "relu(x)**0.5": lambda x: ops.relu(x) ** 0.5,
    "sqrt(leaky_relu(x, 0))": lambda x: ops.sqrt(ops.leaky_relu(x, 0.0)),
    "sqrt(where(x > 0, x, 0))": lambda x: ops.sqrt(ops.where(x > 0, x, 0.0)),
    "sqrt(|where(x > 0, x, 0)|)": lambda x: ops.sqrt(ops.abs(ops.where(x > 0, x, 0.0))),
    "sqrt(clip(x, 0))": lambda x: ops.sqrt(ops.clip(x, 0.0)),
    "sqrt(maximum(x, 0))": lambda x: ops.sqrt(ops.maximum(x, 0.0)),
    "sqrt(dropout(x))": lambda x: ops.sqrt(ops.dropout(x, x > 0, 1.0)),
    "sqrt(-minimum(-x, 0))": lambda x: ops.sqrt(-ops.minimum(-x, 0.0)),
    "sqrt(max(x, 0))": lambda x: ops.sqrt(ops.max(ops.stack([x, x.detach() * 0.0]), 0)),
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", BEHIND)
def test_the_slope_behind_a_kink_is_zero(name, dtype, backend):
    x = tensor(backend.asarray([-4.0, -1.0, 4.0], dtype), requires_grad=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = grad(BEHIND[name](x).sum(), x, create_graph=True)
        second = grad(first.sum(), x)
    assert first.numpy().tolist() == [0, 0, 0.25]
    np.testing.assert_allclose(second.numpy()[2], -1 / 32, rtol=2e-3)
    assert second.dtype == dtype


def test_pairwise_distances_have_no_nan_on_the_diagonal(backend):
    x = tensor(backend.asarray([[0.0, 1.0], [3.0, 5.0], [0.0, 1.0]]), requires_grad=True)
    with np.errstate(divide="ignore"):
        squares = ops.sum((ops.expand_dims(x, 1) - ops.expand_dims(x, 0)) ** 2, -1)
        g = grad(ops.sqrt(ops.relu(squares)).sum(), x)
    np.testing.assert_allclose(g.numpy(), [[-1.2, -1.6], [2.4, 3.2], [-1.2, -1.6]])


def test_the_bounds_of_clip_have_gradients(backend):
    x, low, high = (tensor(backend.asarray(a), True) for a in ([-2.0, 0.0, 3.0, 0.5], -1.0, [1.0, 1.0, 1.0, 0.2]))
    gx, g_low, g_high = grad(x.clip(low, high), [x, low, high], backend.asarray([1.0, 2.0, 4.0, 8.0]))
    assert (gx.numpy().tolist(), g_low.item(), g_high.numpy().tolist()) == ([0, 2, 0, 0], 1, [0, 0, 4, 8])


@pytest.mark.oracle
def test_the_bounds_of_clip_against_pytorch(backend):
    torch = pytest.importorskip("torch")
    rng, leaf = np.random.default_rng(0), lambda v: tensor(backend.asarray(v), True)
    values, gy = [rng.permutation(60).reshape(3, 20) * s for s in (0.1, 0.05, 0.07)], rng.standard_normal((3, 20))
    ours, theirs = ([make(v) for v in values] for make in (leaf, lambda v: torch.tensor(v, requires_grad=True)))
    found = grad(ops.clip(*ours), ours, backend.asarray(gy))
    expected = torch.autograd.grad(torch.clamp(*theirs), theirs, torch.tensor(gy))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_the_padding_has_a_gradient(backend):
    x, value = tensor(backend.asarray([[1.0, 2.0]]), True), tensor(backend.asarray(7.0), True)
    y = ops.pad(x, ((1, 0), (0, 1)), constant_values=value)
    assert y.numpy().tolist() == [[7, 7, 7], [1, 2, 7]]
    gx, g_value = grad(y, [x, value], backend.asarray([[1.0, 2.0, 4.0], [8.0, 16.0, INF]]))
    assert (gx.numpy().tolist(), g_value.item()) == ([[8, 16]], INF)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("shape", [(), (3, 4), (0, 3)])
def test_select(shape, dtype, backend):
    if backend.name != "numpy" and dtype is np.longdouble:
        return
    x = np.random.default_rng(0).choice([1.5, INF, NAN, -0.0, -2.0], shape)
    chosen = np.random.default_rng(1).choice([True, False], shape)
    y = reference.select(backend.asarray(chosen), backend.asarray(x, dtype))
    assert y.dtype == dtype
    np.testing.assert_array_equal(backend.to_host(y), np.where(chosen, x, 0))


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs Numba")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbas_twins_select_too(dtype):
    numba = importlib.import_module("tinygen.kernels.numba")
    y, gy = np.array([-1, -0.0, 0, 1, NAN], dtype), np.full(5, INF, dtype)
    for slope in (0.0, 0.5):
        found = numba.leaky_relu_grad(gy, y, slope)
        np.testing.assert_array_equal(found, reference.leaky_relu_grad(gy, y, slope))
    np.testing.assert_array_equal(numba.leaky_relu_grad(gy, y, 0.0), [0, 0, 0, INF, INF])
    np.testing.assert_array_equal(numba.dropout(gy, y > 0, 2.0), kernels.dropout(gy, y > 0, 2.0))
