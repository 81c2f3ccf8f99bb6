"""The pages of the site that are made of the repository: lessons, models, the reference, pictures. A hook of MkDocs."""

from __future__ import annotations

import inspect
import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

from mkdocs.structure.files import File, Files

import tinygen as tg
from tinygen.cli import main
from tinygen.play.page import page as play

ROOT = Path(__file__).parents[1]
LESSONS = ROOT / "examples" / "lessons"
PICTURES = {"images": ROOT / "examples" / "images", "lessons/images": LESSONS / "images"}


def on_config(config: Any) -> Any:
    """A name with a star in the navigation stands for all pages of that name that are made and not named beside it."""
    made = sorted(made_pages())

    def spelt_out(items: list[Any]) -> Iterator[Any]:
        for item in items:
            if isinstance(item, dict):
                yield {title: list(spelt_out(part)) if isinstance(part, list) else part for title, part in item.items()}
            elif "*" in item:
                yield from (name for name in made if fnmatch(name, item) and name not in items)
            else:
                yield item

    config.nav = list(spelt_out(config.nav))
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what is made, and the files that are shown as they are."""
    for name, text in {**made_pages(), "play.html": play()}.items():
        files.append(File.generated(config, name, content=text))
    shown = {f"{place}/{path.name}": path for place, folder in PICTURES.items() for path in folder.iterdir()}
    for name, path in {**shown, **{f"lessons/{path.name}": path for path in LESSONS.glob("*.py")}}.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def made_pages() -> dict[str, str]:
    """The text of each page that is made, by its name."""
    return {**lesson_pages(), **model_pages(), **reference_pages()}


def lesson_pages() -> dict[str, str]:
    """A page for each lesson, and the table of them."""
    table = re.sub(r"\((\d\d_\w+)\.py\)", r"(\1.md)", (LESSONS / "README.md").read_text(encoding="utf-8"))
    return {"lessons/index.md": table, **{f"lessons/{path.stem}.md": lesson(path) for path in LESSONS.glob("*.py")}}


def lesson(path: Path) -> str:
    """A lesson's cells: text as it is, code in blocks, each followed by the pictures that it draws."""
    parts = []
    for cell in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        kind, _, body = cell.partition("\n")
        if kind:
            parts.append(re.sub(r"^# ?", "", body, flags=re.M))
        else:
            parts.append(f"```python\n{body.strip()}\n```")
            parts += [f"![{name}](images/{name})" for name in re.findall(r'"lessons_out/([\w.]+)"', body)]
    parts.insert(1, f"To run it: [{path.name}]({path.name}).")
    return "\n\n".join(parts)


def model_pages() -> dict[str, str]:
    """A page for each file of models, and the list of them."""
    families: dict[ModuleType, list[Any]] = {}
    for kind in tg.models.MODELS.values():
        families.setdefault(inspect.getmodule(kind), []).append(kind)  # type: ignore[arg-type]
    rows = [
        f"| [{kind.name}]({name_of(module)}.md#{kind.name}) | {first_line(kind)} |"
        for module, kinds in families.items()
        for kind in kinds
    ]
    index = "\n".join(["# Models", "", "One file a family, each with its objective.", "", "| | |", "| --- | --- |", *rows])
    return {"models/index.md": index} | {f"models/{name_of(m)}.md": family(m, kinds) for m, kinds in families.items()}


def family(module: ModuleType, kinds: list[Any]) -> str:
    """What a file of models says of itself, of each model and of each setting; and the file."""
    parts = [f"# {', '.join(kind.__name__ for kind in kinds)}", inspect.getdoc(module)]
    for kind in kinds:
        parts += [f"## {kind.name}", inspect.getdoc(kind), f"```sh\ntinygen train {kind.name}\n```"]
        parts += [inspect.getdoc(kind.Config), f"```text\n{said('models', kind.name)}```"]
    source = "\n".join(f"    {line}" for line in inspect.getsource(module).splitlines())
    return "\n\n".join([*map(str, parts), "## The file", f'??? abstract "{name_of(module)}.py"\n    ```python\n{source}\n    ```'])


def reference_pages() -> dict[str, str]:
    """A page for each module that tinygen shows and one for itself. What several show is told once, by the first."""
    rooms = {name: getattr(tg, name) for name in tg.__all__ if inspect.ismodule(getattr(tg, name))}
    told: dict[str, str] = {}
    pages = {f"api/{name}.md": reference(f"tg.{name}", module, told) for name, module in rooms.items()}
    return {**pages, "api/tg.md": reference("tg", tg, told)}


def reference(page: str, module: ModuleType, told: dict[str, str]) -> str:
    """What a module says of itself and of each of its names that isn't told yet."""
    parts = [f"# {page}", inspect.getdoc(module) or ""]
    for name in module.__all__:
        value, title = getattr(module, name), f"{page}.{name}"
        code = inspect.isclass(value) or inspect.isroutine(value)
        path = f"{value.__module__}.{value.__qualname__}" if code else f"{module.__name__}.{name}"
        if path in told:
            parts += [f"## {title}", f"[{told[path]}][{path}]"]
        elif not inspect.ismodule(value):
            told[path] = title
            parts.append(f'::: {path}\n    options:\n      heading: "{title}"\n      toc_label: "{name}"')
    return "\n\n".join(parts)


def said(*words: str) -> str:
    """What a command prints."""
    os.environ["COLUMNS"] = "80"
    with redirect_stdout(io.StringIO()) as output:
        main(list(words))
    return output.getvalue()


def name_of(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
