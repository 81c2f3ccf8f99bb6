"""Loops over elements, as data, and the code that LLVM makes of them.

A Loop says what is done to each element of a space of one to three dimensions, and to what its inputs, outputs and sums
belong. Lengths, addresses and strides are no part of it, so that one piece of code serves all sizes.

How an array moves is a string, a character a dimension: "1" by one element (the last dimension alone), "s" by a stride
that is known at run time, "0" not at all, as what is broadcast. "s1" is a matrix, "01" a row, "s0" a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .code import address_of
from .loopcode import text_of
from .shares import boxes
from .team import Machine

Operand: TypeAlias = "tuple[Any, ...]"  # ("in", k), ("number", k), ("step", j) or ("const", value, dtype)
Array: TypeAlias = "np.ndarray[Any, Any]"


class Input(NamedTuple):
    dtype: str
    moves: str


class Step(NamedTuple):
    """An op of ops.py on operands that are ready before it, and the dtype of its result."""

    op: str
    operands: tuple[Operand, ...]
    dtype: str


class Output(NamedTuple):
    """Where an operand is written, in its own dtype or another."""

    operand: Operand
    dtype: str
    moves: str


class Sum(NamedTuple):
    """The sums of an operand over all dimensions but the last ("columns"), over the last ("rows"), or over "all".

    Floats are summed in float64, up to 512 of them in float32 first, and rounded once.
    """

    operand: Operand
    which: str
    dtype: str


class Loop(NamedTuple):
    """What is done to each element.

    numbers: the dtypes in which scalars of the machine enter, which may differ from run to run.
    An output may be the very memory of an input that is read at the same index; otherwise no memory overlaps.
    """

    dimensions: int
    inputs: tuple[Input, ...] = ()
    steps: tuple[Step, ...] = ()
    outputs: tuple[Output, ...] = ()
    sums: tuple[Sum, ...] = ()
    numbers: tuple[str, ...] = ()


def moves_of(x: Array) -> str:
    """How an array moves with its dimensions."""
    last = x.ndim - 1
    return "".join(
        "0" if n == 1 or step == 0 else "1" if d == last and step == x.itemsize else "s"
        for d, (n, step) in enumerate(zip(x.shape, x.strides, strict=True))
    )


def add_loop(
    machine: Machine,
    loop: Loop,
    shape: Sequence[int],
    inputs: Sequence[Array] = (),
    outputs: Sequence[Array] = (),
    sums: Sequence[Array] = (),
    numbers: Sequence[int] = (),
    small: bool | None = None,
) -> int:
    """Add a loop over a space to a machine's table; returns its place there.

    inputs, outputs: arrays of as many dimensions as the space, of length 1 where they don't move.  sums: of the shape
    (columns,), shape[:-1] or (1,).  numbers: which of the machine's.  small: thread 0 does it alone, as it does by
    default if there is too little for two.  Raises ValueError if an array doesn't fit the loop.
    """
    kinds = {s.which for s in loop.sums}
    if len(shape) != loop.dimensions or kinds >= {"columns", "rows"}:
        raise ValueError(f"a loop over {loop.dimensions} dimensions, with sums over {sorted(kinds)}, can't do {shape}")
    over = "columns" if "columns" in kinds else "rows" if "rows" in kinds else ""
    shares = boxes(shape, 1 if small else machine.threads, over)
    by_columns = len({box[-1] for box in shares}) == len(shares)
    counter = np.zeros(16, np.int64)
    scratch = [_scratch(s, shape[-1], len(shares)) for s in loop.sums]
    args = [counter.ctypes.data, len(shares), 1 if by_columns else len(shares)]
    args += [machine.numbers.ctypes.data + 8 * n for n in numbers]
    for x, array in zip(loop.inputs, inputs, strict=True):
        args += _place(array, x.dtype, x.moves, shape)
    for y, array in zip(loop.outputs, outputs, strict=True):
        args += _place(array, y.dtype, y.moves, shape)
    for s, array, room in zip(loop.sums, sums, scratch, strict=True):
        length = {"columns": shape[-1:], "rows": shape[:-1], "all": (1,)}[s.which]
        args += [room.ctypes.data, room.strides[0], *_place(array, s.dtype, "s" * len(length), length)]
    args += [end for box in shares for ends in box for end in ends]
    keep = [counter, *scratch, *inputs, *outputs, *sums]
    return machine.add(address_of(text_of(loop)), args, small=len(shares) == 1, keep=keep)


def _scratch(what: Sum, columns: int, parts: int) -> Array:
    """Room for each thread's sums, on lines of the cache of its own."""
    count = {"columns": columns, "rows": 0, "all": 1}[what.which]
    return np.empty((parts, -(-count // 8) * 8 + 8), np.float64)


def _place(x: Array, dtype: str, moves: str, shape: Sequence[int]) -> list[int]:
    """An array's address, and its strides in bytes where they are known at run time only."""
    lengths = tuple(1 if move == "0" else n for move, n in zip(moves, shape, strict=True))
    fits = x.ndim == len(moves) and all(
        n in (m, 1) if move == "s" else n == m or move == "0"
        for n, m, move in zip(x.shape, lengths, moves, strict=True)
    )
    unit = moves[-1:] != "1" or x.strides[-1] == x.itemsize or x.shape[-1] <= 1 or not x.size
    if x.dtype != dtype or not fits or not unit:
        what = f"{x.dtype} of shape {x.shape} and strides {x.strides}"
        raise ValueError(f"a loop over {tuple(shape)} takes {dtype} that moves as {moves!r}, not {what}")
    return [x.ctypes.data, *(step for step, move in zip(x.strides, moves, strict=True) if move == "s")]
