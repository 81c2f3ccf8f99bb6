"""How close restored images are to the true ones, beside what the simplest means make of the same input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..checks import as_numbers
from ..data.sixfactors import SMILE
from ..errors import DataError
from ..judges.classifier import SHAPE, accuracy, in_blocks, load_classifier, unit_images
from ..judges.faces import has_drawn_faces, load_face_judge, read_factors
from ..models.base import has
from .distances import fid
from .images import FEWEST, features_for
from .subject import MOST, Score, Subject

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03  # Wang et al. 2004, section III.B


def psnr(x: Array, y: Array) -> float:
    """10 log₁₀(1 / mean (x - y)²) of each pair of images in [0, 1], in dB; the mean over all pairs.

    x, y: (N, H, W, C), uint8 or in [0, 1]. Raises DataError if their shapes differ.

    >>> x = np.zeros((1, 28, 28, 1), np.float32)
    >>> round(tg.metrics.psnr(x, x + np.float32(0.1)), 3)
    20.0
    """
    x, y = _pairs("psnr", x, y)
    with np.errstate(divide="ignore"):  # of equal images it is infinite
        return float((-10 * np.log10(np.square(x - y).mean(axis=(1, 2, 3)))).mean())


def ssim(x: Array, y: Array) -> float:
    """The structural similarity of each pair of images, 1 if they are equal; the mean over all: Wang et al. 2004.

    (2 μx μy + c1) (2 σxy + c2) / ((μx² + μy² + c1) (σx² + σy² + c2)) at each window that lies in the image, for each
    channel, with moments weighted by a Gaussian of 11x11 pixels, σ = 1.5; c1 = .01², c2 = .03² (eq. 13 to 16).
    x, y: (N, H, W, C), uint8 or in [0, 1]. Raises DataError if their shapes differ, and for a side below 11.

    >>> x = tg.data.load("digits").test[:4]
    >>> round(tg.metrics.ssim(x, x), 6)
    1.0
    """
    x, y = _pairs("ssim", x, y)
    if min(x.shape[1:3]) < WINDOW:
        raise DataError(f"ssim: the images are {x.shape[1]}x{x.shape[2]}, but a window has {WINDOW}x{WINDOW} pixels")
    c1, c2 = K1**2, K2**2
    mx, my = _windows(x), _windows(y)
    vx, vy, cov = _windows(x * x) - mx * mx, _windows(y * y) - my * my, _windows(x * y) - mx * my
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def _pairs(metric: str, x: Array, y: Array) -> tuple[np.ndarray, np.ndarray]:
    """Both on the host, in [0, 1], as float64."""
    x, y = (to_host(unit_images(as_numbers(metric, "images", images))).astype(np.float64) for images in (x, y))
    if x.shape != y.shape:
        raise DataError(f"{metric}: the images are {x.shape} and {y.shape}, but they must have one shape")
    return x, y


def _windows(x: np.ndarray) -> np.ndarray:
    """The weighted means of all windows in images (N, H, W, C): (N, H - 10, W - 10, C)."""
    w = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2)
    w /= w.sum()
    for axis in (1, 2):
        x = np.lib.stride_tricks.sliding_window_view(x, WINDOW, axis) @ w
    return x


def contrast(x: np.ndarray) -> float:
    """The mean |difference| of neighbouring pixels, down and across, of images (N, H, W, C): how sharp they are."""
    down, across = (float(np.abs(np.diff(x, axis=axis)).mean()) if x.shape[axis] > 1 else 0.0 for axis in (1, 2))
    return (down + across) / 2


ABOUT = {
    "psnr": "peak signal-to-noise ratio of what was restored, in dB; higher is better",
    "ssim": "structural similarity of restored to true images, at most 1; higher is better",
    "sharpness": "contrast of neighbouring pixels, as a share of that of the true images",
    "smile_spread": "spread of the smiles that the judge sees, as a share of the true ones",
    "restored_fid": "Fréchet distance of restored to true test images; lower is better",
    "restored_accuracy": "share of restored digits seen as their class; higher is better",
}


def measure(subject: Subject) -> dict[str, Score]:
    model, data = subject.model, subject.data
    if not (has(model, "degrade") and has(model, "translate")) or len(data.shape) != 3:
        return {}
    x = data.test[: subject.n or MOST]
    true, degraded = unit_images(x), [model.degrade(batch) for batch in subject.batches(x)]

    def images(restore: Callable[[Array], Array]) -> np.ndarray:
        return np.concatenate([unit_images(to_host(restore(z)), model.value_range) for z in degraded])

    restored, plain = images(model.translate), images(model.plain) if has(model, "plain") else None

    def score(measured: Callable[[Any], float], reference: float | None = None, features: str | None = None) -> Score:
        return Score(measured(restored), reference, features, None if plain is None else measured(plain))

    rows, columns = getattr(model, "remade", (slice(None), slice(None)))
    part = true[:, rows, columns]
    scores = {"psnr": score(lambda y: psnr(y[:, rows, columns], part))}
    if min(part.shape[1:3]) >= WINDOW:
        scores["ssim"] = score(lambda y: ssim(y[:, rows, columns], part))
    if contrast(part):
        scores["sharpness"] = score(lambda y: contrast(y[:, rows, columns]) / contrast(part), 1.0)
    if has_drawn_faces(data):
        judge_of_faces = load_face_judge()
        spread = np.std(read_factors(judge_of_faces, true)[:, SMILE])
        scores["smile_spread"] = score(lambda y: float(np.std(read_factors(judge_of_faces, y)[:, SMILE]) / spread), 1.0)
    if len(x) >= FEWEST:
        features, name = features_for(subject)
        of_true, of_train = (in_blocks(features, images) for images in (true, data.train[: len(x)]))
        scores["restored_fid"] = score(lambda y: fid(of_true, in_blocks(features, y)), fid(of_true, of_train), name)
    labels = None if data.test_labels is None else data.test_labels[: len(x)]
    if data.shape == SHAPE and data.name in ("digits", "mnist") and labels is not None:
        judge = load_classifier()
        scores["restored_accuracy"] = score(lambda y: accuracy(judge, y, labels), accuracy(judge, true, labels))
    return scores
