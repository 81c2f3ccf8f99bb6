"""The back end for NumPy alone: calls with `out=`.

Loops over long arrays are done in blocks: what is between the instructions of a fused group then stays in the cache.
A step is done by threads of its own, and NumPy's BLAS by one thread in each of them: the BLAS's own threads would wait
for its next product on the cores that the loops need.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import numpy as np

from ..backend import Array
from ..kernels import conv
from ..kernels.blas import prepared_product
from ..kernels.openblas import blas
from .blocks import Blocks, Products, Scratch
from .convolutions import Product, add_convolution, scratch_of
from .lowering import Call, Executable, Lowering, Numbers
from .memory import Room
from .plan import Plan
from .program import Instruction, Program
from .shares import cut_product
from .threads import default_size, run_together

_PRODUCTS = 1 << 21  # multiplications that are worth waking another thread


class CallList(Executable):
    """A program ready to run with NumPy.

    threads: how many; as default those of NumPy's BLAS, if it can be told to use but one.
    """

    def __init__(self, program: Program, threads: int | None = None):
        library = blas()
        self.threads = threads or (1 if library is None else min(default_size(), library.alone.threads()))
        super().__init__(Plan(program, scratch=scratch_of(program, self.threads) if self.threads > 1 else None))
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
                shares = cut_product(len(self._scratch), out, a, b)
                parts = [[functools.partial(np.matmul, x, y, out=z)] for z, x, y in shares]
                return functools.partial(run_together, parts)
        return super()._single(instruction)

    def _convolution(self, instruction: Instruction) -> list[Call]:
        out, x, w = (self.plan[v] for v in (instruction.result, *instruction.values))
        if out.dtype.char not in "fd":
            return super()._convolution(instruction)
        if (threads := len(self._scratch)) > 1:
            works, options = CallWorks(threads, self.plan.scratch.get(instruction)), instruction.options
            with suppress(ValueError):  # another layout
                add_convolution(works, instruction.op, out, x, w, options["stride"], options["padding"])
                return works.calls
        function = getattr(conv, instruction.op)
        return [functools.partial(function, x, w, *instruction.options.values(), into=out)]

    def _fused(self, instruction: Instruction) -> list[Call]:
        return Blocks(self.plan, self.numbers, self._scratch, instruction).calls()

    def _update(self, instruction: Instruction) -> list[Call]:
        """Some rows of the product, and the optimiser's calls on these, one block after the other."""
        factors = [term.factors(self.plan.arrays) for term in instruction.options["terms"]]
        products = Products(instruction.options["gradient"], factors)
        return Blocks(self.plan, self.numbers, self._scratch, instruction.options["loop"], products).calls()


class CallWorks:
    """Adds to a list of calls: see convolutions.Works.  memory: bytes to borrow; by default of its own."""

    def __init__(self, threads: int, memory: Array | None = None):
        self.threads, self.room = threads, Room(memory)
        self.borrowed = self.room.borrowed
        self.calls: list[Call] = []

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Each thread does some of the calls that are added in the block."""
        before, self.calls = self.calls, []
        yield
        added, self.calls = self.calls, before
        self._add_together([added[i :: self.threads] for i in range(self.threads)])

    def in_turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _add_together(self, parts: Sequence[Sequence[Call]]) -> None:
        self.calls.append(functools.partial(run_together, [part for part in parts if part] or [[]]))

    def add_copy(self, out: Array, x: Array) -> None:
        self.calls.append(functools.partial(np.copyto, out, x))

    def add_fill(self, out: Array, value: float) -> None:
        self.calls.append(functools.partial(out.fill, value))

    def add_product(self, out: Array, a: Array, b: Array) -> None:
        self.add_products([[(*part, False)] for part in cut_product(self.threads, out, a, b)])

    def add_products(self, shares: Sequence[Sequence[Product]]) -> None:
        self._add_together([[prepared_product(*product) for product in share] for share in shares])

    def add_up(self, out: Array, parts: Sequence[Array], adds: bool) -> None:
        if not adds:
            self.add_copy(out, parts[0])
        for part in parts if adds else parts[1:]:
            self.calls.append(functools.partial(np.add, out, part, out=out))
