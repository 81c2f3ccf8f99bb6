"""The autoencoder, and the decoder that learns images by heart."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, small

import tinygen as tg
from tinygen.errors import ConfigError
from tinygen.gradcheck import gradcheck
from tinygen.layers import BatchNorm, Sequential
from tinygen.losses import mse
from tinygen.models import Autoencoder, Memory


def test_the_defaults():
    model = Autoencoder()
    assert [p.shape for p in model.parameters() if p.ndim == 2] == [
        *((784, 512), (512, 256), (256, 32)),
        *((32, 256), (256, 512), (512, 784)),
    ]
    assert model.value_range == (0, 1)


@pytest.mark.parametrize("output, value_range", [("sigmoid", (0, 1)), ("tanh", (-1, 1)), ("linear", None)])
def test_the_output_decides_the_range(output, value_range):
    for name in ("ae", "memory"):
        assert small(name, output=output).value_range == value_range


def test_it_learns_its_data():
    model, x = small("ae", lr=0.01, latent_dim=6, hidden=(16,)), batches(1)[0]
    for _ in range(300):
        loss = model.train_step(x)["loss"].item()
    assert loss < 1e-3
    np.testing.assert_allclose(model(x).numpy(), x, atol=0.15)


@pytest.mark.parametrize(
    "size, n, columns", [(64, 64, 8), (64, 16, 4), (64, 20, 4), (64, 25, 5), (20, 64, 6), (3, 64, 2)]
)
def test_a_preview_shows_each_reconstruction_below_its_original(backend, size, n, columns):
    """In viz's nearly square grid the rows come in pairs."""
    model, x = small("ae"), batches(1, size=size)[0]
    pictures = tg.to_host(model.preview(backend.asarray(x), n))
    assert len(pictures) <= n and int(np.ceil(np.sqrt(len(pictures)))) == columns
    rows = pictures.reshape(-1, 2, columns, *x.shape[1:])
    originals, copies = (rows[:, i].reshape(-1, *x.shape[1:]) for i in (0, 1))
    np.testing.assert_array_equal(originals, x[: len(originals)])
    np.testing.assert_allclose(copies, tg.to_host(model(backend.asarray(originals)).data), rtol=1e-5)


def test_memory_learns_four_images_in_its_default_steps():
    digits = tg.data.load("digits").train[:4].astype(np.float32) / 255
    model = Memory()
    for _ in range(Memory.defaults["steps"]):
        model.train_step(digits)
    assert ((model.decode(np.eye(4, dtype=np.float32)) - digits) ** 2).mean() < 1e-3


def test_memory_shows_its_images_in_the_corners_of_a_square(backend):
    model, x = small("memory"), backend.asarray(batches(1)[0])
    model.train_step(x)
    corners = tg.to_host(model.decode(backend.asarray(np.eye(4), np.float32)))
    square = tg.to_host(model.preview(x, 25)).reshape(5, 5, *x.shape[1:])
    for image, (row, column) in zip(corners, [(0, 0), (0, 4), (4, 0), (4, 4)], strict=True):
        np.testing.assert_allclose(square[row, column], image, rtol=1e-5)
    middle = tg.to_host(model.decode(backend.asarray(np.full((1, 4), 0.25), np.float32)))
    np.testing.assert_allclose(square[2, 2], middle[0], rtol=1e-5)


@pytest.mark.parametrize("images", [1, 3, 6])
def test_memory_of_other_numbers_of_images(backend, images):
    model, x = small("memory", images=images), backend.asarray(batches(1, size=images)[0])
    model.train_step(x)
    assert model.preview(x, 16).shape == (16, 3, 2, 1)
    assert model.sample(5).shape == (5, 3, 2, 1)


def test_memory_samples_are_mixtures():
    """One image has one mixture: itself."""
    model = small("memory", images=1)
    np.testing.assert_allclose(model.sample(3), np.repeat(model.decode(np.ones((1, 1), np.float32)), 3, 0), rtol=1e-6)


def test_memory_refuses_another_number_of_images():
    with pytest.raises(ConfigError, match="memory: a batch of 5 images for 4 codes; give batch 4, or set images=5"):
        small("memory").train_step(batches(1, size=5)[0])


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "linear"])
def test_the_gradient_of_the_loss_by_every_parameter(output):
    x = batches(1)[0]
    model = small("ae", output=output, hidden=(4,), latent_dim=2)
    assert gradcheck(lambda: mse(model(x), x), model.parameters(), order=2).error < 1e-8
    memory = small("memory", output=output, hidden=(4,))
    codes = np.eye(4)
    assert gradcheck(lambda: mse(memory.decoder(codes), x), memory.parameters(), order=2).error < 1e-8


@pytest.mark.parametrize("name", ["ae", "memory", "vae"])
def test_looking_at_codes_and_images_moves_no_statistics(name):
    """Also of networks of one's own with batch norm, which those here don't have."""
    model, (x, *_) = small(name), batches(1)
    for network in {"encoder", "decoder"} & dict(model.named_children()).keys():
        features = model.output_shapes(None)[id(getattr(model, network))][-1]
        setattr(model, network, Sequential(getattr(model, network), BatchNorm(features)))
    before, z = model.state_dict(), model.rng.normal((4, model.inputs["decoder"][-1]))
    for look in (lambda: model.sample(3), lambda: model.decode(z), lambda: model.reconstruct(x[:4])):
        look()
    if model.has("codes"):
        model.codes(x)
    if model.has("log_likelihood"):
        assert isinstance(model.log_likelihood(x[:4], z), np.ndarray)
    for key, values in model.state_dict().items():
        np.testing.assert_array_equal(values, before[key], err_msg=key)
