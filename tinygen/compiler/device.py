"""The back end for CuPy: a program as a list of launches into memory of the GPU that is planned once.

Loops, and the sums of what they make, are launches of kernels that are made for them (cuda_kernel.py).
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
from .columns import THREADS
from .cuda_kernel import Kernel, has_kernel, kernel_of, source_of
from .definitions import definition
from .lowering import Call, Executable, Lowering, Numbers
from .memory import address
from .passes import compute_small_again, in_loops, side_by_side
from .plan import Plan
from .program import DRAWS, ELEMENTWISE, GROUPS, VIEWS, Instruction, Program, Value


class DeviceStep(Executable):
    """A program ready to run with CuPy."""

    def __init__(self, program: Program):
        for state, array in program.arrays.items():
            if state.op == "state" and device_of(array) != "cuda":
                raise Untraceable(f"{state.name} is an array on the CPU, but the step runs on a GPU")
        beside = side_by_side(in_loops(compute_small_again(program), has_kernel), has_kernel)
        super().__init__(Plan(beside, "cuda"))
        graph = _graph()
        self.launches = graph.Launches() if graph else None
        self._lowering = CuPyLowering(self.plan, program, self.launches)
        self.calls = [call for instruction in beside.instructions for call in self._lowering.calls(instruction)]

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

    on_host: calls that compute scalars, and move random streams, in the order in which the step does; they need nothing
    of the GPU, and come before all launches.
    """

    numbers: DeviceNumbers

    def __init__(self, plan: Plan, step: Program, launches: Any = None):
        xp = device_module("cuda")
        super().__init__(plan, DeviceNumbers(step, xp), xp)
        self.on_host = [call for instruction in step.instructions for call in self._on_host(instruction)]
        self._launches = launches
        self._kernels = Kernels(xp) if hasattr(xp, "RawModule") else None
        self._scratch: list[Array] = []
        self._held: Any = None  # which columns the scratch memory holds, from the instruction before
        self._read = _read_as_arrays(plan.program)

    def calls(self, instruction: Instruction) -> list[Call]:
        """The calls of an instruction; none, too, for a number everywhere that only loops read."""
        if instruction.op not in ("conv2d", "conv2d_weight_grad", *VIEWS):
            self._held = None
        if instruction.op == "full" and instruction.result not in self._read:
            return []
        if instruction.op == "call":
            return []
        if instruction.op in DRAWS:
            return [self._drawn(instruction)]
        if instruction.op == "beside":
            return self._beside(instruction.options["loops"])
        return super().calls(instruction)

    def _on_host(self, instruction: Instruction) -> list[Call]:
        """What Python does for an instruction. The place of a draw in its stream is a scalar of the step."""
        if instruction.op == "call":
            return super().calls(instruction)
        return [functools.partial(self._take, instruction)] if instruction.op in DRAWS else []

    def _take(self, draw: Instruction) -> None:
        first = draw.options["generator"].take(draw.op, draw.result.like.size, *self._numbers(draw))
        self.numbers.set(draw.result, first)

    def _drawn(self, draw: Instruction) -> Call:
        """The launch of a draw."""
        kind, out, first = draw.op, self.plan[draw.result], self.numbers.array(draw.result, np.uint64)
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

    def _conv2d(self, x: Array, w: Array, y: Array, options: dict[str, Any]) -> list[Call]:
        gather, cols = self._columns(x, (*y.shape[:3], *w.shape[:3]), options)
        return [*gather, self._product(cols, w.reshape(cols.shape[1], -1), y.reshape(len(cols), -1))]

    def _conv2d_weight_grad(self, x: Array, gy: Array, gw: Array, options: dict[str, Any]) -> list[Call]:
        gather, cols = self._columns(x, (*gy.shape[:3], *gw.shape[:3]), options)
        return [*gather, self._product(cols.T, gy.reshape(len(cols), -1), gw.reshape(cols.shape[1], -1))]

    def _conv_transpose2d(self, gy: Array, w: Array, x: Array, options: dict[str, Any]) -> list[Call]:
        shape = (*gy.shape[:3], *w.shape[:3])
        rows, columns = windows_by_taps(shape)
        (cols,) = self._borrow([(shape, x.dtype)])
        multiply = self._product(gy.reshape(rows, -1), w.reshape(columns, -1).T, cols.reshape(rows, columns))
        add = functools.partial(kernels.col2im, cols, options["size"], options["stride"], options["padding"], x)
        return [multiply, add]

    def _columns(self, x: Array, shape: tuple[int, ...], options: dict[str, Any]) -> tuple[list[Call], Array]:
        """What lays the windows of x side by side in scratch memory, and this as a matrix: a row a window.

        Nothing, if they lie there: the gradients of a transposed convolution read the same windows.
        """
        held = address(x), x.dtype, shape, options["stride"], options["padding"]
        (cols,), before = self._borrow([(shape, x.dtype)]), self._held
        gather = functools.partial(kernels.im2col, x, shape[3:5], options["stride"], options["padding"], cols)
        self._held = held
        return [] if before == held else [gather], cols.reshape(windows_by_taps(shape))

    def _single(self, instruction: Instruction) -> Call:
        if instruction.op == "matmul":
            return self._product(*(self.plan[v] for v in (*instruction.values, instruction.result)))
        return super()._single(instruction)

    def _product(self, a: Array, b: Array, out: Array) -> Call:
        products = self._launches and self._launches.products
        call = products.product(a, b, out) if products else None
        return call or functools.partial(self.xp.matmul, a, b, out=out)

    def _fused(self, instruction: Instruction) -> list[Call]:
        return self._beside([instruction])

    def _beside(self, loops: Sequence[Instruction]) -> list[Call]:
        """One launch for all that some loops make; none, if it is empty."""
        kernel = kernel_of(loops, self.plan.arrays) if self._kernels else None
        if kernel is None or self._kernels is None:
            if any(v.op == "call" for loop in loops for v in loop.values):
                self._stay_single("a loop of a dtype that kernels don't take reads numbers of the step")
            return [LoopsByCalls(loops, self.plan.arrays, self.numbers)]
        params = kernel.params
        partial = self._borrow([((n,), dtype) for dtype, n in params.partial])
        tickets = [self.xp.zeros(params.tickets, np.uint32)] * (params.tickets > 0)
        arrays = [self.plan[v] for v in (*params.read, *params.written)]
        numbers = [self.numbers.array(v, kind) for v, kind in params.numbers]
        return [self._kernels.call(kernel, [*arrays, *numbers, *partial, *tickets])] if kernel.blocks else []

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


class Kernels:
    """The kernels of a program, compiled together when the first is called."""

    def __init__(self, xp: Any):
        self._xp, self._kernels = xp, list[Kernel]()
        self._functions: dict[str, Any] = {}

    def call(self, kernel: Kernel, arguments: list[Any]) -> Call:
        """What launches a kernel."""
        self._kernels.append(kernel)
        return functools.partial(self._launch, kernel.name, (kernel.blocks,), (THREADS,), tuple(arguments))

    def _launch(self, name: str, *launch: Any) -> None:
        if not self._functions:
            module = self._xp.RawModule(code=source_of(self._kernels))
            self._functions = {kernel.name: module.get_function(kernel.name) for kernel in self._kernels}
        self._functions[name](*launch)


class LoopsByCalls:
    """Loops without a kernel: what their members mean, one after the other, for dtypes that kernels do not take.

    All is read before anything is written, as loops run in any order.
    """

    def __init__(self, loops: Sequence[Instruction], arrays: dict[Value, Array], numbers: DeviceNumbers):
        self._loops, self._arrays, self._numbers = loops, arrays, numbers
        for draw in (m for loop in loops for m in loop.body if m.op in DRAWS):
            numbers.array(draw.result, np.uint64)

    def __call__(self) -> None:
        made = [(v, y) for loop in self._loops for v, y in self._made(loop).items() if v in loop.results]
        for value, y in made:
            self._arrays[value][...] = y

    def _made(self, loop: Instruction) -> dict[Value, Any]:
        xp, made = device_module("cuda"), dict[Value, Any]()

        def element(x: Any) -> Any:
            if not isinstance(x, Value):
                return x
            if x.op == "full":
                return x.dtype.type(x.maker.options["value"])
            return made[x] if x in made else self._numbers.now[x] if x.op == "call" else self._arrays[x]

        def whole(x: Value) -> Any:
            return xp.full(x.shape, x.maker.options["value"], x.dtype) if x.op == "full" else element(x)

        for member in loop.body:
            op, y = member.op, member.result
            if op in DRAWS:
                first = self._numbers.array(y, np.uint64)
                made[y] = fill_from(first, op, xp.empty(y.shape, y.dtype), *(member.operands if op != "normal" else ()))
            elif op == "sum":
                made[y] = kernels.total_into(
                    whole(member.operands[0]), member.options["axes"], xp.empty(y.shape, y.dtype)
                )
            else:
                given = map(element if op in ELEMENTWISE else whole, member.operands)
                made[y] = xp.asarray(definition(op, xp)(*given, **member.options)).astype(y.dtype, copy=False)
        return made


def _are_matrices(arrays: Sequence[Array]) -> bool:
    """Whether what a convolution reads, and makes, can be seen as matrices of a dtype that the kernels take."""
    *_, made = arrays
    return made.flags.c_contiguous and all(a.dtype == made.dtype and a.dtype.char in "fd" for a in arrays)


def _read_as_arrays(program: Program) -> set[Value]:
    """The values that something else than a loop reads."""
    found = {v.root for v in (*program.outputs, *program.updates.values())}
    for i in program.instructions:
        found.update(v.root for v in (i.values if i.op not in GROUPS else ()))
    return found | {v.root for i in program.instructions for v in i.values if v.op in VIEWS}
