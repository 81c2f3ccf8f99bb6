"""What can go wrong when a run reads and writes its files, said so that a user can mend it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RunError
from ..files import replace_file

_IN_THE_WAY = "a file is in the way; choose another directory with --out"
_FULL = "free some space, then go on with --resume"
_FORBIDDEN = "choose a directory in which you may write with --out"
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block, which writes `path`, into a RunError that says what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "choose another directory with --out")
        raise RunError(f"can't write {path}: {error.strerror or error}; {advice}") from error


def write(path: Path, data: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old one or the new one. Raises RunError."""
    with writing(path), replace_file(path) as temporary:
        temporary.write_bytes(data)


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files that a kill left in a folder and those below it."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def append(path: Path, line: str) -> None:
    """Add a line to a file; a kill after this call does not undo it. Raises RunError."""
    with writing(path), open(path, "ab") as file:
        file.write(line.encode() + b"\n")


def flush(path: Path) -> None:
    """Bring what was appended down to the disk: a power cut after this call does not undo it. Raises RunError."""
    if path.exists():
        with writing(path), open(path, "rb+") as file:
            os.fsync(file.fileno())
