"""Tiles: any example of a model as an image of one channel or three, each value in its place."""

import numpy as np
import pytest

from tinygen.viz.tiles import BAR_HEIGHT, GUTTER_GREY, NOT_FINITE, PANELS, tiles


def tile(x, value_range=(0, 255), longest=10_000):
    (found,) = tiles(np.asarray(x)[np.newaxis], value_range, longest)
    assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[-1] in (1, 3)
    return found


@pytest.mark.parametrize("channels", [2, 5])
def test_channels_are_panels_side_by_side(channels):
    image = np.random.default_rng(0).integers(0, 256, (4, 3, channels))
    np.testing.assert_array_equal(tile(image)[..., 0], np.hstack([image[..., c] for c in range(channels)]))


def test_the_slices_of_a_volume_are_panels():
    for channels in (1, 3):
        volume = np.random.default_rng(0).integers(0, 256, (5, 4, 3, channels))
        np.testing.assert_array_equal(tile(volume), np.concatenate(list(volume), axis=1))


def test_of_many_panels_some_are_shown():
    image = np.arange(200).reshape(1, 1, 200)
    shown = tile(image).ravel()
    assert len(shown) == PANELS and shown[0] == 0 and shown[-1] == 199 and (np.diff(shown.astype(int)) >= 13).all()


def test_the_fourth_channel_is_alpha():
    image = np.array([[[1, 0, 0.2, 1.0], [1, 0, 0.2, 0.0], [1, 0, 0.2, 0.5]]])
    opaque, clear = np.array([255, 0, 51]), np.array([GUTTER_GREY] * 3)
    np.testing.assert_allclose(tile(image, (0, 1))[0], [opaque, clear, (opaque + clear) / 2], atol=1)


@pytest.mark.parametrize("value_range", [(-2, 2), (0, 4), (-4, 0), (1, 5)])
def test_a_bar_reaches_from_zero_to_its_value(value_range):
    low, high = value_range
    values = np.linspace(low, high, 9)
    chart = tile(values, value_range)[..., 0] == 255
    base = min(max(0, low), high)
    filled = np.abs(values - base) / (high - low) * BAR_HEIGHT
    np.testing.assert_allclose(chart[:, :: chart.shape[1] // 9][:, :9].sum(axis=0), filled, atol=1)


def test_a_long_vector_shows_its_spikes():
    values = np.zeros(100_000)
    values[77_777], values[22_222] = 1, -1
    chart = tile(values, (-1, 1))[..., 0]
    assert chart[0].any() and chart[-1].any() and (chart > 0).any(axis=0).sum() == 2


def test_what_is_not_finite_is_magenta():
    assert (tile([0.5, np.nan, 0.5], (0, 1)).reshape(BAR_HEIGHT, 3, -1, 3)[:, 1] == NOT_FINITE).all()
    assert (tile(np.full((1, 1, 4), np.inf), (0, 1)) == NOT_FINITE).all()


def test_a_tile_is_shrunk_by_means():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3))
    means = image.reshape(3, 3, 8, 3)[:, :, :6].reshape(3, 3, 2, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(tile(image, longest=3), means, atol=0.51)
