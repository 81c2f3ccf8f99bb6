"""The back end for native code: a program as a table of jobs, done by all cores without Python in between.

Random numbers and counts come first, as nothing else moves them; then the jobs. What native code has no job for is a
call of NumPy's, before which the cores wait for Python.
"""

from __future__ import annotations

import functools
from typing import Any

from .calls import NumPyLowering
from .convolutions import scratch_of
from .jobs import Jobs
from .loops import Unsuited
from .lowering import Executable, Numbers
from .native.team import Machine
from .passes.order import draws_first
from .plan import Plan
from .program import DRAWS, SILENT, VIEWS, Instruction, Program, Value


class MachineNumbers(Numbers):
    """Scalars that jobs read, too."""

    def __init__(self, machine: Machine, places: dict[Value, int]):
        super().__init__()
        self._machine, self._places = machine, places

    def set(self, value: Value, now: Any) -> None:
        super().set(value, now)
        self._machine.numbers[self._places[value]] = now


class MachineStep(Executable):
    """A program ready to run in native code."""

    def __init__(self, program: Program, threads: int | None = None):
        program = draws_first(program)
        scalars = [v for i in program.instructions if i.op == "call" for v in i.results]
        places = {v: n for n, v in enumerate(scalars)}
        self.machine = Machine(threads, len(scalars))
        super().__init__(Plan(program, scratch=scratch_of(program, self.machine.threads)))
        self._jobs = Jobs(self.machine, self.plan, places)
        self._lowering = NumPyLowering(self.plan, MachineNumbers(self.machine, places))
        self._first = 0  # job that no call does yet
        self.foreign: list[tuple[Instruction, str]] = []  # what is left to NumPy, and why
        for instruction in program.instructions:
            self._add(instruction)
        self._close()

    def _add(self, instruction: Instruction) -> None:
        op = instruction.op
        if op in SILENT or op in VIEWS:
            return
        if op not in DRAWS and op != "call":
            before = len(self.machine)
            try:
                self._jobs.add(instruction)
                return
            except Unsuited as why:
                self.machine.forget(before)
                self.foreign.append((instruction, str(why)))
        self._close()
        self.calls += self._lowering.calls(instruction)

    def _close(self) -> None:
        """Let the jobs since the last call run as one."""
        if len(self.machine) > self._first:
            self.calls.append(functools.partial(self.machine.run, self._first, len(self.machine)))
            self._first = len(self.machine)
