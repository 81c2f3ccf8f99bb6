"""At kinks, ties and zeros, where gradcheck can't look, the gradients are those that the docstrings promise."""

from __future__ import annotations

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
