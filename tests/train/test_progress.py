"""What a training prints: a table, how long it will take, and a bar on a terminal."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen import terminal as terminal_lines
from tinygen.data import Dataset
from tinygen.inside import Recorder
from tinygen.train import RunDirectory, StopTraining, fit
from tinygen.train.progress import Progress

WHY = "that pays from 1,000 steps on"


@pytest.fixture
def clock(monkeypatch):
    """What time.perf_counter gives: clock.now, which a test moves on."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


def terminal(monkeypatch, columns, *names):
    """Make standard streams, by name, a terminal of so many columns."""
    for name in names:
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")


def test_a_row_for_each_logged_step(capsys):
    fit(Tiny(), Stream(), 100, log_every=40)
    compiled, head, *rows = [line for line in capsys.readouterr().out.splitlines() if "left" not in line]
    assert compiled == f"step not compiled: {WHY}"
    assert head == "step  steps/s     loss      acc"
    assert [int(re.fullmatch(r" *(\d+) +[\d.e+]+ +\d\.\d{3} +50%", row)[1]) for row in rows] == [1, 40, 80, 100]
    assert {len(line) for line in (head, *rows)} == {len(head)}


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
def test_numbers_fit_their_column(capsys, value, shown):
    Progress(0, 1, print).log(1, {"x": value})
    assert capsys.readouterr().out.splitlines()[1].endswith(f" {shown:>8}")


GAME = {"loss_D": 0.61, "loss_G": 0.98, "acc": 0.634, "D(x)": 0.61, "D(G(z))": 0.39}


def test_a_gan_s_table_fits_80_columns(capsys, clock):
    progress = Progress(0, 11_000, print)
    clock.now = 4.0
    progress.log(200, GAME)
    assert capsys.readouterr().out.splitlines() == [
        " step  steps/s   loss_D   loss_G      acc     D(x)  D(G(z))",
        "  200       50    0.610    0.980      63%    0.610    0.390",
    ]


def test_the_head_comes_again_before_it_scrolls_away_and_for_other_metrics(capsys):
    progress = Progress(0, 1000, print)
    for step in range(1, 42):
        progress.log(step, {"loss": 1.0})
    progress.log(42, {"other": 1.0})
    heads = [i for i, line in enumerate(capsys.readouterr().out.splitlines()) if line.startswith("step")]
    assert heads == [0, 21, 42, 44]


def test_a_narrow_terminal_shows_the_columns_that_fit(capsys, monkeypatch):
    terminal(monkeypatch, 40, "stdout")
    Progress(0, 1000, print).log(200, GAME)
    head, row = capsys.readouterr().out.splitlines()
    assert head == "step  steps/s   loss_D   loss_G      acc" and len(row) == len(head)


def test_scores_are_broken_between_them_to_fit_a_terminal(capsys, monkeypatch):
    terminal(monkeypatch, 40, "stdout")
    Progress(0, 1000, print).measured(200, {f"score.{name}": 1.0 for name in ("fid", "precision", "recall")}, 0.0)
    assert capsys.readouterr().out.splitlines() == [
        "step 200  score.fid 1.000",
        "  score.precision 1.000",
        "  score.recall 1.000",
    ]


def test_the_rate_is_that_of_training_since_the_last_line(capsys, clock):
    progress = Progress(100, 1000, print)
    for step, training, looking in [(150, 2.0, 30.0), (350, 4.0, 0.0), (351, 1000.0, 0.0)]:
        clock.now += training
        progress.pause()
        clock.now += looking / 2
        progress.log(step, {})
        clock.now += looking / 2
        progress.advance()
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[1] for row in rows if row.split()[0].isdigit()] == ["25", "50", "0.001"]


def test_what_is_no_training_is_left_out_of_the_rate(capsys, clock):
    progress = Progress(0, 100, print)
    clock.now = 7.0
    progress.aside(5.0, "a line about it")
    progress.log(10, {})
    assert capsys.readouterr().out.splitlines() == ["a line about it", "step  steps/s", "  10        5"]


@pytest.mark.parametrize(
    ("a_step", "steps", "said"),
    [
        (0.1, 1000, "about 2 minutes left"),
        (0.01, 200, "about 5 seconds left"),
        (0.1, 3001, "about 5 minutes left"),
        (2.0, 5000, "about 2.8 hours left"),
    ],
)
def test_how_long_it_will_take_is_told_once_after_a_second_of_steps(capsys, clock, a_step, steps, said):
    """The first step is left out, as it may prepare what the others use."""
    progress = Progress(0, steps, print)
    clock.now = 60.0
    for _ in range(150):
        progress.advance()
        clock.now += a_step
    assert capsys.readouterr().out.splitlines() == [said]


def test_a_step_that_compiles_the_others_does_not_count(capsys, clock):
    progress = Progress(0, 1000, print)
    for a_step in (0.1, 9.0, *[0.1] * 20):
        progress.advance()
        clock.now += a_step
    assert capsys.readouterr().out.splitlines() == ["about 2 minutes left"]


def test_a_bar_on_a_terminal_keeps_to_a_line_of_its_own(capsys, monkeypatch):
    terminal(monkeypatch, 80, "stderr")

    def warn(step, metrics):
        if step == 50:
            terminal_lines.write_line("tinygen: warning: a line", sys.stderr)

    fit(Tiny(), Stream(), 100, log_every=40, callbacks=[warn])
    out, err = capsys.readouterr()
    assert f"step not compiled: {WHY}\nstep  steps/s" in out and "\r" not in out
    assert "/100" in err and err.endswith(" \r")  # wiped in the end
    assert re.search(r" \rtinygen: warning: a line\n\r +\d+%", err)


@pytest.mark.parametrize("streams", [(), ("stdout", "stderr")])
def test_a_quiet_fit_prints_nothing(tmp_path, viz, capsys, monkeypatch, streams):
    terminal(monkeypatch, 80, *streams)
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
    assert len(capsys.readouterr().out.splitlines()) == 4
