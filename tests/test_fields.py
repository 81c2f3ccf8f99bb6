"""What the annotations of a Config say: limits and choices, inherited ones and a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from tinygen import fields
from tinygen.errors import ConfigError
from tinygen.fields import Choices, Count, Limits
from tinygen.losses import GAN_LOSSES
from tinygen.models import GAN, MODELS
from tinygen.models.base import ModelConfig
from tinygen.models.gan import GANConfig
from tinygen.settings import describe_settings, parse_settings

COLOURS = {"red": 1, "green": 2}
LearningRateOfPaint = Annotated[float, Limits(0), "any rate"]


@dataclass(frozen=True)
class Paint(ModelConfig):
    """The Config of somebody's own model."""

    colour: Annotated[str, Choices(COLOURS)] = "red"
    coats: Annotated[Count, "how often it is painted"] = 2
    gloss: Annotated[float, Limits(0, 1)] | None = None
    price: float = -3.0
    name: str = "wall"


@dataclass(frozen=True)
class Enamel(Paint):
    """Other defaults, in plain annotations."""

    colour: str = "green"
    coats: int = 1
    lr: float = 5.0


@dataclass(frozen=True)
class OneCoat(Paint):
    coats: Annotated[int, Limits(1, 1)] = 1
    colour: Literal["red"] = "red"


def test_limits_and_choices_are_those_of_the_annotations():
    assert fields.limits(Paint)["coats"] == Limits(1)
    assert fields.limits(Paint)["gloss"] == Limits(0, 1)
    assert fields.limits(Paint)["lr"] == Limits(0)
    assert not {"colour", "price", "name"} & fields.limits(Paint).keys()
    assert fields.types(Paint)["colour"] == Literal["red", "green"]
    assert fields.types(Paint)["price"] is float


def test_a_plain_annotation_keeps_what_the_base_says_and_another_replaces_it():
    assert fields.limits(Enamel) == fields.limits(Paint)
    assert fields.types(Enamel) == fields.types(Paint)
    assert fields.limits(OneCoat)["coats"] == Limits(1, 1)
    assert fields.types(OneCoat)["colour"] == Literal["red"]


def test_a_phrase_is_inherited_too_and_the_outermost_counts():
    assert fields.phrases(Enamel)["coats"] == "how often it is painted" and "price" not in fields.phrases(Enamel)

    @dataclass(frozen=True)
    class Lacquer(Paint):
        coats: Annotated[int, "layers"] = 3
        lr: Annotated[LearningRateOfPaint, "how fast it dries"] = 1.0

    assert fields.phrases(Lacquer) | {"coats": "layers", "lr": "how fast it dries"} == fields.phrases(Lacquer)
    assert fields.limits(Lacquer)["coats"] == Limits(1)


@pytest.mark.parametrize("kind", [Paint, Enamel])
@pytest.mark.parametrize(
    ("field", "value", "must"),
    [
        ("coats", 0, "an int of at least 1"),
        ("gloss", 1.5, "a finite number of at least 0 and at most 1"),
        ("colour", "gren", r"red or green \(did you mean 'green'\?\)"),
        ("lr", -1, "a finite number of at least 0"),
        ("price", "3", "a finite number$"),
    ],
)
def test_a_config_of_one_s_own_is_checked(kind, field, value, must):
    with pytest.raises(ConfigError, match=f"^{field} is .*, but it must be {must}"):
        kind(**{field: value})


def test_a_config_of_one_s_own_takes_what_it_may():
    assert Paint(gloss=0.5, price=-100, colour="green", name="x").gloss == 0.5
    assert {s.name: s.type for s in describe_settings(Enamel)}["colour"] == "red or green"
    assert parse_settings(Enamel, ["colour=red", "gloss=none"]) == {"colour": "red", "gloss": None}
    with pytest.raises(ConfigError, match="--set colour: must be red or green, not 'blue'"):
        parse_settings(Enamel, ["colour=blue"])


def test_the_choices_follow_the_table(monkeypatch):
    """One entry of GAN_LOSSES makes a loss that --set takes, and that a GAN trains with."""
    monkeypatch.setitem(GAN_LOSSES, "mine", GAN_LOSSES["hinge"])
    assert parse_settings(GANConfig, ["loss=mine"]) == {"loss": "mine"}
    assert "hinge, wasserstein or mine" in {s.name: s.type for s in describe_settings(GANConfig)}["loss"]
    small = {"g_hidden": (2,), "d_hidden": (2,), "data_shape": (2,)}
    assert GAN(GANConfig(loss="mine", **small)).game is GAN_LOSSES["hinge"]


def test_a_model_s_own_loss_stays_its_own():
    assert fields.types(MODELS["hingegan"].Config)["loss"] == Literal["hinge"]


def test_rates_are_what_a_resumed_run_may_change():
    assert fields.rates(GANConfig) == ["lr", "d_lr"]
    assert fields.rates(Enamel) == ["lr"]
