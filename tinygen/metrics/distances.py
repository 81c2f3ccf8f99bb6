"""Distances between the distributions of generated and real images, measured on features or classes.

Features are (N, F) arrays, one row per image: `images.image_scores` says where they come from.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, to_host
from ..checks import as_numbers, whole
from ..errors import DataError
from ..random import Generator


def frechet_distance(mu1: Array, cov1: Array, mu2: Array, cov2: Array) -> float:
    """‖mu1 - mu2‖² + tr(cov1 + cov2 - 2 (cov1^½ cov2 cov1^½)^½), between two Gaussians: Dowson and Landau 1982.

    The last trace is the sum of the singular values of cov1^½ cov2^½, which are real, and exact to the last digits for
    singular covariances too, where scipy's sqrtm(cov1 @ cov2) turns complex or fails. It is never below 0.

    >>> round(tg.metrics.frechet_distance([0.0], [[1.0]], [3.0], [[4.0]]), 6)  # 3² + (2 - 1)²
    10.0
    """
    names = ("mu1", "cov1", "mu2", "cov2")
    given = [to_host(as_numbers("frechet_distance", n, x)) for n, x in zip(names, (mu1, cov1, mu2, cov2), strict=True)]
    mu1, cov1, mu2, cov2 = (x.astype(np.float64) for x in given)
    if not (mu1.ndim == 1 and mu2.shape == mu1.shape and cov1.shape == cov2.shape == (len(mu1), len(mu1))):
        shapes = ", ".join(str(x.shape) for x in given)
        raise DataError(
            f"frechet_distance: mu1, cov1, mu2, cov2 are {shapes}, but they must be (F,), (F, F), (F,), (F, F)"
        )
    if not all(np.isfinite(x).all() for x in given):
        raise DataError("frechet_distance: the means and covariances are not all finite")
    overlap = np.linalg.svd(_root(cov1) @ _root(cov2), compute_uv=False).sum()
    distance = ((mu1 - mu2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * overlap
    return max(float(distance), 0.0)


def _root(cov: np.ndarray) -> np.ndarray:
    """The symmetric root of a covariance; eigenvalues within rounding error of 0 are taken as 0."""
    values, vectors = np.linalg.eigh(cov)
    values = np.where(values > len(values) * np.finfo(values.dtype).eps * values[-1], values, 0)
    return (vectors * np.sqrt(values)) @ vectors.T


def fid(real: Array, fake: Array) -> float:
    """The Fréchet distance of the Gaussians fitted to features (N, F) and (M, F): Heusel et al. 2017, eq. 6.

    It is biased upwards, and more so with fewer images: compare only values for equally many.

    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> round(tg.metrics.fid(x, x + [3.0, 4.0]), 6)  # 3² + 4²
    25.0
    """
    real, fake = as_features("fid", real, fake)
    return frechet_distance(real.mean(0), _covariance(real), fake.mean(0), _covariance(fake))


def _covariance(x: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(x, rowvar=False))


def kid(real: Array, fake: Array, subsets: int = 50, size: int | None = None, seed: int = 0) -> tuple[float, float]:
    """MMD² with the kernel k(x, y) = (x·y / F + 1)³, unbiased: mean and standard deviation over random subsets.

    Binkowski et al. 2018, eq. 4 and section 4. size: rows of either set in a subset; by default 500, or half of the
    smaller set if that is fewer, so that subsets differ and the spread is meaningful.

    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> mean, spread = tg.metrics.kid(x, x + 10.0)
    >>> mean > 1
    True
    """
    real, fake = as_features("kid", real, fake)
    fewer = min(len(real), len(fake))
    whole("kid", "subsets", subsets, 1)
    size = whole("kid", "size", min(500, max(2, fewer // 2)) if size is None else size, 2, fewer, ", the fewer rows")
    rng = Generator(seed, "kid", device="cpu")
    drawn = ([x[rng.permutation(len(x))[:size]] for x in (real, fake)] for _ in range(subsets))
    scores = [_mmd2(x, y) for x, y in drawn]
    return float(np.mean(scores)), float(np.std(scores))


def _mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Gretton et al. 2012, eq. 3: unbiased, as the pairs of an example with itself are left out."""
    n, m = len(x), len(y)
    xx, yy, xy = (_cubic(a, b) for a, b in ((x, x), (y, y), (x, y)))
    return float((xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1)) - 2 * xy.mean())


def _cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    k = x @ y.T / x.shape[1] + 1
    return k * k * k


def inception_score(probabilities: Array) -> float:
    """exp(mean of KL(p(class | image) ‖ p(class))) of probabilities (N, classes): Salimans et al. 2016, section 4.

    From 1 (all images look alike, or like no class) to the number of classes. Taken over all images at once, as Barratt
    and Sharma 2018, section 4, advise; the original is a mean over ten parts.

    >>> round(tg.metrics.inception_score(np.eye(10)), 3)  # sure of every image, and all classes are there
    10.0
    """
    p = to_host(as_numbers("inception_score", "probabilities", probabilities)).astype(np.float64)
    if p.ndim != 2 or not p.size or not np.allclose(p.sum(axis=1), 1, atol=1e-4) or p.min() < 0:
        raise DataError(f"inception_score: expected probabilities (N, classes), but got an array of shape {p.shape}")
    log = np.log(np.where(p > 0, p, 1))  # 0 log 0 = 0
    marginal = p.mean(axis=0)
    return float(np.exp((p * (log - np.log(np.where(marginal > 0, marginal, 1)))).sum(axis=1).mean()))


def as_features(metric: str, real: Array, fake: Array) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 on the host. Raises DataError unless they are finite (N, F) and (M, F), N and M at least 2."""
    given = (("the features of the real images", real), ("the features of the fake images", fake))
    sets = [to_host(as_numbers(metric, name, x)).astype(np.float64) for name, x in given]
    if any(x.ndim != 2 or len(x) < 2 for x in sets) or sets[0].shape[1] != sets[1].shape[1]:
        raise DataError(
            f"{metric}: expected features (N, F) and (M, F) of at least 2 images, got {sets[0].shape}, {sets[1].shape}"
        )
    for name, x in zip(("real", "fake"), sets, strict=True):
        if not np.isfinite(x).all():
            raise DataError(f"{metric}: the features of the {name} images are not all finite")
    return sets[0], sets[1]
