"""What is done to a program for a GPU: the program before and after, and that it still computes the same."""

from __future__ import annotations

import numpy as np

import tinygen as tg
from tinygen.compiler.definitions import interpret
from tinygen.compiler.passes import compute_small_again, optimised, side_by_side
from tinygen.layers import Dense
from tinygen.optim import Adam


def loops(program):
    """The ops of each loop."""
    return [[member.op for member in i.body] for i in program.instructions if i.op == "fused"]


def traced(step, *arrays):
    return optimised(tg.compile(step).trace(*arrays))


def standardised(x):
    return {"y": x - x.mean(0)}


def test_a_small_array_is_computed_by_the_loop_that_reads_it():
    x = np.random.default_rng(0).normal(size=(32, 8)).astype(np.float32)
    before = traced(standardised, x)
    (expected,) = interpret(before, [x])
    after = compute_small_again(traced(standardised, x))
    assert loops(before)[-2:] == [["divide"], ["subtract"]]
    assert loops(after)[-1] == ["divide", "subtract"] and len(loops(after)) == len(loops(before)) - 1
    np.testing.assert_array_equal(interpret(after, [x])[0], expected)


def test_small_loops_wait_for_each_other():
    tg.seed(0)
    net = tg.layers.Sequential(Dense(3, 5), Dense(5, 5), Dense(5, 5))
    opt = Adam(net.parameters(), lr=0.1)

    def step(x):
        loss = tg.ops.sum(net(x) ** 2)
        opt.step(tg.grad(loss, net.parameters()))
        return loss

    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    before = traced(step, x)
    after = side_by_side(before)
    updated = [sum(v.state is not None for v in i.results) for i in before.instructions if i.op == "fused"]
    together = [sum(v.state is not None for v in i.results) for i in after.instructions if i.op == "fused"]
    assert [n for n in updated if n] == [3, 3, 3]  # of a bias: b, m and v
    assert [n for n in together if n] == [9]


def test_a_loop_does_not_wait_until_what_it_reads_is_overwritten():
    w = tg.Parameter(np.ones(3))

    def step(x):
        kept = w * 2.0  # of the old w
        w.data[...] = w.data + x
        return {"kept": kept, "new": w * 3.0}

    x = np.arange(3.0)
    compiled = tg.compile(step, back_end="plain")
    program = side_by_side(compute_small_again(optimised(compiled.trace(x))))
    kept, new = interpret(program, [x])
    np.testing.assert_array_equal(kept, [2, 2, 2])
    np.testing.assert_array_equal(new, [3, 6, 9])
