"""Tables as text, for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def table(rows: Iterable[Sequence[str]], indent: int = 0, right: Collection[int] = ()) -> str:
    """Rows, including the head, in columns as wide as needed; those in `right` are aligned to the right."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(" " * indent + _line(line, widths, right) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    pairs = enumerate(zip(cells, widths, strict=True))
    padded = (cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in pairs)
    return "  ".join(padded).rstrip()


def cell(value: float | None) -> str:
    """A number as a table shows it, with five digits unless it is an int; "-" for None."""
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.5g}"
