"""What each pass makes of a small program, as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.written import floats, lines, program_of

from tinygen import per_step
from tinygen.compiler.definitions import interpret
from tinygen.compiler.passes import (
    calls_first,
    drop_unused,
    fuse,
    merge_equal,
    optimised,
    simplify,
    split_sums,
    update_at_once,
)

X, S = floats(4, 3), floats(9, seed=3)


def check(change: Callable[..., Any], function: Callable[..., Any], text: str, inputs: Any = (X,), states: Any = ()):
    """The pass turns the function's program into this text, and the results stay."""
    program = program_of(function, inputs, [s.copy() for s in states])
    again = program_of(function, inputs, [s.copy() for s in states])
    changed = change(program)
    assert lines(changed) == [line for line in text.split("\n") if line.strip()]
    for y, z in zip(interpret(changed, inputs), interpret(again, inputs), strict=True):
        np.testing.assert_array_equal(y, z)
    for (s, a), (t, b) in zip(changed.arrays.items(), again.arrays.items(), strict=True):
        assert s.name == t.name or not s.name
        np.testing.assert_array_equal(a, b)


# Simplification


def test_a_view_of_a_view_is_one_view():
    check(
        lambda c: drop_unused(simplify(c)),
        lambda x: [np.reshape(np.reshape(x, (3, 4)), (12,)) + 1, x.T.T + 1],
        """
%0: f32[12] = reshape(x, shape=(12,))
%1: f32[12] = add(%0, 1)
%2: f32[4, 3] = add(x, 1)
""",
    )


def test_a_reshape_of_a_transpose_stays():
    check(
        simplify,
        lambda x: x.T[:, None].reshape(3, 4) + 1,
        """
%0: f32[3, 4] = transpose(x, axes=(1, 0))
%1: f32[3, 1, 4] = getitem(%0, index=(:, None))
%2: f32[3, 4] = reshape(%1, shape=(3, 4))
%3: f32[3, 4] = add(%2, 1)
""",
    )


def test_a_copy_that_changes_nothing_goes_and_one_that_changes_the_layout_stays():
    check(
        lambda c: drop_unused(simplify(c)),
        lambda x: [x.copy() + 1, x.T.copy() + 1],
        """
%0: f32[4, 3] = add(x, 1)
%1: f32[3, 4] = transpose(x, axes=(1, 0))
%2: f32[3, 4] = copy(%1)
%3: f32[3, 4] = add(%2, 1)
""",
    )


def test_the_same_number_everywhere_is_computed_now():
    check(
        lambda c: drop_unused(simplify(c)),
        lambda x: x + (np.full_like(x, 2) * 0.5 - 3).reshape(4, 3),
        """
%0: f32[4, 3] = full(value=-2)
%1: f32[4, 3] = add(x, -2)
""",
    )


# Sums


def test_a_sum_over_axes_that_lie_apart_is_two():
    """Images that lie as H, N, W, C: a loop sums over its outer dimensions, or over its inner ones."""
    x = np.rint(floats(3, 2, 4, 5)).swapaxes(0, 1)
    check(
        split_sums,
        lambda x: [x.sum((1, 2)), x.sum((0, 2)), x.sum((0, 1)), x.sum((2, 3)), x.sum((1, 3), keepdims=True)],
        """
%0: f32[2, 4, 5] = sum(x, axes=(1,))
%1: f32[2, 5] = sum(%0, axes=(1,))
%2: f32[3, 5] = sum(x, axes=(0, 2))
%3: f32[4, 5] = sum(x, axes=(0, 1))
%4: f32[2, 3] = sum(x, axes=(2, 3))
%5: f32[2, 4, 5] = sum(x, axes=(1,))
%6: f32[2, 4] = sum(%5, axes=(2,))
%7: f32[2, 1, 4, 1] = reshape(%6, shape=(2, 1, 4, 1))
""",
        (x,),
    )


# Common subexpressions and dead code


def test_what_is_computed_twice_is_computed_once():
    check(
        merge_equal,
        lambda x: np.exp(-x) + np.exp(-x),
        """
%0: f32[4, 3] = negative(x)
%1: f32[4, 3] = exp(%0)
%2: f32[4, 3] = add(%1, %1)
""",
    )


def test_numbers_of_other_types_are_not_the_same():
    check(
        merge_equal,
        lambda x: [(x > 0) * 1, (x > 0) * True],
        """
%0: b8[4, 3] = greater(x, 0)
%1: i64[4, 3] = multiply(%0, 1)
%2: b8[4, 3] = multiply(%0, True)
""",
    )


def double(n: float) -> float:
    return 2 * n


def test_calls_are_merged_if_they_depend_on_numbers_alone():
    seen: list[Any] = []

    def f(x):
        n = per_step(lambda: 3)
        return x * per_step(double, n) + per_step(double, n) - per_step(lambda n: seen.append(n) or 0, n) * 2

    program = merge_equal(program_of(f, [X]))
    names = [getattr(i.options.get("function"), "__name__", "") for i in program.instructions if i.op == "call"]
    assert names == ["<lambda>", "double", "<lambda>", "mul"]


def test_what_nobody_reads_is_not_computed():
    check(drop_unused, lambda x: [x * x, x + 1][1], "%0: f32[4, 3] = add(x, 1)")


def counted_and_doubled(x, s):
    per_step(double, 1)
    s *= 2


def test_calls_and_what_changes_a_state_stay():
    check(
        drop_unused,
        counted_and_doubled,
        f"""
%0: f64[] = {double.__qualname__}(1)
s': f32[9] = multiply(s, 2)
s := s'
""",
        states=[S],
    )


def test_calls_come_first():
    check(
        calls_first,
        lambda x: [np.exp(x), x * per_step(double, 1)],
        f"""
%0: f64[] = {double.__qualname__}(1)
%1: f32[4, 3] = exp(x)
%2: f32[4, 3] = multiply(x, %0)
""",
    )


# Fusion


def biased(x, b):
    y = x + b
    z = np.maximum(y, y * 0.2)
    return [z, z.sum(0)]


def test_functions_of_elements_are_one_loop_with_the_sum_at_their_end():
    check(
        fuse,
        biased,
        """
%2, %3 = fused(x, y):
    %0: f32[4, 3] = add(x, y)
    %1: f32[4, 3] = multiply(%0, 0.2)
    %2: f32[4, 3] = maximum(%0, %1)
    %3: f32[3] = sum(%2, axes=(0,))
""",
        [X, X[0]],
    )


def test_sums_along_different_axes_are_different_loops():
    check(
        fuse,
        lambda x: (lambda y: [y.sum(0), y.sum(1), y.sum()])(np.exp(x)),
        """
%0, %1, %2 = fused(x):
    %0: f32[4, 3] = exp(x)
    %1: f32[3] = sum(%0, axes=(0,))
    %2: f32[] = sum(%0, axes=(0, 1))
%3 = fused(%0):
    %3: f32[4] = sum(%0, axes=(1,))
""",
    )


def viewed(x):
    y = x * 2
    return [y[::2] + 1, y + x]


def same_shape_elsewhere(x):
    y = x * 2
    return y + y[::-1]


def test_a_loop_does_not_read_a_view_of_what_it_makes():
    check(
        fuse,
        viewed,
        """
%0, %1 = fused(x):
    %0: f32[4, 3] = multiply(x, 2)
    %1: f32[4, 3] = add(%0, x)
%2: f32[2, 3] = getitem(%0, index=(::2,))
%3 = fused(%2):
    %3: f32[2, 3] = add(%2, 1)
""",
    )
    check(
        fuse,
        same_shape_elsewhere,
        """
%0 = fused(x):
    %0: f32[4, 3] = multiply(x, 2)
%1: f32[4, 3] = getitem(%0, index=(::-1,))
%2 = fused(%0, %1):
    %2: f32[4, 3] = add(%0, %1)
""",
    )


# A gradient in its update


def updated(x, y, s):
    s -= (x.T @ y).reshape(s.shape) * 0.1


def test_a_gradient_goes_into_its_update():
    check(
        lambda c: update_at_once(fuse(c)),
        updated,
        """
%0: f32[3, 4] = transpose(x, axes=(1, 0))
s' = update(%0, y, s):
    %1: f32[3, 3] = matmul(%0, y)
    %3: f32[9] = multiply(%2, 0.1)
    s': f32[9] = subtract(s, %3)
s := s'
""",
        [X, X],
        [S],
    )


def test_a_gradient_that_is_read_elsewhere_stays():
    def f(x, y, s):
        g = x.T @ y
        s -= g.reshape(s.shape) * 0.1
        return g

    program = update_at_once(fuse(program_of(f, [X, X], [S.copy()])))
    assert [i.op for i in program.instructions if i.op in ("update", "matmul")] == ["matmul"]


# All together


def layer(x, y, s):
    h = np.tanh(x @ y.T + 0.5)
    g = (1 - h * h).T @ x
    s[:6] -= 0.1 * g.reshape(-1)[:6]
    return [h.sum(), h.T.copy(), np.zeros_like(h)]


@pytest.mark.parametrize("change", [calls_first, simplify, merge_equal, drop_unused, fuse, optimised])
def test_each_pass_leaves_the_results(change):
    one, other = S.copy(), S.copy()
    expected = interpret(program_of(layer, [X, X], [one]), [X, X])
    made = interpret(change(program_of(layer, [X, X], [other])), [X, X])
    for y, z in zip([*made, other], [*expected, one], strict=True):
        np.testing.assert_array_equal(y, z)
