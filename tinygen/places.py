"""Lines of code: where an op was called."""

from __future__ import annotations

import contextlib
import linecache
from pathlib import Path
from types import FrameType
from typing import NamedTuple

_PACKAGE = Path(__file__).parent
_MODULE = str(_PACKAGE / "layers" / "module.py")
_ENGINE = tuple(str(_PACKAGE / name) for name in ("tensor.py", "tape.py", "backend.py", "ops", "kernels"))


class Place(NamedTuple):
    """A line of code outside the engine."""

    file: str
    line: int
    function: str

    @property
    def code(self) -> str:
        """What stands there."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def is_ours(self) -> bool:
        """Whether it is a line of this package, and not of its user's code."""
        return Path(self.file).is_relative_to(_PACKAGE)

    def __str__(self) -> str:
        return f"{_short(self.file)}:{self.line} in {self.function}: {self.code}"


def lines_above(frame: FrameType | None) -> tuple[Place, ...]:
    """The lines that led to an op from the training loop (this package excluded), the innermost first."""
    places: list[Place] = []
    while frame is not None and not Path(frame.f_code.co_filename).is_relative_to(_PACKAGE / "train"):
        file = frame.f_code.co_filename
        plumbing = file == contextlib.__file__ or (file == _MODULE and frame.f_code.co_name == "__call__")
        if not plumbing and not file.startswith(_ENGINE):
            places.append(Place(file, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(places)


def _short(file: str) -> str:
    """A path as one would type it here."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
