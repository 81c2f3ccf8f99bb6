"""The arrays that metrics take, and their errors for anything else: never a raw exception, never a number."""

import warnings

import numpy as np
import pytest

from tinygen import metrics as m
from tinygen.data import Dataset, load
from tinygen.errors import ConfigError, DataError, UserError
from tinygen.models import GAN, VAE, VAEConfig
from tinygen.tensor import tensor

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(20, 3))
IMAGES = RNG.random((8, 4, 4, 1)).astype(np.float32)
GREY = RNG.integers(0, 256, (6, 28, 28, 1)).astype(np.uint8)
LABELS = np.arange(6)
PAIRS = {
    "fid": m.fid,
    "kid": m.kid,
    "precision_recall": m.precision_recall,
    "density_coverage": m.density_coverage,
    "mig": m.mig,
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "made", [np.ndarray.tolist, lambda x: tensor(x, requires_grad=True), lambda x: x.astype(object)]
)
def test_lists_and_tensors_are_arrays(name, made):
    given = ROWS, ROWS + 0.1
    assert PAIRS[name](*map(made, given)) == PAIRS[name](*given)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "bad",
    {
        "text": "a",
        "nothing": None,
        "ragged": [[1.0, 2.0], [3.0]],
        "complex": ROWS + 0j,
        "one row": ROWS[:1],
        "no rows": ROWS[:0],
        "flat": ROWS[:, 0],
        "images": IMAGES,
        "NaN": np.full_like(ROWS, np.nan),
        "infinite": np.full_like(ROWS, np.inf),
    }.items(),
    ids=lambda bad: bad[0],
)
def test_features_that_are_none(name, bad):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in ((bad[1], ROWS), (ROWS, bad[1])):
            with pytest.raises(DataError, match=f"^{name}: "):
                PAIRS[name](*given)


CLASSIFIER = m.LeNet()
WRONG = {
    "frechet, shapes": lambda: m.frechet_distance(ROWS[0], np.eye(3), ROWS[0, :2], np.eye(2)),
    "frechet, no square": lambda: m.frechet_distance(ROWS[0], ROWS, ROWS[0], ROWS),
    "frechet, NaN": lambda: m.frechet_distance([np.nan], [[1.0]], [0.0], [[1.0]]),
    "inception, empty": lambda: m.inception_score(np.zeros((0, 3))),
    "inception, logits": lambda: m.inception_score(ROWS),
    "inception, NaN": lambda: m.inception_score([[np.nan, 1.0]]),
    "mig, bins": lambda: m.mig(ROWS, ROWS, code_bins=1),
    "mixture, images": lambda: m.mixture_scores(IMAGES, load("ring8", train=8, test=8).modes),
    "mixture, no modes": lambda: m.mixture_scores(ROWS[:, :2], None),
    "stacked, grey": lambda: m.stacked_scores(GREY, len),
    "kl, negative": lambda: m.reverse_kl([-1, 2]),
    "kl, NaN": lambda: m.reverse_kl([np.nan, 2]),
    "kl, empty": lambda: m.reverse_kl([]),
    "unit_images, text": lambda: m.unit_images("a"),
    "unit_images, no channel": lambda: m.unit_images(IMAGES[..., 0]),
    "unit_images, 0..255": lambda: m.unit_images(255 * IMAGES),
    "unit_images, NaN": lambda: m.unit_images(np.full((1, 2, 2, 1), np.nan)),
    "pooled, no channel": lambda: m.pooled_pixels(IMAGES[..., 0]),
    "pooled, empty": lambda: m.pooled_pixels(IMAGES[:0]),
    "scores, shapes": lambda: m.image_scores(IMAGES, IMAGES[:, :3], IMAGES),
    "scores, text": lambda: m.image_scores(IMAGES, "a", IMAGES),
    "scores, no test": lambda: m.image_scores(IMAGES, IMAGES[:0], IMAGES),
    "scores, one": lambda: m.image_scores(IMAGES[:1], IMAGES, IMAGES),
    "predict, other shape": lambda: m.predict(CLASSIFIER, IMAGES),
    "accuracy, labels of floats": lambda: m.accuracy(CLASSIFIER, GREY, LABELS.astype(float)),
    "accuracy, few labels": lambda: m.accuracy(CLASSIFIER, GREY, LABELS[:3]),
    "accuracy, no labels": lambda: m.accuracy(CLASSIFIER, GREY, None),
    "accuracy, labels from -1": lambda: m.accuracy(CLASSIFIER, GREY, LABELS - 1),
    "accuracy, one-hot": lambda: m.accuracy(CLASSIFIER, GREY, np.eye(6, dtype=int)),
    "train, text": lambda: m.train_classifier(GREY, list("abcdef"), steps=1),
    "train, classes": lambda: m.train_classifier(GREY, LABELS, steps=1, classes=3),
    "gan_train, labels": lambda: m.gan_train(GREY, None, GREY, LABELS, steps=1),
    "augmentation, labels": lambda: m.augmentation(GREY, LABELS[:2], GREY, LABELS, GREY, LABELS, sizes=(2,), steps=1),
    "binarise, 0..255": lambda: m.binarise(255 * IMAGES),
    "likelihood, a GAN": lambda: m.likelihood_bounds(GAN(), GREY, 2),
    "likelihood, other shape": lambda: m.likelihood_bounds(VAE(VAEConfig(hidden=(2,))), IMAGES, 2),
    "likelihood, range": lambda: m.likelihood_bounds(VAE(VAEConfig((4, 4, 1), hidden=(2,))), 2 * IMAGES, 2),
    "likelihood, empty": lambda: m.likelihood_bounds(VAE(VAEConfig((4, 4, 1), hidden=(2,))), IMAGES[:0], 2),
    "evaluate, an array": lambda: m.evaluate(GAN(), GREY),
    "evaluate, a name": lambda: m.evaluate("gan", DATA),
    "evaluate, a class": lambda: m.evaluate(GAN, DATA),
    "evaluate, n": lambda: m.evaluate(GAN(), DATA, n=0),
    "evaluate, k": lambda: m.evaluate(GAN(), DATA, k=0),
    "evaluate, seed": lambda: m.evaluate(GAN(), DATA, seed=-1),
    "evaluate, parts": lambda: m.evaluate(GAN(), DATA, parts="images"),
}
DATA = Dataset("own", GREY, GREY)


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_told(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError, match=r"\w: .{20}"):
            WRONG[case]()


def test_images_and_labels_may_be_lists_or_tensors():
    expected = m.accuracy(CLASSIFIER, GREY, LABELS)
    assert m.accuracy(CLASSIFIER, tensor(GREY), LABELS.tolist()) == expected
    np.testing.assert_array_equal(m.unit_images(IMAGES.tolist()), IMAGES)
    np.testing.assert_array_equal(m.pooled_pixels(tensor(IMAGES)), m.pooled_pixels(IMAGES))
    with pytest.raises(ConfigError, match="evaluate: parts is 'images', but it must be a list"):
        m.evaluate(GAN(), DATA, parts="images")


@pytest.mark.parametrize("bad", [None, 3, "a", np.array(1.0)], ids=repr)
def test_images_and_sizes_that_are_none(bad):
    for call in (lambda: m.gan_test(bad, LABELS), lambda: m.train_classifier(bad, LABELS, steps=1)):
        with pytest.raises(DataError, match=r"^classifier: (images is|labels are)"):
            call()
    with pytest.raises(DataError, match=r"^metrics: (images is|expected images)"):
        m.augmentation(bad, LABELS, GREY, LABELS, GREY, LABELS)
    with pytest.raises(ConfigError, match=r"^augmentation: sizes is .*, but it must be a list of at least one number"):
        m.augmentation(GREY, LABELS, GREY, LABELS, GREY, LABELS, sizes=bad)
    with pytest.raises(ConfigError, match=r"^likelihood_bounds: an? \w+.* is not a VAE"):
        m.likelihood_bounds(bad, GREY)
