"""A checkpoint on the disk: a safetensors file of arrays, with everything else as JSON in its metadata.

Nothing here can run code from a file: there is no pickle. The format is at https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..checks import check_installed
from ..errors import RunError
from ..files import open_regular
from . import contents, disk

FORMAT = 1  # of checkpoints, recordings and config.json; files of a larger one, from a newer tinygen, are left alone
FACTS = {"model": "", "config": {}, "generators": {}, "callbacks": {}}  # defaults for what a checkpoint lacks
CALLBACK_PREFIX = "callbacks/"  # of the names of callbacks' arrays

_DTYPES = {"bool": "BOOL"} | {
    f"{word}{bits}": f"{letter}{bits}"
    for word, letter in (("int", "I"), ("uint", "U"), ("float", "F"))
    for bits in (8, 16, 32, 64)
}


@dataclass
class Snapshot:
    """A run after some step: host copies of its arrays, and the rest as values that JSON can hold."""

    step: int
    tensors: dict[str, np.ndarray]
    facts: dict[str, Any]
    source: str = "the checkpoint in memory"

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The arrays of the model, without those of callbacks."""
        return {name: x for name, x in self.tensors.items() if not name.startswith(CALLBACK_PREFIX)}


class DamagedError(RunError):
    """A file that does not hold what was written, or is not a checkpoint at all."""


class NewerError(RunError):
    """A file that a newer tinygen wrote: no command reads, changes or renames it."""

    def __init__(self, path: Path):
        super().__init__(f"{path}: written by a newer tinygen; install that version to use it")


def save(path: Path, tensors: dict[str, Array], metadata: dict[str, Any]) -> None:
    """Write arrays, and metadata that JSON can hold, as one file, whole or not at all. Raises RunError, and TypeError
    for contents that such a file can't hold.

    Equal contents make equal files; safetensors' own writer, which orders the metadata at random, doesn't promise that.
    """
    arrays = {name: _plain(name, to_host(x)) for name, x in tensors.items()}
    texts = {key: json.dumps(value) for key, value in {**metadata, "tinygen": FORMAT}.items()}
    disk.write(path, _encoded(arrays, {**texts, "crc32": _checksum(arrays, texts)}))


def _encoded(arrays: dict[str, np.ndarray], texts: dict[str, str]) -> bytes:
    """The bytes of a safetensors file: the length of the header, the header, the arrays."""
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header, end = dict[str, Any](__metadata__=dict(sorted(texts.items()))), 0
    for name in order:
        x = arrays[name]
        header[name] = {"dtype": _DTYPES[x.dtype.name], "shape": x.shape, "data_offsets": (end, end + x.nbytes)}
        end += x.nbytes
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([len(head).to_bytes(8, "little"), head, *(arrays[name].tobytes() for name in order)])


def _plain(name: str, x: np.ndarray) -> np.ndarray:
    """An array as the file holds it, in C order with the low byte first."""
    if x.dtype.name not in _DTYPES:
        raise TypeError(f"{name} is an array of {x.dtype}, which a checkpoint can't hold")
    return np.asarray(x, x.dtype.newbyteorder("<"), order="C")


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the metadata of a checkpoint.

    Raises DamagedError for a file that is truncated, damaged or of another program, NewerError for one of a newer
    tinygen, and RunError for one that is missing or can't be read.
    """
    check_installed("a checkpoint", "safetensors")
    from safetensors import SafetensorError, safe_open

    try:
        with open_regular(path):  # an error of the system doesn't mean that the file is damaged
            pass
        with safe_open(path, framework="np") as file:
            texts = dict(sorted((file.metadata() or {}).items()))  # safetensors gives them in any order
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such checkpoint") from None
    except (SafetensorError, IsADirectoryError) as error:
        raise DamagedError(f"{path}: truncated, or not a checkpoint at all ({error}); {_ADVICE}") from None
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror or error}") from None
    version, checksum = texts.get("tinygen"), texts.pop("crc32", None)
    if version is None:
        raise DamagedError(f"{path}: a safetensors file, but not a tinygen checkpoint; {_ADVICE}")
    if version.isdecimal() and int(version) > FORMAT:
        raise NewerError(path)
    if checksum != _checksum(tensors, texts):
        raise DamagedError(f"{path}: damaged, its checksum does not match its contents; {_ADVICE}")
    try:
        return tensors, {key: contents.parse(text) for key, text in texts.items() if key != "tinygen"}
    except ValueError:
        raise DamagedError(f"{path}: damaged, its metadata are not JSON; {_ADVICE}") from None


def read_checkpoint(path: Path) -> Snapshot:
    """The snapshot in a checkpoint file. Raises RunError, as `load` does."""
    tensors, facts = load(path)
    fault = contents.fault({**FACTS, **facts}, contents.CHECKPOINT)
    if not fault and (name := contents.first_not_finite(tensors)):
        fault = f"{name} is not finite"
    if (
        not fault
        and (number := re.fullmatch(r"step_(\d{6,})\.safetensors", path.name))
        and int(number[1]) != facts["step"]
    ):
        fault = f"it holds step {facts['step']}"
    if fault:
        raise DamagedError(f"{path}: damaged, or not the checkpoint of a run: {fault}; give another checkpoint or run")
    return Snapshot(facts["step"], tensors, {**FACTS, **facts}, str(path))


_ADVICE = "give another checkpoint or run"


def _checksum(tensors: dict[str, np.ndarray], texts: dict[str, str]) -> str:
    """CRC-32 of the contents of a checkpoint, in the order of the names."""
    crc = zlib.crc32(repr(sorted(texts.items())).encode())
    for name, x in sorted(tensors.items()):
        crc = zlib.crc32(f"{name} {x.dtype} {x.shape}".encode(), crc)
        crc = zlib.crc32(x.data if x.size else b"", crc)  # an empty array has no buffer
    return str(crc)
