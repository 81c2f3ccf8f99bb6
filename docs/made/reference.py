"""A page for each module that tinygen shows, and one for itself, for mkdocstrings to fill from the docstrings."""

from __future__ import annotations

import inspect
from types import ModuleType

import tinygen as tg

from .docstrings import markdown


def pages() -> dict[str, str]:
    """The text of each page by its name. What several modules show is told once, by the first."""
    rooms = {name: getattr(tg, name) for name in tg.__all__ if inspect.ismodule(getattr(tg, name))}
    told: dict[str, str] = {}
    found = {f"api/{name}.md": page(f"tg.{name}", module, told) for name, module in rooms.items()}
    return {**found, "api/tg.md": page("tg", tg, told)}


def page(title: str, module: ModuleType, told: dict[str, str]) -> str:
    """What a module says of itself and of each of its names that isn't told yet; told: where the others are."""
    parts = [f"# {title}", markdown(inspect.getdoc(module) or "")]
    for name in module.__all__:
        value, heading = getattr(module, name), f"{title}.{name}"
        if isinstance(value, dict):
            parts += [f"## {heading}", "A dict, by name: " + ", ".join(f"`{key}`" for key in value) + "."]
        elif inspect.isclass(value) or inspect.isroutine(value):
            path = f"{value.__module__}.{value.__qualname__}"
            if path in told:
                parts += [f"## {heading}", f"See [{told[path]}][{path}]."]
            else:
                told[path] = heading
                parts.append(f'::: {path}\n    options:\n      heading: "{heading}"\n      toc_label: "{name}"')
        elif not inspect.ismodule(value):
            parts += [f"## {heading}", f"`{str(value).replace('collections.abc.', '')}`"]
    return "\n\n".join(parts)
