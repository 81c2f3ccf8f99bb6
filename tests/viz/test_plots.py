"""Curves: what is drawn is what was measured."""

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from tinygen import viz
from tinygen.rows import Rows
from tinygen.viz import plots
from tinygen.viz.panels import panels


def labels(axes):
    return [line.get_label() for line in axes.get_lines() if not line.get_label().startswith("_")]


def run(n):
    rng = np.random.default_rng(0)
    return [
        {"step": 50 * (i + 1), "loss_D": 1 + 0.1 * rng.normal(), "loss_G": 2 + 0.1 * rng.normal(), "acc_D": 0.5}
        | {"D(x)": 0.6, "D(G(z))": 0.4, "seconds": 1.0 * i, "note": "text"}
        for i in range(n)
    ]


def test_losses_and_shares_have_panels_of_their_own():
    fig = viz.curves(run(5))
    losses, shares = fig.axes
    assert labels(losses) == ["loss_D", "loss_G"]
    assert labels(shares) == ["acc_D", "D(x)", "D(G(z))"]
    assert shares.get_ylim() == (-0.02, 1.02)
    assert shares.get_xlabel() == "step"


def test_each_score_has_a_low_panel_of_its_own():
    rows = [*run(5), *({"step": step, "score.fid": 90.0 / step, "score.recall": 0.5} for step in (1, 100, 200))]
    losses, shares, fid, recall = viz.curves(rows).axes
    assert (labels(fid), labels(recall)) == (["score.fid"], ["score.recall"])
    np.testing.assert_array_equal(fid.get_lines()[0].get_ydata(), [90.0, 0.9, 0.45])
    assert labels(losses) == ["loss_D", "loss_G"] and shares.get_ylim() == (-0.02, 1.02)
    assert fid.get_position().height < 0.6 * losses.get_position().height


def test_a_short_run_is_drawn_as_it_is():
    rows = run(20)
    line = viz.curves(rows).axes[0].get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), [row["step"] for row in rows])
    np.testing.assert_array_equal(line.get_ydata(), [row["loss_D"] for row in rows])


def test_a_long_run_is_smoothed_with_the_raw_values_behind():
    rows = run(400)
    raw, smooth = viz.curves(rows).axes[0].get_lines()[:2]
    values = np.array([row["loss_D"] for row in rows])
    np.testing.assert_array_equal(raw.get_ydata(), values)
    assert raw.get_alpha() < 0.5 and smooth.get_label() == "loss_D"
    assert np.std(smooth.get_ydata()) < 0.5 * np.std(values)
    np.testing.assert_allclose(np.mean(smooth.get_ydata()), np.mean(values), rtol=0.02)


def test_smoothing_keeps_a_straight_line_straight():
    rows = [{"step": i, "loss": 3.0 * i} for i in range(600)]
    smooth = viz.curves(rows).axes[0].get_lines()[1].get_ydata()
    np.testing.assert_allclose(smooth, 3.0 * np.arange(600), atol=1e-9)  # to its very ends


def test_smoothing_keeps_the_start_and_the_end():
    values = np.concatenate([[1.32], np.linspace(0.5, 0.4, 300)])
    rows = [{"step": i, "loss": value} for i, value in enumerate(values)]
    smooth = viz.curves(rows).axes[0].get_lines()[1].get_ydata()
    np.testing.assert_allclose(smooth[[0, -1]], values[[0, -1]])


def test_a_spike_neither_bends_the_curve_nor_squeezes_the_panel():
    rows = run(400)
    rows[200]["loss_G"] = 1e6
    axes = viz.curves(rows).axes[0]
    assert axes.get_ylim()[1] < 5
    assert np.max(axes.get_lines()[3].get_ydata()) < 2.5


def test_a_very_long_run_is_drawn_by_its_extremes_in_bounded_memory():
    n = 60_000
    wave = np.sin(np.arange(n) / 5000)
    rows = Rows({"step": i + 1, "loss_D": x, "loss_G": 2.0} for i, x in enumerate(wave.tolist()))
    rows.append({"step": n + 1, "loss_D": 9.0, "loss_G": 2.0})
    tracemalloc.start()
    raw, smooth = viz.curves(rows).axes[0].get_lines()[:2]
    assert tracemalloc.get_traced_memory()[1] < 60e6  # a window of n / 30 of each row would take a gigabyte
    tracemalloc.stop()
    step, value = raw.get_data()
    assert len(step) <= plots.MOST_POINTS and (step[0], step[-1], value[-1]) == (1, n + 1, 9.0)
    assert (value[:-1].min(), value[:-1].max()) == (wave.min(), wave.max())
    step, value = (x[50:-50] for x in smooth.get_data())  # at its ends a running mean is flat
    np.testing.assert_allclose(value, np.sin(step / 5000), atol=0.01)


def test_a_spike_in_each_stretch_of_a_very_long_run_stays_outside_of_the_panel():
    loss = np.random.default_rng(0).normal(1, 0.1, 30_000)
    loss[::500] = 1e6
    axes = viz.curves([{"step": i, "loss": x} for i, x in enumerate(loss.tolist())]).axes[0]
    raw, smooth = axes.get_lines()
    assert axes.get_ylim()[1] < 3 and smooth.get_ydata().max() < 1.2 and raw.get_ydata().max() == 1e6


def test_names_without_end_make_a_picture_that_can_be_drawn():
    fig = viz.curves([{"step": 1} | {f"score.{i}": 1.0 for i in range(700)}])
    assert len(fig.axes) == plots.MOST_PANELS and fig.get_size_inches()[1] * fig.dpi < 2**15


@pytest.mark.parametrize("n", [7, 300])
def test_what_is_not_finite_is_a_gap(n):
    rows = run(n)
    rows[3]["loss_D"], rows[4]["loss_D"] = float("nan"), float("inf")
    fig = viz.curves(rows)
    for line in fig.axes[0].get_lines()[: 1 if n == 7 else 2]:
        assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == [3, 4]
    fig.canvas.draw()


def test_a_name_may_be_absent_from_some_rows():
    rows = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 2.0, "fid": 30.0}, {"step": 3, "loss": None}]
    lines = viz.curves(rows).axes[0].get_lines()
    assert [line.get_xdata().tolist() for line in lines] == [[1, 2], [2]]


def test_the_score_of_a_critic_is_no_probability():
    rows = [
        {"step": 1, "loss_D": 1.0, "D(x)": 0.5, "D(G(z))": 0.2},
        {"step": 2, "D(x)": -7.5, "D(G(z))": 0.1, "gap": -7.6},
    ]
    losses, scores = viz.curves(rows).axes
    assert [labels(losses), labels(scores)] == [["loss_D"], ["D(x)", "D(G(z))", "gap"]]
    assert panels(rows, probability=True) == {"losses": ["loss_D"], "shares": ["D(x)", "D(G(z))"], "scores": ["gap"]}


def test_shares_alone_make_one_panel():
    (axes,) = viz.curves([{"step": 1, "acc": 0.5}, {"step": 2, "acc": 0.6}]).axes
    assert axes.get_ylim() == (-0.02, 1.02)


def test_more_curves_than_colours_are_all_drawn():
    (axes,) = viz.curves([{"step": 1} | {f"loss_{i}": float(i) for i in range(20)}]).axes
    assert len(labels(axes)) == 20


def test_rows_read_back_from_json_lines_are_drawn(tmp_path):
    rows = [json.loads(json.dumps(row)) for row in [*run(3), {"step": 999, "loss_D": float("nan")}]]
    viz.save_curves(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_without_rows_says_so():
    (axes,) = viz.curves([]).axes
    assert axes.get_title() == "nothing measured yet"


def test_a_notebook_shows_a_figure_without_pyplot():
    assert viz.curves([])._repr_png_().startswith(b"\x89PNG")


def test_a_backend_that_is_not_installed_is_no_matter_and_stays_chosen():
    code = "from tinygen import viz; viz.curves([]); import os, matplotlib; print(matplotlib.get_backend(), os.environ)"
    environment = os.environ | {"MPLBACKEND": "module://not_installed", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0 and done.stdout.startswith("module://not_installed "), done.stderr
    assert "'MPLBACKEND': 'module://not_installed'" in done.stdout
