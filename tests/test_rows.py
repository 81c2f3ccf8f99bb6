"""Rows of numbers are a list of dicts, but for the memory; an outline has every extreme of what it leaves out."""

import math
import sys

import numpy as np
import pytest

from tinygen.rows import Rows, outline

ROWS = [
    {"step": 1, "loss": 0.1, "acc": 1},
    {"step": 1, "score.fid": 50.0},
    {"step": 2, "loss": math.inf, "acc": 0.5},
    {"step": 3, "loss": None, "note": "text"},
    {"step": 2**60, "loss": -0.0},
    {"step": 4, "loss": 1 / 3, "acc": 0},
    {},
]


def test_what_comes_out_is_what_went_in():
    rows = Rows(ROWS)
    assert (list(rows), len(rows), rows[-2], rows[1:3], repr(rows)) == (ROWS, 7, ROWS[-2], ROWS[1:3], repr(ROWS))
    assert [[type(x) for x in row.values()] for row in rows] == [[type(x) for x in row.values()] for row in ROWS]
    assert rows == ROWS and rows == Rows(ROWS) and rows != ROWS[:-1]
    assert not Rows() and Rows.of(rows) is rows and Rows.of(ROWS) == rows
    with pytest.raises(IndexError):
        rows[7]


def test_a_column_is_the_numbers_of_a_name():
    rows = Rows(ROWS)
    assert rows.names() == ["step", "loss", "acc", "score.fid"]
    for name in rows.names():
        values, there = rows.column(name)
        assert there.tolist() == [isinstance(row.get(name), (int, float)) for row in ROWS]
        assert values[there].tolist() == [row[name] for row in ROWS if isinstance(row.get(name), (int, float))]
        assert np.isnan(values[~there]).all()
    assert not rows.column("nowhere")[1].any()


def test_a_row_costs_a_few_bytes_a_number():
    rows = Rows({"step": i, "loss_D": 1.0, "loss_G": 2.0, "acc": 0.5} for i in range(2000))
    kept = [rows._table, rows._place, *(values for _, values in rows._tables)]
    assert sum(map(sys.getsizeof, kept)) < 2000 * 60


@pytest.mark.parametrize("n, most", [(10, 10), (11, 10), (1000, 8), (4001, 500), (5, 2)])
def test_an_outline_has_the_ends_and_the_extremes(n, most):
    values = np.random.default_rng(0).normal(size=n)
    kept = outline(values, most)
    assert len(kept) <= max(most, 5) and (np.diff(kept) > 0).all()
    assert {0, n - 1, int(values.argmin()), int(values.argmax())} <= set(kept.tolist())


def test_an_outline_shows_a_spike_and_a_gap_in_each_stretch():
    values = np.zeros(10_000)
    values[::500], values[250::500] = 1e6, np.nan
    kept = values[outline(values, 1000)]
    assert (kept == 1e6).sum() == 20 == np.isnan(kept).sum()
