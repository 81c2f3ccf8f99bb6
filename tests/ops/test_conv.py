"""Convolutions: what they mean, that the three are adjoint, in every order and memory layout, and what they refuse."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import standin
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygen as tg
from tinygen import ops
from tinygen.ops.windows import resolve_padding


def draw(backend, *shape, dtype=np.float64):
    return backend.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), dtype)


def dot(a, b):
    return float(np.vdot(a, b))


# What they mean


def test_a_convolution_by_hand():
    """1x4 pixels and a 1x2 kernel: each output is w0·x[i] + w1·x[i + 1]; no filter is flipped."""
    x, w = np.array([1.0, 2.0, 4.0, 8.0]).reshape(1, 1, 4, 1), np.array([10.0, 1.0]).reshape(1, 2, 1, 1)
    assert ops.conv2d(x, w).ravel().tolist() == [12, 24, 48]
    assert ops.conv2d(x, w, stride=2).ravel().tolist() == [12, 48]
    assert ops.conv2d(x, w, padding=((0, 0), (1, 2))).ravel().tolist() == [1, 12, 24, 48, 80, 0]
    assert ops.conv2d(x, w, padding="same").ravel().tolist() == [12, 24, 48, 80]  # the odd one is to the right
    assert ops.conv2d(x, w, dilation=2).ravel().tolist() == [14, 28]
    assert ops.conv_transpose2d(x, w).ravel().tolist() == [10, 21, 42, 84, 8]
    assert ops.conv_transpose2d(x[:, :, :2], w, stride=3, output_padding=(0, 1)).ravel().tolist() == [
        *(10, 1, 0),
        *(20, 2, 0),
    ]


def test_im2col_shows_the_windows():
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    cols = ops.im2col(x, 2, stride=(1, 2))
    assert cols.shape == (1, 2, 2, 2, 2, 1)
    assert cols[0, :, :, :, :, 0].tolist() == [
        [[[0, 1], [4, 5]], [[2, 3], [6, 7]]],
        [[[4, 5], [8, 9]], [[6, 7], [10, 11]]],
    ]
    counts = ops.col2im(np.ones_like(cols), (3, 4), stride=(1, 2))
    assert counts[0, :, :, 0].tolist() == [[1] * 4, [2] * 4, [1] * 4]


@pytest.mark.parametrize("kernel_size", [(1, 1), (3, 2), (7, 6)])
@pytest.mark.parametrize("stride", [1, (2, 3)])
@pytest.mark.parametrize("padding", ["same", 3, ((2, 4), (3, 3))])
def test_the_textbook_and_the_primitive_agree(backend, kernel_size, stride, padding):
    x, w = draw(backend, 2, 5, 6, 3), draw(backend, *kernel_size, 3, 4)
    expected = backend.to_host(ops.textbook_conv2d(x, w, stride, padding))
    np.testing.assert_allclose(backend.to_host(ops.conv2d(x, w, stride, padding)), expected, rtol=1e-12, atol=1e-12)


# Shapes

SIZES, KERNELS, STRIDES = range(1, 10), (1, 2, 3, 4, 5, 8), (1, 2, 3, 5)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("kernel_size", KERNELS)
def test_same_is_that_of_tensorflow(kernel_size, stride):
    """⌈H / stride⌉ windows; the total padding of tf.nn's documentation; less of it above and to the left."""
    for n in SIZES:
        pads = resolve_padding("conv2d", "same", (n, n), (kernel_size, kernel_size), (stride, stride))
        total = max(kernel_size - stride, 0) if n % stride == 0 else max(kernel_size - n % stride, 0)
        assert pads == (((total // 2), total - total // 2),) * 2
        x, w = np.zeros((1, n, n, 1), np.float32), np.zeros((kernel_size, kernel_size, 1, 1), np.float32)
        y = ops.conv2d(x, w, stride, "same")
        assert y.shape == (1, math.ceil(n / stride), math.ceil(n / stride), 1)
        assert ops.conv_transpose2d(y, w, stride, "same").shape[1] == y.shape[1] * stride  # as Keras


def missing(x_shape, y_shape, kernel_size, stride, padding):
    """The output_padding with which the transposed convolution makes x_shape of y_shape again."""
    sides = zip(x_shape[1:3], y_shape[1:3], kernel_size, stride, strict=True)
    if padding == "same":
        return tuple(n - m * s for n, m, _, s in sides)
    pads = resolve_padding("conv2d", padding, x_shape[1:3], kernel_size, stride)
    return tuple((n + sum(p) - k) % s for (n, _, k, s), p in zip(sides, pads, strict=True))


@pytest.mark.parametrize("padding", ["same", "valid", 1, ((0, 2), (1, 0))])
def test_a_transposed_convolution_inverts_every_shape(padding):
    """Whatever size the convolution had, some output_padding brings it back."""
    for n, k, s in itertools.product(SIZES, KERNELS, STRIDES):
        x, w = np.zeros((1, n, n + 1, 2), np.float32), np.zeros((k, k, 2, 1), np.float32)
        try:
            y = ops.conv2d(x, w, s, padding)
        except ValueError:
            continue  # the kernel does not fit
        back = missing(x.shape, y.shape, (k, k), (s, s), padding)
        assert ops.conv_transpose2d(y, w, s, padding, back).shape == x.shape


# Adjoint


@st.composite
def geometries(draw):
    """An image, a kernel, a stride and a padding that fit together."""
    N, H, W, C, CO = (draw(st.integers(low, high)) for low, high in ((0, 2), (1, 6), (1, 6), (1, 3), (1, 3)))
    KH, KW, sh, sw = (draw(st.integers(1, high)) for high in (5, 5, 3, 3))
    padding = draw(st.one_of(st.sampled_from(["same", "valid"]), st.tuples(*[st.tuples(*[st.integers(0, 3)] * 2)] * 2)))
    (top, bottom), (left, right) = resolve_padding("conv2d", padding, (H, W), (KH, KW), (sh, sw))
    assume(H + top + bottom >= KH and W + left + right >= KW)
    return (N, H, W, C), (KH, KW, C, CO), (sh, sw), padding


@settings(derandomize=True, deadline=None, max_examples=60)
@given(geometries())
def test_the_three_are_adjoint(geometry):
    """<gy, conv(x, w)> = <conv_transpose(gy, w), x> = <weight_grad(x, gy), w>, and the transposed one inverts sizes."""
    rng = np.random.default_rng(0)
    x_shape, w_shape, stride, padding = geometry
    x, w = rng.standard_normal(x_shape), rng.standard_normal(w_shape)
    y = ops.conv2d(x, w, stride, padding)
    gy = rng.standard_normal(y.shape)
    back = missing(x_shape, y.shape, w_shape[:2], stride, padding)
    gx = ops.conv_transpose2d(gy, w, stride, padding, back)
    gw = ops.conv2d_weight_grad(x, gy, w_shape[:2], stride, padding)
    assert (gx.shape, gw.shape) == (x_shape, w_shape)
    scale = 1e-12 * (1 + np.abs(y).sum() * np.abs(gy).max(initial=0))
    assert abs(dot(gy, y) - dot(gx, x)) <= scale and abs(dot(gy, y) - dot(gw, w)) <= scale
    cols = ops.im2col(x, w_shape[:2], stride, padding)
    g = rng.standard_normal(cols.shape)
    image = ops.col2im(g, x_shape[1:3], stride, padding)
    assert abs(dot(g, cols) - dot(image, x)) <= 1e-12 * (1 + np.abs(g).sum() * np.abs(x).max(initial=0))
    np.testing.assert_allclose(ops.textbook_conv2d(x, w, stride, padding), y, rtol=1e-11, atol=1e-11)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(geometries())
def test_the_gradients_are_the_adjoints(geometry):
    rng = np.random.default_rng(0)
    x_shape, w_shape, stride, padding = geometry
    x, w = (tg.tensor(rng.standard_normal(s), requires_grad=True) for s in (x_shape, w_shape))
    assume(x.size)
    y = ops.conv2d(x, w, stride, padding)
    gy = rng.standard_normal(y.shape)
    gx, gw = tg.grad(y, [x, w], gy)
    assert dot(gx.numpy(), x.numpy()) == pytest.approx(dot(gy, y.numpy()), rel=1e-9, abs=1e-10)
    assert dot(gw.numpy(), w.numpy()) == pytest.approx(dot(gy, y.numpy()), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize(
    "op, shapes, options",
    [
        ("conv2d", [(1, 3, 3, 1), (2, 3, 1, 2)], (2, 1)),
        ("conv_transpose2d", [(1, 2, 2, 2), (3, 2, 1, 2)], (2, "same")),
        ("conv2d_weight_grad", [(1, 3, 3, 1), (1, 2, 2, 2)], (2, 1)),
    ],
)
def test_third_order(op, shapes, options):
    arrays = [np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate(shapes)]
    report = tg.gradcheck(lambda a, b: getattr(ops, op)(a, b, *options), arrays, order=3)
    assert report.worst.keys() == {1, 2, 3}


def test_of_a_frozen_kernel_no_gradient_is_computed(monkeypatch):
    rng = np.random.default_rng(0)
    from tinygen import kernels

    x, w = tg.tensor(rng.standard_normal((1, 4, 4, 2)), True), tg.tensor(rng.standard_normal((3, 3, 2, 2)))
    monkeypatch.setattr(kernels, "conv2d_weight_grad", None)
    assert tg.grad(ops.conv2d(x, w).sum(), x).shape == x.shape


# Memory

ORDERS = [(0, 1, 2, 3), (1, 2, 0, 3), (1, 0, 2, 3), (0, 3, 1, 2), (3, 2, 1, 0)]


def laid(x, order, step):
    """The same values, with the axes in memory in this order, or every other one and backwards."""
    if step == 1:
        return x.transpose(order).copy().transpose(np.argsort(order).tolist())
    wide = np.repeat(np.repeat(x, 2, 1), 2, 2)[:, ::-1, ::-1].copy()
    return wide[:, ::-2, ::-2] if step == -2 else x[::-1, ::-1].copy()[::-1, ::-1]


@pytest.mark.parametrize("order, step", [*((order, 1) for order in ORDERS), (None, -1), (None, -2)])
@pytest.mark.parametrize("stride, padding", [(1, "same"), (2, ((1, 0), (2, 1)))])
def test_any_memory_order(order, step, stride, padding):
    """x, w and gy lie in memory in odd ways; the results are those of plain memory."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 6, 5, 4)), rng.standard_normal((3, 2, 4, 2))
    y = ops.conv2d(x, w, stride, padding)
    gy = rng.standard_normal(y.shape)

    def gradients(x, w, gy):
        X, W = tg.Tensor(x, True), tg.Tensor(w, True)
        return tg.grad(ops.conv2d(X, W, stride, padding), [X, W], gy)

    odd = [laid(a, order, step) for a in (x, w, gy)]
    for a, b in zip(odd, (x, w, gy), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(ops.conv2d(*odd[:2], stride, padding), y, rtol=1e-12, atol=1e-12)
    for found, expected in zip(gradients(*odd), gradients(x, w, gy), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)


# Backends and types


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_dtypes_and_batches(backend, dtype, batch):
    x, w = (tg.tensor(draw(backend, *s, dtype=dtype), requires_grad=True) for s in ((batch, 5, 4, 3), (3, 3, 3, 2)))
    y = ops.conv2d(x, w, 2, "same")
    back = ops.conv_transpose2d(y, w, 2, "same", (-1, 0))
    gx, gw = tg.grad(back, [x, w], backend.xp.ones(back.shape, dtype))
    assert (y.shape, back.shape) == ((batch, 3, 2, 2), (batch, 5, 4, 3))
    assert {t.dtype for t in (y, back, gx, gw)} == {np.dtype(dtype)}
    assert np.isfinite(gw.numpy()).all() and bool(gw.numpy().any()) == (batch > 0)


def test_nothing_waits_for_the_device(gpu):
    x, w = (tg.tensor(draw(gpu, *s), requires_grad=True) for s in ((2, 6, 6, 2), (3, 3, 1, 4)))
    with standin.capturing():
        y = ops.conv2d(x, w, 2, "same", dilation=(1, 2), groups=2)
        z = ops.conv_transpose2d(y, w, 2, "same", groups=2)
        z = ops.max_pool2d(z, 2, 1, "same") + ops.avg_pool2d(z, 2, 1, "same")
        z = ops.pixel_shuffle(ops.concatenate([z, z], 3), 2)
        z = ops.upsample_nearest(z, 2).sum() + ops.upsample_bilinear(z, 2).sum()
        tg.grad(z, [x, w])


# Errors


def t(*shape):
    return tg.tensor(np.ones(shape, np.float32))


ERRORS = [
    (
        lambda: ops.conv2d(t(8, 28, 28, 3), t(5, 5, 1, 64)),
        r"^conv2d: x has 3 channels but the kernel \(5, 5, 1, 64\) takes 1; images are NHWC, did you pass NCHW\?$",
    ),
    (lambda: ops.conv2d(t(8, 1, 28, 28), t(5, 5, 1, 64)), r"x has 28 channels .* did you pass NCHW"),
    (lambda: ops.conv2d(t(1, 5, 5, 2), t(3, 3, 2, 4), groups=2), r"takes 4 in 2 groups; images are NHWC"),
    (lambda: ops.conv_transpose2d(t(1, 5, 5, 2), t(3, 3, 2, 4)), r"conv_transpose2d: x has 2 .* takes 4; images"),
    (lambda: ops.conv2d(t(5, 5, 1), t(3, 3, 1, 1)), r"conv2d: x is \(5, 5, 1\), but images are \(N, H, W, C\)"),
    (lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3)), r"conv2d: w is \(3, 3\), but a kernel is \(KH, KW, C, CO\)"),
    (lambda: ops.conv2d(t(1, 5, 5, 2), t(3, 3, 1, 3), groups=2), "conv2d: groups is 2, but it must divide the last"),
    (lambda: ops.conv2d(t(1, 5, 5, 2), t(3, 3, 1, 3), groups=0), "conv2d: groups is 0"),
    (
        lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), 0),
        r"conv2d: stride is 0, but it must be one whole number of at",
    ),
    (lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), (1, 2, 3)), r"conv2d: stride is \(1, 2, 3\), .* or two"),
    (lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), 1.5), r"conv2d: stride is 1.5"),
    (
        lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), 1, "full"),
        r"conv2d: padding is 'full', but it must be .*\"same\"",
    ),
    (lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), 1, -1), r"conv2d: padding is -1, but it must be a whole number"),
    (lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), 1, (1, 1)), r"conv2d: padding is \(1, 1\), but"),
    (lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), 1, ((1, 1), (1, 1), (1, 1))), r"conv2d: padding is \(\(1"),
    (lambda: ops.conv2d(t(1, 5, 5, 1), t(3, 3, 1, 1), dilation=0), "conv2d: dilation is 0"),
    (
        lambda: ops.conv2d(t(1, 4, 5, 1), t(7, 3, 1, 1), padding=1),
        r"conv2d: a window of 7x3 does not fit into an image of 4x5, padded to 6x7; give more",
    ),
    (lambda: ops.conv2d(t(1, 4, 4, 1), t(3, 3, 1, 1), dilation=2), "conv2d: a window of 5x5 does not fit"),
    (
        lambda: ops.conv_transpose2d(t(1, 2, 2, 1), t(3, 3, 1, 1), 2, 1, 2),
        "conv_transpose2d: output_padding is 2, but with stride .2, 2. it must be from 0 to stride - 1",
    ),
    (lambda: ops.conv_transpose2d(t(1, 2, 2, 1), t(3, 3, 1, 1), 2, 1, -1), "output_padding is -1"),
    (lambda: ops.conv_transpose2d(t(1, 2, 2, 1), t(3, 3, 1, 1), 2, "same", 1), "must be from 1 - stride to 0"),
    (lambda: ops.conv_transpose2d(t(1, 2, 2, 1), t(3, 3, 1, 1), (1, 2), "same", -1), "must be from 1 - stride to 0"),
    (lambda: ops.conv_transpose2d(t(1, 1, 1, 1), t(3, 3, 1, 1), 1, 2), "the result would be -1x-1: padding 2"),
    (
        lambda: ops.conv2d_weight_grad(t(1, 5, 5, 1), t(1, 4, 3, 2), 3),
        r"gy is \(1, 4, 3, 2\), but .* \(1, 3, 3, 'CO'\)",
    ),
    (lambda: ops.im2col(t(1, 5, 5), 3), "im2col: x is"),
    (lambda: ops.im2col(t(1, 2, 2, 1), 3), "im2col: a window of 3x3 does not fit"),
    (lambda: ops.col2im(t(1, 2, 2, 3, 3, 1), (5, 5)), r"col2im: cols are \(1, 2, 2, 3, 3, 1\), but expected"),
    (lambda: ops.max_pool2d(t(1, 4, 4, 1), 2, 1, 2), r"max_pool2d: padding is 2, but it must be less than the window"),
    (
        lambda: ops.max_pool2d(t(1, 2, 4, 1), 2, 1, 1, 3),
        "max_pool2d: padding is 1, but then a window of dilation 3 holds padding alone",
    ),
    (lambda: ops.max_pool2d(t(1, 4, 4, 1), 2, dilation=0), "max_pool2d: dilation is 0"),
    (lambda: ops.max_pool2d(t(1, 4, 4, 1), 7, 2, ceil_mode=True), "max_pool2d: a window of 7x7 does not fit"),
    (lambda: ops.max_pool1d(t(1, 4, 1), 2, padding=2), "max_pool1d: padding is 2, but it must be less than the wi"),
    (lambda: ops.max_pool1d(t(1, 4, 1), (1, 2)), r"max_pool1d: window is \(1, 2\), but it must be an int"),
    (lambda: ops.avg_pool1d(t(1, 4, 4, 1), 2), r"avg_pool1d: x is \(1, 4, 4, 1\), but sequences are \(N, L, C\)"),
    (
        lambda: ops.conv1d(t(2, 9, 3), t(5, 1, 4)),
        r"^conv1d: x has 3 channels but the kernel \(5, 1, 4\) takes 1; sequences are NLC, did you pass NCL\?$",
    ),
    (lambda: ops.conv1d(t(2, 9, 3), t(5, 3)), r"conv1d: w is \(5, 3\), but a kernel is \(K, C, CO\)"),
    (lambda: ops.conv1d(t(9, 3), t(5, 3, 1)), r"conv1d: x is \(9, 3\), but sequences are \(N, L, C\)"),
    (lambda: ops.conv1d(t(2, 4, 3), t(5, 3, 1)), "conv1d: a window of 5 does not fit into a row of 4, padded to 4"),
    (lambda: ops.conv1d(t(2, 9, 3), t(5, 3, 1), padding="full"), r"conv1d: padding is 'full', .* or \(before, after\)"),
    (lambda: ops.conv1d(t(2, 9, 3), t(5, 3, 1), (1, 2)), r"conv1d: stride is \(1, 2\), but it must be an int of"),
    (lambda: ops.conv_transpose1d(t(2, 9, 3), t(5, 1, 4)), "conv_transpose1d: x has 3 channels .* takes 4"),
    (
        lambda: ops.conv_transpose1d(t(2, 9, 3), t(5, 1, 3), 2, 0, 2),
        "conv_transpose1d: output_padding is 2, but it must be an int from 0 to 1",
    ),
    (
        lambda: ops.conv_transpose1d(t(2, 9, 3), t(5, 1, 3), 2, "same", 1),
        "conv_transpose1d: output_padding is 1, but it must be an int from -1 to 0",
    ),
    (lambda: ops.conv_transpose1d(t(2, 1, 3), t(2, 1, 3), 1, 2), "conv_transpose1d: the result would be"),
    (lambda: ops.avg_pool2d(t(1, 4, 4, 1), 5), "avg_pool2d: a window of 5x5 does not fit"),
    (lambda: ops.avg_pool2d(t(4, 4, 1), 2), "avg_pool2d: x is"),
    (lambda: ops.upsample_nearest(t(1, 4, 4, 1), 0), "upsample_nearest: scale is 0"),
    (lambda: ops.upsample_bilinear(t(4, 4), 2), "upsample_bilinear: x is"),
    (
        lambda: ops.pixel_shuffle(t(1, 2, 2, 6), 2),
        "pixel_shuffle: x has 6 channels, but it must be a multiple of 2² = 4",
    ),
]


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
