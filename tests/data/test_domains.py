"""Two domains: what is in them, and batches of both, each in an order of its own or in pairs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from tinygen.data import Dataset, Flip, Loader, batch_of, load, load_chosen, two_domains
from tinygen.data.domains import PARTNERS, outline
from tinygen.data.sixfactors import draw_faces
from tinygen.errors import ConfigError, DataError
from tinygen.random import Generator


def marked(n, first, name="marked"):
    """n images of one pixel that holds first, first + 1, ..."""
    x = np.arange(first, first + n, dtype=np.uint8).reshape(n, 1, 1, 1)
    return Dataset(name, x, x[:2])


def loader(first, second, batch=4, **options):
    return Loader(first.train, batch, (0, 255), Generator(0, "order", "cpu"), other=second.train, **options)


def test_faces_that_frown_and_others_that_laugh():
    data = load("smiles", train=30, test=20)
    sad, happy = data.factors, data.other.factors
    assert data.shape == data.other.shape == (32, 32, 3) and len(data.other.test) == 20
    assert sad[:, 0].max() < 0.3 and happy[:, 0].min() >= 0.7
    assert not np.isin(sad[:, 1], happy[:, 1]).any()  # no face is in both
    np.testing.assert_array_equal(draw_faces(happy, np.uint8, 32), data.other.train)
    assert "smiles: 30 to train" in str(data) and "not paired" in str(data)


@pytest.mark.parametrize("name", PARTNERS)
def test_digits_and_the_others_changed(name):
    data, digits = load(name), load("digits")
    np.testing.assert_array_equal(data.train, digits.train[::2])
    np.testing.assert_array_equal(data.other.train, PARTNERS[name](digits.train[1::2]))
    np.testing.assert_array_equal(data.other.test_labels, digits.test_labels[1::2])


def test_an_outline_is_what_a_dilation_adds():
    x = load("digits").train[:5]
    expected = ndimage.grey_dilation(x, size=(1, 3, 3, 1), mode="constant") - x
    np.testing.assert_array_equal(outline(x), expected)


def test_each_domain_has_an_order_of_its_own_in_which_all_come():
    batches = loader(marked(12, 0), marked(5, 100))
    firsts, seconds = [], []
    for x, y in batches:  # an epoch: of the first domain
        assert x.shape == y.shape == (4, 1, 1, 1)
        firsts += x.ravel().tolist()
        seconds += y.ravel().tolist()
    assert sorted(firsts) == list(range(12)) and firsts != sorted(firsts)
    assert sorted(seconds[:5]) == sorted(seconds[5:10]) == list(range(100, 105))
    assert seconds[:5] != seconds[5:10]


def test_pairs_stay_together():
    for x, y in loader(marked(12, 0), marked(12, 100), paired=True):
        np.testing.assert_array_equal(y, x + 100)


def test_a_position_in_both_orders_is_restored():
    first, second = marked(12, 0), marked(7, 100)
    batches = loader(first, second)
    for _ in range(4):
        batches.next_batch()
    state, expected = json.loads(json.dumps(batches.state)), [batches.next_batch() for _ in range(5)]
    again = loader(first, second)
    again.state = state
    for (x, y), (a, b) in zip(expected, [again.next_batch() for _ in range(5)], strict=True):
        np.testing.assert_array_equal(x, a)
        np.testing.assert_array_equal(y, b)
    with pytest.raises(ConfigError, match="with other 7, but this one has 8"):
        loader(first, marked(8, 100)).state = state


def test_all_in_order_as_one_batch():
    x, y = batch_of(marked(3, 0).train, (0, 255), other=marked(3, 9).train)
    assert x.ravel().tolist() == [0, 1, 2] and y.ravel().tolist() == [9, 10, 11]


def test_the_fingerprint_covers_both():
    a, b = marked(6, 0), marked(6, 50)
    prints = [d.fingerprint() for d in (a, two_domains(a, b), two_domains(a, marked(6, 51)), two_domains(a, b, True))]
    assert len({*prints}) == 4 and two_domains(a, replace(b, name="moved")).fingerprint() == prints[1]


def test_the_settings_of_a_run_choose_both():
    data = load_chosen({"data": "ring8", "data_b": "grid25", "size": None})
    assert (data.name, data.other.name) == ("ring8", "grid25") and not data.paired
    assert load_chosen({"data": "ring8"}).other is None


def test_domains_that_are_not_alike_are_refused():
    wide = Dataset("wide", np.zeros((6, 1, 2, 1), np.uint8), np.zeros((2, 1, 2, 1), np.uint8))
    with pytest.raises(DataError, match=r"marked has examples \(1, 1, 1\) of uint8, and wide \(1, 2, 1\)"):
        two_domains(marked(6, 0), wide)
    with pytest.raises(DataError, match="6 and 2 examples, marked 5 and 2, but pairs need equally many"):
        two_domains(marked(6, 0), marked(5, 0), paired=True)
    with pytest.raises(DataError, match="a Dataset of one domain"):
        two_domains(wide, two_domains(wide, wide))
    with pytest.raises(DataError, match="they must be alike"):
        loader(marked(6, 0), wide)
    with pytest.raises(DataError, match="Loader: other holds no examples"):
        Loader(wide.train, 2, (0, 255), Generator(0, "order", "cpu"), other=wide.train[:0])
    with pytest.raises(ConfigError, match="not both"):
        loader(marked(6, 0), marked(6, 0), labels=np.arange(6))
    with pytest.raises(ConfigError, match="augment would change the examples of a pair differently"):
        loader(marked(6, 0), marked(6, 0), paired=True, augment=Flip(rng=Generator(0)))
