"""How many modes of a known distribution the samples reach, and how evenly: the counts of VEEGAN (Srivastava et al.
2017) and PacGAN (Lin et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..backend import Array, to_host
from ..checks import as_numbers, type_of
from ..data import Modes
from ..data.stacked import PLACES
from ..errors import DataError
from ..judges.classifier import load_classifier, predict
from ..models.base import has
from .subject import Score, Subject, beside_real

POINTS, STACKED = 2_500, 26_000  # samples in the papers


def mixture_scores(points: Array, modes: Modes, within: float = 3.0) -> dict[str, float]:
    """Scores of samples (N, 2) of a mixture. A sample counts for its nearest centre if that is within `within` · std.

    modes: centres with a sample.  high_quality: the share of samples that count.
    reverse_kl: of the counted samples' shares against equal ones, in nats. As in PacGAN's published program, which
    ignores the others in all three.  Raises DataError for another shape.

    >>> ring = tg.data.load("ring8", train=100, test=100)
    >>> tg.metrics.mixture_scores(ring.modes.centres[:4], ring.modes)["modes"]
    4
    """
    points = as_numbers("mixture_scores", "points", points)
    if not isinstance(modes, Modes):
        raise DataError(
            f"mixture_scores: modes is {type_of(modes)}, but it must be those of a mixture, such as load('ring8').modes"
        )
    if points.ndim != 2 or points.shape[1:] != modes.centres.shape[1:] or len(points) == 0:
        raise DataError(f"mixture_scores: points are {tuple(points.shape)}, but samples of this mixture are (N, 2)")
    offsets = to_host(points)[:, np.newaxis].astype(np.float64) - modes.centres
    distances = np.sqrt((offsets**2).sum(axis=-1))
    near = distances.min(axis=1) < within * modes.std  # NaN is near nothing
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=len(modes.centres))
    return {"modes": int((counts > 0).sum()), "high_quality": float(near.mean()), "reverse_kl": reverse_kl(counts)}


def stacked_scores(images: Array, classify: Callable[[Array], np.ndarray]) -> dict[str, float]:
    """Scores of samples (N, 28, 28, 3) of stacked digits; a classifier of the channels says which of 1,000 modes it is.

    modes: modes with a sample.  reverse_kl: of the modes' shares against equal ones, in nats.
    classify: (N, 28, 28, 1) to the digits (N,).  Raises DataError for another shape.

    >>> stacked = tg.data.load("stacked", train=20, test=10)
    >>> classifier = tg.metrics.load_classifier()
    >>> scores = tg.metrics.stacked_scores(stacked.train / 255, lambda x: tg.metrics.predict(classifier, x))
    >>> scores["modes"] <= 20
    True
    """
    images = as_numbers("stacked_scores", "images", images)
    if images.ndim != 4 or images.shape[3] != 3 or len(images) == 0:
        raise DataError(f"stacked_scores: images are {tuple(images.shape)}, but stacked digits are (N, 28, 28, 3)")
    digits = np.stack([to_host(classify(images[..., channel : channel + 1])) for channel in range(3)], axis=1)
    counts = np.bincount(digits @ PLACES, minlength=1000)
    return {"modes": int((counts > 0).sum()), "reverse_kl": reverse_kl(counts)}


def reverse_kl(counts: np.ndarray) -> float:
    """KL(p ‖ uniform) = log K + Σ p log p, p = counts / Σ counts over K modes; in nats.

    From 0, all equal, to log K, all at one mode; also log K if nothing was counted. Reverse: the model's distribution
    comes first, so a missing mode costs nothing infinite.

    >>> tg.metrics.reverse_kl(np.array([5, 5])), round(tg.metrics.reverse_kl(np.array([10, 0])), 3)
    (0.0, 0.693)
    """
    counts = to_host(as_numbers("reverse_kl", "counts", counts))
    if counts.ndim != 1 or not counts.size or not (counts >= 0).all():
        raise DataError(f"reverse_kl: counts is {counts!r:.80}, but it must be a number of at least 0 for each mode")
    worst = math.log(len(counts))
    p = counts[counts > 0] / max(counts.sum(), 1)
    return max(0.0, worst + float((p * np.log(p)).sum()))


ABOUT = {
    "modes": "modes with a sample; more is better",
    "high_quality": "share of samples within 3 sigma of a mode; higher is better",
    "reverse_kl": "how unevenly the samples fall on the modes, in nats; lower is better",
}


def measure(subject: Subject) -> dict[str, Score]:
    if not has(subject.model, "sample"):
        return {}
    if subject.data.modes is not None:
        modes, n = subject.data.modes, subject.n or POINTS
        return beside_real(lambda points: mixture_scores(points, modes), subject.samples(n), subject.real(n))
    if subject.data.name == "stacked":
        lenet, n = load_classifier(), subject.n or STACKED
        return beside_real(
            lambda x: stacked_scores(x, lambda channel: predict(lenet, channel)), subject.samples(n), subject.real(n)
        )
    return {}
