"""All there is to see in a model at one moment, by functions of the same noise and the same data each time."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, array_of, to_host
from ..models import GAN, Autoencoder, Memory
from ..models.probe import Signals, undisturbed
from ..models.vae import GaussianEncoder
from ..random import Generator
from .look_autoencoders import AutoencoderLook, EncoderLook, MemoryLook
from .look_gan import GANLook

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model

FAMILIES: dict[type, Any] = {
    GAN: GANLook,
    GaussianEncoder: EncoderLook,
    Autoencoder: AutoencoderLook,
    Memory: MemoryLook,
}
BATCH, POINTS = 64, 256  # how many images, or points in the plane, a look takes
SHOWN, NUMBERS = 16, 4 * 64 * 64 * 3  # how many of the images are kept: fewer of large ones, to keep so many numbers


class Looks:
    """What a Recorder keeps of a model: calling it gives host arrays by name.

    facts, constants: what is the same at each step, values and arrays.
    shown: how many images (or points) are kept.  batch: how many a look takes, so that batch norm has its statistics.
    """

    def __init__(self, model: Model, dataset: Dataset):
        self.model, self.dataset = model, dataset
        self.plane = dataset.shape == (2,)
        self.batch = POINTS if self.plane else BATCH
        self.shown = POINTS if self.plane else max(2, min(SHOWN, NUMBERS // math.prod(dataset.shape)))
        self.facts: dict[str, Any] = {"shown": self.shown}
        self.constants: dict[str, np.ndarray] = {}
        self._looks = [look(model, self) for kind, look in FAMILIES.items() if isinstance(model, kind)]

    def __call__(self) -> dict[str, np.ndarray]:
        signals, found = Signals(self.model), dict[str, Any]()
        for look in self._looks:
            with undisturbed(self.model):
                found |= look(signals)
        if "samples" not in found:
            with suppress(NotImplementedError):  # a model of one's own may make none
                found["samples"] = self.model.sample(self.shown, Generator(0, "recorder"))
        return {name: to_host(array_of(x)) for name, x in found.items()} | signals.arrays()

    def examples(self, n: int, test: bool = False) -> tuple[Array, np.ndarray | None]:
        """The first n examples as the model takes them, on the device, and their labels, on the host."""
        from ..data import batch_of

        data = self.dataset
        x, labels = (data.test, data.test_labels) if test and len(data.test) else (data.train, data.labels)
        x, labels = x[:n], None if labels is None else labels[:n]
        return batch_of(x, self.model.value_range), labels
