"""Each channel of a stacked image is a digit, and the label says which three."""

import tracemalloc

import numpy as np
import pytest

from tinygen.data import load
from tinygen.errors import ConfigError

DIGITS = load("digits")


def digit_of(channel, images, labels):
    """The label of the one digit that looks like this."""
    found = np.flatnonzero((images[..., 0] == channel).all(axis=(1, 2)))
    return labels[found[0]]


def test_the_default_set():
    data = load("stacked")
    assert data.train.shape == (50_000, 28, 28, 3) and data.test.shape == (26_000, 28, 28, 3)
    assert data.train.dtype == data.test.dtype == np.uint8 and data.labels.dtype == data.test_labels.dtype == np.int64
    assert data.train.flags.c_contiguous and data.factors is None and data.modes is None
    assert set(data.labels) == set(data.test_labels) == set(range(1000))
    counts = np.bincount(data.labels, minlength=1000)
    expected = np.bincount(DIGITS.labels) / 9000
    expected = 50_000 * np.einsum("a,b,c->abc", *[expected] * 3).reshape(-1)  # three digits, drawn independently
    assert ((counts - expected) ** 2 / expected).sum() < 999 + 5 * np.sqrt(2 * 999)  # chi square
    assert str(data) == "stacked: 50,000 to train and 26,000 to test, each (28, 28, 3) uint8, 1000 labels"


def test_every_channel_is_a_digit_of_the_same_part_of_the_data():
    data = load("stacked", train=20, test=20)
    parts = [
        (data.train, data.labels, DIGITS.train, DIGITS.labels),
        (data.test, data.test_labels, DIGITS.test, DIGITS.test_labels),
    ]
    for images, labels, digits, digit_labels in parts:
        for image, label in zip(images, labels, strict=True):
            red, green, blue = (digit_of(image[..., channel], digits, digit_labels) for channel in range(3))
            assert label == 100 * red + 10 * green + blue


def test_it_depends_on_its_options_alone():
    first, again, other = (load("stacked", train=5, test=2, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.test, again.test)
    assert (first.labels != other.labels).any()


@pytest.mark.parametrize(("train", "test"), [(1, 0), (1, 1), (33, 3)])
def test_any_number_of_them(train, test):
    data = load("stacked", train=train, test=test)
    assert len(data.train) == len(data.labels) == train and len(data.test) == len(data.test_labels) == test


def test_memory_is_that_of_the_images_and_one_channel():
    tracemalloc.start()
    data = load("stacked", train=5000, test=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < data.train.nbytes * 4 / 3 + 20e6  # 8 MB are the digits


def test_wrong_options_are_named():
    with pytest.raises(ConfigError, match="stacked: train is 0, but it must be an int of at least 1"):
        load("stacked", train=0)
