"""What counts as equal, and what a student is told if it isn't."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen.course.child import Other, decode, encode
from tinygen.course.compare import difference

X = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("answer", "right"),
    [(X, X), (X * (1 + 1e-9), X), (1.0, 1), (np.array(2.0), 2.0), ([1, "a"], [1, "a"]), ({"a": X}, {"a": X}),
     (True, True), (np.array([np.nan, 1.0]), np.array([np.nan, 1.0])), (None, None)],
)  # fmt: skip
def test_equal(answer, right):
    assert difference(answer, right, 1e-7) == ""


@pytest.mark.parametrize(
    ("answer", "right", "told"),
    [
        (X[:1], X, "your answer has shape (1, 2); expected (2, 2)"),
        (X.astype(np.float32) * np.float32(1.0001), X, "float32"),
        (X + np.array([0, 1e-3]), X, "2 of 4 numbers are wrong"),
        (X * np.nan, X, "NaN"),
        (None, X, "None"),
        (True, 1.0, "True or False"),
        (2.0, 1.0, "not the right number"),
        ([X], [X, X], "a list of 1"),
        ({"gx": X}, {"gx": X, "gw": X}, "gx, gw"),
        ({"gx": X, "gw": 2 * X}, {"gx": X, "gw": X}, "gw: 4 of 4"),
        ("b", "a", "not the right one"),
        (Other("Pickle"), 1.0, "of type Pickle"),
        (1.0, "a", "a number"),
    ],
)
def test_different(answer, right, told):
    assert told in difference(answer, right, 1e-7)


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.1, float("inf"), "ø", [1, [2.5]], {"a": 1, "b": [X]}, X, X[0, 0], X > 2]
)
def test_values_cross_the_pipe(value):
    back = decode(encode(value))
    assert difference(back, np.asarray(value) if isinstance(value, np.generic) else value, 0) == ""


@pytest.mark.parametrize("value", [object(), np.array(["a"]), np.array([object()]), {1, 2}, b"x", 1j])
def test_other_values_do_not(value):
    assert isinstance(decode(encode(value)), Other)


def test_subclasses_cross_as_what_they_hold():
    class Liar(np.ndarray):
        def __eq__(self, other):
            return True

    assert type(decode(encode(X.view(Liar)))) is np.ndarray
    assert isinstance(decode(encode(type("Real", (float,), {})(2.0))), Other)


@pytest.mark.parametrize("line", [{"array": ["O", [1], ""]}, {"array": ["<f8", [5], ""]}, {"odd": 1}, {"array": 3}])
def test_what_is_no_value_is_refused(line):
    with pytest.raises((ValueError, TypeError, KeyError)):
        decode(line)
