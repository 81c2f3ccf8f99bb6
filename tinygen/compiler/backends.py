"""What runs a program: chosen here, loaded when it is first used."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any

from ..errors import ConfigError
from ..tracing import Untraceable
from .threads import default_size

BACK_ENDS = {  # name: module and class
    "plain": ("definitions", "Interpreted"),
    "numpy": ("calls", "CallList"),
    "native": ("machine", "MachineStep"),
    "cupy": ("device", "DeviceStep"),
}


def default_back_end(device: str = "cpu") -> str:
    """On a GPU "cupy". On the CPU "native" if llvmlite is installed (it comes with Numba) and TINYGEN_NUMBA is not 0;
    else "numpy"."""
    if device == "cuda":
        return "cupy"
    return "numpy" if why_not_native() else "native"


def why_not_native() -> str:
    """Why there is no native code; "" if there is."""
    if os.environ.get("TINYGEN_NUMBA") == "0":
        return "TINYGEN_NUMBA is 0"
    return "" if importlib.util.find_spec("llvmlite") else "llvmlite is not installed"


def check_back_end(name: str | None) -> None:
    """Raise ConfigError for a name that no back end has."""
    if name is not None and name not in BACK_ENDS:
        raise ConfigError(f"compile: back_end is {name!r}, but it must be one of {', '.join(map(repr, BACK_ENDS))}")


def load_back_end(name: str | None = None, device: str = "cpu") -> Any:
    """The class of a back end, by default of the device's.

    Raises ConfigError for a name that none has, Untraceable if it can't run on the device, and ImportError if what it
    needs is not installed.
    """
    check_back_end(name)
    name = name or default_back_end(device)
    if (name == "cupy") != (device == "cuda"):
        raise Untraceable(f"the back end {name!r} can't run on {device!r}, where the step's arrays are")
    module, kind = BACK_ENDS[name]
    return getattr(importlib.import_module(f".{module}", __package__), kind)


def in_words(name: str) -> str:
    """What runs a program: "native code for 2 threads"."""
    if name != "native":
        return "CuPy's kernels" if name == "cupy" else "NumPy's calls"
    threads = default_size()
    return f"native code for {threads} thread{'s' * (threads != 1)}"


def compiled_so_far() -> tuple[int, float]:
    """How many pieces of native code this process has compiled, and the seconds that it took."""
    code = sys.modules.get(f"{__package__}.native.code")
    return (0, 0.0) if code is None else (code.work.compiled, code.work.seconds)
