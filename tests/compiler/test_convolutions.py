"""Convolutions of compiled steps against their definition."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from models.small import batches, fed, small

import tinygen as tg
from tinygen.compiler.calls import CallWorks
from tinygen.compiler.convolutions import add_convolution, scratch_of
from tinygen.compiler.passes import optimised
from tinygen.compiler.plan import Plan
from tinygen.compiler.program import VIEWS
from tinygen.kernels import conv, reference_conv
from tinygen.kernels.openblas import blas

pytestmark = pytest.mark.skipif(blas() is None, reason="NumPy's BLAS can't be called by address here")

CASES = [  # images, size, channels, kernel, stride, padding
    (5, (7, 8), (6, 9), (3, 3), (1, 1), ((1, 1), (1, 1))),
    (4, (9, 7), (5, 8), (5, 4), (2, 2), ((2, 1), (1, 2))),
    (16, (8, 8), (16, 10), (5, 5), (2, 2), ((2, 2), (2, 2))),
    (3, (6, 5), (8, 4), (2, 3), (3, 2), ((0, 0), (0, 0))),
    (2, (4, 4), (7, 3), (4, 4), (1, 1), ((0, 0), (0, 0))),
    (2, (3, 3), (7, 3), (4, 4), (1, 1), ((3, 3), (4, 4))),
    (3, (9, 9), (1, 8), (5, 5), (2, 2), ((2, 2), (2, 2))),
    (2, (6, 7), (3, 5), (3, 3), (1, 1), ((1, 1), (1, 1))),
    (1, (5, 5), (16, 2), (1, 1), (2, 2), ((0, 0), (0, 0))),
]


def image(n: int, size: tuple[int, int], channels: int, seed: int, dtype: str) -> Any:
    """Whole numbers, (N, H, W, C), that lie as H, N, W, C."""
    shape = size[0], n, size[1], channels
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype).swapaxes(0, 1)


def made_of_calls(threads: int) -> tuple[Any, Any]:
    """What NumPy's calls are added to, and what does them."""
    works = CallWorks(threads)
    return works, lambda: [call() for call in works.calls]


def made_of_jobs(threads: int) -> tuple[Any, Any]:
    """What the jobs of native code are added to, and what does them."""
    from tinygen.compiler.native.team import Machine
    from tinygen.compiler.native.works import MachineWorks

    machine = Machine(threads)
    return MachineWorks(machine), machine.run


@pytest.fixture
def made(back_end: str) -> Any:
    return made_of_jobs if back_end == "native" else made_of_calls


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("many", [1, 64])  # images for which each row has products of its own
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolutions(
    monkeypatch: pytest.MonkeyPatch, made: Any, case: Any, many: int, threads: int, dtype: str
) -> None:
    monkeypatch.setattr(conv, "_MANY", many)
    n, size, (c, co), kernel, stride, padding = case
    out = reference_conv.output_size(size, kernel, stride, padding)
    x, gy = image(n, size, c, 1, dtype), image(n, out, co, 2, dtype)
    w = np.random.default_rng(3).integers(-3, 4, (*kernel, c, co)).astype(dtype)
    y, gx, gw = image(n, out, co, 4, dtype), image(n, size, c, 5, dtype), np.full_like(w, np.nan)
    works, run = made(threads)
    with works.at_once() if made is made_of_jobs else nullcontext():  # each job waits for its own all the same
        add_convolution(works, "conv2d", y, x, w, stride, padding)
        add_convolution(works, "conv_transpose2d", gx, gy, w, stride, padding)
        add_convolution(works, "conv2d_weight_grad", gw, x, gy, stride, padding)
    for _ in range(2):
        run()
        np.testing.assert_array_equal(y, reference_conv.conv2d(x, w, stride, padding))
        np.testing.assert_array_equal(gx, reference_conv.conv_transpose2d(gy, w, stride, padding, size))
        np.testing.assert_array_equal(gw, reference_conv.conv2d_weight_grad(x, gy, kernel, stride, padding))
        x *= -2


def test_images_may_lie_otherwise_but_not_the_result(made: Any) -> None:
    x, w = np.arange(256, dtype=np.float32).reshape(2, 4, 4, 8), np.ones((3, 3, 8, 8), np.float32)
    geometry = (1, 1), ((1, 1), (1, 1))
    works, run = made(2)
    y = np.empty((4, 2, 4, 8), np.float32).swapaxes(0, 1)
    add_convolution(works, "conv2d", y, x, w, *geometry)
    run()
    np.testing.assert_array_equal(y, reference_conv.conv2d(x, w, *geometry))
    with pytest.raises(ValueError, match=r"images that lie as H, N, W, C, and contiguous kernels"):
        add_convolution(works, "conv2d", x, x, w, *geometry)


def test_what_convolutions_borrow_lies_apart_from_what_is_needed() -> None:
    model: Any = small("dcgan")
    program = optimised(tg.compile(model).trace(fed(model, batches(1, size=4 * model.batches_per_step)[0])))
    needs = scratch_of(program, 2)
    plan = Plan(program, scratch=needs)
    assert {instruction for instruction, need in needs.items() if need} == {*plan.scratch}
    assert len(plan.scratch) > 5
    places = {instruction: place for place, instruction in enumerate(program.instructions)}
    readers = program.readers()
    kept = {v.root for v in (*program.outputs, *program.updates.values())}
    for instruction, memory in plan.scratch.items():
        assert memory.nbytes >= needs[instruction]
        for value in (v for i in program.instructions if i.op not in VIEWS for v in i.results if v.op != "call"):
            last = len(places) if value in kept else max((places[r] for r in readers.get(value, ())), default=-1)
            if places[value.maker] <= places[instruction] <= last:
                assert not np.shares_memory(memory, plan[value]), value
