"""The scores of pairs, where the answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tinygen.data import load, two_domains
from tinygen.errors import DataError
from tinygen.metrics import evaluate
from tinygen.metrics.pairs import pixels_agree


def drawing(first, second):
    """A model whose pairs are these images (N, H, W, C), uint8, in order."""

    def sample_pairs(n, rng):
        nonlocal place
        place += n
        return tuple(x[place - n : place].astype(np.float32) / 127.5 - 1 for x in (first, second))

    place = 0
    return SimpleNamespace(
        name="pairs", sample=None, sample_pairs=sample_pairs, value_range=(-1, 1), takes_labels=False
    )


@pytest.fixture(scope="module")
def negatives():
    return load("negatives")


def scores(data, first, second, n):
    return evaluate(drawing(first, second), data, n=n, parts=["pairs"])


def test_digits_and_their_own_negatives_belong_together(negatives):
    x = negatives.train[:600]
    found = scores(negatives, x, 255 - x, 600)
    for name, low, high in (("classes_agree", 0.05, 0.15), ("pixels_agree", 0.7, 0.9)):
        assert (found[name].value, found[name].reference) == (1.0, 1.0)
        assert low < found[name].plain < high  # by chance
    assert found["fid_other"].value < 0.5 and found["fid_other"].reference < 0.5
    assert found["fid_other"].features == "LeNet trained on digits, of negatives"


def test_half_of_the_pairs_mixed_up(negatives):
    x = negatives.train[:600]
    y = 255 - x
    y[:300] = np.roll(y[:300], 1, axis=0)
    found = scores(negatives, x, y, 600)
    assert found["classes_agree"].value == pytest.approx(0.5 + found["classes_agree"].plain / 2, abs=0.03)
    assert 0.88 < found["pixels_agree"].value < 0.95
    assert found["fid_other"].value < 0.5  # each image is as good as before


def test_other_labelled_domains_are_judged_by_classifiers_of_their_own(negatives, monkeypatch):
    """Digits without their names: what a partner looks like is not known."""
    monkeypatch.setattr("tinygen.metrics.pairs.STEPS", 40)
    x = negatives.train[:300]
    data = two_domains(load("digits"), negatives.other)
    found = scores(data, x, 255 - x, 300)
    assert found.keys() == {"classes_agree", "fid_other"}
    assert found["classes_agree"].value > 0.7 and found["classes_agree"].reference is None
    assert found["fid_other"].features == "LeNet trained on negatives: negatives"


def test_pixels_agree_on_the_same_side_of_a_half():
    x = np.array([0, 127, 128, 255], np.uint8).reshape(1, 2, 2, 1)
    assert pixels_agree(x, x) == 1 and pixels_agree(x, 255 - x) == 0
    assert pixels_agree(x, np.array([0, 0, 255, 0], np.uint8).reshape(1, 2, 2, 1)) == 0.75
    with pytest.raises(DataError, match=r"pixels_agree: the images are \(1, 2, 2, 1\) and \(1, 2, 1, 1\)"):
        pixels_agree(x, x[:, :, :1])
