"""A name that begins with an underscore stays in its file: what others need has a public name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tinygen

ROOT = Path(tinygen.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
PUBLIC = {
    "_asdict",
    "_replace",
    "_fields",
    "_make",
    "_exit",
    "_getframe",
    "_repr_html_",
}  # as Python's docs and notebooks say


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name != "_" and name not in PUBLIC


def reaches(source):
    """The private names of others in a file, with their lines: imported, or asked of an object and not defined here.

    Defined here is what a class in this file has for a method or a variable, or sets on its `self`. `self`, `cls` and
    `super()` may have it from a base class.
    """
    tree = ast.parse(source)
    asked = list(attributes(tree))
    own = set(defined(tree)) | {name for node, name, value in asked if is_self(value) and is_assigned(node)}
    found = [(node.lineno, name) for node, name, value in asked if not is_self(value) and name not in own]
    found += [(node.lineno, name) for node in ast.walk(tree) for name in imported(node)]
    return [f"line {line}: {name}" for line, name in sorted(found) if is_private(name)]


def attributes(tree):
    """(node, name, object) of what is asked of objects: x.name, getattr(x, "name")."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node, node.attr, node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in (
            "getattr",
            "hasattr",
            "setattr",
            "delattr",
        ):
            value, name, *_ = node.args
            if isinstance(name, ast.Constant):
                yield node, name.value, value


def defined(tree):
    """The names of the methods and variables of the classes in it."""
    for cls in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for statement in cls.body:
            if isinstance(statement, ast.FunctionDef):
                yield statement.name
            else:
                yield from (node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and is_assigned(node))


def imported(node):
    """The names that are imported from elsewhere in the package, and the modules on the way."""
    if isinstance(node, ast.ImportFrom):
        yield from (node.module or "").split(".")
        yield from (alias.name for alias in node.names)


def is_assigned(node):
    return isinstance(getattr(node, "ctx", None), ast.Store)


def is_self(value):
    """Whether an object is the one that a method belongs to."""
    call = value.func if isinstance(value, ast.Call) else None
    return getattr(value, "id", None) in ("self", "cls") or getattr(call, "id", None) == "super"


@pytest.mark.parametrize("file", FILES)
def test_no_file_reaches_for_the_private_names_of_another(file):
    assert reaches((ROOT / file).read_text(encoding="utf-8")) == []


REACHES = {
    "from .shape import _put": "_put",
    "from ._shape import put": "_shape",
    "from . import _shape as shape": "_shape",
    "def f(t): return t._data": "_data",
    "def f(t): t._data = 1": "_data",
    "def f(t): return g(t)._data": "_data",
    "def f(t): return getattr(t, '_data', t)": "_data",
    "import numpy as np\nnp._core": "_core",
    "class A:\n    def f(self, other): return other._data": "_data",
    "class A:\n    def f(self): self.t._data = 1": "_data",
}


@pytest.mark.parametrize("source", REACHES)
def test_a_reach_is_found(source):
    assert [line.split()[-1] for line in reaches(source)] == [REACHES[source]]


OWN = [
    "from .shape import put as _put\n_put(1)",
    "from __future__ import annotations\nfrom . import __version__",
    "class A:\n    def __init__(self): self._data = 1\n    def f(self, other): return other._data",
    "class A:\n    _data = 1\ndef f(a): return a._data",
    "class A:\n    def _data(self): return 1\ndef f(a): return a._data()",
    "class A(B):\n    def f(self): return self._of_the_base + super()._of_the_base + type(self).__name__",
    "import sys\nsys._getframe()",
    "def f(row): return row._asdict(), row.__dict__, row.text_",
]


@pytest.mark.parametrize("source", OWN)
def test_what_is_no_reach(source):
    assert reaches(source) == []
