"""A data set has a fingerprint that tells it from any other, on every machine."""

from dataclasses import replace

import numpy as np
import pytest

from tinygen.data import Dataset, load

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (12, 5, 4, 3), np.uint8)
DATA = Dataset("some", IMAGES[:9], IMAGES[9:], np.arange(9) % 3, np.arange(3))

EXCHANGED = IMAGES[[1, 0, *range(2, 9)]]
OTHERS = {
    "an image exchanged for another": {"train": EXCHANGED},
    "a test image exchanged": {"test": IMAGES[[10, 9, 11]]},
    "one pixel": {"train": IMAGES[:9] ^ (np.arange(9 * 60).reshape(9, 5, 4, 3) == 77).astype(np.uint8)},
    "another dtype": {"train": IMAGES[:9].astype(np.float32)},
    "another shape": {"train": IMAGES[:9].reshape(9, 4, 5, 3)},
    "another split": {"train": IMAGES[:10], "test": IMAGES[10:]},
    "other labels": {"labels": (np.arange(9) + 1) % 3},
    "no labels": {"labels": None},
    "factors": {"factors": np.zeros((9, 2), np.float32)},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_the_fingerprint_notices_every_change(change):
    assert replace(DATA, **change).fingerprint() != DATA.fingerprint()


def test_the_fingerprint_is_of_the_values_alone():
    same = {
        "name": "elsewhere",
        "train": np.asfortranarray(DATA.train),
        "test": IMAGES[::-1][2::-1],
        "labels": DATA.labels.astype(">i8"),
    }
    assert len(DATA.fingerprint()) == 64
    for field, value in same.items():
        assert replace(DATA, **{field: value}).fingerprint() == DATA.fingerprint()


@pytest.mark.parametrize(
    ("name", "options", "begins"),
    [
        ("digits", {}, "6e37baa8c2be"),
        ("stacked", {"train": 50, "test": 5}, "ab4a40afd02b"),
        ("sixfactors", {"train": 50, "test": 5}, "77b0e5cf97c2"),
    ],
)
def test_fingerprints_are_the_same_on_every_machine(name, options, begins):
    """Worked out once, and equal on processors with and without AVX2."""
    assert load(name, **options).fingerprint().startswith(begins)
