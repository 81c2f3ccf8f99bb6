"""A user's own models, data and callbacks: what fit takes, how it refuses the rest, and what other threads may do."""

import pickle
import threading
import warnings

import numpy as np
import pytest
from equal import assert_equal_arrays
from train.tiny import Stream, Tiny

import tinygen as tg
from tinygen.data import Dataset, Loader
from tinygen.errors import ConfigError, DataError
from tinygen.inside import Recorder, Warnings
from tinygen.models import GAN, GANConfig
from tinygen.random import Generator
from tinygen.report import report
from tinygen.train import EMA, EarlyStopping, RunDirectory, fit

EVERY = {"log_every": 4, "sample_every": 100, "checkpoint_every": 5}


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
        ("gan", r"model is a str, but it must be a tinygen.models.Model; .* such as tinygen.models.GAN\(\)"),
        (
            tg.layers.Dense(3, 3),
            r"model is a Dense, but it must be a tinygen.models.Model; derive your class from that",
        ),
        (Unwritten(), r"model is a Unwritten, which has neither steps\(\) nor train_step\(\); write one of them"),
        (Unborn(), r"model is a Unborn, which has no config; does its __init__ call super\(\).__init__\(\)\?"),
    ],
)
def test_what_is_no_model(model, message):
    with pytest.raises(ConfigError, match=message):
        fit(model, POINTS, 1)


class OneNumber:
    data_shape = 3


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": 3}, "Wrong: name is 3, but it must be text"),
        ({"Config": None}, "Wrong: Config is None, but it must be a class"),
        ({"defaults": None}, "Wrong: defaults is None, but it must be a dict"),
        ({"Config": OneNumber}, r"net: data_shape is 3, but it must be a tuple, such as \(28, 28, 1\)"),
        (
            {"value_range": 5},
            r"Wrong.value_range is 5, but it must be None or a pair of numbers, such as \(-1, 1\)",
        ),
        ({"value_range": (0, "1")}, r"fit: Wrong.value_range is \(0, '1'\), but it must be None or a pair"),
    ],
)
def test_what_a_class_declares_wrongly(attributes, message):
    with pytest.raises(ConfigError, match=message):
        fit(type("Wrong", (Net,), attributes)(), POINTS, 1)


def test_a_model_declares_only_the_defaults_that_differ():
    class Short(Net):
        defaults = {"steps": 7}  # noqa: RUF012

    assert Short.defaults == {**tg.models.Model.defaults, "steps": 7}
    fit(Short(), POINTS, 1, progress=False)


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
    assert RunDirectory(tmp_path).read_config()["settings"] == {"lr": 0.5, "sizes": [3], "compile": "off"}


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
            seen.append(self.G.training and self.D(x).requires_grad)
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
        (NoRng, r"NoRng.sample\(\) can't be called as def sample\(self, n, rng\)"),
        (NoBatch, r"NoBatch.train_step\(\) can't be called as def train_step\(self, batch\)"),
    ],
)
def test_methods_that_take_something_else(kind, message):
    with pytest.raises(ConfigError, match=message):
        fit(kind(), POINTS, 1)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (lambda n: None, "the preview of net is None, but it must be an array of numbers"),
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
    assert_equal_arrays(sent[0].state_dict(), gan.state_dict())
