"""What is done to a program for a GPU: the program before and after, and that it still computes the same."""

from __future__ import annotations

import numpy as np
from compiler.on_host import for_a_gpu

import tinygen as tg
from tinygen.compiler.definitions import interpret
from tinygen.compiler.passes import compute_small_again, optimised
from tinygen.compiler.plan import Plan
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


def test_loops_run_side_by_side_as_soon_as_they_can():
    """What waits for nothing but products runs together: here, all updates."""
    tg.seed(0)
    net = tg.layers.Sequential(Dense(3, 5), Dense(5, 5), Dense(5, 5))
    opt = Adam(net.parameters(), lr=0.1)

    def step(x):
        loss = tg.ops.sum(net(x) ** 2)
        opt.step(tg.grad(loss, net.parameters()))
        return loss

    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    after = for_a_gpu(traced(step, x))
    launches = [i for i in after.instructions if i.op in ("matmul", "fused", "beside", "update")]
    assert [i.op for i in launches] == [
        *["matmul", "fused", "matmul", "fused", "matmul"],  # forwards: each loop adds a bias
        *["beside", "matmul", "matmul", "matmul", "matmul", "matmul"],  # the loss; backwards, where no loop is between
        "beside",
    ]
    assert "\n  6 loops side by side\n  loop over [" in str(after)
    written = {v.state.name for v in launches[-1].results if v.state is not None}
    assert sum(name.endswith((".w", ".b")) for name in written) == 6 and len(written) == 18


def test_loops_that_read_the_same_become_one_if_another_waits_for_both():
    x, y = (np.random.default_rng(seed).normal(size=(6, 4)) for seed in range(2))

    def apart(x, y):
        return {"z": x.sum(0) + y.sum(0)}

    def shared(x, y):
        return {"z": (x * y).sum(0) + y.sum(0)}

    assert [len(i.body) for i in for_a_gpu(traced(apart, x, y)).instructions if i.op in ("fused", "beside")] == [2, 1]
    assert [len(i.body) for i in for_a_gpu(traced(shared, x, y)).instructions if i.op in ("fused", "beside")] == [4]


def test_a_loop_joins_no_other_whose_elements_another_thread_makes():
    x = np.random.default_rng(0).normal(size=(4, 4))

    def step(x):
        y = x * 2
        return {"transposed": y + y.T, "z": x - x.sum(1)}  # a sum a row, read as one a column

    program = for_a_gpu(traced(step, x))
    assert [[m.op for m in i.body] for i in program.instructions if i.op in ("fused", "beside")] == [
        ["multiply", "sum"],
        ["add", "subtract"],
    ]
    for ours, right in zip(interpret(program, [x]), step(x).values(), strict=True):
        np.testing.assert_array_equal(ours, right)


def test_a_new_value_of_a_state_is_written_in_place_even_if_it_is_a_view():
    w = tg.Parameter(np.ones((2, 3)))

    def step(x):
        w.data[...] = (w.data.reshape(6) * x).reshape(2, 3)
        return {"y": w * 1.0}

    x = np.arange(6.0)
    program = for_a_gpu(traced(step, x))
    assert Plan(program).copies == []
    np.testing.assert_array_equal(interpret(program, [x])[0], x.reshape(2, 3))


def test_a_loop_does_not_wait_until_what_it_reads_is_overwritten():
    w = tg.Parameter(np.ones(3))

    def step(x):
        kept = w * 2.0  # of the old w
        w.data[...] = w.data + x
        return {"kept": kept, "new": w * 3.0}

    x = np.arange(3.0)
    compiled = tg.compile(step, back_end="plain")
    program = for_a_gpu(optimised(compiled.trace(x)))
    kept, new = interpret(program, [x])
    np.testing.assert_array_equal(kept, [2, 2, 2])
    np.testing.assert_array_equal(new, [3, 6, 9])
