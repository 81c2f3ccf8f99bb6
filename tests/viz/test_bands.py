"""The curves of groups of runs: what is drawn is the mean and the deviation of what was measured."""

import numpy as np
import pytest

from tinygen.viz.bands import MOST_PANELS, POINTS, bands


def rows(values, name="loss", every=1):
    return [{"step": every * (i + 1), name: float(x)} for i, x in enumerate(values)]


def drawn(figure, panel=0):
    """The lines of a panel, and the outline of each band."""
    axes = figure.axes[panel]
    return [line.get_data() for line in axes.lines], [band.get_paths()[0].vertices for band in axes.collections]


def test_a_curve_is_the_mean_and_its_band_the_deviation():
    values = np.random.default_rng(0).normal(size=(3, 20))
    figure = bands({"a": [rows(one) for one in values], "b": [rows(values[0])]})
    (first, second), (around, flat) = drawn(figure)
    np.testing.assert_allclose(first, [np.arange(1, 21), values.mean(axis=0)])
    np.testing.assert_allclose(second[1], values[0])
    assert around[:, 1].max() == pytest.approx((values.mean(axis=0) + values.std(axis=0)).max())
    assert flat[:, 1].max() == pytest.approx(values[0].max())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_a_curve_ends_with_the_first_of_its_runs_and_lies_between_other_steps():
    ((step, mean),), _ = drawn(bands({"a": [rows([1, 2, 3, 4, 5, 6]), rows([3, 5], every=2)]}))
    np.testing.assert_allclose(step, [2, 4])
    np.testing.assert_allclose(mean, [(2 + 3) / 2, (4 + 5) / 2])


def test_values_that_are_not_finite_are_left_out():
    ((step, mean),), _ = drawn(bands({"a": [rows([1, np.nan, 3])]}))
    np.testing.assert_allclose([step, mean], [[1, 3], [1, 3]])
    assert not bands({"a": [rows([np.nan])]}).axes[0].lines[0].get_xdata().size


def test_long_curves_are_thinned_and_scores_come_first():
    figure = bands({"a": [[{"step": i, "loss": 1.0, "score.fid": 2.0} for i in range(5000)]]})
    assert [axes.get_title("left") for axes in figure.axes] == ["score.fid", "loss"]
    assert drawn(figure)[0][0][0].size == POINTS
    many = [{"step": 1, **{f"m{i}": 1.0 for i in range(40)}}]
    assert len(bands({"a": [many]}).axes) == MOST_PANELS


def test_nothing_measured_is_an_empty_picture():
    assert len(bands({"a": [[]]}).axes[0].lines) == 1
