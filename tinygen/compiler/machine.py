"""The back end for native code: a program as a table of jobs, done by all cores without Python in between.

Random numbers and counts come first, as nothing else moves them; then the jobs. What native code has no job for is a
call of NumPy's, before which the cores wait for Python.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import Array
from .calls import Lowering, Numbers
from .definitions import VIEW_OPS
from .loops import Unsuited, add_copy, add_fill, add_group
from .native.products import add_product
from .native.team import Machine
from .passes.order import draws_first
from .plan import Plan
from .program import DRAWS, SILENT, VIEWS, Instruction, Program, Value


def _add_product(machine: Machine, out: Array, a: Array, b: Array) -> None:
    try:
        add_product(machine, out, a, b)
    except ValueError as why:
        raise Unsuited(str(why)) from why


class MachineNumbers(Numbers):
    """Scalars that jobs read, too."""

    def __init__(self, machine: Machine, places: dict[Value, int]):
        super().__init__()
        self._machine, self._places = machine, places

    def set(self, value: Value, now: Any) -> None:
        super().set(value, now)
        self._machine.numbers[self._places[value]] = now


class MachineStep:
    """A program ready to run in native code."""

    def __init__(self, program: Program, threads: int | None = None):
        program = draws_first(program)
        self.plan = Plan(program)
        scalars = [v for i in program.instructions if i.op == "call" for v in i.results]
        self._places = {v: n for n, v in enumerate(scalars)}
        self.machine = Machine(threads, len(scalars))
        self.numbers = MachineNumbers(self.machine, self._places)
        self._lowering = Lowering(self.plan, self.numbers)
        self._run: list[Callable[[], Any]] = []
        self._first = 0  # job that no part of _run does yet
        self.foreign: list[tuple[Instruction, str]] = []  # what is left to NumPy, and why
        for instruction in program.instructions:
            self._add(instruction)
        self._close()
        self._inputs = [self.plan[value] for value in program.inputs]

    def _add(self, instruction: Instruction) -> None:
        if instruction.op in SILENT or instruction.op in VIEWS:
            return
        try:
            self._add_job(instruction)
        except Unsuited as why:
            if instruction.op not in DRAWS and instruction.op != "call":
                self.foreign.append((instruction, str(why)))
            self._close()
            self._run += self._lowering.calls(instruction)

    def _add_job(self, instruction: Instruction) -> None:
        """Add the jobs of an instruction. Raises Unsuited if there are none for it."""
        op, options, machine = instruction.op, instruction.options, self.machine
        if op == "fused":
            add_group(machine, instruction, self.plan, self._places)
            return
        arrays = [self.plan[x] for x in instruction.values]
        if op in DRAWS or op == "call":
            raise Unsuited("Python does it")
        out = self.plan[instruction.result]
        if op == "matmul" and all(x.ndim == 2 for x in arrays):
            _add_product(machine, out, *arrays)
        elif op == "full":
            add_fill(machine, out, options["value"])
        elif op == "concatenate":
            ends = np.cumsum([0, *(x.shape[options["axis"]] for x in arrays)])
            for x, begin, end in zip(arrays, ends, ends[1:], strict=False):
                add_copy(machine, out[(slice(None),) * options["axis"] + (slice(begin, end),)], x)
        elif op == "put":
            base, value = arrays
            if base.ctypes.data != out.ctypes.data:
                add_copy(machine, out, base)
            add_copy(machine, VIEW_OPS["getitem"](out, options["index"]), value)
        else:
            raise Unsuited(f"{op} has no job")

    def _close(self) -> None:
        """Let the jobs since the last call run as one."""
        if len(self.machine) > self._first:
            self._run.append(functools.partial(self.machine.run, self._first, len(self.machine)))
            self._first = len(self.machine)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Take a step: with this batch, on the program's states. Returns its outputs, as arrays of their own."""
        for array, x in zip(self._inputs, inputs, strict=True):
            array[...] = x
        for part in self._run:
            part()
        return self.plan.finish()
