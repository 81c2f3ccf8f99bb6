"""The check of a Config: each field has its type, within its limits."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, Union

from .. import fields
from ..checks import number, whole
from ..errors import ConfigError
from ..settings import LARGEST, describe_type, did_you_mean, format_value


def check_config(config: Any) -> None:
    """Raise ConfigError if a field of a Config is not of its type, one of its choices and within its limits.

    Lists become tuples; NumPy's numbers become Python's.
    """
    types, limits = fields.types(type(config)), fields.limits(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        checked = _checked(field.name, types[field.name], value, limits.get(field.name, fields.Limits()))
        object.__setattr__(config, field.name, checked)
    if len(config.data_shape) not in (1, 3):
        raise ConfigError(f"data_shape is {config.data_shape}, but it must be (H, W, C), or (features,)")


def _checked(name: str, hint: Any, value: Any, limits: fields.Limits) -> Any:
    """The value of a field as its annotation says."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        options = [option for option in arguments if option is not type(None)]
        return None if value is None and len(options) < len(arguments) else _checked(name, options[0], value, limits)
    if origin is tuple and isinstance(value, (tuple, list)):
        return tuple(_checked(f"{name}[{i}]", arguments[0], item, limits) for i, item in enumerate(value))
    if hint is int:
        huge = isinstance(value, int) and value > LARGEST
        return whole("", name, value, int(max(limits.low, -LARGEST)), LARGEST if huge else None)
    if hint is float:
        return number("", name, value, *limits)
    choices = arguments if origin is Literal else ()
    if (choices and value not in choices) or origin is tuple or (hint in (bool, str) and not isinstance(value, hint)):
        shown = format_value(value) if isinstance(value, (int, float)) else repr(value)
        raise ConfigError(f"{name} is {shown}, but it must be {describe_type(hint)}{did_you_mean(str(value), choices)}")
    return value
