"""The commands for many runs: what a sweep's line describes, what it refuses, and what is compared in the end."""

import csv
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sweeps import in_this_process

from tinygen import sweep
from tinygen.cli import main
from tinygen.cli.grid import LONGEST
from tinygen.cli.sweep import trainings
from tinygen.errors import UserError
from tinygen.report import compared
from tinygen.train import RunDirectory

WORK = sweep.work
ROOT = Path(__file__).parents[2]
SMALL = "gan --data ring8 --steps 2 --log-every 1 --record none --set g_hidden=4 d_hidden=4"


@pytest.fixture(autouse=True)
def in_a_fresh_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    """A function that runs a command and gives its exit code, output, and errors."""

    def run(line):
        code = main(line.split())
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def here(monkeypatch):
    """Sweeps whose runs are trained in this process, one after the other, and draw nothing; nor does the comparison."""
    in_this_process(monkeypatch)
    monkeypatch.setattr(compared, "page", lambda comparison, folder: "")


def names(line):
    return [training.out.name for training in trainings(line.split())]


def test_each_combination_is_a_run_seed_by_seed():
    assert names("vae --seed 3 4 --set latent_dim=2 lr=1e-3 latent_dim=5 --batch 8 16") == [
        f"vae-batch={batch}-latent_dim={size}-lr=0.001-seed={seed}"
        for seed in (3, 4)
        for batch in (8, 16)
        for size in (2, 5)
    ]
    assert names("gan lsgan --preset plane --data ring8") == [
        f"{model}-data=ring8-preset=plane-seed=0" for model in ("gan", "lsgan")
    ]
    assert names("gan --set slope=0.1 lr=1") == names("gan --set lr=1.0 slope=0.1"), "in any order"
    assert names("gan") == ["gan-seed=0"] and names("gan --set lr=1e-3 g_hidden=8,16") == [
        "gan-g_hidden=8,16-lr=0.001-seed=0"
    ]


def test_a_run_is_trained_by_the_options_of_its_own():
    line = "gan --data ring8 --seed 0 7 --set lr=1e-3 lr=1e-4 g_hidden=8 --log-every 5 --evaluate -n 50 --preset plane"
    last = trainings(line.split())[-1]
    options = ["--data=ring8", "--seed=7", "--log-every=5", "--preset=plane", "--set", "lr=1e-4", "g_hidden=8"]
    assert last.options == ("gan", *options) and last.evaluation == {"n": 50, "seed": 7}
    assert last.steps == trainings(["gan", "--data", "ring8", "--preset", "plane"])[0].steps, "those of the preset"


def test_a_name_is_short_and_a_folder_for_every_file_system(tmp_path):
    from PIL import Image

    for folder in ("a/x y", "a_x y"):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / folder / f"{i}.png")
    line = ["vae", "--size", "8", "--data", "folder:a/x y", "folder:a_x y", "--set"]
    found = [training.out.name for training in trainings([*line, f"hidden={','.join(['100'] * 40)}"])]
    assert len(set(found)) == 2 and not set("/: ") & set("".join(found))
    assert all(len(name) <= LONGEST + len("-12345678-seed=0") for name in found)


REFUSED = {
    "gna": ["no model 'gna'", "'gan'"],
    "gan --lr 1": ["write --set lr=1"],
    "gan --seed": ["--seed", "expected at least one argument"],
    "gan --seed x": ["--seed", "'x'"],
    "gan --seed 1 1": ["gan-seed=1", "give each value once"],
    "gan --set lr=1e-3 lr=0.001": ["gan-lr=0.001-seed=0", "give each value once"],
    "gan --set lr=1e-3 lr=fast": ["--set lr", "'fast'"],
    "gan --set lr=1e-3 lr=-1": ["lr is -1.0", "at least 0"],
    "gan --set lr": ["--set lr", "lr=0.0002"],
    "gan --set rl=1": ["--set rl: no such setting"],
    "gan vae --set g_hidden=4": ["vae: --set g_hidden", "no such setting"],
    "gan --preset keras kears": ["gan: no preset 'kears'"],
    "gan lsgan --preset keras": ["error: lsgan: no preset 'keras'"],
    "gan --data digits ring9": ["no data set 'ring9'", "ring8"],
    "gan --data-b digits": ["one domain"],
    "gan --device cuda": ["CuPy"],
    "gan --jobs 0": ["--jobs", "at least 1"],
    "gan --seed 0 1 --only 2": ["--only 2", "2 runs is number 1"],
    "gan -n 50": ["-n 50", "--evaluate"],
    "gan --resume": ["'--resume'", "tinygen train"],
    "gan --out file": ["can't write file"],
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_wrong_is_one_line_before_any_run_begins(run, tmp_path, monkeypatch, line):
    (tmp_path / "file").touch()
    monkeypatch.setattr(sweep, "work", None)
    monkeypatch.setitem(sys.modules, "cupy", None)
    result = run(f"sweep {line}")
    assert result.code == 2 and result.err.startswith("tinygen: error: ") and result.err.count("\n") == 1
    assert all(word in result.err for word in REFUSED[line]), result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_sweep_ends_with_a_table_and_a_page(run, tmp_path, here):
    result = run(f"sweep {SMALL} lr=1e-3 lr=1e-2 --seed 0 1 --evaluate -n 60 --out s")
    assert result.code == 0 and "4 runs, 0 finished" in result.out and "open s/compare.html in a browser" in result.out
    with (tmp_path / "s" / "compare.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["lr"], row["seed"], row["steps"]) for row in rows] == [
        (lr, seed, "2") for lr in ("0.001", "0.01") for seed in ("0", "1")
    ]
    values = []
    for row in rows:
        record = json.loads((tmp_path / row["run"] / "metrics.json").read_text())
        assert record["seed"] == int(row["seed"]) and record["n"] == 60
        assert float(row["reverse_kl"]) == record["scores"]["reverse_kl"]["value"]
        values.append(record["scores"]["reverse_kl"]["value"])
    head, _, first, _, real = (tmp_path / "s" / "compare.md").read_text().splitlines()
    cell = dict(zip(head.split(" | "), first.split(" | "), strict=True))["reverse_kl |"].removesuffix(" |")
    mean, deviation = statistics.fmean(values[:2]), statistics.pstdev(values[:2])
    shown = [float(x) for x in cell.split(" ± ")] if "±" in cell else [float(cell), 0.0]
    assert shown == pytest.approx([mean, deviation], rel=0.06, abs=1e-9) and real.startswith("| real data |")


def test_the_same_line_does_what_is_left_and_another_may_add(run, tmp_path, here):
    run(f"sweep {SMALL} --out s --only 0")
    before = {path: path.read_bytes() for path in (tmp_path / "s").rglob("*.safetensors")}
    assert before and not (tmp_path / "s" / "compare.html").exists()
    result = run(f"sweep {SMALL} --seed 0 1 --out s")
    assert "2 runs, 1 finished" in result.out and (tmp_path / "s" / "compare.html").exists()
    assert all(path.read_bytes() == data for path, data in before.items())
    listed = run(f"sweep {SMALL} --seed 0 1 2 --out s --list").out.splitlines()
    assert [line.split()[0] for line in listed[1:]] == ["0", "1", "2"]
    assert [" ".join(line.split()[2:]) for line in listed[1:]] == ["2 of 2", "2 of 2", "0 of 2"]
    longer = SMALL.replace("--steps 2", "--steps 5")
    assert "1 run, 0 finished" in run(f"sweep {longer} --out s").out
    assert RunDirectory(tmp_path / "s" / "gan-data=ring8-d_hidden=4-g_hidden=4-seed=0").read_metrics()[-1]["step"] == 5


def test_runs_of_another_sweep_are_not_taken_for_its_own(run, here):
    run(f"sweep {SMALL} --out s")
    for change, word in ((("--record none", "--mirror"), "mirror"), (("--steps 2", "--steps 1"), "has made 2")):
        result = run(f"sweep {SMALL.replace(*change)} --out s")
        assert result.code == 2 and word in result.err and result.err.count("\n") == 1


def test_a_run_that_fails_is_named_and_the_others_are_compared(run, monkeypatch, tmp_path, here):
    line = f"sweep {SMALL} --seed 0 1 --out s"
    first = trainings(line.split()[1:])[0]
    first.out.mkdir(parents=True)
    (first.out / "samples").touch()
    result = run(line)
    assert result.code == 1 and f"[1/2] {first.out.name}: failed: code 2" in result.out
    assert "1 of 2 runs failed; the same command tries again" in result.out and "open s/compare.html" in result.out


def test_a_sweep_trains_what_train_does_in_a_process_of_its_own(run, here, monkeypatch):
    """The one test with a real process, which imports tinygen as this one does."""
    run(f"train {SMALL} --seed 5 --out alone")
    monkeypatch.setattr(sweep, "work", WORK)
    result = run(f"sweep {SMALL} --seed 5 --out s --only 0")
    assert result.code == 0 and "seed=5: " in result.out, result.out
    swept = RunDirectory("s/gan-data=ring8-d_hidden=4-g_hidden=4-seed=5")
    assert swept.metrics_file.read_bytes() == RunDirectory("alone").metrics_file.read_bytes()
    assert "seed 5, cpu" in (swept.path / sweep.LOG).read_text()


@pytest.mark.more
def test_ctrl_c_at_a_terminal_saves_each_run_and_says_one_line(tmp_path):
    """The process group gets it, as a terminal's does; the same command ends as if nobody had pressed."""
    line = SMALL.replace("--steps 2", "--steps 3000") + " --seed 0 1 --jobs 2 --sample-every 9999 --out"
    command = [sys.executable, "-m", "tinygen", "sweep", *line.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, "s"], stdout=subprocess.PIPE, text=True, env=environment, process_group=0)
    run = RunDirectory("s/gan-data=ring8-d_hidden=4-g_hidden=4-seed=0")
    while 500 not in run.checkpoints():
        assert process.poll() is None
    os.killpg(process.pid, 2)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and said.splitlines()[1:] == [
        "stopped: 0 of 2 runs finished; the same command does the rest"
    ]
    subprocess.run([*command, "s"], env=environment, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*command, "whole"], env=environment, check=True, stdout=subprocess.DEVNULL)
    for seed in (0, 1):
        files = [
            Path(out, f"gan-data=ring8-d_hidden=4-g_hidden=4-seed={seed}", "metrics.jsonl") for out in ("s", "whole")
        ]
        assert files[0].read_bytes() == files[1].read_bytes()


COMPARES_NOT = {
    "nothing": ["nothing: there is no run"],
    "file": ["file: there is no run"],
    "empty": ["empty: there is no run"],
    "": ["required: RUN"],
}


@pytest.mark.parametrize("line", COMPARES_NOT)
def test_what_can_not_be_compared_is_one_line(run, tmp_path, line):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    result = run(f"compare {line}")
    assert result.code == 2 and result.err.count("\n") == 1 and all(word in result.err for word in COMPARES_NOT[line])


def test_compare_writes_into_the_folder_or_where_it_is_told(run, tmp_path, here):
    run(f"sweep {SMALL} --out s --only 0")
    assert "open s/compare.html" in run("compare s").out
    only = next(path for path in (tmp_path / "s").iterdir() if path.is_dir())
    assert run(f"compare {only} s --out both.html").code == 0 and (tmp_path / "both.csv").read_text().count("\n") == 2
    assert run("compare s --out both.png").code == 2 and run("compare s --out no/both.html").code == 2


def test_trainings_raises_what_the_command_prints():
    with pytest.raises(UserError, match="no model 'gna'"):
        trainings(["gna"])
