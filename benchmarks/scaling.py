"""How the time of a step falls with the number of processes, measured under mpiexec, beside a model of its cost.

    python -m benchmarks.scaling                              # dcgan, a batch of 256 in all, 1 and 2 processes
    python -m benchmarks.scaling --processes 1 2 4 --delay 0.001   # as if each message waited 1 ms more

The model: a step of R processes takes what one process takes for its share of the batch, and what its messages take,

    T(R) = compute(batch / R) + messages · latency(R) + bytes · 2 (R - 1) / R / bandwidth

as an all-reduce in a ring sends 2 (R - 1) / R of the bytes through each process (Patarasuk and Yuan 2009, section 3).
The processes take turns: each round measures every number of processes once; what is printed are medians of rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from tinygen import parallel, processes
from tinygen.models import MODELS

from .markdown import head, row

WARM_UP = 2  # steps before those that are timed


class Network(NamedTuple):
    """What carries the messages.  latency: of a message, in seconds.  bandwidth: in bytes a second."""

    name: str
    latency: float
    bandwidth: float


NETWORKS = (  # latencies of an all-reduce between two machines, or two GPUs; as rounded as the models of them are
    Network("10 Gbit/s Ethernet", 30e-6, 1.25e9),
    Network("100 Gbit/s InfiniBand", 5e-6, 12.5e9),
    Network("NVLink 4 (H100)", 10e-6, 450e9),
)


def message_time(ranks: int, messages: int, size: float, network: Network) -> float:
    """The seconds that a step's messages take: so many all-reduces of `size` bytes in all."""
    if ranks == 1:
        return 0.0
    rounds = np.ceil(np.log2(ranks))
    return float(messages * rounds * network.latency + 2 * (ranks - 1) / ranks * size / network.bandwidth)


class Counted:
    """The all-reduces of a group, counted, and each delayed, as by a network."""

    def __init__(self, group: Any, delay: float = 0.0):
        self.messages = self.bytes = 0
        send = group.add_up

        def add_up(x: np.ndarray) -> None:
            began = time.perf_counter()
            send(x)
            while time.perf_counter() - began < delay:
                pass
            self.messages, self.bytes = self.messages + 1, self.bytes + x.nbytes

        group.add_up = add_up

    def reset(self) -> None:
        """Begin at 0."""
        self.messages = self.bytes = 0


def worker(options: argparse.Namespace) -> None:
    """Time the steps of this process; the first one prints what it found as JSON."""
    with parallel.join("mpi", options.local_batch_norm) as group:
        kind = MODELS[options.model]
        model = kind(kind.Config())
        x = np.random.default_rng(0).uniform(-1, 1, (options.batch, *model.data_shape)).astype(np.float32)
        counted, times = Counted(group, options.delay if group.size > 1 else 0.0), []
        for number in range(WARM_UP + options.steps):
            if number == WARM_UP:
                counted.reset()
            group.any(True)  # all begin at once
            began = time.perf_counter()
            with nullcontext() if options.apart else processes.shares(model.batch_unit):
                model.train_step(processes.own_batch(x))
            times.append(time.perf_counter() - began)
        found = {"seconds": median(times[WARM_UP:]), "messages": counted.messages / options.steps - 1}
        found |= {"bytes": counted.bytes / options.steps - 4, "exchange": exchange(group)}
        if group.rank == 0:
            print(json.dumps(found), flush=True)


def exchange(group: processes.Group, sizes: Sequence[int] = (1, 1 << 20, 1 << 22)) -> list[tuple[int, float]]:
    """The seconds of an all-reduce of so many float32, each the median of 15."""
    found = []
    for size in sizes:
        x, times = np.ones(size, np.float32), []
        for _ in range(15):
            began = time.perf_counter()
            type(group).add_up(group, x)  # without delay
            times.append(time.perf_counter() - began)
        found.append((4 * size, median(times)))
    return found


def measure(options: argparse.Namespace, ranks: int, batch: int, apart: bool = False) -> dict[str, Any]:
    """What so many processes, each on one thread, find: as a group, or each with a batch of its own."""
    launcher = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{options.path}") or "mpiexec"
    command = [launcher, *options.launcher_options.split(), "-n", str(ranks), "--oversubscribe", sys.executable]
    command += ["-m", "benchmarks.scaling", "--worker", "--model", options.model, "--batch", str(batch)]
    command += ["--steps", str(options.steps), "--delay", str(options.delay)]
    command += ["--local-batch-norm"] * options.local_batch_norm + ["--apart"] * apart
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stderr}")
    return json.loads(ended.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--model", default="dcgan", choices=MODELS, help="the model, with its defaults (%(default)s)")
    add("--batch", type=int, default=256, help="examples a step, of all processes together (%(default)s)")
    add("--processes", type=int, nargs="+", default=[1, 2], metavar="R", help="how many (1 2)")
    add("--rounds", type=int, default=5, help="how often each is measured (%(default)s)")
    add("--steps", type=int, default=5, help="steps timed in a round (%(default)s)")
    add("--delay", type=float, default=0.0, help="seconds that each message takes at least, as over a network")
    add("--local-batch-norm", action="store_true", help="statistics of each process's share alone")
    add("--launcher-options", default="", help="of mpiexec, in one text")
    add("--apart", action="store_true", help=argparse.SUPPRESS)
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options)
        return
    options.processes = sorted({1, *options.processes})
    if wrong := [ranks for ranks in options.processes if ranks < 1 or options.batch % ranks]:
        parser.error(f"--processes {wrong[0]}: a batch of {options.batch} can't be dealt out to so many")
    options.path = os.environ.get("PATH", "")
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    report(options)


def report(options: argparse.Namespace) -> None:
    """Measure in rounds, and print the tables."""
    shares = {ranks: options.batch // ranks for ranks in options.processes}
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for _ in range(options.rounds):
        for ranks, share in shares.items():
            found.setdefault((ranks, options.batch), []).append(measure(options, ranks, options.batch))
            if ranks > 1:  # what each takes for such a share, without messages but on one machine
                found.setdefault((ranks, share), []).append(measure(options, ranks, share, apart=True))
    seconds = {key: median(f["seconds"] for f in many) for key, many in found.items()}
    print(head("processes:", "step, ms:", "efficiency:", "messages:", "MB:", "compute, ms:", "model, ms:"))
    for ranks, share in shares.items():
        first, took = found[ranks, options.batch][0], seconds[ranks, options.batch]
        here = Network("here", max(exchanged(found, ranks, 0)[1], options.delay), bandwidth(found, ranks))
        compute = seconds[ranks, share]
        # what an all-reduce takes here was measured with as many processes: no factor of theirs is left
        predicted = compute + message_time(min(ranks, 2), first["messages"], first["bytes"], here)
        efficiency = seconds[min(shares), options.batch] * min(shares) / ranks / took
        cells = [took * 1e3, efficiency, first["messages"], first["bytes"] / 1e6, compute * 1e3, predicted * 1e3]
        print(row(str(ranks), *(f"{cell:.{digits}f}" for cell, digits in zip(cells, (1, 2, 0, 1, 1, 1), strict=True))))
    print_paper(options, found, seconds)


def exchanged(found: dict[Any, list[dict[str, Any]]], ranks: int, place: int) -> tuple[int, float]:
    """The bytes of an all-reduce that was timed, and its median seconds."""
    many = [f["exchange"][place] for (r, _), fs in found.items() if r == ranks for f in fs]
    return many[0][0], median(seconds for _, seconds in many)


def bandwidth(found: dict[Any, list[dict[str, Any]]], ranks: int) -> float:
    """Bytes a second, by which the two long all-reduces differ, in the model's terms for two processes."""
    (less, short), (more, long) = exchanged(found, ranks, 1), exchanged(found, ranks, 2)
    return (more - less) / max(long - short, 1e-9)


def print_paper(options: argparse.Namespace, found: dict[Any, Any], seconds: dict[Any, float]) -> None:
    """The model for other networks: how the time falls for a fixed batch, and for a fixed share."""
    several = [ranks for ranks in options.processes if ranks > 1]
    if not several:
        return
    first, alone = found[several[0], options.batch][0], seconds[1, options.batch]
    print(f"\n{head('network', *(f'{r} processes:' for r in (2, 4, 8, 16, 32)))}")
    for network in NETWORKS:
        cells = []
        for ranks in (2, 4, 8, 16, 32):
            took = alone / ranks + message_time(ranks, first["messages"], first["bytes"], network)
            cells.append(f"{took * 1e3:.1f} ms, {alone / ranks / took:.2f}")
        print(row(network.name, *cells))


if __name__ == "__main__":
    main()
