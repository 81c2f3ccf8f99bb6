"""What operators, methods and NumPy's functions do to an array of a trace is what they do to one of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.written import floats, interpreted, program_of

from tinygen.compiler.traced import Traced
from tinygen.tracing import Untraceable

X, Y = floats(4, 3), floats(4, 3, seed=1) + 0.25
FEW, COUNTS = np.array([2, 0, 2]), np.arange(12, dtype=np.int32).reshape(4, 3)

OPERATORS: dict[str, Callable[..., Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "**": lambda x, y: abs(x) ** y,
    "@": lambda x, y: x @ y.T,
    "== != ": lambda x, y: (x == y) | (x != x),
    "< <= > >=": lambda x, y: [x < y, x <= y, x > y, x >= y],
    "~ & | ^": lambda x, y: [~(x > 0), (x > 0) & (y > 0), (x > 0) | (y > 0), (x > 0) ^ (y > 0)],
    "signs": lambda x, y: [-x, +x, abs(x)],
    "with numbers": lambda x, y: [x + 1, 1 - x, 2.0 * x, x / 3, 1 / y, abs(x) ** 0.5, 2**x, x > 0, True * x],
    "with scalars": lambda x, y: [np.float64(2) * x, x * np.float32(2), x[0] * np.float64(2), np.int64(2) * x],
    "with arrays": lambda x, y: [X + x, x - X[0], X[:, :1] / y, X.T @ y, x @ X.T, FEW * x],
    "shifts": lambda x, y: [x.view(np.int32) << 2, x.view(np.int32) >> 2, 1 << (x > 0).astype(int)],
    "broadcast": lambda x, y: [x + y[0], x[:, :1] * y, x[0] - y[:, :1]],
    "vectors": lambda x, y: [x @ y[0], x[0] @ y.T, x[0] @ y[0]],
}

METHODS: dict[str, Callable[..., Any]] = {
    "sum": lambda x, y: [x.sum(), x.sum(0), x.sum(axis=-1, keepdims=True), x.sum((0, 1)), (x > 0).sum()],
    "mean": lambda x, y: [x.mean(), x.mean(1), (x > 0).mean(0)],
    "max": lambda x, y: [x.max(), x.max(0), x.min(axis=1, keepdims=True)],
    "argmax": lambda x, y: [x.argmax(), x.argmax(1)],
    "cumsum": lambda x, y: [x.cumsum(), x.cumsum(1)],
    "reshape": lambda x, y: [x.reshape(3, 4), x.reshape((2, -1)), x.ravel(), x.T.reshape(-1), x.reshape(4, 3)],
    "transpose": lambda x, y: [x.T, x.transpose(1, 0), x.transpose((0, 1)), x.swapaxes(0, -1), x[:, None].T],
    "squeeze": lambda x, y: [x[:1].squeeze(), x[:1].squeeze(0)],
    "astype": lambda x, y: [x.astype(np.float64), x.astype(int), x.astype(np.float32), (x > 0).astype(x.dtype)],
    "copy": lambda x, y: [x.T.copy(), x.copy()],
    "clip": lambda x, y: [x.clip(-1, 1), x.clip(min=0), x.clip(max=0.5)],
    "view": lambda x, y: [x.view(np.int32), x.view()],
    "attributes": lambda x, y: [x * x.size, x * len(x), x + x.ndim, x * x.itemsize, x[0] * x.shape[1]],
    "iteration": lambda x, y: [row * 2 for row in x],
}

INDICES: dict[str, Any] = {
    "number": 1,
    "numbers": (-1, 2),
    "slice": slice(1, 3),
    "steps": slice(None, None, -2),
    "columns": (slice(None), slice(1, None)),
    "dots": (..., 0),
    "new axis": (None, slice(1, 2), None),
    "nothing": slice(0, 0),
    "all": (),
    "array": FEW,
    "array of arrays": np.array([[0, 1], [3, 3]]),
    "arrays": (FEW, np.array([1, 2, 0])),
    "array of columns": (slice(None), FEW),
    "array and number": (1, FEW),
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "np.exp(x)": lambda x, y: [np.exp(x), np.tanh(x), np.floor(x), np.sign(x), np.square(x), np.arctan(x)],
    "np.log(x)": lambda x, y: [np.log(abs(x)), np.log1p(abs(x)), np.sqrt(abs(x)), np.expm1(x), np.cos(x), np.sin(x)],
    "np.isnan(x)": lambda x, y: [np.isnan(x), np.isfinite(x), np.logical_and(x > 0, y > 0), np.logical_not(x > 0)],
    "np.maximum": lambda x, y: [np.maximum(x, y), np.minimum(x, 0.5), np.maximum(0, x), np.power(x, 2)],
    "np.where": lambda x, y: [np.where(x > 0, x, y), np.where(x > y, 1.0, x), np.where(x > 0, 0, 1.5)],
    "np.sum": lambda x, y: [np.sum(x, axis=0), np.mean(x), np.max(x, axis=1), np.argmax(x), np.cumsum(x, 0)],
    "np.concatenate": lambda x, y: [np.concatenate([x, y]), np.concatenate((x, X), axis=-1), np.stack([x, y], 1)],
    "np.reshape": lambda x, y: [np.reshape(x, (3, 4)), np.transpose(x), np.squeeze(x[:1]), np.expand_dims(x, 1)],
    "np.clip": lambda x, y: [np.clip(x, 0, 1), np.broadcast_to(x[0], (2, 3)), np.flip(x, 0), np.moveaxis(x, 0, 1)],
    "np.pad": lambda x, y: [np.pad(x, 1), np.pad(x, ((1, 0), (0, 2)), constant_values=2.0)],
    "np.einsum": lambda x, y: [np.einsum("ij,kj->ik", x, y), np.matmul(x, y.T)],
    "np.zeros_like": lambda x, y: [np.zeros_like(x), np.ones_like(x), np.full_like(x, 2), np.full_like(x, 2, np.int8)],
}


def check(function: Callable[..., Any], *arrays: np.ndarray) -> None:
    """The function gives NumPy's shapes, dtypes, values and memory order."""
    expected = function(*(a.copy(order="K") for a in arrays))
    expected = expected if isinstance(expected, list) else [expected]
    program = program_of(function, arrays)
    made = interpreted(function, *arrays)
    assert len(made) == len(expected)
    for value, y, z in zip(program.outputs, made, map(np.asarray, expected), strict=True):
        assert (value.shape, value.dtype) == (y.shape, y.dtype) == (z.shape, z.dtype)
        np.testing.assert_allclose(y, z, 1e-6, 1e-6)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    check(OPERATORS[name], X, Y)


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    check(METHODS[name], X, Y)


@pytest.mark.parametrize("name", INDICES)
def test_indices(name):
    check(lambda x: x[INDICES[name]] * 1, X)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_numpy(name):
    check(FUNCTIONS[name], X, Y)


@pytest.mark.parametrize("layout", ["F", "strided", "reversed"])
def test_other_layouts(layout):
    a = {"F": np.asfortranarray(X), "strided": np.repeat(X, 2, 1)[:, ::2], "reversed": X[::-1, ::-1]}[layout]
    check(lambda x: [x + 1, x.T, x.reshape(-1), x.sum(0), x.max(1), x[1:], x @ x.T, x.copy(), np.exp(x)], a)


def test_results_lie_in_memory_as_numpys_do():
    x = np.empty((2, 3, 4), np.float32).transpose(2, 0, 1)
    program = program_of(lambda x: [np.exp(x), x + x[0], x.sum(1), x.max(0), np.zeros_like(x), x.astype(int)], [x])
    expected = [np.exp(x), x + x[0], x.sum(1), x.max(0), np.zeros_like(x), np.nan_to_num(x).astype(int)]
    for value, y in zip(program.outputs, expected, strict=True):
        assert np.argsort(value.like.strides).tolist() == np.argsort(y.strides).tolist()


def test_whole_numbers():
    check(lambda x: [x + 1, x * 0.5, x / 2, x // 2, x % 5, -x, x.sum(), x.mean(), x.max(0), x > 3], COUNTS)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), ()])
def test_few_elements_or_none(shape):
    check(lambda x: [x + 1, x.sum(), np.exp(x), x.reshape(-1), x.T, np.where(x > 0, x, 0), x.copy()], floats(*shape))


# In place


def assigned(x, y):
    x = x * 1
    x[1:] = y[1:]
    x[0, 1] = 5
    x[:, 2] += y[0, 0]
    return x


def through_views(x, y):
    x = x * 1
    x.T[0] = 7
    x.reshape(-1)[3:5] *= 2
    part = x[::2]
    part -= y[:2]
    return [x, part]


def views_follow(x, y):
    x = x * 1
    column, flat = x[:, 0], x.reshape(-1)
    x += y
    return [column, flat, column + flat[0]]


def one_element_is_a_copy(x, y):
    x = x * 1
    first = x[0, 0]
    x += 1
    return [first + 0, x]


def rows_by_number(x, y):
    x = x * 1
    x[FEW] = y[:3]
    np.add.at(x, FEW, y[:3])
    x[FEW[:2], 1] = 3
    return x


def by_out(x, y):
    z = np.zeros_like(x)
    np.multiply(x, y, out=z)
    z -= x
    z /= 2
    z **= 2
    return z


def casts(x, y):
    x = x.astype(np.float32)
    x += y.astype(np.float64)
    x[0] = True
    return x


@pytest.mark.parametrize(
    "function", [assigned, through_views, views_follow, one_element_is_a_copy, rows_by_number, by_out, casts]
)
def test_writing(function):
    check(function, X, Y)


def test_an_augmented_assignment_to_a_part_is_written_once():
    def f(x):
        x = x * 1
        x[1:] += 1
        return x

    assert [i.op for i in program_of(f, [X]).instructions].count("put") == 1


# What is refused


@pytest.mark.parametrize("look", [bool, float, int, lambda x: x.item(), lambda x: x.tolist(), np.asarray, str, repr])
def test_a_look_at_the_elements_is_refused(look):
    with pytest.raises(Untraceable, match="looks at the elements"):
        program_of(lambda x: look(x.sum()), [X])


REFUSED = {
    "indexed with a mask": lambda x: x[x > 0],
    "np.median is not among": np.median,
    "written to through its broadcast_to": lambda x: np.broadcast_to(x[0], (2, 3)).fill(0),
    "add.reduce": lambda x: np.add.reduce(x),
    "not known to hold": lambda x: np.add(x, 1, out=X),
    "takes part in arithmetic": lambda x: x + "a",
    "maximum.at is not": lambda x: x.trace.module.maximum.at(x, FEW, 1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_program_does_not_know_is_refused(message):
    with pytest.raises(Untraceable, match=message):
        program_of(REFUSED[message], [X])


def test_what_numpy_refuses_is_the_same_error():
    for wrong in (lambda x: x + floats(2), lambda x: x.reshape(5), lambda x: x[7], lambda x: np.concatenate([x, X.T])):
        with pytest.raises((ValueError, IndexError)):
            program_of(wrong, [X])


def test_arrays_of_a_trace_can_be_told():
    seen = []
    program_of(lambda x: seen.append(x), [X])
    assert type(seen[0]) is Traced and seen[0].flags.c_contiguous and seen[0].base is None and seen[0].nbytes == 48
