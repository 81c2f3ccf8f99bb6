"""Presets: settings under a name, for a model and its training."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tinygen.errors import ConfigError
from tinygen.models import DCGAN, GAN, LSGAN, MODELS, PacGAN
from tinygen.models.presets import POINTS, Preset, preset_for
from tinygen.options import DEFAULTS

ALL = [(name, preset) for name, kind in MODELS.items() for preset in kind.presets]


@pytest.mark.parametrize("name, preset", ALL)
def test_every_preset_is_one_of_its_model(name, preset):
    about, settings, options, _ = MODELS[name].presets[preset]
    config = MODELS[name].preset(preset)
    assert about and all(getattr(config, key) == value for key, value in settings.items())
    assert options.keys() <= {*DEFAULTS, "steps"}


def test_the_tutorials_settings():
    keras, tensorflow = GAN.preset("keras"), DCGAN.preset("tensorflow")
    assert (keras.weight_init, keras.bn_momentum, keras.bn_eps) == ("glorot", 0.8, 1e-3)
    assert (keras.g_hidden, keras.d_hidden) == ((256, 512, 1024), (512, 256))
    assert (tensorflow.lr, tensorflow.beta1, tensorflow.eps, tensorflow.dropout) == (1e-4, 0.9, 1e-7, 0.3)


def test_settings_beside_a_preset_come_before_its_own():
    assert GAN.preset("keras", lr=0.5, eps=0.1).eps == 0.1


FOR_POINTS = ["ae", "vae", "gan", "cgan", "acgan", "lsgan", "hingegan", "wgan", "wgangp"]


def test_the_models_that_have_defaults_for_points():
    """pacgan's own defaults are for them."""
    assert [name for name, kind in MODELS.items() if preset_for(kind, POINTS)] == FOR_POINTS
    assert preset_for(GAN, POINTS) == "plane" and preset_for(GAN, (28, 28, 1)) is None
    assert GAN.presets["plane"].settings["batch_norm"] is False


def test_the_library_keeps_the_plain_defaults():
    assert GAN.Config(data_shape=POINTS).g_hidden == (256, 512, 1024)
    assert GAN.preset("plane", data_shape=POINTS).g_hidden == (64, 64)


def test_presets_are_not_inherited():
    assert "keras" in GAN.presets and "keras" not in LSGAN.presets

    class Mine(GAN):
        presets: ClassVar = {"small": Preset("mine", {"g_hidden": (3,)})}

    assert Mine.preset("small").g_hidden == (3,) and "small" not in GAN.presets


def test_a_preset_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"gan: no preset 'kera' \(did you mean 'keras'\?\); there are keras, plain"):
        GAN.preset("kera")
    with pytest.raises(ConfigError, match="pacgan: no preset 'keras'; there are none"):
        PacGAN.preset("keras")
