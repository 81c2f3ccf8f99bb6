"""Loops over spaces of any shape, with any strides, shared out among threads; and their sums."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tinygen.compiler.native.loops import Input, Loop, Output, Step, Sum, add_loop, moves_of
from tinygen.compiler.native.team import Machine
from tinygen.compiler.shares import boxes, cut

THREADS = (1, 2, 3)
SHAPES = (
    (1,),
    (17,),
    (5003,),
    (3, 5),
    (7, 700),
    (301, 13),
    (2, 5001),
    (3, 7, 199),
    (2, 1200, 3),
    (4096, 5),
    (130, 1, 33),
)


def whole(shape: Any, seed: int = 0) -> Any:
    """Small whole numbers: their sums and products are exact, in whatever order."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float32)


def laid_out(x: Any, how: str) -> Any:
    """The same numbers with other strides: every second element of a line, or each line in a longer one."""
    if how == "apart":
        room = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)[..., ::2]
    elif how == "padded":
        room = np.zeros((*x.shape[:-1], x.shape[-1] + 3), x.dtype)[..., : x.shape[-1]]
    elif how == "turned":
        room = np.zeros(x.shape[::-1], x.dtype).T
    else:
        return x
    room[...] = x
    return room


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("how", ["dense", "apart", "padded", "turned"])
def test_elements(threads: int, how: str) -> None:
    """y = 3 (a + b) over all shapes, b with any dimensions of one element."""
    machine, wanted = Machine(threads), []
    for shape in SHAPES:
        for broadcast in itertools.product((False, True), repeat=len(shape)):
            a = laid_out(whole(shape), how)
            b = whole([1 if alone else n for n, alone in zip(shape, broadcast, strict=True)], 1)
            y = laid_out(np.zeros(shape, np.float32), how)
            steps = (
                Step("add", (("in", 0), ("in", 1)), "float32"),
                Step("multiply", (("step", 0), ("number", 0)), "float32"),
            )
            inputs = tuple(Input("float32", moves_of(x)) for x in (a, b))
            loop = Loop(len(shape), inputs, steps, (Output(("step", 1), "float32", moves_of(y)),), (), ("float32",))
            add_loop(machine, loop, shape, [a, b], [y], numbers=[0])
            wanted.append((y, 3 * (a + b)))
    machine.numbers[0] = 3
    machine.run()
    for y, expected in wanted:
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_sums(threads: int, dtype: str) -> None:
    machine, wanted = Machine(threads), []
    for shape in [*SHAPES, (513, 7), (40, 1000), (1000, 40), (1, 3000), (70, 3, 130)]:
        x = whole(shape).astype(dtype)
        columns, total = np.full(shape[-1], 7, dtype), np.full(1, 7, dtype)
        rows, again = np.full(shape[:-1], 7, dtype), np.full(1, 7, dtype)
        first = Loop(
            len(shape),
            (Input(dtype, moves_of(x)),),
            (),
            (),
            (Sum(("in", 0), "columns", dtype), Sum(("in", 0), "all", dtype)),
        )
        other = first._replace(sums=(Sum(("in", 0), "all", dtype), Sum(("in", 0), "rows", dtype)))
        add_loop(machine, first, shape, [x], sums=[columns, total])
        add_loop(machine, other, shape, [x], sums=[again, rows])
        wanted += [
            (columns, x.reshape(-1, shape[-1]).sum(0)),
            (total, [x.sum()]),
            (again, [x.sum()]),
            (rows, x.sum(-1)),
        ]
    for _ in range(2):  # a second time: what the first left behind is no part of it
        machine.run()
        for y, expected in wanted:
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("which", ["columns", "rows", "all"])
def test_sums_are_exact_to_a_few_units(which: str) -> None:
    """However many numbers there are; and each time the same."""
    x = np.random.default_rng(0).random((3001, 317), np.float32)
    axis = {"columns": 0, "rows": 1, "all": None}[which]
    exact = np.atleast_1d(x.sum(axis, dtype=np.float64))
    for threads in THREADS:
        machine, y = Machine(threads), np.empty(exact.shape, np.float32)
        loop = Loop(2, (Input("float32", "s1"),), (), (), (Sum(("in", 0), which, "float32"),))
        add_loop(machine, loop, x.shape, [x], sums=[y])
        machine.run()
        np.testing.assert_allclose(y, exact, rtol=5e-7)
        before = y.copy()
        for _ in range(20):
            machine.run()
            assert (y == before).all()  # to the bit


def test_counts_of_bools() -> None:
    x = np.random.default_rng(0).random((300, 40)) < 0.3
    columns, total = np.empty(40, np.int64), np.empty(1, np.float64)
    loop = Loop(
        2, (Input("bool", "s1"),), (), (), (Sum(("in", 0), "columns", "int64"), Sum(("in", 0), "all", "float64"))
    )
    machine = Machine(2)
    add_loop(machine, loop, x.shape, [x], sums=[columns, total])
    machine.run()
    np.testing.assert_array_equal(columns, x.sum(0))
    assert total == x.sum()


def test_no_elements() -> None:
    y, total = np.empty((0, 5), np.float32), np.full(5, 3, np.float32)
    loop = Loop(
        2, (Input("float32", "s1"),), (), (Output(("in", 0), "float32", "s1"),), (Sum(("in", 0), "columns", "float32"),)
    )
    machine = Machine(2)
    add_loop(machine, loop, (0, 5), [y], [y], [total])
    machine.run()
    assert total.tolist() == [0] * 5


@pytest.mark.parametrize("threads", THREADS)
def test_in_place(threads: int) -> None:
    """An output may be the memory of an input."""
    x = whole((101, 203))
    expected = 2 * x
    loop = Loop(
        2,
        (Input("float32", "s1"),),
        (Step("add", (("in", 0), ("in", 0)), "float32"),),
        (Output(("step", 0), "float32", "s1"),),
    )
    machine = Machine(threads)
    add_loop(machine, loop, x.shape, [x], [x])
    machine.run()
    np.testing.assert_array_equal(x, expected)


def test_no_inputs_and_an_output_of_an_input() -> None:
    x, y, z = np.arange(9.0), np.empty(9), np.empty(9, np.int32)
    machine = Machine(1)
    add_loop(machine, Loop(1, (), (), (Output(("const", 2.5, "float64"), "float64", "1"),)), (9,), [], [y])
    add_loop(machine, Loop(1, (Input("float64", "1"),), (), (Output(("in", 0), "int32", "1"),)), (9,), [x], [z])
    machine.run()
    assert y.tolist() == [2.5] * 9
    assert z.tolist() == list(range(9))


@pytest.mark.parametrize("sums", ["", "rows", "columns"])
def test_boxes_are_the_space(sums: str) -> None:
    for shape, threads in itertools.product([*SHAPES, (0, 3), (4, 0)], (1, 2, 3, 5, 16)):
        count = np.zeros(shape, int)
        shares = boxes(shape, threads, sums)
        assert 1 <= len(shares) <= threads
        for box in shares:
            count[tuple(slice(*ends) for ends in box)] += 1
        assert (count == 1).all()
        if sums == "rows":
            assert all(box[-1] == (0, shape[-1]) for box in shares)


def test_cuts_fall_on_steps() -> None:
    assert cut(100, 3, 16) == [(0, 32), (32, 64), (64, 100)]
    assert cut(5, 3, 16) == [(0, 5)]
    assert cut(0, 3) == [(0, 0)]


def test_what_does_not_fit_is_said() -> None:
    x, loop = np.zeros((4, 6), np.float32), Loop(2, (Input("float32", "s1"),))
    machine = Machine(1)
    with pytest.raises(ValueError, match=r"a loop over 2 dimensions, with sums over \[\], can't do \(24,\)"):
        add_loop(machine, loop, (24,), [x])
    for wrong in (x[:, ::2], x.T, x[:3], x.astype(np.float64), x[0]):
        with pytest.raises(ValueError, match=r"a loop over \(4, 6\) takes float32 that moves as 's1', not float"):
            add_loop(machine, loop, (4, 6), [wrong])
    with pytest.raises(ValueError, match=r"takes float32 that moves as '01'"):
        add_loop(machine, loop._replace(inputs=(Input("float32", "01"),)), (4, 6), [x[:, :5]])
    assert len(machine) == 0
