"""Tables in Markdown, a line at a time."""

from __future__ import annotations


def head(*columns: str) -> str:
    """The two lines that begin a table; a column whose name ends in a colon is set to the right."""
    rule = ["---:" if name.endswith(":") else "---" for name in columns]
    return f"{row(*(name.removesuffix(':') for name in columns))}\n{row(*rule)}"


def row(*cells: str) -> str:
    """A line of a table."""
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"
