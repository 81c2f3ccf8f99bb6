"""Where a command's output goes: terminals, pipes and files, in any encoding, narrow, closed or missing."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from io import TextIOWrapper
from typing import Any

WIDTHS = 40, 120  # columns between which help is wrapped, however narrow or wide the terminal is
LETTERS = dict(zip("·×≤≥≈−–—→←‘’“”½", [*"*x", "<=", ">=", *"~---", "->", "<-", *"''\"\"", "1/2"], strict=True))
LETTERS |= {"γ": "gamma", "λ": "lambda", "τ": "tau", "Σ": "sum", "∇": "grad ", "√": "sqrt", "‖": "||", "±": "+-"}
LETTERS |= {"ı": "i", "ø": "o"}


@contextmanager
def prepared() -> Iterator[None]:
    """Within the block, standard streams that a command can write to, whatever state they were in.

    One that is closed becomes the null device, and what an encoding lacks is written in plain letters.
    """
    _open_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "r+", encoding="utf-8"))
        stack.callback(_put_back, *before)
        sys.stdin, sys.stdout, sys.stderr = (nowhere if is_closed(stream) else stream for stream in before)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stack.callback(_reconfigure, stream, stream.errors)
                _reconfigure(stream, "plain_letters")
        yield


def is_closed(stream: Any) -> bool:
    """Whether there is nothing to read from or write to."""
    return stream is None or getattr(stream, "closed", False)


def is_terminal(stream: Any) -> bool:
    """Whether a line on it can be redrawn, as a progress bar is."""
    return not is_closed(stream) and stream.isatty() and os.environ.get("TERM") != "dumb"


def in_notebook() -> bool:
    """Whether this code runs in a notebook's kernel, which shows pictures; IPython at a terminal doesn't."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def write_line(line: str, stream: Any) -> None:
    """Write a line; a progress bar on the terminal makes way for it, and is drawn again below."""
    bars = sys.modules.get("tqdm")
    with bars.tqdm.external_write_mode(stream) if bars else nullcontext():
        print(line, file=stream, flush=True)


def columns() -> int:
    """The width of help, in characters."""
    narrowest, widest = WIDTHS
    return min(max(shutil.get_terminal_size().columns, narrowest), widest)


def printable(text: object) -> str:
    """A text as one line, without the control characters that file names may have."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) == "Cc" else c for c in str(text))


def flushed(stream: Any) -> OSError | None:
    """Write out what a stream holds; return the error if that fails, and discard the rest."""
    try:
        stream.flush()
    except OSError as error:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # so that Python's last flush is quiet, too
        return error
    return None


def plain_letters(error: UnicodeError) -> tuple[str, int]:
    """The replacement for characters that an encoding lacks, as a handler of `codecs`: é is e, → is ->, 猫 is ?."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


codecs.register_error("plain_letters", plain_letters)


def _plain(c: str) -> str:
    if "\udc80" <= c <= "\udcff":  # a byte of a file name that is no character
        return f"\\x{ord(c) - 0xDC00:02x}"
    if unicodedata.combining(c):  # an accent of its own, as in x̂
        return ""
    return LETTERS.get(c) or unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode() or "?"


def _open_closed_descriptors() -> None:
    """Open those of 0, 1 and 2 that are closed on the null device: otherwise the next file opened would be standard
    output, and get what a library prints."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _put_back(*streams: Any) -> None:
    sys.stdin, sys.stdout, sys.stderr = streams


def _reconfigure(stream: TextIOWrapper, errors: str | None) -> None:
    with suppress(OSError, ValueError):  # it writes out what it holds first, and may be closed
        stream.reconfigure(errors=errors)
