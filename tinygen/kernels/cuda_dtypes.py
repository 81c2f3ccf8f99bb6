"""What the twins for CuPy take, and leave to their definitions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..backend import is_array
from . import reference


def of_one_dtype(also: str = "") -> Callable[..., Any]:
    """Leave to the definition arrays that are neither all of float32 nor all of float64, and empty ones.

    also: other dtypes, by character, that arrays may have.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        definition = getattr(reference, function.__name__)

        @functools.wraps(function)
        def twin(*args: Any) -> Any:
            arrays = [a for a in args if is_array(a)]
            fits = {a.dtype.char for a in arrays}.difference(also) in ({"f"}, {"d"}) and all(a.size for a in arrays)
            return function(*args) if fits else definition(*args)

        return twin

    return decorate
