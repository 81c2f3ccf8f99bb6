"""How a loop of a GPU is parted among threads: as columns, down which its sums go.

The axes that its sums leave are its columns, and those along which they go are its rows, each counted in C order. A
block has `across` columns and goes down all rows, `down` at a time; so a loop whose rows are few can read a sum that it
has taken. If they are many, several blocks go down `chunk` rows each. It all depends on shapes alone: sums repeat to
the bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .program import Instruction

THREADS = 256  # of a block
FEW = 1024  # rows that one block goes down
_BLOCKS = 1024  # enough to fill any GPU of today
_SHARE = 8  # rows that a thread adds up at least, if several blocks go down


class Columns:
    """The columns and rows of a loop, and how many of them a block takes.

    shape: of the loop.  summed: the axes along which its sums go; () if it has none.
    """

    def __init__(self, shape: tuple[int, ...], summed: tuple[int, ...]):
        self.shape, self.summed = shape, summed
        self._left = [a for a in range(len(self.shape)) if a not in self.summed]
        self.columns = math.prod(self.shape[a] for a in self._left)
        self.rows = math.prod(self.shape[a] for a in self.summed)
        self.down = min(_power(self.rows), THREADS // min(_power(self.columns), _SHARE))
        self.across = THREADS // self.down
        self.tiles = -(-self.columns // self.across)
        self.chunk = self.rows
        if self.rows > FEW:
            self.chunk = max(_SHARE * self.down, -(-self.rows // max(_BLOCKS // max(self.tiles, 1), 1)))
        self.chunks = -(-self.rows // self.chunk) if self.chunk else 1

    @property
    def neighbours_are_rows(self) -> bool:
        """Whether it is rows that lie side by side in memory, rather than columns."""
        return max((a for a, n in enumerate(self.shape) if n > 1), default=-1) in self.summed

    def is_of_columns(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape has an element a column, but is not as large as the loop."""
        return shape != self.shape and not any(n > 1 for n, axis in self._aligned(shape) if axis in self.summed)

    def has_each_column(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape has just one element for each column, in the place of that column."""
        fits = len(shape) <= len(self.shape) and all(n in (1, self.shape[axis]) for n, axis in self._aligned(shape))
        return fits and self.is_of_columns(shape) and math.prod(shape) == self.columns

    def offset(self, shape: tuple[int, ...], strides: Sequence[int]) -> str:
        """Where the element lies in an array that is broadcast to the loop: of column k and row r."""
        step = {axis: stride for (n, axis), stride in zip(self._aligned(shape), strides, strict=True) if n > 1}
        columns = _terms("k", [(self.shape[a], step.get(a, 0)) for a in self._left])
        rows = _terms("r", [(self.shape[a], step.get(a, 0)) for a in self.summed])
        return " + ".join([*columns, *rows]) or "0"

    def offset_of_sum(self, strides: Sequence[int]) -> str:
        """Where column k lies in an array of sums."""
        return " + ".join(_terms("k", [(self.shape[a], s) for a, s in zip(self._left, strides, strict=True)])) or "0"

    def coordinate(self, axis: int) -> str:
        """The element's place along an axis."""
        return self.offset(self.shape, [int(a == axis) for a in range(len(self.shape))])

    def _aligned(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Each length with its axis of the loop."""
        return list(zip(shape, range(len(self.shape) - len(shape), len(self.shape)), strict=True))


def summed_axes(loop: Instruction) -> tuple[int, ...]:
    """The axes along which the sums of a loop go; () if it has none."""
    return next((tuple(sorted(m.options["axes"])) for m in loop.body if m.op == "sum"), ())


def whole_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """All axes of a shape."""
    return tuple(range(len(shape)))


def _power(n: int) -> int:
    """The least power of two that is as large."""
    return 1 << max(n - 1, 0).bit_length()


def _terms(name: str, dimensions: Sequence[tuple[int, int]]) -> list[str]:
    """An offset in terms of a number that counts through dimensions, given as lengths and strides."""
    merged: list[tuple[int, int]] = []
    for length, stride in dimensions:
        if length == 1:
            continue
        if merged and merged[-1][1] == stride * length:
            merged[-1] = merged[-1][0] * length, stride
        else:
            merged.append((length, stride))
    terms = []
    for i, (length, stride) in enumerate(merged):
        inner = math.prod(n for n, _ in merged[i + 1 :])
        place = name if inner == 1 else f"{name} / {inner}"
        place = place if i == 0 else f"{place} % {length}"
        if stride:
            terms.append(place if stride == 1 else f"{place} * {stride}")
    return terms
