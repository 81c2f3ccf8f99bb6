"""Lines of code: where an op was called."""

from __future__ import annotations

import contextlib
import functools
import linecache
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import NamedTuple

from . import gradients, ops

_PACKAGE = Path(__file__).parent
_PLUMBING = {
    contextlib.__file__,
    f"{__package__}.kernels",  # the choice of a kernel is made of text
    *(str(_PACKAGE / file) for file in ("layers/module.py", "tracing.py")),
}


def _engine() -> tuple[str, ...]:
    """The engine's files and folders: those of the ops, of grad, and of all that these use."""
    name, found, stack = __package__, set[str](), [ops.__name__, gradients.__name__]
    seen = set(stack)
    while stack:
        module = sys.modules[stack.pop()]
        found.add(str(_PACKAGE / Path(str(module.__file__)).relative_to(_PACKAGE).parts[0]))
        used = {
            v.__name__ if isinstance(v, ModuleType) else getattr(v, "__module__", "") for v in vars(module).values()
        }
        inside = {m for m in used - seen if str(m).startswith(f"{name}.") and m in sys.modules}
        seen |= inside
        stack += inside
    return tuple(found)


_ENGINE = (*_engine(), str(_PACKAGE / "compiler"))


class Place(NamedTuple):
    """A line of code outside the engine."""

    file: str
    line: int
    function: str

    @property
    def code(self) -> str:
        """The text of the line."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to this package, not to the user's code."""
        return Path(self.file).is_relative_to(_PACKAGE)

    def __str__(self) -> str:
        return f"{_short(self.file)}:{self.line} in {self.function}: {self.code}"


def lines_above(frame: FrameType | None) -> tuple[Place, ...]:
    """The lines that led to an op from the training loop (this package excluded) or a compiled step, the
    innermost first."""
    places: list[Place] = []
    while frame is not None and (kind := _kind_of(frame.f_code.co_filename)) != "end":
        if kind == "code":
            places.append(Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(places)


def lines_of(error: BaseException) -> tuple[Place, ...]:
    """The lines from where an error is handled down to where it was raised (the engine's excluded), the innermost
    first."""
    places, trace = list[Place](), error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if _kind_of(code.co_filename) == "code":
            places.insert(0, Place(code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return tuple(places)


@functools.cache
def _kind_of(file: str) -> str:
    """Whether lines of a file are shown, "code"; left out, "engine"; or left out with all above them, "end"."""
    if Path(file).is_relative_to(_PACKAGE / "train") or file == str(_PACKAGE / "compiler" / "compiled.py"):
        return "end"
    return "engine" if file in _PLUMBING or file.startswith(_ENGINE) else "code"


def _short(file: str) -> str:
    """A path, relative to the current folder if it lies inside."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
