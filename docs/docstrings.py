"""A docstring as Markdown, for the reference: a session becomes a block of code, `name: what it is` a line of its own."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """What mkdocstrings reads is made Markdown first."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """The docstring's text, with its sessions as blocks of code, and a line break before each `name: ...`."""
    parts = re.split(r"\n\n+", text)
    return "\n\n".join(
        f"```pycon\n{part}\n```" if part.startswith(">>>") else re.sub(r"\n(?=[\w, ]+: )", "  \n", part) for part in parts
    )
