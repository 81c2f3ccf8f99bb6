"""The conditional GAN: the effect of labels, those that it refuses, and that it learns where each class is."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, fed, in_float64, learnt_classes, small

import tinygen as tg
from tinygen.backend import to_host
from tinygen.data.dataset import Dataset
from tinygen.errors import ConfigError, DataError
from tinygen.models import CGAN
from tinygen.models.cgan import CGANConfig
from tinygen.random import Generator
from tinygen.train import fit
from tinygen.train.callbacks import picture_layout


def test_each_network_has_an_embedding_of_its_own():
    gan = CGAN()
    c = gan.config
    assert gan.G[0].embedding.w.shape == gan.D[0].embedding.w.shape == (10, c.label_width)
    assert gan.G[1].w.shape[0] == 100 + c.label_width and gan.D[1].w.shape[0] == 784 + c.label_width


def test_the_labels_of_samples(backend):
    gan = small("cgan")
    cycling = to_host(gan.sample(5, Generator(1)))
    for labels in ([0, 1, 2, 0, 1], np.array([0, 1, 2, 0, 1], np.int32), backend.asarray([0, 1, 2, 0, 1])):
        np.testing.assert_array_equal(to_host(gan.sample(5, Generator(1), labels)), cycling)
    ones = to_host(gan.sample(5, Generator(1), 1))
    np.testing.assert_allclose(ones[[1, 4]], cycling[[1, 4]], rtol=1e-5)
    assert not np.isclose(ones[[0, 2, 3]], cycling[[0, 2, 3]]).all(axis=(1, 2, 3)).any()


def test_a_preview_has_a_class_a_column_and_a_z_a_row():
    gan, given = small("cgan"), []
    gan.draw = lambda z, y: given.append((z, y))
    gan.preview(None, 7, Generator(0))
    ((z, y),) = given
    np.testing.assert_array_equal(y, [0, 1, 2, 0, 1, 2, 0])
    np.testing.assert_array_equal(z[[0, 0, 3, 3]], z[[1, 2, 4, 5]])
    assert not np.isclose(z[0], z[3]).any() and gan.columns == 3


@pytest.mark.parametrize(
    "labels, error, message",
    [
        (3, DataError, "cgan: there is no label 3; the labels of 3 classes go from 0 to 2"),
        ([0, -1], DataError, "cgan: there is no label -1; the labels of 3 classes go"),
        ([0.0, 1.0], DataError, "cgan: the labels are float64, but they must be whole numbers"),
        ([0, 1, 2], ConfigError, r"cgan: labels have the shape \(3,\), but 2 samples need one or 2"),
    ],
)
def test_labels_that_there_are_not(labels, error, message):
    with pytest.raises(error, match=message):
        small("cgan").sample(2, None, labels)


@pytest.mark.parametrize("labels", [np.array([0, 1, 2, 3]), np.array([0, -1, 2, 1])])
def test_fit_refuses_labels_out_of_range_before_the_first_step(labels):
    gan, x = small("cgan", output="linear"), batches(1)[0]
    data = Dataset("odd", x, x, labels, labels)
    loader = tg.data.Loader(x, 4, None, labels=labels)
    for bad in (data, loader, [(x, labels)]):
        with pytest.raises(DataError, match=r"cgan: there is no label .*; the labels of 3 classes"):
            fit(gan, bad, 1)
    assert gan.opt_D.t == 0


def test_data_without_labels_are_refused():
    x = batches(1)[0]
    with pytest.raises(ConfigError, match="cgan learns from labels, and these data have none"):
        fit(small("cgan", output="linear"), x, 1)
    with pytest.raises(ConfigError, match="cgan learns from labels: give a Dataset or a Loader that has them"):
        fit(small("cgan", output="linear"), [x], 1)


def test_fit_with_labels_resumes_to_the_bit(tmp_path):
    x, labels = batches(1, size=24)[0], np.arange(24) % 3
    data, every = Dataset("some", x, x, labels, labels), {"log_every": 2, "sample_every": 9, "checkpoint_every": 2}

    def trained(steps, out, resume=False, model=None):
        tg.seed(0)
        model = small("cgan", output="linear")
        fit(model, data, steps, out=out, resume=resume, **every)
        return model.state_dict()

    whole = trained(6, tmp_path / "a")
    trained(4, tmp_path / "b")
    for (name, a), b in zip(whole.items(), trained(6, tmp_path / "b", resume=True).values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_gradients_of_both_losses_by_every_parameter(batch_norm):
    gan = in_float64(small("cgan", latent_dim=2, g_hidden=(4,), d_hidden=(3,), batch_norm=batch_norm))
    x, y = fed(gan, batches(1)[0].astype(np.float64))
    z = gan.noise(len(x)).astype(np.float64)

    def both():
        fake = gan.G(z, y)
        return gan.loss_D(x, fake, y)[0], gan.loss_G(fake, y)[0]

    assert tg.gradcheck(both, gan.parameters(), 1).error < 1e-7


def test_it_learns_where_each_class_is():
    learnt_classes("cgan")


def test_a_picture_of_many_classes_shows_the_first_of_them():
    model = CGAN(CGANConfig(data_shape=(2, 2, 1), classes=500, g_hidden=(4,), d_hidden=(4,), label_width=3))
    assert picture_layout(model) == (256, 16)
    assert model.preview(None, 256).shape == (256, 2, 2, 1)
