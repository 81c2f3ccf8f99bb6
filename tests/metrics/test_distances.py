"""Fréchet distance, FID, KID and Inception score: against scipy, against the definitions, and where they are known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.linalg

from tinygen.errors import ConfigError, DataError
from tinygen.metrics import fid, frechet_distance, inception_score, kid


def by_sqrtm(mu1, cov1, mu2, cov2):
    """The usual formula."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of singular matrices
        overlap = scipy.linalg.sqrtm(cov1 @ cov2)
    return ((mu1 - mu2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(overlap).real


@pytest.mark.parametrize("ranks", [(64, 64), (64, 20), (20, 64), (20, 20), (40, 60), (1, 1)])
def test_the_frechet_distance_is_that_of_sqrtm(ranks):
    """For singular covariances A Aᵀ and B Bᵀ, sqrtm itself is off by √eps for each eigenvalue that should be 0. So the
    same formula is also taken on Bᵀ A Aᵀ B, which has only the other eigenvalues."""
    rng = np.random.default_rng(0)
    mu1, mu2 = rng.normal(size=(2, 64))
    factors = [rng.normal(size=(64, rank)) / 8 for rank in ranks]
    covs = [a @ a.T for a in factors]
    distance = frechet_distance(mu1, covs[0], mu2, covs[1])
    assert distance == pytest.approx(by_sqrtm(mu1, covs[0], mu2, covs[1]), abs=1e-6)
    a, b = sorted(factors, key=lambda a: -a.shape[1])
    overlap = np.trace(scipy.linalg.sqrtm(b.T @ a @ a.T @ b))
    exact = ((mu1 - mu2) ** 2).sum() + np.trace(covs[0]) + np.trace(covs[1]) - 2 * overlap
    assert distance == pytest.approx(exact, abs=1e-11)


def test_singular_covariances_by_hand():
    """Covariances that commute: the distance is Σ (√a - √b)² over the eigenvalues; a zero adds no rounding error."""
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 50)))[0]
    a, b = np.arange(50.0) * (np.arange(50) > 30), np.arange(50.0)[::-1] * (np.arange(50) < 40)
    mu = np.zeros(50)
    for first, second in ((a, b), (a, a), (0 * a, b), (0 * a, 0 * b)):
        distance = frechet_distance(mu, (q * first) @ q.T, mu, (q * second) @ q.T)
        assert distance == pytest.approx(((np.sqrt(first) - np.sqrt(second)) ** 2).sum(), abs=1e-9)


def test_fid_is_the_distance_of_the_fitted_gaussians():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(300, 8)), 2 * rng.normal(size=(200, 8)) + 1
    fitted = [f(x) for x in (real, fake) for f in (lambda x: x.mean(0), lambda x: np.cov(x.T))]
    assert fid(real, fake) == pytest.approx(by_sqrtm(*fitted), abs=1e-9)
    assert fid(real, fake) == pytest.approx(fid(fake, real), abs=1e-9)
    assert fid(real, real) == pytest.approx(0, abs=1e-9)
    assert fid(real.astype(np.float32), fake[:, ::-1].astype(np.float32)) > 8  # 8 · (1² + (2 - 1)²) = 16 in truth
    assert fid(real, fake) == pytest.approx(16, rel=0.2)


def test_fid_of_fewer_images_than_features_is_finite():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(20, 64)), np.zeros((5, 64))
    assert fid(real, fake) == pytest.approx((real.mean(0) ** 2).sum() + np.trace(np.cov(real.T)))


def test_kid_of_one_subset_by_its_definition():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 3)) + 0.5

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    def mean_of_pairs(s, t):
        pairs = [k(s[i], t[j]) for i in range(12) for j in range(12) if s is not t or i != j]
        return np.mean(pairs)

    expected = mean_of_pairs(x, x) + mean_of_pairs(y, y) - 2 * mean_of_pairs(x, y)
    assert kid(x, y, subsets=3, size=12) == pytest.approx((expected, 0))


def test_kid_is_unbiased():
    """Between two draws of one distribution its mean is 0, even where FID's is far from 0."""
    rng = np.random.default_rng(0)
    scores = [kid(rng.normal(size=(50, 16)), rng.normal(size=(50, 16)), 1, 50)[0] for _ in range(400)]
    assert abs(np.mean(scores)) < 3 * np.std(scores) / 20
    mean, spread = kid(rng.normal(size=(2000, 16)), rng.normal(size=(2000, 16)) + 0.5, subsets=20)
    assert mean > 3 * spread > 0


def test_kid_repeats_by_its_seed():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 90, 4))
    assert kid(x, y, size=30) == kid(x, y, size=30) != kid(x, y, size=30, seed=1)


def test_the_inception_score_where_it_is_known():
    sure = np.eye(10)[np.arange(1000) % 10]
    assert inception_score(sure) == pytest.approx(10)
    assert inception_score(sure[:, ::-1] * 0 + 0.1) == pytest.approx(1)
    assert inception_score(np.tile(sure[3], (50, 1))) == pytest.approx(1), "one class alone"
    half = np.array([[0.75, 0.25], [0.25, 0.75]])
    assert inception_score(half) == pytest.approx(np.exp(0.75 * np.log(1.5) + 0.25 * np.log(0.5)))


def test_what_is_no_feature_is_refused():
    x = np.zeros((5, 3))
    for real, fake in ((x, x[:, :2]), (x[0], x), (x[:1], x)):
        with pytest.raises(DataError, match=r"expected features \(N, F\)"):
            fid(real, fake)
    with pytest.raises(DataError, match="the features of the fake images are not all finite"):
        kid(x, x * np.nan)
    with pytest.raises(DataError, match="expected probabilities"):
        inception_score(x)
    with pytest.raises(ConfigError, match="size is 6, but it must be an int from 2 to 5, the fewer rows"):
        kid(x, x, size=6)
    with pytest.raises(ConfigError, match="subsets is 0"):
        kid(x, x, subsets=0)


def test_arrays_of_the_device_are_taken(gpu):
    x, y = np.random.default_rng(0).normal(size=(2, 40, 6))
    assert fid(gpu.asarray(x), gpu.asarray(y)) == fid(x, y)
    assert kid(gpu.asarray(x), gpu.asarray(y)) == kid(x, y)
    p = np.full((4, 2), 0.5)
    assert inception_score(gpu.asarray(p)) == 1
