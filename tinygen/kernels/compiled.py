"""Whether Numba's twins are available, and their modules: loaded, and compiled, when they are first used."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from ..terminal import write_line

_forked = False  # GNU's OpenMP, on which Numba's threads may run, ends a forked process that uses it


_turn = threading.RLock()


def in_turn(loop: Callable[..., Any]) -> Callable[..., Any]:
    """A parallel loop that waits while another thread of Python is in one. Each takes all cores, so nothing is lost;
    and workqueue, the only thread pool that Numba always has, ends the process when two are in it."""

    @functools.wraps(loop)
    def call(*args: Any) -> Any:
        with _turn:
            return loop(*args)

    return call


def _after_fork() -> None:
    global _forked
    _forked = True
    compiled.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@functools.cache
def compiled(name: str) -> Any:
    """The module of this folder; None without Numba, with TINYGEN_NUMBA=0, in a forked process (start those with
    "spawn"), or on a machine that the module does not support.

    The first use on a machine compiles for some seconds, as stderr announces; Numba keeps the result on disk.
    """
    if _forked or os.environ.get("TINYGEN_NUMBA") == "0" or importlib.util.find_spec("numba") is None:
        return None
    try:
        _announce_compilation()
        module = importlib.import_module(f".{name}", __package__)
    except (ImportError, RuntimeError) as error:  # too old for this NumPy; or no folder to keep its results in
        what = f"Numba can't be used ({error}); upgrade it, set NUMBA_CACHE_DIR to a folder, or set TINYGEN_NUMBA=0"
        warnings.warn(f"tinygen computes with NumPy alone: {what}", stacklevel=2)
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
                write_line("tinygen: compiling its loops for this machine, once ...", sys.stderr)

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Announcement())
