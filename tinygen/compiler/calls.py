"""The back end for NumPy alone: calls with `out=`.

Loops over long arrays are done in blocks: what is between the instructions of a fused group then stays in the cache.
"""

from __future__ import annotations

import functools

from ..backend import Array
from ..kernels import conv
from .blocks import Blocks, Products
from .lowering import Call, Executable, Lowering, Numbers
from .plan import Plan
from .program import Instruction, Program


class CallList(Executable):
    """A program ready to run with NumPy."""

    def __init__(self, program: Program):
        super().__init__(Plan(program))
        lowering = NumPyLowering(self.plan, Numbers())
        self.calls = [call for instruction in program.instructions for call in lowering.calls(instruction)]


class NumPyLowering(Lowering):
    """What each instruction becomes with NumPy."""

    def __init__(self, plan: Plan, numbers: Numbers):
        super().__init__(plan, numbers)
        self._scratch: dict[int, list[Array]] = {}  # memory that one block after the other uses, by its size

    def _convolution(self, instruction: Instruction) -> list[Call]:
        out, operands = self.plan[instruction.result], [self.plan[v] for v in instruction.values]
        if out.dtype.char not in "fd":
            return super()._convolution(instruction)
        function = getattr(conv, instruction.op)
        return [functools.partial(function, *operands, *instruction.options.values(), into=out)]

    def _fused(self, instruction: Instruction) -> list[Call]:
        return Blocks(self.plan, self.numbers, self._scratch, instruction).calls()

    def _update(self, instruction: Instruction) -> list[Call]:
        """Some rows of the product, and the optimiser's calls on these, one block after the other."""
        factors = [term.factors(self.plan.arrays) for term in instruction.options["terms"]]
        products = Products(instruction.options["gradient"], factors)
        return Blocks(self.plan, self.numbers, self._scratch, instruction.options["loop"], products).calls()
