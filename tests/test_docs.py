"""The pages of docs/ do what they say: their Python and their commands run, in order, each page in its own directory.

Of 500 steps one is taken. Commands that install don't run, nor those that need a GPU, the masters of the course, or
seconds to evaluate. A page that needs packages runs where they are installed.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tinygen.cli import main

FOLDER = Path(__file__).parents[1] / "docs"
TRANSLATIONS = sorted(FOLDER.glob("zh/*.md"))
PAGES = sorted(set(FOLDER.rglob("*.md")) - set(TRANSLATIONS))
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.M | re.S)
STEPS = re.compile(r"\b(steps\W+)(\d+)")
ELSEWHERE = ("--device cuda", "--masters", "tinygen evaluate")
FAILS = "tinygen course check"  # a new piece
PACKAGES = {
    "how/parallel.md": ["mpi4py"],
    "how/programs.md": ["onnx", "onnxruntime", "torch", "tensorboardX", "sklearn"],
    "how/sweep.md": ["joblib"],
}


def parameter(page):
    """A page as a parameter, marked if it needs packages."""
    name = page.relative_to(FOLDER).as_posix()
    return pytest.param(page, id=name, marks=[pytest.mark.oracle] if name in PACKAGES else [])


@pytest.mark.parametrize("page", [parameter(page) for page in PAGES])
def test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch, as_found):
    for package in PACKAGES.get(page.relative_to(FOLDER).as_posix(), []):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for kind, block in BLOCK.findall(STEPS.sub(fewer, page.read_text(encoding="utf-8"))):
        if kind == "python":
            exec(compile(block, str(page), "exec"), names)
        else:
            for line in commands_of(block):
                assert main(line.split()[1:]) == line.startswith(FAILS), line


@pytest.mark.parametrize("page", TRANSLATIONS, ids=lambda page: page.stem)
def test_a_translation_has_the_code_of_its_original(page):
    assert code_of(page) == code_of(FOLDER / page.name)


def code_of(page):
    """The blocks of a page without comments, and without the words of f-strings, which are translated."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [without_words(block) if kind == "python" else re.sub(r" *#.*", "", block) for kind, block in blocks]


def without_words(block):
    tree = ast.parse(block)
    for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
        text.values = [part for part in text.values if isinstance(part, ast.FormattedValue)]
    return ast.dump(tree)


def fewer(steps):
    return f"{steps[1]}{max(1, int(steps[2]) // 500)}"


def commands_of(block):
    """The commands of tinygen in a block for the shell, without comments, but for those that are tried elsewhere."""
    lines = [line.partition("#")[0].strip() for line in block.splitlines()]
    return [line for line in lines if line.startswith("tinygen ") and not any(word in line for word in ELSEWHERE)]


def test_each_picture_is_shown():
    shown = (FOLDER / "gallery.md").read_text(encoding="utf-8") + (FOLDER / "live.md").read_text(encoding="utf-8")
    pictures = {path.name for path in (FOLDER.parent / "examples" / "images").iterdir()}
    assert pictures == set(re.findall(r"\(images/([\w.]+)\)", shown))
