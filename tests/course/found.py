"""The masters of this repository, found once."""

from pathlib import Path

from tinygen.course.masters import masters

FOLDER = Path(__file__).parents[2] / "examples" / "course"
ALL = masters(FOLDER)
