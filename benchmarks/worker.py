"""A peer at work in a process of its own: `python -m benchmarks.worker PEER WORKLOAD DATA THREADS DEVICE TF32 CLOCK`.

The protocol: one request per line on stdin, a JSON list of a name and its arguments; one answer per line on stdout, a
JSON object, with the key "error" if the request failed. What libraries print goes to stderr.

    ["build"]   import the library, build the networks          -> parameters, versions, blas, notes, seconds
    ["run", k]  k training steps                                -> seconds, losses, peak_mb, now_mb
    ["quit"]    end, as at the end of stdin
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from . import machine
from .peers import PEERS, Peer, Setting
from .workloads import workload


def serve(handlers: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answer requests until one is "quit"."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries that print would break the protocol
    for line in sys.stdin:
        name, *args = json.loads(line)
        if name == "quit":
            break
        try:
            answer = handlers[name](*args)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0]}
        answers.write(json.dumps(answer) + "\n")


class Host:
    """Builds a peer and runs it."""

    def __init__(self, name: str, setting: Setting, clock: str):
        self.name, self.setting, self.clock = name, setting, clock
        self.peer: Peer

    def build(self) -> dict[str, Any]:
        import numpy as np

        start = time.perf_counter()
        self.peer = PEERS[self.name].load()(self.setting)
        self.peer.clock = machine.CLOCKS[self.clock]
        self.batches = [self.peer.batch(x) for x in np.load(self.setting.data)]
        seconds = time.perf_counter() - start
        versions = {package: machine.version(package) for package in PEERS[self.name].packages}
        return {
            "seconds": seconds,
            "parameters": self.peer.parameters,
            "versions": versions,
            "blas": machine.blas(),
            "notes": self.peer.notes,
            "now_mb": machine.memory()[1],
        }

    def run(self, steps: int) -> dict[str, Any]:
        def work() -> None:
            for i in range(steps):
                self.peer.step(self.batches[i % len(self.batches)])

        seconds = self.peer.timed(work)
        peak, now = machine.memory()
        losses = {name: float(value) for name, value in self.peer.losses().items()}
        return {"seconds": seconds, "losses": losses, "peak_mb": peak, "now_mb": now, **self.peer.device_memory()}


def main(name: str, task: str, data: str, threads: str, device: str, tf32: str, clock: str) -> None:
    if device == "cpu":
        machine.pin(int(threads))
    host = Host(name, Setting(workload(task), data, int(threads), device, tf32 == "1", PEERS[name].options), clock)
    serve({"build": host.build, "run": host.run})


if __name__ == "__main__":
    main(*sys.argv[1:])
