"""Settings of a model that belong together, under a name, such as those of a tutorial or of a kind of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..settings import did_you_mean

POINTS = (2,)  # the shape of a point in the plane


class Preset(NamedTuple):
    """about: where the settings are from.  settings: of the model.  options: of its training, such as batch.

    shape: of the examples for which `tinygen train` chooses the preset by itself, if any.
    """

    about: str
    settings: Mapping[str, Any]
    options: Mapping[str, Any] = {}
    shape: tuple[int, ...] | None = None


def find_preset(model: Any, name: str) -> Preset:
    """The preset of a model, or of its class, that has this name. Raises ConfigError."""
    if name not in model.presets:
        known = ", ".join(model.presets) or "none"
        raise ConfigError(f"{model.name}: no preset {name!r}{did_you_mean(name, model.presets)}; there are {known}")
    return model.presets[name]


def preset_for(model: Any, shape: tuple[int, ...]) -> str | None:
    """The name of the preset that a model, or its class, has for examples of this shape, if any."""
    return next((name for name, preset in model.presets.items() if preset.shape == shape), None)
