"""`tinygen evaluate`: the scores that suit a model and its data set, beside those of real data."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any

from ..backend import Array
from ..checks import type_of, whole
from ..data import Dataset
from ..errors import ConfigError, DataError
from ..models.base import has
from ..settings import did_you_mean
from . import (
    disentangle,
    factors,
    images,
    likelihood,
    modes,
    pairs,
    reconstruction,
    restoration,
    text,
    transfer,
    translation,
)
from .images import FEWEST, IMAGES
from .subject import Score, Subject

PARTS: dict[str, ModuleType] = {  # each has ABOUT, a line on each score, and measure(subject)
    "modes": modes,
    "images": images,
    "factors": factors,
    "pairs": pairs,
    "transfer": transfer,
    "likelihood": likelihood,
    "reconstruction": reconstruction,
    "restoration": restoration,
    "disentanglement": disentangle,
    "translation": translation,
    "text": text,
}
ABOUT: dict[str, str] = {name: line for part in PARTS.values() for name, line in part.ABOUT.items()}


def evaluate(
    model: Any,
    dataset: Dataset,
    n: int | None = None,
    seed: int = 0,
    features: Callable[[Array], Array] | None = None,
    k: int = 100,
    parts: Collection[str] | None = None,
) -> dict[str, Score]:
    """The scores of a model, by name, that suit it and its data set; `reference` is the score of real data.

    parts: which of PARTS to measure (default all). A part that does not suit is left out:
      modes             for a mixture, or stacked digits: modes, high_quality, reverse_kl (n: 2,500 and 26,000)
      images            for images except stacked digits: fid, kid, precision and others, see image_scores (n: 5,000)
      factors           for the drawn faces of sixfactors: spread, least_spread (n: 5,000)
      pairs             for a model that draws pairs of two domains: classes_agree, pixels_agree, fid_other (n: 5,000)
      transfer          for a model that takes labels, 28x28 grey images: gan_train, gan_test (n: all training images)
      likelihood        for a VAE of grey images: elbo and iwae, bounds of k draws, nats per binarised test image
      reconstruction    for a model that encodes and decodes: mse on the test set, images in [0, 1]
      restoration       for a model that degrades and restores images: psnr, ssim and others, on the test images (n:
                        10,000), each beside that of the simplest means, `plain`
      disentanglement   for a model that encodes data with known factors: mig
      translation       for a model that translates between two domains: fid_ab, fid_ba and others, on the test images
      text              for a model of sentences: distinct, and of a known grammar valid, unseen and kl (n: 1,000)
    n: the number of samples (default in brackets).  features: maps images (N, H, W, C) in [0, 1] to (N, D).

    All random numbers come from separate streams of `seed`: the model and its training don't change, and equal calls
    give equal scores.  Raises ConfigError if nothing can be measured, DataError for a data set without test examples.

    >>> model, ring = tg.models.GAN(tg.models.GANConfig(data_shape=(2,))), tg.data.load("ring8")
    >>> scores = tg.metrics.evaluate(model, ring, n=100)
    >>> sorted(scores)
    ['high_quality', 'modes', 'reverse_kl']
    """
    if isinstance(model, (type, str)) or not any(has(model, method) for method in ("sample", "codes", "translate")):
        raise ConfigError(
            f"evaluate: model is {model!r:.60}, but it must be a model with sample(), codes() or translate()"
        )
    if not isinstance(dataset, Dataset):
        raise ConfigError(f"evaluate: dataset is {type_of(dataset)}, but it must be a Dataset, such as load('digits')")
    if isinstance(parts, str):
        raise ConfigError(f"evaluate: parts is {parts!r}, but it must be a list: [{parts!r}]")
    for option, value, least in (("n", n, 1), ("seed", seed, 0), ("k", k, 1)):
        if value is not None:
            whole("evaluate", option, value, least)
    if len(dataset.test) == 0:
        raise DataError(f"evaluate: {dataset.name} has no test examples to judge by")
    unknown = [part for part in parts or () if part not in PARTS]
    if unknown:
        raise ConfigError(
            f"evaluate: there is no part {unknown[0]!r}{did_you_mean(unknown[0], PARTS)}; {', '.join(PARTS)}"
        )
    subject, scores = Subject(model, dataset, n, seed, features, k), dict[str, Score]()
    for part in PARTS if parts is None else parts:
        scores |= PARTS[part].measure(subject)
    if not scores:
        raise ConfigError(
            f"evaluate: nothing suits {model.name} on {dataset.name}{_too_few(dataset, n)}; "
            "choose other data or other parts"
        )
    return scores


def _too_few(dataset: Dataset, n: int | None) -> str:
    if len(dataset.shape) != 3 or min(n or IMAGES, len(dataset.test)) >= FEWEST:
        return ""
    return f", which has {len(dataset.test):,} test images; a comparison needs at least {FEWEST}, and as many samples"
