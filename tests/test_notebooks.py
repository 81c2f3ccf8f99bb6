"""The notebooks are those of today's lessons and assignments, were run from top to bottom, and are small.

`examples/notebooks/make.py` makes them. What needs jupytext or a kernel is tested where the extra `notebooks` is.
"""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
MADE = sorted(FOLDER.rglob("*.ipynb"))
LARGEST = 250_000  # bytes


@pytest.fixture(scope="module")
def make():
    return runpy.run_path(str(FOLDER / "make.py"))


def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source_of(cell):
    return "".join(cell["source"])


def texts_of(cell):
    """The lines of a cell, and of what it printed and showed as text."""
    outputs = cell.get("outputs", ())
    shown = [output.get("text") or output["data"].get("text/plain", ()) for output in outputs]
    return "\n".join([source_of(cell), *("".join(lines) for lines in shown)]).splitlines()


def test_there_is_one_for_each_lesson_and_each_assignment(make):
    assert sorted(path for path, _ in make["notebooks"]()) == MADE


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.stem)
def test_a_notebook_was_run_in_order_and_is_small(path):
    cells = [cell for cell in cells_of(path) if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in cells]
    assert counts == sorted(counts) and counts[0] == 1
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds and kinds
    assert path.stat().st_size < LARGEST
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/tmp|/home/|/root|/work", text), "it names a place of the machine it was made on"


def test_every_lesson_shows_a_picture():
    for path in FOLDER.glob("[0-9]*.ipynb"):
        shown = {
            kind for cell in cells_of(path) for output in cell.get("outputs", ()) for kind in output.get("data", ())
        }
        assert shown & {"image/png", "image/svg+xml"}, path.name


@pytest.mark.oracle
@pytest.mark.parametrize("path", MADE, ids=lambda path: path.stem)
def test_a_notebook_is_made_of_what_is_there_today(path, make):
    pytest.importorskip("jupytext")
    wanted = dict(make["notebooks"]())[path]()
    cells = [cell for cell in wanted.cells if cell.id != make["HIDDEN"]]
    assert [(c["cell_type"], source_of(c)) for c in cells_of(path)] == [(c.cell_type, c.source) for c in cells], (
        f"python examples/notebooks/make.py {path.stem}"
    )


@pytest.mark.oracle
def test_the_quickstart_runs_in_a_kernel(make, monkeypatch):
    pytest.importorskip("nbclient")
    notebook = make["of_script"](FOLDER / "quickstart.py")
    for cell in notebook.cells:
        cell.source = re.sub(r"^steps = \d+$", "steps = 3", cell.source, flags=re.M)
    ran = make["run"](notebook)
    shown = [output for cell in ran.cells for output in cell.get("outputs", ())]
    assert any("samples" in output.get("data", {}).get("text/html", "") for output in shown), "live"


def test_no_notebook_tells_a_solution():
    search = runpy.run_path(str(FOLDER.parent / "course" / "search.py"))
    masters = search["masters"](FOLDER.parent / "course")
    lines = {line for master in masters for line in master.solution_lines()} - search["lines_of_the_engine"]()
    told = {line.strip() for path in MADE for cell in cells_of(path) for line in texts_of(cell)}
    assert not told & lines
