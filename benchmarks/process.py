"""The runner's side of a worker: a process that answers requests. The protocol is in worker.py."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import machine

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 900.0  # seconds for an answer: a first step may compile for minutes


class Failed(Exception):
    """A peer can't continue: why, in one line."""


class Worker:
    """A process that answers requests, one at a time. It is killed at the end of the block."""

    def __init__(self, command: Sequence[str], env: dict[str, str], log: Path, patience: float = PATIENCE):
        self.log, self.patience = log, patience
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command,
                env=env,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C is for the runner, which ends its workers
            )
        self.answers: queue.Queue[str] = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.rested = (time.perf_counter(), self.cpu_seconds())
        self.idle_share = 0.0  # the largest share of a core that it used while others worked
        self.others_share = 0.0  # the share of the processors that other processes took during the last request

    def _listen(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            for line in lines:
                self.answers.put(line)
        self.answers.put("")

    def ask(self, *request: Any) -> dict[str, Any]:
        """The answer to a request, once the worker's threads have gone to sleep. Raises Failed."""
        since, used = self.rested
        begun, own, busy = time.perf_counter(), self.cpu_seconds(), machine.busy_seconds()
        if begun - since > 0.5:
            self.idle_share = max(self.idle_share, (own - used) / (begun - since))
        try:
            assert self.process.stdin
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=self.patience)
        except queue.Empty:
            raise Failed(f"no answer to {request[0]} in {self.patience:.0f} s") from None
        except OSError:
            line = ""
        if not line:
            raise Failed(f"ended with exit code {self.process.wait()}{self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        taken = machine.busy_seconds() - busy - (self.cpu_seconds() - own)
        self.others_share = max(0.0, taken / (time.perf_counter() - begun) / (os.cpu_count() or 1))
        self.settle()
        return answer

    def settle(self, limit: float = 2.0) -> None:
        """Wait until it uses no processor time: BLAS and OpenMP threads spin for a while after their work."""
        end = time.perf_counter() + limit
        used = self.cpu_seconds()
        while time.perf_counter() < end:
            time.sleep(0.05)
            before, used = used, self.cpu_seconds()
            if used == before:
                break
        self.rested = (time.perf_counter(), self.cpu_seconds())

    def cpu_seconds(self) -> float:
        """Processor time of all its threads; 0 where /proc is unavailable."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, ValueError):
            return 0.0

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return f": {lines[-1].strip()[:200]}" if lines else ""

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # it has ended
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)  # and the processes that it started
            self.process.kill()
        self.process.wait()
        self.listener.join()
        with contextlib.suppress(OSError):  # a request that was never read
            assert self.process.stdin
            self.process.stdin.close()
