"""GAN-train, GAN-test and augmentation, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen.data import load
from tinygen.errors import ConfigError, DataError
from tinygen.metrics import augmentation, gan_test, gan_train
from tinygen.random import Generator


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_gan_train_tells_right_labels_from_wrong_ones(digits):
    test = digits.test[:500], digits.test_labels[:500]
    assert gan_train(digits.train, digits.labels, *test, steps=80) > 0.8
    wrong = (digits.labels + 1) % 10
    assert gan_train(digits.train, wrong, *test, steps=40) < 0.1


def test_gan_train_sees_images_that_are_right_but_alike(digits):
    """One image of each class, many times: GAN-test stays high, GAN-train does not."""
    first = [np.flatnonzero(digits.labels == k)[0] for k in range(10)]
    images, labels = np.tile(digits.train[first], (30, 1, 1, 1)), np.tile(np.arange(10), 30)
    assert gan_test(images, labels) == 1
    assert gan_train(images, labels, digits.test, digits.test_labels, steps=60) < 0.65


def test_gan_test_counts_the_images_that_look_like_their_label(digits):
    x, labels = digits.train[:400], digits.labels[:400].copy()
    right = gan_test(x, labels)
    assert right > 0.98
    labels[:100] = (labels[:100] + 1) % 10
    assert gan_test(x, labels) == pytest.approx(right - 0.25, abs=0.01)


def test_gan_train_repeats_by_its_seed(digits):
    few = digits.train[:200], digits.labels[:200], digits.test[:300], digits.test_labels[:300]
    assert gan_train(*few, seed=1, steps=20) == gan_train(*few, seed=1, steps=20) != gan_train(*few, seed=2, steps=20)


def test_other_digits_help_where_there_are_few(digits):
    """With real digits instead of generated ones, the classifier of 20 gains; the fields hold what they name."""
    rows = augmentation(
        *(digits.train[:1000], digits.labels[:1000], digits.train[1000:3000] / 255, digits.labels[1000:3000]),
        *(digits.test[:500], digits.test_labels[:500]),
        sizes=(20, 30),
        seeds=(0, 1),
        steps=40,
    )
    assert [row.size for row in rows] == [20, 30]
    for row in rows:
        assert row.both > row.real + 0.1
        assert 0 < row.real_spread < 0.2 and 0 <= row.both_spread < 0.1


def test_augmentation_is_gan_train_of_what_it_says(digits):
    """One seed, by hand: the real images of its draw, and those repeated beside the generated ones."""
    x, labels, test = digits.train[:50], digits.labels[:50], (digits.test[:200], digits.test_labels[:200])
    generated = digits.train[100:190], digits.labels[100:190]
    (row,) = augmentation(x, labels, *generated, *test, sizes=(30,), seeds=(1,), steps=10)
    drawn = Generator(1, "augmentation", "cpu").permutation(50)[:30]
    assert row.real == gan_train(x[drawn], labels[drawn], *test, seed=1, steps=10)
    again = np.concatenate([drawn, drawn, drawn])
    both = np.concatenate([x[again], generated[0]]), np.concatenate([labels[again], generated[1]])
    assert row.both == gan_train(*both, *test, seed=1, steps=10)
    assert row.real_spread == row.both_spread == 0


def test_what_does_not_fit_is_refused(digits):
    few = digits.train[:9], digits.labels[:9]
    with pytest.raises(ConfigError, match="sizes is 10, but it must be an int from 1 to 9, the number of real images"):
        augmentation(*few, *few, *few, sizes=(10,))
    with pytest.raises(ConfigError, match=r"seeds is \(\), but it must be a list"):
        augmentation(*few, *few, *few, sizes=(9,), seeds=())
    with pytest.raises(DataError, match="9 images need as many ints"):
        gan_train(few[0], few[1][:3], *few)
    with pytest.raises(DataError, match="9 images need as many ints"):
        gan_test(few[0], few[1] / 2)
