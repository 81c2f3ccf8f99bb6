"""Three digits as the red, green and blue of one image: 1,000 known modes that can be counted."""

from __future__ import annotations

import numpy as np

from .dataset import Dataset, own_stream
from .digits import load_digits

PLACES = np.array([100, 10, 1])  # of the red, the green and the blue digit in the label


def load_stacked(train: int = 50_000, test: int = 26_000, seed: int = 0) -> Dataset:
    """Images of 28x28 pixels in colour, each of three random digits; the label is 100 red + 10 green + blue.

    Training images are made of the training digits, test images of the others. The data set of Metz et al. 2017
    (Unrolled GANs); 26,000 is the number of samples on which VEEGAN and PacGAN count the modes.
    """
    rng, digits = own_stream("stacked", train, test, seed), load_digits()
    assert digits.labels is not None and digits.test_labels is not None
    picks = rng.integers(0, len(digits.train), (train, 3))
    test_picks = rng.integers(0, len(digits.test), (test, 3))
    labels, test_labels = digits.labels[picks] @ PLACES, digits.test_labels[test_picks] @ PLACES
    return Dataset("stacked", _stack(digits.train, picks), _stack(digits.test, test_picks), labels, test_labels)


def _stack(digits: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """The images (N, 28, 28, 3) made of digits (M, 28, 28, 1); picks (N, 3): their rows."""
    images = np.empty((len(picks), *digits.shape[1:3], 3), np.uint8)
    for channel in range(3):  # one at a time, to avoid a second copy
        images[..., channel] = digits[picks[:, channel], ..., 0]
    return images
