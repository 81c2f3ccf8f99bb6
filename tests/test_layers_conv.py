"""The layers for images (N, H, W, C): shapes, initial weights, what repr shows, what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import standin

import tinygen as tg
from tinygen import layers as L
from tinygen import ops
from tinygen.backend import to_host
from tinygen.random import Generator


def draw(backend, *shape, dtype=np.float32):
    return backend.asarray(np.random.default_rng(0).standard_normal(shape), dtype)


def values(x):
    return x.numpy() if isinstance(x, tg.Tensor) else to_host(x)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2, "dilation": (1, 2)}])
def test_conv_is_conv2d_and_a_bias(backend, options):
    x, layer = draw(backend, 2, 6, 5, 4), L.Conv(4, 6, (3, 2), **options)
    layer.b.assign(draw(backend, 6))
    expected = ops.conv2d(x, layer.w.data, **{"padding": "same", **options}) + layer.b.data
    for given_x in (x, tg.tensor(x)):
        np.testing.assert_array_equal(values(layer(given_x)), values(expected))
    plain = L.Conv(4, 6, 3, bias=False)
    assert plain.b is None and [n for n, _ in plain.named_parameters()] == ["w"]


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2}])
def test_conv_transpose_is_conv_transpose2d_and_a_bias(backend, options):
    x, layer = draw(backend, 2, 3, 5, 4), L.ConvTranspose(4, 6, (3, 4), **options)
    layer.b.assign(draw(backend, 6))
    expected = ops.conv_transpose2d(x, layer.w.data, **{"padding": "same", **options}) + layer.b.data
    np.testing.assert_array_equal(values(layer(x)), values(expected))


def test_a_stack_of_convolutions_and_the_way_back():
    """Odd sides too: 13x7 -> 7x4 -> 4x2 -> 7x4 -> 13x7."""
    down = L.Sequential(L.Conv(3, 8, 5, 2), L.Conv(8, 16, 4, 2))
    up = L.Sequential(
        L.ConvTranspose(16, 8, 4, 2, output_padding=(-1, 0)), L.ConvTranspose(8, 3, 5, 2, output_padding=-1)
    )
    x = np.zeros((2, 13, 7, 3), np.float32)
    assert down(x).shape == (2, 4, 2, 16)
    assert up(down(x)).shape == x.shape
    assert "0 Conv(3, 8, 5, stride=2)" in down.summary((13, 7, 3)) and "(7, 4, 8)" in down.summary((13, 7, 3))


def test_the_weights_begin_as_in_keras(backend):
    conv, transposed = L.Conv(30, 40, 5, rng=Generator(0)), L.ConvTranspose(40, 30, 5, rng=Generator(0))
    assert conv.w.shape == transposed.w.shape == (5, 5, 30, 40)  # that of the convolution which is transposed
    np.testing.assert_array_equal(values(conv.w), values(transposed.w))
    limit = math.sqrt(6 / (25 * 70))  # every weight of the window counts
    assert 0.99 * limit < np.abs(values(conv.w)).max() <= np.float32(limit)
    assert not values(conv.b).any() and not values(transposed.b).any()
    normal = L.Conv(30, 40, 5, weight_init=tg.init.normal, rng=Generator(0), dtype=np.float64)
    assert normal.w.dtype == normal.b.dtype == np.float64 and values(normal.w).std() == pytest.approx(0.02, rel=0.02)
    assert L.Conv(6, 9, 3, groups=3).w.shape == (3, 3, 2, 9)
    assert L.ConvTranspose(6, 9, 3, groups=3).w.shape == (3, 3, 3, 6)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (L.MaxPool(), (3, 2, 4)),
        (L.MaxPool(3, 2, "same"), (3, 3, 4)),
        (L.AvgPool((2, 1)), (3, 5, 4)),
        (L.AvgPool(3, 1, 1), (6, 5, 4)),
        (L.GlobalAvgPool(), (4,)),
        (L.UpSampling(), (12, 10, 4)),
        (L.UpSampling((1, 3), "bilinear"), (6, 15, 4)),
        (L.PixelShuffle(), (12, 10, 1)),
        (L.MaxPool(2, ceil_mode=True), (3, 3, 4)),
        (L.AvgPool(2, 1, 0, (3, 1)), (3, 4, 4)),
        (L.InstanceNorm(4), (6, 5, 4)),
        (L.GroupNorm(4, 2), (6, 5, 4)),
        (L.BatchNorm(4), (6, 5, 4)),
    ],
    ids=repr,
)
def test_shapes(layer, shape):
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype(np.float32)
    y = layer(x)
    assert y.shape == (2, *shape) and y.dtype == np.float32


def test_the_mean_over_the_image(backend):
    x = draw(backend, 2, 3, 4, 5, dtype=np.float64)
    np.testing.assert_allclose(values(L.GlobalAvgPool()(x)), values(x).mean((1, 2)), rtol=1e-13)


def test_instance_norm(backend):
    x, layer = draw(backend, 2, 3, 4, 5, dtype=np.float64), L.InstanceNorm(5, 1e-3, np.float64)
    layer.gamma.assign(draw(backend, 5))
    layer.beta.assign(draw(backend, 5) * 2)
    h = values(x)
    mu, var = h.mean((1, 2), keepdims=True), h.var((1, 2), keepdims=True)
    expected = values(layer.gamma) * (h - mu) / np.sqrt(var + 1e-3) + values(layer.beta)
    for mode in (True, False):
        np.testing.assert_allclose(values(layer.train(mode)(x)), expected, rtol=1e-12, atol=1e-13)


def test_repr():
    shown = {
        L.Conv(1, 64, 5): "Conv(1, 64, 5)",
        L.Conv(1, 64, (5, 3), (2, 2), "valid", False): "Conv(1, 64, (5, 3), stride=2, padding='valid', bias=False)",
        L.Conv(4, 8, 3, padding=((1, 1), (0, 2)), dilation=(1, 2), groups=2): (
            "Conv(4, 8, 3, padding=((1, 1), (0, 2)), dilation=(1, 2), groups=2)"
        ),
        L.ConvTranspose(8, 4, 4, 2, 1, 1): "ConvTranspose(8, 4, 4, stride=2, padding=1, output_padding=1)",
        L.MaxPool(): "MaxPool(2)",
        L.AvgPool(3, 2, "same"): "AvgPool(3, stride=2, padding='same')",
        L.AvgPool(2, 1, 0, 1, True, True): "AvgPool(2, stride=1, ceil_mode=True, count_include_pad=True)",
        L.MaxPool1d(3, dilation=2): "MaxPool1d(3, dilation=2)",
        L.Conv1d(2, 8, 3, 2, (1, 0)): "Conv1d(2, 8, 3, stride=2, padding=(1, 0))",
        L.ConvTranspose1d(8, 2, 4, 2, bias=False): "ConvTranspose1d(8, 2, 4, stride=2, bias=False)",
        L.GroupNorm(8, 2): "GroupNorm(8, groups=2, eps=1e-05)",
        L.UpSampling(): "UpSampling(2)",
        L.UpSampling(3, "bilinear"): "UpSampling(3, 'bilinear')",
        L.Pad(3): "Pad(3, 'reflect')",
        L.Pad(((1, 0), (2, 2)), "edge"): "Pad(((1, 0), (2, 2)), 'edge')",
        L.PixelShuffle(3): "PixelShuffle(3)",
        L.InstanceNorm(8): "InstanceNorm(8, eps=1e-05)",
        L.GlobalAvgPool(): "GlobalAvgPool()",
    }
    assert [repr(layer) for layer in shown] == list(shown.values())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L.Conv(0, 4, 3), "Conv: in_channels is 0, but it must be an int of at least 1"),
        (lambda: L.ConvTranspose(3, -1, 3), "ConvTranspose: out_channels is -1"),
        (lambda: L.Conv(4, 6, 3, groups=3), "Conv: groups is 3, but it must divide 4 and 6, the numbers of channels"),
        (lambda: L.ConvTranspose(4, 6, 3, groups=0), "ConvTranspose: groups is 0"),
        (lambda: L.Conv(4, 6, 0), "Conv: kernel_size is 0, but it must be one whole number of at least 1, or two"),
        (lambda: L.Pad(2, "same"), "Pad: mode is 'same', but it must be one of reflect, edge, wrap, constant"),
        (lambda: L.Pad(-1), "Pad: width is -1, but it must be one whole number of at least 0"),
        (lambda: L.UpSampling(2, "cubic"), 'UpSampling: mode is \'cubic\', but it must be "nearest" or "bilinear"'),
        (lambda: L.GroupNorm(4, 3), "GroupNorm: groups is 3, but it must divide 4, the number of features"),
        (lambda: L.InstanceNorm(3)(np.ones((5, 1, 1, 3))), r"InstanceNorm: x is \(5, 1, 1, 3\), one value per channel"),
        (lambda: L.Conv(3, 8, 3)(np.ones((2, 3, 32, 32), np.float32)), "x has 32 channels .* did you pass NCHW"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_layer_waits_for_the_device(gpu):
    net = L.Sequential(
        *(L.Conv(2, 4, 3, 2), L.InstanceNorm(4), L.MaxPool(2, 1, "same"), L.BatchNorm(4), L.PixelShuffle()),
        *(L.UpSampling(2, "bilinear"), L.AvgPool(), L.ConvTranspose(1, 3, 4, 2), L.UpSampling(), L.GlobalAvgPool()),
    )
    x = draw(gpu, 2, 8, 6, 2)
    with standin.capturing():
        tg.grad(net(x).sum(), net.parameters())
