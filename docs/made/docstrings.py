"""Docstrings as Markdown, for the reference and the pages of models."""

from __future__ import annotations

import re
from typing import Any

import griffe

MEANT = {"*": r"\*", "_": r"\_", "[": r"\[", "<": "&lt;"}


class Docstrings(griffe.Extension):
    """What mkdocstrings reads is made Markdown first."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """A docstring with its sessions and tables as blocks, and each sentence `name: what it is` on a new line."""
    return "\n\n".join(map(_paragraph, re.split(r"\n\n+", text.strip("\n"))))


def _paragraph(text: str) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{text}\n```"
    if text.startswith("    "):  # Markdown's own code
        return text
    if len(re.findall(r"\S {3,}\S", text)) > 1:  # columns
        return f"```text\n{text}\n```"
    return re.sub(r"([.:;])(?:\n|  +)(?=\w[\w, ]*:)", r"\1  \n", _plain(text))


def _plain(text: str) -> str:
    """The text without Markdown's signs, except in backticks: formulas have stars and brackets of their own."""
    return re.sub(r"`[^`]*`|[*_\[<]", lambda found: MEANT.get(found[0], found[0]), text)
