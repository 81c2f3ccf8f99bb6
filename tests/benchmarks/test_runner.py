"""The runner: its workers answer, fail, hang and end; missing peers are listed; bad arguments are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import standin

import tinygen
from benchmarks import machine, micro, runner
from benchmarks.__main__ import main
from benchmarks.kernels import KERNELS, call
from benchmarks.peers import PEERS, Peer, requirements
from benchmarks.process import Failed, Worker
from benchmarks.workloads import WORKLOADS

FAKE = [sys.executable, str(Path(__file__).with_name("fake_worker.py"))]


def fake(tmp_path: Path, patience: float = 30.0) -> Worker:
    env = machine.environment(1, PYTHONPATH=str(runner.ROOT))
    return Worker(FAKE, env, tmp_path / "fake.log", patience)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_answers_and_what_it_prints_goes_to_its_log(tmp_path: Path) -> None:
    with fake(tmp_path) as worker:
        assert worker.ask("build")["parameters"] == {"G": 3}
        assert worker.ask("run", 4) == {"seconds": 0.004, "losses": {"loss": 0.25}, "peak_mb": 2.0, "now_mb": 1.0}
    assert not alive(worker.process.pid)
    assert "greets the world" in (tmp_path / "fake.log").read_text()


def test_a_worker_that_fails_says_why_in_a_line_and_goes_on(tmp_path: Path) -> None:
    with fake(tmp_path) as worker:
        with pytest.raises(Failed, match=r"^ValueError: 13 is too many$"):
            worker.ask("run", 13)
        assert worker.ask("run", 1)["seconds"] == 0.001
        with pytest.raises(Failed, match=r"exit code 1: gone for good"):
            worker.ask("run", 14)
    assert "Traceback" in (tmp_path / "fake.log").read_text()


def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    with fake(tmp_path) as worker:
        worker.ask("build")
        worker.patience = 0.2
        with pytest.raises(Failed, match="no answer to run in 0 s"):
            worker.ask("run", 15)
    assert not alive(worker.process.pid)


@pytest.fixture
def contest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runner.Contest:
    """Three peers that are fakes, of a workload with as many parameters as they have."""
    w = WORKLOADS["mlp_gan_32"]
    monkeypatch.setattr(type(w), "parameters", {"G": 3})
    monkeypatch.setattr(runner.Contest, "command", lambda self, name, data: fake(tmp_path))
    options = Namespace(rounds=3, seconds=0.001)
    return runner.Contest(w, ["torch", "jax", "dezero"], options, tmp_path, quiet=True)


def test_peers_take_turns_and_the_order_rotates(contest: runner.Contest, monkeypatch: pytest.MonkeyPatch) -> None:
    order, take_turn = [], contest.take_turn

    def note(name: str) -> None:
        order.append(name)
        take_turn(name)

    monkeypatch.setattr(contest, "take_turn", note)
    contest.run()
    assert order == ["torch", "jax", "dezero", "jax", "dezero", "torch", "dezero", "torch", "jax"]
    assert all(result["ms"] == [1.0, 1.0, 1.0] for result in contest.results.values())
    assert not any(alive(worker.process.pid) for worker in contest.workers.values())


def test_a_peer_with_another_network_drops_out(
    contest: runner.Contest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(contest.w), "parameters", {"G": 4})
    contest.run()
    assert "expected {'G': 4}" in contest.results["jax"]["failed"]
    assert capsys.readouterr().out.count("wrong networks") == 3


def test_ctrl_c_ends_all_workers(contest: runner.Contest, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(contest, "take_turn", stop)
    with pytest.raises(KeyboardInterrupt):
        contest.run()
    assert len(contest.workers) == 3
    assert not any(alive(worker.process.pid) for worker in contest.workers.values())


def test_a_worker_ends_with_its_runner() -> None:
    process = subprocess.Popen(
        FAKE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=machine.environment(1, PYTHONPATH=str(runner.ROOT))
    )
    process.communicate(timeout=20)  # the end of its stdin
    assert process.returncode == 0


def test_missing_peers_are_listed_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "installed", lambda python: {"numpy"})
    options = Namespace(device="cpu", peers_venv=None)
    here, absent = runner.line_up(WORKLOADS["mlp_gan_32"], ["tinygen", "tf-xla", "torch-channels-last"], options)
    assert here == ["tinygen"]
    assert absent["tf-xla"] == f"not installed: {sys.executable} -m pip install tensorflow keras"
    assert absent["torch-channels-last"] == "not offered: of use for convolutions only"
    here, absent = runner.line_up(WORKLOADS["dcgan28_256"], ["mygrad"], options)
    assert absent["mygrad"].startswith("not offered: the library lacks")
    here, absent = runner.line_up(WORKLOADS["wgangp_64"], ["mygrad"], options)
    assert absent["mygrad"].startswith("not offered: the library can't differentiate a gradient")


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "installed", lambda python: {"tinygrad"})
    monkeypatch.setattr(runner.shutil, "which", lambda program: None)
    options = Namespace(device="cpu", peers_venv=None)
    here, absent = runner.line_up(WORKLOADS["mlp_gan_32"], ["tinygrad"], options)
    assert not here
    assert absent["tinygrad"] == "not installed: the program clang; apt-get install clang"


def test_what_is_installed_is_found_without_importing_it() -> None:
    assert "numpy" in runner.installed(sys.executable)


def test_a_venv_that_is_there_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyvenv.cfg").touch()
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("built again"))
    runner.build_venv(tmp_path, "cpu")
    assert runner.interpreters(tmp_path)[False].startswith(str(tmp_path))
    assert runner.interpreters(tmp_path)[True] == sys.executable


def test_the_environment_of_a_peer_is_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    env = machine.environment(2, TINYGEN_NUMBA="0")
    assert "OPENBLAS_CORETYPE" not in env
    assert (env["OMP_NUM_THREADS"], env["OPENBLAS_NUM_THREADS"], env["TINYGEN_NUMBA"]) == ("2", "2", "0")
    assert machine.describe()["removed_from_environment"] == ["OPENBLAS_CORETYPE"]


@pytest.mark.parametrize("allowed", [False, True])
def test_the_peak_rate_is_of_the_precision_that_the_peers_use(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []

    def start(command: list[str], env: dict[str, str], **_: Any) -> SimpleNamespace:
        started.append(env)
        return SimpleNamespace(stdout="{}")

    monkeypatch.setenv("CUPY_TF32", "1")
    monkeypatch.setattr(runner.subprocess, "run", start)
    monkeypatch.setattr(runner, "Worker", lambda command, env, log: started.append(env))
    options = Namespace(threads=1, device="cuda", tf32=allowed, clock="wall", peers_venv=None)
    runner.rates(1, "cuda", "wall", allowed)
    runner.Contest(WORKLOADS["vae_128"], ["tinygen"], options, Path()).command("tinygen", Path())
    assert [env["CUPY_TF32"] for env in started] == [str(int(allowed))] * 2


@pytest.mark.parametrize(("variable", "told"), [("1", "TF32 allowed"), ("0", "TF32 off")])
def test_the_rates_of_a_gpu_say_their_precision(variable: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"__version__": "14.2", "ones": lambda shape, dtype: standin.ones(4, dtype)}  # not 8192 by 8192
    few = SimpleNamespace(
        **names, matmul=standin.multiply, **{n: getattr(standin, n) for n in ("copyto", "cuda", "float32")}
    )
    monkeypatch.setattr(machine.importlib, "import_module", lambda name: {"cupy": few}[name])
    monkeypatch.setenv("CUPY_TF32", variable)
    rates = machine.rates("cuda", seconds=0.001)
    assert rates["blas"] == [f"cuBLAS, called by CuPy 14.2, {told}"]
    assert rates["sgemm"] > 0 and rates["copy"] > 0


@pytest.mark.parametrize("name", ["vae_128", "dcgan64_128"])
def test_the_data_lie_in_the_range_of_the_model(name: str, tmp_path: Path) -> None:
    w = WORKLOADS[name]
    runner.write_data(w, tmp_path / "x.npy")
    x = np.load(tmp_path / "x.npy")
    assert x.shape == (w.images // w.batch, w.batch, *w.data_shape)
    assert (x.dtype, x.min(), x.max()) == (np.float32, w.low, 1.0)


def test_a_real_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "rates", lambda *how: {"sgemm": 100.0, "copy": 10.0, "blas": ["x"]})
    args = [
        "run",
        "--workload",
        "vae_128",
        "--peers",
        "tinygen",
        "--rounds",
        "2",
        "--seconds",
        "0.02",
        "--clock",
        "cpu",
        "--out",
    ]
    assert main([*args, str(tmp_path)]) == 0
    result = json.loads((tmp_path / "results.json").read_text())["workloads"]["vae_128"]["peers"]["tinygen"]
    assert len(result["ms"]) == 2
    assert result["last_losses"]["loss"] < result["first_losses"]["loss"]
    assert "wrong" not in result
    out = capsys.readouterr().out
    assert "device cpu, 1 thread, " in out and "| processor ms a step" in out
    assert "| VAE 784-400-20, batch 128 | tinygen | time | 0.80 | | | not measured |" in out


def test_the_clock_of_the_processor_does_not_count_waiting() -> None:
    peer = Peer.__new__(Peer)
    assert peer.timed(lambda: time.sleep(0.05)) >= 0.05
    peer.clock = machine.CLOCKS["cpu"]
    assert peer.timed(lambda: time.sleep(0.05)) < 0.04
    assert peer.timed(lambda: busy(0.02)) >= 0.02


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_cuda_without_a_gpu_says_so_and_exits_0(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if runner.gpu_missing() is None:
        monkeypatch.setattr(runner, "gpu_missing", lambda: "no usable GPU")
    assert main([command, "--device", "cuda", "--out", str(tmp_path / "none")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("nothing to run on: ") and out.count("\n") == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "run --workload nothing",
        "run --peers tinygen,nobody",
        "run --rounds 0",
        "run --seconds soon",
        "run --device tpu",
        "run --clock sun",
        "run --clock cpu --threads 2",
        "run --clock cpu --device cuda",
        "sweep --axis width",
        "micro --rounds -1",
        "fly",
        "",
    ],
)
def test_bad_arguments_give_a_line_and_exit_2(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("case", micro.cases(["vae_128"]), ids=lambda case: case.name)
def test_micro_runs_every_case(case: Any) -> None:
    runs = micro.by_tinygen(case)
    for kind, run in runs.items():
        run()
        assert case.floor(kind, {"sgemm": 100.0, "copy": 10.0}) > 0


def test_every_kernel_with_a_twin_has_a_case_that_runs() -> None:
    dispatched = {name for name, value in vars(tinygen.kernels).items() if hasattr(value, "__wrapped__")}
    public = {name for name in dispatched if not name.startswith("_") and name != "compiled"}
    assert public <= {kernel.name for kernel in KERNELS}, "add the new one to benchmarks/kernels.py"
    for kernel in [k for k in KERNELS if k.name in ("adam", "batch_norm_grad", "matmul")][:4]:
        for definition in (False, True):
            call(kernel, definition)()
        assert kernel.floor({"sgemm": 100.0, "copy": 10.0}) > 0


def test_each_peer_has_a_file_and_all_say_what_they_need() -> None:
    for entry in PEERS.values():
        assert (runner.ROOT / "benchmarks" / "peers" / f"{entry.file}.py").is_file()
        assert entry.packages and entry.about


def test_the_environment_of_the_peers_has_what_their_lines_name() -> None:
    on_cpu, on_gpu = requirements("cpu"), requirements("cuda")
    others = ["mygrad", "autograd", "dezero", "matplotlib"]
    assert on_cpu == ["torch==2.13.0", "tensorflow", "keras", "jax", "tinygrad==0.14.0", *others]
    assert on_gpu == ["torch==2.13.0", "jax[cuda13]"]
