"""D's gradient over G's images: red where the loss falls if the pixel rises, and the run is unaffected."""

import numpy as np
import pytest
from models.small import POINT, small

from tinygen import tensor, viz
from tinygen.backend import to_host
from tinygen.errors import ConfigError
from tinygen.models import MODELS
from tinygen.models.gan import GAN, GANConfig
from tinygen.random import Generator
from tinygen.viz.gradients import BLUE, RED, _coloured, _push

GANS = [name for name, kind in MODELS.items() if issubclass(kind, GAN)]


@pytest.mark.parametrize("name", GANS)
def test_every_gan_has_the_picture_and_keeps_its_state(name):
    model = small(name)
    before, streams = model.state_dict(), {key: rng.state for key, rng in model.generators().items()}
    fig = viz.pixel_gradients(model, model.noise(4, Generator(0, "test")))
    assert [text.get_text() for text in fig.axes[0].texts] == ["G(z)", "-∂L/∂x"]
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(to_host(array), to_host(before[key]))
    assert streams == {key: rng.state for key, rng in model.generators().items()}
    assert all(m.training for _, m in model.named_modules())


def test_a_step_along_the_push_lowers_the_loss():
    model = small("gan")
    fake, push = _push(model, model.noise(4), None)
    loss = lambda x: model.loss_G(tensor(x))[0].item()
    step = 1e-2 / np.abs(push).max()
    fall = loss(fake) - loss(fake + step * push)
    assert fall == pytest.approx(step * (push**2).sum(), rel=0.05)


def test_colours_say_the_sign_and_the_size():
    push = np.array([[[1.0, -1.0, 0.0, 0.5]]])
    red, blue, none, half = _coloured(np.zeros((1, 1, 4, 3), np.uint8), push)[0, 0].astype(int)
    np.testing.assert_array_equal(red, RED)
    np.testing.assert_array_equal(blue, BLUE)
    assert none.tolist() == [166, 166, 166]
    np.testing.assert_allclose(half, (RED + 166) / 2, atol=2)
    assert (_coloured(np.full((1, 1, 4, 3), 200, np.uint8), np.zeros((1, 1, 4))) == 236).all()


def test_points_get_arrows():
    model = small("gan", data_shape=POINT)
    z = model.noise(6)
    fake, push = _push(model, z, None)
    dots, arrows = viz.pixel_gradients(model, z).axes[0].collections
    np.testing.assert_array_equal(dots.get_offsets(), fake)
    np.testing.assert_array_equal(np.stack([arrows.U, arrows.V], 1), push)


def test_labels_are_passed_on():
    model = small("cgan")
    z = np.repeat(to_host(model.noise(1)), 3, axis=0)
    fake, _ = _push(model, z, [0, 1, 2])
    assert not np.allclose(fake[0], fake[1])


def test_a_model_without_a_discriminator_is_refused():
    with pytest.raises(ConfigError, match="vae has no discriminator"):
        viz.pixel_gradients(small("vae"), np.zeros((2, 3), np.float32))


def test_on_a_gpu(gpu):
    model = small("gan")
    viz.pixel_gradients(model, model.noise(4)).canvas.draw()


@pytest.mark.parametrize("shape", [(5,), (1,), (4, 4, 2), (4, 4, 4)])
def test_images_of_any_shape_have_the_picture(shape):
    model = GAN(GANConfig(shape, latent_dim=3, g_hidden=(4,), d_hidden=(4,)))
    fig = viz.pixel_gradients(model, model.noise(3))
    assert [text.get_text() for text in fig.axes[0].texts] == ["G(z)", "-∂L/∂x"]
