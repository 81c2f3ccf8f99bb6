"""What a classifier learns from generated images: how useful they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..backend import Array, to_host
from ..checks import whole
from ..errors import ConfigError
from ..judges.classifier import SHAPE, LeNet, accuracy, checked_labels, load_classifier, train_classifier, unit_images
from ..random import Generator
from .subject import MOST, Score, Subject


def gan_train(
    images: Array, labels: Array, test_images: Array, test_labels: Array, seed: int = 0, steps: int = 1000
) -> float:
    """The accuracy on real test images of a classifier trained on generated ones: Shmelkov et al. 2018, section 3.

    Low if images look wrong, or right but too much alike. Trained on the 9,000 real digits it is about 98%. Images are
    (N, 28, 28, 1), uint8 or in [0, 1]; labels are ints (N,), those from which the images were made.
    Raises DataError for images or labels that don't fit.

    >>> digits = tg.data.load("digits")
    >>> x, y, test, t = digits.train[:64], digits.labels[:64], digits.test[:50], digits.test_labels[:50]
    >>> 0 <= tg.metrics.gan_train(x, y, test, t, steps=1) <= 1
    True
    """
    labels, test_labels = checked_labels(images, labels), checked_labels(test_images, test_labels)
    classes = 1 + max(int(labels.max()), int(test_labels.max()))
    model = train_classifier(images, labels, steps=steps, seed=seed, classes=classes)
    return accuracy(model, test_images, test_labels)


def gan_test(images: Array, labels: Array, classifier: LeNet | None = None) -> float:
    """The accuracy on generated images of a classifier of real ones (default load_classifier()): Shmelkov et al. 2018.

    Low if images don't look like their labels; it does not measure their diversity. Arguments as for gan_train.

    >>> digits = tg.data.load("digits")
    >>> tg.metrics.gan_test(digits.test[:100], digits.test_labels[:100])
    0.98
    """
    return accuracy(load_classifier() if classifier is None else classifier, images, labels)


class Augmented(NamedTuple):
    """Test accuracies of a classifier of few real images, without and with generated ones: mean, spread over seeds.

    >>> row = tg.metrics.Augmented(size=100, real=0.764, real_spread=0.02, both=0.778, both_spread=0.03)
    >>> round(row.both - row.real, 3)
    0.014
    """

    size: int
    real: float
    real_spread: float
    both: float
    both_spread: float


def augmentation(
    real: Array,
    labels: Array,
    generated: Array,
    generated_labels: Array,
    test: Array,
    test_labels: Array,
    sizes: Sequence[int] = (100, 300, 1000),
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 500,
) -> list[Augmented]:
    """What generated images add to few real ones: a classifier of `size` real images, without and with them.

    Each seed draws other real images. Beside generated ones, the real ones are repeated until they are as many, so that
    both are half of the training set; the steps are the same. A generator trained on all of the real images brings more
    to the classifier than these few: if that matters, train it on the few.
    Images and labels as for gan_train. Raises ConfigError for a size above the number of real images.

    >>> digits = tg.data.load("digits")
    >>> x, y, test, t = digits.train, digits.labels, digits.test[:50], digits.test_labels[:50]
    >>> (row,) = tg.metrics.augmentation(x[:50], y[:50], x[50:80], y[50:80], test, t, sizes=[20], seeds=[0], steps=1)
    >>> row.size
    20
    """
    for name, values in (("sizes", sizes), ("seeds", seeds)):
        if np.ndim(values) != 1 or len(values) == 0:
            raise ConfigError(f"augmentation: {name} is {values!r}, but it must be a list of at least one number")
    real, generated = (to_host(unit_images(x)) for x in (real, generated))
    for size in sizes:
        whole("augmentation", "sizes", size, 1, len(real), ", the number of real images")
    labels, generated_labels = (
        to_host(checked_labels(real, labels)),
        to_host(checked_labels(generated, generated_labels)),
    )
    rows = []
    for size in sizes:
        pairs = []
        for seed in seeds:
            few = Generator(seed, "augmentation", device="cpu").permutation(len(real))[:size]
            many = np.resize(few, max(size, len(generated)))  # the few, over and over
            with_generated = np.concatenate([real[many], generated]), np.concatenate([labels[many], generated_labels])
            pairs.append(
                [gan_train(x, y, test, test_labels, seed, steps) for x, y in ((real[few], labels[few]), with_generated)]
            )
        (alone, together), (spread, spread_together) = np.mean(pairs, axis=0), np.std(pairs, axis=0)
        rows.append(Augmented(size, float(alone), float(spread), float(together), float(spread_together)))
    return rows


STEPS = 1_000  # of a classifier's training

ABOUT = {
    "gan_train": "accuracy on real images of a classifier taught by samples; higher is better",
    "gan_test": "accuracy on samples of a classifier taught by real images; higher is better",
}


def measure(subject: Subject) -> dict[str, Score]:
    data, n = subject.data, subject.n or min(MOST, len(subject.data.train))
    labels, test = data.labels, (data.test, data.test_labels)
    if not subject.model.takes_labels or data.shape != SHAPE or labels is None or data.test_labels is None:
        return {}
    wanted = np.resize(labels, n)  # as frequent as in the data
    images = subject.samples(n, wanted)
    steps = min(STEPS, n)  # in proportion to n; from 1,000 images on, STEPS suffice
    of_real = train_classifier(data.train[:n], labels[:n], steps, seed=subject.seed, classes=1 + int(labels.max()))
    judge = load_classifier() if data.name in ("digits", "mnist") else of_real
    return {
        "gan_train": Score(gan_train(images, wanted, *test, subject.seed, steps), accuracy(of_real, *test)),
        "gan_test": Score(gan_test(images, wanted, judge), accuracy(judge, *test)),
    }
