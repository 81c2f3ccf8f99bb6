"""What a training prints: a table with a row for each logged step and, on a terminal, a bar below it."""

from __future__ import annotations

import math
import sys
import textwrap
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from statistics import median
from types import TracebackType
from typing import Any

from .. import terminal
from ..checks import installed

CELL = 8  # characters of a number in the table
ROWS = 20  # after which the head is shown again, so that it stays on the screen
TIMED = 1.0  # seconds of steps, after the first one, from which the time left is told
BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{left}"

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
        terminal.write_line(line, sys.stdout)


class Progress:
    """The progress of a run from a step to the last one, as a context manager.

    lost: called with the error when a line can't be written, because a pipe was closed for example.
    """

    def __init__(self, step: int, steps: int, lost: Callable[[OSError], None]):
        self._step, self._steps, self._lost = step, steps, lost
        self._logged, self._trained = step, 0.0  # the step of the last row, and the seconds of training since then
        self._began: float | None = time.perf_counter()  # None while the clock is stopped
        self._first = self._done = math.nan  # when the first step here was done, and the last
        self._took = deque[float](maxlen=50)  # seconds of each of the last steps, but for the first
        self._told = False  # whether a line has told the time left
        self._names, self._rows = list[str](), 0  # of the table since its last head
        redrawn = terminal.is_terminal(sys.stderr) or terminal.in_notebook()
        self._bar = self._make_bar() if redrawn and not _quiet.get() else None

    def _make_bar(self) -> Any:
        if not installed("tqdm"):
            return None
        with warnings.catch_warnings():  # without ipywidgets a notebook gets the bar of a terminal, which will do
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm

        progress = self

        class Bar(tqdm):
            @property
            def format_dict(self) -> dict[str, Any]:
                left = progress._left()
                return {**super().format_dict, "left": "" if left is None else f", {self.format_interval(left)} left"}

        return Bar(total=self._steps, initial=self._step, bar_format=BAR, dynamic_ncols=True, leave=False)

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
        self._step += 1
        if self._began is None:
            self._began = time.perf_counter()
        now = time.perf_counter()
        if math.isnan(self._first):
            self._first = now
        else:
            self._took.append(now - self._done)
        self._done = now
        if not self._told and now - self._first >= TIMED and (left := self._left()):
            self._told = True
            self._say(f"{in_words(left)} left")
        if self._bar is not None:
            self._bar.update()

    def log(self, step: int, values: dict[str, float]) -> None:
        """Show the metrics of a step as a row of the table, as many as fit beside each other."""
        names = ["step", "steps/s", *values]
        if names != self._names or self._rows == ROWS:
            self._say(self._row(names, names))
            self._names, self._rows = names, 0
        self._say(self._row(names, [str(step), self._rate(step), *map(_format, values, values.values())]))
        self._rows += 1

    def measured(self, step: int, values: dict[str, float], seconds: float) -> None:
        """Show what a callback measured at a step, in `seconds` that don't count as training."""
        items = [f"{name}\xa0{_format(name, value)}" for name, value in values.items()]  # not to be broken
        line = f"step\xa0{step}  {'  '.join(items)}"
        self.aside(seconds, textwrap.fill(line, self._width() or sys.maxsize, subsequent_indent="  "))

    def aside(self, seconds: float, line: str = "") -> None:
        """Leave out seconds that don't count as training, and show a line about them, if any."""
        if self._began is not None:
            self._began += seconds
        if line:
            self._say(line.replace("\xa0", " "))

    def _say(self, line: str) -> None:
        try:
            say(line)
        except OSError as error:
            self._lost(error)

    def _row(self, names: list[str], cells: list[str]) -> str:
        """Cells in columns as wide as the names, or as a number; on a terminal, as many as fit."""
        widths = [max(len(name), CELL) for name in names]
        widths[0] = max(len("step"), len(str(self._steps)))
        row = ""
        for cell, width in zip(cells, widths, strict=True):
            longer = f"{row} {cell:>{width}}" if row else f"{cell:>{width}}"
            if len(longer) > (self._width() or sys.maxsize):
                break
            row = longer
        return row

    def _width(self) -> int | None:
        """The columns of the terminal; None if the lines go elsewhere, and can be of any length."""
        return terminal.columns() if terminal.is_terminal(sys.stdout) else None

    def _left(self) -> float | None:
        """The seconds that the steps to come will take, each as long as the median of the last ones: of the first few,
        one compiles the rest. None before there are three."""
        return (self._steps - self._step) * median(self._took) if len(self._took) >= 3 else None

    def _rate(self, step: int) -> str:
        self.pause()
        rate = (step - self._logged) / max(self._trained, 1e-9)
        self._logged, self._trained = step, 0.0
        return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"


def in_words(seconds: float) -> str:
    """About how long that is: "about 2 minutes"."""
    if seconds < 90:
        return f"about {max(round(seconds / 5), 1) * 5} seconds"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"


def _format(name: str, value: Any) -> str:
    if name.startswith("acc"):
        return f"{value:.0%}"
    size = abs(value)
    if size != 0 and not 1e-3 <= size < 1e5:
        return f"{value:.1e}"
    return f"{value:.3f}" if size < 100 else f"{value:.1f}"
