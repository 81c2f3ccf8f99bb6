"""Running a file in a process of its own, and what comes back from it."""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import RunError
from . import child

LIMITS = {"CPU": 60, "AS": 4 << 30}  # seconds; bytes of address space
LARGEST_ANSWER = 16 << 20  # bytes
# One thread; and no Numba in a tinygen that a piece imports, as its compiled loops can't be loaded without files.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "TINYGEN_NUMBA": "0"}
LOST = "timeout", "killed", "nonsense"  # errors after which a process answers no more
USERS = range(61184, 65520)  # which no account has: systemd keeps them for services that last as long as a process
INHERITED = ("SYSTEMROOT",)  # of the environment: without it, Python does not start on Windows
START = 120.0  # seconds after which a process that has not begun is given up


@dataclass(frozen=True)
class Answer:
    """What a file answered to one job: a value, or how it failed.

    error: the type of an exception, "timeout", "killed", or "nonsense" for bytes that are no answer.
    """

    value: Any = None
    error: str = ""
    line: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Job:
    """A probe and its inputs."""

    probe: str
    inputs: dict[str, Any]
    seconds: float = 10.0


@dataclass(frozen=True)
class File:
    """A piece's file as it is run: its name, its text, the text of its probes, and what it may import besides NumPy.

    shows: whether what it prints is shown, on standard error.
    """

    name: str
    source: str
    probes: str
    modules: Sequence[str] = ()
    shows: bool = False


def run(file: File, jobs: Sequence[Job], trusted: bool = False) -> list[Answer]:
    """The file's answers. A trusted file answers all jobs in one process; any other gets a process a job, which has
    given up its rights: see child.py. Raises RunError if the system does not let it."""
    if not trusted:
        return [_run(file, [job], isolated=True)[0] for job in jobs]
    answers: list[Answer] = []
    while len(answers) < len(jobs):  # one that hangs or dies costs its own answer alone
        answers += _run(file, jobs[len(answers) :], isolated=False)
    return answers


def _run(file: File, jobs: Sequence[Job], isolated: bool) -> list[Answer]:
    """The answers of one process, up to the first that did not come."""
    with tempfile.TemporaryDirectory(prefix="course-") as jail:
        os.chmod(jail, 0o555)
        request = {
            "name": file.name,
            "source": file.source,
            "probes": file.probes,
            "modules": list(file.modules),
            "path": str(Path(__file__).parents[2]),  # where tinygen is
            "jobs": [
                {"probe": job.probe, "inputs": {k: child.encode(v) for k, v in job.inputs.items()}} for job in jobs
            ],
            "isolated": isolated,
            "limits": LIMITS,
            "jail": jail,
            "user": secrets.choice(USERS),
        }
        process = subprocess.Popen(
            [sys.executable, "-I", "-u", child.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if file.shows else subprocess.DEVNULL,
            cwd=jail,
            env=ENVIRONMENT | {name: os.environ[name] for name in INHERITED if name in os.environ},
            start_new_session=True,
        )
        try:
            with suppress(BrokenPipeError):
                assert process.stdin
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.close()
            return _read(process, [START, *(job.seconds for job in jobs)], isolated)
        finally:
            _kill(process)


def _read(process: subprocess.Popen[bytes], seconds: Sequence[float], isolated: bool) -> list[Answer]:
    lines = _lines(process, seconds)
    if (first := next(lines)) != b'"ready"':
        why = "run as root, or allow user namespaces: the process must give up its rights" if isolated else "try again"
        raise RunError(f"course: the process for a file did not begin ({first.decode(errors='replace')[:200]}); {why}")
    answers = []
    for line in lines:
        answers.append(_parse(line))
        if answers[-1].error in LOST:
            break
    return answers


def _lines(process: subprocess.Popen[bytes], seconds: Sequence[float]) -> Iterator[bytes]:
    """A line for each allowance of seconds; the first that does not come is "timeout" or "killed", and the last."""
    assert process.stdout
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_pump, args=(process.stdout, len(seconds), lines), daemon=True).start()
    for allowed in seconds:
        try:
            line = lines.get(timeout=allowed)
        except queue.Empty:
            yield b"timeout"
            return
        yield line.removesuffix(b"\n") or b"killed"


def _pump(pipe: IO[bytes], most: int, lines: queue.Queue[bytes]) -> None:
    """Read as many lines as are wanted; an empty one stands for the end."""
    with suppress(ValueError, OSError):  # the pipe is closed when the process is killed
        for _ in range(most):
            lines.put(pipe.readline(LARGEST_ANSWER))


def _parse(line: bytes) -> Answer:
    if line in (b"timeout", b"killed"):
        return Answer(error=line.decode())
    try:
        answer = json.loads(line)
        if "error" in answer:
            number = answer["line"]
            return Answer(None, str(answer["error"]), None if number is None else int(number), str(answer["text"]))
        return Answer(child.decode(answer["value"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
        return Answer(error="nonsense")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all of its group."""
    with suppress(ProcessLookupError, PermissionError, AttributeError):  # Windows has no groups
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()
