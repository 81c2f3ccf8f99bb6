"""The back end for NumPy alone: calls with `out=`.

Loops over long arrays are done in blocks: what is between the instructions of a fused group then stays in the cache.
A step without convolutions is done by threads of its own, and NumPy's BLAS by one thread in each of them: the BLAS's
own threads would wait for its next product on the cores that the loops need.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from ..backend import Array
from ..kernels import conv
from .blocks import Blocks, Products, Scratch
from .lowering import Call, Executable, Lowering, Numbers
from .native.blas import blas
from .plan import Plan
from .program import CONVOLUTIONS, Instruction, Program
from .shares import cut_product
from .threads import default_size, run_together

_PRODUCTS = 1 << 21  # multiplications that are worth waking another thread


class CallList(Executable):
    """A program ready to run with NumPy.

    threads: how many; as default those of NumPy's BLAS, if it can be told to use but one.
    """

    def __init__(self, program: Program, threads: int | None = None):
        super().__init__(Plan(program))
        library = blas()
        apart = library is not None and not any(i.op in CONVOLUTIONS for i in program.instructions)
        self.threads = threads or (min(default_size(), library.threads()) if library is not None and apart else 1)
        self._alone = library.alone if library is not None and self.threads > 1 else None
        lowering = NumPyLowering(self.plan, Numbers(), self.threads)
        self.calls = [call for instruction in program.instructions for call in lowering.calls(instruction)]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        if self._alone is None:
            return super().run(inputs)
        restore = self._alone()
        try:
            return super().run(inputs)
        finally:
            restore()


class NumPyLowering(Lowering):
    """What each instruction becomes with NumPy, on some threads."""

    def __init__(self, plan: Plan, numbers: Numbers, threads: int = 1):
        super().__init__(plan, numbers)
        self._scratch: list[Scratch] = [{} for _ in range(threads)]

    def _single(self, instruction: Instruction) -> Call:
        if instruction.op == "matmul" and len(self._scratch) > 1:
            out, a, b = (self.plan[v] for v in (instruction.result, *instruction.values))
            if a.ndim == b.ndim == 2 and out.size * a.shape[1] >= _PRODUCTS:
                parts = cut_product(len(self._scratch), out, a, b)
                return functools.partial(
                    run_together, [[functools.partial(np.matmul, x, y, out=z)] for z, x, y in parts]
                )
        return super()._single(instruction)

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
