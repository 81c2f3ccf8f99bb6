"""How much of the generated images is real, and how much of reality is generated: shares of images that lie within
each other's neighbourhoods. Features are (N, F) arrays, one row an image.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backend import Array
from ..data.checks import whole
from .distances import as_features

BLOCK = 4_000_000  # distances that are held at a time, 32 MB


def precision_recall(real: Array, fake: Array, k: int = 3) -> tuple[float, float]:
    """Precision: the share of fakes that lie in some ball around a real image that reaches to the k-th nearest other
    real one. Recall: the same with real and fake exchanged. Kynkäänniemi et al. 2019, eq. 1 and 2.

    Raises DataError for features that don't fit, ConfigError for a k that is not below the number of either.
    """
    real, fake = as_features("precision_recall", real, fake)
    whole("precision_recall", "k", k, 1, min(len(real), len(fake)) - 1, ", fewer than there are images")
    return _share_covered(fake, real, k), _share_covered(real, fake, k)


def density_coverage(real: Array, fake: Array, k: int = 5) -> tuple[float, float]:
    """With the ball around each real image that reaches to its k-th nearest other real one (Naeem et al. 2020):

    density = (1/k) · the mean number of balls in which a fake lies; coverage = the share of balls in which one lies.
    For fakes from the same distribution the mean of density is 1, and that of coverage (lemma 2)
    1 - (N-1)···(N-k) / ((N+M-1)···(N+M-k)) for N real and M fake: 0.969 where N = M is large and k = 5.
    Raises as precision_recall.
    """
    real, fake = as_features("density_coverage", real, fake)
    whole("density_coverage", "k", k, 1, len(real) - 1, ", fewer than there are real images")
    radii = _radii(real, k)
    inside, reached = 0, np.zeros(len(real), bool)
    for distances in _distances(fake, real):
        within = distances <= radii
        inside += int(within.sum())
        reached |= within.any(axis=0)
    return inside / (k * len(fake)), float(reached.mean())


def _share_covered(points: np.ndarray, centres: np.ndarray, k: int) -> float:
    radii = _radii(centres, k)
    return sum(int((d <= radii).any(axis=1).sum()) for d in _distances(points, centres)) / len(points)


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """From each row the squared distance to the k-th nearest other row; the nearest of all is the row itself."""
    radii = []
    for distances in _distances(x, x):
        distances.partition(k, axis=1)
        radii.append(distances[:, k].copy())
    return np.concatenate(radii)


def _distances(x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """‖x_i - y_j‖² = ‖x_i‖² + ‖y_j‖² - 2 x_i·y_j, a block of rows i at a time, which the next one overwrites."""
    rows = max(1, BLOCK // len(y))
    memory, minus_2y, y2 = np.empty((min(rows, len(x)), len(y))), -2 * y.T, (y * y).sum(axis=1)
    for i in range(0, len(x), rows):
        block = x[i : i + rows]
        d = np.matmul(block, minus_2y, out=memory[: len(block)])
        d += (block * block).sum(axis=1)[:, np.newaxis]
        d += y2
        yield d
