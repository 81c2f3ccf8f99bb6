"""Ctrl-C, SIGTERM, SIGHUP, a closed pipe: the step is finished and saved; a second one, at any time, does no harm."""

import io
import os
import signal
import sys
import threading

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen.signals import Interrupt
from tinygen.train import Callback, RunDirectory, fit

EVERY = {"log_every": 5, "sample_every": 10, "checkpoint_every": 10}


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


class PressAt(Callback):
    """Presses Ctrl-C (or sends another signal) in the middle of a step, and again where asked to."""

    def __init__(self, step, again=None, number=signal.SIGINT):
        self.step, self.again, self.number = step, again, number

    def on_start(self, model, run, step):
        original = model.train_step

        def train_step(batch):
            if model.count + 1 == self.step:
                os.kill(os.getpid(), self.number)
            metrics = original(batch)
            if model.count == self.step and self.again == "in the step":
                os.kill(os.getpid(), self.number)
            return metrics

        model.train_step = train_step

    def on_checkpoint(self, step, history):
        if step == self.step and self.again == "while saving":
            os.kill(os.getpid(), self.number)


def test_the_step_is_finished_and_saved(tmp_path, viz, capsys):
    with pytest.raises(KeyboardInterrupt):
        fit(Tiny(), Stream(), 40, out=tmp_path, callbacks=[PressAt(17)], **EVERY)
    assert list(RunDirectory(tmp_path).checkpoints()) == [0, 10, 17]
    assert f"stopped after step 17 of 40; resume from step 17 with --resume --out {tmp_path}" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("again", ["in the step", "while saving"])
def test_a_second_one_stops_at_once(tmp_path, viz, capsys, again):
    with pytest.raises(KeyboardInterrupt):
        fit(Tiny(), Stream(), 40, out=tmp_path, callbacks=[PressAt(17, again)], **EVERY)
    assert list(RunDirectory(tmp_path).checkpoints()) == [0, 10]
    assert "; resume from step 10 with --resume" in capsys.readouterr().out


@pytest.mark.parametrize("again", [None, "in the step", "while saving"])
def test_the_run_goes_on_as_if_nobody_had_pressed(tmp_path, viz, again):
    straight, stopped = Tiny(), Tiny()
    fit(straight, Stream(), 40, out=tmp_path / "straight", **EVERY)
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, Stream(), 40, out=tmp_path / "stopped", callbacks=[PressAt(17, again)], **EVERY)
    resumed = Tiny()
    fit(resumed, Stream(), 40, out=tmp_path / "stopped", resume=True, **EVERY)
    np.testing.assert_array_equal(resumed.w, straight.w)
    runs = [RunDirectory(tmp_path / name).metrics_file.read_text() for name in ("straight", "stopped")]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("again", [None, "in the step", "while saving"])
def test_other_signals_save_too_and_again_they_change_nothing(tmp_path, viz, capsys, number, again):
    """`timeout` sends SIGTERM twice, a shell that ends sends SIGHUP after the terminal did."""
    with pytest.raises(SystemExit) as ended:
        fit(Tiny(), Stream(), 40, out=tmp_path, callbacks=[PressAt(17, again, number)], **EVERY)
    assert ended.value.code == 128 + number
    assert list(RunDirectory(tmp_path).checkpoints()) == [0, 10, 17]
    assert f"stopped after step 17 of 40; resume from step 17 with --resume --out {tmp_path}" in capsys.readouterr().out
    assert signal.getsignal(number) is signal.SIG_DFL


def test_ctrl_c_while_the_last_step_is_saved_is_not_lost(tmp_path, viz):
    class Late(Callback):
        def on_checkpoint(self, step, history):
            if step == 4:
                ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        fit(Tiny(), Stream(), 4, out=tmp_path, callbacks=[Late()], **EVERY)
    assert list(RunDirectory(tmp_path).checkpoints()) == [0, 4]


@pytest.mark.parametrize("number", [32, 28])
def test_an_output_that_takes_no_more_saves_too(tmp_path, viz, monkeypatch, number):
    """A pipe that `head` closed, a disk that the log filled."""

    class UpToStep15(io.StringIO):
        def write(self, text):
            if text.split()[:1] == ["15"]:  # the row of step 15
                raise OSError(number, os.strerror(number))
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", UpToStep15())
    with pytest.raises(OSError, match=os.strerror(number)):
        fit(Tiny(), Stream(), 40, out=tmp_path, **EVERY)
    assert list(RunDirectory(tmp_path).checkpoints()) == [0, 10, 16]


def test_without_a_directory_it_just_stops(capsys):
    with pytest.raises(KeyboardInterrupt):
        fit(Tiny(), Stream(), 40, callbacks=[PressAt(17)], **EVERY)
    assert capsys.readouterr().out.endswith("\nstopped after step 17 of 40\n")


def test_another_thread_can_train():
    worker = threading.Thread(target=fit, args=(Tiny(), Stream(), 5))
    worker.start()
    worker.join()
    with Interrupt() as interrupt:
        ctrl_c()
        assert interrupt.asked


def test_where_ctrl_c_is_ignored_it_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            ctrl_c()
            assert not interrupt.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
