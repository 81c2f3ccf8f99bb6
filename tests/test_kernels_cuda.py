"""The CUDA kernels: nvcc compiles their sources, and the host runs them, on odd shapes, against plain formulas.

Where there is a GPU, the same tests run on it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
import shutil
import subprocess
import sys
import threading
from types import ModuleType
from typing import NamedTuple

import cuda_on_host
import numpy as np
import pytest
from conftest import BACKENDS, Backend, device
from test_kernels import BETAS, EPS, LAYOUTS, SIZES, arrays, assert_is_adam, assert_near
from test_kernels_conv import SIZES as CONVOLUTION_SIZES

from tinygen.kernels import noise, reference, reference_conv, sums
from tinygen.ops.norm import _batch_norm_rule

DTYPES = [np.float32, np.float64]
SHAPES = [(1, 1), (7, 5), (1, 3), (5000, 1), (5000, 3), (300, 33), (9, 70), (3, 1, 2, 5), (5, 3, 3, 2), (4,)]

CONVOLUTIONS = [size for size in CONVOLUTION_SIZES if size[0][0] > 0][:14]

MODULES = ("cuda", "cuda_columns", "cuda_noise")

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


class Twins(NamedTuple):
    """The modules of the twins, and the arrays that they take."""

    cuda: ModuleType
    columns: ModuleType
    noise: ModuleType
    backend: Backend


@pytest.fixture(params=["host", "host, backwards", *(["cupy"] if "cupy" in BACKENDS else [])])
def twins(request, monkeypatch):
    """The twins on a GPU, or with CuPy's place taken by the host, whose threads take turns in either order."""
    if request.param == "cupy":
        with device("cupy") as backend:
            yield Twins(*(importlib.import_module(f"tinygen.kernels.{name}") for name in MODULES), backend)
    else:
        monkeypatch.setattr(cuda_on_host, "backwards", "backwards" in request.param)
        yield Twins(*map(on_host, MODULES), Backend("numpy", np))


def on_host(name="cuda"):
    """A module of tinygen.kernels, with CuPy's place taken by the host: loaded anew; the real one stays as it is."""
    if shutil.which("g++") is None:
        pytest.skip("no g++, which compiles the kernels for the host")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", cuda_on_host)
        spec = importlib.util.find_spec(f"tinygen.kernels.{name}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def run(twins, name, *args):
    """What a twin returns, as arrays of the host, for arrays of the host, which it must leave alone."""
    given = [twins.backend.xp.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
    before = [np.copy(a) for a in args]
    module = twins.cuda if hasattr(twins.cuda, name) else twins.columns
    result = getattr(module, name)(*given)
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(twins.backend.to_host(a), b)
    assert all(r.dtype == given[0].dtype for r in (result if isinstance(result, tuple) else (result,)))
    return tuple(map(twins.backend.to_host, result)) if isinstance(result, tuple) else twins.backend.to_host(result)


def in_64(*xs):
    return [np.asarray(x, np.float64) for x in xs]


@every_dtype
def test_infinities_and_nan(twins, dtype):
    """As in the definition, given what the kernels read: nothing is NaN in one and a number in the other."""
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -3.0, 100.0], dtype)
    x, y = np.array(np.meshgrid(special, special)).reshape(2, -1)
    calls = [("sigmoid", x), ("erf", x), ("erfc", x), ("dropout", x, y > 0, 2.0)]
    calls += [("leaky_relu", x, slope) for slope in (0.0, 0.2, 1.0)]
    calls += [("leaky_relu_grad", x, y, slope) for slope in (0.0, 0.2, 1.0)]
    calls += [("sigmoid_cross_entropy", x, np.full_like(x, t)) for t in (0.0, 0.3, 1.0)]
    calls += [("sigmoid_cross_entropy_grad", x, y, np.full_like(x, t)) for t in (0.0, 0.3, 1.0)]
    with np.errstate(all="ignore"):
        for name, *args in calls:
            right = getattr(reference, name)(*map(cuda_on_host.flushed, args))
            found = run(twins, name, *args)
            np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-37, err_msg=f"{name} {args[1:]}")


@every_dtype
@every_layout
@every_shape
def test_column_sum(twins, shape, layout, dtype):
    _, x, _, _ = arrays(Backend("numpy", np), shape, dtype, layout)
    y, (exact,) = run(twins, "column_sum", x), in_64(x)
    assert_near(y, exact.sum(axis=tuple(range(x.ndim - 1))), dtype)


@every_dtype
@every_layout
@every_shape
def test_batch_norm(twins, shape, layout, dtype):
    _, x, gamma, beta = arrays(Backend("numpy", np), shape, dtype, layout)
    results = run(twins, "batch_norm", x, gamma, beta, EPS)
    x, gamma, beta = in_64(x, gamma, beta)
    axes = tuple(range(x.ndim - 1))
    mu, var = x.mean(axes), x.var(axes)
    for result, right in zip(results, (gamma * (x - mu) / np.sqrt(var + EPS) + beta, mu, var), strict=True):
        assert_near(result, right, dtype)


@every_dtype
@every_layout
@every_shape
def test_batch_norm_grad(twins, shape, layout, dtype):
    gy, x, gamma, beta = arrays(Backend("numpy", np), shape, dtype, layout)
    axes = tuple(range(x.ndim - 1))
    mu, var = x.mean(axes), x.var(axes)
    results = run(twins, "batch_norm_grad", gy, x, gamma, mu, var, EPS)
    for result, right in zip(results, _batch_norm_rule(*in_64(gy), None, *in_64(x, gamma, beta), EPS), strict=True):
        assert_near(result, right, dtype)


def test_the_last_block_adds_up_what_all_found_and_leaves_zeros(twins):
    x = np.random.default_rng(0).normal(size=(5000, 40)).astype(np.float32)
    columns = twins.columns
    assert columns._geometry(*x.shape)[0] == (2, 79)
    first = run(twins, "column_sum", x)
    assert_near(first, x.sum(axis=0, dtype=np.float64), np.float32)
    np.testing.assert_array_equal(run(twins, "column_sum", x), first)
    cuda = columns.cupy.cuda
    counters = columns._counters(cuda.get_device_id(), cuda.get_current_stream().ptr, threading.get_ident())
    assert not twins.backend.to_host(counters).any()


@every_dtype
@pytest.mark.parametrize("probability", [False, True])
@pytest.mark.parametrize("limit", [None, 0.0, 0.5])
def test_verdicts(twins, limit, probability, dtype):
    for n, m in ((1, 1), (7, 300), (128, 128), (1, 40_000)):
        rng = np.random.default_rng(n)
        real, fake = rng.normal(2, 9, (n, 1)).astype(dtype), rng.normal(0, 9, (m, 1)).astype(dtype)
        fake[0] = 0.5
        found = twins.columns.verdicts(twins.backend.asarray(real), twins.backend.asarray(fake), limit, probability)
        share = real.mean() - fake.mean() if limit is None else ((real > limit).mean() + (fake <= limit).mean()) / 2
        means = [
            np.mean(np.exp(-np.logaddexp(0, -in_64(x)[0])) if probability else x, dtype=np.float64)
            for x in (real, fake)
        ]
        for result, right in zip(found, (share, *means), strict=True):
            assert_near(twins.backend.to_host(result), right, dtype)


@pytest.mark.parametrize("first", [1000.0, 5000.0])
def test_statistics_far_from_zero(twins, first):
    """The mean is 1000 standard deviations from 0, and the first row may be as far from the mean."""
    x = np.random.default_rng(0).normal(1000, 1, (30_000, 3)).astype(np.float32)
    x[0] = first
    _, mu, var = run(twins, "batch_norm", x, np.ones(3, np.float32), np.zeros(3, np.float32), EPS)
    np.testing.assert_allclose(mu, x.astype(np.float64).mean(axis=0), rtol=2e-7)
    np.testing.assert_allclose(var, x.astype(np.float64).var(axis=0), rtol=1e-5)


@every_dtype
@every_layout
@pytest.mark.parametrize("betas", BETAS)
def test_adam(twins, betas, dtype, layout):
    for size in SIZES:
        assert_is_adam(twins.cuda.adam, twins.backend, size, betas, dtype, layout)


@every_dtype
def test_arrays_are_written_one_after_the_other(dtype):
    """More of them than a launch takes, of every size and layout; none is written beyond its end."""
    cuda, rng = on_host("cuda_flat"), np.random.default_rng(0)
    shapes = [(3,), (2, 5), (), (0, 4), (9000,), (2048,), (33, 65), *[(n % 7,) for n in range(300)]]
    arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    arrays[1], arrays[6] = arrays[1].T, arrays[6][:, ::2]
    out = np.full(sum(x.size for x in arrays) + 3, np.nan, dtype)
    cuda.flatten_into(out[:-3], arrays)
    np.testing.assert_array_equal(out[:-3], np.concatenate([x.ravel() for x in arrays]))
    assert np.isnan(out[-3:]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.int64])
def test_arrays_of_other_dtypes_are_written_by_the_definition(dtype):
    out = np.zeros(5, dtype)
    on_host("cuda_flat").flatten_into(out, [np.ones((2, 2), np.float32), np.full(1, 3.0)])
    assert out.tolist() == [1, 1, 1, 1, 3]


@every_dtype
def test_running_statistics(twins, dtype):
    old, new = np.random.default_rng(0).normal(size=(2, 2, 7)).astype(dtype)
    (mean, var), rtol = map(twins.backend.asarray, old), {np.float32: 1e-6, np.float64: 1e-14}[dtype]
    twins.cuda.keep_running(mean, var, *map(twins.backend.asarray, new), 0.8)
    for running, right in zip((mean, var), 0.8 * old.astype(np.float64) + 0.2 * new, strict=True):
        np.testing.assert_allclose(twins.backend.to_host(running), right, rtol=rtol, atol=rtol)


@every_dtype
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_leaky_relu(twins, slope, dtype):
    x = np.array([[-2, -1e-30, -0.0, 0], [1e-30, 3, np.inf, np.nan]], dtype)
    gy = np.random.default_rng(0).normal(size=x.shape).astype(dtype)
    y = run(twins, "leaky_relu", x.T, slope)
    np.testing.assert_array_equal(y, np.where(x > 0, x, np.minimum(x, 0) * dtype(slope)).T)
    gx = run(twins, "leaky_relu_grad", gy.T, y, slope)
    expected = np.where(x > 0, gy, gy * dtype(slope)) if slope else np.where(x <= 0, 0, gy)
    np.testing.assert_array_equal(gx, expected.T)
    gx = run(twins, "leaky_relu_grad", np.full_like(gy, np.inf).T, y, slope)
    np.testing.assert_array_equal(gx, np.where(np.isnan(x), np.inf, np.where(x > 0, np.inf, np.inf if slope else 0)).T)


LOGITS = np.array([[-1e4, -100, -20, -1, -1e-8], [0, 1e-8, 1, 20, 1e4]])
TARGETS = [0, 1, 0.9, np.linspace(0, 1, 10).reshape(2, 5), np.linspace(0, 1, 5), np.array(0.25)]


@every_dtype
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{np.shape(t)}")
def test_sigmoid_cross_entropy(twins, target, dtype):
    x, t, rtol = LOGITS.astype(dtype), target, {np.float32: 1e-6, np.float64: 1e-14}[dtype]
    t = t.astype(dtype) if isinstance(t, np.ndarray) else t
    gy = np.broadcast_to(dtype(0.3), x.shape)
    exact, right = in_64(x, t)
    y = run(twins, "sigmoid_cross_entropy", x, t)
    np.testing.assert_allclose(y, np.logaddexp(0, exact) - exact * right, rtol=rtol, atol=rtol)
    gx = run(twins, "sigmoid_cross_entropy_grad", gy, x, t)
    np.testing.assert_allclose(gx, 0.3 * (np.exp(-np.logaddexp(0, -exact)) - right), rtol=rtol, atol=rtol)


@every_dtype
def test_sigmoid(twins, dtype):
    x, rtol = LOGITS.astype(dtype), {np.float32: 1e-6, np.float64: 1e-14}[dtype]
    np.testing.assert_allclose(run(twins, "sigmoid", x), np.exp(-np.logaddexp(0, -LOGITS)), rtol=rtol, atol=1e-37)


@every_dtype
def test_tanh_grad(twins, dtype):
    gy, x = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(dtype)
    right, rtol = in_64(gy)[0] / np.cosh(in_64(x)[0]) ** 2, {np.float32: 1e-5, np.float64: 1e-13}[dtype]
    np.testing.assert_allclose(run(twins, "tanh_grad", gy.T, np.tanh(x).T), right.T, rtol=rtol)


@every_dtype
@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_the_error_function(twins, name, dtype):
    x, rtol = np.linspace(-9, 9, 200).reshape(4, 50).T.astype(dtype), {np.float32: 1e-6, np.float64: 1e-14}[dtype]
    right = np.vectorize(getattr(math, name))(x.astype(np.float64))
    np.testing.assert_allclose(run(twins, name, x), right, rtol=rtol, atol=1e-37)


@every_dtype
def test_dropout(twins, dtype):
    x, kept = np.array([[1, 2, 3], [4, 5, 6]], dtype), np.array([[True, False, True], [False, True, False]])
    y = run(twins, "dropout", x.T, kept.T, 1 / 0.7)
    np.testing.assert_array_equal(y.T, np.array([[1, 0, 3], [0, 5, 0]], dtype) * dtype(1 / 0.7))
    y = run(twins, "dropout", np.array([np.inf, np.nan, -np.inf], dtype), np.array([True, False, False]), 2.0)
    np.testing.assert_array_equal(y, [np.inf, 0, 0])


@pytest.mark.parametrize(
    ("name", "dtype", "more"),
    [("sigmoid_cross_entropy", dtype, ()) for dtype in (bool, np.int64, np.float64)]
    + [(name, dtype, (0.5,)) for name in ("leaky_relu_grad", "dropout") for dtype in (np.int64, np.float64)],
)
def test_mixed_dtypes_are_left_to_the_definition(twins, name, dtype, more):
    arrays = np.linspace(-2, 2, 6, dtype=np.float32), np.array([0, 1, 0, 1, 1, 0], dtype)
    result = getattr(twins.cuda, name)(*map(twins.backend.asarray, arrays), *more)
    right = getattr(reference, name)(*arrays, *more)
    assert result.dtype == right.dtype
    np.testing.assert_allclose(twins.backend.to_host(result), right, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "gamma"), [(np.float16, np.float16), (np.float32, np.float64), (np.int64, np.float64)], ids=str
)
def test_other_dtypes_are_left_to_the_definition(twins, x, gamma):
    args = (np.arange(12).reshape(4, 3).astype(x), np.ones(3, gamma), np.zeros(3, gamma), EPS)
    right = reference.batch_norm(*args)
    on_device = [twins.backend.asarray(a) for a in args[:3]]
    for result, expected in zip(twins.columns.batch_norm(*on_device, EPS), right, strict=True):
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(twins.backend.to_host(result), expected, rtol=2e-3)


@every_dtype
@pytest.mark.parametrize("shape", [(), (0,), (7,), (5, 3), (1000, 10)], ids=str)
def test_a_draw_in_one_launch_has_the_bits_of_the_definition(twins, shape, dtype):
    xp, first = twins.backend.xp, np.uint64(2**64 - 77)  # it wraps around
    for name, kind in (("bits", np.uint64), ("uniform", dtype), ("normal", dtype)):
        out = xp.empty(shape, kind)
        drawn = twins.backend.to_host(getattr(twins.noise, name)(out, first))
        expected = getattr(noise, name)(np.empty(shape, kind), first)
        np.testing.assert_array_equal(drawn, twins.backend.to_host(out))
        same_code = name != "normal"  # whose log and cos are the host's, or CUDA's
        rtol = 0 if same_code else {np.float32: 2e-7, np.float64: 1e-13}[dtype]
        np.testing.assert_allclose(drawn, expected, rtol=rtol, atol=rtol)


def test_draws_of_float16_are_left_to_the_definition(twins):
    for name in ("uniform", "normal"):
        drawn = getattr(twins.noise, name)(twins.backend.xp.empty(100, np.float16), np.uint64(5))
        expected = getattr(noise, name)(np.empty(100, np.float16), np.uint64(5))
        np.testing.assert_allclose(twins.backend.to_host(drawn), expected, rtol=2e-3)


@every_dtype
def test_sums_are_written_where_they_belong(twins, dtype):
    x = np.random.default_rng(0).normal(size=(500, 7, 3)).astype(dtype)
    for axes in ((0, 1), (0,), (1,), (0, 1, 2)):
        right = x.sum(axes, dtype=np.float64)
        out = twins.backend.xp.zeros(right.shape, dtype)
        twins.columns.total_into(twins.backend.xp.asarray(x), axes, out)
        assert_near(twins.backend.to_host(out), right, dtype)


def test_bernoulli(twins):
    out = twins.backend.xp.zeros((30, 7), bool)
    drawn = twins.backend.to_host(twins.noise.bernoulli(out, np.uint64(5), 20_000))
    np.testing.assert_array_equal(drawn, noise.bernoulli(np.zeros((30, 7), bool), np.uint64(5), 20_000))


@every_dtype
@pytest.mark.parametrize(("shape", "kernel", "out_channels", "stride", "padding"), CONVOLUTIONS)
def test_convolutions(shape, kernel, out_channels, stride, padding, dtype):
    cuda, rng = on_host("cuda_conv"), np.random.default_rng(0)
    x, w = (rng.normal(size=size).astype(dtype) for size in (shape, (*kernel, shape[3], out_channels)))
    gy = rng.normal(size=reference_conv.conv2d(x, w, stride, padding).shape).astype(dtype)
    for name, *args in (
        ("im2col", x, kernel, stride, padding),
        ("conv2d", x, w, stride, padding),
        ("conv_transpose2d", gy, w, stride, padding, shape[1:3]),
        ("conv2d_weight_grad", x, gy, kernel, stride, padding),
    ):
        right = getattr(reference_conv, name)(*args)
        np.testing.assert_allclose(getattr(cuda, name)(*args), right, rtol=2e-4, atol=2e-5, err_msg=name)


@every_dtype
@pytest.mark.parametrize("name", ["im2col", "col2im"])
def test_large_arrays_are_gathered_by_whole_numbers_of_64_bits(name, dtype):
    cuda, rng = on_host("cuda_conv"), np.random.default_rng(0)
    sizes = (5, 7, 3, 3, 3, 3, 3, 2, 2, 1, 0)  # H W C OH OW KH KW sh sw top left
    images, columns = (2, 5, 7, 3), (2, 3, 3, 3, 3, 3)
    given, made = (images, columns) if name == "im2col" else (columns, images)
    x = rng.normal(size=given).astype(dtype)
    small, large = (cuda._gather(name, bits)(x, *sizes, np.zeros(made, dtype)) for bits in (32, 64))
    np.testing.assert_array_equal(small, large)
    assert np.any(small)


INDICES = [
    ((7,), slice(2, 5)),
    ((7,), (slice(None, None, -2),)),
    ((5, 6), (slice(1, 4), slice(None, None, 3))),
    ((5, 6), -2),
    ((5, 6), (..., 3)),
    ((5, 6), (None, slice(-1, 0, -2), None, ..., slice(2, None))),
    ((3, 4, 5, 2), (1, slice(None), slice(0, 4, 2))),
    ((3, 4, 5, 2), (..., slice(1, 3), 0)),
    ((2, 3), (1, 2)),
    ((2, 3), (slice(None), slice(3, None))),
    ((2, 3), np.array([[True, False, True], [False, False, True]])),
]


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16])
@pytest.mark.parametrize(("shape", "index"), INDICES, ids=str)
def test_put(shape, index, dtype):
    put = on_host("cuda_put").put
    expected = np.zeros(shape, dtype)
    x = np.random.default_rng(0).normal(size=expected[index].shape).astype(dtype)
    expected[index] = x
    np.testing.assert_array_equal(put(x, shape, index), expected)
    np.testing.assert_array_equal(put(np.repeat(x, 2, -1)[..., ::2] if x.ndim else x, shape, index), expected)


@every_dtype
def test_add_at_adds_in_the_order_of_the_values(dtype):
    add, rng = on_host("cuda_add").add_at, np.random.default_rng(0)
    for shape, index in [
        ((5, 4), rng.integers(-5, 5, 300)),
        ((5, 4), (slice(1, None), rng.integers(0, 4, (2, 30)))),
        ((3, 4, 2), (rng.integers(0, 3, (6, 1)), slice(None), rng.integers(0, 2, (1, 7)))),
        ((1,), np.zeros(1000, int)),
        ((4, 3), np.zeros(0, int)),
    ]:
        x = rng.normal(size=shape).astype(dtype)
        value = rng.normal(size=x[index].shape).astype(dtype)
        right = x.copy()
        np.add.at(right, index, value)
        add(x, index, value)
        np.testing.assert_array_equal(x, right)
    whole = np.zeros(3, int)
    add(whole, np.array([1, 1, 2]), 2)
    assert whole.tolist() == [0, 4, 2]


def test_the_twins_take_what_the_definitions_take():
    modules = on_host(), on_host("cuda_columns")
    twins = {name: f for m in modules for name, f in vars(m).items() if hasattr(f, "__wrapped__") and name[0] != "_"}
    assert len(twins) == 15
    for name, twin in twins.items():
        assert inspect.signature(twin) == inspect.signature(getattr(reference, name)), name
    more = [("cuda_flat", reference.flatten_into), ("cuda_put", reference.put), ("cuda_add", reference.add_at)]
    draws, totals = (noise.bits, noise.bernoulli, noise.uniform, noise.normal), (sums.total, sums.total_into)
    for module, definition in [*(("cuda_noise", f) for f in draws), *(("cuda_columns", f) for f in totals), *more]:
        twin = getattr(on_host(module), definition.__name__)
        assert list(inspect.signature(twin).parameters) == list(inspect.signature(definition).parameters)


@pytest.mark.parametrize("columns", [1, 2, 3, 20, 32, 33, 100, 512, 4096, 100_000])
@pytest.mark.parametrize("rows", [1, 2, 7, 64, 1000, 131_072, 3_000_000])
def test_blocks_take_every_row_and_fill_the_chip(rows, columns):
    cuda = on_host("cuda_columns")
    (tiles, blocks), (across, down), chunk = cuda._geometry(rows, columns)
    assert across * down == cuda.THREADS and down & (down - 1) == 0 and tiles * across >= columns
    assert (blocks - 1) * chunk < rows <= blocks * chunk and blocks < 65_536
    assert tiles * blocks <= max(tiles, cuda.BLOCKS)
    if rows * columns > 1e8:
        assert tiles * blocks > 500
    assert blocks == 1 or tiles <= len(cuda._counters(0, 0, 0))


# The host in the GPU's place


def test_a_missing_barrier_is_noticed(monkeypatch):
    cuda, x = on_host("cuda_columns"), np.ones((512, 1), np.float32)
    monkeypatch.setattr(cuda, "COLUMNS", cuda.COLUMNS.replace("__syncthreads();", ""))
    sums = []
    for order in (False, True):
        monkeypatch.setattr(cuda_on_host, "backwards", order)
        sums.append(cuda.column_sum(x)[0])
    assert sums != [512, 512]


def test_a_barrier_that_some_threads_never_reach_is_noticed(monkeypatch):
    cuda = on_host("cuda_columns")
    monkeypatch.setattr(cuda, "COLUMNS", cuda.COLUMNS.replace("v = down(v);", "if (c < columns) v = down(v);"))
    assert cuda.column_sum(np.ones((512, 4), np.float32)).tolist() == [512] * 4
    with pytest.raises(AssertionError, match="column_sum: threads wait at a barrier for others that have ended"):
        cuda.column_sum(np.ones((512, 3), np.float32))


def test_what_cupy_would_not_check_is_checked():
    cuda, x = on_host("cuda_columns"), np.ones((4, 4), np.float32)
    kernel = cuda._columns(x.dtype, "column_sum")
    more = (*(np.empty(4, np.float32) for _ in range(2)), np.zeros(1, np.uint32), *[np.int64(4)] * 3)
    for wrong in (x[:, ::2], x.astype(np.float64)):
        with pytest.raises(AssertionError, match="name='x'"):
            kernel((1, 1), (4, 64), (wrong, *more))
    with pytest.raises(AssertionError, match="name='rows'"):
        kernel((1, 1), (4, 64), (x, *more[:3], 4, 4, 4))


# The compiler of CUDA, and CuPy itself


def gathers():
    """The kernels of the convolutions, for small arrays and for large ones."""
    conv = on_host("cuda_conv")
    return {f"{name}{bits}": conv.gather_text(name, bits) for name in conv.GATHERS for bits in (32, 64)}


def elementwise_texts():
    """The elementwise kernels, but for the noise."""
    texts = on_host("cuda").ELEMENTWISE | on_host("cuda_columns").ELEMENTWISE | gathers()
    return texts | {"add_at": on_host("cuda_add").SEGMENTS, "put4": on_host("cuda_put").put_text(4)}


def sources(dtype):
    """The sources that have several kernels."""
    return [on_host("cuda_columns").column_source(dtype), on_host("cuda_flat").flatten_source(dtype)]


def compile_all(dtype, folder, *options):
    """What nvcc makes of all kernels; as PTX, of all but the noise, which is computed in float64 for every dtype."""
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc, which compiles CUDA")
    first, *more = sources(dtype)
    parts = [first, noise.MIX_CUDA, *(source.replace("typedef", "// ") for source in more)]  # which comes once
    texts = elementwise_texts() | ({} if "-ptx" in options else noise.CUDA)
    parts += [cuda_on_host.elementwise_source(dtype, *text, f"tinygen_{name}") for name, text in texts.items()]
    (folder / "all.cu").write_text("\n".join(parts))
    command = ["nvcc", *options, "-std=c++17", "-Werror", "all-warnings", "all.cu", "-o", "all.out"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "all.out").read_bytes()


@pytest.mark.parametrize("architecture", ["sm_90", pytest.param("sm_80", marks=pytest.mark.more)])
@every_dtype
def test_nvcc_compiles_every_kernel(dtype, architecture, tmp_path):
    assert len(compile_all(dtype, tmp_path, "-cubin", f"-arch={architecture}")) > 10_000


def test_no_kernel_of_floats_computes_in_doubles(tmp_path):
    ptx = compile_all(np.float32, tmp_path, "-ptx", "-arch=sm_80").decode()
    assert ".f32 " in ptx and ".f64 " not in ptx


def test_cupy_takes_the_texts():
    """As far as it looks at them without a GPU."""
    cupy, cuda, columns = pytest.importorskip("cupy"), on_host(), on_host("cuda_columns")
    line = cupy.ElementwiseKernel.__doc__.splitlines()[0]  # which begins with the signature
    its = [part.split("=")[0] for part in line.partition("(")[2].split(", ")]
    ours = [*inspect.signature(cuda_on_host.ElementwiseKernel).parameters]
    assert ours == its[: len(ours)]
    texts = cuda.ELEMENTWISE | columns.ELEMENTWISE | noise.CUDA | gathers() | {"put": on_host("cuda_put").put_text(4)}
    for name, text in texts.items():
        kernel = cupy.ElementwiseKernel(*text, name)
        assert len(kernel.in_params) == len(cuda_on_host.parameters(text[0])), name
    for dtype in DTYPES:
        assert cupy.RawModule(code=columns.column_source(dtype)).code.startswith("#define THREADS")
