"""Checks of options and inputs, with errors that say what was expected and what came."""

from __future__ import annotations

import inspect
import math
import sys
from typing import Any

import numpy as np

from .backend import Array, array_module, array_of, is_array, is_tensor
from .errors import ConfigError, DataError, PackageError


def whole(owner: str, option: str, value: Any, low: int, high: int | None = None, unit: str = "") -> int:
    """value as an int from low to high; raises ConfigError "owner: option is ..., but it must be ..." otherwise."""
    integral = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not integral or value < low or (high is not None and value > high):
        span = f"of at least {low}" if high is None else f"from {low} to {high:,}"
        raise ConfigError(f"{_prefix(owner)}{option} is {value!r}, but it must be an int {span}{unit}")
    return int(value)


def number(
    owner: str,
    option: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """value as a finite float from low to high, or strictly between above and below; raises ConfigError, worded
    as in `whole`, otherwise."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    huge = isinstance(value, int) and abs(value) > sys.float_info.max
    if not real or huge or not math.isfinite(value) or not low <= value <= high or not above < value < below:
        words = (("of at least", low), ("above", above), ("at most", high), ("below", below))
        limits = " and".join(f" {word} {limit:g}" for word, limit in words if math.isfinite(limit))
        raise ConfigError(f"{_prefix(owner)}{option} is {value!r}, but it must be a finite number{limits}")
    return float(value)


def _prefix(owner: str) -> str:
    return f"{owner}: " if owner else ""


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    import importlib.util

    return sys.modules.get(package) is not None or importlib.util.find_spec(package) is not None


def check_installed(owner: str, *packages: str) -> None:
    """Raise PackageError, which names the command that installs them, unless all packages are installed."""
    missing = [_ON_PYPI.get(package, package) for package in packages if not installed(package)]
    if missing:
        raise PackageError(f"{owner} needs {' and '.join(missing)}: pip install {' '.join(missing)}")


_ON_PYPI = {"PIL": "pillow", "sklearn": "scikit-learn"}


def takes(function: Any, arguments: int) -> bool:
    """Whether a function can be called with so many arguments; of a function without a signature, True."""
    try:
        inspect.signature(function).bind(*range(arguments))
    except (TypeError, ValueError) as error:
        return isinstance(error, ValueError)  # a function in C that has no signature
    return True


def type_of(x: Any) -> str:
    """What x is, for an error: its type, and dtype and shape if it has them."""
    name = type(x).__name__
    facts = f" ({x.dtype} of shape {x.shape})" if hasattr(x, "shape") else ""
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}{facts}"


def call_of(x: object, *first: str) -> str:
    """x for its repr: its class, the texts in `first`, and its options with short values."""
    values = {name: getattr(x, name, None) for name in inspect.signature(type(x)).parameters}
    options = [f"{name}={value!r}" for name, value in values.items() if isinstance(value, _SHORT)]
    return f"{type(x).__name__}({', '.join([*first, *options])})"


_SHORT = (bool, int, float, str, tuple)


def as_array(owner: str, name: str, x: Any) -> Array:
    """x as an array: one of a backend, a Tensor's, one of another library, or lists of numbers. Raises DataError."""
    x = array_of(x)
    if is_array(x):
        return x
    try:
        return np.asarray(x)
    except Exception as error:  # each library raises its own for an array on a device or with a gradient
        raise DataError(f"{owner}: {name}, {type_of(x)}, can't be read as an array: {error}") from error


def as_numbers(owner: str, name: str, x: Any) -> Array:
    """as_array(x), whose elements are real numbers. Raises DataError."""
    array = as_array(owner, name, x)
    if array.dtype == object and all(isinstance(x, (int, float, np.number, np.bool_)) for x in array.flat):
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{owner}: {name} is {x!r:.60}, but it must be an array of numbers, all rows of equal length")
    return array


def check_array(owner: Any, x: Any, name: str = "x") -> None:
    """Raise TypeError unless x is a Tensor or an array of numbers. owner: the name of a function, or a layer."""
    if not is_tensor(x) and not is_array(x):
        raise TypeError(
            f"{_name(owner)}: {name} is {type_of(x)}, but it must be a Tensor or an array; make one with tg.tensor()"
        )
    if x.dtype.kind not in "fiub":
        raise TypeError(f"{_name(owner)}: {name} is {type_of(x)}, but it must hold real numbers")


def check_input(
    owner: Any, x: Any, least: int = 0, features: int | None = None, hint: str = "", name: str = "x"
) -> None:
    """Raise TypeError unless x is a Tensor or an array, ValueError unless it has at least so many axes, the last one
    of length `features` if that is given."""
    check_array(owner, x, name)
    if len(x.shape) < least:
        raise ValueError(
            f"{_name(owner)}: {name} is {x.shape}, but it must have at least {least} axes, the channel last"
        )
    if features is not None and x.shape[-1:] != (features,):
        raise ValueError(f"{_name(owner)}: {name} is {x.shape}, but its last axis must be {features}{hint}")


def check_indices(owner: str, i: Any, n: int, name: str = "the input") -> tuple[Any, Array | None]:
    """The integers i, and None; on a GPU, without waiting for it, i with 0 for those out of range, and their mask.

    The range is 0 to n - 1. Raises TypeError for anything but an array of integers; on the CPU IndexError for one out
    of range.
    """
    check_array(owner, i, name)
    if i.dtype.kind not in "iu":
        raise TypeError(f"{owner}: {name} must be integers, but they are {i.dtype}")
    array = array_of(i)
    if not isinstance(array, np.ndarray):
        outside = (array < 0) | (array >= n)
        return array_module(array).where(outside, 0, array), outside
    if array.size and not (array.min() >= 0 and array.max() < n):
        raise IndexError(f"{owner}: {name} goes from {array.min()} to {array.max()}, but it must be from 0 to {n - 1}")
    return i, None


def _name(owner: Any) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__
