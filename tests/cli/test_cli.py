"""The command line, mostly in this process: what it does, what it prints, and its exit code."""

import errno
import functools
import json
import os
import re
import signal
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, ClassVar, Literal

import numpy as np
import pytest
from PIL import Image

import tinygen
from tinygen import backend, cli, doctor, random, viz
from tinygen.cli import main
from tinygen.data import DATASETS
from tinygen.data.domains import load_smiles
from tinygen.data.sixfactors import load_sixfactors
from tinygen.inside import Recording
from tinygen.models import MODELS, Model
from tinygen.tensor import Tensor
from tinygen.train import RunDirectory, checkpoint


class Mean(Model):
    """Learns the mean image, and draws it with noise.

    A second paragraph, which no list shows.
    """

    @dataclass(frozen=True)
    class Config:
        data_shape: tuple[int, ...] = (28, 28, 1)
        rate: Annotated[float, "how far the mean moves"] = 0.1
        noise: float = 0.2
        mood: Literal["calm", "broken", "hungry", "impatient"] = "calm"

        def __post_init__(self):
            if self.rate < 0:
                raise ValueError(f"Mean: rate is {self.rate}, but it must be at least 0")

    name, value_range, takes_labels = "mean", (-1, 1), False
    defaults: ClassVar = {"data": "digits", "steps": 20, "batch": 16}

    def __init__(self, config=None, seed=0):
        self.config = config or self.Config()
        self.noise = random.Generator(seed, "noise")
        self.mean = self.noise.normal(self.config.data_shape)

    def check_batch(self, batch):
        pass

    def train_step(self, batch):
        if self.config.mood == "hungry":
            raise MemoryError("Unable to allocate 7 TiB")
        if self.config.mood == "impatient":
            raise KeyboardInterrupt
        target = batch.mean(axis=0) + self.config.noise * self.noise.normal(self.mean.shape)
        error = target - self.mean
        self.mean += np.float32(self.config.rate) * error
        loss = np.float32("nan") if self.config.mood == "broken" else (error**2).mean()
        return {"loss": Tensor(np.asarray(loss))}

    def sample(self, n, rng=None):
        return self.mean + self.config.noise * (rng or random.Generator(0)).normal((n, *self.mean.shape))

    def preview(self, batch, n, rng):
        return self.sample(n, rng)

    def state_dict(self):
        return {"mean": self.mean}

    def load_state_dict(self, state):
        self.mean = state["mean"].copy()

    def generators(self):
        return {"noise": self.noise}

    def summary(self):
        return f"mean: {self.mean.size} parameters"


@functools.cache
def few_faces():
    return load_sixfactors(300, 30)


@functools.cache
def few_smiles():
    return load_smiles(30, 30)


@pytest.fixture(autouse=True)
def in_a_fresh_folder(monkeypatch, tmp_path):
    monkeypatch.setitem(DATASETS, "sixfactors", DATASETS["sixfactors"]._replace(make=lambda: few_faces()))  # 4 s less
    monkeypatch.setitem(DATASETS, "smiles", DATASETS["smiles"]._replace(make=lambda: few_smiles()))
    monkeypatch.setitem(MODELS, "mean", Mean)
    monkeypatch.setitem(MODELS, "other", type("Other", (Mean,), {"name": "other", "__doc__": "Learns the same."}))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    """A function that runs a command and gives its exit code, output, and errors."""

    def run(line):
        code = main(line.split())
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


def refused(result, *words, code=2):
    """One line on standard error, which says all of the words, and the exit code."""
    assert result.code == code
    assert result.err.startswith("tinygen: error: ") and result.err.count("\n") == 1
    for word in words:
        assert word in result.err
    return True


def weights(folder, step):
    from safetensors.numpy import load_file

    return load_file(folder / "checkpoints" / f"step_{step:06d}.safetensors")


# Help


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "sweep",
        "compare",
        "sample",
        "translate",
        "evaluate",
        "report",
        "export",
        "play",
        "models",
        "data",
        "gradcheck",
        "explain",
        "doctor",
    ],
)
def test_every_command_has_help_with_examples(run, command):
    result = run(f"{command} --help")
    assert result.code == 0 and result.err == ""
    assert f"usage: tinygen {command}" in result.out
    assert f"examples:\n  tinygen {command}" in result.out
    assert command in run("--help").out


def test_the_help_tells_the_exit_codes(run):
    out = run("--help").out
    for code in (cli.OK, cli.FAILED, cli.BAD_INPUT, cli.INTERRUPTED, cli.BROKEN_PIPE):
        assert f"\n  {code:<4} " in out


def test_the_version_is_the_package_s(run):
    assert run("--version").out == f"tinygen {tinygen.__version__}\n"


# Bad usage

BAD_USAGE = {
    "": ["COMMAND", "tinygen --help"],
    "trian gan": ["trian", "train", "tinygen --help"],
    "train": ["MODEL", "tinygen train --help"],
    "train mean extra": ["extra"],
    "train meen": ["no model 'meen'", "did you mean 'mean'?", "tinygen models"],
    "train xyzzy": ["no model 'xyzzy'", "tinygen models"],
    "train mean --bacth 3": ["--bacth", "did you mean '--batch'?", "tinygen train --help"],
    "train mean --epochs 3": ["--epochs", "did you mean '--steps'?"],
    "train mean --step 3": ["--step", "did you mean '--steps'?"],
    "train mean --batch -3": ["--batch", "at least 1", "'-3'"],
    "train mean --batch 0": ["--batch", "at least 1"],
    "train mean --batch=ten": ["--batch", "whole number", "'ten'"],
    "train mean --batch 9001": ["batch", "9001", "9,000"],
    "train mean --steps 0": ["--steps", "at least 1", "'0'"],
    "train mean --steps 1.5": ["--steps", "whole number", "'1.5'"],
    "train mean --seed -1": ["--seed", "at least 0", "'-1'"],
    "train mean --size 0 --data folder:.": ["--size", "at least 1"],
    "train mean --log-every 0": ["--log-every", "at least 1"],
    "train mean --device tpu": ["--device", "tpu", "cuda"],
    "train mean --set": ["--set"],
    "train mean --set rat=1": ["--set rat", "did you mean 'rate'?"],
    "train mean --set rate=fast": ["--set rate", "a number", "'fast'"],
    "train mean --set rate=-1": ["rate is -1"],
    "train mean --set mood=angry": ["--set mood", "calm, broken, hungry or impatient", "'angry'"],
    "train mean --set data_shape=3": ["--set data_shape", "--data"],
    "train mean --data digitz": ["digitz", "digits"],
    "train mean --data folder:nowhere": ["nowhere"],
    "train mean --data digits --size 14": ["size"],
    "train mean --resume": ["runs/mean", "no run"],
    "train mean --evaluate-every 0": ["--evaluate-every", "at least 1", "'0'", "write none, for never"],
    "train mean --evaluate-every never": ["--evaluate-every", "'never'", "write none, for never"],
    "train mean --sample-every none": ["--sample-every", "at least 1", "'none'"],
    "train mean --record no": ["--record", "at least 1", "'no'"],
    "sample": ["RUN", "tinygen sample --help"],
    "sample nowhere": ["nowhere", "no run"],
    "sample nowhere -n 0": ["-n", "at least 1"],
    "sample nowhere --out a.jpg": ["a.jpg", ".png"],
    "evaluate": ["RUN", "tinygen evaluate --help"],
    "evaluate nowhere": ["nowhere", "no run"],
    "evaluate nowhere -n 1": ["-n", "at least 2"],
    "evaluate nowhere -k 0": ["-k", "at least 1"],
    "models meen": ["no model 'meen'", "did you mean 'mean'?"],
    "gradcheck --order 3": ["--order", "3"],
    "explain": ["EXPRESSION", "tinygen explain --help"],
    "explain x*w x": ["'x'", "x=0.5"],
    "explain x*w x=much": ["'x=much'", "x=0.5"],
    "explain x*w y=1": ["no variable 'y'"],
    "explain x*w x=1 x=2": ["x is given twice"],
    "explain x.y": ["'x.y'", "numbers, variables"],
    "explain x --svg a.png": ["a.png", ".svg"],
    "explain x --svg no/a.svg": ["no/a.svg"],
    "doctor now": ["now", "tinygen doctor --help"],
    "train mean --out=": ["--out", "empty", "path"],
    "sample --out= run": ["--out", "empty"],
    "evaluate --out= run": ["--out", "empty"],
    "report --out= run": ["--out", "empty"],
    "play --out=": ["--out", "empty"],
    "play --out a.png": ["--out a.png", ".html"],
    "play lab.html": ["'lab.html'", "tinygen play --help"],
    "explain x --svg=": ["--svg", "empty"],
    "train mean --set seed=3": ["write --seed 3"],
    "train mean --set log-every=3": ["write --log-every 3"],
    "train mean --rate 3": ["'--rate'", "write --set rate=3"],
    "train --rate=3 mean": ["write --set rate=3"],
    "train mean --noyse 3": ["did you mean '--set noise'?"],
    "train mean rate=3": ["'rate=3'", "write --set rate=3"],
    "train mean batch=32": ["'batch=32'", "write --batch 32"],
    "train mean --log_every 5": ["write --log-every 5"],
    "train mean -batch 5": ["write --batch 5"],
    "train mean other": ["'other'", "MODEL is 'mean' already"],
    "train mean --resume runs/mean": ["'runs/mean'", "--resume takes no value"],
    "train mean --resume=yes": ["--resume takes no value"],
    "report a b c": ["'c'", "RUN2 is 'b' already"],
    "train --set rate=1 mean": ["MODEL before --set"],
    "train mean --set rate 3": ["write rate=3"],
    "train mean --set rate = 3": ["write rate=3"],
    "train mean --set rate": ["for example --set rate=0.1"],
    "train mean --set rate=": ["--set rate", "''"],
    "train mean --set rate==3": ["write rate=3"],
    "train mean --set =3": ["key=value"],
    "train mean --set Rate=3": ["did you mean 'rate'?"],
    "train mean --set rate=nan": ["a number", "'nan'"],
    "train mean --set mood=CALM": ["did you mean 'calm'?"],
    "train gan --set latent_dim=1e2": ["write 100"],
    "train gan --set latent_dim=99999999999999999999": ["latent_dim", "from 1 to 2,147,483,647"],
    "train mean --label 3": ["'--label'", "an option of tinygen sample"],
    "sample run --steps 3": ["'--steps'", "an option of tinygen train"],
    "evaluate run --lr 3": ["'--lr'", "setting", "tinygen train"],
    "--seed 3 train mean": ["'--seed'", "after the command"],
    "train mean --steps 2e3": ["'2e3'", "write 2000;"],
    "train mean --steps 20k": ["'20k'", "write 20000;"],
    "train mean --steps 2,000": ["'2,000'", "write 2000;"],
    "train mean --size 32px --data folder:.": ["'32px'", "write 32;"],
    "train mean --steps 99999999999": ["--steps", "at most 2,147,483,647"],
    "train mean --seed 99999999999999999999": ["--seed", "at most"],
    "train mean --evaluate-every no": ["--evaluate-every", "at least 1", "'no'"],
    "train MEAN": ["did you mean 'mean'?"],
    "train mean --device gpu": ["'gpu' is none of cpu, cuda"],
}


@pytest.mark.parametrize("line", BAD_USAGE)
def test_bad_usage_gets_one_clear_line_that_says_what_to_write_and_leaves_nothing(run, line, tmp_path):
    assert refused(run(line), *BAD_USAGE[line])
    assert list(tmp_path.iterdir()) == []


# train


def test_a_training_leaves_its_run_directory(run, tmp_path):
    result = run("train mean --log-every 5 --sample-every 10 --checkpoint-every 10 --seed 3 --set rate=0.5 mood=calm")
    assert result.code == 0 and result.err == ""
    assert "mean: 784 parameters" in result.out and "20 steps of batch 16, seed 3, cpu" in result.out
    lines = result.out.splitlines()
    assert "pictures appear in runs/mean/samples, one every 10 steps" in lines
    assert lines.count("the first picture is there: runs/mean/samples/step_000010.png") == 1
    i = next(i for i, line in enumerate(lines) if "training.gif" in line)
    assert lines[i + 1] == "tinygen report runs/mean  shows what happened inside"
    folder = tmp_path / "runs" / "mean"
    config = json.loads((folder / "config.json").read_text())
    assert config["config"] == {"data_shape": [28, 28, 1], "rate": 0.5, "noise": 0.2, "mood": "calm"}
    assert config["steps"] == 20
    assert config["settings"] == {
        "data": "digits",
        "data_b": None,
        "size": None,
        "channels": None,
        "fit": None,
        "mirror": None,
        "batch": 16,
        "seed": 3,
        "device": "cpu",
        "compile": "off",
        "log_every": 5,
        "sample_every": 10,
        "checkpoint_every": 10,
        "evaluate_every": None,
        "record": 16,
    }
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 5, 10, 15, 20]
    assert sorted(path.name for path in (folder / "samples").iterdir()) == [
        f"step_{step:06d}.png" for step in (0, 10, 20)
    ]
    with Image.open(folder / "samples" / "step_000020.png") as picture:
        assert picture.size == (432, 432)
    assert {"curves.png", "training.gif", "checkpoints"} <= {path.name for path in folder.iterdir()}


@pytest.mark.filterwarnings("always")
def test_scores_and_warnings_while_a_gan_trains(run, tmp_path):
    """A GAN that draws the same whatever the noise: with a rate of 0 it stays so."""
    train = "train gan --data grid25 --batch 8 --log-every 1 --steps 12 --evaluate-every 6 --out run --set"
    result = run(f"{train} lr=0 g_hidden=4 d_hidden=4 batch_norm=false slope=0 latent_dim=1 loss=wasserstein")
    assert result.code == 0 and "step 6  score.modes" in result.out
    (warning,) = [line for line in result.err.splitlines() if "compiling" not in line]  # Numba's loops, the first time
    assert warning.startswith("tinygen: warning: step 10: samples alike: ")
    events = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert [json.loads(event)["name"] for event in events] == ["samples alike"]
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "score.modes" in row] == [1, 6, 12]
    assert run("train gan --out run --resume --evaluate-every 5 --log-every 20 --set lr=0.125 --steps 16").code == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "score.modes" in row] == [1, 6, 12, 15]
    assert run("train gan --out run --resume --evaluate-every None").code == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    changes = {"log_every": {"from": 1, "to": 20}, "evaluate_every": {"from": 6, "to": 5}}
    assert config["changes"] == [
        {"step": 12, "lr": {"from": 0, "to": 0.125}, **changes},
        {"step": 16, "evaluate_every": {"from": 5, "to": "none"}},
    ]
    assert config["config"]["lr"] == 0.125 and tinygen.load(tmp_path / "run").opt_G.lr == 0.125


def test_what_was_decided_about_compiling_is_said_and_kept_to(run, tmp_path):
    def said(line):
        result = run(line)
        assert result.code == 0
        return next(line for line in result.out.splitlines() if line.startswith("step ") and "compiled" in line)

    train = "train gan --data ring8 --batch 8 --steps 4 --record none --set g_hidden=4 d_hidden=4 --out"
    assert said(f"{train} a") == "step not compiled: that pays from 1,000 steps on"
    on = said(f"{train} b --compile on")
    assert re.match(
        r"step compiled: [\d,]+ instructions in \d+ groups, (native code for \d threads?|NumPy's calls)", on
    )
    assert said("train gan --resume --out b --steps 6").startswith("step compiled: ")
    assert said("train gan --resume --out b --steps 8 --compile auto").startswith("step compiled: ")
    assert said("train gan --resume --out b --steps 9 --compile off") == "step not compiled: compile is off"
    assert said("train gan --resume --out b --steps 10") == "step not compiled: compile is off"
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    assert config["settings"]["compile"] == "off"
    assert config["changes"] == [{"step": 8, "compile": {"from": "on", "to": "off"}}]
    refusal = said("train mean --steps 2 --out c --compile on")
    assert (
        refusal.startswith("step not compiled: ")
        and "test_cli.py" in refusal
        and refusal.endswith("np.asarray(loss))}")
    )


def test_a_run_is_recorded_unless_told_otherwise(run, tmp_path):
    train = "train gan --data ring8 --batch 8 --steps 6 --set g_hidden=4 d_hidden=4 --out"
    result, _, _ = run(f"{train} a"), run(f"{train} b --record 3"), run(f"{train} c --record none")
    assert re.search(r" steps in a/recording.safetensors, 0\.[01] MB: that took ", result.out)
    a, b = (set(Recording.load(tmp_path / name).steps.tolist()) for name in ("a", "b"))
    assert {0, 6} <= a <= {0, 1, 2, 4, 6} and {0, 6} <= b <= {0, 1, 2, 3, 6}  # on a slow machine not all of them
    assert not (tmp_path / "c" / "recording.safetensors").exists()
    assert run("train gan --out c --resume --steps 8").code == 0
    assert not (tmp_path / "c" / "recording.safetensors").exists()
    blind, watched = (weights(tmp_path / name, 6) for name in ("c", "a"))
    assert all(np.array_equal(x, watched[n]) for n, x in blind.items())
    assert refused(run("train gan --out c --resume --record 3"), "--record: the run in c has none")


def test_a_run_that_an_older_tinygen_began_goes_on(run, tmp_path):
    """What its config.json doesn't know yet is off."""
    assert run("train mean --steps 3 --out a").code == 0
    file = tmp_path / "a" / "config.json"
    config = json.loads(file.read_text())
    del config["settings"]["record"], config["settings"]["evaluate_every"], config["settings"]["compile"]
    file.write_text(json.dumps(config))
    (tmp_path / "a" / "recording.safetensors").unlink(missing_ok=True)
    assert run("train mean --out a --resume --steps 5").code == 0
    assert not (tmp_path / "a" / "recording.safetensors").exists()
    assert refused(run("train mean --out a --resume --record 3"), "--record: the run in a has none")


def test_the_seed_decides_everything(run, tmp_path):
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run(f"train mean --steps 5 --seed {seed} --out {out}").code == 0
    a, b, c = (weights(tmp_path / out, 5)["mean"] for out in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_points_are_trained_and_drawn_too(run, tmp_path, monkeypatch):
    monkeypatch.setattr(Mean, "value_range", None)
    assert run("train mean --data ring8 --steps 3 --set noise=1").code == 0
    assert weights(tmp_path / "runs" / "mean", 3)["mean"].shape == (2,)


def test_images_of_a_folder_are_brought_to_a_size(run, tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(5):
        Image.new("RGB", (20, 30), (50 * i, 0, 0)).save(tmp_path / "photos" / f"{i}.png")
    assert run("train mean --data folder:photos --size 12 --batch 4 --steps 2").code == 0
    assert weights(tmp_path / "runs" / "mean", 2)["mean"].shape == (12, 12, 3)


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(run, tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(5):
        Image.new("RGB", (20, 30), (50 * i, 0, 0)).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"x")
    before = warnings.showwarning
    result = run("train mean --data folder:photos --size 12 --batch 4 --steps 2")
    assert result.code == 0
    assert result.err.startswith("tinygen: warning: ") and "broken.png" in result.err and result.err.count("\n") == 1
    assert warnings.showwarning is before


@pytest.mark.parametrize(
    ("installed", "device", "named"),
    [({"numba", "llvmlite"}, "cpu", False), ({"llvmlite"}, "cpu", False), ((), "cpu", True), ((), "cuda", False)],
)
def test_in_the_end_the_report_is_named_and_the_fast_extra_where_it_helps(
    monkeypatch, capsys, installed, device, named
):
    monkeypatch.setattr(cli.train, "installed", lambda package: package in installed)
    cli.train._say_what_next(Path("my runs/gan"), device)
    report, *rest = capsys.readouterr().out.splitlines()
    assert report == "tinygen report 'my runs/gan'  shows what happened inside"
    assert rest == ['pip install "tinygen[fast]"  makes training faster'] * named


def test_a_run_that_is_there_is_left_alone(run, tmp_path):
    run("train mean --steps 3")
    folder = tmp_path / "runs" / "mean"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert refused(run("train mean --steps 5"), "--resume", "--out", "runs/mean")
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["train mean --steps 2 --out file/below", "sample run --out file/below.png"])
def test_a_place_that_cannot_be_written_gets_one_line(run, tmp_path, command):
    run("train mean --steps 2 --out run")
    (tmp_path / "file").write_text("in the way")
    assert refused(run(command), "file/below")


WRITERS = {
    "train mean --data ring8 --steps 2 --out new": "new/",
    "train mean --resume --steps 9 --out run": "run/",
    "sample run": "run/sample.png",
    "evaluate run": "run/metrics.json",
    "explain x*w x=2 --svg tape.svg": "tape.svg",
}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_no_more_is_named_with_advice_that_the_command_can_follow(run, points, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    for line, file in WRITERS.items():
        known = run(f"{line.split()[0]} --help").out
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", fail)
            result = run(line)
        assert refused(result, f"can't write {file}", os.strerror(number))
        assert ("free some space" in result.err) == (number == errno.ENOSPC), result.err
        assert all(option in known for option in re.findall(r"--[a-z]+", result.err)), result.err


# train --resume


def test_a_resumed_run_ends_as_one_that_never_stopped(run, tmp_path):
    options = "--seed 5 --batch 32 --log-every 4 --set rate=0.3"
    run(f"train mean {options} --steps 16 --out whole")
    run(f"train mean {options} --steps 7 --out parts")
    result = run("train mean --resume --steps 16 --out parts")
    assert result.code == 0 and "after step 7" in result.out
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    np.testing.assert_array_equal(weights(whole, 16)["mean"], weights(parts, 16)["mean"])
    assert (whole / "metrics.jsonl").read_text() == (parts / "metrics.jsonl").read_text()
    assert json.loads((parts / "config.json").read_text())["steps"] == 16


def test_resuming_needs_no_option_again_and_takes_equal_ones(run, tmp_path):
    run("train mean --steps 6 --seed 5 --batch 32 --set rate=0.3")
    assert run("train mean --resume").code == 0
    assert run("train mean --resume --seed 5 --batch 32 --set rate=3e-1").code == 0
    assert run("train mean --resume --steps 9").code == 0
    assert weights(tmp_path / "runs" / "mean", 9)


@pytest.mark.parametrize(
    "option, words",
    [
        ("--batch 64", ["--batch", "has 16", "not 64"]),
        ("--seed 1", ["--seed", "has 0", "not 1"]),
        ("--data mnist", ["--data", "has digits", "not mnist"]),
        ("--size 9", ["--size", "has none", "not 9"]),
        ("--init-from elsewhere", ["--init-from", "begun already"]),
        ("--record 3", ["--record", "has 16", "not 3"]),
        ("--set rate=0.5", ["--set rate", "has 0.1", "not 0.5"]),
        ("--set mood=broken", ["--set mood", "has calm", "not broken"]),
    ],
)
def test_an_option_that_contradicts_the_run_is_named(run, tmp_path, option, words):
    run("train mean --steps 3")
    config = (tmp_path / "runs" / "mean" / "config.json").read_bytes()
    assert refused(run(f"train mean --resume {option}"), *words, "--out")
    assert (tmp_path / "runs" / "mean" / "config.json").read_bytes() == config


def photos(folder, *shades):
    folder.mkdir(parents=True)
    for i, shade in enumerate(shades):
        Image.new("RGB", (12, 12), (shade, 0, 0)).save(folder / f"{i}.png")


def test_a_run_is_resumed_and_evaluated_from_elsewhere_with_images_that_moved(run, tmp_path, monkeypatch):
    photos(tmp_path / "photos", *range(0, 240, 3))
    monkeypatch.setattr(Mean, "sample", lambda self, n, rng=None: np.zeros((n, 12, 12, 3), np.float32))
    train = "train mean --data folder:photos --size 12 --batch 4 --steps"
    assert run(f"{train} 5 --out whole").code == 0 and run(f"{train} 3 --out parts").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("train mean --resume --out ../parts/ --steps 4").code == 0
    (tmp_path / "photos").rename(tmp_path / "moved")
    resume = "train mean --resume --out ../parts --steps 5"
    assert refused(run(resume), str(tmp_path / "photos"), "--data folder:PATH")
    assert refused(run("evaluate ../parts -n 20"), str(tmp_path / "photos"), "--data folder:PATH")
    Image.new("RGB", (12, 12), (0, 9, 0)).save(tmp_path / "moved" / "7.png")
    for command in (resume, "evaluate ../parts -n 20"):
        assert refused(run(f"{command} --data folder:../moved"), "not the data with which the run", "--data")
    Image.new("RGB", (12, 12), (21, 0, 0)).save(tmp_path / "moved" / "7.png")
    assert run("evaluate ../parts -n 20 --data folder:../moved").code == 0
    (tmp_path / "parts").rename(tmp_path / "run")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert run("train mean --resume --out ../link --steps 5 --data folder:../moved").code == 0
    np.testing.assert_array_equal(weights(tmp_path / "run", 5)["mean"], weights(tmp_path / "whole", 5)["mean"])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["settings"]["data"] == f"folder:{tmp_path}/moved" == config["changes"][0]["data"]["to"]


def test_a_run_starts_with_the_weights_of_another(run, tmp_path):
    photos(tmp_path / "photos", *range(0, 240, 20))
    train = "--data folder:photos --batch 4 --steps 2 --size"
    assert run(f"train mean {train} 12 --out a").code == 0
    assert run(f"train other {train} 12 --set rate=0 --out b --init-from a/").code == 0
    np.testing.assert_array_equal(weights(tmp_path / "a", 2)["mean"], weights(tmp_path / "b", 2)["mean"])
    assert json.loads((tmp_path / "b" / "config.json").read_text())["init_from"] == {"run": "a", "step": 2}
    assert run("train other --resume --steps 3 --out b --init-from a").code == 0
    refusal = run(f"train mean {train} 9 --out c --init-from a")
    assert refused(refusal, "of a, a mean, do not fit this mean: mean has shape (12, 12, 3) there and (9, 9, 3) here")
    assert not (tmp_path / "c").exists()


def test_a_run_does_not_go_back(run, tmp_path):
    run("train mean --steps 6")
    assert refused(run("train mean --resume --steps 5"), "--steps 5", "made 6")
    assert json.loads((tmp_path / "runs" / "mean" / "config.json").read_text())["steps"] == 6
    assert run("train mean --resume --steps 6").code == 0


def test_a_gpu_that_is_not_there_gets_one_line(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delitem(backend._modules, "cuda", raising=False)
    assert refused(run("train mean --device cuda"), "CuPy is not installed", "tinygen[cuda13]")


def test_a_run_of_another_model_is_refused(run):
    run("train mean --steps 2 --out run")
    assert refused(run("train other --resume --out run"), "'mean'", "'other'", "--out")


def test_a_run_that_a_program_began_is_refused(run, tmp_path):
    from tinygen.train import fit

    fit(Mean(), np.zeros((4, 28, 28, 1), np.float32), 2, out=tmp_path / "run")
    assert refused(run("train mean --resume --out run"), "tinygen train", "program")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "not json", '{"model": "mean"}'])
def test_a_foreign_config_is_refused(run, tmp_path, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(text)
    assert refused(run("train mean --resume --out run"), "config.json")
    assert refused(run("sample run"), "config.json")


@pytest.mark.parametrize("what", ["config.json", "checkpoint"])
def test_the_run_of_a_newer_tinygen_is_refused_by_each_command_and_not_touched(run, tmp_path, monkeypatch, what):
    assert run("train memory --set hidden=4 --record none --steps 2 --out run").code == 0
    file = tmp_path / "run" / "config.json"
    if what == "config.json":
        file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 1000}))
    else:
        file = RunDirectory(tmp_path / "run").checkpoint_file(2)
        with monkeypatch.context() as patch:
            patch.setattr("tinygen.train.checkpoint.FORMAT", 1000)
            checkpoint.save(file, *checkpoint.load(file))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for command in ("train memory --resume --steps 3 --out run", "train memory --init-from run --steps 3 --out new",
                    "sample run", "evaluate run", "report run"):  # fmt: skip
        assert refused(run(command), f"{file.relative_to(tmp_path)}: written by a newer tinygen")
    if what == "config.json":
        assert refused(run("train memory --steps 3 --out run"), "written by a newer tinygen")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# How a training ends


def test_a_loss_that_is_nan_ends_with_1_and_keeps_the_checkpoint(run, tmp_path):
    result = run("train mean --set mood=broken")
    assert result.code == 1 and result.err.startswith("tinygen: error: ")
    assert "loss" in result.err and "step 1" in result.err and "Traceback" not in result.err
    assert np.isfinite(weights(tmp_path / "runs" / "mean", 0)["mean"]).all()


@pytest.mark.parametrize("name", ["gan", "vae", "wgangp"])
def test_what_is_advised_after_a_nan_can_be_done(run, tmp_path, name):
    small = "hidden=4" if name == "vae" else "g_hidden=4 d_hidden=4"
    options = f"--batch 4 --steps 4 --log-every 1 --checkpoint-every 2 --record none --set {small} latent_dim=2"
    failed = run(f"train {name} --out run {options} lr=1e38")
    assert failed.code == 1 and "a lower learning rate" in failed.err
    advised = re.search(r"^tinygen (train .*--set lr=\S+)", failed.err, re.MULTILINE)[1]
    assert advised == f"train {name} --resume --out run --set lr=1e+37"
    assert run(advised).code == 1  # a tenth is still far too much
    assert run(advised.replace("1e+37", "1e-3")).code == 0
    assert np.isfinite([x.sum() for x in weights(tmp_path / "run", 4).values()]).all()


def test_ctrl_c_ends_with_130(run):
    result = run("train mean --set mood=impatient")
    assert result.code == 130 and "--resume" in result.out and result.err == ""


def test_too_little_memory_gets_one_line_and_blocks_nothing(run):
    assert refused(run("train mean --set mood=hungry"), "memory", "7 TiB")
    assert run("train mean --steps 1").code == 0


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(28, "No space left on device", "sample.png"), "sample.png: No space left on device"),
        (OSError("cannot identify image file"), "cannot identify image file"),
    ],
)
def test_an_error_of_the_system_gets_one_line(run, monkeypatch, error, words):
    def refuse(*_, **__):
        raise error

    run("train mean --steps 2 --out run")
    monkeypatch.setattr(viz, "save_grid", refuse)
    assert refused(run("sample run"), words)


# sample


def test_samples_are_a_picture(run, tmp_path):
    run("train mean --steps 2 --out run")
    result = run("sample run")
    assert result.code == 0 and "run/sample.png" in result.out
    run("sample run -n 4 --out b.png")
    run("sample run -n 4 --out c.png --seed 0")
    run("sample run -n 4 --out d.png --seed 1")
    first, same, other = (tmp_path / name for name in ("b.png", "c.png", "d.png"))
    with Image.open(first) as picture:
        assert picture.size == (8 * 56 + 6, 8 * 56 + 6)
    assert first.read_bytes() == same.read_bytes() != other.read_bytes()


def test_samples_of_one_class(run, tmp_path):
    run("train cgan --steps 2 --batch 4 --set g_hidden=4 d_hidden=4 --out run")
    assert run("sample run").code == 0 and run("sample run --label 3 -n 4 --out threes.png").code == 0
    with Image.open(tmp_path / "run" / "sample.png") as all_classes, Image.open(tmp_path / "threes.png") as threes:
        assert all_classes.size == (302, 302)  # a class a column
        assert threes.size == (8 * 56 + 6, 8 * 56 + 6)
    assert refused(run("sample run --label 10"), "cgan", "there is no label 10", "from 0 to 9")
    run("train mean --steps 2 --out other")
    assert refused(run("sample other --label 3"), "--label 3", "mean knows no classes")


def test_sampling_does_not_change_the_run(run, tmp_path):
    run("train mean --steps 2 --out run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    run("sample run --out elsewhere.png")
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_gets_one_line(run, tmp_path, damage):
    run("train mean --steps 2 --out run")
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:100] if damage is None else damage)
    assert refused(run("sample run"), "step_00000")


# evaluate


@pytest.fixture
def points(run, monkeypatch):
    """A run on ring8, in the folder `run`."""
    monkeypatch.setattr(Mean, "value_range", None)
    assert run("train mean --data ring8 --steps 3 --set noise=1 --out run").code == 0


def test_scores_are_a_table_beside_those_of_real_data_and_a_file(run, points, tmp_path):
    result = run("evaluate run")
    assert result.code == 0 and result.err == ""
    assert result.out.startswith("mean after 3 steps\nring8: 50,000 to train")
    modes = next(line.split() for line in result.out.splitlines() if line.startswith("modes"))
    assert modes[2] == "8" and result.out.splitlines()[-1] == "run/metrics.json"
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    scores = record.pop("scores")
    assert record == {"model": "mean", "step": 3, "data": "ring8", "n": None, "seed": 0, "k": 100}
    assert list(scores) == ["modes", "high_quality", "reverse_kl"] and scores["modes"]["value"] == int(modes[1])
    assert scores["high_quality"]["reference"] == pytest.approx(0.989, abs=0.01)


@pytest.mark.parametrize("line", ["evaluate run --out no/a.json", "sample run --out no/a.png",
                                  "report run --out no/a.html", "play --out no/a.html",
                                  "explain x --svg no/a.svg"])  # fmt: skip
def test_where_a_file_can_not_go_is_said_before_the_work(run, points, monkeypatch, line):
    """Nothing of a run is read before, and nothing is printed."""
    monkeypatch.setattr("tinygen.train.checkpoint.load", lambda *args: pytest.fail("the run was read"))
    monkeypatch.setattr("tinygen.graph.explain", lambda *args: pytest.fail("the formula was read"))
    assert refused(run(line), "can't write no/a.", "No such file or directory")


def test_a_damaged_checkpoint_is_named_once(run, points, tmp_path):
    path = max((tmp_path / "run" / "checkpoints").iterdir())
    for line in ("train mean --resume --out run", "evaluate run"):
        path.write_bytes(path.read_bytes()[:100])
        result = run(line)
        assert (result.out + result.err).count("skipping") == 1


def test_evaluating_does_not_change_the_run_and_the_seed_decides(run, points, tmp_path):
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    for out, options in (("a", ""), ("b", "--seed 0"), ("c", "--seed 1"), ("d", "-n 100")):
        assert run(f"evaluate run --out {out}.json {options}").code == 0
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    a, b, c, d = (json.loads((tmp_path / f"{out}.json").read_text()) for out in "abcd")
    assert a == b and a["scores"] != c["scores"] and a["scores"] != d["scores"] and d["n"] == 100


def test_a_resumed_run_is_the_same_after_an_evaluation(run, points, tmp_path):
    run("evaluate run")
    assert run("train mean --resume --steps 5 --out run").code == 0
    assert run("train mean --data ring8 --steps 5 --set noise=1 --out straight").code == 0
    np.testing.assert_array_equal(weights(tmp_path / "run", 5)["mean"], weights(tmp_path / "straight", 5)["mean"])


def test_a_run_whose_data_are_not_known_is_not_evaluated(run, tmp_path):
    from tinygen.train import fit

    fit(Mean(), np.zeros((4, 28, 28, 1), np.float32), 2, out=tmp_path / "run")
    assert refused(run("evaluate run"), "tinygen train", "tinygen.metrics.evaluate(")


def test_data_that_no_score_suits_get_one_line(run, monkeypatch):
    monkeypatch.setattr(Mean, "value_range", None)
    run("train mean --data swissroll --steps 2 --set noise=1 --out run")
    assert refused(run("evaluate run"), "nothing suits mean on swissroll")


# models, data, gradcheck, explain, doctor


def test_models_explains_the_settings_of_one(run):
    out = run("models mean").out
    assert out.startswith("mean: Learns the mean image, and draws it with noise.\n")
    assert "second paragraph" not in out and "other" not in out and "data_shape" not in out
    assert "digits for 20 steps of batch 16" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["rate=0.1", "how", "far", "the", "mean", "moves", "[a", "number]"] in lines
    assert ["noise=0.2", "a", "number"] in lines  # explained by nobody
    assert "calm, broken, hungry or impatient" in out


def test_models_says_the_defaults_for_a_kind_of_data(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    described = " ".join(run("models gan").out.split())
    assert "--preset plane for points in the plane (the defaults for such data): latent_dim=2 " in described
    assert "--preset plane" not in run("models dcgan").out


@pytest.mark.parametrize("columns", [40, 80])
def test_models_is_a_line_a_model(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("models").out.splitlines()
    assert [line.split()[0] for line in lines[: len(MODELS)]] == [*MODELS]
    assert all(len(line) <= columns for line in lines[: len(MODELS)])
    assert "..." not in "".join(lines) or columns < 80
    assert lines[-1].startswith("`tinygen models gan` explains the settings of one")
    assert max(map(len, run("models gan").out.splitlines()[2:])) <= columns


def test_data_lists_the_data_sets(run):
    from tinygen.data import DATASETS

    lines = run("data").out.splitlines()
    for name, entry in DATASETS.items():
        assert any(line.split()[0] == name and line.endswith(entry.about) for line in lines)


@pytest.mark.parametrize("passes, code", [(True, 0), (False, 1)])
def test_gradcheck_passes_on_what_it_is_asked_and_judged(run, monkeypatch, passes, code):
    asked = []
    fake = SimpleNamespace(run=lambda names, order: asked.append((names, order)) or passes)
    monkeypatch.setitem(sys.modules, "tinygen.selfcheck", fake)
    monkeypatch.setattr(tinygen, "selfcheck", fake, raising=False)
    assert run("gradcheck").code == run("gradcheck matmul tanh --order 1").code == code
    assert asked == [([], 2), (["matmul", "tanh"], 1)]


def test_explain_shows_the_tape(run, tmp_path):
    result = run("explain sigmoid(w*x+b) w=2 x=-1 --svg tape.svg")
    lines = [line.split() for line in result.out.splitlines()]
    assert result.code == 0 and "b = 0.5 (chosen)" in result.out and "x = -1," in result.out
    assert ["v1", "=", "w", "*", "x", "-2", "0.14915", "w", "gw", "=", "gv1", "*", "x", "-1", "-0.14915"] in lines
    assert ["x", "gx", "=", "w", "*", "gv1", "2", "0.29829"] in lines
    assert (tmp_path / "tape.svg").read_text().startswith("<svg") and result.out.endswith("\ntape.svg\n")


def test_explain_marks_what_gets_no_gradient(run):
    lines = [line.split() for line in run("explain where(x>1,x,2)").out.splitlines()]
    assert ["v1", "=", "x", ">", "1", "1", "-"] in lines


@pytest.mark.parametrize("healthy, code", [(True, 0), (False, 1)])
def test_doctor_ends_with_1_if_something_needed_is_broken(run, monkeypatch, healthy, code):
    monkeypatch.setattr(doctor, "run", lambda: healthy)
    assert run("doctor").code == code


# The models of the package

LIKE_THE_GAN = ("lsgan", "hingegan", "wgan", "pacgan")  # but for the loss, of which the command line knows nothing
REAL = [name for name in MODELS if name not in ("mean", "other", *LIKE_THE_GAN)]
NARROW = "--data digits --batch 4 --set latent_dim=4 g_channels=6,4 d_channels=4,6"
FASTER = {"dcgan": NARROW, "dcgan64": NARROW, "sngan": NARROW, "betavae": "--data digits --batch 4"}
FASTER |= dict.fromkeys(["gan", "cgan", "acgan", "lsgan", "hingegan", "wgan", "wgangp", "pacgan"], "--batch 8")
FASTER |= {"convvae": "--batch 4", "vaegan": "--batch 4", "srgan": "--batch 4 --set blocks=1 channels=4 warmup=1"}
FASTER |= {"stylegan": "--data digits --batch 4 --set channels=4,4 latent_dim=8 group=4"}
FASTER |= {"inpaint": "--batch 4 --set e_channels=4,6 d_channels=4,6"}
FASTER |= {"cyclegan": "--data negatives --batch 2 --set g_channels=4,6 d_channels=4,6 blocks=1"}


SLOW = "cyclegan", "vaegan", "srgan", "textgan"


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.more) if n in SLOW else n for n in REAL])
@pytest.mark.families(everywhere=True)
def test_every_model_trains_resumes_and_samples(run, tmp_path, name):
    assert run(f"train {name} --steps 2 --out run {FASTER.get(name, '')}").code == 0
    assert run(f"train {name} --resume --steps 3 --out run").code == 0
    folder, pictures = tmp_path / "run", set()
    if MODELS[name].sample is not Model.sample:
        assert run("sample run -n 9").code == 0
        pictures = {"sample.png"}
    pictures |= {"samples/step_000000.png", "samples/step_000002.png", "samples/step_000003.png"}
    for picture in pictures | {"curves.png", "training.gif"}:
        with Image.open(folder / picture) as image:
            image.load()
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1]


def test_a_preset_sets_the_model_and_its_training(run, tmp_path):
    assert run("train gan --preset keras --steps 2 --set g_hidden=8 d_hidden=8 eps=1e-6 --out run").code == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["settings"]["batch"] == 32 and config["steps"] == 2  # what is given comes before the preset
    assert (config["config"]["mean_d_loss"], config["config"]["eps"]) == (True, 1e-6)
    assert refused(run("train gan --preset kers --out other"), "no preset 'kers'", "did you mean 'keras'?")
    assert refused(run("train gan --preset keras --resume --out run"), "it is for a new run")
    assert "--preset keras" in run("models gan").out


def test_points_in_the_plane_get_the_settings_for_them(run, tmp_path):
    """Chosen by the shape of the data; what is given comes first, and a preset that is named takes their place."""

    def begun(out, options):
        result = run(f"train gan --data grid25 --steps 2 --record none --out {out} {options}")
        assert result.code == 0
        run_config = json.loads((tmp_path / out / "config.json").read_text())
        return result.out, run_config["config"], run_config["settings"]["batch"]

    out, config, batch = begun("a", "--set d_hidden=32")
    assert "settings for points in the plane; `tinygen models gan` lists them\n" in out
    assert (config["g_hidden"], config["d_hidden"], config["batch_norm"], batch) == ([64, 64], [32], False, 128)
    resumed = run("train gan --resume --steps 3 --out a")
    assert resumed.code == 0 and "settings for" not in resumed.out
    out, config, batch = begun("b", "--preset plain --batch 8")
    assert "settings for" not in out
    assert (config["g_hidden"], config["latent_dim"], batch) == ([256, 512, 1024], 100, 8)


@pytest.mark.parametrize("name", REAL)
def test_a_setting_that_does_not_fit_the_model_gets_one_line(run, name):
    assert refused(run(f"train {name} --set lr=-1 --steps 2"), "lr", "-1")
    assert refused(run(f"train {name} --set optimizer=adamm --steps 2"), "--set optimizer", "adam, adamw")


# As a process of its own

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(tinygen.__file__).parents[1])}


def tinygen_process(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "tinygen", *arguments],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
        env=ENVIRONMENT,
    )


def test_help_is_quick_since_it_imports_nothing_heavy():
    code = """if True:
        import sys
        from tinygen.cli import main
        assert main(["--help"]) == 0
        heavy = {"matplotlib", "PIL", "tqdm", "safetensors", "urllib.request", "numba", "cupy"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)


def test_a_process_ends_with_the_code_and_one_line():
    process = tinygen_process("train", "xyzzy")
    out, err = process.communicate()
    assert process.returncode == 2 and out == "" and err.startswith("tinygen: error: ") and err.count("\n") == 1


CTRL_C_ARRIVES = """if True:
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits SIG_IGN
    from tinygen.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def test_after_ctrl_c_a_run_goes_on_as_if_nothing_had_happened(run, tmp_path):
    options = "train gan --batch 8 --log-every 1 --compile on --set g_hidden=8 d_hidden=8 latent_dim=4"
    command = [sys.executable, "-c", CTRL_C_ARRIVES, *options.split(), "--steps", "100000", "--out", "parts"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for line in process.stdout:
        if line.split()[:1] == ["3"]:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate()
    assert process.returncode == 130 and "--resume" in out and "Traceback" not in err
    made = max(RunDirectory(tmp_path / "parts").checkpoints())
    assert made >= 3
    assert run(f"{options} --steps {made + 3} --out whole").code == 0
    whole = weights(tmp_path / "whole", made + 3)
    assert run(f"train gan --resume --steps {made + 3} --out parts").code == 0
    for name, array in weights(tmp_path / "parts", made + 3).items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)


def test_equal_commands_leave_equal_files(run, tmp_path, monkeypatch):
    left, steps = [], []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        small = "--batch 8 --log-every 1 --sample-every 2 --checkpoint-every 4 --set g_hidden=4 d_hidden=4"
        assert run(f"train gan --data ring8 --steps 4 {small}").code == 0
        assert (
            run("sample runs/gan").code == run("report runs/gan").code == run("explain x*w x=2 --svg a.svg").code == 0
        )
        left.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
        steps.append(Recording.load("runs/gan").steps.tolist())
    assert left[0].keys() == left[1].keys() and len(left[0]) >= 13
    timed = set() if steps[0] == steps[1] else {"recording.safetensors", "report.html"}  # as a slow machine makes them
    assert [path for path, x in left[0].items() if x != left[1][path] and path.name not in timed] == []


def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    process = tinygen_process("data", stdout=writer)
    os.close(writer)
    _, err = process.communicate()
    assert process.returncode == 141 and err == ""
