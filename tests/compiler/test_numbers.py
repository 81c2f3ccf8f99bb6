"""Numbers that Python computes anew in each step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiler.written import floats, program_of

from tinygen.compiler.definitions import interpret
from tinygen.tracing import Untraceable, per_step

X = floats(3)


def counter():
    count = iter(range(1, 100))
    return lambda: next(count)


def test_it_is_computed_in_each_run():
    count = counter()
    program = program_of(lambda x: x * per_step(count), [X])  # the trace takes 1
    for expected in (2, 3):
        np.testing.assert_array_equal(interpret(program, [X])[0], X * expected)


def test_what_is_computed_of_numbers_is_too():
    count = counter()

    def f(x):
        n = per_step(count)
        a, b = per_step(lambda n: (n + 1, n * 2), n)
        return [x + (n + 1), x + (1 - n) / 2, x + n**2 * -n, x + abs(-n) % 2 + n // 2, x * a - b]

    program = program_of(f, [X])
    n = 2
    made = interpret(program, [X])
    expected = [X + (n + 1), X + (1 - n) / 2, X + n**2 * -n, X + abs(-n) % 2 + n // 2, X * (n + 1) - n * 2]
    for y, z in zip(made, expected, strict=True):
        np.testing.assert_allclose(y, z, 1e-6)
        assert y.dtype == np.float32  # as with a number of Python's


@pytest.mark.parametrize(
    "use",
    [bool, float, int, math.sqrt, lambda n: n > 1, lambda n: n == 1, lambda n: n != 1, range, round, str, "{}".format],
)
def test_python_can_not_decide_by_it(use):
    with pytest.raises(Untraceable, match=r"changes from step to step .* tg\.per_step"):
        program_of(lambda x: use(per_step(lambda: 1)), [X])


def test_it_is_no_array():
    with pytest.raises(Untraceable, match="per_step takes numbers, not arrays"):
        program_of(lambda x: per_step(abs, x.sum()), [X])
    with pytest.raises(TypeError):
        program_of(lambda x: per_step(lambda: 1) + "a", [X])


def test_nothing_is_traced_inside():
    program = program_of(lambda x: x * per_step(lambda: per_step(lambda: 2) + 1), [X])
    assert [i.op for i in program.instructions] == ["input", "call", "multiply"]
