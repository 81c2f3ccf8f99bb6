"""A process that forks `tinygen` commands for test_stops.py: quick, as their imports are loaded already.

It reads a job, a line of JSON such as {"line": ["data"], "out": FILE, "err": FILE}, and answers with the process id of
the command; then it reads an empty line, waits for that process, and answers with how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import matplotlib.figure  # noqa: F401, and what follows: so that the children need not
import PIL.Image  # noqa: F401
import safetensors.numpy  # noqa: F401

from tinygen import models, signals, train, viz  # noqa: F401
from tinygen.cli import main


def become_the_command(job: dict) -> None:
    for descriptor, path, how in (1, job["out"], os.O_WRONLY), (2, job["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND):
        os.dup2(os.open(path, how), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signals.take_over(signals.leave)
    code = 1
    try:
        code = main(job["line"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(code)


if __name__ == "__main__":
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            become_the_command(json.loads(line))
        print(child, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
