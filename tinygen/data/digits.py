"""The 10,000 handwritten digits that come with the package: no network needed."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import open_regular
from .dataset import Dataset

TRAIN = 9_000
SHAPE = (10_000, 28, 28)


def load_digits() -> Dataset:
    """10,000 digits of MNIST, 28x28 grey, 0 the background: 9,000 to train and 1,000 to test (see NOTICE.md)."""
    file = Path(__file__).with_name("digits10k.npz")
    try:
        with open_regular(file) as opened:
            with zipfile.ZipFile(opened) as members:
                unpacked = sum(member.file_size for member in members.infolist())
            if unpacked > 2 * math.prod(SHAPE):
                raise ValueError(f"{unpacked:,} bytes when unpacked")
            opened.seek(0)
            with np.load(opened) as archive:
                images, labels = archive["images"], archive["labels"].astype(np.int64)
        if images.shape != SHAPE or labels.shape != SHAPE[:1] or images.dtype != np.uint8:
            raise ValueError(f"images of {images.dtype}, {images.shape}, and labels {labels.shape}")
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for a damaged file
        raise DataError(f"digits: {file}, a part of tinygen, is damaged ({error}); install tinygen again") from None
    images = images[..., np.newaxis]
    return Dataset("digits", images[:TRAIN], images[TRAIN:], labels[:TRAIN], labels[TRAIN:])
