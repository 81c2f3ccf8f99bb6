"""A checkpoint on the disk: a safetensors file of arrays, with everything else as JSON in its metadata.

Nothing here can run code from a file: there is no pickle. The format is at https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..errors import RunError
from . import files

VERSION = 1


def host_copy(x: Array) -> np.ndarray:
    """x as a C-contiguous NumPy array of its own.

    safetensors' NumPy writer stores the memory of an array as it lies, which for any other order is a wrong array.
    """
    return np.array(to_host(x), order="C", copy=True)


def save(path: Path, tensors: dict[str, Array], metadata: dict[str, Any]) -> None:
    """Write arrays, and metadata that JSON can hold, as one file, whole or not at all. Raises RunError."""
    from safetensors.numpy import save as to_bytes

    arrays = {name: host_copy(x) for name, x in tensors.items()}
    facts = {**metadata, "tinygen": VERSION, "crc32": _checksum(arrays)}
    files.write(path, to_bytes(arrays, {key: json.dumps(value) for key, value in facts.items()}))


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the metadata of a checkpoint.

    Raises RunError for a file that is missing, truncated, damaged, of another program or of a newer tinygen.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            facts, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such checkpoint") from None
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path}: truncated, or not a checkpoint at all ({error}); {_ADVICE}") from None
    if "tinygen" not in facts:
        raise RunError(f"{path}: a safetensors file, but not one of tinygen's; {_ADVICE}")
    metadata = {key: json.loads(value) for key, value in facts.items()}
    if metadata.pop("tinygen") > VERSION:
        raise RunError(f"{path}: written by a newer tinygen; install that one to read it")
    if metadata.pop("crc32") != _checksum(tensors):
        raise RunError(f"{path}: damaged, its checksum does not fit its contents; {_ADVICE}")
    return tensors, metadata


_ADVICE = "give another checkpoint or run, or remove it to use the one before"


def _checksum(tensors: dict[str, np.ndarray]) -> int:
    """CRC-32 of the arrays' bytes, in the order of their names."""
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].data if tensors[name].size else b"", crc)
    return crc
