"""What `tinygen evaluate` measures: of each model and data set the scores that suit them, beside those of real data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, to_host
from ..checks import what, whole
from ..data import Dataset, batch_of
from ..errors import ConfigError, DataError
from ..models.base import has
from ..random import Generator
from ..settings import nearest
from .classifier import SHAPE, accuracy, load_classifier, predict, train_classifier, unit_images
from .disentangle import mig
from .images import image_scores
from .likelihood import binarise, likelihood_bounds
from .modes import POINTS, STACKED, mixture_scores, stacked_scores
from .transfer import gan_test, gan_train

BLOCK = 500  # examples that a model draws or sees at a time: bounds the memory
IMAGES = 5_000  # samples that are compared with the test images
JUDGED = 1_000  # test images whose likelihood is bounded
FEWEST = 6  # samples, and test images, that are compared: density and coverage ask for the fifth nearest
STEPS = 1_000  # of a classifier that is taught by images
MOST = 10_000  # examples that are encoded, or images that a classifier learns from

ABOUT = {  # a line for each score
    "modes": "modes with a sample; more is better",
    "high_quality": "share of samples within 3 sigma of a mode; higher is better",
    "reverse_kl": "how unevenly the samples fall on the modes, in nats; lower is better",
    "fid": "Fréchet distance to the test images; lower is better",
    "kid": "squared kernel distance to the test images; lower is better",
    "kid_spread": "its standard deviation over subsets",
    "precision": "share of samples that lie among test images; higher is better",
    "recall": "share of test images that lie among samples; higher is better",
    "density": "how many test images each sample is near to, about 1 for real ones",
    "coverage": "share of test images with a sample near; higher is better",
    "inception_score": "clear and diverse classes, 1 to their number; higher is better",
    "gan_train": "accuracy on real images of a classifier taught by samples; higher is better",
    "gan_test": "accuracy on samples of a classifier taught by real images; higher is better",
    "elbo": "evidence lower bound, nats of a binarised test image; higher is better",
    "iwae": "the bound of k draws, nearer to log p(x); higher is better",
    "mse": "squared error of reconstructed test examples; lower is better",
    "mig": "mutual information gap, 0 to 1: one latent for each factor; higher is better",
}


class Score(NamedTuple):
    """A number; what real data have in the place of the samples, where that says something; and the features, if any,
    on which images were compared.
    """

    value: float
    reference: float | None = None
    features: str | None = None


def evaluate(
    model: Any,
    dataset: Dataset,
    n: int | None = None,
    seed: int = 0,
    features: Callable[[Array], Array] | None = None,
    k: int = 100,
    parts: Collection[str] | None = None,
) -> dict[str, Score]:
    """The scores of a model, by name, that suit it and its data set; `reference` is that of real data.

    parts: of PARTS, those to measure (all). Each leaves out what it does not suit:
      modes             of a mixture, or of stacked digits: modes, high_quality, reverse_kl (n: 2,500 and 26,000)
      images            of images but stacked digits: fid, kid, precision and others, as image_scores (n: 5,000)
      transfer          of a model that takes labels, 28x28 grey images: gan_train, gan_test (n: as the training images)
      likelihood        of a VAE of grey images: elbo and iwae, bounds of k draws, in nats of a binarised test image
      reconstruction    of what encodes and decodes: mse of the test set, images in [0, 1]
      disentanglement   of what encodes data with known factors: mig
    n: how many samples (the papers' number).  features: of images, (N, H, W, C) in [0, 1] to (N, D), for their scores.

    All random numbers are streams of `seed` for looking: the model and its training are as they were, and equal calls
    give equal scores.  Raises ConfigError if nothing can be measured, DataError for a data set without test examples.
    """
    if isinstance(model, type) or not (has(model, "sample") or has(model, "codes")):
        raise ConfigError(f"evaluate: model is {model!r:.60}, but it must be a model that samples, or encodes")
    if not isinstance(dataset, Dataset):
        raise ConfigError(f"evaluate: dataset is {what(dataset)}, but it must be a Dataset, such as load('digits')")
    if isinstance(parts, str):
        raise ConfigError(f"evaluate: parts is {parts!r}, but it must be a list: [{parts!r}]")
    for option, value, least in (("n", n, 1), ("seed", seed, 0), ("k", k, 1)):
        if value is not None:
            whole("evaluate", option, value, least)
    if len(dataset.test) == 0:
        raise DataError(f"evaluate: {dataset.name} has no test examples to judge by")
    unknown = [part for part in parts or () if part not in PARTS]
    if unknown:
        raise ConfigError(f"evaluate: there is no part {unknown[0]!r}{nearest(unknown[0], PARTS)}; {', '.join(PARTS)}")
    subject, scores = _Subject(model, dataset, n, seed, features, k), dict[str, Score]()
    for part in PARTS if parts is None else parts:
        scores |= PARTS[part](subject)
    if not scores:
        raise ConfigError(
            f"evaluate: nothing suits {model.name} on {dataset.name}{_too_few(dataset, n)}; "
            "choose other data or other parts"
        )
    return scores


def _too_few(dataset: Dataset, n: int | None) -> str:
    if len(dataset.shape) != 3 or min(n or IMAGES, len(dataset.test)) >= FEWEST:
        return ""
    return f", which has {len(dataset.test):,} test images; comparing takes at least {FEWEST}, and as many samples"


@dataclass(frozen=True)
class _Subject:
    """A model, its data, and the options of `evaluate`."""

    model: Any
    data: Dataset
    n: int | None
    seed: int
    features: Any
    k: int

    def stream(self, name: str) -> Generator:
        return Generator(self.seed, f"evaluate/{name}")

    def samples(self, n: int, labels: np.ndarray | None = None) -> np.ndarray:
        """n samples on the host, points or images in [0, 1]; of labels as the data have them if none are given."""
        if self.model.takes_labels and labels is None:
            assert self.data.labels is not None
            labels = self.data.labels[to_host(self.stream("labels").integers(0, len(self.data.labels), n))]
        rng, blocks = self.stream("samples"), []
        for start in range(0, n, BLOCK):
            count = min(BLOCK, n - start)
            wanted = {} if labels is None else {"labels": labels[start : start + count]}
            x = to_host(self.model.sample(count, rng, **wanted))
            blocks.append(unit_images(x, self.model.value_range) if x.ndim == 4 else x)
        return np.concatenate(blocks)

    def real(self, n: int) -> np.ndarray:
        """n real examples to measure in the place of samples: of the test set, if it has as many."""
        return (self.data.test if len(self.data.test) >= n else self.data.train)[:n]

    def batches(self, x: np.ndarray) -> Iterator[Array]:
        """Examples as the model takes them, in their order."""
        return (batch_of(x[i : i + BLOCK], self.model.value_range) for i in range(0, len(x), BLOCK))

    def codes(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([to_host(self.model.codes(batch)) for batch in self.batches(x)])


def _modes(subject: _Subject) -> dict[str, Score]:
    if subject.data.modes is not None:
        modes, n = subject.data.modes, subject.n or POINTS
        return _paired(lambda points: mixture_scores(points, modes), subject.samples(n), subject.real(n))
    if subject.data.name == "stacked":
        lenet, n = load_classifier(), subject.n or STACKED
        return _paired(
            lambda x: stacked_scores(x, lambda channel: predict(lenet, channel)), subject.samples(n), subject.real(n)
        )
    return {}


def _images(subject: _Subject) -> dict[str, Score]:
    n = subject.n or IMAGES
    if len(subject.data.shape) != 3 or subject.data.name == "stacked" or min(n, len(subject.data.test)) < FEWEST:
        return {}
    fake = subject.samples(n)
    scores = image_scores(fake, subject.data.test[:MOST], subject.data.train, subject.features, seed=subject.seed)
    features, reference = scores.pop("features"), scores.pop("reference")
    return {name: Score(value, reference[name], features) for name, value in scores.items()}


def _transfer(subject: _Subject) -> dict[str, Score]:
    data, n = subject.data, subject.n or min(MOST, len(subject.data.train))
    labels, test = data.labels, (data.test, data.test_labels)
    if not subject.model.takes_labels or data.shape != SHAPE or labels is None or data.test_labels is None:
        return {}
    wanted = np.resize(labels, n)  # as frequent as in the data
    images = subject.samples(n, wanted)
    steps = min(STEPS, n)  # the time goes with n; of 1,000 images or more, a classifier has learnt what it can
    of_real = train_classifier(data.train[:n], labels[:n], steps, seed=subject.seed, classes=1 + int(labels.max()))
    judge = load_classifier() if data.name in ("digits", "mnist") else of_real
    return {
        "gan_train": Score(gan_train(images, wanted, *test, subject.seed, steps), accuracy(of_real, *test)),
        "gan_test": Score(gan_test(images, wanted, judge), accuracy(judge, *test)),
    }


def _likelihood(subject: _Subject) -> dict[str, Score]:
    grey = len(subject.data.shape) == 3 and subject.data.shape[-1] == 1
    if not grey or not has(subject.model, "log_likelihood") or subject.model.likelihood != "bernoulli":
        return {}
    x = binarise(subject.data.test[:JUDGED], subject.seed)
    bounds = likelihood_bounds(subject.model, x, subject.k, subject.stream("likelihood"))
    return {name: Score(float(bound.mean())) for name, bound in bounds.items()}


def _reconstruction(subject: _Subject) -> dict[str, Score]:
    model = subject.model
    if not has(model, "codes"):
        return {}
    low, high = model.value_range or (0.0, 1.0)
    x = subject.data.test[:MOST]
    errors = (((model.decode(model.codes(b)) - b) ** 2).sum(dtype=np.float64) for b in subject.batches(x))
    return {"mse": Score(sum(float(to_host(error)) for error in errors) / x.size / (high - low) ** 2)}


def _disentanglement(subject: _Subject) -> dict[str, Score]:
    if subject.data.factors is None or not has(subject.model, "codes"):
        return {}
    return {"mig": Score(mig(subject.codes(subject.data.train[:MOST]), subject.data.factors[:MOST]))}


def _paired(measure: Callable[[Array], dict[str, float]], samples: Array, real: Array) -> dict[str, Score]:
    """The scores of samples, each with that of as many real examples."""
    of_samples, of_real = measure(samples), measure(real)
    return {name: Score(value, of_real[name]) for name, value in of_samples.items()}


PARTS: dict[str, Callable[[_Subject], dict[str, Score]]] = {
    "modes": _modes,
    "images": _images,
    "transfer": _transfer,
    "likelihood": _likelihood,
    "reconstruction": _reconstruction,
    "disentanglement": _disentanglement,
}
