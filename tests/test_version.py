"""The version is in one place, version.py."""

from __future__ import annotations

import re
from pathlib import Path

import tinygen


def test_pyproject_takes_the_version_from_the_package():
    text = (Path(tinygen.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in text and not re.search(r"^version = \"", text, re.M)
    assert 'version = { attr = "tinygen.version.__version__" }' in text
    assert re.fullmatch(r"\d+\.\d+\.\d+", tinygen.__version__)
