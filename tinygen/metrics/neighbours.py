"""How many generated images look real, and how much of the real data is generated: shares of images that lie within
each other's neighbourhoods. Features are (N, F) arrays, one row per image.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backend import Array
from ..checks import whole
from .distances import as_features

BLOCK = 1_000_000  # distances at a time, 8 MB


def precision_recall(real: Array, fake: Array, k: int = 3) -> tuple[float, float]:
    """Precision: the share of fakes that lie in a ball around some real image, up to its k-th nearest other real one.
    Recall: the same with real and fake exchanged. Kynkäänniemi et al. 2019, eq. 1 and 2.

    Raises DataError for features that don't fit, ConfigError unless k is below the number of either.

    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> tg.metrics.precision_recall(x, x), tg.metrics.precision_recall(x, x + 100.0)
    ((1.0, 1.0), (0.0, 0.0))
    """
    real, fake = as_features("precision_recall", real, fake)
    whole("precision_recall", "k", k, 1, min(len(real), len(fake)) - 1, ", fewer than there are images")
    return _share_covered(fake, real, k), _share_covered(real, fake, k)


def density_coverage(real: Array, fake: Array, k: int = 5) -> tuple[float, float]:
    """With a ball around each real image, up to its k-th nearest other real one (Naeem et al. 2020):

    density = (1/k) · the mean number of balls in which a fake lies; coverage = the share of balls in which one lies.
    For fakes from the same distribution the mean of density is 1, and that of coverage (lemma 2)
    1 - (N-1)···(N-k) / ((N+M-1)···(N+M-k)) for N real and M fake: 0.969 where N = M is large and k = 5.
    Raises errors as precision_recall does.

    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> tg.metrics.density_coverage(x, x + 100.0)
    (0.0, 0.0)
    """
    real, fake = as_features("density_coverage", real, fake)
    whole("density_coverage", "k", k, 1, len(real) - 1, ", fewer than there are real images")
    inside, reached = 0, np.zeros(len(real), bool)
    for within in _within(fake, real, k):
        inside += int(within.sum())
        reached |= within.any(axis=0)
    return inside / (k * len(fake)), float(reached.mean())


def _share_covered(points: np.ndarray, centres: np.ndarray, k: int) -> float:
    return sum(int(within.any(axis=1).sum()) for within in _within(points, centres, k)) / len(points)


def _within(points: np.ndarray, centres: np.ndarray, k: int) -> Iterator[np.ndarray]:
    """[p, c]: whether a point lies in the ball around a centre, a block of points at a time."""
    radii = _radii(centres, k)
    for rows, d, error in _distances(points, centres):
        d -= radii
        within = d <= 0
        i, j = (np.abs(d, out=d) <= error).nonzero()
        within[i, j] = _between(rows, i, centres, j) <= radii[j]
        yield within


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """The squared distance from each row to its k-th nearest other row; the nearest of all is the row itself."""
    radii = []
    for rows, d, error in _distances(x, x):
        i, j = (d <= np.partition(d, k, axis=1)[:, k : k + 1] + 2 * error).nonzero()  # k + 1 of a row, or more
        nearest = _between(rows, i, x, j)
        nearest = nearest[np.lexsort((nearest, i))]
        radii.append(nearest[np.searchsorted(i, np.arange(len(rows))) + k])
    return np.concatenate(radii)


def _distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A block of rows x_i at a time; d = ‖x_i‖² + ‖y_j‖² - 2 x_i·y_j, overwritten by the next block; and the error
    bound of each row of d: its last bits depend on the processor, so `_between` decides where they matter.

    Taken around the mean of y, as the error grows with the norms: Higham 2002, eq. 3.5.
    """
    rows, centre = max(1, BLOCK // len(y)), y.mean(axis=0)
    y = y - centre
    memory, minus_2y, y2 = np.empty((min(rows, len(x)), len(y))), -2 * y.T, (y * y).sum(axis=1)
    unit = 2 * (y.shape[1] + 4) * np.finfo(y.dtype).eps
    for i in range(0, len(x), rows):
        block = x[i : i + rows] - centre
        x2 = (block * block).sum(axis=1)[:, np.newaxis]
        d = np.matmul(block, minus_2y, out=memory[: len(block)])
        d += x2
        d += y2
        yield x[i : i + rows], d, unit * (x2 + y2.max())


def _between(x: np.ndarray, i: np.ndarray, y: np.ndarray, j: np.ndarray) -> np.ndarray:
    """‖x_i - y_j‖² of each pair (i, j): 0 for equal rows, and symmetric."""
    step = max(1, BLOCK // x.shape[1])
    pairs = ((i[start : start + step], j[start : start + step]) for start in range(0, len(i), step))
    return np.concatenate([np.empty(0), *(((x[i] - y[j]) ** 2).sum(axis=1) for i, j in pairs)])
