"""The array module of a trace: what rules, kernels and optimisers ask it for."""

from __future__ import annotations

import numpy as np
import pytest
from compiler.written import floats, interpreted, program_of

from tinygen import kernels
from tinygen.backend import array_module, device_of
from tinygen.tracing import Untraceable

X = floats(4, 3)


def test_it_belongs_to_arrays_of_a_trace():
    seen = []
    program_of(lambda x: seen.append((array_module(x).__name__, device_of(x))), [X])
    assert seen == [("traced", "cpu")]


def test_new_arrays():
    def f(x):
        xp = array_module(x)
        new = [xp.zeros(3), xp.ones((2, 2), np.float32), xp.full((2,), 7), xp.empty(()), xp.zeros_like(x, int)]
        return [*(y + 0 for y in new), x + xp.arange(3), x + xp.eye(4, 3), xp.asarray(x, np.float64), xp.array([1]) * x]

    def expected(x):
        new = [np.zeros(3), np.ones((2, 2), np.float32), np.full((2,), 7), np.zeros(()), np.zeros_like(x, int)]
        return [*new, x + np.arange(3), x + np.eye(4, 3), x.astype(np.float64), np.array([1]) * x]

    for y, z in zip(interpreted(f, X), expected(X), strict=True):
        assert y.dtype == z.dtype
        np.testing.assert_array_equal(y, z)


def test_types_and_constants_are_numpys():
    seen = []

    def f(x):
        xp = array_module(x)
        seen.extend([xp.float32, xp.inf, xp.pi, xp.newaxis, xp.int64])

    program_of(f, [X])
    assert seen == [np.float32, np.inf, np.pi, None, np.int64]


def test_what_it_lacks_is_named():
    with pytest.raises(Untraceable, match=r"xp\.linalg is not among the functions that a program knows"):
        program_of(lambda x: array_module(x).linalg, [X])
    with pytest.raises(Untraceable, match="pad: mode 'edge'"):
        program_of(lambda x: np.pad(x, 1, mode="edge"), [X])
    with pytest.raises(Untraceable, match="ravel: order 'F'"):
        program_of(lambda x: x.ravel("F"), [X])


def test_functions_and_sums_compute_in_the_dtype_that_they_are_given():
    large = np.full(3, 1e20, np.float32)
    (y,) = interpreted(lambda x: [array_module(x).square(x, dtype=np.float64)], large)
    np.testing.assert_array_equal(y, np.square(large, dtype=np.float64))

    def sums(x):
        return [x.sum(dtype=np.float64), x.mean(0, np.float64), x.cumsum(dtype=np.float64)]

    for y, z in zip(
        interpreted(sums, large * 3e18), sums(large * 3e18), strict=True
    ):  # of which two are inf in float32
        np.testing.assert_allclose(y, z, 1e-12)
    (y,) = interpreted(lambda x: [array_module(x).less(x, 1.5, dtype=bool)], X)
    np.testing.assert_array_equal(y, X < 1.5)


def test_a_convolution_is_one_instruction_and_lies_in_memory_as_convolutions_make_it():
    x, w = floats(2, 5, 4, 3), floats(3, 3, 3, 2)
    program = program_of(lambda x, w: kernels.conv2d(x, w, (1, 1), ((1, 1), (1, 1))), [x, w])
    y = program.outputs[0]
    assert y.op == "conv2d" and y.shape == (2, 5, 4, 2) and np.argsort(y.like.strides).tolist() == [3, 2, 0, 1]


def test_other_kernels_are_traced_by_their_definitions():
    program = program_of(lambda x: kernels.leaky_relu(x, 0.2), [X])
    assert [i.op for i in program.instructions] == ["input", "multiply", "maximum"]


@pytest.mark.parametrize(
    "kernel",
    [
        lambda x: kernels.batch_norm(x, X[0], X[1], 1e-3),
        lambda x: kernels.sigmoid(x),
        lambda x: kernels.sigmoid_cross_entropy(x, abs(X) / 2),
        lambda x: kernels.dropout(x, X > 0, 2.0),
        lambda x: kernels.leaky_relu_grad(x, X, 0.0),
        lambda x: kernels.matmul(x, X.T),
        lambda x: kernels.column_sum(x),
    ],
)
def test_kernels_in_a_trace_give_what_they_give(kernel):
    def as_list(made):
        return list(made) if isinstance(made, tuple) else [made]

    for y, z in zip(interpreted(lambda x: as_list(kernel(x)), X), as_list(kernel(X)), strict=True):
        assert y.dtype == z.dtype
        np.testing.assert_allclose(y, z, 1e-5, 1e-6)
