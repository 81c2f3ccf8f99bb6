"""A process that forks trainings for test_kill.py: quick, as their imports are loaded already, and really killed.

It reads a job, a line of JSON such as {"out": DIR, "die": ["file", 17]}, and answers with the process id of a training;
then it reads an empty line, waits for that process, and answers with how it ended. In between the process can be
killed: before it is waited for, no other gets its id.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
from train.tiny import Config, Stream, Tiny

from tinygen.train import Callback, disk, fit

STEPS, LOG_EVERY, SAMPLE_EVERY, CHECKPOINT_EVERY = 24, 3, 6, 4
TORN_METHODS = {"torn file": (Path, "write_bytes"), "torn line": (disk, "append")}


class SlowTiny(Tiny):
    """A step of a millisecond, so that many kills fall between the files."""

    def train_step(self, batch):
        time.sleep(0.001)
        return super().train_step(batch)


class Average(Callback):
    """An average of the weights over the steps: a callback whose state is an array and a number."""

    def on_start(self, model, run, step):
        self.model, self.mean, self.count = model, np.zeros_like(model.w), 0

    def on_step(self, step, metrics):
        self.count += 1
        self.mean += (self.model.w - self.mean) / self.count

    def state_dict(self):
        return {"mean": self.mean, "count": self.count}

    def load_state_dict(self, state):
        self.mean, self.count = state["mean"].copy(), state["count"]


def train(out: str, steps: int) -> None:
    resume = Path(out, "config.json").exists()
    fit(
        SlowTiny(Config(size=4000, data_shape=(4000,))),
        Stream((4000,), batch=2),
        steps,
        out=out,
        callbacks=[Average()],
        log_every=LOG_EVERY,
        sample_every=SAMPLE_EVERY,
        checkpoint_every=CHECKPOINT_EVERY,
        resume=resume,
    )


def die(how: str, nth: int, out: str) -> None:
    """Have this process killed at the n-th file operation in `out`, or in the middle of the n-th write."""
    count = 0

    def is_due() -> bool:
        nonlocal count
        count += 1
        return count == nth

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.rename", "os.remove", "os.mkdir") and out in str(arguments[0]) and is_due():
            os.kill(os.getpid(), signal.SIGKILL)

    if how == "file":
        sys.addaudithook(audit)
        return
    owner, name = TORN_METHODS[how]
    whole = getattr(owner, name)

    def torn(path: Path, data: bytes | str) -> object:
        if not is_due():
            return whole(path, data)
        with open(path, "ab") as file:
            file.write((data.encode() if isinstance(data, str) else data)[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    setattr(owner, name, torn)


def picture(path: Path, *content: object) -> None:
    """Instead of drawing: a file that depends on what is drawn."""
    with disk.replace_file(path) as temporary:
        temporary.write_bytes(repr(content).encode())


def fake_viz() -> ModuleType:
    viz = ModuleType("tinygen.viz")
    viz.save_grid = lambda images, path, value_range, *how: picture(path, images.tobytes(), how)
    viz.save_curves = lambda rows, path: picture(path, rows)
    viz.save_gif = lambda frames, path: picture(path, [frame.read_bytes() for frame in frames])
    return viz


def main() -> None:
    import tinygen

    tinygen.viz = sys.modules["tinygen.viz"] = fake_viz()
    import safetensors.numpy  # noqa: F401, so that the children need not

    while line := sys.stdin.readline():
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            with open(job["out"] + ".log", "a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            if job.get("die"):
                die(*job["die"], job["out"])
            try:
                train(job["out"], job.get("steps", STEPS))
                os._exit(0)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        print(child, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
