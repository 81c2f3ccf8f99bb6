"""The passes: each takes a program and returns one that computes the same with less."""

from __future__ import annotations

from ..program import Program
from .common import merge_equal
from .dead import drop_unused
from .fuse import fuse
from .simplify import simplify

PASSES = (simplify, merge_equal, drop_unused, fuse)  # in the order in which they help each other

__all__ = ["PASSES", "drop_unused", "fuse", "merge_equal", "optimised", "simplify"]


def optimised(program: Program) -> Program:
    """The program after all passes."""
    for change in PASSES:
        program = change(program)
    return program
