"""The passes: each takes a program and returns one that computes the same with less."""

from __future__ import annotations

from ..program import Program
from .again import compute_again
from .beside import side_by_side
from .common import merge_equal
from .dead import drop_unused
from .fuse import fuse
from .order import calls_first
from .simplify import simplify
from .update import update_at_once

__all__ = [
    "calls_first",
    "compute_again",
    "drop_unused",
    "fuse",
    "merge_equal",
    "optimised",
    "side_by_side",
    "simplify",
    "update_at_once",
]


def optimised(program: Program) -> Program:
    """The program after all passes, in the order in which they help each other."""
    for change in (calls_first, simplify, merge_equal, drop_unused, fuse, update_at_once):
        program = change(program)
    return program
