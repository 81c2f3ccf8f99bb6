"""Docstrings as Markdown, for the reference and the pages of models."""

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
    """A docstring with its sessions as blocks of code, and each sentence `name: what it is` on a new line."""
    parts = [part.strip("\n") for part in re.split(r"\n\n+", text)]
    return "\n\n".join(_session(part) if part.startswith(">>>") else _broken(part) for part in parts)


def _session(part: str) -> str:
    return f"```pycon\n{part}\n```"


def _broken(part: str) -> str:
    return re.sub(r"([.:;])(?:\n|  +)(?=\w[\w, ]*:)", r"\1  \n", part)
