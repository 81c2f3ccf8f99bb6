"""Data sets of two domains, whose examples don't belong together: no face, and no digit, is in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .dataset import Dataset, own_stream
from .digits import load_digits
from .sixfactors import FACTORS, SMILE, draw_faces

SAD, HAPPY = (0.0, 0.3), (0.7, 1.0)  # the smiles of the two domains of faces


def load_smiles(train: int = 3_000, test: int = 1_000, seed: int = 0, size: int = 32) -> Dataset:
    """Faces as in sixfactors that frown, with a smile below 0.3, and others that laugh, above 0.7; as many of each."""
    rng = own_stream("smiles", train, test, seed)
    domains = []
    for name, (low, high) in (("sad", SAD), ("happy", HAPPY)):
        factors = rng.uniform((train + test, len(FACTORS)))
        factors[:, SMILE] = low + (high - low) * factors[:, SMILE]
        faces = draw_faces(factors, np.uint8, size)
        known = {"factors": factors[:train], "test_factors": factors[train:]}
        domains.append(Dataset(f"smiles: {name}", faces[:train], faces[train:], **known))
    sad, happy = domains
    return replace(sad, name="smiles", other=happy)


def load_negatives() -> Dataset:
    """Half of the digits as they are, and the negatives of the other half: 255 - x."""
    return _two_halves("negatives", negative)


def load_outlines() -> Dataset:
    """Half of the digits as they are, and the outlines of the other half: what a 3x3 dilation adds to them."""
    return _two_halves("outlines", outline)


def negative(x: np.ndarray) -> np.ndarray:
    """255 - x for uint8."""
    return 255 - x


def outline(x: np.ndarray) -> np.ndarray:
    """The largest of each 3x3 neighbourhood minus the pixel in its middle, for images (N, H, W, C)."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    near = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.max(near, axis=0) - x


PARTNERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"negatives": negative, "outlines": outline}
"""For data sets, by name: what turns an image of the first domain, uint8, into its known partner in the second."""


def _two_halves(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Dataset:
    """Every second digit, and the others changed."""
    digits = load_digits()
    assert digits.labels is not None and digits.test_labels is not None
    first, second = (
        Dataset(part, digits.train[i::2], digits.test[i::2], digits.labels[i::2], digits.test_labels[i::2])
        for i, part in enumerate((name, f"{name}: {change.__name__}s"))
    )
    return replace(first, other=replace(second, train=change(second.train), test=change(second.test)))


def two_domains(first: Dataset, second: Dataset, paired: bool = False) -> Dataset:
    """Two data sets as the domains of one. Raises DataError unless their examples are alike in shape and type.

    paired: example i of both belongs together.

    >>> digits = tg.data.load("digits")
    >>> tg.data.two_domains(digits, digits).other is digits
    True
    """
    return replace(first, other=second, paired=paired)
