"""Equalised rates, modulated convolution and the spread of a minibatch, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen import layers as L
from tinygen import ops
from tinygen.optim import Adam
from tinygen.random import Generator


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(0.3, 2, shape)


def test_an_equalised_dense_layer():
    layer = L.EqualizedDense(3, 2, gain=2.0, rate=0.1, start=0.7, rng=Generator(0), dtype=np.float64)
    x, w = draw(4, 3), layer.w.numpy()
    np.testing.assert_allclose(layer(x).numpy(), x @ w * (0.1 * 2 / np.sqrt(3)) + 0.7, rtol=1e-12)
    assert repr(layer) == "EqualizedDense(3, 2, gain=2, rate=0.1)"


def test_an_equalised_convolution():
    layer = L.EqualizedConv(2, 3, 3, 2, gain=1.5, rate=0.5, rng=Generator(0), dtype=np.float64)
    layer.b.assign(draw(3))
    x = draw(2, 5, 4, 2)
    expected = ops.conv2d(x, layer.w.numpy() * (0.5 * 1.5 / np.sqrt(18)), 2, "same") + 0.5 * layer.b.numpy()
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [L.EqualizedDense, L.EqualizedConv])
def test_the_rate_changes_how_fast_a_layer_learns_and_not_what_it_does_at_first(kind):
    """A step of Adam moves each weight by lr; what that does is rate times as much."""
    moved = []
    for rate in (1.0, 0.01):
        sizes = (256, 64) if kind is L.EqualizedDense else (64, 64, 2)
        layer = kind(*sizes, rate=rate, rng=Generator(1), dtype=np.float64)
        x = draw(16, 256) / 2 if kind is L.EqualizedDense else draw(8, 4, 4, 64) / 2
        y = layer(x).numpy()
        assert 0.8 < y.std() < 1.3 and layer.w.numpy().std() == pytest.approx(1 / rate, rel=0.05)
        opt = Adam(layer.parameters(), lr=1e-3)
        opt.step(tg.grad(ops.sum(layer(x)), layer.parameters()))
        moved.append(np.abs(layer(x).numpy() - y).mean())
    assert moved[1] == pytest.approx(0.01 * moved[0], rel=1e-3)


@pytest.mark.parametrize("up", [None, 2])
@pytest.mark.parametrize("demodulate", [True, False])
def test_a_modulated_convolution_has_a_kernel_for_each_example(up, demodulate):
    layer = L.ModulatedConv(3, 2, 3, 4, demodulate, up, rng=Generator(0), dtype=np.float64)
    x, style = draw(3, 4, 5, 3), draw(3, 4, seed=1)
    s = style @ layer.style.w.numpy() / 2 + 1
    made = layer(x, style).numpy()
    for n in range(3):
        w = layer.w.numpy() / np.sqrt(27) * (s[n][:, None] if up is None else s[n])
        if demodulate:
            w = w / np.sqrt((w**2).sum((0, 1, 2 if up is None else 3), keepdims=True) + 1e-8)
        one = x[n : n + 1]
        expected = ops.conv2d(one, w, 1, "same") if up is None else ops.conv_transpose2d(one, w, 2, "same")
        np.testing.assert_allclose(made[n : n + 1], expected, rtol=1e-5, atol=1e-12)


def test_a_modulated_convolution_says_what_does_not_fit():
    layer = L.ModulatedConv(3, 2, 3, 4)
    with pytest.raises(ValueError, match=r"modulated_conv2d: w is \(3, 3, 3, 2\), but x \(2, 4, 4, 5\) takes a kernel"):
        layer(np.ones((2, 4, 4, 5), np.float32), np.ones((2, 4), np.float32))
    with pytest.raises(
        ValueError, match=r"modulated_conv2d: s is \(1, 3\), but x \(2, 4, 4, 3\) takes factors \(N, C\)"
    ):
        layer(np.ones((2, 4, 4, 3), np.float32), np.ones((1, 4), np.float32))
    with pytest.raises(ValueError, match="EqualizedDense: x is"):
        layer(np.ones((2, 4, 4, 3), np.float32), np.ones((2, 5), np.float32))
    assert repr(L.ModulatedConv(3, 2, 3, 4, False, 2)).startswith(
        "ModulatedConv(3, 2, (3, 3), 4, demodulate=False, up="
    )


def test_the_spread_of_each_group_is_one_more_channel():
    x = draw(6, 2, 3, 4)
    y = L.MinibatchStd(3, eps=0.0)(tg.tensor(x)).numpy()
    np.testing.assert_array_equal(y[..., :4], x)
    for n in range(6):
        group = x[n // 3 * 3 : n // 3 * 3 + 3]
        np.testing.assert_allclose(y[n, ..., 4], np.full((2, 3), group.std(0).mean()), rtol=1e-12)
    alike = L.MinibatchStd(2)(tg.tensor(np.ones((2, 2, 2, 1))))
    np.testing.assert_allclose(alike.numpy()[..., 1], 1e-4, rtol=1e-6)
