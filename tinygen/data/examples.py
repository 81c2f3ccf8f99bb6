"""Checks that arrays are examples to learn from: of the right kind, with values in the expected range."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Array, is_array
from ..errors import DataError

UNIT_ENDS = (0.05, 0.95)  # data in [0, 1] have values below the first and above the second
TOLERANCE = 1e-3  # share of a range's length by which rounding may leave it


def check_examples(owner: str, name: str, x: Any) -> None:
    """Raise DataError unless x is an array of examples: uint8 or floats, (N, H, W, C) or (N, D), or tokens (N, L)."""
    if not is_array(x) or x.ndim < 2:
        advice = ""
        if hasattr(x, "train") or hasattr(x, "numpy"):
            advice = "; give its .train" if hasattr(x, "train") else "; give its .numpy()"
        elif isinstance(x, (list, tuple)) and len(x) and all(is_array(one) for one in x):
            advice = "; np.stack(x) makes one of arrays of one shape"
        elif isinstance(x, (str, os.PathLike)) or (isinstance(x, (list, tuple)) and len(x)):
            advice = '; tinygen.data.load("folder:PATH") reads the images in a folder'
        raise DataError(f"{owner}: {name} is {kind_of(x)}, but it must be an array (N, H, W, C) or (N, D){advice}")
    if x.dtype != np.uint8 and x.dtype.kind != "f" and not are_tokens(x):
        tokens = ", or signed integers (N, L) for tokens" if x.ndim == 2 else ""
        raise DataError(
            f"{owner}: {name} has dtype {x.dtype}, but it must be uint8 (0 to 255) or floating point{tokens}"
        )


def are_tokens(x: Any) -> bool:
    """Whether examples are sentences, as signed integers (N, L); uint8 is for images."""
    return x.dtype.kind == "i" and x.ndim == 2


def check_tokens(owner: str, name: str, x: Array, vocabulary: Sequence[str] | None) -> None:
    """Raise DataError unless tokens have a vocabulary in which all of them lie, and anything else has none."""
    if are_tokens(x) != (vocabulary is not None):
        there, lacks = ("tokens", "no vocabulary") if vocabulary is None else ("no tokens", "a vocabulary")
        raise DataError(f"{owner}: {name} holds {there}, {x.dtype} {tuple(x.shape)}, but there is {lacks}")
    if vocabulary is not None and x.size and not 0 <= int(x.min()) <= int(x.max()) < len(vocabulary):
        raise DataError(
            f"{owner}: {name}: tokens go from {int(x.min())} to {int(x.max())}, but with {len(vocabulary)} words "
            f"they must go from 0 to {len(vocabulary) - 1}"
        )


def range_misfit(x: Array, value_range: tuple[float, float]) -> str | None:
    """Why the values of x don't fit a range, and how to scale them; None if they fit.

    Values from 0 to 1 don't fit (-1, 1), for example: half of the range would be unused.
    """
    (low, high), least, most = value_range, float(x.min()), float(x.max())
    room = TOLERANCE * (high - low)
    from_0_to_1 = low < 0 <= least < UNIT_ENDS[0] and UNIT_ENDS[1] < most <= 1
    if low - room <= least and most <= high + room and not from_0_to_1:
        return None
    problem = f"values from {least:g} to {most:g}, but they must be {between(value_range)}"
    if not (math.isfinite(least) and math.isfinite(most)):
        return problem
    known = [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]
    source = next(((a, b) for a, b in known if a <= least and most <= b), (least, most))
    return f"{problem}; scale them, x{scaling(source, value_range)}"


def between(value_range: tuple[float, float]) -> str:
    """A range in words."""
    return f"from {value_range[0]:g} to {value_range[1]:g}"


def scaling(source: tuple[float, float], target: tuple[float, float]) -> str:
    """The code that, after x, scales it from one range to another: " / 127.5 - 1"."""
    (a, b), (low, high) = source, target
    factor = (high - low) / (b - a) if b > a else 1.0
    shift = low - factor * a
    times = "" if factor == 1 else f" * {factor:g}" if factor > 1 else f" / {1 / factor:g}"
    return times + ("" if shift == 0 else f" {'+' if shift > 0 else '-'} {abs(shift):g}")


def kind_of(x: Any) -> str:
    """What x is, in words."""
    return f"an array of shape {tuple(x.shape)}" if is_array(x) else f"a {type(x).__name__}"
