"""Convolutions, pooling and resizing against PyTorch: every option, forward and gradients.

In float64 to 1e-11; in float32 to 1e-5 of what PyTorch finds in float64. Relative to the largest element.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen import ops

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.oracle

WITHIN = {np.float32: 1e-5, np.float64: 1e-11}
each_dtype = pytest.mark.parametrize("dtype", WITHIN, ids=["float32", "float64"])


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def two(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def pads(padding, size, kernel_size, stride):
    """(top, bottom, left, right); "same" by TensorFlow's documentation."""
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel_size, stride, strict=True)]
        return tuple(p for t in totals for p in (t // 2, t - t // 2))
    if padding == "valid":
        return (0, 0, 0, 0)
    return (padding,) * 4 if isinstance(padding, int) else tuple(p for side in padding for p in side)


def spread(w, dilation):
    """The size of the kernel with its dilation."""
    return [(k - 1) * d + 1 for k, d in zip(w.shape[:2], two(dilation), strict=True)]


def conv2d(x, w, stride=1, padding=0, dilation=1, groups=1):
    top, bottom, left, right = pads(padding, x.shape[1:3], spread(w, dilation), two(stride))
    padded = F.pad(nchw(x), (left, right, top, bottom))
    return nhwc(F.conv2d(padded, w.permute(3, 2, 0, 1), None, stride, 0, dilation, groups))


def conv_transpose2d(x, w, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """PyTorch's with its own padding where that is one number; else unpadded, and cut to the size."""
    kernel = w.permute(3, 2, 0, 1)
    if isinstance(padding, int):
        return nhwc(F.conv_transpose2d(nchw(x), kernel, None, stride, padding, output_padding, groups, dilation))
    full = F.conv_transpose2d(nchw(x), kernel, None, stride, 0, 0, groups, dilation)
    extra, size = two(output_padding), spread(w, dilation)
    if padding == "same":
        height, width = (n * s + e for n, s, e in zip(x.shape[1:3], two(stride), extra, strict=True))
        top, _, left, _ = pads("same", (height, width), size, two(stride))
    else:
        top, bottom, left, right = pads(padding, None, size, None)
        height, width = full.shape[2] - top - bottom + extra[0], full.shape[3] - left - right + extra[1]
    cut = F.pad(full, (-left, width - full.shape[3] + left, -top, height - full.shape[2] + top))
    return nhwc(cut)


def weight_grad(x, gy, kernel_size, stride=1, padding=0):
    """The gradient that PyTorch finds for a kernel."""
    w = torch.zeros(*two(kernel_size), x.shape[3], gy.shape[3], dtype=x.dtype, requires_grad=True)
    return torch.autograd.grad(conv2d(x, w, stride, padding), w, gy, create_graph=True)[0]


def im2col(x, kernel_size, stride=1, padding=0):
    size = two(kernel_size)
    top, bottom, left, right = pads(padding, x.shape[1:3], size, two(stride))
    padded = F.pad(nchw(x), (left, right, top, bottom))
    windows = padded.unfold(2, size[0], two(stride)[0]).unfold(3, size[1], two(stride)[1])
    return windows.permute(0, 2, 3, 4, 5, 1)


def max_pool2d(x, window, stride=None, padding=0):
    top, bottom, left, right = pads(padding, x.shape[1:3], two(window), two(stride or window))
    padded = F.pad(nchw(x), (left, right, top, bottom), value=-torch.inf)
    return nhwc(F.max_pool2d(padded, window, stride))


def avg_pool2d(x, window, stride=None, padding=0):
    if isinstance(padding, int):
        return nhwc(F.avg_pool2d(nchw(x), window, stride, padding, count_include_pad=False))
    sides = pads(padding, x.shape[1:3], two(window), two(stride or window))
    sums, counts = (
        F.avg_pool2d(F.pad(nchw(a), (*sides[2:], *sides[:2])), window, stride) for a in (x, torch.ones_like(x))
    )
    return nhwc(sums / counts)


def compare(op, oracle, arrays, dtype, *args, **options):
    """y for both, and for a random gy the gradients of all arrays."""
    arrays = [a.astype(dtype) for a in arrays]
    ours = [tg.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a.astype(np.float64), requires_grad=True) for a in arrays]
    y, expected = op(*ours, *args, **options), oracle(*theirs, *args, **options)
    assert y.dtype == dtype
    assert y.shape == tuple(expected.shape)
    gy = np.random.default_rng(9).standard_normal(y.shape).astype(dtype)
    found = tg.grad(y, ours, gy)
    right = torch.autograd.grad(expected, theirs, torch.tensor(gy.astype(np.float64)))
    for what, a, b in zip(["y", *"abc"], [y, *found], [expected, *right], strict=False):
        a, b = a.numpy(), b.detach().numpy()
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0) <= WITHIN[dtype] * np.abs(b).max(initial=0), what


def draw(*shapes):
    rng = np.random.default_rng(4)
    return [rng.standard_normal(shape) for shape in shapes]


CONVOLUTIONS = [  # x, w, options
    ((2, 7, 6, 3), (3, 2, 3, 4), {}),
    ((1, 5, 5, 1), (1, 1, 1, 1), {}),
    ((3, 8, 8, 1), (5, 5, 1, 8), {"stride": 2, "padding": "same"}),
    ((2, 7, 9, 3), (5, 5, 3, 2), {"stride": 2, "padding": "same"}),
    ((2, 8, 8, 3), (4, 4, 3, 5), {"stride": 2, "padding": 1}),
    ((2, 8, 8, 3), (4, 4, 3, 5), {"stride": 2, "padding": "same"}),
    ((2, 6, 7, 4), (4, 3, 4, 3), {"padding": "same"}),
    ((2, 6, 7, 4), (4, 3, 4, 3), {"padding": "valid", "stride": (3, 2)}),
    ((1, 4, 9, 2), (2, 3, 2, 3), {"stride": (1, 3), "padding": ((2, 0), (1, 4))}),
    ((1, 5, 5, 2), (3, 3, 2, 3), {"stride": 4, "padding": 3}),
    ((2, 3, 2, 2), (5, 7, 2, 3), {"padding": "same"}),
    ((2, 3, 2, 2), (5, 7, 2, 3), {"padding": 3, "stride": 2}),
    ((2, 2, 2, 3), (1, 1, 3, 2), {"stride": 3, "padding": "same"}),
    ((1, 1, 1, 6), (1, 1, 6, 3), {}),
    ((2, 9, 9, 2), (3, 3, 2, 4), {"dilation": 2}),
    ((2, 9, 8, 2), (3, 2, 2, 4), {"dilation": (1, 3), "padding": "same", "stride": 2}),
    ((2, 6, 6, 4), (3, 3, 2, 6), {"groups": 2, "padding": 1}),
    ((2, 6, 6, 3), (3, 3, 1, 6), {"groups": 3, "stride": 2, "padding": "same", "dilation": 2}),
    ((0, 5, 5, 2), (3, 3, 2, 3), {"padding": "same"}),
]
PLAIN = [c for c in CONVOLUTIONS if c[0][0] and not {"groups", "dilation"} & {*c[2]}]


@each_dtype
@pytest.mark.parametrize(("x", "w", "options"), CONVOLUTIONS)
def test_conv2d(x, w, options, dtype):
    compare(ops.conv2d, conv2d, draw(x, w), dtype, **options)
    if "groups" not in options and "dilation" not in options:
        compare(ops.textbook_conv2d, conv2d, draw(x, w), dtype, **options)


@each_dtype
@pytest.mark.parametrize(("x", "w", "options"), PLAIN)
def test_conv2d_weight_grad_and_im2col(x, w, options, dtype):
    stride, padding = options.get("stride", 1), options.get("padding", 0)
    gy = conv2d(*map(torch.tensor, draw(x, w)), stride, padding)
    compare(ops.conv2d_weight_grad, weight_grad, draw(x, gy.shape), dtype, w[:2], stride, padding)
    compare(ops.im2col, im2col, draw(x), dtype, w[:2], stride, padding)
    cols = im2col(*map(torch.tensor, draw(x)), w[:2], stride, padding)

    def fold(cols, size, stride, padding):
        """The adjoint that PyTorch finds."""
        image = torch.zeros(x, dtype=cols.dtype, requires_grad=True)
        return torch.autograd.grad(im2col(image, w[:2], stride, padding), image, cols, create_graph=True)[0]

    compare(ops.col2im, fold, draw(cols.shape), dtype, x[1:3], stride, padding)


TRANSPOSED = [  # x, w, options
    ((2, 4, 3, 4), (3, 2, 3, 4), {}),
    ((1, 5, 5, 1), (1, 1, 1, 1), {"stride": 2, "output_padding": 1}),
    ((2, 7, 7, 5), (5, 5, 4, 5), {"padding": "same"}),
    ((2, 7, 7, 4), (5, 5, 3, 4), {"stride": 2, "padding": "same"}),
    ((2, 4, 5, 4), (5, 5, 1, 4), {"stride": 2, "padding": "same", "output_padding": (-1, 0)}),
    ((2, 4, 4, 4), (4, 4, 3, 4), {"stride": 2, "padding": 1}),
    ((2, 4, 4, 4), (4, 4, 3, 4), {"stride": 2, "padding": "same"}),
    ((2, 4, 4, 4), (3, 3, 3, 4), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((2, 4, 4, 4), (3, 3, 3, 4), {"stride": (2, 3), "padding": 1, "output_padding": (1, 2)}),
    ((1, 3, 2, 2), (2, 3, 2, 2), {"stride": (1, 3), "padding": ((1, 0), (2, 1)), "output_padding": (0, 2)}),
    ((2, 3, 3, 2), (2, 2, 3, 2), {"stride": 3, "padding": "same"}),
    ((2, 3, 3, 2), (2, 2, 3, 2), {"stride": 3, "output_padding": 2}),
    ((2, 2, 2, 3), (7, 6, 1, 3), {"padding": "same", "stride": 2}),
    ((2, 4, 4, 4), (3, 3, 2, 4), {"dilation": 2}),
    ((2, 4, 4, 4), (3, 3, 2, 4), {"groups": 2, "stride": 2, "padding": 1, "output_padding": 1}),
    ((2, 4, 4, 6), (3, 3, 1, 6), {"groups": 3, "dilation": (1, 2), "padding": "same"}),
    ((0, 4, 4, 2), (3, 3, 1, 2), {"stride": 2, "padding": "same"}),
]


@each_dtype
@pytest.mark.parametrize(("x", "w", "options"), TRANSPOSED)
def test_conv_transpose2d(x, w, options, dtype):
    compare(ops.conv_transpose2d, conv_transpose2d, draw(x, w), dtype, **options)


def test_second_order():
    """A gradient penalty: the gradient by w of |d conv(x, w)² / dx|²."""
    x, w = draw((2, 6, 5, 2), (3, 3, 2, 3))
    X, W = tg.tensor(x, True), tg.tensor(w, True)
    y = ops.conv2d(X, W, 2, "same")
    gx = tg.grad((y * y).sum(), X, create_graph=True)
    found = tg.grad((gx * gx).sum(), [X, W])
    tx, tw = (torch.tensor(a, requires_grad=True) for a in (x, w))
    gx = torch.autograd.grad((conv2d(tx, tw, 2, "same") ** 2).sum(), tx, create_graph=True)[0]
    for a, b in zip(found, torch.autograd.grad((gx**2).sum(), [tx, tw]), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-11, atol=1e-10)


POOLS = [
    ((2, 6, 8, 3), {"window": 2}),
    ((2, 7, 5, 1), {"window": (3, 2)}),
    ((2, 7, 5, 2), {"window": 3, "stride": (1, 2)}),
    ((2, 7, 5, 2), {"window": 3, "stride": 2, "padding": 1}),
    ((2, 7, 6, 2), {"window": 3, "stride": 2, "padding": "same"}),
    ((1, 4, 4, 2), {"window": (2, 3), "stride": 1, "padding": ((1, 0), (0, 2))}),
    ((1, 3, 3, 2), {"window": 3}),
]


@each_dtype
@pytest.mark.parametrize(("x", "options"), POOLS)
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_pooling(name, x, options, dtype):
    compare(getattr(ops, name), globals()[name], draw(x), dtype, **options)


@each_dtype
@pytest.mark.parametrize("scale", [1, 2, 3, (2, 5)])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsampling(mode, scale, dtype):
    options = {"mode": mode, "align_corners": False} if mode == "bilinear" else {"mode": mode}

    def oracle(x, scale):
        height, width = (n * s for n, s in zip(x.shape[1:3], two(scale), strict=True))
        return nhwc(F.interpolate(nchw(x), size=(height, width), **options))

    for shape in ((2, 4, 3, 2), (1, 1, 5, 1)):
        compare(getattr(ops, f"upsample_{mode}"), oracle, draw(shape), dtype, scale)


@each_dtype
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle(factor, dtype):
    oracle = lambda x, r: nhwc(F.pixel_shuffle(nchw(x), r))
    compare(ops.pixel_shuffle, oracle, draw((2, 3, 2, 2 * factor**2)), dtype, factor)


def test_a_gradient_that_is_hardly_wrong_is_noticed():
    """One part in 10¹⁰ is too much."""
    wrong = lambda x, w: conv2d(x, w) * (1 + 1e-10)
    with pytest.raises(AssertionError):
        compare(ops.conv2d, wrong, draw((2, 4, 4, 2), (3, 3, 2, 2)), np.float64)
