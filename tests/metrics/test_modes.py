"""Modes are counted as the papers count them, on samples whose counts are known."""

import numpy as np
import pytest
from scipy.stats import entropy

from tinygen.data import Modes, load
from tinygen.errors import DataError
from tinygen.metrics.modes import mixture_scores, reverse_kl, stacked_scores

CROSS = Modes(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]), std=0.1)


def test_a_mode_needs_a_sample_within_three_sigma():
    points = np.array([[1.29, 0], [1, 0], [0.0, 1.29], [0.0, 1.31], [-0.5, 0], [0, 0]], np.float32)
    scores = mixture_scores(points, CROSS)
    assert scores["modes"] == 2 and scores["high_quality"] == 3 / 6
    assert scores["reverse_kl"] == pytest.approx(entropy([2, 1, 0, 0], [1, 1, 1, 1]))  # the far ones count nowhere
    assert mixture_scores(points, CROSS, within=3.2)["high_quality"] == 4 / 6


@pytest.mark.parametrize("name", ["ring8", "grid25"])
def test_the_data_themselves_cover_every_mode(name, backend):
    data = load(name, train=2500, test=0)
    scores = mixture_scores(backend.asarray(data.train), data.modes)
    assert scores["modes"] == len(data.modes.centres)
    assert scores["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.006)  # P(r < 3) in the plane; 0.002 is sigma
    counts = np.bincount(data.labels)
    assert scores["reverse_kl"] == pytest.approx(entropy(counts / counts.sum(), np.full(len(counts), 1 / len(counts))),
                                                 abs=0.002)  # fmt: skip


def test_one_mode_alone_and_none_at_all():
    scores = mixture_scores(np.zeros((9, 2)) + CROSS.centres[2], CROSS)
    assert scores == {"modes": 1, "high_quality": 1.0, "reverse_kl": pytest.approx(np.log(4))}
    for nowhere in (np.full((9, 2), 7.0), np.full((9, 2), np.nan)):
        assert mixture_scores(nowhere, CROSS) == {
            "modes": 0,
            "high_quality": 0.0,
            "reverse_kl": pytest.approx(np.log(4)),
        }


@pytest.mark.parametrize("counts", [[1, 1, 1], [5, 0, 3], [0, 7, 0], [10**9, 1, 1]])
def test_the_divergence_is_scipy_s(counts):
    assert reverse_kl(np.array(counts)) == pytest.approx(entropy(counts, np.ones(3)), abs=1e-12)


def test_stacked_digits_are_classified_channel_by_channel(backend):
    digits = np.array([[3, 1, 4], [1, 5, 9], [3, 1, 4], [0, 0, 7]])
    images = np.broadcast_to(digits[:, np.newaxis, np.newaxis] / 10, (4, 28, 28, 3))  # grey that says which digit
    shapes = []

    def classify(channel):
        shapes.append(channel.shape)
        return np.rint(backend.to_host(channel)[:, 14, 14, 0] * 10).astype(np.int64)

    scores = stacked_scores(backend.asarray(images), classify)
    assert shapes == [(4, 28, 28, 1)] * 3 and scores["modes"] == 3
    assert scores["reverse_kl"] == pytest.approx(entropy([2, 1, 1, *[0] * 997], np.ones(1000)))


def test_real_stacked_digits_come_near_to_all_modes():
    data = load("stacked", train=1, test=26_000)
    by_label = iter((data.test_labels // 100, data.test_labels // 10 % 10, data.test_labels % 10))
    scores = stacked_scores(data.test, lambda channel: next(by_label))
    assert scores["modes"] == 1000 and scores["reverse_kl"] < 0.1


@pytest.mark.parametrize("shape", [(5, 3), (5,), (0, 2), (5, 28, 28, 1)])
def test_other_points_are_refused(shape):
    with pytest.raises(DataError, match="mixture_scores: points are"):
        mixture_scores(np.zeros(shape), CROSS)


@pytest.mark.parametrize("shape", [(5, 28, 28, 1), (5, 28, 28), (0, 28, 28, 3)])
def test_other_images_are_refused(shape):
    with pytest.raises(DataError, match="stacked_scores: images are"):
        stacked_scores(np.zeros(shape), lambda x: np.zeros(len(x), int))
