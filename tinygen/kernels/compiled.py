"""Whether Numba's twins are there, and the modules that hold them: loaded, and compiled, when they are first used."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from typing import Any


@functools.cache
def compiled(name: str) -> Any:
    """The module of this folder; None without Numba, with TINYGEN_NUMBA=0, or on a machine that it can't serve."""
    if os.environ.get("TINYGEN_NUMBA") == "0" or importlib.util.find_spec("numba") is None:
        return None
    module = importlib.import_module(f".{name}", __package__)
    return module if getattr(module, "SUPPORTED", True) else None
