"""Indices of every type: they pick what NumPy picks, what is picked twice gets both gradients, changes are noticed."""

from __future__ import annotations

import array

import numpy as np
import pytest

from tinygen import GradientError, grad, layers, losses, ops, tensor

X = np.arange(24.0).reshape(4, 6)


class Whole(int):
    pass


class Indexed:
    def __index__(self):
        return 1


def t(values):
    return tensor(np.array(values))


INDICES = {  # what is written, and what NumPy reads it as
    "tuples": (lambda: ((0, 0), (1, 1)), ([0, 0], [1, 1])),
    "a tuple and a slice": (lambda: ((0, 0), slice(None)), ([0, 0],)),
    "a tuple after ...": (lambda: (..., (0, 0, 5)), (slice(None), [0, 0, 5])),
    "an array.array": (lambda: (array.array("i", [3, 3]),), ([3, 3],)),
    "a range and a list": (lambda: (range(3), [0, 0, 0]), ([0, 1, 2], [0, 0, 0])),
    "a nested list": (lambda: [[0, 0], [1, 1]], ([[0, 0], [1, 1]],)),
    "Tensors": (lambda: (t([0, 0]), t([1, 1])), ([0, 0], [1, 1])),
    "a Tensor and a tuple": (lambda: (t([0, 0]), (1, 1)), ([0, 0], [1, 1])),
    "a list of NumPy's integers": (lambda: [np.int64(2), np.int8(2)], ([2, 2],)),
    "None and a tuple": (lambda: (None, (0, 0)), (None, [0, 0])),
    "a mask and a tuple": (lambda: ([True, False, True, True], (0, 0, 1)), ([True, False, True, True], [0, 0, 1])),
    "a tuple of bools": (lambda: ((True, True, False, False),), ([True, True, False, False],)),
    "a mask in a Tensor": (lambda: t(X > 5), (X > 5,)),
    "kinds of int": (lambda: (np.int64(1), Whole(2)), (1, 2)),
    "__index__": (lambda: Indexed(), (1,)),
    "True": (lambda: True, (np.array(True),)),
    "a 0-d Tensor": (lambda: t(1), (1,)),
    "a slice with Tensors as bounds": (lambda: slice(t(1), t(3), np.int64(1)), (slice(1, 3),)),
    "an empty list": (list, (np.zeros(0, int),)),
    "an empty tuple in a tuple": (lambda: ((),), (np.zeros(0, int),)),
}


@pytest.mark.parametrize("index", INDICES)
def test_every_type_of_index(index, backend):
    write, read = INDICES[index]
    x = tensor(backend.asarray(X), requires_grad=True)
    y, expected = x[write()], X[read]
    assert np.array_equal(y.numpy(), expected)
    gy = np.random.default_rng(0).standard_normal(expected.shape)
    gx = np.zeros_like(X)
    np.add.at(gx, read, gy)
    np.testing.assert_allclose(grad(y, x, backend.asarray(gy)).numpy(), gx, rtol=1e-15)


NOT_INDICES = {
    "text": "a",
    "a float": 1.0,
    "floats": [1.0],
    "a complex number": 1j,
    "a dict": {"a": 1},
    "an object": object(),
    "ragged": [[1], [1, 2]],
    "half a slice": slice(0.5, 2),
    "a slice of text": slice("a"),
    "an array of objects": np.array([None]),
}


@pytest.mark.parametrize("index", NOT_INDICES.values(), ids=NOT_INDICES)
def test_what_is_no_index(index, backend):
    for bad in (index, (0, index)):
        with pytest.raises(IndexError, match=r"getitem: an index is made of whole numbers, slices, None, .* not "):
            tensor(X)[bad]


def test_a_tensor_of_floats_is_no_index(backend):
    with pytest.raises(IndexError, match=r"getitem: .*, not float64 of shape \(2,\)"):
        tensor(X)[t([0.0, 1.0])]


def embedding(x, i):
    layer = layers.Embedding(4, 6)
    vars(layer)["w"] = x
    return layer(i)


PICKING = {
    "getitem": lambda x, i: x[i],
    "getitem with a tuple": lambda x, i: x[i, 1:],
    "getitem with two arrays": lambda x, i: x[i, i],
    "take_along_axis": lambda x, i: ops.take_along_axis(x, i.reshape(4, 1), 1),
    "scatter_add": lambda x, i: x * ops.scatter_add(0 * x, i.reshape(4, 1), x[:, :1] ** 2, 1),
    "Embedding": embedding,
    "cross_entropy": lambda x, i: losses.cross_entropy(x, i),
    "where": lambda x, i: ops.where(ops.expand_dims(i, 1) > 1, x, 0.0),
    "where of a mask": lambda x, i: ops.where(i.reshape(4, 1), x, 0.0),
    "dropout": lambda x, i: ops.dropout(x, ops.broadcast_to(i.reshape(4, 1), (4, 6)), 2.0),
}
NOT_KEPT = {"where"}  # the comparison's result is an array of its own
CHECKED_THERE = {"Embedding", "cross_entropy"}  # on a GPU they index with a checked copy


@pytest.mark.parametrize("pick", PICKING)
def test_an_index_that_changes_after_the_forward_pass_is_noticed(pick, backend):
    x, i = tensor(backend.asarray(X), requires_grad=True), t([0, 1, 2, 3])
    if pick in ("dropout", "where of a mask"):
        i = i > 1
        i = tensor(i)
    expected = grad(ops.sum(PICKING[pick](x, i)), x).numpy()
    y = ops.sum(PICKING[pick](x, i))
    i.assign(0)
    if pick in NOT_KEPT or (backend.name != "numpy" and pick in CHECKED_THERE):
        assert np.array_equal(grad(y, x).numpy(), expected)
    else:
        with pytest.raises(GradientError, match=r"a Tensor \(\w+ of shape \(4,\)\) was changed after the forward pass"):
            grad(y, x)


@pytest.mark.parametrize("pick", PICKING)
def test_an_index_from_outside_may_change(pick, backend):
    """The tape keeps a copy of arrays of integers and booleans, as nobody watches them."""
    x, i = tensor(backend.asarray(X), requires_grad=True), backend.asarray([0, 1, 2, 3])
    if pick in ("dropout", "where of a mask"):
        i = i > 1
    y = ops.sum(PICKING[pick](x, i))
    expected = grad(y, x, retain_graph=True).numpy()
    i[...] = 0
    assert np.array_equal(grad(y, x).numpy(), expected)


def test_the_memory_of_a_tensor_as_an_index(backend):
    x, i = tensor(backend.asarray(X), requires_grad=True), t([0, 1, 2, 3])
    y, z = x[i.detach()], x[i.data]
    i.assign(0)
    with pytest.raises(GradientError, match="was changed after the forward pass"):
        grad(y.sum(), x)
    assert np.array_equal(grad(z.sum(), x).numpy(), np.ones((4, 6)))


def test_cuts_of_any_type(backend):
    x = tensor(backend.asarray(X), requires_grad=True)
    for cuts in ((1, 3), [1, 3], np.array([1, 3]), t([1, 3]), range(1, 4, 2)):
        assert [part.shape for part in ops.split(x, cuts, 1)] == [(4, 1), (4, 2), (4, 3)]


def test_scatter_add_is_the_adjoint_of_take_along_axis(backend):
    """⟨take_along_axis(x, i), u⟩ = ⟨x, scatter_add(0, i, u)⟩, where axes broadcast too."""
    rng = np.random.default_rng(0)
    for shape, places, axis in (((4, 6), (4, 3), 1), ((4, 6), (9, 6), 0), ((4, 6), (1, 3), -1), ((1, 6), (4, 2), 1)):
        x, i = rng.normal(size=shape), rng.integers(-2, 4, places)
        y = ops.take_along_axis(x, i, axis)
        u = rng.normal(size=y.shape)
        added = ops.scatter_add(backend.asarray(np.zeros(shape)), backend.asarray(i), backend.asarray(u), axis)
        np.testing.assert_allclose((y * u).sum(), (x * backend.to_host(added)).sum(), rtol=1e-13)
