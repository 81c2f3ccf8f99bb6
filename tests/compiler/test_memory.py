"""Which arrays share memory, and how states that do are one."""

from __future__ import annotations

import numpy as np
import pytest
from compiler.written import floats, program_of

from tinygen.compiler.definitions import interpret
from tinygen.compiler.memory import flattened, outer_first, outermost
from tinygen.tracing import Untraceable


def test_axes_from_the_outermost_in_memory():
    x = np.empty((2, 3, 4)).transpose(2, 0, 1)
    assert outer_first(x) == [1, 2, 0] and outer_first(np.empty(())) == []


def test_elements_in_the_order_of_the_memory():
    x = floats(3, 4)
    np.testing.assert_array_equal(flattened(x.T), x.reshape(-1))
    assert flattened(x[:, ::2]) is None and flattened(x[:, :2]) is None


def test_what_contains_what():
    x, apart = floats(6), floats(2)
    held = [(x[1:3], "part"), (x, "all"), (apart, "apart"), (x.reshape(2, 3), "rows"), (floats(0), "none")]
    assert [name for *_, name in outermost(held)] == ["all", "all", "apart", "all", "none"]
    with pytest.raises(Untraceable, match="first and second share a part of their memory"):
        outermost([(x[:4], "first"), (x[2:], "second")])


def test_views_of_one_memory_are_one_state():
    x = np.arange(6.0)

    def f(whole, part, turned):
        whole += 1
        part *= 10
        turned[0] = -1
        return [whole + 0, part + 0, turned + 0]

    def states():
        y = x.copy()
        return [y, y[1:4], y.reshape(2, 3).T]

    held = states()
    program = program_of(f, [], held)
    made, twin = interpret(program, []), states()
    for y, z in zip([*made, *held], [*f(*twin), *twin], strict=True):
        np.testing.assert_array_equal(y, z)
    assert [i.op for i in program.instructions].count("state") == 1


def test_the_same_array_twice_is_one():
    x = floats(3)
    seen = []
    program_of(lambda s, t: seen.append(s is t), [], [x, x])
    assert seen == [True]


def test_arrays_of_gaps_and_of_no_elements():
    x = np.zeros((4, 4))
    held = [x[:, ::2], np.zeros((0, 3))]
    interpret(program_of(lambda s, t: [s.__iadd__(1), t.__imul__(2)], [], held), [])
    np.testing.assert_array_equal(x, np.tile([1.0, 0.0], (4, 2)))


def test_memory_that_is_read_in_two_ways_is_refused():
    x = np.zeros(4)
    with pytest.raises(Untraceable, match="t shares memory with another array"):
        program_of(lambda s, t: None, [], [x, x.view(np.int64)])


def test_an_array_in_the_memory_of_a_state_is_refused():
    x = np.zeros(4)
    with pytest.raises(Untraceable, match="in the memory of"):
        program_of(lambda s: s + x[:1], [], [x])
