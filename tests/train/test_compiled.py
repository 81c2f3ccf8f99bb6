"""Trainings whose step is compiled: what is decided, recorded and said; they resume to the bit."""

import json

import numpy as np
import pytest
from models.small import small
from train.compiled import DATA, EVERY, POINTS, Net, assert_close, assert_same

import tinygen as tg
from tinygen.compiler import backends
from tinygen.kernels.openblas import blas
from tinygen.random import Generator
from tinygen.train import EMA, Callback, RunDirectory, fit
from tinygen.train.batches import loader_for
from tinygen.train.compiling import PAYS_FROM, Decision, decide


@pytest.mark.parametrize("mode", ["on", "off"])
@pytest.mark.parametrize("name", ["gan", "wgangp", "dcgan", "vae"])
def test_a_resumed_run_equals_a_straight_one(tmp_path, viz, name, mode, steps_made):
    def train(out, steps, **options):
        model = small(name, seed=3, **({} if name == "vae" else {"ema": 0.9, "instance_noise": 0.1}))
        images = np.random.default_rng(0).integers(0, 256, (40, 3, 2, 1), np.uint8)
        loader = loader_for(model, images, 4, Generator(3, "loader"))
        fit(model, loader, steps, out=tmp_path / out, callbacks=[EMA(0.9)], settings={"seed": 3}, **EVERY, **options)

    train("straight", 10, compile=mode)
    train("parts", 5, compile=mode)
    train("parts", 8, resume=True)
    train("parts", 10, resume=True, compile=mode)
    assert_same(tmp_path / "parts", tmp_path / "straight")
    assert RunDirectory(tmp_path / "parts").read_config()["settings"] == {"seed": 3, "compile": mode}
    assert [step.reason for step in steps_made] == [None] * (4 if mode == "on" else 0)
    assert all(step._traces == 1 for step in steps_made)


def test_a_run_of_an_older_version_goes_on_as_it_was(tmp_path, viz):
    def train(out, steps, **options):
        return fit(Net(), DATA, steps, out=tmp_path / out, **EVERY, **options)

    def forget(out):
        config = json.loads((file := tmp_path / out / "config.json").read_text())
        del config["settings"]["compile"]
        file.write_text(json.dumps(config, indent=2) + "\n")

    for out in ("straight", "parts", "other"):
        train(out, 9 if out == "straight" else 4, compile="off")
        forget(out)
    train("parts", 9, resume=True)
    assert_same(tmp_path / "parts", tmp_path / "straight")
    train("other", 9, resume=True, compile="on")
    config = RunDirectory(tmp_path / "other").read_config()
    assert config["changes"] == [{"step": 4, "compile": {"from": None, "to": "on"}}]
    assert config["settings"]["compile"] == "on"


def test_another_mode_is_accepted_and_recorded(tmp_path, viz, capsys):
    for steps, mode in ((4, "on"), (6, "off"), (8, "auto"), (10, "on"), (12, "auto"), (12, "off")):
        fit(Net(), DATA, steps, out=tmp_path, resume=steps > 4, compile=mode, **EVERY)
    changes = [{"step": step, "compile": {"from": a, "to": b}} for step, a, b in ((4, "on", "off"), (8, "off", "on"))]
    changes.append({"step": 12, "compile": {"from": "on", "to": "off"}})
    assert RunDirectory(tmp_path).read_config()["changes"] == changes
    said = [
        line.partition(",")[0]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("step ") and "compiled" in line
    ]
    assert [line.partition(": ")[0] for line in said] == [
        *("step compiled", "step not compiled", "step not compiled", "step compiled", "step compiled"),
    ]


# What is decided, and what is said


@pytest.mark.parametrize(
    ("asked", "recorded", "steps", "mode", "why"),
    [
        ("on", None, 1, "on", ""),
        ("off", None, 10**6, "off", "compile is off"),
        ("auto", None, PAYS_FROM, "on", ""),
        ("auto", None, PAYS_FROM - 1, "off", "that pays from 1,000 steps on"),
        ("auto", "on", 1, "on", ""),
        ("auto", "off", 10**6, "off", "the run began so"),
        ("off", "on", 1, "off", "compile is off"),
        ("on", "off", 1, "on", ""),
    ],
)
def test_what_is_decided(asked, recorded, steps, mode, why, monkeypatch):
    monkeypatch.setattr(backends, "load_back_end", lambda **_: None)  # as where llvmlite is installed
    assert decide(asked, recorded, steps) == (mode, why)


def test_numpy_alone_compiles_too(monkeypatch):
    monkeypatch.setenv("TINYGEN_NUMBA", "0")
    assert decide("auto", None, PAYS_FROM) == Decision("on")
    assert decide("auto", None, PAYS_FROM - 1).mode == "off"


def test_a_back_end_that_is_too_old_is_said(monkeypatch):
    def refuse(name=None, device="cpu"):
        raise ImportError("compiled steps need llvmlite 0.45 or newer")

    monkeypatch.setattr(backends, "load_back_end", refuse)
    assert decide("on", None, 1) == Decision("off", "compiled steps need llvmlite 0.45 or newer")


def test_steps_on_a_gpu_are_compiled_too(gpu):
    assert decide("auto", None, PAYS_FROM) == Decision("on")
    assert decide("auto", None, PAYS_FROM - 1).mode == "off"


def test_an_unknown_mode_is_refused():
    with pytest.raises(tg.ConfigError, match='fit: compile is True, but it must be "auto", "on" or "off"'):
        fit(Net(), DATA, 1, compile=True)


class Deciding(Net):
    def train_step(self, x):
        metrics = super().train_step(x)
        if metrics["loss"].item() > 1e9:  # no program can
            return {}
        return metrics


def test_the_first_line_says_what_was_decided(capsys):
    fit(Net(), DATA, 1, compile="on")
    assert capsys.readouterr().out.startswith("step compiled: ")
    by_hand, model = Deciding(), Deciding()
    fit(by_hand, DATA, 3, compile="off")
    assert capsys.readouterr().out.splitlines()[0] == "step not compiled: compile is off"
    fit(model, DATA, 3, compile="on")
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("step not compiled: the step looks at the elements of an array, which ")
    assert line.endswith('in train_step: if metrics["loss"].item() > 1e9:  # no program can')
    np.testing.assert_array_equal(model.net.w.data, by_hand.net.w.data)


def test_a_step_whose_settings_change_all_the_time_is_no_longer_compiled(capsys):
    def change(step, metrics):
        model.scale = 1 + step / 100

    model = Net()
    fit(model, DATA, 30, callbacks=[change], compile="on")
    lines = capsys.readouterr().out.splitlines()
    assert "step no longer compiled: its settings, or the shapes of its batches, changed 20 times" in lines
    other, model = model, Net()
    fit(model, DATA, 30, callbacks=[change])
    assert_close(other, model)


def test_compiling_is_no_training(monkeypatch, steps_made):
    """The rate leaves out the seconds that went to compiling, in the middle of a run, too."""
    left_out = []
    monkeypatch.setattr("tinygen.train.loop.Progress.aside", lambda self, seconds, line="": left_out.append(seconds))
    sizes = [4, 4, 6, 6]
    fit(Net(), [POINTS[:n] for n in sizes], 4, compile="on")
    assert [seconds > 0 for seconds in left_out] == [False, False, True, False]
    assert sum(left_out) < steps_made[0].seconds


def test_a_new_batch_size_traces_again(steps_made):
    model, other = Net(), Net()
    data = [POINTS[:4], POINTS[4:8], POINTS[8:18]]
    fit(model, data, 7, compile="on")
    fit(other, data, 7, compile="off")
    assert steps_made[0]._traces == 2 and steps_made[0].reason is None
    assert_close(model, other)


def test_the_blas_keeps_to_one_thread_as_long_as_the_step_is_compiled():
    library = blas()
    if library is None:
        pytest.skip("NumPy has another BLAS than OpenBLAS")
    before, met = library.alone.threads(), []

    class Watch(Callback):
        def on_step(self, step, metrics):
            met.append(library.alone._count())
            if step == 3:
                raise KeyboardInterrupt
            return {}

    for mode, threads in (("on", 1), ("off", before)):
        with pytest.raises(KeyboardInterrupt):
            fit(Net(), DATA, 5, compile=mode, callbacks=[Watch()], progress=False)
        assert met == [threads] * 3
        assert library.alone._count() == before
        met.clear()
