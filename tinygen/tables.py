"""Tables as text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence


def table(rows: Iterable[Sequence[str]], indent: int = 0, right: Collection[int] = ()) -> str:
    """Rows, including the head, in columns as wide as needed; those in `right` are aligned to the right."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(" " * indent + _line(line, widths, right) for line in lines)


def glossary(entries: Iterable[tuple[str, str]], width: int, indent: int = 0) -> str:
    """Terms, each with its explanation beside it, in lines no longer than the width; below it, if the term is long."""
    left, lines = width // 3, []
    for term, explanation in entries:
        first = f"{' ' * indent}{term}"
        if len(first) + 2 > left:
            lines.append(first)
            first = ""
        lines.append(textwrap.fill(explanation, width, initial_indent=first.ljust(left), subsequent_indent=" " * left))
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    pairs = enumerate(zip(cells, widths, strict=True))
    padded = (cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in pairs)
    return "  ".join(padded).rstrip()


def cell(value: float | None) -> str:
    """A number as a table shows it, with five digits unless it is an int; "-" for None."""
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.5g}"
