"""What users of other frameworks reported, tried on tinygen: a line of the tables is a report and the right answer."""

import numpy as np
import pytest
from campaigns.gradient_reports import FIRST, SECOND
from campaigns.training_reports import REFUSED, VALUES

import tinygen as tg


def named(table):
    """One test a line, with the report and what it was about for its name."""
    return [pytest.param(*rest, id=f"{report}: {about}") for report, about, *rest in table]


def gradient(f, x, order):
    x = tg.tensor(np.asarray(x, np.float64), requires_grad=True)
    with np.errstate(all="ignore"):
        y = f(x)
        for _ in range(order):
            y = tg.grad(y.sum(), x, create_graph=True)
    return y.numpy()


@pytest.mark.parametrize(("f", "x", "expected"), named(FIRST))
def test_gradients(f, x, expected):
    np.testing.assert_allclose(gradient(f, x, 1), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("f", "x", "expected"), named(SECOND))
def test_second_derivatives(f, x, expected):
    np.testing.assert_allclose(gradient(f, x, 2), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("compute", "expected"), named(VALUES))
def test_values(compute, expected):
    """Numbers to seven digits; words, shapes and truths as they are."""
    found = compute()
    if not isinstance(expected, tuple) and np.asarray(expected).dtype.kind in "if":
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)
    else:
        assert found == expected


@pytest.mark.parametrize(("attempt", "words"), named(REFUSED))
def test_mistakes_get_a_sentence(attempt, words):
    with pytest.raises((ValueError, TypeError, IndexError, tg.GradientError, tg.UserError)) as caught:
        attempt()
    assert words in str(caught.value)


def test_there_are_a_hundred():
    table = [*FIRST, *SECOND, *VALUES, *REFUSED]
    assert len(table) >= 100
    assert len({(report, about) for report, about, *_ in table}) == len(table)
