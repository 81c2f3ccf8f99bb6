"""A judge of drawn faces: it reads the six factors of sixfactors off a face, and its features compare faces.

Its weights come with the package; examples/face_judge.py made them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import losses, ops
from ..backend import Array
from ..checks import as_numbers, whole
from ..data import Dataset, Loader
from ..data.sixfactors import FACTORS
from ..errors import DataError
from ..layers import Conv, Dense, Flatten, Module, ReLU, Sequential, evaluating
from ..random import Generator
from .classifier import in_blocks, load_weights, trained, unit_features

WEIGHTS = Path(__file__).with_name("face_judge.safetensors")
SHA256 = "df1d73dcd7cd9d07b0b44ad9a32304dc711e5a4abbaaf6391aa72a0548233073"
SIZE = 32  # of its input images


class FaceJudge(Module):
    """Faces x (N, 32, 32, 3) in [0, 1] to their six factors (N, 6), each about 0 to 1.

    Convolutions of 16, 32, 48 and 64 channels, the last three of stride 2; a dense layer of 64; the factors.
    Larger squares whose side is a multiple of 32 are averaged down first.

    >>> faces = tg.data.load("sixfactors", train=4, test=2, size=32)
    >>> tg.metrics.FaceJudge()(faces.train / np.float32(255)).shape
    (4, 6)
    """

    def __init__(self, rng: Generator | None = None):
        self.body = Sequential(
            *(Conv(3, 16, 3, rng=rng), ReLU()),
            *(Conv(16, 32, 3, stride=2, rng=rng), ReLU()),
            *(Conv(32, 48, 3, stride=2, rng=rng), ReLU()),
            *(Conv(48, 64, 3, stride=2, rng=rng), ReLU()),
            *(Flatten(), Dense(4 * 4 * 64, 64, rng=rng)),
        )
        self.head = Dense(64, len(FACTORS), rng=rng)

    def forward(self, x: Any) -> Any:
        return self.head(ops.relu(self._dense(x)))

    def features(self, x: Any) -> Any:
        """The input of the last layer, (N, 64), before its ReLU, scaled to mean square 1: see LeNet.features."""
        return unit_features(self._dense(x))

    def maps(self, x: Any) -> Any:
        """The maps of the second convolution, (N, 16, 16, 32), after their ReLU: what a face shows, and where."""
        x = _shrunk(x)
        for layer in list(self.body)[:4]:
            x = layer(x)
        return x

    def _dense(self, x: Any) -> Any:
        return self.body(_shrunk(x))


def _shrunk(x: Any) -> Any:
    """Faces of 32x32 pixels. Raises DataError for images that are no such squares."""
    if not is_face(tuple(x.shape[1:])):
        raise DataError(f"FaceJudge: x is {tuple(x.shape)}, but it takes faces (N, 32, 32, 3), or a multiple of 32")
    k = x.shape[1] // SIZE
    return ops.avg_pool2d(x, k) if k > 1 else x


def is_face(shape: tuple[int, ...]) -> bool:
    """Whether the judge takes images of this shape."""
    return len(shape) == 3 and shape[0] == shape[1] and shape[2] == 3 and shape[0] % SIZE == 0 < shape[0]


def has_drawn_faces(data: Dataset) -> bool:
    """Whether a data set is of faces drawn from FACTORS, which the judge knows."""
    return is_face(data.shape) and data.test_factors is not None and data.test_factors.shape[1] == len(FACTORS)


def read_factors(judge: Module, x: Array) -> np.ndarray:
    """The factors of faces, (N, 6), as the judge reads them. x: uint8, or floats in [0, 1].

    >>> faces = tg.data.load("sixfactors", train=4, test=2, size=32)
    >>> tg.metrics.read_factors(tg.metrics.load_face_judge(), faces.train).shape
    (4, 6)
    """
    with evaluating(judge):
        return in_blocks(judge, x)


def train_face_judge(x: Array, factors: Array, steps: int = 1500, batch: int = 64, seed: int = 0) -> FaceJudge:
    """A FaceJudge trained for `steps` steps of Adam on the squared error; the rate falls from 2e-3 to 0 as a cosine.

    x: (N, 32, 32, 3), uint8 or floats in [0, 1].  factors: (N, 6).  Raises DataError if they don't fit.

    >>> faces = tg.data.load("sixfactors", train=8, test=2, size=32)
    >>> tg.metrics.train_face_judge(faces.train, faces.factors, steps=1, batch=4).training
    False
    """
    x, factors = as_numbers("face judge", "faces", x), as_numbers("face judge", "factors", factors)
    if factors.shape != (len(x), len(FACTORS)):
        raise DataError(f"face judge: the factors are {factors.shape}, but {len(x):,} faces have ({len(x)}, 6)")
    steps = whole("train_face_judge", "steps", steps, 1)
    judge = FaceJudge(Generator(seed, "face judge/init"))
    order = Generator(seed, "face judge/order", device="cpu")
    loader = Loader(x, min(batch, len(x)), value_range=(0, 1), rng=order, labels=factors)
    return trained(judge, loader, steps, losses.mse)


def load_face_judge() -> FaceJudge:
    """The judge trained on 9,000 drawn faces, on the current device and in eval mode.

    Raises DataError if its weights are not those of this version: scores would not be comparable.

    >>> faces = tg.data.load("sixfactors", train=4, test=2, size=32)
    >>> error = tg.metrics.read_factors(tg.metrics.load_face_judge(), faces.train) - faces.factors
    >>> bool(abs(error).max() < 0.2)
    True
    """
    return load_weights(FaceJudge(rng=Generator(0)), WEIGHTS, SHA256)
