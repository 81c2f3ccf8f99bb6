"""The class and the split of each picture, from the folders that it lies in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..random import Generator
from .listing import counted, listed

TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
TEST_SHARE = 10  # one picture in ten

Parts = tuple[str, ...]  # a path below the folder: the names of folders, then that of the file


class Arrangement(NamedTuple):
    """The rows to train on and to test with, in order; the label of each row, -1 if it has none; the classes' names."""

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def arrange(paths: Sequence[Parts], seed: int) -> Arrangement:
    """Split and label pictures by their paths.

    The classes are the topmost folders, if every picture lies in one and there are several: in alphabetical order, or
    by number if all names are whole numbers. A train/ beside a test/ (or val/, ...) is the split; otherwise `split`
    makes one.
    """
    rows, paths, notes = np.arange(len(paths)), _below(paths), list[str]()
    parts = _given_parts(paths)
    if parts is not None:
        tops = np.array([path[0] for path in paths])
        notes += [f"{part}/ is left out: {parts[1]}/ is the test set" for part in sorted({*tops} - {*parts})]
        paths = _below([path[1:] if path[0] in parts else () for path in paths])
    classes, class_notes = _classes([path for i, path in enumerate(paths) if parts is None or tops[i] == parts[0]])
    labels = np.array([classes.index(path[0]) if path and path[0] in classes else -1 for path in paths], np.int64)
    if parts is None:
        train, test = split(labels, seed)
    else:
        train, test = rows[tops == parts[0]], rows[tops == parts[1]]
        if unknown := len(test) - np.count_nonzero(labels[test] >= 0) if (labels[test] >= 0).any() else 0:
            left = counted(unknown, f"image in {parts[1]}/ is", f"images in {parts[1]}/ are")
            notes.append(f"{left} left out: {parts[0]}/ has none of {'its' if unknown == 1 else 'their'} class")
            test = test[labels[test] >= 0]
    return Arrangement(train, test, labels, classes, (*notes, *class_notes))


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and a tenth to test with, drawn from each class in proportion.

    A class keeps at least one example to train on.
    """
    rng, is_test = Generator(seed, "data/split", device="cpu"), np.zeros(len(labels), bool)
    rows_so_far = drawn = 0
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows_so_far += len(rows)
        count = min(rows_so_far // TEST_SHARE - drawn, len(rows) - 1)
        is_test[rows[rng.permutation(len(rows))[:count]]] = True
        drawn += count
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _below(paths: Sequence[Parts]) -> list[Parts]:
    """The paths below the folders that all of them share."""
    paths = list(paths)
    while all(len(path) != 1 for path in paths) and len({path[0] for path in paths if path}) == 1:
        paths = [path[1:] for path in paths]
    return paths


def _given_parts(paths: Sequence[Parts]) -> tuple[str, str] | None:
    """The names of the folders to train on and to test with, if all pictures lie in such folders."""
    tops = {path[0].lower(): path[0] for path in paths}
    trains, tests = ([tops[name] for name in names if name in tops] for names in (TRAIN, TEST))
    inside = all(len(path) > 1 for path in paths) and len(trains) + len(tests) == len(tops)
    return (trains[0], tests[0]) if inside and len(trains) == 1 and tests else None


def _classes(paths: Sequence[Parts]) -> tuple[tuple[str, ...], list[str]]:
    """The names of the classes, or none and a note why."""
    folders = sorted({path[0] for path in paths if len(path) > 1})
    beside = sum(len(path) == 1 for path in paths)
    if folders and beside:
        return (), [
            f"no labels, because {counted(beside, 'image lies', 'images lie')} beside the folders ({listed(folders)})"
        ]
    if all(name.isascii() and name.isdecimal() for name in folders):
        folders.sort(key=int)
    return (tuple(folders) if len(folders) > 1 else ()), []
