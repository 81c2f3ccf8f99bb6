"""The classifier: the shipped one, training another, and the scale of images."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import tinygen as tg
from tinygen.data import Shift, load
from tinygen.errors import ConfigError, DataError
from tinygen.judges import classifier
from tinygen.judges.classifier import in_blocks
from tinygen.metrics import (
    LeNet,
    accuracy,
    load_classifier,
    precision_recall,
    predict,
    probabilities,
    train_classifier,
    unit_images,
)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_the_shipped_classifier_knows_the_test_digits(digits):
    lenet = load_classifier()
    assert accuracy(lenet, digits.test, digits.test_labels) >= 0.985
    assert accuracy(lenet, digits.test.astype(np.float32) / 255, digits.test_labels) >= 0.985


def test_the_shipped_file_is_small_and_the_one_that_is_meant(tmp_path, monkeypatch):
    content = classifier.WEIGHTS.read_bytes()
    assert len(content) < 600_000 and hashlib.sha256(content).hexdigest() == classifier.SHA256
    broken = tmp_path / "lenet.safetensors"
    broken.write_bytes(content[:-1] + b"\0")
    monkeypatch.setattr(classifier, "WEIGHTS", broken)
    with pytest.raises(DataError, match="not the weights of this version"):
        load_classifier()


def test_the_shipped_classifier_is_frozen():
    lenet = load_classifier()
    assert not lenet.training and not any(p.requires_grad for p in lenet.parameters())
    assert sum(p.size for p in lenet.parameters()) == 65_162


def test_it_is_the_same_on_every_device(backend, digits):
    x = digits.test[:30]
    scores = probabilities(load_classifier(), backend.asarray(x))
    with tg.use("cpu"):
        np.testing.assert_allclose(scores, probabilities(load_classifier(), x), atol=1e-5)
    assert isinstance(scores, np.ndarray)


def test_features_are_the_directions_from_which_the_logits_are_made(digits):
    lenet, x = load_classifier(), digits.test[:5].astype(np.float32) / 255
    features = lenet.features(x).numpy()
    assert features.shape == (5, 64)
    np.testing.assert_allclose((features**2).mean(axis=1), 1, rtol=1e-5)
    weighed, logits = np.maximum(features, 0) @ lenet.head.w.numpy(), lenet(x).numpy() - lenet.head.b.numpy()
    np.testing.assert_allclose(weighed * (logits[:, :1] / weighed[:, :1]), logits, rtol=1e-3, atol=1e-3)


def test_noise_is_far_from_the_digits(digits):
    lenet = load_classifier()
    test, noise = digits.test[:500], np.random.default_rng(0).uniform(size=(500, 28, 28, 1))
    precision, recall = precision_recall(in_blocks(lenet.features, test), in_blocks(lenet.features, noise))
    assert precision < 0.1 and recall == 0


def test_blocks_change_nothing(digits, monkeypatch):
    lenet, x = load_classifier(), digits.test[:47]
    at_once = probabilities(lenet, x)
    monkeypatch.setattr(classifier, "BLOCK", 10)
    np.testing.assert_allclose(probabilities(lenet, x), at_once, atol=1e-6)
    np.testing.assert_allclose(at_once.sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(predict(lenet, x), at_once.argmax(axis=1)) and predict(lenet, x).dtype == np.int64


def test_a_new_one_learns_the_digits_within_100_steps(digits):
    model = train_classifier(digits.train, digits.labels, steps=100)
    assert not model.training and accuracy(model, digits.test, digits.test_labels) > 0.85


def test_training_repeats_by_its_seed_alone(digits):
    x, labels = digits.train[:100], digits.labels[:100]
    first, again, other = (train_classifier(x, labels, steps=5, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["head.w"], other["head.w"])


def test_training_takes_floats_few_images_other_classes_and_augmentation(digits, backend):
    rows = digits.labels < 3
    x, labels = backend.asarray(digits.train[rows][:20] / 255), backend.asarray(digits.labels[rows][:20])
    model = train_classifier(x, labels, steps=40, classes=3, augment=Shift(1, fill=0.0))
    assert model.head.w.shape == (64, 3)
    assert accuracy(model, x, labels) > 0.9


def test_images_come_to_one_scale(backend):
    bytes_ = backend.asarray(np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1))
    unit = backend.asarray((np.arange(256, dtype=np.float32) / 255).reshape(4, 8, 8, 1))
    for x, value_range in ((bytes_, (0, 1)), (bytes_, (-1, 1)), (unit, (0, 1)), (2 * unit - 1, (-1, 1))):
        y = unit_images(x, value_range)
        assert y.dtype == np.float32
        np.testing.assert_allclose(backend.to_host(y), backend.to_host(unit), atol=1e-7)


def test_images_that_would_score_wrongly_are_refused():
    x = np.linspace(-1, 1, 32).reshape(2, 4, 4, 1)
    with pytest.raises(DataError, match=r"values from -1 to 1, outside of \(0.0, 1.0\)"):
        unit_images(x)
    with pytest.raises(DataError, match="values from nan to nan"):
        unit_images(x * np.nan, (-1, 1))
    with pytest.raises(ConfigError, match="value_range is None"):
        unit_images(x, None)
    for shape in ((2, 4, 4), (0, 4, 4, 1)):
        with pytest.raises(DataError, match=r"expected images \(N, H, W, C\)"):
            unit_images(np.zeros(shape))


def test_labels_that_do_not_fit_are_refused():
    x = np.zeros((3, 28, 28, 1), np.uint8)
    for labels in (np.zeros(2, int), np.zeros(3), np.zeros((3, 1), int)):
        with pytest.raises(DataError, match="3 images need as many ints"):
            train_classifier(x, labels)
    with pytest.raises(DataError, match="labels go from 0 to 10, but there are 10 classes"):
        train_classifier(x, np.array([0, 10, 1]))
    with pytest.raises(ConfigError, match="steps is 0"):
        train_classifier(x, np.zeros(3, int), steps=0)
    with pytest.raises(DataError, match=r"LeNet: x is \(3, 14, 14, 1\), but it takes images \(N, 28, 28, 1\)"):
        predict(LeNet(), x[:, ::2, ::2])


def test_what_f_gives_may_be_an_array_or_a_tensor(backend):
    x = backend.asarray(np.full((3, 2, 2, 1), 255, np.uint8))
    for f in (lambda x: x.reshape(len(x), -1), lambda x: tg.ops.reshape(tg.tensor(x), (len(x), 4))):
        assert np.array_equal(in_blocks(f, x), np.ones((3, 4)))
