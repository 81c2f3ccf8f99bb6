"""fit: it loops, logs and saves, fetches at log steps only, and resumes to the bit."""

import dataclasses
import errno
import json
import os
import pickle
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import standin
from train.tiny import Config, Stream, Tiny

import tinygen as tg
from tinygen.backend import Generator
from tinygen.data import Dataset, Loader
from tinygen.errors import ConfigError, DataError, RunError
from tinygen.models import GAN, GANConfig
from tinygen.report import report
from tinygen.train import EMA, Callback, EarlyStopping, Recorder, RunDirectory, Warnings, files, fit

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
        "settings": {"batch": 8, "size": [4, 4]},
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
    assert f"passing over {run.checkpoint_file(10)}: truncated" in out and "after step 5" in out


def test_a_run_that_is_there_stays_as_it_is(tmp_path, viz):
    fit(Tiny(), Stream(), 10, out=tmp_path, **EVERY)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for arguments, message in [
        ({}, "already holds a run"),
        ({"model": Tiny(Config(lr=0.5)), "resume": True}, r"has lr=0\.1, but lr=0\.5 came"),
        ({"model": Tiny(Config(size=9)), "resume": True}, "has size=16, but size=9 came"),
        ({"settings": {"seed": 1}, "resume": True}, "has seed=None, but seed=1 came"),
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
            for owner, name in ((os, "replace"), (files, "append"), (Path, "write_bytes"), (os, "mkdir")):
                patch.setattr(owner, name, fails_at(nth, getattr(owner, name)))
            patch.setattr(files, "append", writing_too(files.append))
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
        with files.writing(path):
            append(path, line)

    return wrapped


def dataset(*changed):
    """40 small images; of these, those that are named are others."""
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    images[list(changed)] += 1
    return Dataset("mine", images[:32], images[32:])


def test_a_run_insists_on_its_data_wherever_they_are(tmp_path, viz):
    fit(Tiny(), dataset(), 10, out=tmp_path, **EVERY)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for changed in (0, 35):  # of what is learnt from, and of what is judged by
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
    with pytest.raises(RunError, match="has seed=1, but seed=2 came"):
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
    assert second.opt_G.t == 1  # the optimisers start from nothing
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
    with pytest.raises(ConfigError, match="say which with out="):
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
        looks = {1, 6, 9, 12, 18, 20}
        assert waited <= looks | {step + 1 for step in looks}  # pictures and checkpoints come after on_step
    train("parts", 11)
    parts = train("parts", 20, resume=True)
    assert straight.facts == parts.facts
    for name, x in straight.tensors.items():
        np.testing.assert_array_equal(x, parts.tensors[name], err_msg=name)


class Net(tg.models.Model):
    """A model as a script has it: no name, no Config, no sample()."""

    def __init__(self):
        super().__init__()
        self.net = tg.layers.Dense(3, 3)
        self.opt = tg.optim.Adam(self.net.parameters())

    def train_step(self, x):
        loss = ((self.net(x) - x) ** 2).mean()
        self.opt.step(tg.grad(loss, self.net.parameters()))
        return {"loss": loss}


class Unwritten(tg.models.Model):
    pass


class Unborn(Net):
    def __init__(self):
        self.net = tg.layers.Dense(3, 3)


POINTS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def test_a_model_needs_no_name_no_config_and_no_sample(tmp_path):
    data = Dataset("own", POINTS, POINTS[:5])
    watching = [Recorder(data), Warnings(data), EMA(0.9)]
    fit(Net(), data, 4, out=tmp_path, callbacks=watching, **EVERY)
    assert RunDirectory(tmp_path).read_config()["model"] == "net"
    assert fit(Net(), data, 6, out=tmp_path, callbacks=watching, resume=True, **EVERY).steps == 6
    assert "samples" not in watching[0].recording().arrays
    assert report(tmp_path).exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (GAN, r"model is the class GAN; give an object of it: GAN\(\)"),
        ("gan", r"model is a str, which has no train_step\(\)"),
        (tg.layers.Dense(3, 3), r"model is a Dense, which has no train_step\(\); derive it from tinygen.models.Model"),
        (Unwritten(), r"model is a Unwritten, which has no train_step\(\)"),
        (Unborn(), r"model is a Unborn, which has no config; .*; does its __init__ call super\(\).__init__\(\)\?"),
    ],
)
def test_what_is_no_model(model, message):
    with pytest.raises(ConfigError, match=message):
        fit(model, POINTS, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [([1], r"settings is \[1\], but it must be a dict"), ({"f": print}, r"settings\['f'\] holds <built-in function")],
)
def test_settings_that_no_file_can_hold(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        fit(Net(), POINTS, 1, out=tmp_path / "run", settings=settings)
    assert not (tmp_path / "run" / "config.json").exists()


def test_settings_may_hold_numpys_numbers(tmp_path, viz):
    fit(Net(), POINTS, 1, out=tmp_path, settings={"lr": np.float32(0.5), "sizes": (np.int64(3),)})
    assert RunDirectory(tmp_path).read_config()["settings"] == {"lr": 0.5, "sizes": [3]}


@pytest.mark.parametrize("kind", ["ends", "fails"])
def test_data_that_fail_cost_no_step(tmp_path, viz, kind):
    def batches():
        yield from (Stream().next_batch() for _ in range(7))
        if kind == "fails":
            raise OSError("the network is down")

    error, message = (DataError, "the data ended after 7 batches") if kind == "ends" else (OSError, "network is down")
    model = Tiny()
    with pytest.raises(error, match=message):
        fit(model, batches(), 20, out=tmp_path, checkpoint_every=5)
    newest = RunDirectory(tmp_path).newest()
    assert newest.step == 7
    np.testing.assert_array_equal(newest.tensors["w"], model.w)
    data = (Stream().next_batch() for _ in range(20))
    assert fit(Tiny(), data, 20, out=tmp_path, resume=True, checkpoint_every=5).steps == 20


def test_callbacks_serve_one_training_after_another():
    data = Dataset("own", POINTS, POINTS[:5])
    watching = [Recorder(data), Warnings(data), EMA(0.9), EarlyStopping("loss", 100, restore_best=True)]
    for width, steps in ((4, 9), (5, 3)):
        gan = GAN(GANConfig((3,), latent_dim=2, g_hidden=(width,), d_hidden=(4,)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(gan, data, steps, callbacks=watching, log_every=1)
    assert watching[0].recording().steps.tolist() == [0, 1, 2, 3]
    assert set(watching[0].recording().facts["config"]["g_hidden"]) == {5}


def test_a_training_in_another_thread():
    model, straight, found = Tiny(), Tiny(), []
    thread = threading.Thread(target=lambda: found.append(fit(model, Stream(), 10, progress=False)))
    thread.start()
    thread.join()
    fit(straight, Stream(), 10)
    assert found[0].steps == 10
    np.testing.assert_array_equal(model.w, straight.w)


def test_a_preview_in_another_thread_changes_nothing_and_sees_the_running_statistics():
    """While a step of D runs, another thread has G in eval mode, and a third one samples."""
    config = GANConfig((3,), latent_dim=2, g_hidden=(4,), d_hidden=(4,))
    tg.seed(0)
    straight = GAN(config)
    fit(straight, POINTS, 5, progress=False)

    class Previewed(GAN):
        def loss_D(self, x, fake, *y):
            def preview():
                with tg.layers.evaluating(self.G), tg.no_grad():
                    entered.set()
                    left.wait(5)

            entered, left = threading.Event(), threading.Event()
            thread = threading.Thread(target=preview)
            thread.start()
            entered.wait(5)
            found = super().loss_D(x, fake, *y)
            seen.append(self.G.training and self.G(self.noise(3, Generator(0, "look"))).requires_grad)
            left.set()
            thread.join()
            elsewhere = threading.Thread(target=lambda: samples.append(self.sample(4)))
            elsewhere.start()
            elsewhere.join()
            np.testing.assert_array_equal(samples[-1], self.sample(4))
            return found

    seen, samples = [], []
    tg.seed(0)
    previewed = Previewed(config)
    statistics = [t for name, t in previewed.named_tensors() if isinstance(t, tg.layers.Buffer)]
    fit(previewed, POINTS, 5, progress=False)
    assert seen == [True] * 5 and statistics
    for p, q in zip(straight.parameters(), previewed.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


class NoRng(Net):
    def sample(self, n):
        return POINTS[:n]


class NoBatch(Net):
    def train_step(self):
        return {}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (NoRng, r"NoRng.sample\(\) must be one that can be called as def sample\(self, n, rng\)"),
        (NoBatch, r"NoBatch.train_step\(\) must be one that can be called as def train_step\(self, batch\)"),
    ],
)
def test_methods_that_take_something_else(kind, message):
    with pytest.raises(ConfigError, match=message):
        fit(kind(), POINTS, 1)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (lambda n: None, "what net makes for a picture is None, but it must be an array of numbers"),
        (lambda n: np.zeros((0, 3)), r"grid: images has shape \(0, 3\)"),
        (lambda n: np.zeros((n, 1, 9, 9)), "did you pass NCHW"),
    ],
)
def test_samples_that_are_no_pictures_are_told_before_step_1(tmp_path, samples, message):
    class Draws(Net):
        def sample(self, n, rng=None):
            return samples(n)

    model = Draws()
    with pytest.raises(ValueError, match=message):
        fit(model, POINTS, 1, out=tmp_path, progress=False)
    assert model.opt.t == 0


@pytest.mark.parametrize("samples", [lambda n: [np.zeros(3)] * n, lambda n: tg.tensor(np.zeros((n, 4, 4)), True)])
def test_samples_may_be_lists_or_tensors(tmp_path, samples):
    class Draws(Net):
        def sample(self, n, rng=None):
            return samples(n)

    fit(Draws(), POINTS, 1, out=tmp_path, progress=False)
    assert RunDirectory(tmp_path).sample_file(1).exists()


def test_all_that_a_training_takes_and_leaves_can_be_sent_to_another_process():
    """As multiprocessing's spawned workers get it: what is unpickled trains as what was pickled, to the bit."""
    data = Dataset("own", POINTS, POINTS[:5])
    gan = GAN(GANConfig((3,), latent_dim=2, g_hidden=(4,), d_hidden=(4,)))
    watching = [Recorder(data), Warnings(data), EMA(0.9), EarlyStopping("loss_D", 99, restore_best=True)]
    fit(gan, data, 3, callbacks=watching, progress=False)
    job = (gan, Loader(POINTS, 8, None, Generator(1, "loader")), watching)
    sent = pickle.loads(pickle.dumps(job))
    for model, loader, callbacks in (job, sent):
        history = fit(model, loader, 4, callbacks=callbacks, progress=False)
        assert pickle.loads(pickle.dumps(history)).rows == history.rows
    for name, x in gan.state_dict().items():
        np.testing.assert_array_equal(x, sent[0].state_dict()[name], err_msg=name)
