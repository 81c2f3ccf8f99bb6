"""What MkDocs calls while it builds the site: the pages that are made of the repository join those that are written."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from made import lessons, models, reference
from mkdocs.structure.files import File, Files

from tinygen.play.page import page as play

ROOT = Path(__file__).parents[1]
PICTURES = {  # where they are, and where the site has them
    ROOT / "examples" / "images": "images",
    ROOT / "benchmarks" / "images": "images",
    lessons.FOLDER / "images": "lessons/images",
}


def on_config(config: Any) -> Any:
    """In the navigation, a name with a star stands for all pages of that name that aren't named beside it."""
    config.nav = list(_spelt_out(config.nav, sorted(made_pages())))
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what is made, and the files that are shown as they are."""
    for name, text in {**made_pages(), "play.html": play()}.items():
        files.append(File.generated(config, name, content=text))
    shown = {f"{place}/{path.name}": path for folder, place in PICTURES.items() for path in folder.iterdir()}
    for name, path in {**shown, **{f"lessons/{path.name}": path for path in lessons.SCRIPTS}}.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def made_pages() -> dict[str, str]:
    """The text of each page that is made, by its name."""
    return {**lessons.pages(), **models.pages(), **reference.pages()}


def _spelt_out(items: list[Any], made: list[str]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, dict):
            yield {title: list(_spelt_out(x, made)) if isinstance(x, list) else x for title, x in item.items()}
        elif "*" in item:
            yield from (name for name in made if fnmatch(name, item) and name not in items)
        else:
            yield item
