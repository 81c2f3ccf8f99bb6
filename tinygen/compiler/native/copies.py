"""Copies, and memory filled with a number, as loops."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from .loops import Input, Loop, Output, add_loop, moves_of
from .team import Machine

Array: TypeAlias = "np.ndarray[Any, Any]"


def add_copy(machine: Machine, out: Array, x: Array) -> None:
    """Add out[...] = x for arrays of one number of dimensions, in out's dtype."""
    loop = Loop(x.ndim, (Input(str(x.dtype), moves_of(x)),), (), (Output(("in", 0), str(out.dtype), moves_of(out)),))
    add_loop(machine, loop, out.shape, [x], [out])


def add_fill(machine: Machine, out: Array, value: Any) -> None:
    """Add out[...] = a number."""
    kind = str(out.dtype)
    out = out.reshape(-1) if out.flags.c_contiguous else out
    loop = Loop(out.ndim, (), (), (Output(("const", value, kind), kind, moves_of(out)),))
    add_loop(machine, loop, out.shape, [], [out])
