"""The walls of the house: who imports whom, read from the source, against the README's table of layers.

An import in a function counts as one at the top of a file. One under TYPE_CHECKING never runs, and may point anywhere.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


class Import(NamedTuple):
    """Of a file: where it stands, and the files that it runs, by their paths from the root."""

    file: str
    line: int
    imported: tuple[str, ...]


def imports_of(root: Path, package: str) -> list[Import]:
    """All imports of a package's own files in its own files, but for the course's pieces, which students get."""
    _file.cache_clear()
    paths = [path for path in sorted((root / package).rglob("*.py")) if "pieces" not in path.parts]
    return [found for path in paths for found in _imports_in(root, path)]


def _imports_in(root: Path, path: Path) -> Iterator[Import]:
    file, text = str(path.relative_to(root)), path.read_text(encoding="utf-8")
    modules = []
    for node in _that_run(ast.parse(text).body):
        if isinstance(node, ast.Import):
            modules += [(node.lineno, root.joinpath(*alias.name.split("."))) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else root
            module = base.joinpath(*(node.module or "").split("."))
            named = [module / alias.name if _file(module / alias.name) else module for alias in node.names]
            modules += [(node.lineno, module) for module in named]
    for found in re.finditer(r"""import_module\(["'](\.+)([\w.]+)["']""", text):
        module = path.parents[len(found[1]) - 1].joinpath(*found[2].split("."))
        modules.append((text.count("\n", 0, found.start()) + 1, module))
    for line, module in modules:
        if run := set(_files_run(root, module, path)) - {file}:
            yield Import(file, line, tuple(sorted(run)))


def _that_run(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements but those under TYPE_CHECKING."""
    for statement in body:
        if isinstance(statement, ast.If) and getattr(statement.test, "id", "") == "TYPE_CHECKING":
            yield from _that_run(statement.orelse)
        else:
            yield statement
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from _that_run(getattr(statement, part, []))


@functools.cache
def _file(module: Path) -> Path | None:
    """Where a module is, if it is one of ours."""
    places = module.with_suffix(".py"), module / "__init__.py"
    return next((place for place in places if place.is_file()), None)


def _files_run(root: Path, module: Path, importer: Path) -> Iterator[str]:
    """The file of a module, and the __init__.py of every folder around it that is not around its importer, too."""
    file = _file(module)
    if file is not None and root in file.parents:
        yield str(file.relative_to(root))
        for folder in file.parents:
            if folder == root or folder in importer.parents:
                break
            if (folder / "__init__.py").is_file():
                yield str((folder / "__init__.py").relative_to(root))


def circle(imports: list[Import]) -> list[str]:
    """Files each of which imports the next, and the last of which is the first; [] if there is no such circle."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        graph.setdefault(found.file, set()).update(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return []


def table_of_layers(readme: str) -> list[list[str]]:
    """The files and folders of each line of the README's table, from the bottom up."""
    section = readme.partition("### Reading the source")[2].partition("\nImages are")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| [")]
    return [re.findall(r"\]\(([^)]*)\)", row) for row in rows]


def line_of(file: str, layers: list[list[str]]) -> int:
    """Which line of the table a file belongs to; -1 if it is in none."""
    return next((i for i, row in enumerate(layers) if any(f"{file}/".startswith(f"{path}/") for path in row)), -1)


def upward(imports: list[Import], layers: list[list[str]]) -> list[str]:
    """The imports of what stands below, in words."""
    return [
        f"{found.file}:{found.line} imports {file}, which is on a line below its own"
        for found in imports
        for file in found.imported
        if line_of(file, layers) > line_of(found.file, layers)
    ]


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return imports_of(ROOT, "tinygen")


@pytest.fixture(scope="module")
def layers() -> list[list[str]]:
    return table_of_layers((ROOT / "README.md").read_text(encoding="utf-8"))


def test_every_file_is_on_one_line_of_the_table(layers: list[list[str]]) -> None:
    paths = [path for row in layers for path in row]
    assert len(paths) == len(set(paths)) > 20 and not [path for path in paths if not (ROOT / path).exists()]
    files = [str(path.relative_to(ROOT)) for path in (ROOT / "tinygen").rglob("*.py")]
    assert not [file for file in files if line_of(file, layers) < 0]


def test_no_import_points_to_a_line_below(imports: list[Import], layers: list[list[str]]) -> None:
    assert not upward(imports, layers)


def test_no_file_imports_itself_through_others(imports: list[Import]) -> None:
    assert not circle(imports)
    assert not circle(imports_of(ROOT, "benchmarks"))


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small package in which nothing is wrong."""
    files = {
        "__init__": "from .top import walk",
        "low": "import numpy as np",
        "middle/__init__": "from .stone import weight",
        "middle/stone": "from ..low import np\nif TYPE_CHECKING:\n    from ..top import walk",
        "top": "def walk():\n    from .middle import weight",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / "house" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


LAYERS = [["house/low.py"], ["house/middle"], ["house/top.py"], ["house/__init__.py"]]


def test_a_house_without_fault(house: Path) -> None:
    imports = imports_of(house, "house")
    assert len(imports) == 4 and not upward(imports, LAYERS) and not circle(imports)
    assert [line_of(f"house/{name}.py", LAYERS) for name in ("low", "middle/stone", "lower", "__init__")] == [
        0,
        1,
        -1,
        3,
    ]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("low", "from .middle.stone import weight"),
        ("low", "def late():\n    from . import top"),
        ("low", "import house.top"),
        ("low", "from . import __version__"),  # of the package's own __init__.py
        ("middle/stone", "import importlib\nimportlib.import_module('..top', __package__)"),
    ],
)
def test_a_fault_is_found(house: Path, file: str, line: str) -> None:
    (house / "house" / f"{file}.py").write_text(line)
    assert upward(imports_of(house, "house"), LAYERS)


def test_a_circle_is_found_within_a_folder(house: Path) -> None:
    (house / "house/middle/stone.py").write_text("def late():\n    from . import weight")
    imports = imports_of(house, "house")
    assert not upward(imports, LAYERS)
    assert set(circle(imports)) == {"house/middle/stone.py", "house/middle/__init__.py"}
