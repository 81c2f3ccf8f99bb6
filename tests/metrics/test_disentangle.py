"""The mutual information gap of codes made from the factors in a known way."""

import numpy as np
import pytest
from scipy.stats import entropy

from tinygen.errors import DataError
from tinygen.metrics.disentangle import mig, mutual_information

N = 20_000


def factors(k=3, seed=0):
    return np.random.default_rng(seed).uniform(size=(N, k))


def test_a_perfect_code_has_a_gap_of_one():
    v = factors()
    assert mig(v, v) > 0.97  # not 1: the other codes seem to tell a little, by (20-1)(10-1)/2N nats
    assert mig(-3 * v[:, ::-1] + 7, v) > 0.97  # neither order, sign nor scale matters
    assert mig(np.hstack([v, np.random.default_rng(1).normal(size=(N, 4))]), v) > 0.97


def test_a_bent_code_of_each_factor_stays_below_one():
    v = factors()
    assert 0.7 < mig(v**3, v) < 0.97


def test_noise_has_none():
    assert mig(np.random.default_rng(1).normal(size=(N, 5)), factors()) < 0.01


def test_two_codes_that_tell_the_same_have_none():
    v = factors(2)
    assert mig(np.hstack([v, v]), v) < 1e-12


def test_a_turned_code_has_little():
    v = factors(2)
    turn = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    assert mig((v - 0.5) @ turn, v) < 0.02
    assert mig((v - 0.5) @ np.array([[1, 0.2], [-0.2, 1]]), v) > 0.3  # a small rotation leaves some


def test_a_factor_in_no_code_counts_as_zero_and_one_that_never_changes_not_at_all():
    v = factors(2)
    assert mig(v[:, :1], v) == pytest.approx(0.5, abs=0.01)
    assert mig(v, np.hstack([v, np.ones((N, 1))])) == pytest.approx(mig(v, v))
    with pytest.raises(DataError, match="none of the factors changes"):
        mig(v, np.ones((N, 2)))


def test_the_information_of_a_known_table():
    table = np.array([[30, 10], [0, 40], [15, 5]])  # how often code i meets factor j
    z, v = np.nonzero(np.ones_like(table))
    z, v = np.repeat(z, table.ravel()), np.repeat(v, table.ravel())
    p = table / table.sum()
    expected = entropy(p.ravel(), np.outer(p.sum(axis=1), p.sum(axis=0)).ravel())
    information, entropies = mutual_information(z[:, np.newaxis], v[:, np.newaxis], code_bins=3, factor_bins=2)
    assert information == pytest.approx(expected) and entropies == pytest.approx(entropy(p.sum(axis=0)))


def test_the_information_of_a_gaussian_pair():
    rho = 0.9  # I = -½ log(1 - rho²), Cover and Thomas 2006, example 8.5.1; bins can only lose some
    a, b = np.random.default_rng(0).normal(size=(2, 200_000))
    z, v = a, rho * a + np.sqrt(1 - rho**2) * b
    information, _ = mutual_information(z[:, np.newaxis], v[:, np.newaxis], code_bins=60, factor_bins=60)
    assert information[0, 0] == pytest.approx(-0.5 * np.log(1 - rho**2), rel=0.05)


def test_the_bins_are_those_of_numpy_s_histogram():
    rng = np.random.default_rng(0)
    z, v = rng.normal(size=500), rng.uniform(size=500)
    joint = np.histogram2d(z, v, bins=(20, 10))[0]
    p = joint / 500
    expected = entropy(p.ravel(), np.outer(p.sum(axis=1), p.sum(axis=0)).ravel())
    information, _ = mutual_information(z[:, np.newaxis], v[:, np.newaxis])
    assert information[0, 0] == pytest.approx(expected, rel=1e-9)


def test_arrays_of_the_device_are_taken(gpu):
    v = factors()[:500]
    assert mig(gpu.asarray(v), v) == mig(v, v)


@pytest.mark.parametrize(("codes", "factors"), [((5, 2), (4, 2)), ((5,), (5, 2)), ((5, 2), (5,)), ((0, 2), (0, 2))])
def test_other_shapes_are_refused(codes, factors):
    with pytest.raises(DataError, match="must be"):
        mig(np.zeros(codes), np.zeros(factors))
