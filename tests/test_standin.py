"""The stand-in for CuPy: it computes what NumPy computes, is as strict as CuPy, and has nothing that CuPy lacks."""

from __future__ import annotations

import copy
import gc
import inspect
import operator
import pickle
import re
import weakref

import numpy as np
import pytest
import standin
from standin import capturing, count_syncs

from tinygen import backend as tg

# Every function and method once, at least: the same expression on NumPy and on the stand-in.

EXPRESSIONS = """
xp.all(x > 0, axis=1)
xp.allclose(x, x + 1)
xp.amax(x, axis=0)
xp.amin(x)
xp.any(x > 0, keepdims=True)
xp.arange(2, 9, 3)
xp.arange(5, dtype=xp.float32)
xp.argmax(x, axis=1)
xp.argmin(x)
xp.argsort(x, axis=0)
xp.argwhere(x > 0)
xp.array([1.5, 2.5], dtype=xp.float32)
xp.array(x, ndmin=3)
xp.array([x, x])
xp.array_equal(x, x)
xp.array_split(x, 3, axis=1)
xp.asarray(x, dtype=xp.float64)
xp.asarray(3)
xp.ascontiguousarray(x.T)
xp.atleast_1d(x[0])
xp.atleast_2d(x[0])
xp.atleast_3d(x)
xp.bincount(i[:, 0])
xp.broadcast_arrays(x, x[0])
xp.broadcast_to(x, (2, 3, 4))
xp.clip(x, -0.5, 0.5)
xp.clip(x, None, x[0])
xp.concatenate([x, x], axis=1)
xp.copy(x)
xp.count_nonzero(x > 0, axis=0)
xp.cumprod(x, axis=1)
xp.cumsum(x, axis=0)
xp.diag(s)
xp.diagonal(s, 1)
xp.diff(x)
xp.dot(x, x.T)
xp.dot(x[0], x[1])
xp.einsum("ij,kj->ik", x, x)
xp.einsum("ij->ji", x)
xp.einsum("...i,...i", x, x, optimize=True)
xp.expand_dims(x, (0, 2))
xp.eye(3, 4, k=1, dtype=xp.float32)
xp.flatnonzero(x > 0)
xp.flip(x, axis=1)
xp.fliplr(x)
xp.flipud(x)
xp.full((2, 3), 7.0, dtype=xp.float32)
xp.full_like(x, 2)
xp.hstack([x, x])
xp.identity(3)
xp.indices((2, 3))
xp.inner(x, x)
xp.isclose(x, 0.0, atol=0.5)
xp.kron(x, s)
xp.linspace(0, 1, 5)
xp.logspace(0, 2, 3)
xp.matmul(x, x.T)
xp.matmul(x[None], x.T)
xp.matmul(x[0], x[1])
xp.matrix_transpose(x)
xp.max(x, axis=(0, 1), keepdims=True)
xp.mean(x, axis=0, dtype=xp.float64)
xp.median(x, axis=0)
xp.meshgrid(x[0], x[1], indexing="ij")
xp.min(x, axis=-1)
xp.moveaxis(x, 0, 1)
xp.nan_to_num(x / 0)
xp.nonzero(x > 0)
xp.ones((2, 2), xp.float32)
xp.ones_like(x)
xp.outer(x[0], x[1])
xp.pad(x, ((1, 2), (0, 3)))
xp.pad(x, 1, mode="reflect")
xp.prod(x, axis=0)
xp.ptp(x, axis=0)
xp.ravel(x.T)
xp.repeat(x, 3, axis=0)
xp.reshape(x, (2, -1))
xp.roll(x, 1, axis=0)
xp.rot90(x)
xp.round(x, 1)
xp.searchsorted(xp.sort(x[0]), x[1])
xp.sort(x, axis=0)
xp.split(x, (1, 3), axis=1)
xp.squeeze(x[None])
xp.stack([x, x], axis=-1)
xp.std(x, axis=0, ddof=1)
xp.sum(x)
xp.sum(x, axis=1, keepdims=True)
xp.swapaxes(x, 0, 1)
xp.take(x, i[0], axis=1)
xp.take(x, 2)
xp.take_along_axis(x, i, axis=1)
xp.tensordot(x, x, axes=((1,), (1,)))
xp.tile(x, (2, 1))
xp.trace(s)
xp.transpose(x, (1, 0))
xp.tri(3)
xp.tril(s)
xp.triu(s, 1)
xp.unique(i)
xp.var(x)
xp.vdot(x, x)
xp.vstack([x, x])
xp.where(x > 0, x, 0.0)
xp.where(x > 0)
xp.zeros((2, 3))
xp.zeros_like(x, dtype=xp.int64)
xp.linalg.cholesky(s)
xp.linalg.det(s)
xp.linalg.eigh(s)
xp.linalg.eigvalsh(s)
xp.linalg.inv(s)
xp.linalg.norm(x)
xp.linalg.norm(x, axis=1, keepdims=True)
xp.linalg.pinv(x)
xp.linalg.qr(x)
xp.linalg.slogdet(s)
xp.linalg.solve(s, s)
xp.linalg.svd(x, full_matrices=False)
xp.lib.stride_tricks.as_strided(x, (2, 2), (4, 16))
xp.lib.stride_tricks.sliding_window_view(x, (2, 2))
xp.add(x, 1)
xp.maximum(x, 0, dtype=xp.float64)
xp.exp(x, casting="same_kind")
xp.add.reduce(x)
xp.multiply.reduce(x, axis=1)
xp.add.accumulate(x)
xp.multiply.accumulate(x, axis=1)
x.all()
x.any(axis=0)
x.argmax(axis=1)
x.argmin()
x.argsort()
x.astype(xp.float64)
x.astype(xp.float32, copy=False)
x.clip(-0.5, 0.5)
x.clip(max=0)
x.conj()
x.conjugate()
x.copy()
x.cumprod(axis=0)
x.cumsum()
x.diagonal()
x.dot(s)
x.flatten()
x.max(keepdims=True)
x.mean(axis=(0, 1))
x.min()
x.nonzero()
x.prod()
x.ravel()
x.repeat(2)
x.reshape(2, 6)
x.reshape((4, 3))
x.T.reshape(-1)
x.round(1)
xp.sort(x[0]).searchsorted(x[1])
x.squeeze()
x.std()
x.sum(axis=1)
x.swapaxes(0, 1)
x.take(i[0])
s.trace()
x.transpose()
x.transpose(1, 0)
x.var(axis=0, keepdims=True)
x.view(xp.int32)
x.T
x.mT
x.real
x.imag
x[0]
x[1, 2]
x[..., None, 1]
x[::-1, 1::2]
x[i[0]]
x[i, i]
x[:, i[0]]
x[x > 0]
x[[0, 2]]
x + x
x - 1
2.5 * x
x / x
x // 0.3
x % 0.3
x**2
x**0.5
x**-1.0
2**x
x**x
-x
+x
abs(x)
1 - x
1 / x
i << 1
1 >> i
i & 1
i | i
i ^ 3
~i
x < 0
0 <= x
x == x[0]
x != 0
x > 0
x >= x
x @ x.T
np.float64(2) * x
x - np.float32(1)
i + np.int64(3)
x[0, 0] + 1
""".strip().splitlines()


# The fresh results that CuPy gives as views of other fresh memory, and those of them that are not in C order.

OWN_BASE = """
xp.cumsum(x, axis=0)
xp.add.accumulate(x)
x.cumprod(axis=0)
xp.array([x, x])
xp.cumprod(x, axis=1)
xp.flatnonzero(x > 0)
xp.kron(x, s)
xp.max(x, axis=(0, 1), keepdims=True)
xp.repeat(x, 3, axis=0)
xp.tile(x, (2, 1))
xp.multiply.accumulate(x, axis=1)
x.cumsum()
x.max(keepdims=True)
x.repeat(2)
""".strip().splitlines()
ROLLED = """
xp.argsort(x, axis=0)
xp.nonzero(x > 0)
xp.where(x > 0)
x.nonzero()
""".strip().splitlines()


def _inputs(xp):
    rng = np.random.default_rng(0)
    s = np.diag([2.0, 3.0, 5.0, 8.0]) + 0.5  # of eigenvalues that differ: else several bases would be right
    host = rng.standard_normal((3, 4)).astype(np.float32), rng.integers(0, 3, (3, 4)), s
    return dict(zip("xis", map(xp.asarray, host), strict=True), xp=xp, np=np)


def _flat(result):
    return [leaf for item in result for leaf in _flat(item)] if isinstance(result, (tuple, list)) else [result]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_computes_what_numpy_computes(gpu, expression):
    """On CuPy this tests what the stand-in promises of it."""
    ours, theirs = _inputs(gpu.xp), _inputs(np)
    results = _flat(eval(expression, ours))
    with np.errstate(all="ignore"):
        expected = _flat(eval(expression, theirs))
    assert len(results) == len(expected)
    signs_vary = re.search("qr|svd|eigh", expression)
    for result, host in zip(results, expected, strict=True):
        assert type(result) is gpu.xp.ndarray
        assert (result.dtype, result.shape) == (np.asarray(host).dtype, np.shape(host))
        if gpu.name == "standin" and "**" not in expression:
            np.testing.assert_array_equal(result.get(), host)
        elif signs_vary:
            np.testing.assert_allclose(np.abs(result.get()), np.abs(host), rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_allclose(result.get(), host, rtol=1e-5, atol=1e-6)
        shared = [key for key in "xis" if np.may_share_memory(host, theirs[key]) and expression != "xp.diag(s)"]
        if shared:
            source = ours[shared[0]]
            assert gpu.xp.may_share_memory(result, source)
            assert result is source or result.base is (None if "stride_tricks" in expression else source)
        elif result.ndim and not re.search("linalg|einsum", expression):  # what is a 0-d view is a scalar in NumPy
            assert not any(gpu.xp.may_share_memory(result, ours[key]) for key in "xis")
            assert (result.base is None) == (expression not in OWN_BASE + ROLLED)
            assert result.flags.c_contiguous == (expression not in ROLLED)


def test_every_function_and_method_has_an_expression():
    text = "\n".join(EXPRESSIONS)
    on_host = standin.ON_HOST | {"copyto", "empty", "empty_like", "put_along_axis"}
    functions = standin.signatures(standin.FUNCTIONS + standin.LINALG + standin.STRIDE_TRICKS).keys() - on_host
    methods = standin.signatures(standin.METHODS).keys() - {"sort"}
    assert not [name for name in functions if not re.search(rf"\bxp[\w.]*\.{name}\(", text)]
    assert not [name for name in methods if not re.search(rf"[xs)]\.{name}\(", text)]


@pytest.mark.parametrize("name", standin.UFUNCS.split())
def test_ufuncs_compute_what_numpy_computes_in_c_order(gpu, name):
    kind = np.int64 if re.match("bitwise|gcd|invert|lcm|ldexp|left|right", name) else np.float32
    host = np.asfortranarray(np.random.default_rng(1).integers(1, 5, (3, 4)).astype(kind))
    ours, theirs = getattr(gpu.xp, name), getattr(np, name)
    x = gpu.xp.asarray(host)
    assert x.flags.f_contiguous
    with np.errstate(all="ignore"):
        expected = theirs(*[host] * theirs.nin)
    y = ours(*[x] * ours.nin)
    assert y.dtype == expected.dtype
    assert y.flags.c_contiguous
    rtol = 0 if gpu.name == "standin" else 1e-5
    np.testing.assert_allclose(y.get(), expected, rtol)
    out = gpu.xp.empty(y.shape, y.dtype)
    assert ours(*[x] * ours.nin, out=out) is out
    np.testing.assert_allclose(out.get(), expected, rtol)


# Refusals.

X = standin.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))
HOST = np.ones((2, 3), np.float32)

REFUSED = {
    "np.exp(X)": TypeError,
    "np.add(X, 1)": TypeError,
    "np.sum(X)": TypeError,
    "np.concatenate([X, X])": TypeError,
    "np.asarray(X)": TypeError,
    "np.array([X, X])": TypeError,
    "np.float64(X)": TypeError,
    "np.copyto(HOST, X)": TypeError,
    "HOST.__setitem__(..., X)": TypeError,
    "HOST + X": TypeError,
    "X + HOST": TypeError,
    "X @ HOST.T": TypeError,
    "HOST @ X.T": TypeError,
    "X == HOST": TypeError,
    "HOST < X": TypeError,
    "X + [1, 2, 3]": TypeError,
    "[1, 2, 3] + X": TypeError,
    "X * np.array(2.0)": TypeError,
    "X * None": TypeError,
    "X == None": TypeError,
    "X + '1'": TypeError,
    "X.__iadd__(HOST)": TypeError,
    "X.__setitem__(0, HOST[0])": TypeError,
    "X.__setitem__(0, [1, 2, 3])": TypeError,
    "X.fill(np.array(1.0))": TypeError,
    "standin.exp(HOST)": TypeError,
    "standin.exp([1.0])": TypeError,
    "standin.sum(HOST)": TypeError,
    "standin.sum([1.0])": TypeError,
    "standin.sum(3.0)": TypeError,
    "standin.where(True, X, X)": TypeError,
    "standin.where(X > 0, X)": ValueError,
    "standin.concatenate([X, HOST])": TypeError,
    "standin.concatenate(X)": TypeError,
    "standin.matmul(X, HOST.T)": TypeError,
    "standin.add.at(HOST, 0, 1.0)": TypeError,
    "standin.add.at(X, 0, HOST[0])": TypeError,
    "standin.add.at(X.astype('int16'), 0, 1)": TypeError,
    "standin.multiply.at(X, 0, 2.0)": NotImplementedError,
    "standin.maximum.reduce(X)": NotImplementedError,
    "standin.add.reduce(HOST)": TypeError,
    "standin.exp.accumulate(X)": NotImplementedError,
    "standin.einsum('ij->i', HOST)": TypeError,
    "standin.einsum('ij->i', X, out=X)": TypeError,
    "standin.einsum(X, [0, 1])": TypeError,
    "standin.sum(X, where=X > 0)": TypeError,
    "standin.sum(X, initial=0)": TypeError,
    "standin.max(X, initial=0)": TypeError,
    "X.mean(where=X > 0)": TypeError,
    "standin.exp(X, where=X > 0)": TypeError,
    "standin.exp(X, out=HOST)": TypeError,
    "standin.exp(X, out=standin.zeros((3, 2)))": ValueError,
    "standin.exp(X, order='F')": TypeError,
    "standin.add(X, X, out=standin.zeros((2, 3), int))": TypeError,
    "standin.sum(X, axis=X[0, 0])": TypeError,
    "standin.zeros(standin.asarray([2, 3]))": TypeError,
    "standin.zeros(np.array([2, 3]))": TypeError,
    "standin.clip(X, min=0, max=1)": TypeError,
    "standin.clip(X, None, None)": ValueError,
    "standin.sum(X[0, 0], axis=0)": ValueError,
    "X[0, 0].max(axis=-1)": ValueError,
    "X[0, 0].cumsum(0)": ValueError,
    "standin.sort(X[0, 0])": ValueError,
    "X[0, 0].nonzero()": ValueError,
    "standin.shares_memory(X, X[0, 0])": ValueError,
    "standin.sort(X, kind='quicksort')": ValueError,
    "X.argsort(kind='heapsort')": ValueError,
    "standin.pad(X, 1, mode='median')": ValueError,
    "standin.pad(X, 1, mode='edge', constant_values=1)": ValueError,
    "standin.pad(X, 1, mode=lambda *a: None)": ValueError,
    "standin.repeat(X, [1, 2], axis=0)": TypeError,
    "standin.array(X, subok=True)": NotImplementedError,
    "X.astype('f8', casting='safe')": TypeError,
    "X.view(type=np.ndarray)": ValueError,
    "X.tolist(1)": TypeError,
    "X.item(0)": TypeError,
    "standin.zeros(3, dtype=object)": ValueError,
    "standin.zeros(3, dtype=np.longdouble)": ValueError,
    "standin.asarray('text')": ValueError,
    "standin.asarray(None)": ValueError,
    "X[X]": IndexError,
    "X[0.0]": IndexError,
    "X[True]": IndexError,
    "X['a']": IndexError,
    "X[standin.asarray([0, 2])]": IndexError,
    "X[standin.asarray(1):]": TypeError,
    "range(X[0, 0].astype(int))": TypeError,
    "X[0][standin.asarray([0, 0])].__class__ and X[0].__setitem__([0, 0], X[0, :2])": IndexError,
    "standin.put_along_axis(X, standin.zeros((2, 2), int), X[:, :2], 1)": IndexError,
    "hash(X)": TypeError,
    "bool(X)": ValueError,
    "bool(X[:0])": ValueError,
    "X.item()": ValueError,
    "len(X[0, 0])": TypeError,
    "iter(X[0, 0])": TypeError,
    "X.flags.writeable": AttributeError,
    "X.flags['WRITEABLE']": KeyError,
    "X.setflags(write=False)": AttributeError,
    "X.tostring()": AttributeError,
    "setattr(X, 'name', 'x')": AttributeError,
    "standin.errstate()": AttributeError,
    "standin.random": AttributeError,
    "standin.linalg.lstsq": AttributeError,
    "standin.ndarray((2,), memptr=0)": NotImplementedError,
    "X.get(out=np.zeros(3))": TypeError,
    "X.set(X)": TypeError,
    "standin.broadcast_to(X, (2, 2, 3)).fill(0)": ValueError,
}


@pytest.mark.parametrize("expression", REFUSED)
def test_refuses(expression):
    before = X.get()
    with pytest.raises(REFUSED[expression]):
        eval(expression)
    np.testing.assert_array_equal(X.get(), before)


def test_the_refusals_name_what_was_refused():
    with pytest.raises(TypeError, match=r"Implicit conversion to a NumPy array is not allowed. Please use `.get\(\)`"):
        np.asarray(X)
    with pytest.raises(TypeError, match=r"add: expected an array of the device, not <class 'numpy.ndarray'>"):
        X + HOST
    with pytest.raises(TypeError, match=r"sum: got an unexpected keyword argument 'where'; in CuPy it is sum\(a"):
        standin.sum(X, where=X > 0)
    with pytest.raises(AttributeError, match=r"'cov'; if CuPy has it, add it to the tables of tests/standin.py"):
        _ = standin.cov


def test_an_operand_with_operators_of_its_own_takes_over():
    class Tensor:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "radd"

        def __rpow__(self, other):
            return "rpow"

        def __rmatmul__(self, other):
            return "rmatmul"

        def __gt__(self, other):
            return "gt"

    tensor = Tensor()
    assert [X + tensor, X**tensor, X @ tensor] == ["radd", "rpow", "rmatmul"]
    assert operator.lt(X, tensor) == "gt"
    with pytest.raises(TypeError):
        X.__iadd__(tensor)


# Synchronisations.

WAITS = {
    "bool(x[0, 0])": 1,
    "int(x[0, 0])": 1,
    "float(x[0, 0])": 1,
    "complex(x[0, 0])": 1,
    "x[0, 0].item()": 1,
    "x.get()": 1,
    "x.tolist()": 1,
    "x.tobytes()": 1,
    "repr(x)": 1,
    "str(x)": 1,
    "f'{x[0, 0]:.2f}'": 1,
    "list(x[0])": 1,
    "sum(x[0])": 1,
    "0.5 in x[0]": 1,
    "pickle.dumps(x)": 1,
    "xp.asnumpy(x)": 1,
    "xp.nonzero(x)": 1,
    "x.nonzero()": 1,
    "xp.argwhere(x)": 1,
    "xp.flatnonzero(x)": 1,
    "xp.where(x > 0)": 1,
    "xp.unique(x)": 1,
    "xp.bincount(x[0].astype(int))": 1,
    "xp.shares_memory(x, x[0])": 1,
    "xp.lib.stride_tricks.sliding_window_view(x, (2, 2))": 1,
    "xp.array_equal(x, x, equal_nan=True)": 1,
    "xp.array(x, blocking=True)": 1,
    "x[x > 0]": 1,
    "x.__setitem__(x > 0, 0)": 1,
    "xp.add.at(x, x > 0, 1)": 1,
    "xp.cuda.Stream.null.synchronize()": 1,
    "xp.cuda.get_current_stream().synchronize()": 1,
    "xp.cuda.Device().synchronize()": 1,
    "xp.cuda.runtime.deviceSynchronize()": 1,
}
HOST_COPIES = [
    "xp.asarray(host)",
    "xp.array(host)",
    "xp.asarray([1.0, 2.0])",
    "xp.asarray(np.array(1.0))",
    "x.set(host)",
    "x[[0, 1]]",
    "x[host[0, :2].astype(int)]",
    "xp.concatenate([x] * 9)",
    "xp.stack([x] * 9)",
]
ASYNCHRONOUS = [
    "x + 1",
    "x.sum()",
    "x[0, 0] * 2",
    "x[0]",
    "x[xp.zeros(2, int)]",
    "[row for row in x]",
    "x.__setitem__(0, 1.0)",
    "x.__setitem__(xp.zeros(2, int), 0.0)",
    "xp.add.at(x, xp.zeros(2, int), 1.0)",
    "xp.asarray(2.0)",
    "xp.asarray(x)",
    "xp.asnumpy(np.ones(3))",
    "xp.array_equal(x, x)",
    "xp.allclose(x, x)",
    "xp.may_share_memory(x, x)",
    "xp.where(x > 0, x, 0.0)",
    "xp.copyto(x, 0.0, where=x > 0)",
    "xp.take_along_axis(x, xp.zeros((2, 1), int), 1)",
    "xp.concatenate([x] * 8)",
    "xp.linalg.qr(x)",
    "copy.deepcopy(x)",
    "(x.shape, x.dtype, x.size, len(x), x.flags, x.base)",
]


def _evaluate(expression):
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    names = {"x": standin.asarray(host), "host": host, "xp": standin, "np": np, "copy": copy, "pickle": pickle}
    return lambda: eval(expression, names)


@pytest.mark.parametrize("expression", WAITS)
def test_waiting_is_counted_and_refused_while_capturing(expression):
    evaluate, before = _evaluate(expression), standin.sync_count
    with count_syncs() as syncs:
        evaluate()
    assert syncs.count >= WAITS[expression]
    assert standin.sync_count == before + syncs.count
    with capturing(), pytest.raises(RuntimeError, match="while a stream is capturing"):
        evaluate()
    assert standin.sync_count == before + syncs.count


@pytest.mark.parametrize("expression", HOST_COPIES)
def test_a_copy_from_the_host_is_refused_while_capturing(expression):
    evaluate = _evaluate(expression)
    with count_syncs() as syncs:
        evaluate()
    assert syncs.count == 0, syncs
    with capturing(), pytest.raises(RuntimeError, match="copies from the host"):
        evaluate()


@pytest.mark.parametrize("expression", ASYNCHRONOUS)
def test_work_on_the_device_waits_for_nothing(expression):
    evaluate = _evaluate(expression)
    with capturing(), count_syncs() as syncs:
        evaluate()
    assert syncs.count == 0, syncs


@pytest.mark.parametrize(
    "expression",
    [
        *("x @ x.T", "xp.matmul(x, x[0])", "xp.dot(x, x.T)", "x.dot(x.T)", "xp.tensordot(x, x)", "xp.inner(x, x)"),
        *("xp.einsum('ij,kj->ik', x, x)", "xp.matmul(x.astype('e'), x.T.astype('e'))"),
    ],
)
def test_cublas_is_refused_while_capturing(expression):
    evaluate = _evaluate(expression)
    evaluate()
    with capturing(cublas=False), pytest.raises(NotImplementedError, match="cuBLAS API during stream capture"):
        evaluate()


@pytest.mark.parametrize("expression", ["x[0] @ x[0]", "xp.outer(x[0], x[0])", "x.astype(int) @ x.T.astype(int)"])
def test_products_by_kernels_of_cupys_own_can_be_captured(expression):
    evaluate = _evaluate(expression)
    with capturing(cublas=False):
        evaluate()


def test_counts_nest_and_say_what_waited():
    with count_syncs() as outer:
        float(X[0, 0])
        with count_syncs() as inner:
            X.nonzero()
    float(X[0, 0])
    assert inner.names == ["nonzero"]
    assert outer.names[:2] == ["get", "nonzero"]
    assert repr(inner) == "1 synchronisations: nonzero"


def test_capturing_nests_and_ends_with_an_exception():
    with pytest.raises(KeyError), capturing():
        with capturing():
            pass
        with pytest.raises(RuntimeError):
            X.get()
        raise KeyError
    X.get()


# Arrays.


def test_views_know_their_owner_and_see_its_memory():
    x = standin.zeros((3, 4))
    view = x.T[1:].reshape(3, 3, 1)[..., 0].view()
    assert x.base is None
    assert view.base is x
    assert (x.flags.owndata, view.flags.owndata) == (True, False)
    view.fill(1)
    assert float(x.sum()) == 9
    x[2, 3].fill(5)
    assert float(x.max()) == 5
    assert standin.shares_memory(x, view)
    assert not standin.may_share_memory(x, x.copy())


def test_in_place_operators_write_into_the_same_array():
    for symbol in ("add", "sub", "mul", "truediv", "pow", "mod", "floordiv"):
        x = y = standin.full((2, 3), 4.0)
        view = x[0]
        expected = getattr(np.full((2, 3), 4.0), f"__i{symbol}__")(3)
        x = getattr(x, f"__i{symbol}__")(3)
        assert x is y
        np.testing.assert_array_equal(view.get(), expected[0])
    x = standin.asarray(np.array([5, 6]))
    x <<= 2
    x >>= 1
    x |= 1
    x &= 7
    x ^= standin.asarray(np.array([1, 2]))
    assert x.tolist() == [((5 << 1) | 1) & 7 ^ 1, ((6 << 1) | 1) & 7 ^ 2]


def test_assignment():
    x = standin.zeros((3, 4))
    x[0] = 1
    x[1, :2] = standin.asarray(np.array([2.0, 3.0]))
    x[:, -1] = np.float32(7)
    x[standin.asarray([2, 0]), 1] = standin.asarray(np.array([8, 9]))
    x[x == 0] = -1
    expected = [[1, 9, 1, 7], [2, 3, -1, 7], [-1, 8, -1, 7]]
    assert x.tolist() == expected
    standin.add.at(x, standin.asarray([0, 0]), 1.0)
    assert x[0].tolist() == [3, 11, 3, 9]
    counts = standin.full(2, 5, np.int32)
    standin.add.at(counts, standin.asarray([1, 1, 0]), standin.asarray([-1.5, -1.5, -2.5]))  # each cast before it adds
    assert counts.tolist() == [3, 3]
    standin.maximum.at(x, (slice(None), 0), 2.5)
    assert x[:, 0].tolist() == [3, 2.5, 2.5]
    standin.copyto(x, 0.0, where=x > 2.5)
    assert float(x.max()) == 2.5
    standin.put_along_axis(x, standin.zeros((3, 1), int), 5.0, axis=1)
    assert x[:, 0].tolist() == [5, 5, 5]
    x[0].sort()
    assert x[0].tolist() == [0, 0, 0, 5]


def test_a_0d_array_gathers_as_an_index_where_an_int_views():
    i = standin.asarray(1)
    assert X[i].base is None
    assert X[1].base is X
    assert X[i].tolist() == X[1].tolist() == [3, 4, 5]


def test_memory_order():
    f = standin.asarray(np.asfortranarray(np.ones((3, 4))))
    assert f.flags.fnc
    assert f.flags["F_CONTIGUOUS"]
    assert (f + f).flags.c_contiguous
    assert (f * 2.0).flags.c_contiguous
    assert (f > 0).flags.c_contiguous
    assert standin.where(f > 0, f, f).flags.c_contiguous
    assert f.copy().flags.c_contiguous
    for keeps in (standin.copy(f), f.astype("f4"), standin.zeros_like(f), standin.empty_like(f), standin.pad(f, 1)):
        assert keeps.flags.fnc
    strided = standin.asarray(np.ones((3, 4, 2)).transpose(1, 0, 2))
    assert strided.flags.c_contiguous
    assert f.get().flags.c_contiguous
    assert f.get(order="A").flags.f_contiguous


def test_fresh_memory_holds_the_worst():
    assert np.isnan(standin.empty(3).get()).all()
    assert np.isnan(standin.ndarray((2, 2), np.float32).get()).all()
    assert standin.empty(2, np.int16).tolist() == [2**15 - 1] * 2
    assert standin.empty_like(standin.zeros(2, bool)).tolist() == [True, True]


def test_get_and_set():
    x = standin.asarray(np.arange(3.0))
    host = x.get()
    host[0] = 9
    assert x.tolist() == [0, 1, 2]
    out = np.zeros(3)
    assert x.get(out=out) is out
    np.testing.assert_array_equal(out, [0, 1, 2])
    x.set(np.ones(3))
    assert x.tolist() == [1, 1, 1]
    source = np.ones(3)
    y = standin.asarray(source)
    source[0] = 5
    assert y.tolist() == [1, 1, 1]


def test_copies_and_pickles_are_arrays_of_the_device():
    for twin in (copy.copy(X), copy.deepcopy(X), pickle.loads(pickle.dumps(X))):
        assert type(twin) is standin.ndarray
        assert not standin.may_share_memory(twin, X)
        np.testing.assert_array_equal(twin.get(), X.get())


def test_an_array_dies_with_its_last_reference():
    x = standin.zeros(3)
    view, ref = x[1:], weakref.ref(x)
    gc.disable()
    try:
        del x
        assert ref() is not None
        del view
        assert ref() is None
    finally:
        gc.enable()


def test_no_floating_point_warning_as_on_a_gpu():
    x = standin.asarray(np.array([0.0, -1.0, 1e300]))
    with np.errstate(all="raise"):
        assert np.isposinf((1 / x).get()[0])
        assert np.isnan(standin.log(x).get()[1])
        assert (x * 1e300).astype("f4").get()[2] == np.inf
        assert np.isnan((x / x).mean().get())


def test_host_answers():
    assert standin.result_type(X, 1.0) == np.float32
    assert standin.result_type(X, np.float64) == np.float64
    assert standin.promote_types("f4", "f8") == np.float64
    assert standin.can_cast("f4", "f8") is True
    assert standin.broadcast_shapes((3, 1), (4,)) == (3, 4)
    assert (standin.ndim(X), standin.shape(X)) == (2, (2, 3))
    assert (standin.isscalar(3.0), standin.isscalar(X)) == (True, False)
    assert standin.issubdtype(X.dtype, standin.floating)
    assert type(standin.asnumpy(X)) is np.ndarray
    assert standin.cuda.runtime.getDeviceCount() == 1
    assert X.device.id == 0
    assert X.data.ptr == X.view().data.ptr
    assert (X.nbytes, X.itemsize, X.strides, X.size, len(X)) == (24, 4, (12, 4), 6, 2)
    assert repr(standin.exp) == "<ufunc 'exp'>"


# Against CuPy itself, which can be imported without a GPU.


@pytest.fixture(scope="module")
def cupy():
    return pytest.importorskip("cupy")


def _parameters(signature):
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


@pytest.mark.parametrize(
    ("table", "path"),
    [
        (standin.FUNCTIONS, ()),
        (standin.LINALG, ("linalg",)),
        (standin.STRIDE_TRICKS, ("lib", "stride_tricks")),
    ],
)
def test_functions_have_the_signatures_of_cupy(cupy, table, path):
    module, host = cupy, np
    for name in path:
        module, host = getattr(module, name), getattr(host, name)
    wrong = []
    for name, signature in standin.signatures(table).items():
        assert hasattr(host, name) or name == "asnumpy"
        if _parameters(signature) != _parameters(inspect.signature(getattr(module, name))):
            wrong.append(f"{name}{inspect.signature(getattr(module, name))}")
    assert not wrong


def test_methods_have_the_signatures_of_cupy(cupy):
    wrong = []
    for name, signature in standin.signatures(standin.METHODS).items():
        assert hasattr(np.ndarray, name)
        documented = getattr(cupy.ndarray, name).__doc__.splitlines()[0]
        documented = re.sub(r"\b(_ndarray_base|Py_ssize_t|int) (?=\w)", "", documented).partition(" -> ")[0]
        plain = signature.replace(parameters=[p.replace(annotation=p.empty) for p in signature.parameters.values()])
        if documented != f"_ndarray_base.{name}{plain}":
            wrong.append(documented)
    assert not wrong


def test_every_attribute_of_an_array_is_one_of_cupy(cupy):
    ours = {name for name in dir(standin.ndarray) if name != "_host"}
    assert not ours - set(dir(cupy.ndarray)) - set(dir(object)) - {"__slots__", "__weakref__"}
    flags = {name for name in dir(X.flags) if not name.startswith("_")}
    assert flags <= set(dir(cupy._core.flags.Flags))


def test_every_other_name_is_one_of_cupy(cupy):
    for name in standin.SHARED.split():
        assert getattr(cupy, name) is getattr(np, name) or name in ("e", "inf", "nan", "pi", "dtype"), name
        assert hasattr(cupy, name)
    for name in standin.UFUNCS.split():
        assert isinstance(getattr(cupy, name), cupy.ufunc), name
        assert (getattr(cupy, name).nin, getattr(cupy, name).nout) == (getattr(standin, name).nin, 1)
    assert hasattr(cupy, "matmul")
    for name in ("Device", "Stream", "get_current_stream", "is_available"):
        assert hasattr(cupy.cuda, name)
    assert hasattr(cupy.cuda.runtime, "getDeviceCount")
    assert hasattr(cupy.cuda.runtime, "deviceSynchronize")
    assert hasattr(cupy.cuda.Stream, "null")


def test_scattering_ufuncs_are_those_of_cupy(cupy):
    assert {name for name in standin.UFUNCS.split() if getattr(cupy, name)._scatter_op} == standin.ATOMIC.keys()


def test_padding_modes_are_those_of_cupy(cupy):
    source = inspect.getsource(cupy.pad)
    table = re.search(r"allowed_kwargs = (\{.*?\n    \})", source, re.DOTALL)
    assert eval(table[1]).keys() == set(standin.PAD_MODES.split())


KINDS = [np.dtype(kind) for kind in "?BilLefd"]


def _promotions(nin):
    """Pairs of argument types and of Python types where the argument is a Python scalar."""
    if nin == 1:
        return [((kind,), (False,)) for kind in KINDS]
    pairs = [((a, b), (False, False)) for a in KINDS for b in KINDS]
    for weak in (int, float):
        pairs += [((a, np.dtype(weak)), (False, weak)) for a in KINDS]
        pairs += [((np.dtype(weak), a), (weak, False)) for a in KINDS]
    return pairs


def test_types_promote_as_in_cupy(cupy):
    """CuPy takes the first loop to which the arguments cast; Python's scalars are weak unless of a higher kind."""
    rank, wrong = {"b": 0, "i": 1, "u": 1, "f": 2}, []
    for name in standin.UFUNCS.split():
        ours, ops = getattr(standin, name), getattr(cupy, name)._ops
        for types, weaks in _promotions(ours.nin):
            array = max(rank[t.kind] for t, weak in zip(types, weaks, strict=True) if not weak)
            scalar = max((rank[np.dtype(weak).kind] for weak in weaks if weak), default=3)
            loop = ops._guess_routine_from_in_types(types, weaks if array >= scalar else (False,) * len(types))
            expected = None if loop is None or loop.error_func else np.dtype(loop.out_types[0])
            try:
                result = ours(*[w(1) if w else standin.ones(2, t) for t, w in zip(types, weaks, strict=True)]).dtype
            except TypeError:
                result = None
            if result != expected and (name, types) != ("sign", (np.dtype(bool),)):  # which NumPy refuses
                wrong.append((name, types, weaks, result, expected))
    assert not wrong


# The fixture.


def test_the_fixture_makes_its_backend_the_current_device(backend):
    assert tg.current_device() == ("cpu" if backend.name == "numpy" else "cuda")
    assert tg.current_module() is backend.xp
    x = backend.asarray([[1.0, 2.0]], dtype=np.float32)
    assert tg.array_module(x) is backend.xp
    assert (x.dtype, x.shape) == (np.float32, (1, 2))
    assert type(backend.to_host(x)) is np.ndarray


def test_the_fixture_is_undone():
    assert tg.current_device() == "cpu"
    assert standin.ndarray not in tg._module_of
    assert tg._modules.get("cuda") is not standin
