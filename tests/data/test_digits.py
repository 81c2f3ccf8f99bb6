"""The embedded digits are as NOTICE.md describes them."""

from pathlib import Path

import numpy as np
import pytest

import tinygen.data
from tinygen.data import digits as module
from tinygen.data import load
from tinygen.errors import DataError


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_nine_thousand_to_train_and_one_thousand_to_test(digits):
    assert digits.train.shape == (9000, 28, 28, 1) and digits.test.shape == (1000, 28, 28, 1)
    assert digits.labels.shape == (9000,) and digits.test_labels.shape == (1000,)
    assert digits.train.dtype == np.uint8 and digits.labels.dtype == np.int64
    assert digits.shape == (28, 28, 1) and digits.modes is None


def test_the_images_are_those_of_the_notice(digits):
    images = np.concatenate([digits.train, digits.test])
    scaled = images / 255
    assert round(scaled.mean(), 4) == 0.1311 and round(scaled.std(), 4) == 0.3087
    assert len(np.unique(images.reshape(10_000, -1), axis=0)) == 10_000
    counts = np.bincount(np.concatenate([digits.labels, digits.test_labels]))
    assert counts.tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]


def test_labels_belong_to_their_images(digits):
    """The nearest class mean of the training digits is right for most test digits; chance is one in ten."""
    x, test = digits.train.reshape(9000, 784) / 255, digits.test.reshape(1000, 784) / 255
    means = np.stack([x[digits.labels == k].mean(axis=0) for k in range(10)])
    nearest = ((test[:, np.newaxis] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == digits.test_labels).mean() > 0.75


def test_the_notice_ships_beside_the_data():
    notice = (Path(tinygen.data.__file__).parent / "NOTICE.md").read_text()
    for fact in ("CC BY-SA 3.0", "LeCun", "Cortes", "Burges", "`mnist` (MIT)", "1.1.0"):
        assert fact in notice


def npz(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path.read_bytes()


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "a bomb", "another shape", "objects"])
def test_a_damaged_file_of_the_package_is_told(tmp_path, monkeypatch, damage):
    whole = (Path(module.__file__).parent / "digits10k.npz").read_bytes()
    file = tmp_path / "digits10k.npz"
    contents = {
        "empty": lambda: b"",
        "cut": lambda: whole[: len(whole) // 2],
        "flipped": lambda: whole[:500_000] + bytes([whole[500_000] ^ 255]) + whole[500_001:],
        "a bomb": lambda: npz(file, images=np.zeros((10_000, 28, 60), np.uint8), labels=np.zeros(10_000, np.uint8)),
        "another shape": lambda: npz(file, images=np.zeros((5, 28, 28), np.uint8), labels=np.zeros(5, np.uint8)),
        "objects": lambda: npz(file, images=np.array([None]), labels=np.zeros(1)),
    }
    if damage != "missing":
        file.write_bytes(contents[damage]())
    monkeypatch.setattr(module, "__file__", str(tmp_path / "digits.py"))
    with pytest.raises(DataError, match=r"digits: .*digits10k.npz, a part of tinygen, is damaged .*; install tinygen"):
        load("digits")
