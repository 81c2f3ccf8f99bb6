"""Precision, recall, density and coverage: against the definitions, pair by pair, and where they are known."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from tinygen.errors import ConfigError, DataError
from tinygen.metrics import density_coverage, neighbours, precision_recall


def by_definition(real, fake, k):
    """All four, from the distances of every pair."""

    def radius(x, i):
        return sorted(((x[i] - x[j]) ** 2).sum() for j in range(len(x)) if j != i)[k - 1]

    def inside(points, centres):
        """[p, c]: whether point p lies in the ball around centre c."""
        return np.array([[((p - c) ** 2).sum() <= radius(centres, i) for i, c in enumerate(centres)] for p in points])

    in_real, in_fake = inside(fake, real), inside(real, fake)
    return in_real.any(1).mean(), in_fake.any(1).mean(), in_real.sum() / (k * len(fake)), in_real.any(0).mean()


@pytest.mark.parametrize("seed", range(5))
def test_all_four_are_their_definitions(seed, monkeypatch):
    """On whole numbers, where many distances are equal; in blocks of 3 rows."""
    monkeypatch.setattr(neighbours, "BLOCK", 70)
    rng = np.random.default_rng(seed)
    real, fake = rng.integers(0, 6, (23, 2)), rng.integers(2, 9, (17, 2))
    for k in (1, 3, 5):
        measured = (*precision_recall(real, fake, k), *density_coverage(real, fake, k))
        assert measured == pytest.approx(by_definition(real, fake, k), abs=1e-12)
    assert 0 < measured[0] < 1 and 0 < measured[3] < 1


def test_equal_sets_and_sets_far_apart():
    x = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
    assert precision_recall(x, x) == (1, 1)
    assert density_coverage(x, x) == (6 / 5, 1), "each ball holds its centre and its k = 5 neighbours"
    assert precision_recall(x, x + 100) == (0, 0)
    assert density_coverage(x, x + 100) == (0, 0)


@pytest.fixture
def rough_products(monkeypatch):
    """Products whose last bits are another processor's: x · y and y · x differ."""
    rng, exact = np.random.default_rng(0), np.matmul

    def matmul(a, b, out):
        out[...] = exact(a, b) * (1 + rng.integers(-4, 5, (len(a), b.shape[1])) * np.finfo(float).eps)
        return out

    monkeypatch.setattr(np, "matmul", matmul)


@pytest.mark.usefixtures("rough_products")
@pytest.mark.parametrize("offset", [0, 1e3, 1e8])
def test_the_last_bits_of_products_do_not_matter(offset):
    """Distances between points, and from a point to itself, are symmetric, even far from 0, where terms cancel."""
    rng = np.random.default_rng(1)
    real, fake = offset + rng.normal(size=(30, 4)), offset + rng.normal(0.5, 1, (25, 4))
    measured = (*precision_recall(real, fake, 3), *density_coverage(real, fake, 3))
    assert measured == pytest.approx(by_definition(real, fake, 3), abs=1e-12)
    assert precision_recall(real, real) == (1, 1) and density_coverage(real, real) == (6 / 5, 1)


@pytest.mark.usefixtures("rough_products")
def test_clusters_smaller_than_the_rounding_of_their_distance():
    x = 1e-4 * np.random.default_rng(0).normal(size=(60, 3)) + np.repeat([[0], [1e6]], 30, axis=0)
    assert density_coverage(x, x) == (6 / 5, 1)


def test_one_distribution_twice():
    """The means that Naeem et al. prove: density 1, coverage by lemma 2."""
    rng, k, scores = np.random.default_rng(0), 5, []
    for _ in range(100):
        scores.append(density_coverage(rng.normal(size=(60, 3)), rng.normal(size=(90, 3)), k))
    expected = 1, 1 - math.perm(59, k) / math.perm(149, k)
    deviation = np.std(scores, axis=0) / 10
    assert (np.abs(np.mean(scores, axis=0) - expected) < 3 * deviation).all()


def test_half_of_the_distribution_costs_recall_and_the_double_costs_precision():
    rng = np.random.default_rng(0)
    whole, half = rng.normal(size=(400, 2)), np.abs(rng.normal(size=(400, 2)))
    precision, recall = precision_recall(whole, half)
    assert precision > 0.9 and recall < 0.5
    assert precision_recall(half, whole) == (recall, precision)
    assert density_coverage(whole, half)[1] < 0.5


def test_one_image_over_and_over_has_no_recall():
    real, fake = np.random.default_rng(0).normal(size=(200, 4)), np.zeros((100, 4))
    assert precision_recall(real, fake) == (1, 0)
    density, coverage = density_coverage(real, fake)
    assert density > 1 and coverage < 0.2, "density alone does not see it"


def test_memory_stays_bounded():
    """All pairs of 4,000 by 4,000 would take 128 MB."""
    x, y = np.random.default_rng(0).normal(size=(2, 4000, 8))
    tracemalloc.start()
    precision_recall(x, y)
    density_coverage(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 8 * neighbours.BLOCK < 24.1e6


def test_what_does_not_fit_is_refused():
    x = np.zeros((5, 3))
    for f, what in ((precision_recall, "images"), (density_coverage, "real images")):
        with pytest.raises(
            ConfigError, match=f"k is 5, but it must be an int from 1 to 4, fewer than there are {what}"
        ):
            f(x, x, k=5)
        with pytest.raises(DataError, match="expected features"):
            f(x, x[:, :1])


def test_arrays_of_the_device_are_taken(gpu):
    x, y = np.random.default_rng(0).normal(size=(2, 40, 6))
    assert precision_recall(gpu.asarray(x), gpu.asarray(y)) == precision_recall(x, y)
    assert density_coverage(gpu.asarray(x), gpu.asarray(y)) == density_coverage(x, y)
