"""The scores of images together: their order, the reference, other features, and images other than digits."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen import use
from tinygen.data import load
from tinygen.errors import ConfigError, DataError
from tinygen.judges.classifier import in_blocks
from tinygen.metrics import fid, image_scores, load_classifier, pooled_pixels, probabilities

SCORES = ["fid", "kid", "kid_spread", "precision", "recall", "density", "coverage", "inception_score"]


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def only_scores(scores):
    return {name: scores[name] for name in SCORES}


def test_real_digits_score_better_than_noisy_ones_and_those_better_than_noise(digits):
    rng = np.random.default_rng(0)
    real = digits.train[:400] / 255
    noise = rng.uniform(size=real.shape)
    graded = [image_scores(np.clip(real + a * (noise - 0.5), 0, 1), digits.test[:400], digits.train) for a in (0, 1, 3)]
    for name in ("fid", "kid"):
        assert graded[0][name] < graded[1][name] < graded[2][name], name
    for name in ("precision", "recall", "density", "coverage", "inception_score"):
        assert graded[0][name] > graded[1][name] > graded[2][name], name
    for scores in graded:
        assert [*scores] == ["features", *SCORES, "reference"] and [*scores["reference"]] == SCORES
        assert scores["features"] == "LeNet trained on digits"
        assert scores["reference"] == graded[0]["reference"], "the reference does not depend on the fakes"


def test_scores_are_those_of_the_parts(digits):
    lenet = load_classifier()
    fake, test = digits.train[:300], digits.test[:200]
    scores = image_scores(fake, test, digits.train)
    assert scores["fid"] == pytest.approx(fid(in_blocks(lenet.features, test), in_blocks(lenet.features, fake)))
    assert 1 < scores["inception_score"] < 10
    sure = np.argmax(probabilities(lenet, fake), axis=1)
    assert np.array_equal(np.bincount(sure) > 0, np.ones(10, bool))


def test_the_range_of_a_model_does_not_matter(digits):
    """Equal images as bytes, in (0, 1), and in (-1, 1)."""
    fake, test, train = digits.train[:64], digits.test[:64], digits.train[:128]
    unit = fake.astype(np.float32) / 255
    expected = image_scores(fake, test, train)
    for same, value_range in ((unit, (0, 1)), (2 * unit - 1, (-1, 1))):
        scores = image_scores(same, test, train, value_range=value_range)
        assert only_scores(scores) == pytest.approx(only_scores(expected), rel=1e-3)
    with pytest.raises(DataError, match=r"values from -1 to 1, outside of \(0.0, 1.0\)"):
        image_scores(2 * unit - 1, test, train)
    with pytest.raises(ConfigError, match="value_range is None"):
        image_scores(unit, test, train, value_range=None)


def test_other_features_can_be_plugged_in(digits):
    seen = []

    def rows(x):
        seen.append((x.shape, x.dtype, float(x.max())))
        return x.mean(axis=2).reshape(len(x), -1)

    scores = image_scores(digits.train[:600], digits.test[:50], digits.train, features=rows)
    assert scores["features"] == "rows" and "inception_score" not in scores
    assert all(shape[1:] == (28, 28, 1) and dtype == np.float32 and most <= 1 for shape, dtype, most in seen)
    means = [
        x.astype(np.float32).mean(axis=2).reshape(len(x), -1) / 255 for x in (digits.test[:50], digits.train[:600])
    ]
    assert scores["fid"] == pytest.approx(fid(*means), rel=1e-4)
    with_classes = image_scores(
        digits.train[:60], digits.test[:50], digits.train, features=rows, classify=lambda x: np.full((len(x), 4), 0.25)
    )
    assert with_classes["inception_score"] == 1


def test_colour_images_are_judged_by_the_stand_in_which_says_so():
    faces = load("sixfactors", train=120, test=60)
    scores = image_scores(faces.train[:50], faces.test, faces.train)
    assert "pixels averaged to 8x8" in scores["features"] and "inception_score" not in scores
    dark = image_scores(faces.train[:50] // 2, faces.test, faces.train)
    assert dark["fid"] > 3 * scores["fid"] and dark["precision"] < scores["precision"]


def test_pooled_pixels_are_means_of_cells(backend):
    x = np.random.default_rng(0).uniform(size=(3, 16, 24, 2)).astype(np.float32)
    cells = x.reshape(3, 8, 2, 8, 3, 2).mean(axis=(2, 4)).reshape(3, -1)
    np.testing.assert_allclose(backend.to_host(pooled_pixels(backend.asarray(x))), cells, rtol=1e-5)
    odd = pooled_pixels(backend.asarray(np.ones((2, 9, 5, 3), np.float32)))
    assert odd.shape == (2, 8 * 5 * 3)
    np.testing.assert_allclose(backend.to_host(odd), 1, rtol=1e-6)


def test_images_of_different_shapes_are_refused(digits):
    with pytest.raises(DataError, match=r"one shape, but they are \(14, 14, 1\), \(28, 28, 1\), \(28, 28, 1\)"):
        image_scores(digits.train[:9, ::2, ::2], digits.test, digits.train)
    with pytest.raises(DataError, match=r"expected images \(N, H, W, C\)"):
        image_scores(digits.train[:9, :, :, 0], digits.test, digits.train)


def test_samples_of_the_device_score_the_same(digits, gpu):
    fake, test, train = digits.train[:40], digits.test[:40], digits.train[:80]
    on_device = image_scores(gpu.asarray(fake), test, train)
    with use("cpu"):
        expected = image_scores(fake, test, train)
    assert only_scores(on_device) == pytest.approx(only_scores(expected), rel=1e-3)
