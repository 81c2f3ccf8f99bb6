"""MNIST and Fashion-MNIST come through the download, checked, as images and labels."""

import gzip
import hashlib

import numpy as np
import pytest
from data.mirror import good
from data.test_idx import to_idx

from tinygen.data import load, mnist
from tinygen.errors import DataError


@pytest.fixture(params=["mnist", "fashion"])
def published(request, web, cache, monkeypatch):
    """A small data set of the same format instead of the real one, on a local server; its name and its arrays."""
    rng = np.random.default_rng(3)
    arrays = [rng.integers(0, 256, (n, 28, 28), np.uint8) for n in (30, 10)]
    arrays[1:1] = [rng.integers(0, 10, 30, np.uint8)]
    arrays += [rng.integers(0, 10, 10, np.uint8)]
    names = [name for name, _, _ in mnist.MNIST]
    web.files = {name: gzip.compress(to_idx(array)) for name, array in zip(names, arrays, strict=True)}
    web.mirrors = {"here": good}
    table = [(name, len(body), hashlib.sha256(body).hexdigest()) for name, body in web.files.items()]
    monkeypatch.setattr(mnist, request.param.upper(), table)
    monkeypatch.setattr(mnist, f"{request.param.upper()}_MIRRORS", web.urls())
    return request.param, arrays


def test_images_and_labels_arrive(published):
    name, (train, labels, test, test_labels) = published
    data = load(name)
    assert data.name == name and data.shape == (28, 28, 1) and data.train.dtype == np.uint8
    assert data.labels.dtype == data.test_labels.dtype == np.int64
    for got, sent in ((data.train[..., 0], train), (data.test[..., 0], test)):
        np.testing.assert_array_equal(got, sent)
    for got, sent in ((data.labels, labels), (data.test_labels, test_labels)):
        np.testing.assert_array_equal(got, sent)


def test_they_are_kept_where_the_cache_is(published, cache, web):
    name, _ = published
    load(name)
    web.mirrors.clear()
    load(name)
    assert {path.name for path in (cache / name).glob("*.gz")} == set(web.files)


def test_a_corrupted_download_is_not_loaded(published, web):
    name, _ = published
    web.files["t10k-labels-idx1-ubyte.gz"] = web.files["t10k-labels-idx1-ubyte.gz"][::-1]
    with pytest.raises(DataError, match=rf"{name}: t10k-labels-idx1-ubyte\.gz could not be .*sent a file with SHA-256"):
        load(name)


@pytest.mark.parametrize("files", [mnist.MNIST, mnist.FASHION], ids=["mnist", "fashion"])
def test_the_tables_name_four_files_each_with_its_own_sum(files):
    names, sizes, sums = zip(*files, strict=True)
    assert names == tuple(
        f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    )
    assert len(set(sizes)) == 4 and len(set(sums)) == 4
    assert all(len(bytes.fromhex(digest)) == 32 for digest in sums)
