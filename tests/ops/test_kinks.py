"""At kinks, ties and zeros, where gradcheck can't look, the gradients are those that the docstrings promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tinygen import grad, ops, tensor


def gradients(f, *xs, backend):
    """The first derivatives of the sum of f, and the second ones of the first input, summed."""
    ts = [tensor(backend.asarray(x, np.float64), requires_grad=True) for x in xs]
    first = grad(ops.sum(f(*ts)), ts, create_graph=True)
    second = grad(ops.sum(first[0] * first[0]), ts[0])
    return [g.numpy() for g in first], second.numpy()


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (ops.relu, [-1.0, 0.0, 1.0], [0, 0, 1]),
        (ops.leaky_relu, [-1.0, 0.0, 1.0], [0.2, 0.2, 1]),
        (lambda x: ops.prelu(x, 0.25), [-1.0, 0.0, 1.0], [0.25, 0.25, 1]),
        (ops.abs, [-1.0, 0.0, 1.0], [-1, 0, 1]),
        (lambda x: ops.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], [0, 1, 1, 1, 0]),
        (ops.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
        (ops.min, [1.0, 1.0, 1.0, 2.0], [1 / 3, 1 / 3, 1 / 3, 0]),
        (lambda x: ops.max(x, axis=1), [[1.0, 1.0], [0.0, 1.0]], [[0.5, 0.5], [0, 1]]),
        (lambda x: ops.maximum(x, 1.0), [0.0, 1.0, 2.0], [0, 0.5, 1]),
        (lambda x: ops.minimum(1.0, x), [0.0, 1.0, 2.0], [1, 0.5, 0]),
        (lambda x: ops.maximum(x, x), [1.0, 2.0], [1, 1]),
    ],
)
def test_kinks_and_ties(f, x, expected, backend):
    (first,), second = gradients(f, x, backend=backend)
    np.testing.assert_allclose(first, expected, rtol=1e-15)
    assert not second.any()


@pytest.mark.parametrize("ord", [None, 1, 2, np.inf, -np.inf])
def test_the_gradient_of_a_norm_at_0_is_0(ord, backend):
    (first,), second = gradients(lambda x: ops.norm(x, ord, axis=1), [[0.0, 0.0], [0.0, 0.0]], backend=backend)
    assert not first.any() and not second.any()


def test_the_gradient_of_a_standard_deviation_of_equal_numbers_is_0(backend):
    (first,), second = gradients(lambda x: ops.std(x, axis=1), [[0.1, 0.1, 0.1], [2.0, 2.0, 2.0]], backend=backend)
    assert not first.any() and not second.any()


@pytest.mark.oracle
@pytest.mark.parametrize("zeros", [[], [1], [0, 3], [0, 1, 4]], ids=str)
def test_products_with_zeros_as_in_pytorch(zeros, backend):
    torch = pytest.importorskip("torch")
    array = np.array([0.5, -2.0, 3.0, 1.5, -0.7])
    array[zeros] = 0
    x, t = tensor(backend.asarray(array), requires_grad=True), torch.tensor(array, requires_grad=True)
    first, (expected,) = grad(ops.prod(x), x, create_graph=True), torch.autograd.grad(t.prod(), t, create_graph=True)
    np.testing.assert_allclose(first.numpy(), expected.detach().numpy(), rtol=1e-14)
    u = np.array([1.0, 0.3, -2.0, 0.7, 5.0])
    second, (right,) = grad(first, x, backend.asarray(u)), torch.autograd.grad(expected, t, torch.tensor(u))
    np.testing.assert_allclose(second.numpy(), right.numpy(), rtol=1e-13, atol=1e-14)


def test_elu_takes_the_slope_from_the_left(backend):
    (first,), _ = gradients(lambda x: ops.elu(x, 2.0), [0.0, 1.0], backend=backend)
    assert first.tolist() == [2, 1]


def test_ties_share_between_the_arguments(backend):
    (ga, gb), _ = gradients(ops.maximum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], backend=backend)
    assert ga.tolist() == [0.5, 0, 1] and gb.tolist() == [0.5, 1, 0]
    (ga, gb), _ = gradients(ops.minimum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], backend=backend)
    assert ga.tolist() == [0.5, 1, 0] and gb.tolist() == [0.5, 0, 1]


@pytest.mark.parametrize(
    ("p", "first", "second"),
    [(0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0), (2.0, 0, 2)],
)
def test_powers_of_zero(p, first, second, backend):
    x = tensor(backend.asarray([0.0]), requires_grad=True)
    g = grad(ops.sum(x**p), x, create_graph=True)
    assert g.item() == first
    assert grad(ops.sum(g), x).item() == second


def test_powers_of_zero_with_exponents_on_the_tape(backend):
    x, p = (tensor(backend.asarray(v), requires_grad=True) for v in ([0.0, 0.0, 0.0, 2.0], [0.0, 1.0, 2.0, 0.0]))
    gx, gp = grad(ops.sum(x**p), [x, p])
    assert gx.numpy().tolist() == [0, 1, 0, 0]
    assert gp.numpy().tolist() == [0, 0, 0, np.log(2)]


def test_powers_of_negative_numbers(backend):
    (g,), _ = gradients(lambda x: x**3, [-2.0], backend=backend)
    assert g.tolist() == [12]


def test_what_is_picked_twice_gets_both_gradients(backend):
    x = tensor(backend.asarray([1.0, 2.0, 3.0]), requires_grad=True)
    gy = backend.asarray([1.0, 10.0, 100.0, 1000.0])
    assert grad(x[backend.asarray([0, 2, 0, -1])], x, gy).numpy().tolist() == [101, 0, 1010]
    assert grad(x[[0, 2, 0, -1]], x, gy).numpy().tolist() == [101, 0, 1010]


def power_derivative(x, p, order):
    """A mixed derivative of xᵖ: d/dx i times gives p (p-1) ... (p-i+1) xᵖ⁻ⁱ, and d/dp j times of that Leibniz' rule."""
    i, j = order.count("x"), order.count("p")
    falling = np.poly1d(1.0)
    for k in range(i):
        falling *= np.poly1d([1.0, -k])
    terms = [math.comb(j, k) * np.polyder(falling, k)(p) * np.log(x) ** (j - k) for k in range(j + 1)]
    return sum(terms) * x ** (p - i)


@pytest.mark.parametrize("order", [o for n in (1, 2, 3) for o in itertools.product("xp", repeat=n)], ids="".join)
def test_powers_in_every_order_of_differentiation(order, backend):
    """At p = 0, 1 and 2 a special case that is right at first order was wrong at the second: d²(xᵖ)/dp dx is 1/x."""
    grid = [(x, p) for x in (0.5, 1.0, 2.0) for p in (0.0, 1.0, 2.0, -1.0, 0.5)]
    arguments = {name: tensor(backend.asarray(v), True) for name, v in zip("xp", zip(*grid, strict=True), strict=True)}
    y = arguments["x"] ** arguments["p"]
    for name in order:
        y = grad(y, arguments[name], backend.xp.ones(y.shape), create_graph=True)
    expected = [power_derivative(x, p, order) for x, p in grid]
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-13)


def test_no_nan_at_zero_to_the_power_of_a_tensor(backend):
    for p in (0.0, 1.0, 2.0):
        x, t = tensor(backend.asarray(0.0), True), tensor(backend.asarray(p), True)
        gx, gp = grad(x**t, [x, t], create_graph=True)
        assert (gx.item(), gp.item()) == (p == 1, 0)
        assert (grad(gx, x, retain_graph=True).item(), grad(gp, t).item()) == (2 * (p == 2), 0)
