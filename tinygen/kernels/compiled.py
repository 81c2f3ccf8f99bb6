"""Whether Numba's twins are there, and the modules that hold them: loaded, and compiled, when they are first used."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
import warnings
from typing import Any


@functools.cache
def compiled(name: str) -> Any:
    """The module of this folder; None without Numba, with TINYGEN_NUMBA=0, or on a machine that it can't serve.

    The first use on a machine compiles for some seconds, which is said on stderr; Numba keeps the result on disk.
    """
    if os.environ.get("TINYGEN_NUMBA") == "0" or importlib.util.find_spec("numba") is None:
        return None
    _announce_compilation()
    try:
        module = importlib.import_module(f".{name}", __package__)
    except RuntimeError as error:  # Numba finds no folder to keep its results in
        warnings.warn(f"tinygen computes with NumPy alone: {error}; set NUMBA_CACHE_DIR to a folder", stacklevel=2)
        return None
    return module if getattr(module, "SUPPORTED", True) else None


@functools.cache
def _announce_compilation() -> None:
    from numba.core import event

    class Announcement(event.Listener):
        said = False

        def on_start(self, event: Any) -> None:
            function = getattr(event.data.get("dispatcher"), "py_func", None)
            if not self.said and getattr(function, "__module__", "").startswith("tinygen."):
                self.said = True
                print("tinygen: compiling its loops for this machine, once ...", file=sys.stderr, flush=True)

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Announcement())
