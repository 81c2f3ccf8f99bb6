"""A data set has a fingerprint that tells it from any other, on every machine."""

from dataclasses import replace

import numpy as np
import pytest

from tinygen.data import Dataset, load
from tinygen.errors import DataError

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (12, 5, 4, 3), np.uint8)
DATA = Dataset("some", IMAGES[:9], IMAGES[9:], np.arange(9) % 3, np.arange(3))

EXCHANGED = IMAGES[[1, 0, *range(2, 9)]]
OTHERS = {
    "an image exchanged for another": {"train": EXCHANGED},
    "a test image exchanged": {"test": IMAGES[[10, 9, 11]]},
    "one pixel": {"train": IMAGES[:9] ^ (np.arange(9 * 60).reshape(9, 5, 4, 3) == 77).astype(np.uint8)},
    "another dtype": {"train": IMAGES[:9].astype(np.float32)},
    "another shape": {"train": IMAGES[:9].reshape(9, 4, 5, 3), "test": IMAGES[9:].reshape(3, 4, 5, 3)},
    "another split": {"train": IMAGES[:8], "test": IMAGES[8:], "labels": np.arange(8) % 3, "test_labels": None},
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
    """Computed once; the same on processors with and without AVX2."""
    assert load(name, **options).fingerprint().startswith(begins)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": [IMAGES[0]]}, r"train is a list, but it must be an array .*np.stack"),
        ({"test": ["a.png"]}, r"test is a list, .*folder:PATH"),
        ({"train": IMAGES[:0]}, r"labels is an array of shape \(9,\), but each of 0 examples needs one"),
        ({"train": IMAGES[:0], "labels": None}, "train holds no examples"),
        ({"test": IMAGES[9:, 1:]}, r"train has examples of shape \(5, 4, 3\), test of \(4, 4, 3\)"),
        ({"train": IMAGES[:9].astype(int)}, "train has dtype int64, but it must be uint8"),
        ({"labels": np.arange(8)}, r"labels is an array of shape \(8,\), but each of 9 examples needs one"),
        ({"labels": np.zeros((9, 1), int)}, r"labels is an array of shape \(9, 1\), but each of 9 examples needs one"),
        ({"test_labels": [1, 2, 3]}, "test_labels is a list, but each of 3 examples"),
    ],
)
def test_what_is_no_data_set_is_refused(parts, message):
    with pytest.raises(DataError, match=f"Dataset: {message}"):
        replace(DATA, **parts)
