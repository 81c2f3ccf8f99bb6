"""Writing files so that a kill at any moment leaves the old one or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .signals import unfinished


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` to write to; when the block ends well it takes the place of `path` in one step.

    The bytes are on the disk (fsync) before the rename, so a power cut can't leave an empty file under the final name.
    If the block fails, the temporary file goes and `path` is as it was. The temporary name is hidden and ends in
    ".part", so that neither a listing of *.png nor one of *.safetensors finds it; name the format to what writes it.
    Raises OSError where the folder is missing or can't be written, or the disk is full.
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
