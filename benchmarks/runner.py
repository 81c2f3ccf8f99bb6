"""`python -m benchmarks run`: the peers take turns at each workload, each in its own process, round after round."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import machine, ratios, report
from .peers import PEERS, requirements
from .process import ROOT, Failed, Worker
from .workloads import WORKLOADS, Workload, workload

# Who can take part


def interpreters(venv: Path | None) -> dict[bool, str]:
    """The Python that runs tinygen (True), and the one that runs the others (False)."""
    if venv is None:
        return {True: sys.executable, False: sys.executable}
    return {True: sys.executable, False: str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))}


def installed(python: str) -> set[str]:
    """The packages of PEERS that this Python can find; none is imported."""
    names = sorted({package for entry in PEERS.values() for package in entry.packages})
    code = "import importlib.util, sys; print(*[n for n in sys.argv[1:] if importlib.util.find_spec(n)])"
    found = subprocess.run([python, "-I", "-c", code, *names], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def build_venv(venv: Path, device: str) -> None:
    """An environment with all other peers, made once. PyTorch's index has builds for the CPU, a tenth of the size."""
    if not (venv / "pyvenv.cfg").exists():
        index = [] if device == "cuda" else ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
        print(f"building {venv}: some minutes and some GB", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [interpreters(venv)[False], "-m", "pip", "install", *index]
        subprocess.run([*pip, *requirements(device), "threadpoolctl"], check=True)


# The data: the same real batches for all


def write_data(w: Workload, path: Path) -> None:
    """Digits, enlarged to the workload's shape, as float32 (batches, examples of a step, *data_shape) in [low, 1]."""
    import numpy as np

    import tinygen as tg

    digits = tg.data.load("digits").train
    x = digits[np.arange(w.images // w.examples * w.examples) % len(digits)]
    size, channels = w.image[0], w.image[2]
    if size != 28:
        rows = np.arange(size) * 28 // size  # the nearest pixel
        x = x[:, rows][:, :, rows]
    x = np.repeat(x, channels, axis=3).astype(np.float32) / 255
    x = w.low + (1 - w.low) * x
    np.save(path, x.reshape(-1, w.examples, *w.data_shape))


# A run


@contextmanager
def ends_by_signal() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does: through every `finally`."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def for_device(device: str, tf32: bool) -> dict[str, str]:
    """The variables of a process on a device: CuPy's precision of products, which is float32 unless TF32 is allowed."""
    return {"CUPY_TF32": str(int(tf32))} if device == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}


def rates(threads: int, device: str = "cpu", clock: str = "wall", tf32: bool = False) -> dict[str, Any]:
    """machine.rates() in a fresh process, whose BLAS chooses its kernels as freely as the peers', and as precisely."""
    env = machine.environment(threads, **for_device(device, tf32))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.machine", device, clock],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


class Contest:
    """One workload: starts its peers one after the other, then lets them take turns, and fills `results`."""

    def __init__(self, w: Workload, names: Sequence[str], options: argparse.Namespace, out: Path, quiet: bool = False):
        self.w, self.names, self.options, self.out, self.quiet = w, names, options, out, quiet
        self.results: dict[str, Any] = {name: {} for name in names}
        self.workers: dict[str, Worker] = {}
        self.turn: dict[str, int] = {}  # steps per turn

    def command(self, name: str, data: Path) -> Worker:
        entry, o = PEERS[name], self.options
        python = interpreters(o.peers_venv)[entry.ours]
        args = [name, self.w.name, str(data), str(o.threads), o.device, str(int(o.tf32)), o.clock]
        env = machine.environment(o.threads, **entry.env, **for_device(o.device, o.tf32))
        return Worker([python, "-m", "benchmarks.worker", *args], env, self.out / f"{self.w.name}.{name}.log")

    def start(self, name: str, data: Path) -> None:
        """Build a peer, take its first step, warm it up, and find out how many steps make a turn."""
        result = self.results[name]
        worker = self.workers[name] = self.command(name, data)
        built = worker.ask("build")
        if built["parameters"] != self.w.parameters:
            raise Failed(f"wrong networks: {built['parameters']} parameters, but expected {self.w.parameters}")
        first = worker.ask("run", 1)
        result.update(versions=built["versions"], blas=built["blas"], notes=built["notes"], build_s=built["seconds"])
        result.update(first_step_s=first["seconds"], first_losses=first["losses"], built_mb=built["now_mb"])
        begun, steps, step_s = time.perf_counter(), 1, 1e9
        while time.perf_counter() - begun < self.options.seconds or steps < 3:
            warm = worker.ask("run", count := max(1, round(self.options.seconds / 4 / step_s)))
            steps, step_s = steps + count, warm["seconds"] / count
        result.update(warm_mb=warm["now_mb"], steps=steps, ms=[], others=[])
        self.turn[name] = max(1, round(self.options.seconds / step_s))

    def take_turn(self, name: str) -> None:
        result, steps = self.results[name], self.turn[name]
        answer = self.workers[name].ask("run", steps)
        result["ms"].append(answer["seconds"] / steps * 1e3)
        result["steps"] += steps
        result.update(last_losses=answer["losses"], peak_mb=answer["peak_mb"], now_mb=answer["now_mb"])
        result.update({key: answer[key] for key in ("device_mb",) if key in answer})
        result["idle_share"] = self.workers[name].idle_share
        result["others"].append(self.workers[name].others_share)
        ratios.check_losses(result)

    def attempt(self, action: Any, name: str, *args: Any) -> None:
        """Call action for a peer; if it fails, the peer drops out, with the reason in its line."""
        try:
            action(name, *args)
        except Failed as error:
            self.results[name]["failed"] = str(error)
            print(f"  {name}: {error}", flush=True)
            self.workers.pop(name).__exit__()

    def run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data.npy"
            write_data(self.w, data)
            try:
                for name in self.names:
                    if not self.quiet:
                        print(f"  {name} ...", flush=True)
                    self.attempt(self.start, name, data)
                for r in range(self.options.rounds):
                    names = list(self.workers)
                    first = r % max(len(names), 1)
                    for name in names[first:] + names[:first]:
                        self.attempt(self.take_turn, name)
            finally:
                for worker in self.workers.values():
                    worker.__exit__()


def line_up(w: Workload, wanted: Sequence[str], options: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """The peers that run this workload, and why the others don't."""
    pythons = interpreters(options.peers_venv)
    packages = {ours: installed(python) for ours, python in pythons.items()}
    absent = {}
    for name in wanted:
        entry = PEERS[name]
        missing = [package for package in entry.packages if package not in packages[entry.ours]]
        if reason := entry.refuses(w, options.device):
            absent[name] = reason
        elif missing:
            absent[name] = f"not installed: {pythons[entry.ours]} -m pip install {' '.join(missing)}"
        elif programs := [program for program in entry.programs if shutil.which(program) is None]:
            absent[name] = f"not installed: the program {' and '.join(programs)}; apt-get install {' '.join(programs)}"
    return [name for name in wanted if name not in absent], absent


def gpu_missing() -> str | None:
    """Why there is no GPU to run on, in a line; None if there is one."""
    code = "import tinygen; tinygen.use('cuda')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1].partition(": ")[2]


def run(options: argparse.Namespace) -> int:
    """Measure, and write results.json, results.md and the pictures as each workload ends."""
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "when": time.strftime("%d %B %Y"),
        "tinygen": importlib.import_module("tinygen").__version__,
        "machine": machine.describe(),
        "settings": {k: getattr(options, k) for k in ("threads", "clock", "device", "tf32", "rounds", "seconds")},
        "workloads": {},
    }
    code = 0
    with ends_by_signal():
        try:
            for name in options.workload:
                measure(workload(name), options, out, results)
        except KeyboardInterrupt:
            print("\nstopped: the results so far are kept")
            code = 130
    print(report.text(results))
    report.write(results, out)
    print(f"wrote {out}/results.json, results.md and the pictures")
    return code


def measure(w: Workload, options: argparse.Namespace, out: Path, results: dict[str, Any]) -> None:
    print(f"{w.title}: {w.flops / 1e9:.2f} GFLOP a step", flush=True)
    names, absent = line_up(w, options.peers, options)
    contest = Contest(w, names, options, out)
    how = options.threads, options.device, options.clock, options.tf32
    entry = {"peers": contest.results, "absent": absent, "rates": [rates(*how)]}
    results["workloads"][w.name] = entry
    try:
        contest.run()
    finally:
        entry["rates"].append(rates(*how))
        report.write(results, out, pictures=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workload", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS), metavar="NAME")
    add_shared(parser, peers=list(PEERS), rounds=9, seconds=1.0)
    clocks = "wall: time that passes; cpu: processor time on one thread, for a busy machine (default wall)"
    parser.add_argument("--clock", choices=list(machine.CLOCKS), default="wall", help=clocks)


def add_shared(parser: argparse.ArgumentParser, peers: list[str], rounds: int, seconds: float) -> None:
    """The options that run and sweep share, with the defaults of each."""
    choices = f"from {', '.join(PEERS)}; default: {'all' if len(peers) == len(PEERS) else ','.join(peers)}"
    parser.add_argument("--peers", type=pick, default=peers, metavar="A,B", help=choices)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tf32", action="store_true", help="let every peer use TF32 on a GPU (default: off)")
    parser.add_argument("--threads", type=positive(int), help="threads of each peer (default 2; by --clock cpu 1)")
    parser.add_argument("--rounds", type=positive(int), default=rounds, help=f"turns of each peer (default {rounds})")
    parser.add_argument(
        "--seconds", type=positive(float), default=seconds, help=f"length of a turn (default {seconds:g})"
    )
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"), help="default: benchmark-results")
    parser.add_argument("--peers-venv", type=Path, help="the other libraries' environment; built if it doesn't exist")


def fit_clock(options: argparse.Namespace) -> None:
    """Choose the threads that the clock needs. Raises ValueError, a line, for options that contradict it."""
    if options.clock == "cpu" and options.device != "cpu":
        raise ValueError("--clock cpu: a GPU's work takes no processor time; leave --clock out")
    if options.clock == "cpu" and options.threads not in (None, 1):
        raise ValueError(f"--threads {options.threads}: --clock cpu measures one thread; leave --threads out")
    options.threads = options.threads or (1 if options.clock == "cpu" else 2)


def pick(text: str) -> list[str]:
    """The peers in a comma-separated list. Raises argparse's error for an unknown one."""
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    for name in chosen:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"no peer {name!r}; the peers are {', '.join(PEERS)}")
    return chosen


def positive(kind: type) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} must be above 0")
        return value

    number.__name__ = kind.__name__
    return number
