"""The 10,000 handwritten digits that come with the package: always there, without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dataset import Dataset

TRAIN = 9_000


def load_digits() -> Dataset:
    """10,000 digits of MNIST, 28x28 grey, 0 the background: 9,000 to train and 1,000 to test (NOTICE.md says more)."""
    with np.load(Path(__file__).with_name("digits10k.npz")) as archive:
        images, labels = archive["images"][..., np.newaxis], archive["labels"].astype(np.int64)
    return Dataset("digits", images[:TRAIN], images[TRAIN:], labels[:TRAIN], labels[TRAIN:])
