"""What a training step or a callback measured: numbers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..tensor import Tensor


def off_the_tape(metrics: Any, source: str) -> dict[str, Any]:
    """What train_step returned, without the graphs behind it, which must not be kept alive.

    Raises ConfigError if it is not a dict.  source: the function that returned it, for the error.
    """
    if not isinstance(metrics, Mapping):
        forgot = "; is a return missing?" if metrics is None else ""
        raise ConfigError(
            f"{source} returned {_what(metrics)}, but it must return numbers by name, such as "
            f'{{"loss": loss.detach()}}, or {{}} if there are none{forgot}'
        )
    return {name: x.detach() if isinstance(x, Tensor) and x.requires_grad else x for name, x in metrics.items()}


def fetch_numbers(metrics: Mapping[str, Any], source: str) -> dict[str, float]:
    """Metrics as Python numbers. This waits for the GPU. Raises ConfigError for a value or a name of another kind."""
    return {_name(name, source): _number(name, x, source) for name, x in metrics.items()}


def _name(name: Any, source: str) -> str:
    if not isinstance(name, str) or name == "step":
        taken = ", which is the number of the step" if name == "step" else ""
        raise ConfigError(f"{source} returned a value under the name {name!r}{taken}; choose another name, in text")
    return name


def _number(name: str, x: Any, source: str) -> float:
    single = getattr(x, "size", 1) == 1
    value = x.item() if single and hasattr(x, "item") else x
    if not isinstance(value, (int, float)):
        advice = (
            "give it more names, one for each number" if isinstance(x, (Mapping, list, tuple)) else "give its .mean()"
        )
        raise ConfigError(
            f"{source} returned {_what(x)} as {name!r}, but it must be a single number; "
            f"{advice if not single or isinstance(x, (Mapping, list, tuple)) else 'leave it out'}"
        )
    return float(value) if isinstance(value, bool) else value


def _what(x: Any) -> str:
    return f"{x.dtype} of shape {tuple(x.shape)}" if hasattr(x, "dtype") and hasattr(x, "shape") else f"{x!r:.80}"
