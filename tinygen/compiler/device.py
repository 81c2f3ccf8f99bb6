"""The back end for CuPy: a program as a list of launches into memory of the GPU that is planned once.

A fused group is one launch of a kernel that is made for it (cuda_text.py), and its sums are taken of what that leaves.
Nothing within a step waits for the GPU.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from .. import kernels
from ..backend import Array, device_module, device_of
from ..kernels.reference_conv import windows_by_taps
from ..tracing import Untraceable
from .cuda_text import text_of
from .definitions import definition
from .lowering import Call, Executable, Lowering, Numbers
from .passes import compute_small_again, side_by_side
from .plan import Plan
from .program import VIEWS, Instruction, Program, Value


class DeviceStep(Executable):
    """A program ready to run with CuPy."""

    def __init__(self, program: Program):
        for state, array in program.arrays.items():
            if state.op == "state" and device_of(array) != "cuda":
                raise Untraceable(f"{state.name} is an array on the CPU, but the step runs on a GPU")
        program = side_by_side(compute_small_again(program))
        super().__init__(Plan(program, "cuda"))
        lowering = CuPyLowering(self.plan)
        self.calls = [call for instruction in program.instructions for call in lowering.calls(instruction)]


class CuPyLowering(Lowering):
    """What each instruction becomes with CuPy."""

    def __init__(self, plan: Plan):
        super().__init__(plan, Numbers(), device_module("cuda"))
        self._scratch: list[Array] = []
        self._read = _read_as_arrays(plan.program)

    def calls(self, instruction: Instruction) -> list[Call]:
        """The calls of an instruction; none, too, for a number everywhere that only loops read."""
        if instruction.op == "full" and instruction.result not in self._read:
            return []
        return super().calls(instruction)

    def _convolution(self, instruction: Instruction) -> list[Call]:
        if self._are_matrices(instruction):
            return getattr(self, f"_{instruction.op}")(instruction)
        return super()._convolution(instruction)

    def _fused(self, instruction: Instruction) -> list[Call]:
        return self._group(instruction, self.plan.arrays)

    def _are_matrices(self, convolution: Instruction) -> bool:
        """Whether what a convolution reads and makes can be seen as matrices, of a dtype that the kernels take."""
        arrays = [self.plan[v] for v in (*convolution.values, convolution.result)]
        return all(a.flags.c_contiguous and a.dtype == arrays[0].dtype and a.dtype.char in "fd" for a in arrays)

    def _conv2d(self, instruction: Instruction) -> list[Call]:
        x, w, y = (self.plan[v] for v in (*instruction.values, instruction.result))
        gather, cols = self._columns(x, (*y.shape[:3], *w.shape[:3]), instruction.options)
        return [gather, self._product(cols, w.reshape(cols.shape[1], -1), y.reshape(len(cols), -1))]

    def _conv2d_weight_grad(self, instruction: Instruction) -> list[Call]:
        x, gy, gw = (self.plan[v] for v in (*instruction.values, instruction.result))
        gather, cols = self._columns(x, (*gy.shape[:3], *gw.shape[:3]), instruction.options)
        return [gather, self._product(cols.T, gy.reshape(len(cols), -1), gw.reshape(cols.shape[1], -1))]

    def _conv_transpose2d(self, instruction: Instruction) -> list[Call]:
        gy, w, x = (self.plan[v] for v in (*instruction.values, instruction.result))
        shape = (*gy.shape[:3], *w.shape[:3])
        rows, columns = windows_by_taps(shape)
        (cols,) = self._borrow([(shape, x.dtype)])
        multiply = self._product(gy.reshape(rows, -1), w.reshape(columns, -1).T, cols.reshape(rows, columns))
        options = instruction.options
        add = functools.partial(kernels.col2im, cols, options["size"], options["stride"], options["padding"], x)
        return [multiply, add]

    def _columns(self, x: Array, shape: tuple[int, ...], options: dict[str, Any]) -> tuple[Call, Array]:
        """What lays the windows of x side by side in scratch memory, and this as a matrix: a row a window."""
        (cols,) = self._borrow([(shape, x.dtype)])
        gather = functools.partial(kernels.im2col, x, shape[3:5], options["stride"], options["padding"], cols)
        return gather, cols.reshape(windows_by_taps(shape))

    def _product(self, a: Array, b: Array, out: Array) -> Call:
        return functools.partial(self.xp.matmul, a, b, out=out)

    def _update(self, instruction: Instruction) -> list[Call]:
        """The product, into scratch memory, and the optimiser's loop."""
        gradient, terms = instruction.options["gradient"], instruction.options["terms"]
        flat, *more = self._borrow([(gradient.shape, gradient.dtype)] * min(len(terms), 2))
        shape, calls = gradient.maker.operands[0].shape, list[Call]()
        for i, (a, b) in enumerate(term.factors(self.plan.arrays) for term in terms):
            out = more[0] if i else flat
            calls.append(self._product(a, b, out.reshape(shape)))
            if i:
                calls.append(functools.partial(self.xp.add, flat, out, out=flat))
        return [*calls, *self._group(instruction.options["loop"], self.plan.arrays | {gradient: flat})]

    def _group(self, group: Instruction, arrays: dict[Value, Array]) -> list[Call]:
        """One launch for all that the group makes, and the sums of some of it."""
        sums = [member for member in group.body if member.op == "sum"]
        made = {v for member in group.body if member.op != "sum" for v in member.results}
        outputs = [v for v in group.results if v in made]
        summed = [*dict.fromkeys(s.operands[0] for s in sums if s.operands[0] in made and s.operands[0] not in outputs)]
        arrays = arrays | dict(zip(summed, self._borrow([(v.shape, v.dtype) for v in summed]), strict=True))
        calls: list[Call] = [self._launch(group, [*outputs, *summed], arrays)] if made else []
        for member in sums:
            x, y = arrays[member.operands[0]], arrays[member.result]
            calls.append(functools.partial(kernels.total_into, x, member.options["axes"], y))
        return calls

    def _launch(self, group: Instruction, outputs: list[Value], arrays: dict[Value, Array]) -> Call:
        text = text_of(group.body, outputs) if hasattr(self.xp, "ElementwiseKernel") else None
        outs = [arrays[v] for v in outputs]
        if text is None:
            return BodyByCalls(group.body, dict(zip(outputs, outs, strict=True)), arrays, self.numbers.now)
        kernel = text.kernel(self.xp)
        return Launch(kernel, [arrays[v] for v in text.arrays], text.numbers, outs, self.numbers.now)

    def _borrow(self, kinds: Sequence[tuple[tuple[int, ...], Any]]) -> list[Array]:
        """Memory for the time of one instruction: the next ones use the same, as launches run in their order."""
        made = []
        for n, (shape, dtype) in enumerate(kinds):
            size = math.prod(shape) * dtype.itemsize
            if n == len(self._scratch):
                self._scratch.append(self.xp.empty(size, "u1"))
            if self._scratch[n].size < size:
                self._scratch[n] = self.xp.empty(size, "u1")
            made.append(self._scratch[n][:size].view(dtype).reshape(shape))
        return made


class Launch:
    """A kernel with its arguments."""

    def __init__(
        self, kernel: Any, arrays: list[Array], numbers: list[Value], outs: list[Array], now: dict[Value, Any]
    ):
        self._kernel, self._arrays, self._numbers, self._outs, self._now = kernel, arrays, numbers, outs, now

    def __call__(self) -> None:
        self._kernel(*self._arrays, *[self._now[v] for v in self._numbers], *self._outs)


class BodyByCalls:
    """A group without a kernel: what its members mean, one after the other, for dtypes that kernels do not take."""

    def __init__(self, body: Sequence[Instruction], outs: dict[Value, Array], arrays: dict[Value, Array], now: Any):
        self._body = [member for member in body if member.op != "sum"]
        self._outs, self._arrays, self._now = outs, arrays, now

    def __call__(self) -> None:
        made: dict[Value, Any] = {}

        def element(x: Any) -> Any:
            if not isinstance(x, Value):
                return x
            if x.op == "full":
                return x.dtype.type(x.maker.options["value"])
            return made[x] if x in made else self._now[x] if x.op == "call" else self._arrays[x]

        xp = device_module("cuda")
        for member in self._body:
            y = definition(member.op, xp)(*map(element, member.operands), **member.options)
            made[member.result] = xp.asarray(y).astype(member.result.dtype, copy=False)
        for value, out in self._outs.items():
            out[...] = made[value]


def _read_as_arrays(program: Program) -> set[Value]:
    """The values that something else than a loop reads."""
    found = {v.root for v in (*program.outputs, *program.updates.values())}
    for i in program.instructions:
        makers = [term.product for term in i.options["terms"]] if i.op == "update" else [] if i.op == "fused" else [i]
        found.update(v.root for maker in makers for v in maker.values)
    sums = (m.operands[0] for i in program.instructions if i.op == "fused" for m in i.body if m.op == "sum")
    views = (v.root for i in program.instructions for v in i.values if v.op in VIEWS)
    return found | {*sums} | {*views}
