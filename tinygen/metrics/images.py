"""All scores of generated images that need no labels, each beside that of real images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..backend import Array, to_device
from ..checks import as_numbers
from ..errors import DataError
from ..judges.classifier import SHAPE, in_blocks, load_classifier, unit_images
from ..judges.faces import has_drawn_faces, load_face_judge
from ..models.base import has
from ..random import Generator
from .distances import fid, inception_score, kid
from .neighbours import density_coverage, precision_recall
from .subject import MOST, Score, Subject

Extractor = Callable[[Array], Any]  # images (N, H, W, C) in [0, 1], of the current device, to (N, F)
GRID = 8  # averages per side in pooled_pixels


def image_scores(
    fake: Array,
    test: Array,
    train: Array,
    features: Extractor | None = None,
    classify: Extractor | None = None,
    value_range: tuple[float, float] | None = (0.0, 1.0),
    seed: int = 0,
) -> dict[str, Any]:
    """fid, kid, kid_spread, precision, recall, density and coverage of fake images against test images, by name.

    Also "inception_score", where there are classes; "features", their name; and "reference", a dict of the same
    scores for training images (as many as there are fakes, drawn by `seed`) against the test images: the scores of
    real images, the best to hope for.

    fake: images in value_range (a model's `sample` and its `value_range`), or uint8.  test, train: uint8 or in [0, 1].
    features: f(x) -> (N, F) for blocks x (N, H, W, C) of images in [0, 1]. With Inception's pool3 fid is the usual FID:

        def inception(x):  # tinygen's arrays in, an array out; x is (N, H, W, C), PyTorch's are (N, C, H, W)
            x = torch.nn.functional.interpolate(torch.from_numpy(x).permute(0, 3, 1, 2), (299, 299), mode="bilinear")
            return net(2 * x - 1).numpy()

    By default the LeNet that comes with tinygen for 28x28 grey images (it knows digits; its scores mean little for
    others), and `pooled_pixels` for others: a plain substitute, for colours and coarse shapes but no detail. For the
    drawn faces of sixfactors `evaluate` takes those of the judge of faces (load_face_judge().features).
    classify: f(x) -> (N, classes), probabilities, for the Inception score; by default the LeNet's, or none.
    Raises DataError for images of different shapes or outside their range.

    >>> digits = tg.data.load("digits")
    >>> scores = tg.metrics.image_scores(digits.train[:50], digits.test[:50], digits.train[50:100])
    >>> scores["features"]
    'LeNet trained on digits'
    """
    fake = unit_images(fake, value_range)
    test, train = as_numbers("image_scores", "test images", test), as_numbers("image_scores", "train images", train)
    if not fake.shape[1:] == test.shape[1:] == train.shape[1:]:
        shapes = ", ".join(str(tuple(x.shape[1:])) for x in (fake, test, train))
        raise DataError(f"image_scores: fake, test and train images must be of one shape, but they are {shapes}")
    if features is None:
        features, classify, name = default_features(fake.shape[1:], classify)
    else:
        name = name_of(features)
    drawn = Generator(seed, "image_scores", device="cpu").permutation(len(train))[: len(fake)]
    real_features = in_blocks(features, test)

    def scores(x: Array) -> dict[str, float]:
        x_features = in_blocks(features, x)
        names = ("fid", "kid", "kid_spread", "precision", "recall", "density", "coverage")
        values = (
            *(fid(real_features, x_features), *kid(real_features, x_features, seed=seed)),
            *(*precision_recall(real_features, x_features), *density_coverage(real_features, x_features)),
        )
        found = dict(zip(names, values, strict=True))
        return found if classify is None else found | {"inception_score": inception_score(in_blocks(classify, x))}

    return {"features": name, **scores(fake), "reference": scores(train[drawn])}


def pooled_pixels(x: Array) -> Array:
    """Images (N, H, W, C) averaged down to 8x8, as rows (N, 8·8·C): features for images that no network here knows.

    Pixel i of n belongs to average 8i // n; an image of fewer than 8 pixels a side keeps them.

    >>> tg.metrics.pooled_pixels(np.zeros((4, 32, 32, 3), np.float32)).shape
    (4, 192)
    """
    x = as_numbers("pooled_pixels", "images", x)
    if x.ndim != 4 or 0 in x.shape:
        raise DataError(f"pooled_pixels: expected images (N, H, W, C), but got an array of shape {tuple(x.shape)}")
    down, across = (_averages(n) for n in x.shape[1:3])
    N, H, W, C = x.shape
    rows = to_device(down) @ x.reshape(N, H, W * C)
    cells = to_device(across) @ rows.reshape(N * len(down), W, C)
    return cells.reshape(N, -1)


def _averages(n: int) -> np.ndarray:
    """The matrix (8, n) that averages n values down to 8."""
    k = min(GRID, n)
    member = np.arange(n) * k // n == np.arange(k)[:, np.newaxis]
    return (member / member.sum(axis=1, keepdims=True)).astype(np.float32)


def name_of(features: Extractor) -> str:
    """How scores name these features."""
    return getattr(features, "__name__", type(features).__name__)


def default_features(
    shape: tuple[int, ...], classify: Extractor | None = None
) -> tuple[Extractor, Extractor | None, str]:
    """Features, classes, and the name of the features, for images of a shape."""
    if shape != SHAPE:
        return pooled_pixels, classify, "pixels averaged to 8x8 (a stand-in: no network)"
    lenet = load_classifier()
    return lenet.features, classify or (lambda x: ops.softmax(lenet(x))), "LeNet trained on digits"


def features_for(subject: Subject) -> tuple[Extractor, str]:
    """The features by which images of a subject are compared, and their name."""
    features = chosen_features(subject)
    if features is not None:
        return features, name_of(features)
    features, _, name = default_features(subject.data.shape)
    return features, name


def chosen_features(subject: Subject) -> Extractor | None:
    """The features that were given, else for drawn faces those of their judge, else None: the default for the shape."""
    return subject.features or (face_features() if has_drawn_faces(subject.data) else None)


def face_features() -> Extractor:
    """The features of the judge of faces, with its name."""
    judge = load_face_judge()

    def features(x: Array) -> Any:
        return judge.features(x)

    features.__name__ = "judge of drawn faces"
    return features


IMAGES = 5_000  # samples to compare with the test images
FEWEST = 6  # samples, and test images: density and coverage need the fifth nearest

ABOUT = {
    "fid": "Fréchet distance to the test images; lower is better",
    "kid": "squared kernel distance to the test images; lower is better",
    "kid_spread": "its standard deviation over subsets",
    "precision": "share of samples that lie among test images; higher is better",
    "recall": "share of test images that lie among samples; higher is better",
    "density": "how densely test images lie around samples, about 1 for real ones",
    "coverage": "share of test images with a sample near; higher is better",
    "inception_score": "clear and diverse classes, 1 to their number; higher is better",
}


def measure(subject: Subject) -> dict[str, Score]:
    n, data = subject.n or IMAGES, subject.data
    suits = len(data.shape) == 3 and data.name != "stacked" and has(subject.model, "sample")
    if not suits or min(n, len(data.test)) < FEWEST:
        return {}
    fake = subject.samples(n)
    scores = image_scores(fake, data.test[:MOST], data.train, chosen_features(subject), seed=subject.seed)
    features, reference = scores.pop("features"), scores.pop("reference")
    return {name: Score(value, reference[name], features) for name, value in scores.items()}
