"""The data options of the command line: recorded with a run, so that resuming and evaluating use the same data."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tinygen.cli import main
from tinygen.data import load

SMALL = "--steps 2 --batch 4 --size 8 --record none --set latent_dim=2 g_hidden=8 d_hidden=8"


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(line):
        code = main(line.split())
        return SimpleNamespace(code=code, **dict(zip(("out", "err"), capsys.readouterr(), strict=True)))

    return run


@pytest.fixture
def animals(tmp_path):
    """Cats are bright and dogs are dark, 12x10 each."""
    rng = np.random.default_rng(0)
    for name, bright in (("cats", 128), ("dogs", 0)):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for i in range(30):
            x = bright + rng.integers(0, 128, (12, 10, 3), np.uint8)
            Image.fromarray(x).save(tmp_path / "animals" / name / f"{i}.png")


def settings(folder):
    return json.loads((folder / "config.json").read_text())["settings"]


def last(folder):
    """The tensors of the checkpoint of step 3, as bytes."""
    tensors = load_file(folder / "checkpoints" / "step_000003.safetensors")
    return {name: x.tobytes() for name, x in tensors.items()}


def test_options_are_recorded_and_used_again(run, tmp_path, animals):
    trained = run(f"train gan {SMALL} --data folder:animals --channels 1 --fit pad --mirror --out a")
    assert trained.code == 0
    assert "54 to train and 6 to test, each (8, 8, 1) uint8, 2 labels (cats, dogs)" in trained.out
    assert "60 of 60 images are not square: black is added" in trained.out
    recorded = settings(tmp_path / "a")
    assert {name: recorded[name] for name in ("size", "channels", "fit", "mirror")} == {
        "size": 8,
        "channels": 1,
        "fit": "pad",
        "mirror": True,
    }
    assert run("train gan --resume --out a --steps 3").code == 0
    assert run(f"train gan {SMALL} --data folder:animals --channels 1 --fit pad --mirror --steps 3 --out b").code == 0
    assert last(tmp_path / "a") == last(tmp_path / "b")
    for option in ("--fit crop", "--channels 3"):
        assert option.split()[0] in run(f"train gan --resume --out a {option}").err
    assert "each (8, 8, 1)" in run("evaluate a -n 20").out


def test_a_run_does_not_learn_from_itself(run, tmp_path, animals):
    within = f"train gan {SMALL} --data folder:animals --out animals"
    refused = run(within)
    assert refused.code == 2 and "--out animals: the images are there; choose another directory" in refused.err
    assert run(f"{within}/runs/gan").code == 0
    assert run("train gan --resume --out animals/runs/gan --steps 3").code == 0


@pytest.mark.filterwarnings("default")
def test_a_run_of_a_folder_without_a_fingerprint_resumes_with_a_warning(run, tmp_path, animals):
    assert run(f"train gan {SMALL} --data folder:animals --out a").code == 0
    saved = json.loads((tmp_path / "a" / "config.json").read_text())
    saved.pop("fingerprint")
    (tmp_path / "a" / "config.json").write_text(json.dumps(saved))
    for command, warned in (("evaluate a -n 20", True), ("train gan --resume --out a --steps 3", True),
                            ("evaluate a -n 20", False)):  # fmt: skip
        done = run(command)
        assert done.code == 0 and ("begun by an earlier tinygen, which split folders differently" in done.err) is warned


def test_mirror_mirrors_half_of_the_images(run, tmp_path, monkeypatch, animals):
    batches = []
    monkeypatch.setattr("tinygen.models.GAN.train_step", lambda self, x: batches.append(x) or {})
    assert run(f"train gan {SMALL} --batch 20 --steps 5 --data folder:animals --mirror --out a").code == 0
    plain = load("folder:animals", size=8).train / 127.5 - 1
    seen = np.concatenate(batches)
    near = [np.abs(seen[:, None] - x).max(axis=(2, 3, 4)).min(axis=1) < 1e-5 for x in (plain, plain[:, :, ::-1])]
    assert (near[0] ^ near[1]).all() and 25 < near[1].sum() < 75  # of 100


def test_a_folder_of_folders_teaches_classes(run, tmp_path, animals):
    trained = run(f"train cgan {SMALL} --data folder:animals --out a")
    assert trained.code == 0 and "2 labels (cats, dogs)" in trained.out
    assert settings(tmp_path / "a")["classes"] == ["cats", "dogs"]
    assert json.loads((tmp_path / "a" / "config.json").read_text())["config"]["classes"] == 2
    assert run("train cgan --resume --out a --steps 3").code == 0
    for label in ("dogs", "1"):
        assert run(f"sample a -n 4 --label {label} --out {label}.png").code == 0
    assert (tmp_path / "dogs.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    asked = run("sample a --label dog")
    assert asked.code == 2
    assert "--label dog: there is no such class (did you mean 'dogs'?); its classes are cats, dogs" in asked.err
    assert run("evaluate a -n 20").code == 0
    few = run("evaluate a -n 3")
    assert few.code == 2 and "which has 6 test images; a comparison needs at least 6, and as many samples" in few.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "--data digits --fit pad",
            "no option 'fit'; it takes none; it would have no effect here, and is for folder",
        ),
        ("--data ring8 --channels 1", "ring8: no option 'channels'"),
        ("--data folder:animals --fit zoom", "folder: fit is 'zoom', but it must be one of crop, pad, stretch"),
        ("--data folder:animals --channels 2", "folder: channels is 2, but it must be 3 (RGB), 1 (grey) or 4"),
        ("--data folder:animals --channels x", "--channels"),
        ("--data folder:animals --size 5000", "folder: size is 5000, but it must be an int from 1 to 4,096"),
        ("--data folder:nowhere", "nowhere is not there"),
        ("--data folder:", "there is no data set 'folder:'"),
        (
            "--data folder:animals --batch 55",
            "54 examples are enough for 54 at most; write --batch 54",
        ),
        ("--data ring8 --mirror", "Flip (--mirror) changes images"),
    ],
)
def test_options_that_do_not_apply_are_refused_before_a_run_begins(run, tmp_path, animals, options, words):
    refused = run(f"train gan {options} --steps 2 --out a")
    assert refused.code == 2 and words in refused.err and refused.err.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_a_class_of_a_run_without_names_is_a_number(run, tmp_path):
    assert run("train cgan --steps 1 --batch 4 --record none --set g_hidden=8 d_hidden=8 --out a").code == 0
    assert run("sample a -n 2 --label 3 --out x.png").code == 0
    assert (
        "--label three: there is no such class; it must be a whole number of at least 0"
        in run("sample a --label three").err
    )
