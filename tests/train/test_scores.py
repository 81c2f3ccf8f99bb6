"""Scores while a model trains: when, where they go, and that they change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from models.small import small

import tinygen as tg
from tinygen.errors import ConfigError
from tinygen.metrics import evaluate
from tinygen.train import Evaluate, RunDirectory, fit

RING = tg.data.load("ring8")
NAMES = ["score.modes", "score.high_quality", "score.reverse_kl"]


def trained(steps, **options):
    tg.seed(0)
    model = small("gan", data_shape=(2,))
    return model, fit(model, RING, steps, log_every=3, checkpoint_every=4, **options)


def test_the_rows_of_the_history():
    model, history = trained(10, callbacks=[Evaluate(5, RING, 200)])
    rows = [row for row in history.rows if "score.modes" in row]
    assert [row["step"] for row in rows] == [1, 5, 10] and list(rows[0]) == ["step", *NAMES]
    assert [row["step"] for row in history.rows if "loss_D" in row] == [1, 3, 6, 9, 10]
    scores = evaluate(model, RING, 200, parts=["modes"])
    assert {f"score.{name}": score.value for name, score in scores.items()} == {n: rows[-1][n] for n in NAMES}


@pytest.mark.parametrize(
    ("name", "score"), [("inpaint", "psnr"), ("srgan", "psnr"), ("cyclegan", "round_trip_ab"), ("ae", "mse")]
)
def test_models_of_every_kind_are_scored(name, score):
    model = small(name)
    x = np.random.default_rng(0).integers(0, 256, (200, *model.config.data_shape), np.uint8)
    dataset = tg.data.Dataset("noise", x[:100], x[100:])
    if model.takes_domains:
        dataset = replace(dataset, other=dataset)
    history = fit(model, dataset, 1, callbacks=[Evaluate(1, dataset, 10)])
    assert np.isfinite(history.rows[0][f"score.{score}"])


def test_it_never_changes_the_run():
    (blind, _), (watched, _) = trained(6), trained(6, callbacks=[Evaluate(1, RING, 50)])
    for (name, a), b in zip(blind.state_dict().items(), watched.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_it_is_in_the_run_directory_and_resumes(tmp_path, viz, capsys):
    _, whole = trained(9, callbacks=[Evaluate(2, RING, 50)], out=tmp_path / "a")
    trained(6, callbacks=[Evaluate(2, RING, 50)], out=tmp_path / "b")
    _, resumed = trained(9, callbacks=[Evaluate(2, RING, 50)], out=tmp_path / "b", resume=True)
    assert whole.rows == resumed.rows == RunDirectory(tmp_path / "a").read_metrics()
    curves = [drawn for drawn in viz.drawn if drawn[0] == "curves.png"][-1]
    assert list(whole.rows) == list(curves[1])
    assert any(line.startswith("step 2  score.modes") for line in capsys.readouterr().out.splitlines())


def test_what_it_refuses():
    with pytest.raises(ConfigError, match="Evaluate: every is 0"):
        Evaluate(0, RING)
    with pytest.raises(ConfigError, match="evaluate: nothing suits gan on ring8"):
        trained(5, callbacks=[Evaluate(1000, RING, parts=["reconstruction"])])


def test_what_can_not_be_measured_is_said_before_the_first_step_and_blocks_nothing(tmp_path, viz):
    for _ in range(2):
        with pytest.raises(ConfigError, match="nothing suits"):
            trained(5, callbacks=[Evaluate(1000, RING, parts=["reconstruction"])], out=tmp_path)
        assert not RunDirectory(tmp_path).config_file.exists()
    trained(5, callbacks=[Evaluate(1000, RING, 50)], out=tmp_path)
