"""A folder of pictures as a data set: found, cropped to squares, resized."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError, DataError
from .checks import whole
from .dataset import Dataset

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
TEST_SHARE = 10  # one image in ten
NAMED = 5  # so many broken files are named in a message


def load_folder(path: str, size: int = 64, channels: int = 3) -> Dataset:
    """The pictures in a folder and its subfolders, in the order of their paths; the last tenth of them is the test set.

    Each is turned as its EXIF data says, cropped to the square in its middle and resized to (size, size); of an
    animation the first frame is taken, and what is transparent is laid on white. channels: 3 for RGB, 1 for grey.
    Files that can't be read are left out, with one warning for all; hidden files are not looked at.
    Raises DataError if the folder or a readable picture is missing, ConfigError for a wrong option.
    """
    size = whole("folder", "size", size, 1, unit=" (pixels)")
    if channels not in (1, 3):
        raise ConfigError(f"folder: channels is {channels!r}, but it must be 3 (RGB) or 1 (grey)")
    root = Path(path).expanduser()
    images, broken = _read_all(_find(root), root, size, channels)
    if broken:
        names = ", ".join(broken[:NAMED]) + (f" and {len(broken) - NAMED:,} more" if len(broken) > NAMED else "")
        if len(images) == 0:
            raise DataError(f"folder: none of the {len(broken):,} images in {root} can be read: {names}")
        found = len(images) + len(broken)
        message = f"folder: {len(broken):,} of {found:,} images in {root} can't be read and are left out: {names}"
        warnings.warn(message, stacklevel=3)
    split = len(images) - len(images) // TEST_SHARE
    return Dataset(f"folder:{path}", images[:split], images[split:])


def _find(root: Path) -> list[Path]:
    if not root.is_dir():
        raise DataError(f"folder: {root} is {'not a folder' if root.exists() else 'not there'}; write folder:PATH")
    files = []
    for folder, subfolders, names in os.walk(root, onerror=_refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        files += [Path(folder, name) for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
    if not files:
        raise DataError(f"folder: {root} holds no images; their names end in {', '.join(SUFFIXES)}")
    return sorted(files, key=lambda file: file.relative_to(root).as_posix())


def _refuse(error: OSError) -> None:
    raise DataError(f"folder: {error.filename} can't be listed ({error.strerror})")


def _read_all(files: Sequence[Path], root: Path, size: int, channels: int) -> tuple[np.ndarray, list[str]]:
    """The images (N, size, size, channels) as uint8, and the names of the files that can't be read."""
    from tqdm import tqdm

    images, count, broken = np.empty((len(files), size, size, channels), np.uint8), 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about oddities of files that it reads all the same
        for file in tqdm(files, desc=f"reading {root.name}", unit=" images", leave=False, disable=None):
            try:
                images[count] = _read(file, size, channels)
                count += 1
            except Exception:  # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error and others
                broken.append(file.relative_to(root).as_posix())
    return images[:count], broken


def _read(file: Path, size: int, channels: int) -> np.ndarray:
    from PIL import Image, ImageOps

    mode = "RGB" if channels == 3 else "L"
    with Image.open(file) as opened:
        opened.draft(mode, (size, size))  # a large JPEG is decoded at a half, a quarter or an eighth of its size
        image = _opaque(ImageOps.exif_transpose(opened)).convert(mode)
    square = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(square).reshape(size, size, channels)


def _opaque(image: Image.Image) -> Image.Image:
    """The image in a mode that converts to RGB or grey without loss: 16 bits cut to 8, transparency laid on white."""
    from PIL import Image

    if image.mode.startswith("I"):  # Pillow's own conversion cuts 16-bit values off at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image
