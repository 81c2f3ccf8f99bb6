"""What Numba compiles against the definitions: every twin, in any memory order, on one thread and on all."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

from tinygen.kernels import reference

pytest.importorskip("numba")
twins = sys.modules["tinygen.kernels.compiled"].compiled("numba")
if twins is None:
    pytest.skip("Numba is switched off", allow_module_level=True)

SHAPES = [
    *((1,), (3,), (17,), (1, 1), (5, 1), (7, 3), (33, 17), (2, 1, 3), (0, 3), (3, 0), ()),
    *((2, 3, 4, 1), (2, 5, 3, 17), (0, 3, 3, 2), (1, 1, 1, 3)),
    *((16383,), (16385,), (20_000, 1), (5000, 4), (1500, 17), (8, 31, 29, 3), (6, 20, 21, 17)),  # for threads
]
WITHIN = {np.float32: 5e-6, np.float64: 1e-13}


def as_it_is(x):
    return x


def hwnc(x):
    return x.swapaxes(0, 1).copy().swapaxes(0, 1) if x.ndim > 2 else x


def reversed_axes(x):
    return x.transpose().copy().transpose()


def backwards(x):
    return x[::-1].copy()[::-1] if x.ndim else x


def apart(x):
    return x.repeat(2, axis=-1)[..., ::2] if x.ndim else x


ORDERS = [as_it_is, hwnc, reversed_axes, backwards, apart]
PAIRS = [(as_it_is, as_it_is), (hwnc, hwnc), (as_it_is, hwnc), (hwnc, as_it_is), (reversed_axes, apart)]
PAIRS += [(apart, hwnc), (backwards, reversed_axes)]


def numbers(rng, shape, dtype):
    return np.asarray(rng.normal(0, 2, shape), dtype)


def statistics(x):
    """Mean and variance, and other numbers of that shape for gamma and beta."""
    axes = tuple(range(x.ndim - 1))
    mu, var = x.mean(axes, np.float64), x.var(axes, np.float64)
    return mu.astype(x.dtype), var.astype(x.dtype), (mu + 1.5).astype(x.dtype), (mu - 0.5).astype(x.dtype)


CALLS = {  # the arguments of each twin, for two arrays of one shape and a generator
    "leaky_relu": lambda x, y, rng: (x, 0.2),
    "leaky_relu_grad": lambda x, y, rng: (x, y, 0.2),
    "dropout": lambda x, y, rng: (x, y > 0, 2.5),
    "erf": lambda x, y, rng: (x,),
    "erfc": lambda x, y, rng: (x,),
    "sigmoid_cross_entropy": lambda x, y, rng: (x, y),
    "sigmoid_cross_entropy_grad": lambda x, y, rng: (x, y, 1 - y),
    "batch_norm": lambda x, y, rng: (x, *statistics(x)[2:], 1e-5),
    "batch_norm_grad": lambda x, y, rng: (x, y, statistics(y)[2], *statistics(y)[:2], 1e-5),
}


def results(f, args):
    y = f(*args)
    return y if isinstance(y, tuple) else (y,)


def test_every_twin_is_tried():
    shared = {n for n, f in vars(twins).items() if inspect.isfunction(f) and hasattr(reference, n)}
    assert shared == {*CALLS, "adam"}, "adam is in test_kernels; products and convolutions have tests of their own"


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("name", CALLS)
def test_each_twin_against_its_definition(name, dtype):
    for shape in SHAPES:
        if name.startswith("batch_norm") and (shape == () or 0 in shape):
            continue
        for orders in PAIRS if len(shape) > 1 else PAIRS[:1]:
            rng = np.random.default_rng(len(shape))
            x, y = (order(numbers(rng, shape, dtype)) for order in orders)
            args = CALLS[name](x, y, rng)
            before = [np.copy(a) for a in args]
            exact = [a.astype(np.float64) if getattr(a, "dtype", None) == dtype else a for a in args]
            for found, right in zip(
                results(getattr(twins, name), args), results(getattr(reference, name), exact), strict=True
            ):
                assert found.shape == right.shape and found.dtype == dtype, (shape, orders)
                limit = WITHIN[dtype] * max(np.abs(right).max(initial=0), 1)
                np.testing.assert_allclose(found, right, rtol=0, atol=limit, err_msg=f"{shape} {orders}")
                assert not any(np.shares_memory(found, a) for a in args if isinstance(a, np.ndarray))
            for a, b in zip(args, before, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("name", CALLS)
def test_what_no_loop_is_made_for_is_left_to_the_definition(name, dtype):
    """No elements, no axes, other dtypes and broadcasting: the definition's result to the bit."""
    rng = np.random.default_rng(0)
    for shape in [(), (0, 3), (3, 0)]:
        x, y = numbers(rng, shape, dtype), numbers(rng, shape, dtype)
        if shape == () and name.startswith("batch_norm"):
            continue
        with np.errstate(all="ignore"):
            args = (
                CALLS[name](x, y, rng)
                if not name.startswith("batch_norm")
                else (
                    (x, *(np.ones(shape[1:], dtype),) * 2, 1e-5)
                    if name == "batch_norm"
                    else (x, y, *(np.ones(shape[1:], dtype),) * 3, 1e-5)
                )
            )
            if name == "batch_norm" and shape == (0, 3):
                continue  # the mean of nothing: NumPy warns
            for found, right in zip(
                results(getattr(twins, name), args), results(getattr(reference, name), args), strict=True
            ):
                np.testing.assert_array_equal(found, right)


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-40, 3e38, -3.0, -100.0, 100.0, 2.0]
PAIRED = np.array(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1)
AT_SPECIAL = {
    "leaky_relu": [lambda x, y, slope=slope: (x, slope) for slope in (0.0, 0.2, 1.0)],
    "leaky_relu_grad": [lambda x, y, slope=slope: (x, y, slope) for slope in (0.0, 0.2, 1.0)],
    "dropout": [lambda x, y: (x, y > 0, 2.0)],
    "sigmoid_cross_entropy": [lambda x, y, t=t: (x, np.full_like(x, t)) for t in (0.0, 0.3, 1.0)],
    "sigmoid_cross_entropy_grad": [lambda x, y, t=t: (x, y, np.full_like(x, t)) for t in (0.0, 0.3, 1.0)],
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble], ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", AT_SPECIAL)
def test_infinities_nan_and_the_smallest_numbers(name, dtype):
    """As in the definition: nothing is NaN in one and a number in the other."""
    with np.errstate(all="ignore"):
        x, y = PAIRED.astype(dtype)
        size = np.where(np.isfinite(x), np.maximum(np.abs(x), 1), 1)  # of a gradient: e⁻¹⁰⁰ of it may be e⁻⁸⁷ of it
        for arguments in AT_SPECIAL[name]:
            args = arguments(x, y)
            found, right = getattr(twins, name)(*args), getattr(reference, name)(*args)
            assert found.dtype == right.dtype == dtype
            np.testing.assert_allclose(found / size, right / size, rtol=1e-6, atol=2 * float(np.finfo(np.float32).tiny))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble], ids=lambda d: d.__name__)
def test_adam_leaves_other_floats_to_the_definition(dtype):
    rng, states = np.random.default_rng(0), []
    start, g = rng.normal(size=(2, 50)).astype(dtype)
    for module in (twins, reference):
        state = [start.copy(), np.zeros_like(start), np.zeros_like(start)]
        for t in (1, 2, 3):
            module.adam(state[0], g, *state[1:], 0.1, 0.9, 0.999, 1e-4, t)
        states.append(state)
    np.testing.assert_array_equal(*states)
    assert not np.array_equal(states[0][0], start)


def test_two_threads_take_turns():
    """Numba's own thread pool, workqueue, ends a process in which two threads use it at once."""
    source = """
import threading
import numpy as np
from tinygen.kernels import thin as twins
a, b = np.ones((4000, 64), np.float32), np.ones((64, 3), np.float32)
def work():
    for _ in range(100):
        assert (twins.narrow_product(a, b) == 64).all()
threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads], [t.join() for t in threads]
import numba
print(numba.threading_layer())
"""
    environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "workqueue"), done.stderr[-2000:]


@pytest.mark.parametrize("dtype", WITHIN)
def test_broadcasting(dtype):
    rng = np.random.default_rng(0)
    x, row, number = numbers(rng, (5, 3), dtype), numbers(rng, (3,), dtype), np.asarray(0.7, dtype)
    for t in (row, x[:, :1], number, 0.7, 1):
        np.testing.assert_allclose(twins.sigmoid_cross_entropy(x, t), reference.sigmoid_cross_entropy(x, t), rtol=1e-6)
        found, right = (f.sigmoid_cross_entropy_grad(x, x, t) for f in (twins, reference))
        np.testing.assert_allclose(found, right, rtol=1e-6)
    np.testing.assert_allclose(twins.sigmoid_cross_entropy(row, x), reference.sigmoid_cross_entropy(row, x), rtol=1e-6)


def test_cross_entropy_of_extreme_numbers():
    x = np.array([-np.inf, -1e30, -200, -104, -88, -87, -30, -1e-30, 0, 1e-30, 30, 87, 88, 104, 200, 1e30], np.float32)
    for t in (0.0, 0.25, 1.0):
        ts = np.full_like(x, t)
        exact = x.astype(np.float64)[1:]
        found = twins.sigmoid_cross_entropy(x[1:], ts[1:])
        np.testing.assert_allclose(found, reference.sigmoid_cross_entropy(exact, t), rtol=1e-6, atol=1e-37)
        found = twins.sigmoid_cross_entropy_grad(np.ones_like(x), x, ts)
        right = reference.sigmoid_cross_entropy_grad(1.0, x.astype(np.float64), t)
        np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-7)  # σ(30) is 1 in float32
    nan = np.full(3, np.nan, np.float32)
    assert np.isnan(twins.sigmoid_cross_entropy(nan, nan)).all()


@pytest.mark.parametrize("name", ["leaky_relu", "sigmoid_cross_entropy"])
def test_the_result_lies_as_x_does(name):
    x = hwnc(np.ones((3, 4, 5, 2), np.float32))
    y = getattr(twins, name)(*CALLS[name](x, x, None))
    assert y.strides == x.strides


@pytest.mark.parametrize("dtype", WITHIN)
def test_batch_norm_of_numbers_far_from_zero(dtype):
    """In one pass over x and x² the variance would be lost."""
    x = (1000 + np.random.default_rng(0).normal(size=(50_000, 3))).astype(dtype)
    _, mu, var = twins.batch_norm(x, *np.ones((2, 3), dtype), 1e-5)
    np.testing.assert_allclose(mu, x.mean(0, np.float64), rtol=1e-6 if dtype is np.float32 else 1e-13)
    np.testing.assert_allclose(var, x.var(0, np.float64), rtol=1e-3 if dtype is np.float32 else 1e-9)
