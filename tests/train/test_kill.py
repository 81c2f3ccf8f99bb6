"""A run that is killed, anywhere and again and again, ends with the bits of one that never was."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from equal import assert_equal_arrays

from tinygen.train import RunDirectory
from tinygen.train.checkpoint import load

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the nursery forks")


class Nursery:
    def __init__(self):
        tests = Path(__file__).parent.parent
        path = os.pathsep.join([str(tests.parent), str(tests), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, str(tests / "train" / "nursery.py")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def _send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def begin(self, out, **job):
        """The process id of a training that has begun."""
        self._send(json.dumps({"out": str(out), **job}))
        return int(self.process.stdout.readline())

    def end(self):
        """How the training ended: 0, or minus the number of the signal that killed it."""
        self._send("")
        return int(self.process.stdout.readline())

    def train(self, out, **job):
        self.begin(out, **job)
        return self.end()

    def train_until_done(self, out, **job):
        assert self.train(out, **job) == 0, Path(f"{out}.log").read_text()


@pytest.fixture(scope="module")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.process.stdin.close()
    nursery.process.wait()
    nursery.process.stdout.close()


@pytest.fixture(scope="module")
def straight(nursery, tmp_path_factory):
    out = tmp_path_factory.mktemp("straight") / "run"
    nursery.train_until_done(out)
    return contents(out)


def contents(out):
    """All that a run left, but for the checkpoints before the last."""
    assert [path.name for path in out.rglob(".*.part")] == []
    run = RunDirectory(out)
    steps = list(run.checkpoints())
    tensors, facts = load(run.checkpoint_file(steps[-1]))
    pictures = {path.name: path.read_bytes() for path in [*run.samples().values(), run.curves_file, run.film_file]}
    return steps, tensors, facts, run.metrics_file.read_text(), pictures


def assert_same(found, expected):
    steps, tensors, facts, metrics, pictures = found
    assert (steps, facts, metrics, pictures) == (expected[0], *expected[2:])
    assert_equal_arrays(tensors, expected[1])


def test_the_straight_run_is_one(straight):
    steps, tensors, facts, metrics, pictures = straight
    assert steps == [16, 20, 24]
    assert facts["callbacks"] == {"Average": {"count": 24}}
    assert tensors.keys() == {"w", "m", "count", "callbacks/Average/mean"} and tensors["count"] == 24
    assert [json.loads(line)["step"] for line in metrics.splitlines()] == [1, 3, 6, 9, 12, 15, 18, 21, 24]
    assert [f"step_{step:06d}.png" in pictures for step in (0, 6, 12, 18, 24)] == [True] * 5


def test_a_run_in_two_parts_equals_a_straight_one(nursery, straight, tmp_path):
    for steps in (10, 24):
        nursery.train_until_done(tmp_path / "run", steps=steps)
    (tmp_path / "run" / "samples" / "step_000010.png").unlink()  # the last picture of the first part
    nursery.train_until_done(tmp_path / "run")  # nothing to train: the film is drawn again, without it
    assert_same(contents(tmp_path / "run"), straight)


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_random_moments(nursery, straight, tmp_path, campaign, seed):
    moment, kills, runs = random.Random(seed), 0, 0
    while kills < (10 if campaign else 4):
        runs += 1
        out, status, patience = tmp_path / f"run{runs}", None, 0.0
        while status != 0:
            training = nursery.begin(out)
            patience += 0.02  # seconds: however slow the machine is, at last the run lives long enough to end
            time.sleep(moment.uniform(0, patience))
            os.kill(training, signal.SIGKILL)
            status = nursery.end()
            assert status in (0, -signal.SIGKILL), Path(f"{out}.log").read_text()
            kills += status != 0
        assert_same(contents(out), straight)


@pytest.mark.parametrize(("how", "at_least"), [("file", 35), ("torn file", 8), ("torn line", 3)])
def test_a_kill_at_each_file_operation(nursery, tmp_path, campaign, how, at_least):
    """Before each file is opened, renamed, removed; and with each file, and each line of metrics, half written. Without
    --campaign at every third of them."""
    nursery.train_until_done(tmp_path / "straight", steps=6)
    straight = contents(tmp_path / "straight")
    for nth in range(1, 1000, 1 if campaign else 3):
        out = tmp_path / f"run{nth}"
        if nursery.train(out, steps=6, die=[how, nth]) == 0:
            break
        nursery.train_until_done(out, steps=6)
        assert_same(contents(out), straight)
    assert nth > at_least


@pytest.mark.parametrize("nth", [1, 3, 13])
def test_a_kill_while_resuming_after_a_kill(nursery, straight, tmp_path, nth):
    out = tmp_path / "run"
    assert nursery.train(out, die=["file", 70]) == -signal.SIGKILL
    for _ in range(3):
        assert nursery.train(out, die=["file", nth]) == -signal.SIGKILL
    nursery.train_until_done(out)
    assert_same(contents(out), straight)
