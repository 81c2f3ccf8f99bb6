"""Every example runs as a person would paste it, with fewer steps, and leaves its picture."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
EXAMPLES = [
    path
    for path in EXAMPLES
    if path.stem not in ("leaderboard", "systems", "augmentation", "from_pytorch", "onnx_agreement")
]  # tested apart


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path, monkeypatch, capsys):
    source, found = re.subn(
        r"^steps = \d+$", "steps = 500" if "gaussian" in path.stem else "steps = 3", path.read_text(), flags=re.M
    )
    assert found == 1, "an example has one line `steps = ...`, which says how long it trains"
    monkeypatch.chdir(tmp_path)
    exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
    pictures = re.findall(r'"(\w+\.png)"', source)
    assert all((tmp_path / picture).stat().st_size > 500 for picture in pictures)
    assert capsys.readouterr().out


@pytest.mark.oracle
def test_a_gan_from_pytorch_continues(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    source = EXAMPLES[0].with_name("from_pytorch.py").read_text()
    monkeypatch.chdir(tmp_path)
    exec(compile(re.sub(r"^steps = \d+", "steps = 3", source, flags=re.M), "from_pytorch.py", "exec"), {})
    said = capsys.readouterr().out
    assert float(re.search(r"G\(z\) differs by (\S+)", said)[1]) < 1e-5
    assert (tmp_path / "runs" / "from_pytorch" / "report.html").exists()


def test_what_generated_digits_buy_is_measured_in_four_ways(tmp_path, monkeypatch, capsys):
    script = runpy.run_path(str(EXAMPLES[0].with_name("augmentation.py")))
    monkeypatch.setattr(
        sys, "argv", ["augmentation.py", "--sizes", "20", "--seeds", "0", "--out", str(tmp_path / "a.json")]
    )
    script["main"].__globals__.update(steps=2, CLASSIFIER_STEPS=2, GENERATED=30)
    script["main"]()
    (result,) = json.loads((tmp_path / "a.json").read_text())
    assert all(0 <= result[way] <= 1 for way in script["WAYS"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("| 20 | ")


def test_the_smallest_gan_learns_the_gaussian(capsys):
    source = next(path for path in EXAMPLES if path.stem == "gaussian_gan").read_text()
    names: dict = {}
    exec(compile(source, "gaussian_gan.py", "exec"), names)
    assert abs(names["made"].mean() - 4.0) < 0.25
    assert abs(names["made"].std() - 1.25) < 0.25
    assert len(source.splitlines()) <= 40
