"""A page for each file of models, of its docstrings, and the list of them."""

from __future__ import annotations

import inspect
import io
import os
import textwrap
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

from tinygen.cli import main
from tinygen.models import MODELS

from .docstrings import markdown

INDEX = """\
# Models

A file holds one model or a few close kin: the objective in formulas, the source of every default, and steps in the
paper's order. `tinygen train NAME` trains a model, and `--set` changes its settings.

| | |
| --- | --- |
"""


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    families: dict[ModuleType, list[Any]] = {}
    for kind in MODELS.values():
        families.setdefault(inspect.getmodule(kind), []).append(kind)  # type: ignore[arg-type]
    rows = [row(module, kind) for module, kinds in families.items() for kind in kinds]
    return {"models/index.md": INDEX + "".join(rows)} | {
        f"models/{name_of(module)}.md": family(module, kinds) for module, kinds in families.items()
    }


def row(module: ModuleType, kind: Any) -> str:
    """A model's line in the table."""
    about = (inspect.getdoc(kind) or "").partition("\n")[0]
    return f"| [{kind.name}]({name_of(module)}.md#{kind.name}) | {about} |\n"


def family(module: ModuleType, kinds: list[Any]) -> str:
    """What a file of models says of itself, of each model and of its settings; and the file."""
    name, source = name_of(module), inspect.getsource(module)
    parts = [f"# {', '.join(kind.__name__ for kind in kinds)}", text_of(module)]
    for kind in kinds:
        parts += [f"## {kind.name}", text_of(kind), f"```sh\ntinygen train {kind.name}\n```", text_of(kind.Config)]
        parts += [f"```text\n{said('models', kind.name)}```"]
    parts += ["## The file", f'??? abstract "{name}.py"', textwrap.indent(f"```python\n{source}```", "    ")]
    return "\n\n".join(parts)


def said(*words: str) -> str:
    """What a command prints on a terminal of 96 columns."""
    os.environ["COLUMNS"] = "96"
    with redirect_stdout(io.StringIO()) as output:
        main(list(words))
    return output.getvalue()


def name_of(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def text_of(thing: Any) -> str:
    return markdown(inspect.getdoc(thing) or "")
