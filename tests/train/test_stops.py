"""`tinygen train`, killed or stopped at random moments: its exit code, no traceback, nothing half written, and the
weights of a training that nobody stopped. With --campaign as a process from its first import on, and many times."""

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

import tinygen
from tinygen.train import RunDirectory
from tinygen.train.checkpoint import load

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the commands are forked")

STEPS, EVERY = 6, 3  # of a training, and between its checkpoints; ten times as many in the long form
OPTIONS = "train gan --batch 4 --log-every 2 --record none --set g_hidden=8 d_hidden=8 latent_dim=4 --out"
CODES = {"KILL": -9, "INT": 130, "TERM": 143, "HUP": 129, "PIPE": 141}
PATH = os.pathsep.join(map(str, [Path(tinygen.__file__).parents[1], Path(__file__).parents[1]]))
ENVIRONMENT = {**os.environ, "PYTHONPATH": PATH, "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "80"}


class Forked:
    """Commands that share their imports."""

    times = 1

    def __init__(self):
        script = Path(__file__).with_name("warm.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._server = subprocess.Popen([sys.executable, str(script)], **pipes, env=ENVIRONMENT)

    def begin(self, line, out, err):
        self._send(json.dumps({"line": line, "out": str(out), "err": str(err)}))
        return int(self._server.stdout.readline())

    def end(self):
        self._send("")
        return int(self._server.stdout.readline())

    def close(self):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def _send(self, line):
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()


class Whole:
    """Commands from their first import on."""

    times = 10

    def begin(self, line, out, err):
        with open(out, "wb") as to, open(err, "ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tinygen", *line],
                stdout=to,
                stderr=errors,
                env=ENVIRONMENT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        return self._process.pid

    def end(self):
        return self._process.wait()

    def close(self):
        pass


@pytest.fixture(scope="module")
def commands(campaign):
    commands = Whole() if campaign else Forked()
    yield commands
    commands.close()


def train(commands, out, mode, stop=None, after=0.0):
    """Begin or resume a training, and stop it after some seconds; returns its exit code."""
    resume = ["--resume"] if Path(out, "config.json").exists() else ["--compile", mode]
    os.mkfifo(pipe := f"{out}.pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    steps, every = str(commands.times * STEPS), str(commands.times * EVERY)
    length = ["--steps", steps, "--sample-every", steps, "--checkpoint-every", every]
    process = commands.begin([*OPTIONS.split(), str(out), *length, *resume], pipe, f"{out}.err")
    if stop is not None:
        time.sleep(after)
        if stop == "PIPE":
            os.close(reader)
        else:
            os.kill(process, getattr(signal, f"SIG{stop}"))
    code = commands.end()
    if stop != "PIPE":
        os.close(reader)
    os.remove(pipe)
    return code


def assert_same(out, straight, step):
    """Nothing half written is there, and the weights are those of the straight run."""
    assert not [path.name for path in out.rglob(".*.part")]
    tensors, expected = (load(RunDirectory(path).checkpoint_file(step))[0] for path in (out, straight))
    assert_equal_arrays(tensors, expected)
    rows = [RunDirectory(path).metrics_file.read_text() for path in (out, straight)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("mode", ["off", pytest.param("on", marks=pytest.mark.more)])
def test_stops_at_random_moments(commands, tmp_path, campaign, mode):
    began = time.perf_counter()
    assert train(commands, tmp_path / "straight", mode) == 0, (tmp_path / "straight.err").read_text()
    takes, moment = time.perf_counter() - began, random.Random(0)
    few = ["KILL", "INT", "TERM"] if mode == "on" else ["KILL", "INT", "HUP", "PIPE"]
    stops = ["KILL"] * 60 + ["INT", "TERM", "HUP", "PIPE"] * 10 if campaign else few
    for i, stop in enumerate(stops):
        out = tmp_path / f"{i}-{stop}"
        code = train(commands, out, mode, stop, moment.uniform(0.05 * campaign, takes))
        errors = Path(f"{out}.err").read_text()
        assert code in (CODES[stop], 0), (stop, code, errors)
        assert "Traceback" not in errors and "ignored" not in errors
        if stop != "KILL":
            assert not [path.name for path in out.rglob(".*.part")]
        assert train(commands, out, mode) == 0, Path(f"{out}.err").read_text()
        assert_same(out, tmp_path / "straight", commands.times * STEPS)
