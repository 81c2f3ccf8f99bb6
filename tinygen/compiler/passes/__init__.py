"""The passes: each takes a program and returns one that computes the same with less."""

from __future__ import annotations

from ..program import Program
from .again import compute_large_again, compute_small_again
from .apart import split_sums
from .beside import side_by_side
from .common import merge_equal
from .dead import drop_unused
from .fuse import fuse
from .loops import in_loops
from .order import calls_first
from .simplify import simplify
from .update import update_at_once

PASSES = (
    calls_first,
    simplify,
    merge_equal,
    drop_unused,
    split_sums,
    fuse,
    update_at_once,
    compute_large_again,
)  # in the order in which they help

__all__ = [
    "PASSES",
    "calls_first",
    "compute_large_again",
    "compute_small_again",
    "drop_unused",
    "fuse",
    "in_loops",
    "merge_equal",
    "optimised",
    "side_by_side",
    "simplify",
    "split_sums",
    "update_at_once",
]


def __dir__() -> list[str]:
    return __all__


def optimised(program: Program) -> Program:
    """The program after all passes."""
    for change in PASSES:
        program = change(program)
    return program
