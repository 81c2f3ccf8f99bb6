"""The leaderboard at a tiny scale: it leaves its table, goes on where it stopped, and shows what it measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """A function that runs the script, and the folder where its results are."""
    out = tmp_path_factory.mktemp("leaderboard")

    def run(*options):
        command = [sys.executable, str(ROOT / "examples" / "leaderboard.py"), "--out", str(out), *options]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run, out


def test_two_models_and_two_seeds(call):
    run, out = call
    models = ["--models", "vae", "gan", "--scale", "0.0005", "-n", "300"]
    code, printed = run(*models, "--seeds", "0", "--jobs", "1")
    assert code == 0, printed
    assert "2 trainings, 0 of them finished" in printed
    one = (out / "leaderboard.md").read_text()
    code, printed = run(*models, "--seeds", "0", "1")
    assert code == 0 and "4 trainings, 2 of them finished" in printed

    table = (out / "leaderboard.md").read_text().split("\n\n")[0].splitlines()
    results = json.loads((out / "leaderboard.json").read_text())
    assert {(r["model"], r["seed"]) for r in results} == {("vae", 0), ("vae", 1), ("gan", 0), ("gan", 1)}
    assert all(r["seconds"] > 0 and r["scores"]["fid"]["value"] > r["scores"]["fid"]["reference"] > 0 for r in results)
    fids = {name: [r["scores"]["fid"]["value"] for r in results if r["model"] == name] for name in ("vae", "gan")}
    ranked = sorted(fids, key=lambda name: sum(fids[name]))
    assert [line.split()[1] for line in table[2:4]] == ranked and table[4].startswith("| *real digits* |")
    mean, spread = (float(x) for x in table[2].split("|")[5].split("±"))
    first = fids[ranked[0]]
    assert mean == pytest.approx(sum(first) / 2, rel=0.01) and spread == pytest.approx(
        abs(first[0] - first[1]) / 2, abs=1
    )
    assert one != (out / "leaderboard.md").read_text()
    assert (out / "leaderboard.png").stat().st_size > 1000


def test_a_result_of_other_settings_is_not_taken_for_it(call):
    run, out = call
    file = next((out / "results").glob("gan-0-*.json"))
    result = json.loads(file.read_text())
    result["config"]["lr"] = "1"
    file.write_text(json.dumps(result))
    code, printed = run("--models", "gan", "--scale", "0.0005", "-n", "300", "--seeds", "0")
    assert code == 0 and "1 trainings, 0 of them finished" in printed


def test_a_model_that_is_not_there_is_refused(call):
    code, printed = call[0]("--models", "gun")
    assert code == 2 and "invalid choice: 'gun'" in printed
