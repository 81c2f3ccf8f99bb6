"""What a hyperparameter may be: the type that its Config says, within the limits of its name."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, Literal, NamedTuple, Union

from ..checks import number, whole
from ..errors import ConfigError
from ..settings import LARGEST, describe_type, format_value, nearest


class Limits(NamedTuple):
    """From low to high; or, where the end itself makes no sense, above or below it."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf


# Of a number, by the name of its field, in whatever Config that is; of several numbers, of each.
LIMITS: dict[str, Limits] = {
    **dict.fromkeys(["data_shape", "classes", "latent_dim", "images", "hidden", "g_hidden", "d_hidden"], Limits(1)),
    **dict.fromkeys(["channels", "e_channels", "g_channels", "d_channels", "kernel_size"], Limits(1)),
    **dict.fromkeys(["d_steps", "label_width", "feature_layer", "pack", "power_iterations"], Limits(1)),
    **dict.fromkeys(["lr", "d_lr", "eps", "bn_eps", "beta", "class_weight", "anneal_steps", "capacity"], Limits(0)),
    **dict.fromkeys(["instance_noise", "instance_noise_steps", "r1", "gamma"], Limits(0)),
    **dict.fromkeys(["slope", "bn_momentum", "label_smoothing", "ema"], Limits(0, 1)),
    **dict.fromkeys(["beta1", "beta2", "dropout"], Limits(0, below=1)),
    **dict.fromkeys(["clip", "gp"], Limits(above=0)),
    **dict.fromkeys(["a", "b", "c"], Limits()),
}


def check_config(config: Any) -> None:
    """Raise ConfigError if a field of a Config is not of its type, none of its choices, or beyond its limits.

    Lists become tuples, and NumPy's numbers Python's.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = _checked(field.name, hints[field.name], getattr(config, field.name), LIMITS.get(field.name, Limits()))
        object.__setattr__(config, field.name, value)
    if len(config.data_shape) not in (1, 3):
        raise ConfigError(f"data_shape is {config.data_shape}, but it must be (H, W, C), or (features,)")


def _checked(name: str, hint: Any, value: Any, limits: Limits) -> Any:
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
        raise ConfigError(f"{name} is {shown}, but it must be {describe_type(hint)}{nearest(str(value), choices)}")
    return value
