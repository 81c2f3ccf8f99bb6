"""Loops over elements, as data, and the code that LLVM makes of them.

A Loop says what is done to each element of a space of some dimensions, and to what its inputs, outputs and sums
belong. Lengths, addresses and strides are no part of it, so that one piece of code serves all sizes.

How an array moves is a string, a character a dimension: "1" by one element (the last dimension alone), "s" by a stride
that is known at run time, "0" not at all, as what is broadcast. "s1" is a matrix, "01" a row, "s0" a column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..shares import NARROW, TINY, boxes
from .code import address_of
from .loopcode import text_of
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

    @property
    def arrays(self) -> list[Input | Output]:
        return [*self.inputs, *self.outputs]


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
) -> None:
    """Add a loop over a space to a machine's table.

    inputs, outputs: arrays of as many dimensions as the space, of length 1 where they don't move.  sums: of the shape
    (columns,), shape[:-1] or (1,).  numbers: which of the machine's.  Raises ValueError if an array doesn't fit the
    loop.
    """
    kinds = {s.which for s in loop.sums}
    if len(shape) != loop.dimensions or kinds >= {"columns", "rows"}:
        raise ValueError(f"a loop over {loop.dimensions} dimensions, with sums over {sorted(kinds)}, can't do {shape}")
    over = "columns" if "columns" in kinds else "rows" if "rows" in kinds else ""
    for how, x in zip(loop.arrays, [*inputs, *outputs], strict=True):
        _place(x, how.dtype, how.moves, shape)  # raises an error for what doesn't fit
    groups = _groups(loop, shape, [*inputs, *outputs]) if over != "rows" else 1
    if groups > 1:
        shape = (*shape[:-2], shape[-2] // groups, shape[-1] * groups)
        with machine.in_turn():
            inputs = [_longer(machine, x, how.moves, groups) for x, how in zip(inputs, loop.inputs, strict=True)]
        outputs = [_longer(machine, y, how.moves, groups) for y, how in zip(outputs, loop.outputs, strict=True)]
    shares = boxes(shape, machine.threads, over)
    by_columns = len({box[-1] for box in shares}) == len(shares)
    counter = np.zeros(16, np.int64)
    scratch = [_scratch(s, shape[-1], len(shares)) for s in loop.sums]
    args = [counter.ctypes.data, len(shares), 1 if by_columns else len(shares), groups]
    args += [machine.numbers.ctypes.data + 8 * n for n in numbers]
    for how, x in zip(loop.arrays, [*inputs, *outputs], strict=True):
        args += _place(x, how.dtype, how.moves, shape)
    for s, array, room in zip(loop.sums, sums, scratch, strict=True):
        length = {"columns": (shape[-1] // groups,), "rows": shape[:-1], "all": (1,)}[s.which]
        args += [room.ctypes.data, room.strides[0], *_place(array, s.dtype, "s" * len(length), length)]
    args += [end for box in shares for ends in box for end in ends]
    keep = [counter, *scratch, *inputs, *outputs, *sums]
    machine.add(address_of(text_of(loop)), args, small=len(shares) == 1, keep=keep)


def _groups(loop: Loop, shape: Sequence[int], arrays: Sequence[Array]) -> int:
    """How many short lines are done as one, with as many vectors as fit; 1 if they can't be, or need not."""
    if len(shape) < 2 or math.prod(shape) < TINY or shape[-1] >= NARROW // 2:
        return 1
    for how, x in zip(loop.arrays, arrays, strict=True):
        dense = how.moves[-2:] == "s1" and x.strides[-2] == shape[-1] * x.itemsize
        if not dense and how.moves[-2:] != "00" and how.moves != "01".rjust(len(shape), "0"):
            return 1
    return max(g for g in range(1, NARROW) if g * shape[-1] < NARROW and shape[-2] % g == 0)


def _longer(machine: Machine, x: Array, moves: str, groups: int) -> Array:
    """An array with its lines joined; a line that is broadcast is repeated, by a job before the loop."""
    if moves[-2:] == "s1":
        return x.reshape(*x.shape[:-2], -1, groups * x.shape[-1])
    if moves[-2:] == "00":
        return x
    copies = np.empty((groups, x.shape[-1]), x.dtype)
    repeat = Loop(2, (Input(str(x.dtype), "01"),), (), (Output(("in", 0), str(x.dtype), "s1"),))
    add_loop(machine, repeat, copies.shape, [x.reshape(1, -1)], [copies])
    return copies.reshape(*x.shape[:-1], -1)


def _scratch(what: Sum, columns: int, parts: int) -> Array:
    """Room for each thread's sums, on lines of the cache of its own."""
    count = {"columns": columns, "rows": 0, "all": 1}[what.which]
    return np.empty((parts, -(-count // 8) * 8 + 8), np.float64)


def _place(x: Array, dtype: str, moves: str, shape: Sequence[int]) -> list[int]:
    """An array's address, and its strides in bytes where they are known at run time only."""
    fits = x.ndim == len(moves) and all(
        n == m if move != "0" else n == 1 or step == 0
        for n, step, m, move in zip(x.shape, x.strides, shape, moves, strict=True)
    )
    unit = moves[-1:] != "1" or x.strides[-1] == x.itemsize or x.shape[-1] <= 1 or not x.size
    if x.dtype != dtype or not fits or not unit:
        what = f"{x.dtype} of shape {x.shape} and strides {x.strides}"
        raise ValueError(f"a loop over {tuple(shape)} takes {dtype} that moves as {moves!r}, not {what}")
    return [x.ctypes.data, *(step for step, move in zip(x.strides, moves, strict=True) if move == "s")]
