"""What a training prints: a bar on a terminal, a line for each logged step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from ..checks import installed
from ..terminal import is_terminal

_quiet = ContextVar("quiet", default=False)


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """If `quiet`, this thread's trainings print nothing for the length of a block."""
    token = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(token)


def say(line: str) -> None:
    """Print a line, unless the training is quiet."""
    if not _quiet.get():
        print(line, flush=True)


class Progress:
    """The progress of a run from a step to the last one, as a context manager.

    lost: called with the error when a line can't be written, because a pipe was closed for example.
    """

    def __init__(self, step: int, steps: int, lost: Callable[[OSError], None]):
        self._steps, self._lost, self._bar = steps, lost, None
        self._logged, self._trained = step, 0.0  # the step of the last line, and the seconds of training since then
        self._began: float | None = time.perf_counter()  # None while the clock is stopped
        if is_terminal(sys.stderr) and not _quiet.get() and installed("tqdm"):
            from tqdm import tqdm

            self._bar = tqdm(total=steps, initial=step, unit=" steps", dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def pause(self) -> None:
        """Stop the clock of steps/s until the next advance(): the time in between is logging and saving."""
        if self._began is not None:
            self._trained, self._began = self._trained + time.perf_counter() - self._began, None

    def advance(self) -> None:
        """One more step is done."""
        if self._began is None:
            self._began = time.perf_counter()
        if self._bar is not None:
            self._bar.update()

    def log(self, step: int, values: dict[str, float]) -> None:
        """Show the metrics of a step: `step 200  loss_D 0.610  loss_G 0.982  acc 63%   112 steps/s`."""
        if self._bar is not None:
            self._bar.set_postfix_str(_join(values), refresh=False)
        else:
            self._say(f"{self._at(step)}  {_join(values)}   {self._rate(step)} steps/s")

    def measured(self, step: int, values: dict[str, float], seconds: float) -> None:
        """Show what a callback measured at a step, in `seconds` that don't count as training."""
        self.aside(seconds, f"{self._at(step)}  {_join(values)}")

    def aside(self, seconds: float, line: str = "") -> None:
        """Leave out seconds that don't count as training, and show a line about them, if any."""
        if self._began is not None:
            self._began += seconds
        if line and self._bar is not None:
            self._bar.write(line)
        elif line:
            self._say(line)

    def _say(self, line: str) -> None:
        try:
            say(line)
        except OSError as error:
            self._lost(error)

    def _at(self, step: int) -> str:
        return f"step {step:<{len(str(self._steps))}}"

    def _rate(self, step: int) -> str:
        self.pause()
        rate = (step - self._logged) / max(self._trained, 1e-9)
        self._logged, self._trained = step, 0.0
        return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"


def _join(values: dict[str, float]) -> str:
    return "  ".join(_format(name, value) for name, value in values.items())


def _format(name: str, value: Any) -> str:
    if name.startswith("acc"):
        return f"{name} {value:.0%}"
    size = abs(value)
    if size != 0 and not 1e-3 <= size < 1e5:
        return f"{name} {value:.1e}"
    return f"{name} {value:.3f}" if size < 100 else f"{name} {value:.1f}"
