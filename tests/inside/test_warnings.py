"""Runs that really collapse get one warning that names what happens; healthy ones get none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from models.small import small

import tinygen as tg
from tinygen.data.dataset import Dataset
from tinygen.inside import CollapseWarning, Warnings
from tinygen.inside.warnings import gradient_norm, spread
from tinygen.models import CGAN, GAN, CGANConfig, GANConfig
from tinygen.optim import SGD, Adam, RMSprop
from tinygen.train import RunDirectory, fit

SIZES = {"data_shape": (2,), "latent_dim": 4, "g_hidden": (32,), "d_hidden": (32,)}


def points(mean, std, classes=None):
    x = np.random.default_rng(0).normal(mean, std, (640, 2)).astype(np.float32)
    return Dataset("points", x, x, None if classes is None else np.arange(640) % classes)


def signs(model, data, steps=300, patience=5, **options):
    """The signs of a run that logs every ten steps, with their messages."""
    tg.seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, data, steps, callbacks=[Warnings(data, patience)], log_every=10, checkpoint_every=100, **options)
    assert all(issubclass(warning.category, CollapseWarning) for warning in caught)
    messages = [str(warning.message) for warning in caught]
    return {message.split(": ")[1]: message for message in messages}, messages


def test_D_that_is_far_too_strong_and_the_loss_that_is_flat_while_it_wins():
    """G hardly learns, and lowers log(1 - D(G(z))): its loss goes to 0 and its gradient with it."""
    model = GAN(GANConfig(**{**SIZES, "d_hidden": (64, 64)}, batch_norm=False, loss="minimax", lr=3e-2))
    model.opt_G.lr = 1e-6
    named, messages = signs(model, points(8.0, 0.5))
    assert named.keys() == {"D saturated", "G's gradient vanished"} and len(messages) == 2
    for message in messages:
        assert "loss=nonsaturating" in message and "Goodfellow et al. 2014" in message and "Gulrajani" in message


def test_D_saturated_with_a_loss_that_is_not_flat():
    """Then the remedies are others: loss=nonsaturating is what the model has."""
    model = GAN(GANConfig(**SIZES, lr=3e-2))
    model.opt_G.lr = 1e-6
    named, _ = signs(model, points(4.0, 0.5))
    assert "Salimans" in named["D saturated"] and "nonsaturating" not in named["D saturated"]
    assert "G's gradient vanished" not in named


def test_samples_alike():
    model = GAN(GANConfig(**SIZES, batch_norm=False))
    last = model.G[len(model.G) - 2]
    last.w.assign(np.zeros(last.w.shape, np.float32))
    model.opt_G.lr = 0.0
    named, messages = signs(model, points(0.0, 0.5))
    assert "they lie 0% as far from each other as data do" in named["samples alike"]
    assert "pacgan (Lin et al. 2018)" in named["samples alike"]
    assert len(messages) == len(named)


def test_samples_alike_within_each_class():
    """Each class is a point of its own: the samples differ, but not within a class."""
    model = CGAN(CGANConfig(**SIZES, classes=3, label_width=4, batch_norm=False))
    model.G[1].w.assign(np.concatenate([np.zeros((4, 32)), model.G[1].w.numpy()[4:]]).astype(np.float32))
    model.opt_G.lr = 0.0
    assert spread(model.sample(30)) > 0.1
    assert "samples alike" in signs(model, points(0.0, 0.5, 3))[0]


def test_a_gradient_that_explodes():
    """The Wasserstein loss and a critic without a constraint: its slope grows without end."""
    model = GAN(GANConfig(**SIZES, loss="wasserstein", optimizer="sgd", lr=0.1))
    model.opt_G.lr = 0.0
    named, _ = signs(model, points(2.0, 0.5), steps=100, patience=3)
    assert "a lower lr, or clipped gradients (Pascanu et al. 2013)" in named["G's gradient exploded"]


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_healthy_run_gives_no_warning(batch_norm):
    model = GAN(GANConfig(**SIZES, batch_norm=batch_norm, lr=1e-3, beta1=0.0))
    data = points(1.0, 0.5)
    assert signs(model, data, steps=800) == ({}, [])
    np.testing.assert_allclose(model.sample(1000).mean(0), 1.0, atol=0.2)


def test_of_other_models_it_says_nothing():
    assert signs(small("vae", data_shape=(2,), lr=1e-9), points(0.0, 1.0), steps=100) == ({}, [])


def test_each_sign_is_an_event_once_also_when_the_run_resumes(tmp_path):
    def run(out, steps, resume=False):
        model = GAN(GANConfig(**SIZES, loss="minimax", lr=3e-2))
        model.opt_G.lr = 1e-6
        return signs(model, points(4.0, 0.5), steps=steps, out=out, resume=resume, sample_every=1000)[1]

    whole = run(tmp_path / "a", 160)
    before, after = run(tmp_path / "b", 80), run(tmp_path / "b", 160, resume=True)
    assert before and before + after == whole
    events = RunDirectory(tmp_path / "a").read_events()
    assert events == RunDirectory(tmp_path / "b").read_events() and len(events) == len(whole)
    assert {"step", "name", "evidence", "remedy"} == events[0].keys()


def test_it_never_changes_the_run():
    data, models = points(1.0, 0.5), [GAN(GANConfig(**SIZES)) for _ in range(2)]
    for model, callbacks in zip(models, ([], [Warnings(data, 2)]), strict=True):
        tg.seed(0)
        fit(model, data, 60, callbacks=callbacks, log_every=1)
    blind, watched = (model.state_dict() for model in models)
    for name, x in blind.items():
        np.testing.assert_array_equal(x, watched[name], err_msg=name)


@pytest.mark.parametrize(
    "optimizer, expected",
    [
        (lambda p: Adam(p, betas=(0.0, 0.9)), 5.0),
        (lambda p: RMSprop(p, alpha=0.0), 5.0),
        (lambda p: SGD(p, momentum=0.5), 2.5),
        (lambda p: SGD(p), 0.0),
    ],
)
def test_the_norm_of_the_last_gradient(backend, optimizer, expected):
    p = tg.layers.Dense(2, 1, bias=False).parameters()
    made = optimizer(p)
    made.step([backend.asarray(np.array([[3.0], [4.0]], np.float32))])
    assert gradient_norm(made) == pytest.approx(expected)


def test_the_spread_is_the_distance_of_pairs():
    x, labels = np.random.default_rng(0).normal(size=(12, 2, 3)), np.arange(12) % 3
    squares = np.square(x[:, None] - x[None]).sum(axis=(2, 3))
    others = ~np.eye(12, dtype=bool)
    assert spread(x) == pytest.approx(np.sqrt(squares[others].mean()))
    assert spread(x, labels) == pytest.approx(np.sqrt(squares[others & (labels[:, None] == labels)].mean()))


@pytest.mark.parametrize("shape", [(1,), (5,), (4, 4, 2), (4, 4, 4)])
@pytest.mark.parametrize("n", [1, 12])
def test_data_of_any_shape_and_number_can_be_watched(shape, n):
    x = np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype(np.float32)
    model = GAN(GANConfig(shape, latent_dim=2, g_hidden=(4,), d_hidden=(4,), batch_norm=False))
    assert signs(model, Dataset("own", x, x), steps=3)[0].keys() == set()


class Wild(GAN):
    """Its samples leave its range, as a model of one's own may without noticing."""

    def sample(self, n, rng=None):
        return 3 * super().sample(n, rng)


def test_samples_out_of_range_end_no_training():
    x = np.random.default_rng(0).uniform(-1, 1, (12, 4, 4, 1)).astype(np.float32)
    model = Wild(GANConfig((4, 4, 1), latent_dim=2, g_hidden=(4,), d_hidden=(4,)))
    assert signs(model, Dataset("own", x, x), steps=20, patience=1)[0].keys() <= {"samples alike"}


def test_bytes_and_floats_of_the_same_images_lie_as_far_apart():
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
    model, usual = GAN(GANConfig((4, 4, 1), g_hidden=(4,), d_hidden=(4,))), []
    for x in (images, (images / 127.5 - 1).astype(np.float32)):
        watching = Warnings(Dataset("own", x, x))
        watching.on_start(model, None, 0)
        usual.append(watching._usual)
    assert usual[0] == pytest.approx(usual[1], rel=1e-6)


def test_what_is_no_dataset_is_told():
    with pytest.raises(tg.ConfigError, match="Warnings: dataset is a ndarray, but it must be a Dataset"):
        Warnings(np.zeros((3, 2)))
    with pytest.raises(tg.ConfigError, match="Warnings: patience is 0"):
        Warnings(points(0, 1), patience=0)
