"""How a run writes its files, with errors that say what to do."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

from .. import files
from ..files import replace_file


def writing(path: Path) -> AbstractContextManager[None]:
    """Turn an OSError of the block, which writes `path`, into a RunError that says what to do."""
    return files.writing(path, "directory", "--out", "try again, with --resume if a step was made")


def write(path: Path, data: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old one or the new one. Raises RunError."""
    with writing(path), replace_file(path) as temporary:
        temporary.write_bytes(data)


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files that a kill left in a folder and its subfolders."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def append(path: Path, line: str) -> None:
    """Add a line to a file; a kill after this call does not undo it. Raises RunError."""
    with writing(path), open(path, "ab") as file:
        file.write(line.encode() + b"\n")


def flush(path: Path) -> None:
    """Force what was appended to the disk: a power cut after this call does not undo it. Raises RunError."""
    if path.exists():
        with writing(path), open(path, "rb+") as file:
            os.fsync(file.fileno())
