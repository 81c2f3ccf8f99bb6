"""Checks of numeric options: what passes is returned as a plain int or float, what does not is a ConfigError."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConfigError


def whole(owner: str, option: str, value: Any, low: int, high: int | None = None, unit: str = "") -> int:
    """value as an int from low to high; raises ConfigError "owner: option is ..., but it must be ..." otherwise."""
    integral = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not integral or value < low or (high is not None and value > high):
        span = f"of at least {low}" if high is None else f"from {low} to {high:,}"
        raise ConfigError(f"{owner}: {option} is {value!r}, but it must be an int {span}{unit}")
    return int(value)


def number(owner: str, option: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """value as a finite float from low to high; raises ConfigError in the words of `whole` otherwise."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        lower = f" of at least {low:g}" if low > -math.inf else ""
        upper = f" and at most {high:g}" if high < math.inf else ""
        raise ConfigError(f"{owner}: {option} is {value!r}, but it must be a finite number{lower}{upper}")
    return float(value)
