"""Settings of a model that belong together, under a name, such as those of a tutorial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..settings import did_you_mean


class Preset(NamedTuple):
    """about: where the settings are from.  settings: of the model.  options: of its training, such as batch."""

    about: str
    settings: Mapping[str, Any]
    options: Mapping[str, Any] = {}


def find_preset(model: Any, name: str) -> Preset:
    """The preset of a model, or of its class, that has this name. Raises ConfigError."""
    if name not in model.presets:
        known = ", ".join(model.presets) or "none"
        raise ConfigError(f"{model.name}: no preset {name!r}{did_you_mean(name, model.presets)}; there are {known}")
    return model.presets[name]
