"""A folder of pictures as a data set: read, fitted to squares, labelled and split."""

from __future__ import annotations

import logging
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..checks import check_installed, whole
from ..errors import ConfigError, DataError
from ..options import FITS
from ..terminal import is_terminal
from .classes import arrange
from .dataset import Dataset
from .listing import SUFFIXES, Skipped, counted, find_pictures, listed, shown
from .pictures import MODES, Picture, read_picture, to_bytes

LARGEST = 4096  # size
NO_PIXELS = np.empty((0, 0, 0), np.uint8)


def load_folder(path: str, size: int = 64, channels: int = 3, fit: str = "crop", seed: int = 0) -> Dataset:
    """The pictures in a folder and its subfolders, in the order of their paths.

    size: each becomes (size, size).  channels: 3 for RGB, 1 for grey, 4 for RGB and opacity.  fit: "crop" takes the
    square in the middle, "pad" adds black at the sides, "stretch" changes the proportions.

    Labels: if every picture lies in a subfolder, and there are several, the name of its topmost folder is its class.
    Test examples: those in test/ (or val/, ...), if the folder holds only that and train/; otherwise a tenth of each
    class, drawn with `seed`.

    Pictures are turned as their EXIF data says; the first frame of an animation is taken, the first page of a TIFF.
    Transparent pixels are laid on white, unless there are 4 channels.
    Values of more than 8 bits are scaled by their range in the data set: whole numbers from 0 to the largest number
    with as many bits as the largest value, so 12 bits in files of 16 go from 0 to 4,095; floats from 0 to 1 or to 255,
    whichever holds them all, or else from the least to the largest.

    Links to folders are followed, but no folder is read twice. Hidden files are skipped. Pictures that can't be read
    are left out, and one warning says how many and why; `notes` has further remarks.
    Raises DataError if the folder or a readable picture is missing, ConfigError for a wrong option.
    """
    size, seed = whole("folder", "size", size, 1, LARGEST, " (pixels)"), whole("folder", "seed", seed, 0)
    if isinstance(channels, bool) or not isinstance(channels, (int, np.integer)) or channels not in MODES:
        raise ConfigError(f"folder: channels is {channels!r}, but it must be 3 (RGB), 1 (grey) or 4 (RGB and opacity)")
    if fit not in FITS:
        raise ConfigError(f"folder: fit is {fit!r}, but it must be one of {', '.join(FITS)}")
    check_installed("data: a folder of images", "PIL", "tqdm")
    root = _root(path)
    files, skipped, others = find_pictures(root)
    found = len(files) + len(skipped)
    if not found:
        holds = f"; it holds {_by_kind(others)}" if others else ""
        raise DataError(f"folder: {shown(root)} holds no images; their names end in {', '.join(SUFFIXES)}{holds}")
    files, images, pictures = _read_all(files, root, skipped, size, channels, fit)
    if not files:
        raise DataError(f"folder: none of the {found:,} images in {shown(root)} can be read: {skipped}")
    names = [shown(file.relative_to(root).as_posix()) for file in files]
    problems = [f"{len(skipped):,} of {found:,} images in {shown(root)} are left out: {skipped}"] if skipped else []
    if pages := [name for name, picture in zip(names, pictures, strict=True) if picture.more == "pages"]:
        tiffs = counted(len(pages), "TIFF file", "TIFF files")
        problems.append(f"only the first page is read of {tiffs} with several pages: {listed(pages)}")
    if problems:
        warnings.warn(f"folder: {'; '.join(problems)}", stacklevel=3)

    arranged = arrange([file.relative_to(root).parts for file in files], seed)
    train, test = _taken(images, arranged.train, arranged.test)
    notes = [*arranged.notes, *_notes(names, pictures, fit)]
    notes += [f"not read: {_by_kind(others)}"] if others else []
    labels, test_labels = (_known(arranged.labels[rows]) for rows in (arranged.train, arranged.test))
    classes = arranged.classes or None
    return Dataset(f"folder:{shown(path)}", train, test, labels, test_labels, classes=classes, notes=tuple(notes))


def load_picture(file: Path, channels: int = 3, size: int | None = None, fit: str = "crop") -> np.ndarray:
    """One picture as uint8, read as load_folder reads many: (size, size, channels), or in its own size.

    Raises DataError with the reason if it can't be read.
    """
    check_installed("data: a picture", "PIL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about oddities of files that it still reads
        picture = read_picture(file, size, channels, fit)
    span = (0.0, 255.0) if picture.span is None else _span([picture.span], picture.whole)
    return to_bytes(picture, span, size, channels)


def _root(path: str) -> Path:
    """The folder at a path. Raises DataError if there is none."""
    try:
        root = Path(path).expanduser()
        is_folder, is_there = root.is_dir(), root.exists()
    except (OSError, ValueError, RuntimeError) as error:  # no permission, a null byte, no such user
        raise DataError(f"folder: {shown(path)} can't be opened ({error}); write folder:PATH") from None
    if not is_folder:
        raise DataError(f"folder: {shown(root)} is {'not a folder' if is_there else 'not there'}; write folder:PATH")
    return root


def _read_all(
    files: Sequence[Path], root: Path, skipped: Skipped, size: int, channels: int, fit: str
) -> tuple[list[Path], np.ndarray, list[Picture]]:
    """The files that can be read, their images (N, size, size, channels) as uint8, and Pictures without pixels."""
    from tqdm import tqdm

    read, pictures, deep = list[Path](), list[Picture](), dict[int, Picture]()
    try:
        images = np.empty((len(files), size, size, channels), np.uint8)
    except MemoryError:
        shape = f"{len(files):,} images of {size}x{size}x{channels}"
        raise DataError(f"folder: {shape} don't fit in memory; choose a smaller size (--size)") from None
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # otherwise its log goes to standard error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about oddities of files that it still reads
        quiet = not is_terminal(sys.stderr)
        for file in tqdm(files, desc=f"reading {shown(root.name)}", unit=" images", leave=False, disable=quiet):
            try:
                picture = read_picture(file, size, channels, fit)
            except DataError as error:
                skipped.add(str(error), file, root)
                continue
            if picture.span is None:
                images[len(read)] = to_bytes(picture, (0, 255), size, channels)
            else:
                deep[len(read)] = picture
            read.append(file)
            pictures.append(picture._replace(pixels=NO_PIXELS))
    for whole_numbers in (True, False):
        alike = {i: picture for i, picture in deep.items() if picture.whole is whole_numbers}
        span = _span([picture.span for picture in alike.values() if picture.span], whole_numbers)
        for i, picture in alike.items():
            images[i] = to_bytes(picture, span, size, channels)
    return read, images[: len(read)], pictures


def _span(spans: Sequence[tuple[float, float]], whole_numbers: bool) -> tuple[float, float]:
    """The values of more than 8 bits that become 0 and 255, given the spans of all pictures."""
    low, high = min((low for low, _ in spans), default=0), max((high for _, high in spans), default=0)
    if whole_numbers:
        return min(low, 0), 2 ** max(8, int(high).bit_length()) - 1
    for top in (1, 255):
        if low >= 0 and high <= top:
            return 0, top
    return low, high if high > low else low + 1


def _taken(images: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """images[train] and images[test], the first in the memory of images: there may be no room for all of them twice."""
    tests = images[test]
    for to, row in enumerate(train.tolist()):
        images[to] = images[row]
    return images[: len(train)], tests


def _known(labels: np.ndarray) -> np.ndarray | None:
    return labels if len(labels) and (labels >= 0).all() else None


def _notes(names: Sequence[str], pictures: Sequence[Picture], fit: str) -> list[str]:
    """Remarks on what was done to the pictures."""
    notes, total = list[str](), len(pictures)
    lost = [1 - min(picture.shape) / max(picture.shape) for picture in pictures]
    if oblong := sum(share > 0 for share in lost):
        worst = int(np.argmax(lost))
        height, width = pictures[worst].shape
        which, share = f"{names[worst]}, {width}x{height}", f"{max(lost):.0%}"
        done = {
            "crop": f"cropping them to the middle cuts off up to {share} ({which}); --fit pad or stretch keeps all",
            "pad": f"black is added to them, up to {share} of the square ({which})",
            "stretch": f"their longer side is shortened by up to {share} ({which})",
        }
        notes.append(f"{oblong:,} of {total:,} images are not square: {done[fit]}")
    if frames := [name for name, picture in zip(names, pictures, strict=True) if picture.more == "frames"]:
        animations = counted(len(frames), "animation", "animations")
        notes.append(f"only the first frame is read of {animations}: {listed(frames)}")
    for whole_numbers in (True, False):
        spans = [picture.span for picture in pictures if picture.span and picture.whole is whole_numbers]
        if spans:
            low, high = _span(spans, whole_numbers)
            deep = counted(len(spans), "image has", "images have")
            notes.append(f"{deep} more than 8 bits: {low:,g} to {high:,g} became 0 to 255")
    return notes


def _by_kind(others: Counter[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in others.most_common())
