"""Order along an axis: NumPy's, ties and NaN included, of every dtype; an element takes its gradient along."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen import grad, ops, tensor

TIES = np.array([[2.0, 1.0, 2.0, np.nan, 1.0], [np.inf, 3.0, -np.inf, 3.0, np.nan], [0.0, -0.0, 1.0, 0.0, -1.0]])
DTYPES = [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int64, bool]


@pytest.mark.parametrize("axis", [0, 1, -1, -2, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpys_order(dtype, axis, backend):
    x = np.nan_to_num(TIES, posinf=9, neginf=0).clip(0).astype(dtype) if np.dtype(dtype).kind != "f" else TIES
    x = x.astype(dtype)
    y, i = ops.sort(backend.asarray(x), axis), ops.argsort(backend.asarray(x), axis)
    assert y.dtype == dtype and i.dtype.kind == "i"
    np.testing.assert_array_equal(backend.to_host(y), np.sort(x, axis))
    np.testing.assert_array_equal(backend.to_host(i), np.argsort(x, axis, stable=True))


@pytest.mark.oracle
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("axis", [0, -1])
def test_equal_elements_and_their_gradients_as_in_pytorch(axis, descending, backend):
    torch = pytest.importorskip("torch")
    x, t = tensor(backend.asarray(TIES), True), torch.tensor(TIES, requires_grad=True)
    y, right = ops.sort(x, axis, descending), torch.sort(t, dim=axis, descending=descending, stable=True)
    np.testing.assert_array_equal(y.numpy(), right.values.detach().numpy())
    np.testing.assert_array_equal(ops.argsort(x, axis, descending).numpy(), right.indices.numpy())
    gy = np.random.default_rng(0).normal(size=TIES.shape)
    (expected,) = torch.autograd.grad(right.values, t, torch.tensor(gy))
    np.testing.assert_array_equal(grad(y, x, backend.asarray(gy)).numpy(), expected.numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize(("k", "axis"), [(0, 1), (1, 0), (3, -1), (4, 1), (3, 0)])
def test_topk_is_pytorchs(k, axis, largest, backend):
    torch = pytest.importorskip("torch")
    array = np.random.default_rng(0).permutation(12).reshape(3, 4).astype(np.float32)
    x, t = tensor(backend.asarray(array), True), torch.tensor(array, requires_grad=True)
    (y, i), right = ops.topk(x, k, axis, largest), torch.topk(t, k, axis, largest)
    np.testing.assert_array_equal(y.numpy(), right.values.detach().numpy(), strict=True)
    np.testing.assert_array_equal(i.numpy(), right.indices.numpy())
    gy = np.random.default_rng(0).normal(size=y.shape).astype(np.float32)
    (expected,) = torch.autograd.grad(right.values, t, torch.tensor(gy))
    np.testing.assert_array_equal(grad(y, x, backend.asarray(gy)).numpy(), expected.numpy())


def test_topk_of_equal_elements_takes_the_first(backend):
    x = backend.asarray([1.0, 3.0, 3.0, 1.0, 3.0])
    for largest, places in ((True, [1, 2]), (False, [0, 3])):
        y, i = ops.topk(x, 2, largest=largest)
        assert backend.to_host(i).tolist() == places
        np.testing.assert_array_equal(backend.to_host(y), backend.to_host(x)[places])


@pytest.mark.parametrize("f", [ops.sort, ops.argsort, lambda x, axis: ops.topk(x, 1, axis)])
def test_an_array_without_axes_has_no_order(f):
    for axis in (0, -1):
        with pytest.raises(ValueError, match=rf"axis {axis} is out of bounds for x of shape \(\)"):
            f(tensor(2.0), axis)
