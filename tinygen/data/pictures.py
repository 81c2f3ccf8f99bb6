"""A picture file as a small square: shrunk while it is decoded, converted, fitted and turned upright."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, by the number of channels

# Pillow reads more; EPS starts Ghostscript, and the others are not pictures to learn from.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF", "BMP", "DIB", "PPM", "JPEG2000", "TGA")

MOST = 100_000_000  # pixels of a picture that can't be shrunk while it is decoded: 400 MB
WEIGHT = {"WEBP": 3, "AVIF": 3}  # times the memory, for their decoders
TOO_LARGE = "too large to decode (a decompression bomb?)"
LARGE = 1 << 24  # pixels: a larger picture is shrunk band by band
BAND = 1 << 20  # pixels of a band, about
ORIENTATION = 0x0112  # EXIF's tag


class Picture(NamedTuple):
    """A picture as it is read.

    pixels: (h, w, C) as uint8, h and w at most the requested size; or the file's values as float32, if they have more
    than 8 bits, with colours multiplied by their opacity.
    shape: height and width of the file.  span: the least and the largest value in a file of more than 8 bits.
    whole: whether they are whole numbers.  more: "frames" or "pages", if only the first was taken.
    """

    pixels: np.ndarray
    shape: tuple[int, int]
    span: tuple[float, float] | None = None
    whole: bool = True
    more: str = ""


def read_picture(file: Path, size: int | None, channels: int, fit: str = "crop") -> Picture:
    """The picture in a file for a square of that size, or in its own size if that is None.  fit: one of FITS.

    crop: the square in its middle.  pad: all of it, with the longer side as long as the square's.  stretch: all of it,
    to a square.  Raises DataError with the reason for a file that can't be read as a picture.
    """
    from PIL import Image

    try:
        with Image.open(file, formats=[name for name in FORMATS if name in _readers()]) as image:
            return _read(image, file, size, channels, fit)
    except DataError:
        raise
    except Image.UnidentifiedImageError:
        if file.suffix.lower() not in Image.registered_extensions():
            raise DataError("of a kind that this Pillow can't read") from None
        raise DataError("no picture, whatever the name says") from None
    except (Image.DecompressionBombError, MemoryError):
        raise DataError(TOO_LARGE) from None
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error and others
        refused = isinstance(error, OSError) and error.errno is not None  # by the system, not by a reader
        raise DataError(f"can't be read: {error.strerror}" if refused else "broken or cut short") from None  # type: ignore


def to_bytes(picture: Picture, span: tuple[float, float], size: int | None, channels: int) -> np.ndarray:
    """The pixels (size, size, channels) as uint8, or (h, w, channels) for no size; the rest of the square is black, or
    transparent.

    Values of more than 8 bits are scaled from a span to 0 to 255. Transparent pixels are laid on white, unless there is
    a channel for opacity.
    """
    from PIL import Image

    x = picture.pixels if picture.span is None else _scaled(picture.pixels, *span)
    small = Image.fromarray(x[..., 0] if x.shape[2] == 1 else x)
    if small.mode == "RGBA" and channels < 4:
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    w, h = small.size
    square = np.zeros((size or h, size or w, channels), np.uint8)
    inside = square[(len(square) - h) // 2 :, (square.shape[1] - w) // 2 :][:h, :w]
    inside[...] = np.asarray(small.convert(MODES[channels])).reshape(h, w, channels)
    return square


def _scaled(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values of more than 8 bits as uint8; a fourth channel is opacity, of as many bits as the colours or of 16."""
    x, opacity = np.split(x, [3], axis=2)
    if opacity.size:
        x = np.divide(x, opacity, where=opacity > 0, out=np.zeros_like(x))
    opaque = high if opacity.max(initial=0) <= high else 65_535
    x = np.dstack([(x.clip(low, high) - low) / (high - low), (opacity / opaque).clip(0, 1)])
    return np.rint(255 * x).astype(np.uint8)


def _readers() -> dict[str, object]:
    """Pillow's readers, by format."""
    from PIL import Image

    Image.init()
    return Image.OPEN  # type: ignore[return-value]


def _read(image: Image.Image, file: Path, size: int | None, channels: int, fit: str) -> Picture:
    shape, more = (image.height, image.width), _more(image)
    if size:
        image.draft(MODES[min(channels, 3)], (size, size))  # a JPEG is decoded up to 8 times smaller
    pixels = image.width * image.height
    if "progressive" in image.info:  # such a JPEG stays in memory whole until its last scan is read
        pixels = max(pixels, shape[0] * shape[1])
    gap = 3 * size if size else min(image.size)  # 3: what Pillow calls a fair reducing_gap
    k = max(1, min(image.size) // gap) if pixels > LARGE else 1
    rows = k * max(1, BAND // (image.width * k))
    streamed = k > 1 and _is_plain_png(image)
    if pixels * WEIGHT.get(str(image.format), 1) > MOST and not streamed:
        raise DataError(TOO_LARGE)
    bands: Iterable[tuple[Image.Image, ...]]
    if streamed:
        from .pngbands import png_bands

        bands = ((band,) for band in png_bands(file, rows))
    else:
        images = _decoded(image, file)
        bands = _cut(images, rows) if k > 1 else [images]
    planes, span, turn = _shrunk(bands, k)
    w, h = image.width / k, image.height / k  # not whole: the last pixel of a plane may stand for fewer than k
    x = np.dstack([np.asarray(_fitted(plane, w, h, size, fit) if size else plane) for plane in planes])
    whole = image.mode != "F"
    return Picture(_turned(x, turn), shape, span, whole, more)


def _more(image: Image.Image) -> str:
    if image.format == "MPO" or not getattr(image, "is_animated", False):  # MPO: previews beside the photograph
        return ""
    return "pages" if image.format == "TIFF" else "frames"


def _raw_mode(image: Image.Image) -> str:
    """The layout of samples in the file, as Pillow names it, such as "RGB;16B"."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _is_plain_png(image: Image.Image) -> bool:
    """Whether it is a PNG of 8 bits a sample that is not interlaced."""
    plain = _raw_mode(image) in ("L", "LA", "P", "RGB", "RGBA")
    return image.format == "PNG" and plain and not image.info.get("interlace")


def _decoded(image: Image.Image, file: Path) -> tuple[Image.Image, ...]:
    """The picture; and for colours of 16 bits, of which Pillow keeps the upper 8, a second one of the lower 8.

    Given the opposite byte order, Pillow takes the lower byte for the upper one.
    """
    from PIL import Image

    mode, _, order = _raw_mode(image).partition(";16")
    with _libtiff_silenced() if image.format == "TIFF" else nullcontext():
        image.load()
    if mode not in ("RGB", "RGBA") or order not in ("B", "L", "N"):
        return (image,)
    little = order == "L" or (order == "N" and sys.byteorder == "little")
    other = f"{mode};16{'B' if little else 'L'}"
    with Image.open(file, formats=[str(image.format)]) as low:
        low.tile = [(*tile[:3], (other, *tile[3][1:]) if isinstance(tile[3], tuple) else other) for tile in low.tile]
        low.load()
    return image, low


@contextmanager
def _libtiff_silenced() -> Iterator[None]:
    """Silence libtiff, which writes about broken files to standard error's descriptor, past Python."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _cut(images: tuple[Image.Image, ...], rows: int) -> Iterator[tuple[Image.Image, ...]]:
    """A decoded picture in bands of `rows` rows, so that intermediate results stay small while it shrinks."""
    width, height = images[0].size
    for top in range(0, height, rows):
        yield tuple(image.crop((0, top, width, min(top + rows, height))) for image in images)


def _shrunk(
    bands: Iterable[tuple[Image.Image, ...]], k: int
) -> tuple[list[Image.Image], tuple[float, float] | None, int]:
    """The planes of a picture in bands, k times smaller; the span of more than 8 bits; its EXIF orientation."""
    parts: list[list[Image.Image]] = []
    spans, turn = list[tuple[float, float]](), 1
    for band in bands:
        turn = turn if parts else _orientation(band[0])
        planes, span = _plain(*band)
        parts.append([plane.reduce(k) if k > 1 else plane for plane in planes])
        spans += [span] if span else []
    whole = (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None
    return [_joined(plane) for plane in zip(*parts, strict=True)], whole, turn


def _joined(parts: tuple[Image.Image, ...]) -> Image.Image:
    """Bands joined one below the other."""
    from PIL import Image

    if len(parts) == 1:
        return parts[0]
    joined, top = Image.new(parts[0].mode, (parts[0].width, sum(part.height for part in parts))), 0
    for part in parts:
        joined.paste(part, (0, top))
        top += part.height
    return joined


def _plain(image: Image.Image, low: Image.Image | None = None) -> tuple[list[Image.Image], tuple[float, float] | None]:
    """The picture as L, RGB or RGBA; or as planes F with the span of their values, if 8 bits can't hold them.

    low: the lower bytes of 16-bit colours.
    """
    from PIL import Image

    if low is not None or image.mode.startswith(("I", "F")):
        x = np.asarray(image).astype(np.float32)
        x = np.atleast_3d(x if low is None else 256 * x + np.asarray(low))
        if not np.isfinite(x).all():
            raise DataError("with values that are NaN or infinite")
        span = float(x[..., :3].min()), float(x[..., :3].max())
        x[..., :3] *= x[..., 3:] if x.shape[2] == 4 else 1  # transparent pixels don't count in averages
        return [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(x, 2, 0)], span
    if image.mode in ("LA", "PA", "La", "RGBa") or "transparency" in image.info or _has_clear_colours(image):
        return [image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")], None
    if image.mode not in MODES.values():
        image = image.convert("L" if image.mode == "1" else "RGB")
    return [image], None


def _has_clear_colours(image: Image.Image) -> bool:
    return image.mode == "P" and image.palette is not None and image.palette.mode.endswith("A")


def _fitted(image: Image.Image, w: float, h: float, size: int, fit: str) -> Image.Image:
    """Its w x h pixels resized, by bicubic interpolation, to (size, size) or, for padding, to fit inside."""
    from PIL import Image

    box, to = (0.0, 0.0, w, h), (size, size)
    if fit == "crop":
        side = min(w, h)
        left, top = (w - side) / 2, (h - side) / 2
        box = (left, top, left + side, top + side)
    elif fit == "pad":
        to = tuple(max(1, round(side * size / max(w, h))) for side in (w, h))  # type: ignore[assignment]
    return image.resize(to, Image.Resampling.BICUBIC, box)


def _orientation(image: Image.Image) -> int:
    """The orientation in the EXIF data, 1 to 8; 1, upright, if that is broken."""
    if image.format == "TIFF":  # turned by Pillow as it is decoded
        return 1
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # Pillow raises many kinds on a broken block; the pixels don't need it
        return 1


def _turned(x: np.ndarray, orientation: int) -> np.ndarray:
    """x (h, w, C) upright: EXIF 2.3, table 6 (Orientation)."""
    mirrored = {2: x[:, ::-1], 3: x[::-1, ::-1], 4: x[::-1]}
    x_T = x.transpose(1, 0, 2)
    turned = {5: x_T, 6: x_T[:, ::-1], 7: x_T[::-1, ::-1], 8: x_T[::-1]}
    return np.ascontiguousarray((mirrored | turned).get(orientation, x))
