"""IDX, the format in which MNIST is published: a magic number, the lengths of the axes, and the values.

byte 0, 1: zero.  byte 2: type code.  byte 3: number of axes.  Then one 32-bit length an axis and the values, last axis
fastest; all numbers have their most significant byte first. Source: the page of the MNIST database (Y. LeCun, C. Cortes
and C. Burges), "The IDX file format".
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from ..errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzipped or not, in the machine's byte order.  Raises DataError if a byte is amiss."""
    raw = path.read_bytes()
    if raw.startswith(GZIP_MAGIC):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: broken gzip file ({error}); delete it and load again") from None
    try:
        return parse_idx(raw)
    except DataError as error:
        raise DataError(f"{path}: {error}; delete it and load again") from None


def parse_idx(raw: bytes) -> np.ndarray:
    """The array in the bytes of an uncompressed IDX file.  Raises DataError if a byte is missing, amiss or too many."""
    if len(raw) < 4 or raw[:2] != b"\0\0":
        raise DataError(f"not an IDX file: it begins with {raw[:4].hex(' ') or 'nothing'} instead of two zero bytes")
    code, axes = raw[2], raw[3]
    if code not in TYPES:
        raise DataError(f"type code is 0x{code:02X}, but IDX has {', '.join(f'0x{known:02X}' for known in TYPES)}")
    start = 4 + 4 * axes
    if axes == 0 or len(raw) < start:
        raise DataError(f"the header announces {axes} axes in a file of {len(raw)} bytes")
    shape = tuple(np.frombuffer(raw, ">u4", axes, offset=4).tolist())
    dtype = np.dtype(TYPES[code])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise DataError(f"{len(raw):,} bytes, but an array of shape {shape} takes {expected:,}")
    return np.frombuffer(raw, dtype, offset=start).astype(dtype.newbyteorder("=")).reshape(shape)
