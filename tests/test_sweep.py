"""Trainings in processes: what is done stays done, one that fails stops no other, and all end when told to.

A script of a few lines stands for the command, so that a process takes moments; the real one runs in cli/test_sweep.py.
"""

import io
import json
import os
import signal
import threading
import time

import pytest

from tinygen import sweep
from tinygen.files import hold
from tinygen.signals import leave
from tinygen.sweep import Training, work
from tinygen.train import RunDirectory

COMMAND = """
import json, os, pathlib, signal, sys, time

command, *options = sys.argv[1:]
given = dict(option.lstrip("-").partition("=")[::2] for option in options)
print(command, *options, *(os.environ.get(name, "-") for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")), flush=True)
out = pathlib.Path(given["out"] if command == "train" else options[0])
if "fail" in given:
    sys.exit("tinygen: error: no luck")
if "die" in given:
    os.kill(os.getpid(), signal.SIGKILL)
if "last" in given:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("saved"))
    (out / "begun").touch()
    time.sleep(60)
if command == "train":
    (out / "config.json").touch()
    (out / "checkpoints").mkdir(exist_ok=True)
    (out / "checkpoints" / f"step_{int(given['steps']):06d}.safetensors").touch()
else:
    n = int(given["n"]) if "n" in given else None
    record = {"step": 3, "n": n, "seed": int(given.get("seed", 0))}
    (out / ("metrics.json" if command == "evaluate" else "report.html")).write_text(json.dumps(record))
"""


@pytest.fixture(autouse=True)
def a_short_command(tmp_path, monkeypatch):
    file = tmp_path / "command.py"
    file.write_text(COMMAND)
    monkeypatch.setattr(sweep, "MAIN", f"{{}}; import runpy; runpy.run_path({str(file)!r})")
    for name in sweep.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sweep, "cores", lambda: 8)


def done(trainings, jobs=1):
    """What each training came to, by the name of its folder."""
    outcomes = []
    work(trainings, jobs, outcomes.append)
    return {outcome.training.out.name: outcome for outcome in outcomes}


def log(training):
    """The commands that it ran, without the threads and the folder."""
    return [line.split()[:-2] for line in (training.out / sweep.LOG).read_text().splitlines()]


def test_what_is_done_is_not_done_again(tmp_path):
    one = Training(tmp_path / "a", ("gan", "--seed=1"), 3, {"n": 50, "seed": 1}, report=True)
    assert not one.is_finished and done([one])["a"].fault == "" and one.is_finished and one.made == 3
    commands = [
        ["train", "gan", "--seed=1", "--steps=3", f"--out={one.out}"],
        ["evaluate", str(one.out), "--seed=1", "-n=50"],
        ["report", str(one.out)],
    ]
    assert log(one) == commands
    done([one])
    assert log(one) == commands
    done([one._replace(evaluation={"n": None, "seed": 1})])
    assert log(one) == [*commands, ["evaluate", str(one.out), "--seed=1"]]


def test_a_run_that_was_begun_is_resumed_without_its_preset(tmp_path):
    one = Training(tmp_path / "a", ("gan", "--preset=keras"), 2)
    done([one])
    done([one._replace(steps=3)])
    place = f"--out={one.out}"
    assert log(one) == [
        ["train", "gan", "--preset=keras", "--steps=2", place],
        ["train", "gan", "--steps=3", place, "--resume"],
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_that_fails_or_is_killed_stops_no_other(tmp_path, jobs):
    options = {"a": (), "b": ("--fail",), "c": ("--die",), "d": ()}
    found = [Training(tmp_path / name, ("gan", *given), 3, {"n": None, "seed": 0}) for name, given in options.items()]
    outcomes = done(found, jobs)
    assert [one.is_finished for one in found] == [True, False, False, True]
    assert outcomes["b"].fault == "no luck" and outcomes["c"].fault.startswith("killed by SIGKILL")
    assert [command[0] for command in log(found[1])] == ["train", "tinygen:"], "what failed is not evaluated"
    assert outcomes["b"].log.read_text().endswith("no luck\n")


def test_several_at_a_time_share_the_cores_unless_the_user_says_how(tmp_path, monkeypatch):
    def threads(name, jobs):
        one = Training(tmp_path / name, ("gan",), 3)
        done([one], jobs)
        return (one.out / sweep.LOG).read_text().split()[-2:]

    assert threads("alone", 1) == ["-", "-"] and threads("pairs", 2) == ["4", "4"] and threads("many", 20) == ["1", "1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads("mine", 2) == ["3", "4"]


def test_as_many_run_at_a_time_as_are_asked_for(tmp_path, monkeypatch):
    running, most, lock = 0, [], threading.Lock()

    def run(self, command, log):
        nonlocal running
        with lock:
            running += 1
            most.append(running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return ""

    monkeypatch.setattr(sweep._Workers, "_run", run)
    done([Training(tmp_path / str(i), (), 1) for i in range(9)], 3)
    assert len(most) == 9 and max(most) == 3


def test_what_another_process_works_on_is_left_to_it(tmp_path):
    one = Training(tmp_path / "a", ("gan",), 3)
    one.out.mkdir()
    with (one.out / sweep.LOCK).open("ab") as lock:
        assert hold(lock)
        assert done([one])["a"].busy and not one.is_finished
    with RunDirectory(one.out).locked(resume=False):
        assert done([one])["a"].busy, "a training that another program began"
    assert not done([one])["a"].busy and one.is_finished


@pytest.mark.parametrize(
    ("said", "why"),
    [("what is wrong", "what is wrong"), ("NaN, made at\n  line 3", "NaN, made at ..."), (None, "ended with code 1")],
)
def test_why_a_run_failed_is_what_it_said_last(tmp_path, said, why):
    log = io.BytesIO(b"tinygen: error: of a call before\n")
    start = log.seek(0, os.SEEK_END)
    log.write(b"step 1\n" if said is None else f"tinygen: error: {said}\n".encode())
    assert sweep._why(1, log, start) == why


def test_a_folder_that_can_not_be_made_is_a_fault_of_its_run(tmp_path):
    (tmp_path / "file").touch()
    outcomes = done([Training(tmp_path / "file" / "a", ("gan",), 3), Training(tmp_path / "b", ("gan",), 3)])
    assert "file is in the way" in outcomes["a"].fault and not outcomes["b"].fault


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_those_that_run_save_and_begins_no_more(tmp_path, number):
    found = [Training(tmp_path / name, ("gan", *given), 3) for name, given in {"a": ("--last",), "b": ()}.items()]
    before = [signal.signal(signal.SIGINT, leave), signal.signal(signal.SIGTERM, leave)]  # as in the command

    def send():
        while not (tmp_path / "a" / "begun").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    try:
        threading.Thread(target=send).start()
        with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
            done(found)
        assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == [leave, leave]
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert (found[0].out / sweep.LOG).read_text().endswith("saved\n")
    assert not found[1].out.exists()


def test_a_damaged_record_of_scores_is_made_again(tmp_path):
    one = Training(tmp_path / "a", ("gan",), 3, {"n": None, "seed": 0})
    done([one])
    for text in ("{", "[]", json.dumps({"step": 2, "n": None, "seed": 0})):
        (one.out / "metrics.json").write_text(text)
        assert not one.is_finished
    done([one])
    assert one.is_finished
