"""The leaderboard at a tiny scale: it leaves its table, goes on where it stopped, and shows what it measured."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path

import pytest
from sweeps import in_this_process

SCRIPT = Path(__file__).parents[1] / "examples" / "leaderboard.py"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """A function that runs the script, whose trainings are in this process and draw nothing."""
    in_this_process(monkeypatch)
    script = runpy.run_path(str(SCRIPT))

    def call(*options):
        monkeypatch.setattr(sys, "argv", ["leaderboard.py", "--out", str(tmp_path), *options])
        return script["main"](), capsys.readouterr().out

    return call


@pytest.mark.more
def test_two_models_and_two_seeds(call, tmp_path):
    models = ["--models", "vae", "gan", "--scale", "0.0005", "-n", "300"]
    code, printed = call(*models, "--seeds", "0")
    assert code == 0 and "2 runs, 0 finished" in printed
    one = (tmp_path / "leaderboard.md").read_text()
    code, printed = call(*models, "--seeds", "0", "1")
    assert code == 0 and "4 runs, 2 finished" in printed

    table = (tmp_path / "leaderboard.md").read_text().split("\n\n")[0].splitlines()
    with (tmp_path / "compare.csv").open() as lines:
        results = list(csv.DictReader(lines))
    assert {(r["model"], r["seed"]) for r in results} == {("vae", "0"), ("vae", "1"), ("gan", "0"), ("gan", "1")}
    fids = {name: [float(r["fid"]) for r in results if r["model"] == name] for name in ("vae", "gan")}
    ranked = sorted(fids, key=lambda name: sum(fids[name]))
    assert [line.split()[1] for line in table[2:4]] == ranked and table[4].startswith("| *real digits* |")
    mean, spread = (float(x) for x in table[2].split("|")[4].split("±"))
    first = fids[ranked[0]]
    assert mean == pytest.approx(sum(first) / 2, abs=0.006)
    assert spread == pytest.approx(abs(first[0] - first[1]) / 2, abs=0.006)
    assert float(table[4].split("|")[4]) < min(min(found) for found in fids.values())
    assert one != (tmp_path / "leaderboard.md").read_text()
    assert (tmp_path / "leaderboard.png").stat().st_size > 1000


def test_a_model_that_is_not_there_is_refused(call, capsys):
    with pytest.raises(SystemExit):
        call("--models", "gun")
    assert "invalid choice: 'gun'" in capsys.readouterr().err
