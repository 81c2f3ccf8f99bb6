"""The hot loops against plainer ways to say the same, on odd shapes and on memory in any order."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import Backend

from tinygen import kernels
from tinygen.kernels import reference
from tinygen.ops.norm import _batch_norm_rule

SHAPES = [(7, 5), (1, 3), (513, 3), (2, 1), (3, 1, 2, 5), (2, 3, 4, 1), (5, 3, 3, 2), (4,)]
EPS = 1e-3
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}  # relative to the largest element


def transposed(x):
    """The same values in memory as H, W, N, C, or with the channel first."""
    order = (1, 2, 0, 3) if x.ndim == 4 else tuple(reversed(range(x.ndim)))
    return x.transpose(order).copy().transpose(np.argsort(order).tolist())


def strided(x):
    """The same values, every other one of a larger array and backwards."""
    return x.repeat(2, axis=-1)[::-1].copy()[::-1][..., ::2]


LAYOUTS = [pytest.param(lambda x: x, id="contiguous"), transposed, strided]


def arrays(backend, shape, dtype, layout=lambda x: x):
    """gy, x, gamma, beta of a batch norm; x is off zero and its channels differ."""
    rng, c = np.random.default_rng(8), shape[-1]
    x = rng.normal(2, 3, shape) * rng.uniform(0.5, 2, c)
    gy, gamma, beta = rng.normal(0, 1, shape), rng.uniform(0.5, 2, c), rng.normal(0, 1, c)
    gy, x = (layout(backend.asarray(a, dtype)) for a in (gy, x))
    return gy, x, backend.asarray(gamma, dtype), backend.asarray(beta, dtype)


def assert_near(a, b, dtype):
    """Equal to the precision of dtype, as measured by the largest element."""
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * max(np.abs(b).max(initial=0), 1))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_against_its_formula(backend, shape, layout, dtype):
    _, x, gamma, beta = arrays(backend, shape, dtype, layout)
    results = kernels.batch_norm(x, gamma, beta, EPS)
    assert all(r.dtype == dtype for r in results)
    x, gamma, beta = (backend.to_host(a).astype(np.float64) for a in (x, gamma, beta))
    axes = tuple(range(x.ndim - 1))
    mu, var = x.mean(axes), x.var(axes)
    expected = (gamma * (x - mu) / np.sqrt(var + EPS) + beta, mu, var)
    for result, right in zip(results, expected, strict=True):
        assert_near(backend.to_host(result), right, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_grad_against_the_composite_rule(backend, shape, layout, dtype):
    gy, x, gamma, beta = arrays(backend, shape, dtype, layout)
    _, mu, var = kernels.batch_norm(x, gamma, beta, EPS)
    fused = kernels.batch_norm_grad(gy, x, gamma, mu, var, EPS)
    assert all(g.dtype == dtype for g in fused)
    exact = (backend.to_host(a).astype(np.float64) for a in (gy, x, gamma, beta))
    gy, x, gamma, beta = exact
    for g, composite in zip(fused, _batch_norm_rule(gy, None, x, gamma, beta, EPS), strict=True):
        assert_near(backend.to_host(g), composite, dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batch_norm_leaves_its_arguments_alone(backend, layout):
    given = arrays(backend, (5, 3, 3, 2), np.float32, layout)
    before = [backend.to_host(a).copy() for a in given]
    gy, x, gamma, beta = given
    y, mu, var = kernels.batch_norm(x, gamma, beta, EPS)
    kernels.batch_norm_grad(gy, x, gamma, mu, var, EPS)
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(backend.to_host(a), b)
    assert y is not x


@pytest.fixture
def compiled():
    """The twins that Numba compiles."""
    pytest.importorskip("numba")
    from tinygen.kernels import numba

    return numba


def adam_scalar(p, g, m, v, lr, beta1, beta2, eps, t):
    """Kingma and Ba 2015, algorithm 1, on one number."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m_hat / (math.sqrt(v_hat) + eps), m, v


def assert_is_adam(adam, backend, size, betas, dtype, layout=lambda x: x):
    """Five steps on `size` numbers, against the scalar loop."""
    rng, lr, eps, within = np.random.default_rng(size), 0.1, 1e-8, {np.float32: 1e-6, np.float64: 1e-14}[dtype]
    start = rng.normal(size=size).astype(dtype)
    p, m, v = (layout(backend.asarray(a)) for a in (start, np.zeros_like(start), np.zeros_like(start)))
    loop = [(float(a), 0.0, 0.0) for a in start]
    for t in range(1, 6):
        g = rng.normal(size=size).astype(dtype)
        adam(p, layout(backend.asarray(g)), m, v, lr, *betas, eps, t)
        loop = [adam_scalar(p, float(gi), m, v, lr, *betas, eps, t) for (p, m, v), gi in zip(loop, g, strict=True)]
    for array, exact in zip((p, m, v), np.reshape(loop, (-1, 3)).T, strict=True):
        assert array.dtype == dtype
        np.testing.assert_allclose(backend.to_host(array), exact, rtol=within, atol=within)


compiled_module = sys.modules["tinygen.kernels.compiled"]  # kernels.compiled is its function


BETAS = [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99), (0.9, 0.0)]
SIZES = [0, 1, 7, 8, 9, 16, 18, 21]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("betas", BETAS)
def test_adam_against_a_scalar_loop(backend, monkeypatch, betas, dtype):
    monkeypatch.setattr(reference, "_BLOCK", 4)
    for size in SIZES:
        assert_is_adam(reference.adam, backend, size, betas, dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("betas", BETAS)
def test_compiled_adam_against_a_scalar_loop(compiled, betas, dtype, layout):
    for size in SIZES:
        assert_is_adam(compiled.adam, Backend("numpy", np), size, betas, dtype, layout)


def test_compiled_adam_on_a_network_of_odd_size(compiled):
    rng, n = np.random.default_rng(0), 100_003
    plain = [rng.normal(size=n).astype(np.float32) for _ in range(3)] + [rng.uniform(size=n).astype(np.float32)]
    fast = [a.copy() for a in plain]
    for t in (1, 2, 1000):
        reference.adam(*plain, 1e-3, 0.9, 0.999, 1e-8, t)
        compiled.adam(*fast, 1e-3, 0.9, 0.999, 1e-8, t)
    for a, b in zip(plain, fast, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_adam_in_blocks_is_adam_to_the_bit():
    """The size at which a network of 1.5 M parameters is cut, against pieces that are not."""
    rng, n = np.random.default_rng(0), 3 * reference._BLOCK + 17
    whole = [rng.normal(size=n).astype(np.float32) for _ in range(3)] + [rng.uniform(size=n).astype(np.float32)]
    pieces = [a.copy() for a in whole]
    options = (1e-3, 0.9, 0.999, 1e-8, 3)
    reference.adam(*whole, *options)
    for start in range(0, n, 1000):
        reference.adam(*(a[start : start + 1000] for a in pieces), *options)
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def choose_anew(monkeypatch):
    """Let kernels decide again whether to use Numba, and once more after the test."""

    def forget():
        compiled_module.compiled.cache_clear()

    forget()
    monkeypatch.forget = forget
    yield monkeypatch
    forget()


def test_numba_is_used_where_it_is_unless_refused(compiled, choose_anew):
    choose_anew.delenv("TINYGEN_NUMBA", raising=False)
    assert compiled_module.compiled("numba") is compiled
    choose_anew.setenv("TINYGEN_NUMBA", "0")
    assert compiled_module.compiled("numba") is compiled, "it is decided once"
    choose_anew.forget()
    assert compiled_module.compiled("numba") is None and compiled_module.compiled("gemm") is None


def test_the_kind_of_an_array_says_who_serves_it(monkeypatch, gpu):
    def double(x):
        return "definition"

    loops, launches = SimpleNamespace(double=lambda x: "loops"), SimpleNamespace(double=lambda x: "launches")
    by_all, by_few = kernels._kernel(double, loops, gpu="cuda"), kernels._kernel(double)
    monkeypatch.setattr(kernels, "_cuda", lambda name: launches)
    array = gpu.asarray([1.0])
    served = "launches" if gpu.name == "cupy" else "definition"  # the stand-in is not CuPy: it has no compiler
    assert (by_all(np.ones(1)), by_few(np.ones(1))) == ("loops", "definition")
    assert (by_all(array), by_few(array)) == (served, "definition")
    monkeypatch.setattr(kernels, "array_module", lambda x: SimpleNamespace(__name__="cupy"))
    assert (by_all(array), by_few(array)) == ("launches", "definition")


def test_without_numba_the_definition_runs(choose_anew):
    choose_anew.setattr(importlib.util, "find_spec", lambda name: None)
    assert compiled_module.compiled("numba") is None and compiled_module.compiled("gemm") is None
    p, m, v = np.ones(3), np.zeros(3), np.zeros(3)
    kernels.adam(p, np.ones(3), m, v, 0.1, 0.9, 0.999, 0.0, 1)
    np.testing.assert_allclose(p, 0.9)


def test_a_module_that_the_machine_cannot_run_is_not_used(compiled, choose_anew):
    choose_anew.delenv("TINYGEN_NUMBA", raising=False)
    choose_anew.setattr(importlib.import_module("tinygen.kernels.gemm"), "SUPPORTED", False)
    assert compiled_module.compiled("gemm") is None and compiled_module.compiled("numba") is compiled


def test_tinygen_loads_nothing_that_is_optional():
    """Numba, CuPy, Matplotlib and SciPy take seconds, and are loaded when something needs them."""
    ask = "import sys, tinygen; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert "tinygen" in loaded and not {"numba", "llvmlite", "cupy", "matplotlib", "scipy"}.intersection(loaded)


def test_kept_memory_is_used_again():
    kernels.memory.keep()
    kernels.memory.keep()
    for n in (1, 1 << 20, 1 << 24):
        assert np.ones(n, np.int8).sum(dtype=np.int64) == n


def test_memory_is_left_alone_without_glibc(monkeypatch):
    monkeypatch.setattr(kernels.memory.sys, "platform", "win32")
    monkeypatch.setattr(kernels.memory.ctypes, "CDLL", None)
    kernels.memory.keep()


def test_mixed_dtypes_are_left_to_numpy():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((8, 6, 6, 16)), rng.standard_normal((3, 3, 16, 32))
    pads = ((1, 1), (1, 1))
    expected = kernels.conv2d(x, w, (1, 1), pads)
    for a, b in ((x.astype(np.float32), w), (x, w.astype(np.float32)), (x.astype(">f4"), w.astype(">f4"))):
        np.testing.assert_allclose(kernels.conv2d(a, b, (1, 1), pads), expected, rtol=0, atol=1e-3)
    a, b = rng.standard_normal((64, 128)), rng.standard_normal((128, 64))
    for left, right in ((a.astype(np.float32), b), (a.astype(">f4"), b.astype(">f4"))):
        np.testing.assert_allclose(kernels.matmul(left, right), a @ b, rtol=0, atol=1e-3)
    assert kernels.matmul(a.astype(np.float32), b.astype(np.float32), np.zeros(64)).dtype == np.float64


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError):
        kernels.dropout(np.ones((4, 6), np.float32), np.ones(6, bool), 2.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_computes_too(tmp_path):
    source = """
import os, warnings
import numpy as np
from tinygen import kernels
a = np.ones((256, 256), np.float32)
kernels.matmul(a, a), kernels.leaky_relu(a, 0.2)
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    os._exit(0 if kernels.matmul(a, a)[0, 0] == 256 and kernels.leaky_relu(-a, 0.5)[0, 0] == -0.5 else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", source], check=True, timeout=120)
