"""The geometry of windows that slide over images: strides, padding, sizes. Whole numbers only, no arrays."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

from ..checks import whole
from ..kernels.reference_conv import Padding, Pair

PaddingOption: TypeAlias = "int | str | Sequence[Sequence[int]]"
RowPadding: TypeAlias = "int | str | Sequence[int]"  # of a sequence


def pair(op: str, option: str, value: Any, least: int = 1) -> Pair:
    """(vertical, horizontal) from one whole number or two. Raises ValueError for anything else, or below `least`."""
    try:
        both = tuple(operator.index(v) for v in (value if isinstance(value, (tuple, list)) else (value, value)))
    except TypeError:
        both = ()
    if len(both) != 2 or min(both) < least:
        raise ValueError(
            f"{op}: {option} is {value!r}, but it must be one whole number of at least {least}, or two: "
            "(vertical, horizontal)"
        )
    return both


def lengths(op: str, option: str, value: Any, axes: int) -> tuple[int, ...]:
    """An option of images (2 axes) or of sequences (1), which is one whole number for each axis."""
    return pair(op, option, value) if axes == 2 else (whole(op, option, value, 1),)


def resolve_padding(op: str, padding: PaddingOption, size: Pair, kernel_size: Pair, stride: Pair) -> Padding:
    """((top, bottom), (left, right)) for an image of the size.

    "same": as in TensorFlow, enough for ⌈size / stride⌉ windows, the odd one below and to the right.  "valid": none.
    Raises ValueError for anything but these, a whole number, or two pairs.
    """
    named = padding if isinstance(padding, str) else ""
    if named == "same":
        sides = zip(size, kernel_size, stride, strict=True)
        rows, columns = (max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in sides)
        return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)
    if named == "valid":
        return (0, 0), (0, 0)
    try:
        pairs = padding if isinstance(padding, (tuple, list)) else ((padding, padding),) * 2
        vertical, horizontal = (pair(op, "padding", tuple(p), least=0) for p in pairs)
    except (TypeError, ValueError):
        raise ValueError(
            f'{op}: padding is {padding!r}, but it must be a whole number of at least 0, "same", "valid" or '
            "((top, bottom), (left, right))"
        ) from None
    return vertical, horizontal


def of_row(op: str, padding: RowPadding) -> PaddingOption:
    """The padding of a sequence as that of an image one row high. Raises ValueError if it is none."""
    if isinstance(padding, str) and padding in ("same", "valid"):
        return padding
    try:
        return (0, 0), pair(op, "padding", padding, least=0)
    except ValueError:
        raise ValueError(
            f'{op}: padding is {padding!r}, but it must be a whole number of at least 0, "same", "valid" or '
            "(before, after)"
        ) from None


def check_padding(op: str, padding: Any, window: tuple[int, ...], stride: tuple[int, ...]) -> None:
    """Raise ValueError for a padding that is none of images (a window of 2 axes) or of sequences (1)."""
    if len(window) == 1:
        of_row(op, padding)
    else:
        resolve_padding(op, padding, (1, 1), window, stride)  # type: ignore[arg-type]


def check_sequences(op: str, x: Any) -> None:
    """Raise ValueError unless x has the three axes of sequences."""
    if getattr(x, "ndim", 0) != 3:
        raise ValueError(f"{op}: x is {getattr(x, 'shape', x)}, but sequences are (N, L, C)")


def check_images(op: str, x: Any) -> None:
    """Raise ValueError unless x has the four axes of images."""
    if getattr(x, "ndim", 0) != 4:
        raise ValueError(f"{op}: x is {getattr(x, 'shape', x)}, but images are (N, H, W, C)")


def check_fits(op: str, size: Pair, kernel_size: Pair, padding: Padding) -> None:
    """Raise ValueError unless the padded image holds at least one window."""
    padded = tuple(n + sum(p) for n, p in zip(size, padding, strict=True))
    if padded[0] < kernel_size[0] or padded[1] < kernel_size[1]:
        row = kernel_size[0] == padded[0] == 1
        window, image, larger = (f"{w}" if row else f"{h}x{w}" for h, w in (kernel_size, size, padded))
        raise ValueError(
            f"{op}: a window of {window} does not fit into {'a row' if row else 'an image'} of {image}, padded to "
            f'{larger}; give more padding, such as "same"'
        )
