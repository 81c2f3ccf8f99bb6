"""The back end for CuPy: a program as a list of launches into memory of the GPU that is planned once.

A fused group is one launch of a kernel that is made for it (cuda_text.py), and its sums are taken of what that leaves.
Nothing within a step waits for the GPU. First Python computes the scalars of the step and its places in the random
streams, then they are copied to the GPU, and then all is launched, from the second step on as a CUDA graph (graph.py).
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..backend import Array, device_module, device_of
from ..kernels.reference_conv import windows_by_taps
from ..random import fill_from
from ..tracing import Untraceable
from .cuda_text import text_of
from .definitions import definition
from .lowering import Call, Executable, Lowering, Numbers
from .passes import compute_small_again, side_by_side
from .plan import Plan
from .program import DRAWS, VIEWS, Instruction, Program, Value


class DeviceStep(Executable):
    """A program ready to run with CuPy."""

    def __init__(self, program: Program):
        for state, array in program.arrays.items():
            if state.op == "state" and device_of(array) != "cuda":
                raise Untraceable(f"{state.name} is an array on the CPU, but the step runs on a GPU")
        program = side_by_side(compute_small_again(program))
        super().__init__(Plan(program, "cuda"))
        graph = _graph()
        self.launches = graph.Launches() if graph else None
        self._lowering = CuPyLowering(self.plan, self.launches)
        self.calls = [call for instruction in program.instructions for call in self._lowering.calls(instruction)]

    @property
    def note(self) -> str:
        why_not = self.launches.why_not if self.launches else ""
        return f"launched one by one, as they can't be a CUDA graph: {why_not}" if why_not else ""

    def _take(self) -> None:
        for call in self._lowering.on_host:
            call()
        self._lowering.numbers.upload()
        if self.launches is None:
            super()._take()
        else:
            self.launches.run(self.calls)


def _graph() -> Any:
    """The module that makes graphs of launches; None for what only stands for CuPy."""
    return importlib.import_module(".graph", __package__) if device_module("cuda").__name__ == "cupy" else None


class DeviceNumbers(Numbers):
    """The scalars of a program, with arrays on the GPU to which all are copied at once."""

    def __init__(self, program: Program, xp: Any):
        super().__init__()
        count = sum(2 * len(i.results) if i.op == "call" else i.op in DRAWS for i in program.instructions)
        self._here, self._there = np.zeros(count, np.uint64), xp.zeros(count, np.uint64)
        self._on_device: dict[tuple[Value, np.dtype[Any]], Array] = {}
        graph = _graph()
        self._copy = graph.Upload(self._there) if graph and count else self._there.set

    def array(self, value: Value, dtype: Any) -> Array:
        """A 0-d array on the GPU that holds the scalar from the next upload on."""
        dtype = np.dtype(dtype)
        if (value, dtype) not in self._on_device:
            n = len(self._on_device)
            here, there = (x[n : n + 1].view(dtype)[:1].reshape(()) for x in (self._here, self._there))
            self._arrays.setdefault(value, {})[dtype], self._on_device[value, dtype] = here, there
        return self._on_device[value, dtype]

    def upload(self) -> None:
        """Copy them to the GPU, in order with the launches."""
        if self._on_device:
            self._copy(self._here)


class CuPyLowering(Lowering):
    """What each instruction becomes with CuPy.

    on_host: calls that compute scalars; they need nothing of the GPU, and come before all launches.
    """

    numbers: DeviceNumbers

    def __init__(self, plan: Plan, launches: Any = None):
        xp = device_module("cuda")
        super().__init__(plan, DeviceNumbers(plan.program, xp), xp)
        self.on_host: list[Call] = []
        self._launches = launches
        self._scratch: list[Array] = []
        self._read = _read_as_arrays(plan.program)

    def calls(self, instruction: Instruction) -> list[Call]:
        """The calls of an instruction; none, too, for a number everywhere that only loops read."""
        if instruction.op == "full" and instruction.result not in self._read:
            return []
        if instruction.op == "call":
            self.on_host += super().calls(instruction)
            return []
        if instruction.op in DRAWS:
            return [self._drawn(instruction)]
        return super().calls(instruction)

    def _drawn(self, draw: Instruction) -> Call:
        """The launch of a draw. Its place in the stream is a scalar of the step."""
        kind, out, value = draw.op, self.plan[draw.result], draw.result
        generator, first = draw.options["generator"], self.numbers.array(value, np.uint64)

        def take() -> None:
            self.numbers.set(value, generator.take(kind, out.size, *self._numbers(draw)))

        self.on_host.append(take)
        if kind == "normal":  # of any width: what is drawn is scaled later, and by 0 where nothing is to be drawn
            return functools.partial(fill_from, first, kind, out)
        if not any(draw.values):
            return functools.partial(fill_from, first, kind, out, *draw.operands)
        self._stay_single(f"how {kind} numbers are drawn changes from step to step")
        return lambda: fill_from(first, kind, out, *self._numbers(draw))

    def _stay_single(self, why: str) -> None:
        """Make no graph of the launches."""
        if self._launches is not None:
            self._launches.why_not = why

    def _convolution(self, instruction: Instruction) -> list[Call]:
        arrays = [self.plan[v] for v in (*instruction.values, instruction.result)]
        if not _are_matrices(arrays):
            return super()._convolution(instruction)
        copies, rows = zip(*map(self._in_rows, arrays), strict=True)
        return [*itertools.chain(*copies), *getattr(self, f"_{instruction.op}")(*rows, instruction.options)]

    def _in_rows(self, x: Array) -> tuple[list[Call], Array]:
        """x, where it lies row by row; or else a copy that does, and what makes it again."""
        if x.flags.c_contiguous:
            return [], x
        there = self.xp.empty(x.shape, x.dtype)
        return [functools.partial(self.xp.copyto, there, x)], there

    def _fused(self, instruction: Instruction) -> list[Call]:
        return self._group(instruction, self.plan.arrays)

    def _conv2d(self, x: Array, w: Array, y: Array, options: dict[str, Any]) -> list[Call]:
        gather, cols = self._columns(x, (*y.shape[:3], *w.shape[:3]), options)
        return [gather, self._product(cols, w.reshape(cols.shape[1], -1), y.reshape(len(cols), -1))]

    def _conv2d_weight_grad(self, x: Array, gy: Array, gw: Array, options: dict[str, Any]) -> list[Call]:
        gather, cols = self._columns(x, (*gy.shape[:3], *gw.shape[:3]), options)
        return [gather, self._product(cols.T, gy.reshape(len(cols), -1), gw.reshape(cols.shape[1], -1))]

    def _conv_transpose2d(self, gy: Array, w: Array, x: Array, options: dict[str, Any]) -> list[Call]:
        shape = (*gy.shape[:3], *w.shape[:3])
        rows, columns = windows_by_taps(shape)
        (cols,) = self._borrow([(shape, x.dtype)])
        multiply = self._product(gy.reshape(rows, -1), w.reshape(columns, -1).T, cols.reshape(rows, columns))
        add = functools.partial(kernels.col2im, cols, options["size"], options["stride"], options["padding"], x)
        return [multiply, add]

    def _columns(self, x: Array, shape: tuple[int, ...], options: dict[str, Any]) -> tuple[Call, Array]:
        """What lays the windows of x side by side in scratch memory, and this as a matrix: a row a window."""
        (cols,) = self._borrow([(shape, x.dtype)])
        gather = functools.partial(kernels.im2col, x, shape[3:5], options["stride"], options["padding"], cols)
        return gather, cols.reshape(windows_by_taps(shape))

    def _single(self, instruction: Instruction) -> Call:
        if instruction.op == "matmul":
            return self._product(*(self.plan[v] for v in (*instruction.values, instruction.result)))
        return super()._single(instruction)

    def _product(self, a: Array, b: Array, out: Array) -> Call:
        products = self._launches and self._launches.products
        call = products.product(a, b, out) if products else None
        return call or functools.partial(self.xp.matmul, a, b, out=out)

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
            if any(v.op == "call" for v in group.values):
                self._stay_single("a loop of a dtype that kernels don't take reads numbers of the step")
            return BodyByCalls(group.body, dict(zip(outputs, outs, strict=True)), arrays, self.numbers.now)
        numbers = [self.numbers.array(v, kind) for v, kind in text.numbers]
        return functools.partial(text.kernel(self.xp), *(arrays[v] for v in text.arrays), *numbers, *outs)

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


def _are_matrices(arrays: Sequence[Array]) -> bool:
    """Whether what a convolution reads, and makes, can be seen as matrices of a dtype that the kernels take."""
    *_, made = arrays
    return made.flags.c_contiguous and all(a.dtype == made.dtype and a.dtype.char in "fd" for a in arrays)


def _read_as_arrays(program: Program) -> set[Value]:
    """The values that something else than a loop reads."""
    found = {v.root for v in (*program.outputs, *program.updates.values())}
    for i in program.instructions:
        makers = [term.product for term in i.options["terms"]] if i.op == "update" else [] if i.op == "fused" else [i]
        found.update(v.root for maker in makers for v in maker.values)
    sums = (m.operands[0] for i in program.instructions if i.op == "fused" for m in i.body if m.op == "sum")
    views = (v.root for i in program.instructions for v in i.values if v.op in VIEWS)
    return found | {*sums} | {*views}
