"""Whether the two images that a model of two domains makes of one latent belong together.

Classes are judged in each domain by a classifier of its own; pixels where it is known what an image of the first domain
looks like in the second. Images that don't belong together agree, too, by chance: that is what `plain` holds here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..backend import to_host
from ..data import Dataset
from ..data.domains import PARTNERS
from ..errors import DataError
from ..judges.classifier import SHAPE, LeNet, in_blocks, load_classifier, predict, train_classifier, unit_images
from ..models.base import has
from .distances import fid
from .images import FEWEST, IMAGES
from .subject import BLOCK, MOST, Score, Subject

STEPS = 1_000  # of a classifier's training

ABOUT = {
    "classes_agree": "share of pairs whose two images show the same class; higher is better",
    "pixels_agree": "share of pixels that are as in the first image's partner; higher is better",
    "fid_other": "Fréchet distance to the test images of the second domain; lower is better",
}

Change = Callable[[np.ndarray], np.ndarray]


class Judge(NamedTuple):
    """A classifier, its name, and what is done with images (N, 28, 28, 1), uint8, before it sees them."""

    classifier: LeNet
    name: str
    change: Change = np.asarray

    def classes(self, x: np.ndarray) -> np.ndarray:
        return predict(self.classifier, self.change(x))

    def features(self, x: np.ndarray) -> np.ndarray:
        return in_blocks(self.classifier.features, self.change(x))


def pixels_agree(x: np.ndarray, y: np.ndarray) -> float:
    """The share of values that are on the same side of 1/2 in x and in y, both uint8 or both in [0, 1].

    Raises DataError if their shapes differ.
    """
    if x.shape != y.shape:
        raise DataError(f"pixels_agree: the images are {x.shape} and {y.shape}, but they must have one shape")
    return float(((unit_images(x) > 0.5) == (unit_images(y) > 0.5)).mean())


def measure(subject: Subject) -> dict[str, Score]:
    model, data = subject.model, subject.data
    if not has(model, "sample_pairs") or data.other is None or len(data.shape) != 3:
        return {}
    (first, second), scores = _pairs(subject, subject.n or IMAGES), dict[str, Score]()
    unrelated, partner = np.roll(second, 1, axis=0), PARTNERS.get(data.name)
    if judges := _judges(data, partner, subject.seed):
        judge, judge_of_others = judges

        def classes_agree(x: np.ndarray, y: np.ndarray) -> float:
            return float((judge.classes(x) == judge_of_others.classes(y)).mean())

        test = data.test[:MOST]
        real = None if partner is None else classes_agree(test, partner(test))
        scores["classes_agree"] = Score(classes_agree(first, second), real, None, classes_agree(first, unrelated))
    if partner is not None:
        x = partner(first)
        scores["pixels_agree"] = Score(pixels_agree(x, second), 1.0, None, pixels_agree(x, unrelated))
    if judges and min(len(second), len(data.other.test)) >= FEWEST:
        known = judge_of_others.features(data.other.test[:MOST])
        of_train = judge_of_others.features(data.other.train[: len(second)])
        value = fid(known, judge_of_others.features(second))
        scores["fid_other"] = Score(value, fid(known, of_train), judge_of_others.name)
    return scores


def _pairs(subject: Subject, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n pairs of images as uint8."""
    model, rng, blocks = subject.model, subject.stream("pairs"), []
    for start in range(0, n, BLOCK):
        pair = (to_host(x) for x in model.sample_pairs(min(BLOCK, n - start), rng))
        blocks.append([np.rint(255 * unit_images(x, model.value_range)).astype(np.uint8) for x in pair])
    first, second = (np.concatenate(images) for images in zip(*blocks, strict=True))
    return first, second


def _judges(data: Dataset, partner: Change | None, seed: int) -> tuple[Judge, Judge] | None:
    """A classifier for each domain, if there can be one: the digits' LeNet where the partners of digits can be turned
    back to digits, else those trained on the domains' own images and labels."""
    other = data.other
    assert other is not None
    if partner is not None and np.array_equal(partner(partner(data.test)), data.test):
        lenet, name = load_classifier(), "LeNet trained on digits"
        return Judge(lenet, name), Judge(lenet, f"{name}, of {partner.__name__}s", partner)
    if data.shape != SHAPE or data.labels is None or other.labels is None or data.train.dtype != np.uint8:
        return None
    classes = 1 + int(max(data.labels.max(), other.labels.max()))
    first, second = (
        Judge(train_classifier(d.train, d.labels, STEPS, seed=seed, classes=classes), f"LeNet trained on {d.name}")
        for d in (data, other)
    )
    return first, second
