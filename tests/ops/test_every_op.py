"""What holds for every op: each case of tinygen/selfcheck/table.py, in float32 and float64, on each backend."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest
import scipy.special
from derivatives import derivatives

import tinygen as tg
from tinygen import selfcheck
from tinygen.selfcheck import CASES
from tinygen.selfcheck.case import tensors_in
from tinygen.tensor import Tensor

if selfcheck.missing():
    raise AssertionError(f"no case in tinygen/selfcheck/table.py for {', '.join(selfcheck.missing())}")

OPS = [case for case in CASES if case.build is None]
each_case = pytest.mark.parametrize("case", OPS, ids=repr)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def batch_norm(x, gamma, beta, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axes)) / np.sqrt(x.var(axes) + eps) + beta


def put(gy, shape, form, *arrays):
    gx = np.zeros(shape, gy.dtype)
    np.add.at(gx, arrays or form, gy)
    return gx


def same(size, kernel_size, stride):
    """TensorFlow's padding of one axis."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def geometry(size, kernel_size, stride, padding):
    """The stride as a pair, the padding as two pairs, and how many windows fit along each axis."""
    strides = (stride, stride) if isinstance(stride, int) else stride
    if padding == "same":
        pads = [same(n, k, s) for n, k, s in zip(size, kernel_size, strides, strict=True)]
    else:
        pads = [(padding, padding)] * 2 if isinstance(padding, int) else [(0, 0)] * 2 if padding == "valid" else padding
    return (
        strides,
        pads,
        [(n + sum(p) - k) // s + 1 for n, k, s, p in zip(size, kernel_size, strides, pads, strict=True)],
    )


def im2col(x, kernel_size, stride=1, padding=0, fill=0.0):
    """One window at a time."""
    kh, kw = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    (sh, sw), pads, (oh, ow) = geometry(x.shape[1:3], (kh, kw), stride, padding)
    x = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=fill)
    windows = [x[:, i * sh : i * sh + kh, j * sw : j * sw + kw] for i in range(oh) for j in range(ow)]
    return np.stack(windows, 1).reshape(len(x), oh, ow, kh, kw, x.shape[3])


def col2im(cols, size, stride=1, padding=0):
    """One window at a time, each added to what is there."""
    n, oh, ow, kh, kw, c = cols.shape
    (sh, sw), ((top, bottom), (left, right)), _ = geometry(size, (kh, kw), stride, padding)
    x = np.zeros((n, size[0] + top + bottom, size[1] + left + right, c), cols.dtype)
    for i, j in np.ndindex(oh, ow):
        x[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += cols[:, i, j]
    return x[:, top : top + size[0], left : left + size[1]]


def spread(w, dilation):
    """A kernel with zeros between its rows and columns."""
    dh, dw = (dilation, dilation) if isinstance(dilation, int) else dilation
    wide = np.zeros((dh * (w.shape[0] - 1) + 1, dw * (w.shape[1] - 1) + 1, *w.shape[2:]), w.dtype)
    wide[::dh, ::dw] = w
    return wide


def conv2d(x, w, stride=1, padding=0, dilation=1, groups=1):
    """Σ of window times kernel, group by group."""
    w = spread(w, dilation)
    cols = im2col(x, w.shape[:2], stride, padding)
    parts = zip(np.split(cols, groups, -1), np.split(w, groups, -1), strict=True)
    return np.concatenate([np.einsum("nijklc,klco->nijo", c, part) for c, part in parts], -1)


def conv_transpose2d(x, w, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Each x spreads its multiple of the kernel over a window of the result, group by group."""
    w = spread(w, dilation)
    (h, v), kernel_size = x.shape[1:3], w.shape[:2]
    strides, pads, _ = geometry((h, v), kernel_size, stride, 0 if padding == "same" else padding)
    extra = (output_padding, output_padding) if isinstance(output_padding, int) else output_padding
    if padding == "same":
        size = [a * s + e for a, s, e in zip((h, v), strides, extra, strict=True)]
    else:
        parts = zip((h, v), kernel_size, strides, pads, extra, strict=True)
        size = [(a - 1) * s + k - sum(p) + e for a, k, s, p, e in parts]
    parts = zip(np.split(x, groups, -1), np.split(w, groups, -1), strict=True)
    return np.concatenate(
        [col2im(np.einsum("nijo,klco->nijklc", g, part), size, stride, padding) for g, part in parts], -1
    )


def conv2d_weight_grad(x, gy, kernel_size, stride=1, padding=0):
    return np.einsum("nijklc,nijo->klco", im2col(x, kernel_size, stride, padding), gy)


def max_pool2d(x, window, stride=None, padding=0):
    return im2col(x, window, stride or window, padding, -np.inf).max((3, 4))


def avg_pool2d(x, window, stride=None, padding=0):
    """The mean of what is not padding."""
    return np.nanmean(im2col(x, window, stride or window, padding, np.nan), (3, 4), dtype=x.dtype)


def upsample_bilinear(x, scale):
    """Between the two nearest pixels, along one axis after the other."""
    y = x
    for axis, s in zip((1, 2), np.broadcast_to(scale, 2), strict=True):
        places = (np.arange(x.shape[axis] * s) + 0.5) / s - 0.5
        before = np.floor(places).astype(int)
        after = (places - before).reshape([-1 if i == axis else 1 for i in range(4)])
        left, right = (y.take(np.clip(i, 0, x.shape[axis] - 1), axis) for i in (before, before + 1))
        y = left * (1 - after) + right * after
    return y


def pixel_shuffle(x, r):
    """Pixel by pixel of each block."""
    n, h, w, c = x.shape
    y = np.zeros((n, h * r, w * r, c // r**2), x.dtype)
    for i, j in np.ndindex(r, r):
        y[:, i::r, j::r] = x[..., i * r + j :: r * r]
    return y


ORACLES = {  # of what NumPy does not have under the same name
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: -scipy.special.log_expit(-x),
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x, slope=0.2: np.where(x > 0, x, slope * x),
    "_leaky_relu_grad": lambda gy, y, slope: np.where(y > 0, gy, slope * gy),
    "dropout": lambda x, kept, scale: np.where(kept, scale * x, 0),
    "elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x)),
    "sigmoid_cross_entropy": lambda x, t: -t * scipy.special.log_expit(x) - (1 - t) * scipy.special.log_expit(-x),
    "_sigmoid_cross_entropy_grad": lambda gy, x, t: gy * (scipy.special.expit(x) - t),
    "dense": lambda x, w, b: x @ w + b,
    "clip": lambda x, min=-np.inf, max=np.inf: np.clip(x, -np.inf if min is None else min, max).astype(x.dtype),
    "astype": lambda x, dtype: x.astype(dtype),
    "logsumexp": scipy.special.logsumexp,
    "softmax": lambda x, axis=-1: scipy.special.softmax(x, axis),
    "log_softmax": lambda x, axis=-1: scipy.special.log_softmax(x, axis),
    "getitem": operator.getitem,
    "put": put,
    "im2col": im2col,
    "col2im": col2im,
    "textbook_conv2d": conv2d,
    "conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
    "conv2d_weight_grad": conv2d_weight_grad,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "upsample_nearest": lambda x, scale: np.kron(x, np.ones((1, *np.broadcast_to(scale, 2), 1), x.dtype)),
    "upsample_bilinear": upsample_bilinear,
    "pixel_shuffle": pixel_shuffle,
    "batch_norm": batch_norm,
    "batch_norm_with_statistics": lambda x, gamma, beta: (batch_norm(x, gamma, beta), x.mean(0), x.var(0)),
}
ORACLES |= {case.name: getattr(np, case.name) for case in OPS if case.name not in ORACLES}


def host_arrays(case, dtype):
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.arrays()]


def tensors(arrays):
    return [Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]


def listed(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def data(result):
    return [y.data if isinstance(y, Tensor) else y for y in listed(result)]


def snapshot(backend, arrays):
    return [backend.to_host(a).tobytes() for a in arrays]


def with_gradient(result):
    """The first of the results that is on the tape, or None."""
    return next((y for y in listed(result) if isinstance(y, Tensor) and y.requires_grad), None)


@each_case
def test_gradients_of_first_and_second_order(case):
    case.check()


def derivatives_of(case):
    f = case.function()
    return derivatives(lambda *xs: tensors_in(f(*xs)), case.arrays())


@each_case
def test_a_gpu_has_the_gradients_of_both_orders_that_were_checked(case, gpu):
    found = derivatives_of(case)
    with tg.use("cpu"):
        checked = derivatives_of(case)
    for y, right in zip(found, checked, strict=True):
        np.testing.assert_allclose(y, right, rtol=1e-11, atol=1e-12)


@each_case
@each_dtype
def test_forward(case, dtype, backend):
    """Arrays give arrays, Tensors the same to the bit; NumPy's values, of the right dtype; nothing is changed."""
    hosts = host_arrays(case, dtype)
    arrays = [backend.asarray(a) for a in hosts]
    before = snapshot(backend, arrays)
    f = case.function()
    raw, recorded = f(*arrays), f(*tensors(arrays))
    assert snapshot(backend, arrays) == before
    assert all(type(y) is backend.xp.ndarray for y in listed(raw)), "arrays must give arrays, 0-d ones too"
    assert isinstance(listed(recorded)[0], Tensor)
    assert all(type(y) is backend.xp.ndarray for y in data(recorded))
    assert snapshot(backend, data(recorded)) == snapshot(backend, listed(raw))
    oracle = ORACLES[case.name]
    expected = oracle(*case.arguments(hosts), **case.options)
    for y, right in zip(listed(raw), listed(expected), strict=True):
        right = np.asarray(right)
        assert y.shape == right.shape
        assert y.dtype == (case.args[1] if case.name == "astype" else dtype if right.dtype.kind == "f" else right.dtype)
        close = {"rtol": 2e-6, "atol": 2e-6} if dtype is np.float32 else {"rtol": 1e-13, "atol": 1e-14}
        np.testing.assert_allclose(backend.to_host(y), right, **close)


@each_case
@each_dtype
def test_backward(case, dtype, backend):
    """Gradients have their inputs' shape and dtype and memory of their own, from grad() and backward() alike."""
    arrays = [backend.asarray(a) for a in host_arrays(case, dtype)]
    xs = tensors(arrays)
    y = with_gradient(case.function()(*xs))
    leaves = [x for x in xs if isinstance(x, Tensor)]
    if y is None:
        assert case.name.startswith(("equal", "not_equal", "less", "greater", "argmax", "sign"))
        return
    gy = backend.asarray(np.random.default_rng(1).standard_normal(y.shape), y.dtype)
    known = [*arrays, y.data, gy]
    before = snapshot(backend, known)
    grads = [g.data for g in tg.grad(y, leaves, gy, retain_graph=True, unused="zeros")]
    y.backward(gy)
    accumulated = [x.grad.data for x in leaves if x.grad is not None]
    assert snapshot(backend, known) == before
    for x, g in zip(leaves, grads, strict=True):
        assert type(g) is backend.xp.ndarray
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
    reached = [g for g, x in zip(grads, leaves, strict=True) if x.grad is not None]
    assert snapshot(backend, accumulated) == snapshot(backend, reached)
    for i, g in enumerate(mine := [*grads, *accumulated]):
        assert not any(backend.shares_memory(g, other) for other in [*known, *mine[:i]])


def transposed(xp, x):
    return x.transpose().copy().transpose()


def strided(xp, x):
    wide = xp.zeros((2 * x.shape[0], *x.shape[1:]), x.dtype)
    wide[::2] = x
    return wide[::2]


def backwards(xp, x):
    reverse = (slice(None, None, -1),) * x.ndim
    return x[reverse].copy()[reverse]


def repeated(xp, x):
    return xp.broadcast_to(x[:1], x.shape)


def outcome(case, backend, inputs, lay=lambda xp, x: x):
    """What an op returns, and the gradients for a gy that lies in memory as the inputs do."""
    xs = tensors(inputs)
    result = case.function()(*xs)
    y = with_gradient(result)
    grads = []
    if y is not None:
        gy = backend.asarray(np.random.default_rng(1).standard_normal(y.shape))
        grads = tg.grad(
            y, [x for x in xs if isinstance(x, Tensor)], lay(backend.xp, gy) if gy.ndim else gy, unused="zeros"
        )
    return [backend.to_host(a) for a in (*data(result), *data(grads))]


@pytest.mark.parametrize("case", [c for c in OPS if any(a.ndim and a.size for a in c.arrays())], ids=repr)
def test_any_memory_layout(case, backend):
    for lay in (transposed, strided, backwards, repeated):
        arrays = [backend.asarray(a) for a in case.arrays()]
        odd = [lay(backend.xp, x) if x.ndim else x for x in arrays]
        plain = [x.copy() for x in odd]
        expected = outcome(case, backend, plain)
        found = outcome(case, backend, odd, strided if lay is repeated else lay)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13, err_msg=lay.__name__)
