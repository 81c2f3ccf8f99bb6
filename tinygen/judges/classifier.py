"""A small classifier of 28x28 grey images, and the one trained on the digits whose weights come with the package.

Digits are judged by its classes and by its features before the last layer, as photographs are by Inception.
examples/classifier.py made the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import losses, ops
from ..backend import Array, array_of, to_device, to_host
from ..checks import as_numbers, check_installed, whole
from ..data import Loader
from ..errors import ConfigError, DataError
from ..files import open_regular
from ..gradients import grad
from ..layers import Conv, Dense, Flatten, MaxPool, Module, ReLU, Sequential, evaluating
from ..optim import Adam, cosine_decay
from ..random import Generator
from ..scopes import no_grad

WEIGHTS = Path(__file__).with_name("lenet.safetensors")
SHA256 = "e34f22e0f61b54ce603deac238f929b82703312157ee861bf9635c5ba9f3cfc6"
SHAPE = (28, 28, 1)  # of its input images
BLOCK = 500  # images at a time: bounds the memory

M = TypeVar("M", bound=Module)


class LeNet(Module):
    """LeCun et al. 1998, figure 2, in its modern form: x (N, 28, 28, 1) in [0, 1] to logits (N, classes).

    Maps of 14x14, 10x10 and 5x5 as there, but 16 and 32 of them instead of 6 and 16; ReLU instead of tanh; a stride in
    the first convolution instead of the first subsampling, which halves the work; max pooling instead of the second;
    one dense layer of 64 before the last. 65,162 parameters for 10 classes.

    >>> tg.metrics.LeNet(classes=10)(np.zeros((4, 28, 28, 1), np.float32)).shape
    (4, 10)
    """

    def __init__(self, classes: int = 10, rng: Generator | None = None):
        self.body = Sequential(
            *(Conv(1, 16, 5, stride=2, rng=rng), ReLU()),
            *(Conv(16, 32, 5, padding="valid", rng=rng), MaxPool(2), ReLU()),
            *(Flatten(), Dense(5 * 5 * 32, 64, rng=rng)),
        )
        self.head = Dense(64, classes, rng=rng)

    def forward(self, x: Any) -> Any:
        return self.head(ops.relu(self._dense(x)))

    def features(self, x: Any) -> Any:
        """The input of the last layer, (N, 64), before its ReLU: each image's 64 numbers scaled to mean square 1.

        Their length says how sure the classifier is. Unscaled, images that look like no digit lie in the midst of all
        digits: uniform noise had a precision of 0.999 against the test digits; with directions alone it has 0.03.
        """
        return unit_features(self._dense(x))

    def maps(self, x: Any) -> Any:
        """The maps of the second convolution, (N, 10, 10, 32), after a ReLU: what an image shows, and where."""
        x = _checked(x)
        for layer in list(self.body)[:3]:
            x = layer(x)
        return ops.relu(x)

    def _dense(self, x: Any) -> Any:
        return self.body(_checked(x))


def _checked(x: Any) -> Any:
    """Raises DataError for images of another shape."""
    if x.shape[1:] != SHAPE:
        raise DataError(f"LeNet: x is {tuple(x.shape)}, but it takes images (N, 28, 28, 1)")
    return x


def unit_features(h: Any) -> Any:
    """Features (N, F), each row scaled to mean square 1."""
    return h / ops.sqrt(ops.mean(h * h, 1, keepdims=True) + 1e-12)


def unit_images(images: Array, value_range: tuple[float, float] | None = (0.0, 1.0)) -> Array:
    """Images as float32 in [0, 1]: uint8 divided by 255, floats in value_range (low, high) as (x - low)/(high - low).

    This brings data, loaders' batches and a model's samples (with its `value_range`) to one scale. Raises DataError
    unless images are (N, H, W, C), and for values outside of value_range, which would make every score wrong.

    >>> tg.metrics.unit_images(np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 3, 1), (-1, 1)).ravel()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    images = as_numbers("metrics", "images", images)
    if images.ndim != 4 or len(images) == 0:
        raise DataError(f"metrics: expected images (N, H, W, C), but got an array of shape {tuple(images.shape)}")
    if images.dtype == np.uint8:
        return images.astype(np.float32) / 255
    if value_range is None:
        raise ConfigError("metrics: value_range is None, but images that are not uint8 need one, such as (-1, 1)")
    least, most = float(images.min()), float(images.max())
    low, high = value_range
    if not (low <= least and most <= high):  # NaN fails both
        raise DataError(f"metrics: the images have values from {least:g} to {most:g}, outside of {value_range}")
    return ((images - low) / (high - low)).astype(np.float32, copy=False)


def in_blocks(f: Callable[[Array], Any], x: Array) -> np.ndarray:
    """f(x) as a NumPy array, without gradients; f gets blocks of images in [0, 1] on the current device."""
    x = as_numbers("metrics", "images", x)
    if len(x.shape) != 4 or len(x) == 0:
        raise DataError(f"metrics: expected images (N, H, W, C), but got an array of shape {tuple(x.shape)}")
    with no_grad():
        blocks = (to_device(x[i : i + BLOCK]) for i in range(0, len(x), BLOCK))
        return np.concatenate([to_host(array_of(y)) for y in (f(unit_images(block)) for block in blocks)])


def probabilities(model: Module, x: Array) -> np.ndarray:
    """p(class | image), (N, classes). x: uint8, or floats in [0, 1].

    >>> digits = tg.data.load("digits")
    >>> tg.metrics.probabilities(tg.metrics.load_classifier(), digits.test[:5]).sum(axis=1).round(3)
    array([1., 1., 1., 1., 1.], dtype=float32)
    """
    with evaluating(model):
        return in_blocks(lambda x: ops.softmax(model(x)), x)


def predict(model: Module, x: Array) -> np.ndarray:
    """The likeliest class of each image, int64 (N,). x: uint8, or floats in [0, 1].

    >>> digits = tg.data.load("digits")
    >>> tg.metrics.predict(tg.metrics.load_classifier(), digits.test[:5])
    array([2, 6, 6, 7, 0])
    """
    with evaluating(model):
        return in_blocks(model, x).argmax(axis=1)


def accuracy(model: Module, x: Array, labels: Array) -> float:
    """The share of images, uint8 or floats in [0, 1], whose likeliest class is their label.

    >>> digits = tg.data.load("digits")
    >>> tg.metrics.accuracy(tg.metrics.load_classifier(), digits.test[:100], digits.test_labels[:100])
    0.98
    """
    labels = checked_labels(x, labels)
    return float((predict(model, x) == to_host(labels)).mean())


def train_classifier(
    x: Array,
    labels: Array,
    steps: int = 1000,
    batch: int = 64,
    seed: int = 0,
    classes: int = 10,
    augment: Callable[[Array], Array] | None = None,
) -> LeNet:
    """A LeNet trained for `steps` steps of Adam on the cross entropy; the rate falls from 2e-3 to 0 as a cosine.

    x: (N, 28, 28, 1), uint8 or floats in [0, 1].  labels: ints (N,), 0 to classes - 1.  augment: as for a Loader.
    Raises DataError for images or labels that don't fit, ConfigError for options.

    >>> digits = tg.data.load("digits")
    >>> classifier = tg.metrics.train_classifier(digits.train[:64], digits.labels[:64], steps=1, batch=8)
    >>> classifier.training
    False
    """
    x, labels = as_numbers("classifier", "images", x), checked_labels(x, labels, classes)
    steps = whole("train_classifier", "steps", steps, 1)
    model = LeNet(classes, Generator(seed, "classifier/init"))
    order = Generator(seed, "classifier/order", device="cpu")
    loader = Loader(x, min(batch, len(x)), value_range=(0, 1), rng=order, labels=labels, augment=augment)
    return trained(model, loader, steps, losses.cross_entropy)


def trained(model: M, loader: Loader, steps: int, loss: Callable[..., Any]) -> M:
    """A judge after `steps` steps of Adam down its loss; the rate falls from 2e-3 to 0 as a cosine."""
    parameters = model.parameters()
    opt = Adam(parameters, lr=cosine_decay(2e-3, steps))
    for _ in range(steps):
        images, targets = loader.next_batch()
        opt.step(grad(loss(model(images), targets), parameters))
    model.eval()
    return model


def load_classifier() -> LeNet:
    """The LeNet trained on the 9,000 training digits, on the current device and in eval mode.

    Raises DataError if its weights are not those of this version: scores would not be comparable.

    >>> digits = tg.data.load("digits")
    >>> tg.metrics.predict(tg.metrics.load_classifier(), digits.test[:5]), digits.test_labels[:5]
    (array([2, 6, 6, 7, 0]), array([2, 6, 6, 7, 0]))
    """
    return load_weights(LeNet(rng=Generator(0)), WEIGHTS, SHA256)


def load_weights(model: M, path: Path, sha256: str) -> M:
    """A judge with the weights that come with the package, in eval mode and frozen. Raises DataError for others."""
    check_installed("a judge", "safetensors")
    import hashlib

    from safetensors.numpy import load

    with open_regular(path) as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path}: not the weights of this version of tinygen; install it again")
    model.load_state_dict(load(content))
    model.eval().requires_grad_(False)
    return model


def checked_labels(x: Array, labels: Any, classes: int | None = None) -> Array:
    """The labels of images x as an array. Raises DataError unless each has one, an int from 0 to classes - 1."""
    labels = as_numbers("classifier", "labels", labels)
    images = as_numbers("classifier", "images", x)
    n = len(images) if images.ndim else 0
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"classifier: labels are {labels.dtype} {tuple(labels.shape)}, but {n:,} images need as many ints"
        )
    least, most = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if least < 0 or (classes is not None and most >= classes):
        there = "they begin at 0" if classes is None else f"there are {classes} classes"
        raise DataError(f"classifier: labels go from {least} to {most}, but {there}")
    return labels
