"""What runs a program: chosen here, loaded when it is first used."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from ..errors import ConfigError

BACK_ENDS = {  # name: module and class
    "plain": ("definitions", "Interpreted"),
    "numpy": ("calls", "CallList"),
    "native": ("machine", "MachineStep"),
}


def default_back_end() -> str:
    """ "native" if llvmlite is installed (it comes with Numba) and TINYGEN_NUMBA is not 0; else "numpy"."""
    off = os.environ.get("TINYGEN_NUMBA") == "0" or importlib.util.find_spec("llvmlite") is None
    return "numpy" if off else "native"


def load_back_end(name: str | None = None) -> Any:
    """The class of a back end; None: of the default one. Raises ConfigError for another name."""
    name = default_back_end() if name is None else name
    if name not in BACK_ENDS:
        raise ConfigError(f"compile: back_end is {name!r}, but it must be one of {', '.join(map(repr, BACK_ENDS))}")
    module, kind = BACK_ENDS[name]
    return getattr(importlib.import_module(f".{module}", __package__), kind)
