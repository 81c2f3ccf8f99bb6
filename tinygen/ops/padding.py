"""Borders around an array: of one value, or of its own elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..primitives import primitive
from .elementwise import where
from .joining import concatenate
from .shape import broadcast_to, flip, getitem


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0.0) -> Any:
    """x with a border: pad_width is n, (before, after), or one such pair an axis.

    mode, as in NumPy: "constant", the border is constant_values; "reflect", the elements next to the edge in reverse,
    without that on the edge itself; "edge", that on the edge; "wrap", the elements of the other side.
    Raises ValueError for another mode, and for a border that takes more elements than the axis has.

    >>> tg.ops.pad(np.array([1.0, 2.0, 3.0]), 2, mode="reflect")
    array([3., 2., 1., 2., 3., 2., 1.])
    """
    if mode not in ("constant", *_TAKES):
        raise ValueError(f'pad: mode is {mode!r}, but it must be "constant", "reflect", "edge" or "wrap"')
    widths = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    if mode == "constant":
        if getattr(constant_values, "requires_grad", False):
            inside = array_module(x).ones(x.shape, bool)
            return where(_pad(inside, widths, False), _pad(x, widths, 0.0), constant_values)
        return _pad(x, widths, constant_values)
    if not isinstance(constant_values, (int, float)) or constant_values:
        raise ValueError(f"pad: constant_values is {constant_values!r}, but the mode {mode!r} takes none")
    for axis, (before, after) in enumerate(widths):
        x = _bordered(x, axis, before, after, mode)
    return x


_TAKES: dict[str, Callable[[int], int]] = {  # how many elements of the axis a border of this width takes
    "reflect": lambda width: width + 1 if width else 0,
    "edge": lambda width: min(width, 1),
    "wrap": lambda width: width,
}


def _bordered(x: Any, axis: int, before: int, after: int, mode: str) -> Any:
    """x with so many of its own elements before and after it on an axis."""
    n, taken = x.shape[axis], _TAKES[mode](max(before, after))
    if min(before, after) < 0:
        raise ValueError(f"pad: pad_width has {(before, after)} for axis {axis}, but a border is at least 0 wide")
    if n < taken:
        raise ValueError(
            f"pad: x is {x.shape}, but in mode {mode!r} the border {(before, after)} of axis {axis} takes at least "
            f"{taken} elements"
        )

    def part(start: int, stop: int) -> Any:
        return getitem(x, (slice(None),) * axis + (slice(start, stop),))

    def repeated(edge: Any, width: int) -> Any:
        return broadcast_to(edge, (*x.shape[:axis], width, *x.shape[axis + 1 :]))

    if mode == "reflect":
        first, last = flip(part(1, 1 + before), axis), flip(part(n - 1 - after, n - 1), axis)
    elif mode == "wrap":
        first, last = part(n - before, n), part(0, after)
    else:
        first, last = repeated(part(0, 1), before), repeated(part(n - 1, n), after)
    parts = [*([first] if before else []), x, *([last] if after else [])]
    return concatenate(parts, axis) if len(parts) > 1 else x


@primitive
def _pad(x: Any, widths: Sequence[Sequence[int]], value: float) -> Array:
    return array_module(x).pad(x, widths, constant_values=value)


_pad.rules(
    lambda gy, y, x, widths, value: getitem(
        gy, tuple([slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True)])
    )
)
