"""IDX, the format in which MNIST is published: a magic number, the lengths of the axes, and the values.

byte 0, 1: zero.  byte 2: type code.  byte 3: number of axes.  Then a 32-bit length for each axis and the values, last
axis fastest; all numbers are big-endian. Source: the page of the MNIST database (Y. LeCun, C. Cortes and C. Burges),
"The IDX file format".
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from ..errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
LARGEST = 1 << 31  # bytes of an array; MNIST has 47 million
CHUNK = 1 << 20


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzipped or not, in the machine's byte order.

    Raises DataError if a byte is wrong, or the array is larger than LARGEST. The size in the header is checked before
    memory is allocated, so a few bytes can't be inflated to many.
    """
    try:
        with open(path, "rb") as file:
            zipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            return _read(gzip.GzipFile(fileobj=file) if zipped else file)
    except DataError as error:
        raise DataError(f"{path}: {error}; delete it and load again") from None
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path} can't be read ({error.strerror})") from None
        raise DataError(f"{path}: broken gzip file ({error}); delete it and load again") from None


def parse_idx(raw: bytes) -> np.ndarray:
    """The array in the bytes of an uncompressed IDX file.  Raises DataError if a byte is wrong, missing or extra."""
    return _read(io.BytesIO(raw))


def _read(file: io.BufferedIOBase) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise DataError(f"not an IDX file: it begins with {head.hex(' ') or 'nothing'} instead of two zero bytes")
    code, axes = head[2], head[3]
    if code not in TYPES:
        raise DataError(f"type code is 0x{code:02X}, but IDX has {', '.join(f'0x{known:02X}' for known in TYPES)}")
    lengths = file.read(4 * axes)
    if axes == 0 or len(lengths) < 4 * axes:
        raise DataError(f"the header announces {axes} axes in a file of {4 + len(lengths)} bytes")
    shape, dtype = tuple(np.frombuffer(lengths, ">u4").tolist()), np.dtype(TYPES[code])
    start, size = 4 + 4 * axes, math.prod(shape) * dtype.itemsize
    if size > LARGEST:
        raise DataError(f"it announces an array of shape {shape}, {size:,} bytes, more than the {LARGEST:,} allowed")
    raw = _up_to(file, size)
    more = file.read(1)  # reading past the end also checks a gzip file's checksum
    if more or len(raw) < size:
        came = f"{start + len(raw):,}" if not more else f"more than {start + size:,}"
        raise DataError(f"{came} bytes, but an array of shape {shape} takes {start + size:,}")
    return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("=")).reshape(shape)


def _up_to(file: io.BufferedIOBase, n: int) -> bytearray:
    """At most n bytes, allocated only as far as the file has them."""
    raw = bytearray()
    while len(raw) < n and (chunk := file.read(min(CHUNK, n - len(raw)))):
        raw += chunk
    return raw
