"""Axes that are not there, axes without elements, arrays without axes: what NumPy and PyTorch give, or a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen import grad, ops, tensor

SEVERAL = ["sum", "mean", "var", "std", "prod", "max", "min", "logsumexp", "softmax", "log_softmax"]
ALONG = [*SEVERAL, "cumsum", "argmax", "argmin"]
OF_NOTHING = {"sum": 0, "prod": 1, "mean": np.nan, "var": np.nan, "std": np.nan, "logsumexp": -np.inf}  # as in PyTorch
OF_ONE = {"var": 0, "std": 0, "log_softmax": 0, "softmax": 1, "argmax": 0, "argmin": 0}
SLOPE_OF_ONE = {"var": 0, "std": 0, "softmax": 0, "log_softmax": 0}


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", ALONG)
def test_the_axis_of_an_array_without_axes_is_all_of_it(name, axis, backend):
    x = tensor(backend.asarray(2.0), True)
    y = getattr(ops, name)(x, axis=axis)
    assert y.numpy().ravel().tolist() == [OF_ONE.get(name, 2)]
    if not name.startswith("arg"):
        assert grad(y, x, backend.xp.ones(y.shape)).item() == SLOPE_OF_ONE.get(name, 1)


@pytest.mark.parametrize(("shape", "axis"), [((0,), 0), ((0,), None), ((0, 3), 0), ((3, 0), 1), ((3, 0), -1)])
@pytest.mark.parametrize("name", ALONG)
def test_along_an_axis_without_elements(name, shape, axis, backend):
    x = tensor(backend.asarray(np.ones(shape, np.float32)), True)
    if name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(ValueError, match=rf"^{name}: (zero-size array|attempt to get {name} of an empty)"):
            getattr(ops, name)(x, axis=axis)
        return
    y = getattr(ops, name)(x, axis=axis)
    assert y.dtype == np.float32
    if name in OF_NOTHING:
        assert y.shape == (() if len(shape) == 1 else (3,))
        np.testing.assert_array_equal(y.numpy(), np.full(y.shape, OF_NOTHING[name]))
    else:
        assert y.size == 0
    assert grad(y, x, backend.xp.ones(y.shape, np.float32)).shape == shape


@pytest.mark.parametrize("axis", [2, -3, 5])
@pytest.mark.parametrize("name", ALONG)
def test_an_axis_that_is_not_there(name, axis, backend):
    for shape in ((2, 3), (20, 30)):
        with pytest.raises(ValueError, match=f"^{name}: axis {axis} is out of bounds"):
            getattr(ops, name)(tensor(np.ones(shape)), axis=axis)
        if name in SEVERAL:
            with pytest.raises(ValueError, match=f"^{name}: axis {axis} is out of bounds"):
                getattr(ops, name)(tensor(np.ones(shape)), axis=(0, axis))


@pytest.mark.parametrize("name", SEVERAL)
def test_an_axis_named_twice(name, backend):
    for axis in ((0, 0), (1, -1)):
        with pytest.raises(ValueError, match=rf"^{name}: (axis .* names an axis twice|duplicate value in 'axis')"):
            getattr(ops, name)(tensor(np.ones((2, 3))), axis=axis)


@pytest.mark.parametrize("name", ALONG)
def test_what_is_no_axis(name, backend):
    for axis in ("a", 1.0, {}):
        with pytest.raises(TypeError, match=f"^{name}: .* object cannot be interpreted as an integer"):
            getattr(ops, name)(tensor(np.ones((2, 3))), axis=axis)


def test_axes_of_other_ops(backend):
    x, i = tensor(np.ones((2, 3))), tensor(np.zeros((2, 1), int))
    calls = {
        "take_along_axis": lambda a: ops.take_along_axis(x, i, a),
        "split": lambda a: ops.split(x, 1, a),
        "flip": lambda a: ops.flip(x, a),
        "stack": lambda a: ops.stack([x[0], x[1]], a),
    }
    for name, call in calls.items():
        for axis in (3, -4) if name == "stack" else (2, -3):
            with pytest.raises(ValueError, match=rf"^{name}: axis {axis} is out of bounds"):
                call(axis)
