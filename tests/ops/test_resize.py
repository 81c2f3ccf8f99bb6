"""Resized images are Pillow's, and keep what resizing must keep."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tinygen import ops

SIZES = [((7, 5), (14, 15)), ((9, 8), (4, 3)), ((5, 6), (7, 2)), ((12, 1), (5, 3)), ((4, 4), (4, 4))]


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "other"), SIZES)
def test_resizing_is_pillow_s(mode, size, other, backend):
    """Its images of floats, whose weights are in float64 and whose sums in float32."""
    x = np.random.default_rng(0).uniform(0, 1, size).astype(np.float32)
    theirs = Image.fromarray(x).resize(other[::-1], Image.Resampling[mode.upper()])
    ours = ops.resize(backend.asarray(x)[None, ..., None], other, mode)
    np.testing.assert_allclose(backend.to_host(ours)[0, ..., 0], np.asarray(theirs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_a_grey_image_stays_grey_and_an_unchanged_size_the_image(mode, antialias):
    x = np.random.default_rng(0).uniform(0, 1, (2, 6, 5, 3))
    np.testing.assert_allclose(ops.resize(np.full_like(x, 0.3), (9, 3), mode, antialias), 0.3, rtol=1e-14)
    np.testing.assert_allclose(ops.resize(x, (6, 5), mode, antialias), x, rtol=1e-14)


def test_a_ramp_is_a_ramp_between_the_outermost_pixels():
    """Keys 1981: cubic convolution with a = -1/2 is exact for polynomials of the second degree; -3/4 is not."""
    places = (np.arange(40) + 0.5) / 4 - 0.5
    x = (np.arange(10.0) ** 2).reshape(1, 1, 10, 1)
    y, off = (ops.resize(x, (1, 40), "bicubic", antialias)[0, 0, 8:-8, 0] for antialias in (True, False))
    np.testing.assert_allclose(y, places[8:-8] ** 2, rtol=1e-13)
    assert abs(off - places[8:-8] ** 2).max() > 0.05


def test_whole_numbers_give_floats():
    assert ops.resize(np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1), 2, "bilinear").dtype == np.float32
