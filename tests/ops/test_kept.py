"""What the tape keeps of each op: only what a needed rule reads, on every version of Python."""

from __future__ import annotations

import numpy as np
import pytest
from ops.table import TABLE

import tinygen as tg
from tinygen import grad, ops, tensor
from tinygen.rules import Fact
from tinygen.selfcheck import CASES

KEPT = {op.name: op.kept for op in TABLE if op.kept is not None}


def kept(node):
    """The names under which the node keeps arrays of floats: y, or the primitive's argument."""
    names = ["y", *node.plan.op.signature.parameters]
    pairs = zip(names, node.saved, strict=False)
    return "".join(name for name, x in pairs if hasattr(x, "dtype") and not isinstance(x, Fact) and x.dtype.kind == "f")


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept(name, backend):
    case = next(c for c in CASES if c.name == name)
    arrays = [backend.asarray(a) for a in case.arrays()]
    result = case.function()(*(tensor(a, a.dtype.kind == "f") for a in arrays))
    y = result[0] if isinstance(result, (list, tuple)) else result
    assert kept(y.node) == KEPT[name]


def test_batch_norm_keeps_x_and_gamma():
    x, gamma, beta = (tensor(np.ones(shape), True) for shape in ((4, 3), (3,), (3,)))
    node = ops.batch_norm(x, gamma, beta).node
    assert kept(node) == "xgamma"
    assert [a.shape for a in node.aux] == [(3,), (3,)]


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (lambda x, c: x * c, "b"),
        (lambda x, c: c * x, "a"),
        (lambda x, c: x / c, "b"),
        (lambda x, c: c / x, "yb"),
        (lambda x, c: x @ c, "b"),
        (lambda x, c: c @ x, "a"),
        (lambda x, c: x**2, "x"),
        (lambda x, c: 2**x, "y"),
        (lambda x, c: ops.where(c > 0, x, c), ""),
        (lambda x, c: ops.maximum(x, 0), "a"),
        (lambda x, c: ops.einsum("ij,jk->ik", x, c), "b"),
    ],
)
def test_a_constant_s_partner_is_not_kept(y, expected):
    """With one factor constant, its own gradient is not wanted, and so the other factor is not needed."""
    node = y(tensor(np.ones((2, 2)), True), tensor(np.full((2, 2), 3.0))).node
    assert kept(node) == expected


def test_shapes_are_kept_as_facts():
    node = ops.sum(tensor(np.ones((2, 3)), True), axis=0).node
    assert node.saved[:2] == [None, Fact((2, 3), np.dtype(float), 2)]


def test_a_chain_of_sums_holds_no_array(backend):
    x = tensor(backend.asarray(np.ones((2, 3))), True)
    y = ops.sum(ops.reshape(x + x, (3, 2)).transpose(), axis=0)
    nodes, stack = [], [y.node]
    while stack:
        node = stack.pop()
        nodes.append(node)
        stack += node.parents
    assert all(kept(node) == "" for node in nodes if node.plan)
    assert np.array_equal(tg.grad(y, x, backend.asarray(np.ones(3))).numpy(), np.full((2, 3), 2))


MOVED = {
    "reshape": (lambda x, to: x.reshape(to), [3, 2], [2, 3]),
    "transpose": (ops.transpose, [1, 0], [0, 1]),
    "moveaxis": (lambda x, to: ops.moveaxis(x, to, [1, 0]), [0, 1], [1, 0]),
    "pad": (ops.pad, [[1, 0], [0, 1]], [[0, 1], [1, 0]]),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_list_that_changes_after_the_forward_pass_changes_no_gradient(name, backend):
    op, option, later = MOVED[name]
    x = tensor(backend.asarray(np.zeros((2, 3))), True)
    gy = np.random.default_rng(0).normal(size=op(x, option).shape)
    expected = grad(op(x, option), x, backend.asarray(gy))
    given = [part.copy() if isinstance(part, list) else part for part in option]
    y = op(x, given)
    given[:] = later
    np.testing.assert_array_equal(grad(y, x, backend.asarray(gy)).numpy(), expected.numpy())
