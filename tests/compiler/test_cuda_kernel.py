"""Loops with sums, draws, and arrays put together of others, as kernels of CUDA that the host runs, against NumPy."""

from __future__ import annotations

import shutil
import subprocess

import cuda_on_host
import numpy as np
import pytest
from compiler.on_host import for_a_gpu, launch, loops_of, ran
from compiler.written import program_of
from models.small import batches, small

import tinygen as tg
from tinygen.backend import array_module
from tinygen.compiler.columns import FEW, Columns
from tinygen.compiler.cuda_kernel import kernel_of, source_of
from tinygen.compiler.passes import optimised
from tinygen.compiler.passes.fuse import loop_of
from tinygen.compiler.program import VIEWS, Instruction, Value
from tinygen.kernels import noise

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++, which compiles the kernels for the host")

SUMS = [  # shape and summed axes
    ((7, 5), (0,)),
    ((7, 5), (1,)),
    ((3, 300), (1,)),
    ((3, 300), (0,)),
    ((2, 3, 4, 5), (0, 1, 2)),
    ((2, 3, 4, 5), (1, 2)),
    ((2, 3, 4, 5), (1,)),
    ((4, 1), (0, 1)),
    ((1, 6), (0,)),
    ((), ()),
    ((0, 3), (0,)),
    ((3, 0), (0,)),
    ((FEW + 301, 3), (0,)),  # which several blocks sum
    ((2, FEW + 301), (1,)),
    ((3, FEW, 2), (0, 1, 2)),
]


def program(function, *inputs, states=()):
    return for_a_gpu(optimised(program_of(function, inputs, states)))


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def launches(of):
    """How many loops each launch of loops runs."""
    return [len(loops) for i in of.instructions if (loops := loops_of(i))]


def ran_both_ways(traced, inputs, monkeypatch):
    """What a program returns, if the threads of a block take turns in one order, and the same bits in the other."""
    made = ran(traced, inputs)
    monkeypatch.setattr(cuda_on_host, "backwards", True)
    assert [y.tobytes() for y in ran(traced, inputs)] == [y.tobytes() for y in made]
    return made


def test_sums_beside_each_other(monkeypatch):
    given = [x for shape, _ in SUMS for x in (numbers(*shape), numbers(*shape[1:], seed=1))]

    def f(*given):
        pairs = zip(given[::2], given[1::2], SUMS, strict=True)
        return [made for x, y, (_, axes) in pairs for made in ((x * y).sum(axes), (x * y).sum(axes) + 1, x * y)]

    traced = program(f, *given)
    assert max(launches(traced)) >= len(SUMS) and len(launches(traced)) == 2  # the second for what lies in another way
    for n, (ours, right) in enumerate(zip(ran_both_ways(traced, given, monkeypatch), f(*given), strict=True)):
        np.testing.assert_allclose(ours, right, rtol=1e-12, atol=1e-12, err_msg=str(SUMS[n // 3]))


@pytest.mark.parametrize(("shape", "axes"), SUMS)
def test_what_follows_a_sum_joins_it_if_what_is_left_lies_as_the_columns_do(shape, axes):
    traced = program(lambda x: [(x * 2).sum(axes) + 1], numbers(*shape))
    assert launches(traced) == ([1] if shape and axes == tuple(range(len(axes))) else [1, 1])


def test_sums_of_what_does_not_lie_in_order():
    x = np.asfortranarray(numbers(6, 5, 4))

    def f(x):
        y = x.transpose(1, 0, 2)[::2]
        return [(y * 2).sum((0, 1)), (y * 2).sum(2)]

    for ours, right in zip(ran(program(f, x), [x]), f(x), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-12)


def test_a_small_array_that_is_read_turned_as_well():
    """The loop computes it again, but what another thread has of it comes from memory."""
    x, small = numbers(16, 4, 4), numbers(4, 4, seed=1)

    def f(x, small):
        twice, row = small * 2, small[:, :1] * 3
        y = x + twice + twice.T + row.reshape(1, 4)
        return [y.sum(0), (y * row).sum(0)]

    for ours, right in zip(ran(program(f, x, small), [x, small]), f(x, small), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-12)


def test_sums_of_other_dtypes():
    x = np.random.default_rng(0).integers(0, 9, (40, 6)).astype(np.uint8)

    def f(x):
        return [(x > 4).sum(0), x.sum(1), x.sum()]

    for ours, right in zip(ran(program(f, x), [x]), f(x), strict=True):
        assert ours.dtype == right.dtype
        np.testing.assert_array_equal(ours, right)


def standardised(x, gamma):
    mean = x.sum(0) / len(x)
    d = x - mean
    y = d / array_module(x).sqrt((d * d).sum(0) / len(x) + 1e-5)
    return [y * gamma, mean, (y * gamma).sum(0)]


@pytest.mark.parametrize(("rows", "expected"), [(9, 1), (FEW + 1, 3)])
def test_a_loop_reads_its_own_sums_if_one_block_goes_down_all_rows(rows, expected, monkeypatch):
    x, gamma = numbers(rows, 11), numbers(11, seed=1)
    traced = program(standardised, x, gamma)
    assert len(launches(traced)) == expected
    made = ran_both_ways(traced, [x, gamma], monkeypatch)
    for ours, right in zip(made, standardised(x, gamma), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-9, atol=1e-9)


def test_an_optimiser_in_the_loop_of_its_gradient_writes_in_place():
    x, p, m = numbers(40, 6), numbers(6, seed=1), numbers(6, seed=2)

    def f(x, p, m):
        m *= 0.9
        m += (x * x).sum(0)
        p -= m * 0.1
        return []

    held, twin = [p.copy(), m.copy()], [p, m]
    traced = program(f, x, states=held)
    assert launches(traced) == [1]
    ran(traced, [x])
    f(x, *twin)
    np.testing.assert_allclose(held, twin, rtol=1e-12)


def test_arrays_put_together_of_others():
    x, y = numbers(2, 3, 4), numbers(2, 5, 4, seed=1)

    def f(x, y):
        xp = array_module(x)
        z = xp.concatenate([x * 2, y, x[:, :1]], 1)
        w = xp.zeros((4, 8), x.dtype)
        w[1:3, 2:6] = x[0, 1:] + 1
        w[3] = 7
        return [z, z + 1, w, w.sum(0)]

    traced = program(f, x, y)
    assert all(i.op in ("input", "full", "fused", "beside", *VIEWS) for i in traced.instructions)
    for ours, right in zip(ran(traced, [x, y]), f(x, y), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws(dtype):
    shape, first = (5, 7), np.uint64(0x9E3779B97F4A7C15)
    rest = np.uint64(11)
    loops, arrays, places = [], {}, {}
    for op, operands, kind in [("normal", (1,), dtype), ("uniform", (), dtype), ("bernoulli", (0.3,), "bool")]:
        draw = Instruction(op, operands, {"generator": None})
        draw.results = [Value(np.empty(shape, kind), draw)]
        loops.append(loop_of([draw], shape, draw.results))
        arrays[draw.result], places[draw.result] = np.empty(shape, kind), first + rest
    launch(loops, arrays, places)
    made = list(arrays.values())
    right = [noise.normal(np.empty(shape, dtype), first + rest), noise.uniform(np.empty(shape, dtype), first + rest)]
    np.testing.assert_allclose(made[0], right[0], rtol=1e-6 if dtype == "float32" else 1e-13)
    np.testing.assert_array_equal(made[1], right[1])
    np.testing.assert_array_equal(made[2], noise.bernoulli(np.empty(shape, bool), first + rest, round(0.3 * 65536)))


def test_blocks_cover_all_columns_and_rows():
    for shape, summed in [*SUMS, ((70000, 100), (0,)), ((64, 28, 28, 64), (0, 1, 2)), ((1 << 20,), (0,))]:
        c = Columns(shape, summed)
        assert c.across * c.down == 256 and c.columns * c.rows == np.prod(shape, dtype=int)
        assert (c.tiles - 1) * c.across < max(c.columns, 1) <= max(c.tiles, 1) * c.across
        assert c.chunks == 1 or (c.chunks - 1) * c.chunk < c.rows <= c.chunks * c.chunk
        assert c.rows <= FEW or c.chunk < c.rows or c.tiles > 1000


def sources(name):
    """The source of a small model's kernels."""
    step = tg.compile(small(name), "plain")
    traced = for_a_gpu(optimised(step.trace(batches(1)[0])))
    kernels = [kernel_of(loops, _arrays(loops)) for i in traced.instructions if (loops := loops_of(i))]
    return source_of(kernels)


def _arrays(loops):
    return {v: v.like for loop in loops for m in loop.body for v in (*m.values, *m.results)}


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc, which compiles CUDA")
@pytest.mark.parametrize("name", ["vae", pytest.param("dcgan64", marks=pytest.mark.more)])
def test_nvcc_compiles_the_kernels_of_a_step(name, tmp_path):
    (tmp_path / "all.cu").write_text(sources(name))
    command = ["nvcc", "-cubin", "-arch=sm_90", "-std=c++17", "-Werror", "all-warnings", "all.cu", "-o", "all.out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_cupy_takes_the_source():
    """As far as it looks at it without a GPU."""
    cupy = pytest.importorskip("cupy")
    text = sources("vae")
    assert cupy.RawModule(code=text).code == text
