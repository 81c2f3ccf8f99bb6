"""fit: it loops, logs and saves, fetches at log steps only, and resumes to the bit."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import standin
from train.tiny import Config, Stream, Tiny

from tinygen.data import Dataset, Loader
from tinygen.errors import ConfigError, DataError, RunError
from tinygen.models import GAN, GANConfig
from tinygen.random import Generator
from tinygen.train import Callback, RunDirectory, disk, fit

EVERY = {"log_every": 4, "sample_every": 100, "checkpoint_every": 5}


def test_fit_makes_the_steps_and_nothing_else():
    by_hand, fitted, stream = Tiny(), Tiny(), Stream()
    for _ in range(20):
        metrics = by_hand.train_step(stream.next_batch())
    history = fit(fitted, Stream(), 20)
    np.testing.assert_array_equal(fitted.w, by_hand.w)
    assert (history.steps, history.path) == (20, None)
    assert history.rows[-1] == {"step": 20, "loss": metrics["loss"].item(), "acc": 0.5}


def test_rows_come_at_the_first_step_each_so_many_and_the_last():
    assert fit(Tiny(), Stream(), 10, log_every=4)["step"] == [1, 4, 8, 10]


class Counting(Tiny):
    """Counts how often a value of each step is fetched."""

    def train_step(self, batch):
        value, model = super().train_step(batch)["loss"], self

        class Metric:
            step = int(model.count)

            def item(self):
                model.fetched.append(self.step)
                return value.item()

        return {"loss": Metric()}


def test_losses_are_fetched_at_few_steps():
    model = Counting()
    model.fetched = []
    fit(model, Stream(), 30, log_every=10, sample_every=8, checkpoint_every=12)
    assert model.fetched == [1, 8, 10, 12, 16, 20, 24, 30]


def test_the_files_of_a_run(tmp_path, viz, capsys):
    history = fit(Tiny(), Stream(), 10, out=tmp_path / "run", settings={"batch": 8, "size": (4, 4)}, **EVERY)
    run = RunDirectory(tmp_path / "run")
    config = run.read_config()
    assert config == {
        "tinygen": config["tinygen"],
        "model": "tiny",
        "class": "train.tiny:Tiny",
        "config": {"data_shape": [4, 4, 1], "lr": 0.1, "size": 16},
        "settings": {"batch": 8, "size": [4, 4], "compile": "off"},
        "steps": 10,
    }
    assert [json.loads(line) for line in run.metrics_file.read_text().splitlines()] == history.rows[:-1]
    assert history["step"] == [1, 4, 8, 10] and history.path == run.path
    assert list(run.checkpoints()) == [0, 5, 10]
    picture = run.path / "samples" / "step_000010.png"
    assert capsys.readouterr().out.splitlines()[-1] == f"open {picture}, {run.curves_file} and {run.film_file}"


@pytest.mark.parametrize("stops", [[5], [3, 4, 11], [1], [19], [20]])
def test_a_resumed_run_equals_a_straight_one(tmp_path, viz, stops):
    def train(name, steps, resume):
        model, rng = Tiny(seed=3), Generator(3, "loader")
        loader = Loader(np.arange(400, dtype=np.uint8).reshape(25, 4, 4, 1), 8, rng=rng)
        fit(model, loader, steps, out=tmp_path / name, resume=resume, settings={"seed": 3}, **EVERY)
        return RunDirectory(tmp_path / name)

    straight = train("straight", 20, False)
    for i, steps in enumerate(stops):
        train("parts", steps, i > 0)
    parts = train("parts", 20, True)
    a, b = straight.newest(), parts.newest()
    assert (a.step, a.facts) == (b.step, b.facts)
    assert a.tensors.keys() == b.tensors.keys()
    for name, x in a.tensors.items():
        np.testing.assert_array_equal(x, b.tensors[name])
    assert straight.metrics_file.read_bytes() == parts.metrics_file.read_bytes()
    assert straight.config_file.read_bytes() == parts.config_file.read_bytes()


def test_the_history_of_a_resumed_run_is_that_of_the_whole(tmp_path, viz):
    fit(Tiny(), Stream(), 10, out=tmp_path, **EVERY)
    history = fit(Tiny(), Stream(), 20, out=tmp_path, resume=True, **EVERY)
    assert history["step"] == [1, 4, 8, 12, 16, 20]
    assert RunDirectory(tmp_path).read_config()["steps"] == 20


def test_resuming_a_finished_run_trains_nothing(tmp_path, viz):
    fit(Tiny(), Stream(), 10, out=tmp_path, **EVERY)
    model = Tiny()
    model.train_step = lambda batch: 1 / 0
    history = fit(model, Stream(), 8, out=tmp_path, resume=True, **EVERY)
    assert history.steps == 10 and model.count == 10
    assert RunDirectory(tmp_path).read_config()["steps"] == 10


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(tmp_path, viz, capsys):
    straight, resumed = Tiny(), Tiny()
    fit(straight, Stream(), 20, out=tmp_path / "straight", **EVERY)
    fit(Tiny(), Stream(), 10, out=tmp_path / "run", **EVERY)
    run = RunDirectory(tmp_path / "run")
    run.checkpoint_file(10).write_bytes(run.checkpoint_file(10).read_bytes()[:-1])
    fit(resumed, Stream(), 20, out=run.path, resume=True, **EVERY)
    np.testing.assert_array_equal(resumed.w, straight.w)
    assert run.metrics_file.read_text() == RunDirectory(tmp_path / "straight").metrics_file.read_text()
    out = capsys.readouterr().out
    assert f"skipping {run.checkpoint_file(10)}: truncated" in out and "after step 5" in out


def test_a_run_that_is_there_stays_as_it_is(tmp_path, viz):
    fit(Tiny(), Stream(), 10, out=tmp_path, **EVERY)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for arguments, message in [
        ({}, "already holds a run"),
        ({"model": Tiny(Config(lr=0.5)), "resume": True}, r"has lr=0\.1, but lr=0\.5 was given"),
        ({"model": Tiny(Config(size=9)), "resume": True}, "has size=16, but size=9 was given"),
        ({"settings": {"seed": 1}, "resume": True}, "has seed=None, but seed=1 was given"),
    ]:
        options = {"model": Tiny(), "data": Stream(), "steps": 20, "out": tmp_path, **EVERY, **arguments}
        with pytest.raises(RunError, match=message):
            fit(**options)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_nothing_changes_before_all_is_known_to_fit(tmp_path, viz):
    class Fussy(Callback):
        def state_dict(self):
            return {"mood": "good"}

        def load_state_dict(self, state):
            raise ValueError("another mood")

    fit(Tiny(), Stream(), 10, out=tmp_path, callbacks=[Fussy()], **EVERY)
    run = RunDirectory(tmp_path)
    run.checkpoint_file(10).write_bytes(b"damaged")
    (tmp_path / ".curves.png.part").write_bytes(b"left by a kill")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="another mood"):
        fit(Tiny(), Stream(), 20, out=tmp_path, callbacks=[Fussy()], resume=True, **EVERY)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_disk_that_is_full_at_any_write_costs_no_more_than_the_steps_since_the_last_checkpoint(
    tmp_path, viz, monkeypatch
):
    straight, count = Tiny(), 0
    fit(straight, Stream(), 12, out=tmp_path / "straight", **EVERY)

    def fails_at(nth, write):
        def counted(*arguments):
            nonlocal count
            count += 1
            if count == nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(*arguments)

        return counted

    for nth in range(1, 100):
        run, count = RunDirectory(tmp_path / f"run{nth}"), 0
        with monkeypatch.context() as patch:
            for owner, name in ((os, "replace"), (disk, "append"), (Path, "write_bytes"), (os, "mkdir")):
                patch.setattr(owner, name, fails_at(nth, getattr(owner, name)))
            patch.setattr(disk, "append", writing_too(disk.append))
            try:
                fit(Tiny(), Stream(), 12, out=run.path, **EVERY)
            except RunError as error:
                assert "free some space" in str(error) and str(run.path) in str(error)
            else:
                break
        model = Tiny()
        fit(model, Stream(), 12, out=run.path, resume=run.config_file.exists(), **EVERY)
        np.testing.assert_array_equal(model.w, straight.w)
        assert run.metrics_file.read_bytes() == (tmp_path / "straight" / "metrics.jsonl").read_bytes()
    assert nth > 15


def writing_too(append):
    """The same, with an OSError turned into words as the function itself does."""

    def wrapped(path, line):
        with disk.writing(path):
            append(path, line)

    return wrapped


def dataset(*changed):
    """40 small images, with others at the given indices."""
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    images[list(changed)] += 1
    return Dataset("mine", images[:32], images[32:])


def test_a_run_insists_on_its_data_wherever_they_are(tmp_path, viz):
    fit(Tiny(), dataset(), 10, out=tmp_path, **EVERY)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for changed in (0, 35):  # a training example, and a test example
        with pytest.raises(DataError, match=r"mine: these are not the data with which .* began: .*fingerprint"):
            fit(Tiny(), dataset(changed), 20, out=tmp_path, resume=True, **EVERY)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    moved = dataclasses.replace(dataset(), name="moved")
    assert fit(Tiny(), moved, 20, out=tmp_path, resume=True, **EVERY).steps == 20


def test_a_run_of_a_version_without_fingerprints_resumes_and_gets_one(tmp_path, viz):
    fit(Tiny(), dataset(), 10, out=tmp_path, **EVERY)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    fingerprint = config.pop("fingerprint")
    del config["format"]
    file.write_text(json.dumps(config))
    fit(Tiny(), dataset(), 20, out=tmp_path, resume=True, **EVERY)
    assert json.loads(file.read_text())["fingerprint"] == fingerprint == dataset().fingerprint()


def test_what_may_change_changes_and_is_recorded(tmp_path, viz):
    fit(Tiny(), Stream(), 10, out=tmp_path, settings={"log_every": 4, "seed": 1}, **EVERY)
    options = {"out": tmp_path, "resume": True, "changing": {"lr", "log_every"}, **EVERY}
    fit(Tiny(Config(lr=0.5)), Stream(), 15, settings={"log_every": 2, "seed": 1}, **options)
    fit(Tiny(Config(lr=0.5)), Stream(), 17, settings={"log_every": 2, "seed": 1}, **options)
    model = Tiny(Config(lr=0.25))
    fit(model, Stream(), 20, settings={"log_every": 2, "seed": 1}, **options)
    config = RunDirectory(tmp_path).read_config()
    assert config["changes"] == [
        {"step": 10, "lr": {"from": 0.1, "to": 0.5}, "log_every": {"from": 4, "to": 2}},
        {"step": 17, "lr": {"from": 0.5, "to": 0.25}},
    ]
    assert (config["config"]["lr"], config["settings"]["log_every"]) == (0.25, 2)
    by_hand, stream = Tiny(), Stream()
    for step in range(20):
        by_hand.config = Config(lr=0.1 if step < 10 else 0.5 if step < 17 else 0.25)
        by_hand.train_step(stream.next_batch())
    np.testing.assert_array_equal(model.w, by_hand.w)
    with pytest.raises(RunError, match="has seed=1, but seed=2 was given"):
        fit(Tiny(Config(lr=0.25)), Stream(), 25, settings={"log_every": 2, "seed": 2}, **options)


def test_a_run_starts_from_the_weights_of_another(tmp_path, viz):
    small_gan = {"data_shape": (4, 4, 1), "latent_dim": 3, "g_hidden": (8,), "d_hidden": (8,)}
    images = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 1), dtype=np.uint8)
    first = GAN(GANConfig(**small_gan), seed=1)
    fit(first, images, 3, out=tmp_path / "first", checkpoint_every=2)
    second, third = (GAN(GANConfig(**small_gan, lr=0.0), seed=seed) for seed in (2, 3))
    fit(second, images, 1, out=tmp_path / "second", init_from=tmp_path / "first")
    file = RunDirectory(tmp_path / "first").checkpoint_file(3)
    fit(third, images, 1, init_from=file)
    for model in (second, third):
        for name, x in model.state_dict().items():
            if name.endswith((".w", ".b", ".gamma", ".beta")):  # the rest moves at a rate of 0, too
                np.testing.assert_array_equal(x, first.state_dict()[name], err_msg=name)
    assert second.opt_G.t == 1  # the optimisers start afresh
    saved = RunDirectory(tmp_path / "second").read_config()
    assert saved["init_from"] == {"run": str(tmp_path / "first"), "step": 3}
    fit(second, images, 2, out=tmp_path / "second", resume=True)
    assert RunDirectory(tmp_path / "second").read_config()["init_from"] == saved["init_from"]


def test_weights_of_another_architecture_are_refused_with_what_differs(tmp_path, viz):
    fit(Tiny(), Stream(), 1, out=tmp_path / "a")
    other = Tiny(Config(size=9))
    with pytest.raises(
        ConfigError, match=r"a, a tiny, do not fit this tiny: w has shape \(16,\) there and \(9,\) here"
    ):
        fit(other, Stream(), 1, out=tmp_path / "b", init_from=tmp_path / "a")
    with pytest.raises(ConfigError, match=r"G\.0\.w is only here.* and \d+ more; start with"):
        fit(GAN(), np.zeros((64, 28, 28, 1), np.uint8), 1, out=tmp_path / "b", init_from=tmp_path / "a")
    with pytest.raises(RunError, match="there is no run"):
        fit(Tiny(), Stream(), 1, out=tmp_path / "b", init_from=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="leave one of them out"):
        fit(Tiny(), Stream(), 2, out=tmp_path / "a", init_from=tmp_path / "a", resume=True)
    assert not (tmp_path / "b").exists() and not other.w.any()


def test_another_batch_size_does_not_fit(tmp_path, viz):
    images = np.zeros((20, 4, 4, 1), np.uint8)
    fit(Tiny(), Loader(images, 8), 5, out=tmp_path)
    with pytest.raises(RunError, match=r"does not fit this run: .*batch 8, but this one has 4"):
        fit(Tiny(), Loader(images, 4), 9, out=tmp_path, resume=True)


@pytest.mark.parametrize("option", ["steps", "log_every", "sample_every", "checkpoint_every"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "10"])
def test_options_are_checked_before_anything_happens(tmp_path, option, value):
    options = {"steps": 1, "out": tmp_path / "run", option: value}
    with pytest.raises(ConfigError, match=f"fit: {option} is {value!r}, but it must be a whole number of at least 1"):
        fit(Tiny(), Stream(), **options)
    assert not (tmp_path / "run").exists()


def test_resuming_needs_a_directory():
    with pytest.raises(ConfigError, match="name it with out="):
        fit(Tiny(), Stream(), 1, resume=True)


def test_no_data_makes_no_directory(tmp_path):
    with pytest.raises(DataError):
        fit(Tiny(), [], 1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_error_in_a_step_frees_the_directory_and_keeps_the_run(tmp_path, viz):
    model = Tiny()
    good = model.train_step
    model.train_step = lambda batch: 1 / 0 if model.count == 7 else good(batch)
    with pytest.raises(ZeroDivisionError):
        fit(model, Stream(), 20, out=tmp_path, **EVERY)
    assert fit(Tiny(), Stream(), 20, out=tmp_path, resume=True, **EVERY).steps == 20


class Syncs(Callback):
    """The number of synchronisations of the stand-in before each step's callbacks."""

    def __init__(self, syncs):
        self.syncs, self.counts = syncs, []

    def on_step(self, step, metrics):
        self.counts.append(self.syncs.count)


def test_a_real_model_on_each_backend(backend, tmp_path, viz):
    config = GANConfig((4, 4, 1), latent_dim=3, g_hidden=(8,), d_hidden=(8,))
    images = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 1), dtype=np.uint8)

    def train(name, steps, callbacks=(), resume=False):
        model = GAN(config, seed=1)
        loader = Loader(images, 8, model.value_range, Generator(1, "loader", "cpu"))
        options = {"log_every": 6, "sample_every": 9, "checkpoint_every": 12}
        fit(model, loader, steps, out=tmp_path / name, callbacks=callbacks, resume=resume, **options)
        return RunDirectory(tmp_path / name).newest()

    with standin.count_syncs() as syncs:
        counter = Syncs(syncs)
        straight = train("straight", 20, [counter])
    if backend.name == "standin":
        waited = {step for step in range(2, 21) if counter.counts[step - 1] > counter.counts[step - 2]}
        fetches = {1, 6, 9, 12, 18, 20}
        assert waited <= fetches | {step + 1 for step in fetches}  # pictures and checkpoints come after on_step
    train("parts", 11)
    parts = train("parts", 20, resume=True)
    assert straight.facts == parts.facts
    for name, x in straight.tensors.items():
        np.testing.assert_array_equal(x, parts.tensors[name], err_msg=name)
