"""Points on a line and in the plane: where they are drawn, and the range of the picture."""

import numpy as np
import pytest

from tinygen import viz
from tinygen.viz.points import histogram, range_around_zero, range_of


def test_a_scatter_plot_has_the_limits_it_was_given_and_one_scale():
    points = np.array([[0.0, 0.5], [3.0, 0.0], [0.0, -9.0], [np.nan, 0.0]])
    (axes,) = viz.scatter(points, (-1, 1)).axes
    assert axes.get_xlim() == axes.get_ylim() == (-1, 1)
    assert axes.get_aspect() == 1
    (dots,) = axes.collections
    assert dots.get_offsets().tolist() == [[0, 0.5], [1, 0], [0, -1]]
    colours = dots.get_facecolors()[:, :3]
    assert (colours[0] != colours[1]).any() and (colours[1] == colours[2]).all()
    assert axes.get_title() == "1 of 4 points are not finite"


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((3, 2), np.nan), np.zeros((0, 2))])
def test_degenerate_points_are_drawn(points):
    viz.scatter(points).canvas.draw()


def test_points_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"scatter: points has shape \(3, 4\)"):
        viz.scatter(np.zeros((3, 4)))


def test_a_histogram_holds_all_points_unless_it_is_told_a_range():
    points = np.array([10.0, 12.0, 11.0, np.inf])
    for points_range, limits in (None, (9.9, 12.1)), ((0, 11), (0, 11)):
        (axes,) = histogram(points, points_range).axes
        assert axes.get_xlim() == pytest.approx(limits) and axes.get_title() == "1 of 4 points are not finite"
        assert sum(bar.get_height() for bar in axes.patches) == 3


@pytest.mark.parametrize(
    ("points", "held"),
    [([[1, 3], [2, 2]], (0.9, 3.1)), ([[5.0, 5.0]], (4, 6)), (np.zeros((0, 2)), (-1, 1))],
)
def test_the_range_of_points_holds_them_with_a_little_room(points, held):
    assert range_of(np.asarray(points)) == pytest.approx(held)


def test_the_range_of_a_run_lies_around_zero(backend):
    points = backend.asarray([[1.0, -4.0], [np.nan, 2.0], [np.inf, 0.0]])
    assert range_around_zero(points) == (-5, 5)
    assert range_around_zero(points[:0]) == range_around_zero(points[:1] * 0) == (-1, 1)
