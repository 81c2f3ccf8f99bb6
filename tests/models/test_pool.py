"""The pool of earlier images: what it shows, what it keeps, and that it is saved."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen.backend import to_host
from tinygen.errors import ConfigError
from tinygen.models.pool import Pool
from tinygen.random import Generator


def images(*marks):
    """Images of one pixel."""
    return np.array(marks, np.float32).reshape(-1, 1, 1, 1)


def marks(x):
    return to_host(getattr(x, "data", x)).ravel().tolist()


def test_until_it_is_full_it_keeps_what_comes_and_shows_it(backend):
    pool = Pool(5, (1, 1, 1), Generator(0, "pool"))
    for first in (1, 3):
        assert marks(pool.exchange(backend.asarray(images(first, first + 1)))) == [first, first + 1]
    assert marks(pool.images)[:4] == [1, 2, 3, 4] and int(to_host(pool.count.data)) == 4
    assert marks(pool.exchange(backend.asarray(images(5, 6)))) == [5, 6]  # one place is free; the other image
    assert sorted(marks(pool.images)) == [2, 3, 4, 5, 6]  # takes that of the first


def test_then_it_shows_an_earlier_one_half_of_the_time_and_keeps_the_new_one_for_it(backend):
    pool, shown = Pool(10, (1, 1, 1), Generator(0, "pool")), []
    for i in range(400):
        before, new = marks(pool.images), [2.0 * i + 1, 2.0 * i + 2]
        given = marks(pool.exchange(backend.asarray(images(*new))))
        after = marks(pool.images)
        assert sorted(before + new) == sorted(after + given) or i < 5  # nothing is lost, nothing is there twice
        shown += [y != x for x, y in zip(new, given, strict=True)]
    assert 0.43 < np.mean(shown[10:]) < 0.57  # 0.018 is a standard deviation


def test_of_a_larger_batch_the_rest_is_shown_as_it_comes():
    pool = Pool(2, (1, 1, 1), Generator(0, "pool"))
    assert marks(pool.exchange(images(1, 2, 3, 4, 5))) == [1, 2, 3, 4, 5]
    assert marks(pool.images) == [1, 2]
    assert marks(pool.exchange(images(6, 7, 8)))[2] == 8


def test_a_compiled_pool_is_the_same():
    eager, twin = (Pool(6, (2, 2, 1), Generator(0, "pool")) for _ in range(2))
    step = tg.compile(twin.exchange, "numpy")
    rng = np.random.default_rng(0)
    for _ in range(9):
        x = rng.normal(size=(4, 2, 2, 1)).astype(np.float32)
        np.testing.assert_array_equal(step(x).numpy(), eager.exchange(x).numpy())
    assert step.reason is None
    np.testing.assert_array_equal(twin.images.numpy(), eager.images.numpy())


def test_its_size_is_checked():
    with pytest.raises(ConfigError, match="Pool: size is 0, but it must be an int of at least 1"):
        Pool(0, (1, 1, 1), Generator(0))
