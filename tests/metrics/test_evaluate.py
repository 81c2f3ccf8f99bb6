"""Each model and data set gets the scores that suit it, and evaluating changes nothing."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from models.small import small

import tinygen as tg
from tinygen.data import Dataset, Modes, load
from tinygen.errors import ConfigError, DataError
from tinygen.metrics import evaluate
from tinygen.metrics.evaluate import ABOUT, Score
from tinygen.metrics.likelihood import binarise, likelihood_bounds
from tinygen.random import Generator

CROSS = Modes(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]), std=0.1)


def cross(n=400, seed=0):
    rng = np.random.default_rng(seed)
    points = (CROSS.centres[rng.integers(0, 4, 2 * n)] + rng.normal(0, 0.1, (2 * n, 2))).astype(np.float32)
    return Dataset("cross", points[:n], points[n:], modes=CROSS)


def grey(n=12, shape=(3, 2, 1), **more):
    images = np.random.default_rng(0).integers(0, 256, (2 * n, *shape)).astype(np.uint8)
    return Dataset("grey", images[:n], images[n:], **more)


def sampler(draw, value_range=None, takes_labels=False, **more):
    return SimpleNamespace(name="sampler", sample=draw, value_range=value_range, takes_labels=takes_labels, **more)


def test_points_are_counted_by_modes_beside_the_data():
    def two_modes(n, rng):
        return CROSS.centres[rng.integers(0, 2, n)].astype(np.float32)

    scores = evaluate(sampler(two_modes), cross(), n=300)
    assert list(scores) == ["modes", "high_quality", "reverse_kl"]
    assert scores["modes"] == Score(2, 4) and scores["high_quality"].value == 1
    assert scores["high_quality"].reference == pytest.approx(1 - np.exp(-4.5), abs=0.03)
    assert scores["reverse_kl"].value == pytest.approx(np.log(2), abs=0.01) and scores["reverse_kl"].reference < 0.02


@pytest.mark.parametrize("n", [1, 500, 501, 1203])
def test_samples_are_drawn_in_blocks_and_as_many_as_asked(n):
    drawn = []

    def draw(count, rng):
        drawn.append(count)
        return np.zeros((count, 2), np.float32)

    evaluate(sampler(draw), cross(), n=n)
    assert sum(drawn) == n and max(drawn) <= 500


def test_the_usual_number_of_points_is_2500():
    drawn = []
    evaluate(sampler(lambda n, rng: drawn.append(n) or np.zeros((n, 2))), cross(3000))
    assert sum(drawn) == 2500


def test_the_labels_of_samples_are_as_frequent_as_the_data_s():
    asked = []

    def draw(n, rng, labels):
        asked.extend(labels.tolist())
        return np.zeros((n, 2), np.float32)

    data = cross()
    data = replace(data, labels=np.where(np.arange(400) < 300, 0, 7), test_labels=np.zeros(400, np.int64))
    evaluate(sampler(draw, takes_labels=True), data, n=2000, parts=["modes"])
    assert set(asked) == {0, 7} and np.mean(np.array(asked) == 0) == pytest.approx(0.75, abs=0.04)


def test_a_vae_of_grey_images_has_bounds_and_reconstructions():
    model, data = small("vae"), grey()
    scores = evaluate(model, data, k=20, seed=3, parts=["likelihood", "reconstruction"])
    assert list(scores) == ["elbo", "iwae", "mse"] and all(score.reference is None for score in scores.values())
    bounds = likelihood_bounds(model, binarise(data.test, 3), 20, Generator(3, "evaluate/likelihood"))
    assert scores["elbo"].value == pytest.approx(bounds["elbo"].mean())
    assert scores["iwae"].value == pytest.approx(bounds["iwae"].mean()) and scores["iwae"] > scores["elbo"]
    x = data.test.astype(np.float32) / 255
    assert scores["mse"].value == pytest.approx(np.mean((model.reconstruct(x) - x) ** 2), rel=1e-5)


def test_an_error_of_reconstruction_does_not_depend_on_the_range_of_the_values():
    black = SimpleNamespace(codes=lambda x: x, name="black", value_range=(-1, 1), takes_labels=False)
    black.decode = lambda codes: codes * 0 - 1
    data = grey()
    score = evaluate(black, data, parts=["reconstruction"])["mse"]
    assert score.value == pytest.approx(((data.test / 255) ** 2).mean(), rel=1e-5)


def test_known_factors_give_a_gap():
    n = 4000
    factors = np.random.default_rng(0).uniform(size=(n, 6)).astype(np.float32)
    images = np.rint(factors * 255).astype(np.uint8).reshape(n, 3, 2, 1)  # each pixel is a factor
    data = Dataset("six", images, images[:5], factors=factors, test_factors=factors[:5])
    reader = sampler(None, (0, 1), codes=lambda x: x.reshape(len(x), -1))
    assert evaluate(reader, data, parts=["disentanglement"])["mig"].value > 0.9


def test_a_betavae_of_faces_has_a_gap_and_no_likelihood():
    data = load("sixfactors", train=30, test=5)
    model = tg.models.VAE(tg.models.VAE.Config(data_shape=(64, 64, 3), hidden=(4,), latent_dim=3))
    scores = evaluate(model, data, parts=["likelihood", "reconstruction", "disentanglement"])
    assert list(scores) == ["mse", "mig"]  # Bernoulli pixels don't model colours


def digits(n):
    data = load("digits")
    return replace(
        data, train=data.train[:n], labels=data.labels[:n], test=data.test[:n], test_labels=data.test_labels[:n]
    )


def test_images_are_compared_by_the_features_of_a_network_or_by_those_given():
    data = digits(60)

    def thick(n, rng):
        return data.train[rng.permutation(60)[:n]].astype(np.float32) / 127.5 - 1

    scores = evaluate(sampler(thick, (-1, 1)), data, n=60)
    assert list(scores)[:2] == ["fid", "kid"] and "inception_score" in scores
    assert {score.features for score in scores.values()} == {"LeNet trained on digits"}
    assert scores["fid"].value == pytest.approx(scores["fid"].reference, rel=1e-4)  # the same images in another order

    def middle(x):
        return x[:, 10:18, 10:18, 0].reshape(len(x), -1)

    scores = evaluate(sampler(thick, (-1, 1)), data, n=60, features=middle)
    assert "inception_score" not in scores and scores["fid"].features == "middle"


def test_labelled_samples_teach_a_classifier_and_are_judged_by_one(monkeypatch):
    monkeypatch.setattr(sys.modules["tinygen.metrics.transfer"], "STEPS", 60)
    data = digits(600)
    of = [data.train[data.labels == label] for label in range(10)]

    def right(n, rng, labels):
        return np.stack([of[label][i % len(of[label])] for i, label in enumerate(labels)]) / np.float32(255)

    def wrong(n, rng, labels):
        return right(n, rng, (labels + 1) % 10)

    good, bad = (
        evaluate(sampler(draw, (0, 1), takes_labels=True), data, parts=["transfer"]) for draw in (right, wrong)
    )
    assert list(good) == ["gan_train", "gan_test"]
    assert good["gan_train"].value > 0.75 and good["gan_train"].reference > 0.75
    assert good["gan_test"].value > 0.95 and good["gan_test"].reference > 0.95
    assert bad["gan_train"].value < 0.1 and bad["gan_test"].value < 0.1
    other = replace(data, name="other")  # whose judge learns from its images
    assert evaluate(sampler(right, (0, 1), takes_labels=True), other, parts=["transfer"])["gan_test"].value > 0.75


def test_stacked_digits_are_counted_by_the_network():
    data = load("stacked", train=40, test=400)
    real = sampler(lambda n, rng: data.test[:n] / np.float32(255), (0, 1))
    scores = evaluate(real, data, n=400, parts=["modes"])
    modes = len(set(data.test_labels))
    assert scores["modes"].value == scores["modes"].reference == pytest.approx(modes, abs=15)


def test_looking_changes_nothing_and_a_seed_decides():
    model, data = small("gan", data_shape=(2,), weight_init="glorot"), cross()  # with others no sample is near a mode
    x = data.train[:8]
    model.train_step(x)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    states = {name: stream.state for name, stream in model.generators().items()}
    first, again = evaluate(model, data, n=200), evaluate(model, data, n=200)
    assert first == again and evaluate(model, data, n=200, seed=1) != first
    assert states == {name: stream.state for name, stream in model.generators().items()}
    assert all((before[name] == array).all() for name, array in model.state_dict().items())
    tg.seed(0)
    expected = tg.random.new_stream("loader").name
    tg.seed(0)
    evaluate(small("vae"), grey(), parts=["reconstruction"])
    assert tg.random.new_stream("loader").name == expected


@pytest.mark.parametrize(("name", "parts"), [("vae", ["likelihood", "reconstruction"]), ("ae", ["reconstruction"])])
def test_on_a_gpu_as_on_the_host(gpu, name, parts):
    model = small(name)
    scores = evaluate(model, grey(), k=10, parts=parts)
    assert all(np.isfinite(score.value) and isinstance(score.value, float) for score in scores.values())
    with tg.use("cpu"):
        host = small(name)
        host.load_state_dict({key: gpu.to_host(array) for key, array in model.state_dict().items()})
        expected = evaluate(host, grey(), k=10, parts=parts)
    assert scores["mse"].value == pytest.approx(expected["mse"].value, rel=1e-4)


def test_points_on_a_gpu(gpu):
    scores = evaluate(small("gan", data_shape=(2,)), cross(), n=50)
    assert scores["modes"].reference == 4


def test_every_score_has_words():
    assert set(ABOUT) >= {"modes", "high_quality", "reverse_kl", "elbo", "iwae", "mse", "mig", "gan_train", "gan_test"}
    assert set(ABOUT) >= set(evaluate(small("vae", data_shape=(28, 28, 1)), digits(20), n=20, k=1))
    assert all("\n" not in words and len(words) < 80 for words in ABOUT.values())


def test_what_cannot_be_measured_is_said():
    with pytest.raises(ConfigError, match="nothing suits sampler on grey; choose other data or other parts"):
        evaluate(sampler(None, (0, 1)), grey(), parts=["modes", "disentanglement"])
    with pytest.raises(DataError, match="grey has no test examples"):
        evaluate(sampler(None), replace(grey(), test=np.zeros((0, 3, 2, 1), np.uint8)))
    with pytest.raises(ConfigError, match=r"no part 'mode' \(did you mean 'modes'\?\); modes, "):
        evaluate(sampler(None), grey(), parts=["mode"])


def test_the_time_of_a_classifier_goes_with_the_number_of_samples(monkeypatch):
    """With the default number it takes as many steps as for the README's table."""
    asked = []

    def train_classifier(x, labels, steps=1000, **options):
        asked.append((len(x), steps))
        return lambda x: np.zeros((len(x), 10), np.float32)

    monkeypatch.setattr(sys.modules["tinygen.metrics.transfer"], "train_classifier", train_classifier)
    monkeypatch.setattr(sys.modules["tinygen.metrics.transfer"], "accuracy", lambda model, x, labels: 0.1)
    data, model = load("digits"), sampler(lambda n, rng, labels: np.zeros((n, 28, 28, 1)), (0, 1), takes_labels=True)
    for n in (20, 1500, None):
        evaluate(model, data, n, parts=["transfer"])
    assert asked == [(20, 20)] * 2 + [(1500, 1000)] * 2 + [(9000, 1000)] * 2
