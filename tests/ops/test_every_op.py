"""What holds for every op: each case of tinygen/selfcheck/table.py, in float32 and float64, on each backend."""

from __future__ import annotations

import numpy as np
import pytest
from derivatives import derivatives
from ops.table import OPS, TABLE

import tinygen as tg
from tinygen import selfcheck
from tinygen.selfcheck import CASES
from tinygen.selfcheck.case import tensors_in
from tinygen.tensor import Tensor

if selfcheck.missing():
    raise AssertionError(f"no case in tinygen/selfcheck/table.py for {', '.join(selfcheck.missing())}")

CASES_OF_OPS = [case for case in CASES if case.build is None]
each_case = pytest.mark.parametrize("case", CASES_OF_OPS, ids=repr)


def test_every_op_is_in_the_table():
    """Once, and with nothing that is no op."""
    assert sorted(op.name for op in TABLE) == sorted({case.name for case in CASES_OF_OPS})


def host_arrays(case, dtype):
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.arrays()]


def tensors(arrays):
    return [Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]


def listed(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def data(result):
    return [y.data if isinstance(y, Tensor) else y for y in listed(result)]


def snapshot(backend, arrays):
    return [backend.to_host(a).tobytes() for a in arrays]


def with_gradient(result):
    """The first of the results that is on the tape, or None."""
    return next((y for y in listed(result) if isinstance(y, Tensor) and y.requires_grad), None)


@each_case
def test_gradients_of_first_and_second_order(case):
    case.check()


def derivatives_of(case):
    f = case.function()
    return derivatives(lambda *xs: tensors_in(f(*xs)), case.arrays())


@each_case
def test_a_gpu_has_the_gradients_of_both_orders_that_were_checked(case, gpu):
    found = derivatives_of(case)
    with tg.use("cpu"):
        checked = derivatives_of(case)
    for y, right in zip(found, checked, strict=True):
        np.testing.assert_allclose(y, right, rtol=1e-11, atol=1e-12)


@each_case
def test_forward_and_backward(case, backend):
    for dtype in (np.float32, np.float64):
        forward(case, dtype, backend)
        backward(case, dtype, backend)


def forward(case, dtype, backend):
    """Arrays give arrays, Tensors the same to the bit; NumPy's values, of the right dtype; nothing is changed."""
    hosts = host_arrays(case, dtype)
    arrays = [backend.asarray(a) for a in hosts]
    before = snapshot(backend, arrays)
    f = case.function()
    raw, recorded = f(*arrays), f(*tensors(arrays))
    assert snapshot(backend, arrays) == before
    assert all(type(y) is backend.xp.ndarray for y in listed(raw)), "arrays must give arrays, 0-d ones too"
    assert isinstance(listed(recorded)[0], Tensor)
    assert all(type(y) is backend.xp.ndarray for y in data(recorded))
    assert snapshot(backend, data(recorded)) == snapshot(backend, listed(raw))
    expected = OPS[case.name].oracle(*case.arguments(hosts), **case.options)
    for y, right in zip(listed(raw), listed(expected), strict=True):
        right = np.asarray(right)
        assert y.shape == right.shape
        assert y.dtype == (case.args[1] if case.name == "astype" else dtype if right.dtype.kind == "f" else right.dtype)
        close = {"rtol": 2e-6, "atol": 2e-6} if dtype is np.float32 else {"rtol": 1e-13, "atol": 1e-14}
        np.testing.assert_allclose(backend.to_host(y), right, **close)


def backward(case, dtype, backend):
    """Gradients have their inputs' shape and dtype and memory of their own, from grad() and backward() alike."""
    arrays = [backend.asarray(a) for a in host_arrays(case, dtype)]
    xs = tensors(arrays)
    y = with_gradient(case.function()(*xs))
    leaves = [x for x in xs if isinstance(x, Tensor)]
    assert (y is None) == (OPS[case.name].kept is None)
    if y is None:
        return
    gy = backend.asarray(np.random.default_rng(1).standard_normal(y.shape), y.dtype)
    known = [*arrays, y.data, gy]
    before = snapshot(backend, known)
    grads = [g.data for g in tg.grad(y, leaves, gy, retain_graph=True, unused="zeros")]
    y.backward(gy)
    accumulated = [x.grad.data for x in leaves if x.grad is not None]
    assert snapshot(backend, known) == before
    for x, g in zip(leaves, grads, strict=True):
        assert type(g) is backend.xp.ndarray
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
    reached = [g for g, x in zip(grads, leaves, strict=True) if x.grad is not None]
    assert snapshot(backend, accumulated) == snapshot(backend, reached)
    for i, g in enumerate(mine := [*grads, *accumulated]):
        assert not any(backend.shares_memory(g, other) for other in [*known, *mine[:i]])


def transposed(xp, x):
    return x.transpose().copy().transpose()


def strided(xp, x):
    wide = xp.zeros((2 * x.shape[0], *x.shape[1:]), x.dtype)
    wide[::2] = x
    return wide[::2]


def backwards(xp, x):
    reverse = (slice(None, None, -1),) * x.ndim
    return x[reverse].copy()[reverse]


def repeated(xp, x):
    return xp.broadcast_to(x[:1], x.shape)


def outcome(case, backend, inputs, lay=lambda xp, x: x):
    """What an op returns, and the gradients for a gy that lies in memory as the inputs do."""
    xs = tensors(inputs)
    result = case.function()(*xs)
    y = with_gradient(result)
    grads = []
    if y is not None:
        gy = backend.asarray(np.random.default_rng(1).standard_normal(y.shape))
        grads = tg.grad(
            y, [x for x in xs if isinstance(x, Tensor)], lay(backend.xp, gy) if gy.ndim else gy, unused="zeros"
        )
    return [backend.to_host(a) for a in (*data(result), *data(grads))]


@pytest.mark.parametrize("case", [c for c in CASES_OF_OPS if any(a.ndim and a.size for a in c.arrays())], ids=repr)
def test_any_memory_layout(case, backend):
    for lay in (transposed, strided, backwards, repeated):
        arrays = [backend.asarray(a) for a in case.arrays()]
        odd = [lay(backend.xp, x) if x.ndim else x for x in arrays]
        plain = [x.copy() for x in odd]
        expected = outcome(case, backend, plain)
        found = outcome(case, backend, odd, strided if lay is repeated else lay)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13, err_msg=lay.__name__)
