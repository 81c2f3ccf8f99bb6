"""The toy distributions are the ones that their docstrings define."""

import numpy as np
import pytest

from tinygen.data import load
from tinygen.errors import ConfigError

TOYS = ["ring8", "grid25", "swissroll"]


@pytest.mark.parametrize("name", TOYS)
def test_points_in_the_plane(name):
    data = load(name)
    assert data.train.shape == (50_000, 2) and data.test.shape == (5_000, 2) and data.shape == (2,)
    assert data.train.dtype == data.test.dtype == np.float32
    assert len(np.unique(np.concatenate([data.train, data.test]), axis=0)) > 54_900  # the test set is not a copy


@pytest.mark.parametrize("name", TOYS)
def test_they_depend_on_their_options_alone(name):
    first, again, other = load(name), load(name), load(name, seed=1)
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.test, again.test)
    assert not (first.train == other.train).any()


@pytest.mark.parametrize(("name", "modes", "std"), [("ring8", 8, 0.01), ("grid25", 25, 0.05)])
def test_the_mixtures_lie_round_their_centres(name, modes, std):
    data = load(name)
    assert data.modes.centres.shape == (modes, 2) and data.modes.std == std
    off = data.train - data.modes.centres[data.labels]
    assert abs(off.std() / std - 1) < 0.01 and np.abs(off).max() < 6 * std  # 100,000 draws: 5 sigma and more are rare
    assert np.abs(off.mean(axis=0)).max() < 5 * std / np.sqrt(50_000)
    counts = np.bincount(data.labels, minlength=modes)
    expected = 50_000 / modes
    assert ((counts - expected) ** 2 / expected).sum() < 3 * modes  # chi square, with modes - 1 on average
    assert data.test_labels.shape == (5_000,)


def test_the_mixtures_do_not_share_their_noise():
    ring, grid = (data.train - data.modes.centres[data.labels] for data in (load("ring8"), load("grid25")))
    assert abs(np.corrcoef(ring[:, 0], grid[:, 0])[0, 1]) < 0.03


def test_the_ring_is_a_regular_octagon_on_the_unit_circle():
    centres = load("ring8").modes.centres
    np.testing.assert_allclose(np.hypot(*centres.T), 1)
    np.testing.assert_allclose(np.hypot(*(centres - np.roll(centres, 1, axis=0)).T), 2 * np.sin(np.pi / 8))


def test_the_grid_is_all_pairs_of_even_numbers_up_to_four():
    even = (-4, -2, 0, 2, 4)
    assert {tuple(centre) for centre in load("grid25").modes.centres.tolist()} == {(x, y) for x in even for y in even}


def test_the_swiss_roll_is_a_spiral_of_one_and_a_half_turns():
    data = load("swissroll")
    assert data.labels is None and data.test_labels is None and data.modes is None
    t = np.linspace(1.5 * np.pi, 4.5 * np.pi, 2_000)
    curve = np.stack([np.cos(t), np.sin(t)], axis=1) * (t / (4.5 * np.pi))[:, np.newaxis]
    points = data.train[:2_000]
    to_curve = np.sqrt(((points[:, np.newaxis] - curve) ** 2).sum(axis=2))
    assert to_curve.min(axis=1).max() < 0.05
    assert abs(np.sqrt(np.mean(to_curve.min(axis=1) ** 2)) / 0.01 - 1) < 0.1  # across the curve, N(0, 0.01²)
    share = np.bincount(to_curve.argmin(axis=1) // 200, minlength=10) / 2_000
    assert np.abs(share - 0.1).max() < 0.035  # every tenth of the angle has a tenth of the points


@pytest.mark.parametrize(
    ("option", "value"), [("train", 0), ("train", 2.5), ("test", -1), ("seed", -1), ("seed", True), ("train", "many")]
)
def test_wrong_options_are_named(option, value):
    with pytest.raises(ConfigError, match=f"ring8: {option} is {value!r}, but it must be an int of at least"):
        load("ring8", **{option: value})


def test_a_set_without_test_points():
    data = load("ring8", train=7, test=0)
    assert data.train.shape == (7, 2) and data.test.shape == (0, 2) and data.test_labels.shape == (0,)
