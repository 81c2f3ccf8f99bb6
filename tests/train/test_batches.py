"""Batches: any data as an endless stream that knows its first batch and goes back to where it was."""

import json

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen.backend import array_module
from tinygen.data import Dataset, Loader
from tinygen.errors import ConfigError, DataError
from tinygen.models import GAN, GANConfig
from tinygen.train import fit
from tinygen.train.batches import batches_of

IMAGES = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)


def numbers(batches, n):
    return [batches.next().ravel().tolist() for _ in range(n)]


def sources():
    return {
        "loader": Loader(IMAGES, 6),
        "stream": Stream((2,), 2),
        "list": [np.full(2, float(i)) for i in range(5)],
        "array": IMAGES,
        "dataset": Dataset("counting", IMAGES, IMAGES[:2]),
    }


@pytest.mark.parametrize("kind", sources())
@pytest.mark.parametrize("before", [0, 1, 4, 7])
def test_going_back(kind, before):
    batches = batches_of(sources()[kind], Tiny())
    first = batches.first.copy()
    numbers(batches, before)
    state = json.loads(json.dumps(batches.state))
    expected = numbers(batches, 9)
    batches.state = state
    assert numbers(batches, 9) == expected
    np.testing.assert_array_equal(batches.first, first)
    other = batches_of(sources()[kind], Tiny())
    other.state = state
    assert numbers(other, 9) == expected
    np.testing.assert_array_equal(other.first, first)


@pytest.mark.parametrize("kind", sources())
def test_looking_at_the_first_batch_takes_none_away(kind):
    batches = batches_of(sources()[kind], Tiny())
    assert batches.first.ravel().tolist() == numbers(batches, 1)[0]


def test_the_first_batch_is_that_of_the_run_however_far_the_loader_is():
    fresh = batches_of(Loader(IMAGES, 6), Tiny())
    numbers(fresh, 5)
    used = Loader(IMAGES, 6)
    used.next_batch()
    resumed = batches_of(used, Tiny())
    resumed.state = fresh.state
    np.testing.assert_array_equal(resumed.first, fresh.first)
    assert numbers(resumed, 3) == numbers(fresh, 3)


def test_an_array_is_cut_into_batches_of_the_models_default():
    assert batches_of(IMAGES, Tiny()).next().shape == (8, 1, 1, 1)
    assert batches_of(IMAGES[:3], Tiny()).next().shape == (3, 1, 1, 1)


def test_an_iterable_is_gone_through_again_and_again():
    assert numbers(batches_of([np.ones(1), np.zeros(1)], Tiny()), 5) == [[1], [0], [1], [0], [1]]


def test_a_generator_serves_once_and_then_says_so():
    batches = batches_of((np.full(1, i) for i in range(3)), Tiny())
    assert batches.first == 0 and numbers(batches, 3) == [[0], [1], [2]]
    with pytest.raises(DataError, match="can't be gone through again; give a list"):
        batches.state = 1
    with pytest.raises(DataError, match=r"holds no batch \(any more\); give a list"):
        batches.next()


def test_a_new_generator_goes_on_where_the_old_one_was():
    batches = batches_of((np.full(1, i) for i in range(9)), Tiny())
    batches.state = 4
    assert numbers(batches, 2) == [[4], [5]]
    with pytest.raises(DataError, match="fewer batches than the 4"):
        batches_of([np.ones(1)] * 3, Tiny()).state = 4


def test_batches_of_pairs_come_to_the_device(backend):
    pair = batches_of([(np.ones((2, 3)), np.zeros(2, np.int64))], Tiny())
    for x in (*pair.first, *pair.next()):
        assert array_module(x) is backend.xp


@pytest.mark.parametrize("data", [[], iter(()), np.zeros((0, 2, 2, 1), np.uint8)])
def test_no_data(data):
    with pytest.raises(DataError):
        batches_of(data, Tiny())


@pytest.mark.parametrize("data", ["digits", 5, None])
def test_what_is_no_data(data):
    with pytest.raises(ConfigError, match=rf"fit: data is {data!r}, but it must be a Loader, .*load\(\"digits\"\)"):
        batches_of(data, Tiny())


def test_a_loader_of_another_range_is_refused():
    with pytest.raises(ConfigError, match=r"value_range=model\.value_range"):
        batches_of(Loader(IMAGES, 6, (0, 1)), Tiny())


@pytest.mark.parametrize("kind", ["loader", "list"])
def test_labels_for_a_model_that_takes_none_are_refused(kind):
    x, labels = np.zeros((8, 2), np.float32), np.zeros(8, int)
    data = Loader(x, 4, None, labels=labels) if kind == "loader" else [(x, labels)]
    gan = GAN(GANConfig(data_shape=(2,), g_hidden=(4,), d_hidden=(4,)))
    with pytest.raises(ConfigError, match=r"fit: the batches are \(x, labels\), but gan takes no labels; give x alone"):
        fit(gan, data, 1)
    gan.takes_labels = True
    assert len(batches_of(data, gan).next()) == 2
