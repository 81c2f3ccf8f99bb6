"""Many trainings, a few at a time: each is a `tinygen train` in a process of its own, and what is done stays done.

A second call of `work` with the same trainings goes on where the first ended, whatever ended it. Several may work on
the same trainings at once, on one machine or on several that share a file system: each takes what no other has.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .doctor import cores
from .errors import UserError
from .files import hold, writing
from .signals import DEFAULTS, give_back, leave, stop, take_over
from .train import RunDirectory

LOG, LOCK = "train.log", ".sweep"  # in the run directory
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
ERROR = "tinygen: error: "
MAIN = "import sys; sys.path[:], sys.argv[0] = {}, 'tinygen'; from tinygen.cli import main; sys.exit(main())"


class Training(NamedTuple):
    """One run: where it goes, what `tinygen train` takes beside --steps and --out, and what is done with it after.

    evaluation: what `tinygen evaluate` takes, n and seed; None for no evaluation.  report: whether its page is written.
    """

    out: Path
    options: tuple[str, ...]
    steps: int
    evaluation: dict[str, int | None] | None = None
    report: bool = False

    @property
    def made(self) -> int:
        """The steps that it has made and saved."""
        return max(RunDirectory(self.out).checkpoints(), default=0)

    def commands(self) -> Iterator[list[str]]:
        """What is left to do, as commands of tinygen; each after the one before has been done."""
        run = RunDirectory(self.out)
        if self.made < self.steps:
            begun = run.config_file.exists()
            options = [option for option in self.options if not (begun and option.startswith("--preset="))]
            yield ["train", *options, f"--steps={self.steps}", f"--out={self.out}", *(["--resume"] if begun else [])]
        if self.evaluation is not None and not self._is_evaluated():
            n, seed = self.evaluation["n"], self.evaluation["seed"]
            yield ["evaluate", str(self.out), f"--seed={seed}", *([f"-n={n}"] if n else [])]
        if self.report and not self._is_reported():
            yield ["report", str(self.out)]

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return next(self.commands(), None) is None

    def _is_evaluated(self) -> bool:
        try:
            record = json.loads((self.out / "metrics.json").read_bytes())
            return record.items() >= {"step": self.made, **(self.evaluation or {})}.items()
        except (OSError, ValueError, AttributeError):
            return False

    def _is_reported(self) -> bool:
        page, newest = self.out / "report.html", RunDirectory(self.out).checkpoint_file(self.made)
        return page.exists() and newest.exists() and page.stat().st_mtime >= newest.stat().st_mtime


class Outcome(NamedTuple):
    """How a training ended.  fault: why it failed; "" if it didn't.  busy: whether it was left to another process."""

    training: Training
    seconds: float
    fault: str = ""
    busy: bool = False

    @property
    def log(self) -> Path:
        """What its commands printed."""
        return self.training.out / LOG


def work(trainings: Sequence[Training], jobs: int, tell: Callable[[Outcome], None]) -> None:
    """Do what is left of the trainings, `jobs` at a time, and tell of each as it ends.

    One that fails or is killed stops no other. If this process is told to stop, no more begin, those that run finish
    their step and save it, and what told it so is raised; a second Ctrl-C ends them at once.
    """
    workers, pool = _Workers(jobs), ThreadPoolExecutor(jobs)
    handlers = take_over(stop, (*DEFAULTS, leave))
    try:
        for done in as_completed([pool.submit(workers.do, training) for training in trainings]):
            tell(done.result())
    finally:
        workers.stop()
        try:
            pool.shutdown(cancel_futures=True)
        except BaseException:
            workers.kill()
            raise
        finally:
            give_back(handlers)


def threads_each(jobs: int) -> int:
    """The threads of each of so many trainings at a time: its share of the cores."""
    return max(1, cores() // jobs)


class _Workers:
    """The processes that run now."""

    def __init__(self, jobs: int):
        shares = dict.fromkeys(THREADS, str(threads_each(jobs))) if jobs > 1 else {}
        self._environment = shares | dict(os.environ)  # what the user chose stays
        self._lock, self._stopped, self._running = threading.Lock(), False, set[subprocess.Popen[bytes]]()

    def do(self, training: Training) -> Outcome:
        """Do what is left of a training."""
        began, fault = time.perf_counter(), ""
        try:
            with _alone(training.out) as log:
                if log is None:
                    return Outcome(training, 0.0, busy=True)
                for command in training.commands():
                    fault = fault or self._run(command, log)
        except UserError as error:  # its folder can't be written, or read
            fault = str(error)
        return Outcome(training, time.perf_counter() - began, fault)

    def _run(self, command: Sequence[str], log: BinaryIO) -> str:
        """Run a command of tinygen; why it failed, or ""."""
        start = log.seek(0, os.SEEK_END)
        with self._lock:
            if self._stopped:
                return "stopped"
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN.format(sys.path), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
            self._running.add(process)
        code = process.wait()
        self._running.discard(process)
        return _why(code, log, start)

    def stop(self) -> None:
        """Begin no more, and ask those that run to finish their step and save it."""
        with self._lock:
            self._stopped = True
            for process in self._running.copy():
                process.terminate()

    def kill(self) -> None:
        """End those that run at once."""
        for process in self._running.copy():
            process.kill()


@contextmanager
def _alone(out: Path) -> Iterator[BinaryIO | None]:
    """The log of a run, while no other sweep can work on it; None if another process does. Raises RunError."""
    with ExitStack() as stack:
        with writing(out, "directory", again="call again"):
            out.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(open(out / LOCK, "ab"))
            log = stack.enter_context(open(out / LOG, "ab+"))
        yield log if hold(lock) and RunDirectory(out).is_free() else None


def _why(code: int, log: BinaryIO, start: int) -> str:
    """Why a command failed that ended with this code, from what it wrote to the log; "" if it didn't."""
    if code == 0:
        return ""
    if code < 0:
        hint = ", as a system does that is out of memory" if -code == signal.SIGKILL else ""
        return f"killed by {signal.Signals(-code).name}{hint}"
    log.seek(start)
    _, error, text = f"\n{log.read().decode(errors='replace')}".rpartition(f"\n{ERROR}")
    if not error:
        return f"ended with code {code}"
    first, _, more = text.strip().partition("\n")
    return f"{first} ..." if more else first
