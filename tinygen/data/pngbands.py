"""A large PNG, read a band of rows at a time, so that it is never in memory as a whole.

Pillow decodes a picture all at once. So each band becomes a PNG of its own, in memory: its rows, still filtered as in
the file, below the row above them, which the filters refer to. Source: W3C, Portable
Network Graphics Specification (third edition), 5 (chunks), 9 (filters).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = (b"PLTE", b"tRNS", b"eXIf")  # chunks that each band needs
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # a pixel, by the colour type
READ = 1 << 16


def png_bands(file: Path, rows: int) -> Iterator[Image.Image]:
    """The picture in a PNG of 8 bits a sample that is not interlaced, `rows` rows at a time.

    Raises what Pillow, zlib and struct raise for a broken file: OSError, SyntaxError, zlib.error and others.
    """
    from PIL import Image

    with open(file, "rb") as source:
        chunks = dict[bytes, tuple[int, int]]()
        for kind, start, length in _chunks(source):
            chunks.setdefault(kind, (start, length))  # the first one counts, as it does for Pillow
        width, height, _, colour = struct.unpack(">IIBB", _body(source, *chunks[b"IHDR"])[:10])
        kept = b"".join(_chunk(kind, _body(source, *chunks[kind])) for kind in KEPT if kind in chunks)
        stream, above = _Inflated(source), b""
        for top in range(0, height, rows):
            count = min(rows, height - top)
            band = (b"\0" + above if above else b"") + stream.read(count * (1 + width * SAMPLES[colour]))
            header = struct.pack(">IIBBBBB", width, count + bool(above), 8, colour, 0, 0, 0)
            chunked = _chunk(b"IHDR", header) + kept + _chunk(b"IDAT", zlib.compress(band, 0)) + _chunk(b"IEND", b"")
            with Image.open(io.BytesIO(SIGNATURE + chunked), formats=["PNG"]) as image:
                image.load()
            yield image.crop((0, 1, width, count + 1)) if above else image
            above = image.crop((0, image.height - 1, width, image.height)).tobytes()


class _Inflated:
    """The rows of a PNG as its IDAT chunks hold them, inflated as far as they are read."""

    def __init__(self, source: IO[bytes]):
        self._deflated, self._zlib = self._read_idat(source), zlib.decompressobj()

    @staticmethod
    def _read_idat(source: IO[bytes]) -> Iterator[bytes]:
        for start, length in [(start, length) for kind, start, length in _chunks(source) if kind == b"IDAT"]:
            for at in range(start, start + length, READ):
                yield _body(source, at, min(READ, start + length - at))

    def read(self, n: int) -> bytes:
        """The next n bytes. Raises OSError if there are fewer."""
        out = bytearray()
        while len(out) < n:
            deflated = self._zlib.unconsumed_tail or next(self._deflated, b"")
            if self._zlib.eof or not deflated:
                raise OSError("the PNG ends too early")
            out += self._zlib.decompress(deflated, n - len(out))
        return bytes(out)


def _chunks(source: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk: its kind, and where its contents start and how long they are."""
    at = len(SIGNATURE)
    while True:
        source.seek(at)
        head = source.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, at + 8, length
        at += length + 12


def _body(source: IO[bytes], start: int, length: int) -> bytes:
    source.seek(start)
    return source.read(length)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
