"""Every field of every model's Config: the values that it takes, and the errors for all others."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
import typing

import numpy as np
import pytest
from models.small import IMAGES_ONLY, SMALL, batches, fed, small

from tinygen import fields
from tinygen.errors import ConfigError
from tinygen.models import MODELS

ALL = pytest.mark.parametrize("name", MODELS)
UNLIMITED = {"a", "b", "c"}  # the labels of least squares


def fields_of(name):
    return [field.name for field in dataclasses.fields(MODELS[name].Config)]


def said_of(name, field):
    """The type and the limits of a field."""
    return fields.types(MODELS[name].Config)[field], fields.limits(MODELS[name].Config).get(field)


def nonsense(name, field):
    """Values that a field of this type and these limits must refuse."""
    hint, limits = said_of(name, field)
    if typing.get_origin(hint) is typing.Literal:
        return ["nonsense", "", None, 3, ["adam"]]
    if hint is bool:
        return ["true", 1, 0.0, None]
    if typing.get_origin(hint) is tuple:
        return [
            3,
            "3",
            None,
            {3: 3},
            [0],
            (2, -1),
            (2.0,),
            ("2",),
            (None,),
            (True,),
            (math.nan,),
            (math.inf,),
            (2**40,),
        ]
    assert (limits is None) == (field in UNLIMITED), f"{field} has no limits"
    limits = limits or fields.Limits()
    if hint is int:
        return ["3", 2.0, math.nan, math.inf, None, True, [3], (3,), 2**40, limits.low - 1]
    beyond = [limits.low - 0.1, limits.high + 0.1, limits.above, limits.below]
    return ["0.5", math.nan, math.inf, -math.inf, None, True, [0.5], 10**400, *(b for b in beyond if math.isfinite(b))]


@ALL
def test_every_field_refuses_nonsense_by_name(name):
    for field in fields_of(name):
        for value in nonsense(name, field):
            with pytest.raises(ConfigError, match=rf"^{field}(\[\d\])? is .*, but it must be "):
                MODELS[name].Config(**{field: value})


@ALL
def test_every_field_takes_its_limits(name):
    """The limits themselves build a model, unless the model gives a reason of its own."""
    for field in fields_of(name):
        check_limits(name, field)


def check_limits(name, field):
    hint, limits = said_of(name, field)
    if limits is None or field in ("data_shape", "classes"):
        return
    ends = [int(limits.low) if hint is int else end for end in (limits.low, limits.high) if math.isfinite(end)]
    for value in [()] if typing.get_origin(hint) is tuple else ends:
        try:
            model = small(name, **{field: value})
        except ConfigError as error:
            assert field in str(error)
            continue
        if value == ():
            x = fed(model, batches(1, size=model.batches_per_step * 4)[0])
            assert all(math.isfinite(v.item()) for v in model.train_step(x).values())


@pytest.mark.parametrize("name", MODELS)
def test_the_shape_of_the_data(name):
    for shape in ((), (28, 28), (2, 2, 2, 2), (0,), (28, 0, 1), (28.0, 28, 1), 784, None):
        with pytest.raises(ConfigError, match=r"data_shape(\[\d\])? is "):
            MODELS[name].Config(data_shape=shape)
    if name in IMAGES_ONLY:
        with pytest.raises(ConfigError, match="convolutions take images"):
            MODELS[name].Config(data_shape=(2,))


def test_lists_become_tuples_and_numpy_s_numbers_python_s():
    Config = MODELS["gan"].Config
    config = Config(g_hidden=[np.int64(3), 4], data_shape=[5], lr=np.float32(0.5), latent_dim=np.int8(7), beta1=0)
    assert config == Config(g_hidden=(3, 4), data_shape=(5,), lr=0.5, latent_dim=7, beta1=0.0)
    assert [type(v) for v in (config.g_hidden[0], config.lr, config.latent_dim)] == [int, float, int]
    assert hash(config) == hash(dataclasses.replace(config))


def test_the_reported_case():
    with pytest.raises(ConfigError, match=re.escape("g_hidden[0] is 0, but it must be an int of at least 1")):
        MODELS["gan"].Config(g_hidden=[0])


@pytest.mark.parametrize("name", MODELS)
def test_a_config_can_be_pickled(name):
    config = MODELS[name].Config(**SMALL[name])
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize("name", MODELS)
def test_a_model_refuses_another_s_config_and_a_seed_that_is_none(name):
    kind = MODELS[name]
    other = MODELS["vae" if name not in ("vae", "convvae", "betavae") else "gan"].Config()
    for config in (other, {"latent_dim": 3}, 3, "config", kind.Config):
        with pytest.raises(
            ConfigError, match=rf"^{kind.__name__}: config is .*, but it must be an? {kind.Config.__name__}"
        ):
            kind(config)
    for seed in (-1, 1.5, "0", None):
        with pytest.raises(ValueError, match="seed is"):
            kind(kind.Config(**SMALL[name]), seed)
