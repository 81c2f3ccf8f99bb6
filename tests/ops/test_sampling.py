"""grid_sample is PyTorch's, in every mode; a grid that says so gives the image itself, or mirrored."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ops import twins

from tinygen import grad, gradcheck, ops, tensor

RNG = np.random.default_rng(0)
MODES = list(itertools.product(("bilinear", "nearest"), ("zeros", "border"), (False, True)))
each_mode = pytest.mark.parametrize(("mode", "padding_mode", "align_corners"), MODES)


def identity(H, W, align_corners):
    """The centres of the pixels."""
    rows, columns = (np.linspace(-1, 1, n) if align_corners else (2 * np.arange(n) + 1) / n - 1 for n in (H, W))
    return np.stack(np.meshgrid(columns, rows), -1)[None]


@pytest.mark.oracle
@each_mode
def test_values_and_gradients_are_pytorchs(mode, padding_mode, align_corners, backend):
    torch = pytest.importorskip("torch")
    arrays = [RNG.normal(size=(2, 5, 4, 3)), RNG.uniform(-1.6, 1.6, (2, 3, 6, 2))]
    ours, theirs = (
        [tensor(backend.asarray(a), True) for a in arrays],
        [torch.tensor(a, requires_grad=True) for a in arrays],
    )
    y = ops.grid_sample(*ours, mode, padding_mode, align_corners)
    right = twins.grid_sample(*theirs, mode, padding_mode, align_corners)
    np.testing.assert_allclose(y.numpy(), right.detach().numpy(), rtol=1e-12, atol=1e-14)
    gy = RNG.normal(size=y.shape)
    found = grad(y, ours, backend.asarray(gy), unused="zeros")
    for g, expected in zip(found, torch.autograd.grad(right, theirs, torch.tensor(gy)), strict=True):
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-11, atol=1e-13)


@each_mode
def test_an_image_at_its_own_pixels_is_itself(mode, padding_mode, align_corners, backend):
    x, grid = RNG.normal(size=(1, 4, 5, 2)), identity(4, 5, align_corners)
    for g, expected in ((grid, x), (grid * [-1, 1], x[:, :, ::-1]), (grid * [1, -1], x[:, ::-1])):
        y = ops.grid_sample(backend.asarray(x), backend.asarray(g), mode, padding_mode, align_corners)
        np.testing.assert_allclose(backend.to_host(y), expected, rtol=1e-14, atol=1e-14)


@each_mode
def test_far_outside(mode, padding_mode, align_corners, backend):
    x = RNG.normal(size=(1, 3, 3, 1)).astype(np.float32)
    grid = np.array([[-np.inf, 0], [1e30, 0], [0, -1e30], [0, np.inf], [5.0, -5.0]], np.float32).reshape(1, 1, 5, 2)
    y = ops.grid_sample(backend.asarray(x), backend.asarray(grid), mode, padding_mode, align_corners)
    assert y.dtype == np.float32
    expected = 0 if padding_mode == "zeros" else x[0, [1, 1, 0, 2, 0], [0, 2, 1, 1, 2], 0]
    np.testing.assert_array_equal(backend.to_host(y)[0, 0, :, 0], np.broadcast_to(expected, 5))


@pytest.mark.parametrize(("padding_mode", "align_corners"), [("zeros", False), ("border", True)])
def test_second_derivatives(padding_mode, align_corners):
    gradcheck(
        lambda x, grid: ops.grid_sample(x, grid, "bilinear", padding_mode, align_corners),
        [RNG.normal(size=(2, 3, 4, 2)), RNG.uniform(-1.4, 1.4, (2, 3, 5, 2))],
        order=2,
    )


def test_nan_in_a_grid_is_nan_in_the_result(backend):
    with np.errstate(invalid="ignore"):
        y = ops.grid_sample(backend.asarray(np.ones((1, 2, 2, 1))), backend.asarray(np.full((1, 1, 1, 2), np.nan)))
    assert np.isnan(backend.to_host(y)).all()


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_nan_in_an_image_stays_where_it_is(mode, backend):
    x = np.ones((1, 3, 3, 1))
    x[0, 0, 0] = np.nan
    grid = np.array([[-3.0, -3.0], [0.0, 0.0], [3.0, 0.0]]).reshape(1, 1, 3, 2)
    y = ops.grid_sample(backend.asarray(x), backend.asarray(grid), mode, align_corners=False)
    expected = ops.grid_sample(backend.asarray(np.ones_like(x)), backend.asarray(grid), mode, align_corners=False)
    np.testing.assert_array_equal(backend.to_host(y), backend.to_host(expected))
