"""Convolutions, pooling and resizing against PyTorch: every option, forward and gradients.

In float64 to 1e-11; in float32 to 1e-5 of what PyTorch finds in float64. Relative to the largest element.
"""

from __future__ import annotations

import numpy as np
import pytest
from ops.table import TWINS
from ops.twins import conv2d, im2col

import tinygen as tg
from tinygen import ops

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

WITHIN = {np.float32: 1e-5, np.float64: 1e-11}
each_dtype = pytest.mark.parametrize("dtype", WITHIN, ids=["float32", "float64"])


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
    compare(ops.conv2d_weight_grad, TWINS["conv2d_weight_grad"], draw(x, gy.shape), dtype, w[:2], stride, padding)
    compare(ops.im2col, im2col, draw(x), dtype, w[:2], stride, padding)
    cols = im2col(*map(torch.tensor, draw(x)), w[:2], stride, padding)

    compare(ops.col2im, TWINS["col2im"], draw(cols.shape), dtype, x[1:3], stride, padding)


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
    compare(ops.conv_transpose2d, TWINS["conv_transpose2d"], draw(x, w), dtype, **options)


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
    ((2, 7, 6, 2), {"window": 2, "stride": 1, "padding": 1, "dilation": 2}),
    ((2, 7, 8, 2), {"window": (2, 3), "stride": 2, "padding": "same", "dilation": (3, 2)}),
    ((2, 7, 6, 2), {"window": 2, "ceil_mode": True}),
    ((2, 7, 6, 2), {"window": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 2, 5, 2), {"window": 3, "stride": 2, "ceil_mode": True}),
]


@each_dtype
@pytest.mark.parametrize(("x", "options"), POOLS)
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_pooling(name, x, options, dtype):
    compare(getattr(ops, name), TWINS[name], draw(x), dtype, **options)


@each_dtype
@pytest.mark.parametrize("scale", [1, 2, 3, (2, 5)])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsampling(mode, scale, dtype):
    for shape in ((2, 4, 3, 2), (1, 1, 5, 1)):
        name = f"upsample_{mode}"
        compare(getattr(ops, name), TWINS[name], draw(shape), dtype, scale)


@each_dtype
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle(factor, dtype):
    compare(ops.pixel_shuffle, TWINS["pixel_shuffle"], draw((2, 3, 2, 2 * factor**2)), dtype, factor)


def test_a_gradient_that_is_hardly_wrong_is_noticed():
    """One part in 10¹⁰ is too much."""
    wrong = lambda x, w: conv2d(x, w) * (1 + 1e-10)
    with pytest.raises(AssertionError):
        compare(ops.conv2d, wrong, draw((2, 4, 4, 2), (3, 3, 2, 2)), np.float64)
