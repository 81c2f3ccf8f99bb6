"""Which jobs of native code an instruction becomes: one entry an op."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..backend import Array
from .convolutions import add_convolution
from .definitions import VIEW_OPS
from .loops import Unsuited, add_copy, add_fill, add_group
from .native.products import add_product
from .native.scripts import add_script
from .native.team import Machine
from .native.works import MachineWorks
from .plan import Plan
from .program import Instruction, Value
from .shares import LANES, cut

_BLOCK = 1 << 18  # floats of a gradient that stay in the cache until the optimiser has read them


class Jobs:
    """Adds the jobs of a program's instructions to a machine."""

    def __init__(self, machine: Machine, plan: Plan, numbers: dict[Value, int]):
        self.machine, self.plan, self.numbers = machine, plan, numbers

    def add(self, instruction: Instruction) -> None:
        """Add the jobs of an instruction. Raises Unsuited if there are none for it."""
        add = getattr(self, f"_add_{instruction.op}", None)
        if add is None:
            raise Unsuited(f"{instruction.op} has no job")
        try:
            add(instruction)
        except ValueError as why:  # a layout, or a dtype, for which there is no code
            raise Unsuited(str(why)) from why

    def _arrays(self, instruction: Instruction) -> list[Any]:
        """The arrays of its result and of its operands."""
        return [self.plan[x] for x in (instruction.result, *instruction.values)]

    def _add_fused(self, instruction: Instruction) -> None:
        add_group(self.machine, instruction, self.plan.arrays, self.numbers)

    def _add_matmul(self, instruction: Instruction) -> None:
        out, a, b = self._arrays(instruction)
        if out.ndim != 2:
            raise Unsuited("a product of more than two axes has no job")
        add_product(self.machine, out, a, b)

    def _add_update(self, instruction: Instruction) -> None:
        """Each thread multiplies some rows at a time, and lets the optimiser's loop read them from its cache."""
        gradient, terms = instruction.options["gradient"], instruction.options["terms"]
        rows, columns = gradient.maker.operands[0].shape
        shares = cut(rows, self.machine.threads, LANES)
        longest = max(j - i for i, j in shares)
        blocks = -(-longest * columns // _BLOCK)
        length = -(-longest // (blocks * LANES)) * LANES  # blocks of about one size
        factors = [term.factors(self.plan.arrays) for term in terms]
        with self.machine.borrowed(gradient.dtype, *[(length, columns)] * len(shares)) as rooms:
            parts = [
                functools.partial(self._add_blocks, instruction, factors, i, j, room)
                for (i, j), room in zip(shares, rooms, strict=True)
            ]
            add_script(self.machine, parts)

    def _add_blocks(
        self, update: Instruction, factors: Any, begin: int, end: int, room: Array, machine: Machine
    ) -> None:
        """Add the jobs of one thread: for rows from begin to end, as many at a time as there is room for."""
        loop, gradient, columns = update.options["loop"], update.options["gradient"], room.shape[1]
        others = [v for v in (*loop.values, *loop.results) if v is not gradient and v not in self.numbers]
        for first in range(begin, end, len(room)):
            last = min(first + len(room), end)
            block = room[: last - first]
            for i, (a, b) in enumerate(factors):
                add_product(machine, block, a[first:last], b, adds=i > 0)
            arrays = {v: self.plan[v][first * columns : last * columns] for v in others}
            arrays[gradient] = block.reshape(-1)
            add_group(machine, loop, arrays, self.numbers, (block.size,))

    def _add_convolution(self, instruction: Instruction) -> None:
        out, x, w = self._arrays(instruction)
        works, options = MachineWorks(self.machine, self.plan.scratch.get(instruction)), instruction.options
        add_convolution(works, instruction.op, out, x, w, options["stride"], options["padding"])

    _add_conv2d = _add_conv_transpose2d = _add_conv2d_weight_grad = _add_convolution

    def _add_full(self, instruction: Instruction) -> None:
        add_fill(self.machine, self.plan[instruction.result], instruction.options["value"])

    def _add_concatenate(self, instruction: Instruction) -> None:
        out, *arrays = self._arrays(instruction)
        axis = instruction.options["axis"]
        ends = np.cumsum([0, *(x.shape[axis] for x in arrays)])
        for x, begin, end in zip(arrays, ends, ends[1:], strict=False):
            add_copy(self.machine, out[(slice(None),) * axis + (slice(begin, end),)], x)

    def _add_put(self, instruction: Instruction) -> None:
        out, base, value = self._arrays(instruction)
        if base.ctypes.data != out.ctypes.data:
            add_copy(self.machine, out, base)
        add_copy(self.machine, VIEW_OPS["getitem"](out, instruction.options["index"]), value)
