"""What students hand in: folders or zip files, read without unpacking, links or surprises."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import RunError

LARGEST_FILE, MOST_FILES = 1 << 20, 200  # bytes; files


@dataclass(frozen=True)
class Submission:
    """What one student handed in: the bytes of each file, by its name without folders."""

    student: str
    files: dict[str, bytes]

    def source(self, name: str) -> str | None:
        """The text of a piece's file; None if it wasn't handed in. What is no text is replaced, and no Python then."""
        data = self.files.get(f"{name}.py")
        return None if data is None else data.decode("utf-8-sig", errors="replace").replace("\0", "�")

    def extra(self, names: Sequence[str]) -> dict[str, Any]:
        """The other files of a piece; see `as_inputs`."""
        return as_inputs({name: self.files.get(name, b"") for name in names})


def as_inputs(files: dict[str, bytes]) -> dict[str, Any]:
    """Files as a probe gets them: arrays of bytes, by the stems of the names; an empty one for what is missing."""
    return {Path(name).stem: np.frombuffer(data, np.uint8) for name, data in files.items()}


def submission(path: Path, student: str) -> Submission:
    """A folder or a zip file. Files over 1 MiB, links, and more than 200 files are left out.

    Raises RunError if it is neither, or a zip file that can't be read.
    """
    files: dict[str, bytes] = {}
    if path.is_dir():
        found = sorted(path.rglob("*"), key=lambda file: (len(file.parts), file))
        for file in found:
            if file.is_file() and not file.is_symlink() and file.stat().st_size <= LARGEST_FILE:
                files.setdefault(file.name, file.read_bytes())
            if len(files) == MOST_FILES:
                break
        return Submission(student, files)
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(archive.infolist(), key=lambda member: (member.filename.count("/"), member.filename))
            for member in members[:MOST_FILES]:
                if not member.is_dir() and member.file_size <= LARGEST_FILE:
                    with archive.open(member) as opened:
                        files.setdefault(PurePosixPath(member.filename).name, opened.read(LARGEST_FILE))
    except Exception as error:  # zipfile and zlib raise many kinds for a damaged file
        raise RunError(f"{path}: expected a folder or a zip file of what a student handed in ({error})") from error
    return Submission(student, files)


def submissions(folder: Path) -> Iterator[Submission]:
    """Those of a class: a folder or a zip file a student, named by the student's id. Raises RunError if there are none.

    A zip file that can't be read is a submission without files: one student's upload doesn't stop the class.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: expected a folder with a folder or a zip file for each student")
    found = sorted(path for path in folder.iterdir() if path.is_dir() or path.suffix == ".zip")
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise RunError(f"{folder}: there is no submission; expected a folder or a zip file for each student")
    for path in found:
        student = path.stem if path.suffix == ".zip" else path.name
        try:
            yield submission(path, student)
        except RunError:
            yield Submission(student, {})
