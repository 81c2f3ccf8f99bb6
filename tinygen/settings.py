"""Hyperparameters as text: what `--set key=value` means is decided here, from the fields of a model's Config.

A Config is a frozen dataclass. Its annotations say what a value may be: int, float, bool, str, Literal["a", "b"],
tuple[int, ...] (written 256,512,1024), or X | None (none); see fields.py for limits and for choices from a table.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, Union

from . import fields
from .errors import ConfigError

FROM_THE_DATA = {"data_shape", "classes", "vocabulary"}  # fields that follow from the data set: no --set
BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
LARGEST = 2**31 - 1  # of any whole number
PLURALS = {int: "whole numbers", float: "numbers", str: "words"}


class Setting(NamedTuple):
    """One hyperparameter: its name, its default as `--set` takes it, what it may be, and what it is, in words."""

    name: str
    default: str
    type: str
    about: str


def parse_settings(config_class: type, assignments: Iterable[str], options: Sequence[str] = ()) -> dict[str, Any]:
    """{"lr": 0.001} from ["lr=1e-3"], each value of its field's type in config_class.

    options: names of options other than --set, for the error. Raises ConfigError, which names the key and the nearest
    one, the type, the choices and what came.
    """
    hints, assignments = _hints(config_class), list(assignments)
    settings: dict[str, Any] = {}
    for i, assignment in enumerate(assignments):
        key, equals, text = assignment.partition("=")
        key, text = key.strip(), text.strip()
        if not equals or not key:
            value = next((text.lstrip("=") for text in assignments[i + 1 :] if text.strip("=")), "")
            meant = (
                f"{key}={value}"
                if key in hints and value
                else f"key=value, for example --set {example(config_class, key)}"
            )
            raise ConfigError(f"--set {assignment}: write {meant}")
        if text.startswith("="):
            raise ConfigError(f"--set {assignment}: write {key}={text.lstrip('=') or 'VALUE'}")
        if key not in hints:
            raise ConfigError(f"--set {key}: {_why_unknown(config_class, key, text, list(hints), options)}")
        if key in settings:
            raise ConfigError(f"--set {key}: given twice")
        try:
            settings[key] = _parse(hints[key], text)
        except ValueError:
            raise ConfigError(
                f"--set {key}: must be {describe_type(hints[key])}, not {text!r}{_what_fits(hints[key], text)}"
            ) from None
    return settings


def from_data(config_class: type, dataset: Any) -> dict[str, Any]:
    """The fields of a Config that follow from the data set: the shape of an example, how many classes there are, and
    the words of sentences."""
    facts, names = {"data_shape": dataset.shape}, {field.name for field in dataclasses.fields(config_class)}
    if "vocabulary" in names and dataset.vocabulary is not None:
        facts["vocabulary"] = dataset.vocabulary
    if "classes" in names and dataset.labels is not None:
        facts["classes"] = int(dataset.labels.max()) + 1 if dataset.classes is None else len(dataset.classes)
    return facts


def describe_settings(config_class: type) -> list[Setting]:
    """Every hyperparameter of a Config with its default, its type and its phrase, in the order of its definition."""
    defaults, phrases = config_class(), fields.phrases(config_class)
    return [
        Setting(name, format_value(getattr(defaults, name)), describe_type(hint), phrases.get(name, ""))
        for name, hint in _hints(config_class).items()
    ]


def example(config_class: type, key: str = "") -> str:
    """An assignment that `parse_settings` accepts, as an example: to `key`, if that is a setting."""
    settings = {setting.name: setting for setting in describe_settings(config_class)}
    shown = settings.get(key) or next(iter(settings.values()), None)
    return f"{shown.name}={shown.default}" if shown else "key=value"


def format_value(value: Any) -> str:
    """A value as `--set` takes it: parse_settings gives the value back."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return ",".join(format_value(item) for item in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def describe_type(hint: Any) -> str:
    """What a field with this annotation may be, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return _or([format_value(choice) for choice in arguments])
    if origin in (Union, types.UnionType):
        return _or(["none" if option is type(None) else describe_type(option) for option in arguments])
    if origin is tuple:
        count = "" if Ellipsis in arguments else f"{len(arguments)} "
        return f"{count}{PLURALS[arguments[0]]} separated by commas"
    known = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return known.get(hint) or f"a {getattr(hint, '__name__', hint)}"


def closest(name: str, names: Iterable[str]) -> str | None:
    """The name most like this one, if one is; capitals and hyphens for underscores make no difference."""
    plain = {_plain(other): other for other in names}
    matches = difflib.get_close_matches(_plain(name), plain, n=1)
    return plain[matches[0]] if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The words " (did you mean 'x'?)" for the closest of these names, or "" if none is close."""
    match = closest(name, names)
    return f" (did you mean {match!r}?)" if match else ""


def written_out(text: str, lowest: int) -> str:
    """The words "; write 20000" for a whole number of at least `lowest` that is written as 2e4, 20k or 20,000."""
    number = re.fullmatch(r"(\d+(?:\.\d*)?(?:e\+?\d\d?)?)([km]?)(?:px|steps?)?", re.sub(r"[,_' ]", "", text.lower()))
    if number is None:
        return ""
    value = float(number[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[number[2]]
    return f"; write {int(value)}" if lowest <= value <= LARGEST and value == int(value) else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _hints(config_class: type) -> dict[str, Any]:
    """The fields that --set takes, with their types."""
    hints = fields.types(config_class)
    given = [field.name for field in dataclasses.fields(config_class) if field.init]
    return {name: hints[name] for name in given if name not in FROM_THE_DATA}


def _why_unknown(config_class: type, key: str, text: str, keys: Sequence[str], options: Sequence[str]) -> str:
    if key in FROM_THE_DATA:
        return "it follows from the data set; choose that with --data and --size"
    if key.lstrip("-").replace("-", "_") in options:
        return f"it is an option of its own: write --{key.lstrip('-').replace('_', '-')} {text}".rstrip()
    return f"no such setting{did_you_mean(key, keys) or '; choose from ' + ', '.join(keys)}"


def _what_fits(hint: Any, text: str) -> str:
    """What may be meant by a text that is not a value of type `hint`, in words."""
    if typing.get_origin(hint) is Literal:
        return did_you_mean(text, map(format_value, typing.get_args(hint)))
    return written_out(text, 0) if hint is int else ""


def _parse(hint: Any, text: str) -> Any:
    """The value of type `hint` that the text stands for; ValueError if there is none."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {format_value(choice): choice for choice in arguments}[_one_of(text, map(format_value, arguments))]
    if origin in (Union, types.UnionType):
        return _parse_union(arguments, text)
    if origin is tuple:
        return _parse_tuple(arguments, text)
    if hint is bool:
        return BOOLS[_one_of(text.lower(), BOOLS)]
    if hint is float:
        return _finite(float(text))
    return hint(text)


def _parse_union(options: Sequence[Any], text: str) -> Any:
    for option in options:
        try:
            return None if option is type(None) and _one_of(text.lower(), ["none"]) else _parse(option, text)
        except ValueError:
            continue
    raise ValueError(text)


def _parse_tuple(items: Sequence[Any], text: str) -> tuple[Any, ...]:
    parts = [part.strip() for part in text.strip("()").rstrip(",").split(",")] if text.strip("()") else []
    if Ellipsis in items:
        items = [items[0]] * len(parts)
    if len(parts) != len(items):
        raise ValueError(text)
    return tuple(_parse(item, part) for item, part in zip(items, parts, strict=True))


def _one_of(text: str, choices: Iterable[str]) -> str:
    if text not in choices:
        raise ValueError(text)
    return text


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(value)
    return value


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
