"""The picture files in a folder, and those left out, by reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ..errors import DataError

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".tif", ".tiff", ".avif", ".bmp", ".dib"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".tga"),
)
RUN = {".lock", "checkpoints", "samples"}  # in every run directory from its start
NAMED = 5  # files named in a message, at most


class Skipped:
    """Files that are left out, by reason; as text, "2 empty (a.png, b.png), 1 broken (c.png)"."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, file: Path, root: Path) -> None:
        self._names.setdefault(reason, []).append(shown(file.relative_to(root).as_posix()))

    def __len__(self) -> int:
        return sum(map(len, self._names.values()))

    def __str__(self) -> str:
        return ", ".join(f"{len(names):,} {reason} ({listed(names)})" for reason, names in self._names.items())


def find_pictures(root: Path) -> tuple[list[Path], Skipped, Counter[str]]:
    """The files below root that are pictures by their names, in the order of their paths; those left out; and the
    number of other files, by kind.

    Links to folders are followed, but no folder is read twice; hidden files and folders are skipped, and so are
    tinygen runs, as one may lie in the folder of its data. Raises DataError if root can't be listed or is a run.
    """
    files, skipped, others = list[Path](), Skipped(), Counter[str]()
    folders, linked, seen = [root], list[Path](), set[tuple[int, int]]()
    while folders or linked:
        folder = folders.pop() if folders else linked.pop(0)  # links last: a folder goes by its own name
        try:
            entries, known = sorted(os.listdir(folder)), os.stat(folder)
        except OSError as error:
            if folder == root:
                raise DataError(f"folder: {shown(root)} can't be listed ({error.strerror})") from None
            skipped.add("folders that can't be listed", folder, root)
            continue
        if (known.st_dev, known.st_ino) in seen:
            others["links to a folder already read"] += 1
            continue
        seen.add((known.st_dev, known.st_ino))
        if {*entries} >= RUN:
            if folder == root:
                raise DataError(f"folder: {shown(root)} is a tinygen run; give the folder of its images, or the run "
                                "another directory (--out)")  # fmt: skip
            others["tinygen runs"] += 1
            continue
        for path in [folder / name for name in entries if not name.startswith(".")]:
            if os.path.isdir(path):  # unlike Path.is_dir, it never raises
                (linked if path.is_symlink() else folders).append(path)
            elif not path.name.lower().endswith(SUFFIXES):
                others[shown(path.suffix.lower()) or "without a suffix"] += 1
            elif not os.path.isfile(path):
                skipped.add("not a regular file: a pipe, a socket, a device or a broken link", path, root)
            elif os.path.getsize(path) == 0:
                skipped.add("empty", path, root)
            else:
                files.append(path)
    return sorted(files, key=lambda file: file.relative_to(root).as_posix()), skipped, others


def counted(n: int, one: str, many: str) -> str:
    """n and the words for one, or for several."""
    return f"{n:,} {one if n == 1 else many}"


def listed(names: Iterable[str], most: int = NAMED) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def shown(name: object) -> str:
    """A name or path in characters that can be printed: line breaks and bytes that are not text are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(name))
