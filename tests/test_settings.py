"""--set: what text may say, and what is said to text that may not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, Optional

import pytest

from tinygen.errors import ConfigError
from tinygen.settings import describe_settings, did_you_mean, format_value, parse_settings


@dataclass(frozen=True)
class Config:
    data_shape: tuple[int, ...] = (28, 28, 1)
    lr: float = 2e-4
    latent: int = 100
    batch_norm: bool = True
    loss: Literal["minimax", "non-saturating", "least-squares"] = "non-saturating"
    widths: Annotated[tuple[int, ...], "of the hidden layers"] = (256, 512, 1024)
    betas: tuple[float, float] = (0.5, 0.999)
    clip: float | None = None
    limit: Optional[int] = 3  # noqa: UP045 (both ways to write it are in use)
    note: str = ""
    derived: int = field(default=0, init=False)


@pytest.mark.parametrize(
    "text, value",
    [
        ("lr=1e-3", 0.001),
        ("lr=1", 1.0),
        ("lr = 0.5 ", 0.5),
        ("latent=7", 7),
        ("latent=-7", -7),
        ("batch_norm=false", False),
        ("batch_norm=True", True),
        ("batch_norm=0", False),
        ("loss=least-squares", "least-squares"),
        ("widths=128", (128,)),
        ("widths=1,2,3", (1, 2, 3)),
        ("widths=1, 2,", (1, 2)),
        ("widths=(1, 2)", (1, 2)),
        ("widths=", ()),
        ("betas=0,0.9", (0.0, 0.9)),
        ("clip=none", None),
        ("clip=0.01", 0.01),
        ("limit=None", None),
        ("limit=4", 4),
        ("note=a=b", "a=b"),
    ],
)
def test_a_value_has_the_type_of_its_field(text, value):
    ((_, parsed),) = parse_settings(Config, [text]).items()
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("lr=fast", "--set lr: must be a number, not 'fast'"),
        ("lr=", "--set lr: must be a number, not ''"),
        ("lr=nan", "--set lr: must be a number, not 'nan'"),
        ("lr=inf", "--set lr: must be a number, not 'inf'"),
        ("latent=1.5", "--set latent: must be a whole number, not '1.5'"),
        ("batch_norm=maybe", "--set batch_norm: must be true or false, not 'maybe'"),
        ("loss=hinge", "--set loss: must be minimax, non-saturating or least-squares, not 'hinge'"),
        ("widths=1,x", "--set widths: must be whole numbers separated by commas, not '1,x'"),
        ("widths=1,,2", "--set widths: must be whole numbers separated by commas, not '1,,2'"),
        ("betas=0.5", "--set betas: must be 2 numbers separated by commas, not '0.5'"),
        ("clip=some", "--set clip: must be a number or none, not 'some'"),
        ("lrr=1", "--set lrr: no such setting (did you mean 'lr'?)"),
        ("latent_dim=1", "--set latent_dim: no such setting (did you mean 'latent'?)"),
        (
            "zzz=1",
            "--set zzz: no such setting; choose from lr, latent, batch_norm, loss, widths, betas, clip, limit, note",
        ),
        ("lr", "--set lr: write key=value, for example --set lr=0.0002"),
        ("=3", "--set =3: write key=value, for example --set lr=0.0002"),
        ("data_shape=1,2", "--set data_shape: it follows from the data set; choose that with --data and --size"),
        ("derived=1", "--set derived: no such setting"),
    ],
)
def test_what_does_not_fit_gets_one_clear_line(text, message):
    with pytest.raises(ConfigError) as error:
        parse_settings(Config, [text])
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_a_key_is_given_once():
    with pytest.raises(ConfigError, match="--set lr: given twice"):
        parse_settings(Config, ["lr=1", "latent=3", "lr=2"])


def test_many_assignments_make_one_dict():
    assert parse_settings(Config, ["lr=1", "widths=3"]) == {"lr": 1.0, "widths": (3,)}
    assert parse_settings(Config, []) == {}


def test_what_is_shown_as_the_default_parses_to_the_default():
    for setting in describe_settings(Config):
        (value,) = parse_settings(Config, [f"{setting.name}={setting.default}"]).values()
        assert value == getattr(Config(), setting.name)


def test_settings_are_described_in_words():
    described = {setting.name: setting[1:] for setting in describe_settings(Config)}
    assert described["widths"] == ("256,512,1024", "whole numbers separated by commas", "of the hidden layers")
    assert described["loss"] == ("non-saturating", "minimax, non-saturating or least-squares", "")
    assert described["clip"] == ("none", "a number or none", "")
    assert "data_shape" not in described and "derived" not in described


@pytest.mark.parametrize(
    "value, text", [(2e-4, "0.0002"), (1 / 3, "0.3333333333333333"), (1e-8, "1e-08"), (True, "true"), ((), "")]
)
def test_values_are_written_short_but_whole(value, text):
    assert format_value(value) == text


def test_the_nearest_name_is_offered_only_if_it_is_near():
    assert did_you_mean("gna", ["vae", "gan"]) == " (did you mean 'gan'?)"
    assert did_you_mean("xyzzy", ["vae", "gan"]) == ""
