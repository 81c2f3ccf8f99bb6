"""Early stopping: when it comes, what is left then, and that it resumes; and callbacks that end a training."""

import contextlib

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen.errors import ConfigError
from tinygen.metrics.evaluate import ABOUT
from tinygen.train import Callback, EarlyStopping, RunDirectory, StopTraining, fit
from tinygen.train.stopping import more_is_better

EVERY = {"log_every": 1, "sample_every": 100, "checkpoint_every": 5}


class Told(Tiny):
    """A model with given losses, whose weight is the number of the step."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses

    def train_step(self, batch):
        super().train_step(batch)
        self.w[:] = self.count
        return {"loss": np.float32(self.losses[int(self.count) - 1]), "acc": -self.losses[int(self.count) - 1]}


LOSSES = [5.0, 4.0, 3.0, 3.5, 2.9, 2.95, 3.1, 2.85, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "last", "best"),
    [
        ({"patience": 2}, 7, 5),
        ({"patience": 3}, 11, 8),
        ({"patience": 4}, 14, 12),
        ({"patience": 3, "min_delta": 0.2}, 6, 3),
        ({"metric": "acc", "patience": 3}, 11, 8),
        ({"metric": "acc", "patience": 3, "mode": "min"}, 4, 1),
        ({"patience": 3, "mode": "max"}, 4, 1),
    ],
)
def test_when_it_comes(options, last, best):
    """By hand: rows without an improvement of more than min_delta since the best, as Keras counts them."""
    model, stopping = Told(LOSSES), EarlyStopping(**options)
    history = fit(model, Stream(), 14, callbacks=[stopping], log_every=1)
    assert (history.steps, model.count, stopping.best_step) == (last, last, best)
    assert (history.stopped is None) == (last == 14) and history.complete
    assert history["step"] == list(range(1, last + 1))


def test_nothing_that_is_nan_is_an_improvement():
    stopping = EarlyStopping("score.fid", 2)
    stopping.on_start(Tiny(), None, 0)
    for value in (np.nan, 1.0, np.nan):
        stopping.on_measured(1, {"score.fid": value})
    with pytest.raises(StopTraining, match=r"score.fid has not improved in 2 rows: the best was 1, at step 1"):
        stopping.on_measured(1, {"score.fid": np.nan})


@pytest.mark.parametrize("steps", [14, 9])
def test_the_best_state_comes_back_and_is_in_the_last_checkpoint(tmp_path, viz, steps):
    """Whether it stopped the training or not: 14 steps end after 11, 9 of them are made."""
    model, stopping = Told(LOSSES), EarlyStopping("loss", 3, restore_best=True)
    history = fit(model, Stream(), steps, out=tmp_path, callbacks=[stopping], **EVERY)
    newest = RunDirectory(tmp_path).newest()
    assert newest.step == history.steps == min(steps, 11)
    assert set(model.w) == set(newest.tensors["w"]) == {8.0}


def test_without_being_asked_nothing_is_put_back(tmp_path, viz):
    model = Told(LOSSES)
    fit(model, Stream(), 14, out=tmp_path, callbacks=[EarlyStopping("loss", 3)], **EVERY)
    assert set(model.w) == set(RunDirectory(tmp_path).newest().tensors["w"]) == {11.0}
    assert not any("best/" in name for name in RunDirectory(tmp_path).newest().tensors)


@pytest.mark.parametrize("restore_best", [True, False])
def test_it_resumes_where_it_was(tmp_path, viz, restore_best):
    def train(name, steps, resume=False):
        model = Told(LOSSES)
        stopping = EarlyStopping("loss", 3, restore_best=restore_best)

        def interrupted(step, metrics):
            if step == steps < 14:
                raise KeyboardInterrupt  # before the step is saved: the checkpoint is that of step 5

        watching = [stopping, interrupted]
        with contextlib.suppress(KeyboardInterrupt):
            fit(model, Stream(), 14, out=tmp_path / name, callbacks=watching, resume=resume, **EVERY)
        return model, stopping

    straight, whole = train("straight", 14)
    train("parts", 6)
    resumed, stopping = train("parts", 14, resume=True)
    assert resumed.count == straight.count and (stopping.best, stopping.best_step) == (whole.best, whole.best_step)
    np.testing.assert_array_equal(resumed.w, straight.w)


def test_a_metric_that_is_not_there_is_told_at_once():
    with pytest.warns(UserWarning, match=r"the first step has no 'los' \(did you mean 'loss'\?\), but loss, acc"):
        fit(Tiny(), Stream(), 3, callbacks=[EarlyStopping("los")])


def test_what_a_callback_measures_counts():
    class Measures(Callback):
        def on_step(self, step, metrics):
            return {"score.fid": np.float32(step)} if step % 2 == 0 else None

    with pytest.warns(UserWarning, match="no 'score.fid'"):
        history = fit(Tiny(), Stream(), 20, callbacks=[Measures(), EarlyStopping("score.fid", 2)])
    assert history.steps == 6 and history["score.fid"] == [2.0, 4.0, 6.0]


def test_the_better_end_of_each_score():
    higher = {name for name, text in ABOUT.items() if "higher is better" in text or "more is better" in text}
    lower = {name for name, text in ABOUT.items() if "lower is better" in text}
    assert {"precision", "modes", "elbo"} <= higher and {"fid", "mse"} <= lower
    assert all(more_is_better(f"score.{name}") for name in higher)
    assert not any(more_is_better(f"score.{name}") for name in (*lower, "own"))
    assert more_is_better("acc") and more_is_better("val_accuracy") and not more_is_better("loss")
    with pytest.raises(ConfigError, match=r"score.density has no better direction .*give mode='min' or mode='max'"):
        EarlyStopping("score.density")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"patience": 0}, "patience is 0"), ({"min_delta": -1}, "min_delta is -1"), ({"mode": "up"}, "mode is 'up'")],
)
def test_wrong_options(options, message):
    with pytest.raises(ConfigError, match=message):
        EarlyStopping("loss", **options)


@pytest.mark.parametrize("hook", ["on_step", "on_log", "on_measured"])
def test_any_callback_can_end_the_training(tmp_path, viz, hook, capsys):
    class Stops(Callback):
        def on_step(self, step, metrics):
            self.steps = step
            return {"measured": step}

    def stop(self, step, *_):
        self.steps = step
        if step == 3:
            raise StopTraining("it is enough")
        return {"measured": step}

    setattr(Stops, hook, stop)
    other = Stops()
    history = fit(Tiny(), Stream(), 10, out=tmp_path, callbacks=[other], **EVERY)
    assert (history.steps, history.stopped, other.steps) == (3, "it is enough", 3)
    assert list(RunDirectory(tmp_path).checkpoints()) == [0, 3]
    assert (tmp_path / "samples" / "step_000003.png").exists() and (tmp_path / "training.gif").exists()
    assert "stopped after step 3: it is enough" in capsys.readouterr().out


def test_a_run_that_was_ended_can_go_on(tmp_path, viz):
    def stop(step, metrics):
        raise StopTraining

    straight = Tiny()
    fit(straight, Stream(), 10)
    assert fit(Tiny(), Stream(), 10, out=tmp_path, callbacks=[stop]).steps == 1
    model = Tiny()
    assert fit(model, Stream(), 10, out=tmp_path, resume=True).steps == 10
    np.testing.assert_array_equal(model.w, straight.w)
