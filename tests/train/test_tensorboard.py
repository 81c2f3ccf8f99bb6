"""What TensorBoard itself reads from a run."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import small

import tinygen as tg
from tinygen.checks import installed
from tinygen.cli import main
from tinygen.errors import ConfigError, PackageError
from tinygen.train import TensorBoard, fit

RING = tg.data.load("ring8")
EVERY = {"log_every": 2, "sample_every": 3, "checkpoint_every": 4}


def trained(steps, callback, **options):
    tg.seed(0)
    model = small("gan", data_shape=(2,))
    return model, fit(model, RING, steps, callbacks=[callback], progress=False, **EVERY, **options)


def read(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder), size_guidance={"images": 0, "histograms": 0, "scalars": 0})
    return events.Reload()


@pytest.mark.oracle
def test_scalars_pictures_and_histograms(tmp_path):
    pytest.importorskip("tensorboardX")
    model, history = trained(8, TensorBoard(), out=tmp_path)
    events = read(tmp_path / "tensorboard")
    for name in ("loss_D", "loss_G"):
        written = [(e.step, e.value) for e in events.Scalars(name)]
        kept = [(row["step"], row[name]) for row in history.rows]
        assert [step for step, _ in written] == [step for step, _ in kept]
        np.testing.assert_allclose([value for _, value in written], [value for _, value in kept], rtol=1e-6)
    assert [image.step for image in events.Images("samples")] == [0, 3, 6]
    names = {name for name, _ in model.named_parameters()}
    assert set(events.Tags()["histograms"]) == names
    last = events.Histograms("G.0.w")[-1]
    w = dict(model.named_parameters())["G.0.w"].numpy()
    assert last.step == 8 and last.histogram_value.num == w.size
    assert last.histogram_value.min == pytest.approx(w.min()) and last.histogram_value.max == pytest.approx(w.max())


@pytest.mark.oracle
def test_a_resumed_run_goes_on_and_nothing_is_there_twice(tmp_path):
    pytest.importorskip("tensorboardX")
    trained(4, TensorBoard(), out=tmp_path)
    trained(8, TensorBoard(), out=tmp_path, resume=True)
    events = read(tmp_path / "tensorboard")
    assert [e.step for e in events.Scalars("loss_D")] == [1, 2, 4, 6, 8]
    assert [e.step for e in events.Images("samples")] == [0, 3, 4, 6]


@pytest.mark.oracle
def test_scores_are_written_too_and_a_run_without_a_directory_has_no_pictures(tmp_path):
    pytest.importorskip("tensorboardX")

    class Score(tg.train.Callback):
        def on_step(self, step, metrics):
            return {"score": 2.0 * step} if step == 3 else None

    tg.seed(0)
    both = [Score(), TensorBoard(tmp_path / "here", histograms=False)]
    fit(small("gan", data_shape=(2,)), RING, 4, callbacks=both, progress=False, **EVERY)
    events = read(tmp_path / "here")
    assert [(e.step, e.value) for e in events.Scalars("score")] == [(3, 6.0)]
    assert not events.Tags()["images"] and not events.Tags()["histograms"]


@pytest.mark.oracle
def test_the_command_says_how_to_look_at_it(tmp_path, monkeypatch, capsys):
    pytest.importorskip("tensorboardX")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "gan", "--data", "ring8", "--steps", "2", "--tensorboard", "--record", "none"]) == 0
    assert "tensorboard --logdir runs/gan/tensorboard" in capsys.readouterr().out
    assert "loss_D" in read("runs/gan/tensorboard").Tags()["scalars"]


@pytest.mark.oracle
def test_a_place_is_needed():
    pytest.importorskip("tensorboardX")
    with pytest.raises(ConfigError, match=r"TensorBoard: fit has no out= to write to; give that, or TensorBoard\(out"):
        trained(2, TensorBoard())


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(tg.checks, "installed", lambda package: package != "tensorboardX" and installed(package))
    with pytest.raises(PackageError, match="TensorBoard needs tensorboardX: pip install tensorboardX"):
        TensorBoard()
