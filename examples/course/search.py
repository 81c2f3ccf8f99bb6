"""Search wheels, sdists and folders for lines of the solutions: python examples/course/search.py dist/* tinygen

The exit code is 1 if there is one.
"""

import sys
import tarfile
import zipfile
from pathlib import Path

from tinygen.course import pieces
from tinygen.course.masters import masters


def texts(path):
    """The files of an archive or a folder: name and bytes."""
    if path.is_dir():
        yield from ((str(file), file.read_bytes()) for file in path.rglob("*") if file.is_file())
    elif path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as archive:
            yield from ((name, archive.read(name)) for name in archive.namelist())
    else:
        with tarfile.open(path) as archive:
            yield from ((member.name, archive.extractfile(member).read()) for member in archive if member.isfile())


def found(path, lines):
    """What was found: "file: line"."""
    for name, data in texts(path):
        own = {line.strip() for line in data.decode(errors="replace").splitlines()}
        yield from (f"{path}: {name}: {line}" for line in sorted(own & lines))


def lines_of_the_engine():
    """The lines of tinygen itself, which may well be those of a solution: it is the answer key."""
    course = Path(pieces.__file__).parent
    files = [file for file in course.parent.rglob("*.py") if course not in file.parents]
    return {line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()}


if __name__ == "__main__":
    lines = {
        line for master in masters(Path(__file__).parent) for line in master.solution_lines()
    } - lines_of_the_engine()
    leaks = [leak for path in sys.argv[1:] for leak in found(Path(path), lines)]
    print("\n".join(leaks) or f"{len(lines)} lines of solutions, none of them in {', '.join(sys.argv[1:])}")
    sys.exit(bool(leaks))
