"""Files, written so that a kill at any moment leaves the old one or the new one, and errors that say what to do."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from .errors import RunError
from .signals import unfinished

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_CAUSES = {  # what to do about it
    **dict.fromkeys([errno.ENOSPC, errno.EDQUOT, errno.EFBIG], "free some space, then {again}"),
    **dict.fromkeys([errno.EACCES, errno.EPERM, errno.EROFS], "choose a writable {place} with {option}"),
    **dict.fromkeys([errno.ENOTDIR, errno.EEXIST], "a file is in the way; choose another {place} with {option}"),
    errno.EISDIR: "a folder is in the way; choose another {place} with {option}",
}


def cache_dir() -> Path:
    """Where downloads and compiled code are kept: $TINYGEN_CACHE, or tinygen in $XDG_CACHE_HOME, or ~/.cache/tinygen.

    Raises RuntimeError if that needs a home directory and there is none.
    """
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))  # ignored unless absolute: XDG Base Directory 0.8
    if own := os.environ.get("TINYGEN_CACHE"):
        return Path(own).expanduser()
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "tinygen"


def code_dir() -> Path:
    """Where compiled code is kept: in `cache_dir`, whose errors it raises."""
    return cache_dir() / "code"


def kernels_kept() -> tuple[int, str]:
    """How many compiled kernels CuPy keeps, and in which folder: $CUPY_CACHE_DIR, or ~/.cupy/kernel_cache."""
    folder = os.environ.get("CUPY_CACHE_DIR", os.path.expanduser("~/.cupy/kernel_cache"))
    return sum(name.endswith(".cubin") for name in os.listdir(folder)) if os.path.isdir(folder) else 0, folder


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading its bytes. Raises OSError, also for a pipe or a device: they may never end."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return file


def hold(lock: IO[Any]) -> bool:
    """Lock an open file until it is closed; False if another process holds it. A kill releases it."""
    try:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a network file system without locks: to go on is better than to refuse
    return True


@contextmanager
def writing(
    path: str | os.PathLike[str], place: str = "place", option: str = "--out", again: str = "try again"
) -> Iterator[None]:
    """Turn an OSError of the block, which writes `path`, into a RunError that names it and says what to do.

    place, option: what else the caller might choose, and how.  again: what to do once there is space.
    """
    try:
        yield
    except OSError as error:
        advice = _CAUSES.get(error.errno or 0, "choose another {place} with {option}")
        advice = advice.format(place=place, option=option, again=again)
        raise RunError(f"can't write {path}: {error.strerror or error}; {advice}") from error


def check_place(path: str | os.PathLike[str], option: str = "--out") -> None:
    """Raise RunError, before long work begins, if a file can't be written at `path` as things stand."""
    path = Path(path)
    with writing(path, option=option):
        if path.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        with os.scandir(path.parent):  # raises an error of its own if the folder is missing, or is a file
            pass
        if not os.access(path.parent, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` to write to; when the block ends well it replaces `path` in one step.

    The bytes are on the disk (fsync) before the rename, so a power cut can't leave an empty file under the final name.
    If the block fails, the temporary file is removed and `path` stays as it was. Its name is hidden and ends in
    ".part", so that neither a listing of *.png nor one of *.safetensors finds it; tell the writer the format.
    Raises OSError if the folder is missing or can't be written, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.part")
    unfinished.add(str(temporary))
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:  # Ctrl-C too
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            error.filename = str(path)  # the name that the caller knows
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        unfinished.discard(str(temporary))
