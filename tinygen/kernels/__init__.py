"""The hot loops. `reference.py` is their definition, on any array module; `numba.py` has twins for the CPU.

A twin runs if Numba is installed (`pip install "tinygen[fast]"`), unless TINYGEN_NUMBA=0 is set. It is loaded, and
compiled, when it is first used.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from typing import Any

import numpy as np

from ..backend import array_module
from . import reference
from .reference import batch_norm, batch_norm_grad
from .reference_conv import conv2d, conv2d_weight_grad, conv_transpose2d


@functools.cache
def _compiled() -> Any:
    """The module of Numba twins; None if Numba is not there or not wanted."""
    if os.environ.get("TINYGEN_NUMBA") == "0" or importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module(".numba", __name__)


@functools.wraps(reference.adam)
def adam(p: Any, *more: Any) -> None:
    fast = _compiled() if array_module(p) is np else None
    (fast or reference).adam(p, *more)
