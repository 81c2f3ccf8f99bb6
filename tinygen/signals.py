"""Signals that end a program in good order: Ctrl-C, SIGTERM, and SIGHUP, which comes when a terminal closes.

The `tinygen` command leaves on them at once, from its first moment on, without a traceback or half a file. While a
model trains, `Interrupt` takes over: the step is finished and saved first.
"""

# This is imported before everything else, NumPy above all, so it imports next to nothing.

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any, NoReturn

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
DEFAULTS = signal.SIG_DFL, signal.default_int_handler

unfinished: set[str] = set()  # files that are being written, under temporary names


def guard_command() -> None:
    """If this process is the `tinygen` command, have it leave quietly on a signal."""
    if _is_command():
        take_over(leave)


def take_over(handler: Any, instead_of: tuple[Any, ...] = DEFAULTS) -> dict[int, Any]:
    """Set a handler for the stopping signals handled by one of `instead_of`, and return their handlers from before.

    Signals that are ignored (nohup) or that the user handles are left alone. Only the main thread can take over any.
    """
    before: dict[int, Any] = {}
    for number in STOPPING:
        now = signal.getsignal(number)
        if now in instead_of:
            try:
                signal.signal(number, handler)
            except ValueError:  # in another thread
                break
            before[number] = now
    return before


def give_back(before: dict[int, Any]) -> None:
    """Undo take_over()."""
    for number, handler in before.items():
        signal.signal(number, handler)


def leave(number: int, frame: object = None) -> NoReturn:
    """End this process now, with the exit code that a shell gives for a signal, 128 + its number.

    Nothing is raised: an exception in the middle of an import, a compiler or a destructor is lost, or printed.
    """
    for path in [*unfinished]:
        with suppress(OSError):
            os.unlink(path)
    with suppress(Exception):  # it is closed, or was being written to
        sys.stdout.flush()
    os._exit(128 + number)


def stop(number: int, frame: object = None) -> NoReturn:
    """Raise the exception that ends a program with that code."""
    raise ending(number)


def finish() -> None:
    """Ignore signals from now on: the command has its exit code, and only Python's own end is left."""
    take_over(signal.SIG_IGN, (leave,))


def ending(number: int) -> BaseException:
    """KeyboardInterrupt for Ctrl-C, SystemExit for other signals."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def asked() -> bool:
    """Whether this process was asked to end, and finishes its step first."""
    return Interrupt.now is not None and Interrupt.now.asked is not None


class Interrupt:
    """Within the block Ctrl-C, SIGTERM and SIGHUP only set `asked`, which the loop reads between steps and raises.

    A second Ctrl-C does what Ctrl-C did before the block. A second SIGTERM or SIGHUP does nothing: `timeout` and shells
    send theirs twice.
    """

    asked: BaseException | None = None
    now: Interrupt | None = None  # the one whose block this is

    def __enter__(self) -> Interrupt:
        self._outer, Interrupt.now = Interrupt.now, self
        self._before = take_over(self._on_signal, (*DEFAULTS, leave, stop))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        give_back(self._before)
        Interrupt.now = self._outer

    def ask(self, reason: BaseException) -> None:
        """Have the loop raise `reason` after the step, unless it has another reason already."""
        self.asked = self.asked or reason

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            self._before[number](number, frame)
        self.ask(ending(number))


def _is_command() -> bool:
    """Whether Python runs `tinygen ...` or `python -m tinygen ...`, found out before the package is imported."""
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    if program == "-m":  # its name until the module to run has been found
        return "tinygen" in sys.orig_argv or "-mtinygen" in sys.orig_argv
    return os.path.splitext(os.path.basename(program))[0] == "tinygen"
