"""What a training prints: lines that one can search, or a bar on a terminal."""

import re
import sys

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen.data import Dataset
from tinygen.inside import Recorder
from tinygen.train import RunDirectory, StopTraining, fit
from tinygen.train.progress import Progress

WHY = "that pays from 1,000 steps on"


def test_a_line_for_each_logged_step(capsys):
    fit(Tiny(), Stream(), 100, log_every=40)
    compiled, *lines = capsys.readouterr().out.splitlines()
    assert compiled == f"step not compiled: {WHY}"
    pattern = r"step (\d+) +loss \d\.\d{3}  acc 50%   [\d.e+]+ steps/s"
    assert [int(re.fullmatch(pattern, line)[1]) for line in lines] == [1, 40, 80, 100]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.000"),
        (0.61, "0.610"),
        (-1.5, "-1.500"),
        (109.42, "109.4"),
        (2e-5, "2.0e-05"),
        (-4e30, "-4.0e+30"),
        (0.001, "0.001"),
    ],
)
def test_numbers_are_short(capsys, value, shown):
    Progress(0, 1, print).log(1, {"x": value})
    assert f"step 1  x {shown}   " in capsys.readouterr().out


def test_a_gan_reads_as_in_the_tutorials(capsys):
    values = {"loss_D": 0.61, "loss_G": 0.98, "acc": 0.634, "D(x)": 0.61, "D(G(z))": 0.39}
    Progress(0, 5000, print).log(200, values)
    line = "step 200   loss_D 0.610  loss_G 0.980  acc 63%  D(x) 0.610  D(G(z)) 0.390   "
    assert capsys.readouterr().out.startswith(line)


def test_the_rate_is_that_of_training_since_the_last_line(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    progress = Progress(100, 1000, print)
    for step, training, looking in [(150, 2.0, 30.0), (350, 4.0, 0.0), (351, 1000.0, 0.0)]:
        now += training
        progress.pause()
        now += looking / 2
        progress.log(step, {})
        now += looking / 2
        progress.advance()
    assert re.findall(r"(\S+) steps/s", capsys.readouterr().out) == ["25", "50", "0.001"]


def test_what_is_no_training_is_left_out_of_the_rate(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    progress = Progress(0, 100, print)
    now = 7.0
    progress.aside(5.0, "a line about it")
    progress.log(10, {})
    assert capsys.readouterr().out.splitlines() == ["a line about it", "step 10      5 steps/s"]


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fit(Tiny(), Stream(), 100, log_every=40)
    out, err = capsys.readouterr()
    assert out == f"step not compiled: {WHY}\n"
    assert "100/100" in err and "steps/s" in err and "loss 0." in err and "acc 50%" in err


@pytest.mark.parametrize("terminal", [False, True])
def test_a_quiet_fit_prints_nothing(tmp_path, viz, capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    data = Dataset("own", np.zeros((8, 4, 4, 1), np.uint8), np.zeros((2, 4, 4, 1), np.uint8))
    options = {"out": tmp_path, "progress": False, "log_every": 2, "checkpoint_every": 2}

    def stop(step, metrics):
        if step == 7:
            raise StopTraining("enough")

    def interrupt(step, metrics):
        if step == 5:
            raise KeyboardInterrupt

    class Sampling(Tiny):
        def sample(self, n, rng):
            return rng.uniform((n, 4, 4, 1))

    fit(Sampling(), data, 4, callbacks=[Recorder(data)], **options)
    RunDirectory(tmp_path).checkpoint_file(4).write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        fit(Sampling(), data, 9, callbacks=[Recorder(data), interrupt], resume=True, **options)
    fit(Sampling(), data, 9, callbacks=[Recorder(data), stop], resume=True, **options)
    assert capsys.readouterr() == ("", "")


def test_of_two_trainings_one_may_be_quiet(capsys):
    def inner(step, metrics):
        fit(Tiny(), Stream(), 2, progress=False)

    fit(Tiny(), Stream(), 2, callbacks=[inner])
    assert len(capsys.readouterr().out.splitlines()) == 3
