"""Operators and methods of Tensor are the ops of that name."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from tinygen import Tensor, ops, tensor
from tinygen.backend import to_host

BINARY = {
    operator.add: ops.add, operator.sub: ops.subtract, operator.mul: ops.multiply, operator.truediv: ops.divide,
    operator.floordiv: ops.floor_divide, operator.mod: ops.remainder,
    operator.pow: ops.power, operator.eq: ops.equal, operator.ne: ops.not_equal, operator.lt: ops.less,
    operator.le: ops.less_equal, operator.gt: ops.greater, operator.ge: ops.greater_equal,
}  # fmt: skip

A, B = np.array([[0.5, 2.0], [1.5, 1.0]]), np.array([[1.0, 2.0], [0.5, 3.0]])


def same(y, expected):
    assert isinstance(y, Tensor)
    np.testing.assert_array_equal(y.numpy(), to_host(expected), strict=True)


@pytest.mark.parametrize("op", BINARY)
def test_operators(op, backend):
    """To the bit what the operators of the arrays give, which are NumPy's but for the rounding of powers."""
    a, b = backend.asarray(A), backend.asarray(B)
    expected = op(a, b)
    np.testing.assert_allclose(to_host(expected), op(A, B), rtol=1e-15)
    same(op(tensor(a), tensor(b)), expected)
    same(op(tensor(a), b), expected)
    same(op(a, tensor(b)), expected)
    same(op(tensor(a), 2.0), op(a, 2.0))
    same(op(2.0, tensor(b)), op(2.0, b))
    same(op(tensor(a), 2), op(a, 2))
    same(op(3, tensor(b)), op(3, b))
    same(BINARY[op](tensor(a), tensor(b)), expected)


@pytest.mark.parametrize(
    "op", [o for o in BINARY if o.__name__ not in ("eq", "ne", "lt", "le", "gt", "ge", "floordiv")]
)
def test_gradients_flow_from_either_side(op, backend):
    for arguments in (lambda x: (x, 2.0), lambda x: (2.0, x), lambda x: (x, x)):
        x = tensor(backend.asarray(A), requires_grad=True)
        op(*arguments(x)).sum().backward()
        y = tensor(backend.asarray(A), requires_grad=True)
        BINARY[op](*arguments(y)).sum().backward()
        same(x.grad, y.grad.numpy())


@pytest.mark.parametrize("op", BINARY)
def test_python_scalars_keep_float32(op, backend):
    x = tensor(backend.asarray(A, np.float32))
    for y in (op(x, 2.0), op(2.0, x), op(x, 2), op(2, x)):
        assert y.dtype in (np.float32, np.bool_)


def test_logic(backend):
    """Of booleans on either side, arrays and Python's too; of anything else, a sentence: & binds before >."""
    a, b = (backend.asarray(np.array(v)) for v in ([True, True, False, False], [True, False, True, False]))
    for op, function in ((operator.and_, ops.logical_and), (operator.or_, ops.logical_or)):
        expected = op(to_host(a), to_host(b))
        for y in (op(tensor(a), tensor(b)), op(tensor(a), b), op(a, tensor(b)), function(tensor(a), tensor(b))):
            same(y, expected)
        for flag in (True, False):
            same(op(tensor(a), flag), op(to_host(a), flag))
            same(op(flag, tensor(a)), op(to_host(a), flag))
    same(~tensor(a), ~to_host(a))
    x = tensor(backend.asarray(A), requires_grad=True)
    same((x > 0.7) & (x < 1.7), (A > 0.7) & (A < 1.7))
    same(ops.logical_not(x), np.zeros((2, 2), bool))
    for call in (lambda: x > 0 & x < 1, lambda: x | (x > 0), lambda: (x > 0) & 1, lambda: ~x, lambda: a | x):
        with pytest.raises(TypeError, match=r"expected booleans, not .*; of comparisons, write"):
            call()


METHODS = [
    (lambda x: -x, ops.negative),
    (abs, ops.abs),
    (lambda x: x @ x, lambda x: ops.matmul(x, x)),
    (lambda x: x[0, 1], lambda x: ops.getitem(x, (0, 1))),
    (lambda x: x.T, ops.transpose),
    (lambda x: x.mT, lambda x: ops.swapaxes(x, -1, -2)),
    (lambda x: x.sum(0), lambda x: ops.sum(x, 0)),
    (lambda x: x.mean(axis=1), lambda x: ops.mean(x, axis=1)),
    (lambda x: x.var(axis=0, ddof=1), lambda x: ops.var(x, 0, 1)),
    (lambda x: x.std(axis=0, ddof=1), lambda x: ops.std(x, 0, 1)),
    (lambda x: x.prod(axis=1), lambda x: ops.prod(x, 1)),
    (lambda x: x.round(), ops.round),
    (lambda x: x.repeat(2, axis=0), lambda x: ops.repeat(x, 2, 0)),
    (lambda x: x.argmin(0), lambda x: ops.argmin(x, 0)),
    (lambda x: x.argsort(0), lambda x: ops.argsort(x, 0)),
    (lambda x: x.max(), ops.max),
    (lambda x: x.min(axis=0), lambda x: ops.min(x, 0)),
    (lambda x: x.argmax(1), lambda x: ops.argmax(x, 1)),
    (lambda x: x.cumsum(axis=1), lambda x: ops.cumsum(x, 1)),
    (lambda x: x.reshape(4), lambda x: ops.reshape(x, 4)),
    (lambda x: x.reshape(4, 1), lambda x: ops.reshape(x, (4, 1))),
    (lambda x: x.reshape((1, 4)), lambda x: ops.reshape(x, (1, 4))),
    (lambda x: x.ravel(), lambda x: ops.reshape(x, -1)),
    (lambda x: x.transpose(), ops.transpose),
    (lambda x: x.transpose(1, 0), lambda x: ops.transpose(x, (1, 0))),
    (lambda x: x.transpose((0, 1)), lambda x: ops.transpose(x, (0, 1))),
    (lambda x: x.transpose(np.array([0, 1])), lambda x: ops.transpose(x, (0, 1))),
    (lambda x: x.transpose(None), ops.transpose),
    (lambda x: x.swapaxes(0, 1), lambda x: ops.swapaxes(x, 0, 1)),
    (lambda x: x[None].squeeze(0), lambda x: ops.squeeze(ops.expand_dims(x, 0), 0)),
    (lambda x: x.clip(1.0, 1.75), lambda x: ops.clip(x, 1.0, 1.75)),
    (lambda x: x.astype(np.float32), lambda x: ops.astype(x, np.float32)),
]


@pytest.mark.parametrize(("method", "op"), METHODS)
def test_methods(method, op, backend):
    x = tensor(backend.asarray(A))
    same(method(x), op(x).numpy())
    same(method(x), method(A))


def test_iteration_gives_rows_on_the_tape(backend):
    x = tensor(backend.asarray(A), requires_grad=True)
    first, second = x
    assert len(x) == 2
    (first * 2 + second * 3).sum().backward()
    same(x.grad, [[2.0, 2.0], [3.0, 3.0]])
    with pytest.raises(TypeError):
        iter(tensor(1.0)).__next__()


def test_an_index_may_be_a_tensor(backend):
    x, i = tensor(backend.asarray(A), requires_grad=True), tensor(backend.asarray([1, 0, 1]))
    same(x[i], A[[1, 0, 1]])
    same(x[:, i], A[:, [1, 0, 1]])
    same(x[x > 1], A[A > 1])
    same(ops.take_along_axis(x, tensor(backend.asarray([[1], [0]])), 1), [[2.0], [1.5]])
    x[i].sum().backward()
    same(x.grad, [[1.0, 1.0], [2.0, 2.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.int64])
def test_remainders_have_the_sign_of_the_divisor(dtype, backend):
    a, b = np.meshgrid(np.array([-7, -3, 0, 3, 7], dtype), np.array([-3, -2, 2, 3], dtype))
    x, y = tensor(backend.asarray(a)), tensor(backend.asarray(b))
    same(x % y, a % b)
    same(x // y, a // b)
    same(x % 3, a % 3)
    same(7 % y, 7 % b)


def test_the_slopes_of_a_remainder(backend):
    """1 by the number, and minus the quotient, rounded down, by the divisor."""
    a, b = (tensor(backend.asarray(v), requires_grad=True) for v in ([7.5, -7.5, 7.5, -7.5], [2.0, 2.0, -2.0, -2.0]))
    (a % b).sum().backward()
    same(a.grad, [1.0, 1.0, 1.0, 1.0])
    same(b.grad, [-3.0, 4.0, 4.0, -3.0])


@pytest.mark.parametrize("name", ["floor", "ceil", "round"])
def test_rounding_is_numpys_and_whole_numbers_stay(name, backend):
    op, right = getattr(ops, name), getattr(np, name)
    for dtype in (np.float16, np.float32, np.float64):
        x = np.array([-2.5, -1.5, -0.5, -0.2, 0.5, 1.5, 2.7, np.inf, np.nan], dtype)
        same(op(tensor(backend.asarray(x), requires_grad=True)), right(x))
    for dtype in (np.int8, np.int64, bool):
        x = np.array([0, 1], dtype)
        same(op(tensor(backend.asarray(x))), x)
