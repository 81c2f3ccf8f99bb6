"""Tracing: a step runs once with arrays that hold no numbers, and what it does is written down as a program.

Nobody has to know: rules, ops, layers, optimisers and models ask `array_module(x)` for the functions to call, and get a
module that notes every call. Nothing is computed, so a trace takes milliseconds and changes nothing. Whoever wants to
see a number is refused, by name: it would be frozen into the program.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import Array, is_array
from ..kernels.reference_conv import output_size
from ..optim import Optimizer
from ..places import lines_above
from ..tracing import Untraceable, paused
from .held import MISSING
from .memory import address, flattened, likeness, outer_first, outermost, shadow, standing
from .module import MODULE
from .numbers import Number
from .program import VIEWS, Instruction, Program, Value
from .traced import Storage, Traced, like_of


class Trace:
    """What a step did, as it was written down: a program in the making."""

    def __init__(self, name: str = "step", device: str = "cpu", variants: dict[Callable[[], Any], Any] | None = None):
        self.name, self.device = name, device
        self.variants = {} if variants is None else variants  # the answers of `variant` for this program
        self.instructions: list[Instruction] = []
        self.inputs: list[Value] = []
        self.arrays: dict[Value, Any] = {}
        self.optimizers: set[int] | None = None  # the ids of those that are known; None: all
        self.live: list[tuple[Any, str]] = []  # attributes that a call changes: (those of an object, a name)
        self._states: list[Traced] = []
        self._parts: dict[Any, Traced] = {}
        self._constants: dict[int, Value] = {}

    module = MODULE

    def emit(self, op: str, operands: tuple[Any, ...], like: np.ndarray, options: Any = None, name: str = "") -> Value:
        """Write down an instruction; returns its value."""
        instruction = Instruction(op, operands, options or {}, place=lines_above(sys._getframe(1)))
        owned = op in VIEWS or op in ("state", "constant")
        instruction.results = [Value(like if owned else shadow(like), instruction, name)]
        self.instructions.append(instruction)
        return instruction.result

    def array(self, value: Value) -> Traced:
        """A traced array with memory of its own."""
        return Traced(self, value.like, Storage(value))

    def traced(self, op: str, operands: tuple[Any, ...], like: np.ndarray, **options: Any) -> Traced:
        """The array that an instruction makes."""
        return self.array(self.emit(op, tuple(self.operand(x) for x in operands), like, options))

    def operand(self, x: Any) -> Any:
        """x as an instruction takes it: a Value, or a Python number."""
        if isinstance(x, (Traced, Number)):
            return x.value
        if isinstance(x, np.generic) or is_array(x):  # before float, which np.float64 is, too
            return self._constant(x)
        if isinstance(x, (bool, int, float)):
            return x
        raise Untraceable(f"a {type(x).__name__} takes part in arithmetic with arrays")

    def as_traced(self, x: Any) -> Traced:
        """An array or number as a traced array."""
        return x if isinstance(x, Traced) else self.array(self._constant(x))

    def _constant(self, x: Any) -> Value:
        """An array from outside of the step."""
        value = self._constants.get(id(x))
        if value is None:
            x = x if is_array(x) else np.asarray(x)
            place, states = standing(x), (v for v in self.arrays if v.op == "state")
            shared = next((s for s in states if np.may_share_memory(standing(self.arrays[s]), place)), None)
            if shared is not None and x.size:
                raise Untraceable(f"the step uses an array in the memory of {shared!r}, but not as that")
            value = self.emit("constant", (), likeness(x))
            self._constants[id(x)], self.arrays[value] = value, x
        return value

    # What the step is given

    def input(self, x: Any, name: str) -> Traced:
        """An array of the batch."""
        value = self.emit("input", (), np.empty_like(likeness(x), subok=False), name=name)
        self.inputs.append(value)
        return self.array(value)

    def states(self, held: Sequence[tuple[Array, str]]) -> list[Traced]:
        """Arrays that outlive the step, given with their names. What shares memory is one state."""
        roots, made = dict[Any, Traced](), list[Traced]()
        for (x, name), (begin, whole, whole_name) in zip(held, outermost(held), strict=True):
            root = roots.get(begin)
            if root is None:
                flat = flattened(whole)
                memory = whole if flat is None else flat
                value = self.emit("state", (), likeness(memory), name=whole_name)
                root = roots[begin] = Traced(self, value.like, Storage(value, value))
                self.arrays[value] = memory
                self._states.append(root)
            made.append(self._part_of(root, x, name))
        return made

    def _part_of(self, root: Traced, x: Array, name: str) -> Traced:
        """A state's array: its memory, or a view of a piece of that."""
        key = address(x), x.shape, x.strides, x.dtype
        if (found := self._parts.get(key)) is not None:
            return found
        flat, part = flattened(x), root
        if x.dtype != root.dtype or ((flat is None or root.ndim != 1) and x.strides != root.strides):
            raise Untraceable(f"{name} shares memory with another array, which lies in it in another way")
        if flat is not None and root.ndim == 1:
            if x.size != root.size:
                first = (address(x) - address(self.arrays[root.value])) // x.itemsize
                part = root[first : first + x.size]
            order = outer_first(x)
            part = part.reshape([x.shape[a] for a in order]).transpose(np.argsort(order).tolist())
        self._parts[key] = part
        return part

    # What it does

    def elementwise(self, name: str, *operands: Any) -> Traced:
        """A function of NumPy by which each element of the result depends on one of each operand."""
        values = tuple(self.operand(x) for x in operands)
        return self.array(self.emit(name, values, _result_like(name, values)))

    def filled(self, like: np.ndarray, number: Any) -> Traced:
        """An array of this kind with one number everywhere."""
        return self.traced("full", (), like, value=like.dtype.type(number).item())

    def fitted(self, value: Any, like: np.ndarray) -> Value:
        """value, broadcast and cast to an array of this kind."""
        if _is_known_number(value):
            return self.filled(np.empty_like(like), value).value
        if isinstance(value, Number):
            value = self.elementwise("add", MODULE.zeros((), like.dtype), value)
        x = MODULE.broadcast_to(self.as_traced(value).astype(like.dtype, copy=False), like.shape)
        return x.value if x.strides == like.strides else self.emit("copy", (x.value,), np.empty_like(like))

    def matmul(self, a: Any, b: Any) -> Traced:
        a, b = self.as_traced(a), self.as_traced(b)
        if b.ndim == 1:
            y = self.matmul(a, b.reshape(-1, 1))
            return y.reshape(y.shape[:-1])
        if a.ndim == 1:
            y = self.matmul(a.reshape(1, -1), b)
            return y.reshape((*y.shape[:-2], y.shape[-1]))
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        return self.traced("matmul", (a, b), np.empty(shape, np.result_type(a.dtype, b.dtype)))

    def conv2d(self, x: Any, w: Any, stride: Any, padding: Any) -> Traced:
        size = output_size(x.shape[1:3], w.shape[:2], stride, padding)
        like = self._images((x.shape[0], *size, w.shape[3]), x.dtype)
        return self.traced("conv2d", (x, w), like, stride=stride, padding=padding)

    def conv_transpose2d(self, gy: Any, w: Any, stride: Any, padding: Any, size: Any) -> Traced:
        like = self._images((gy.shape[0], *size, w.shape[2]), gy.dtype)
        return self.traced("conv_transpose2d", (gy, w), like, stride=stride, padding=padding, size=size)

    def conv2d_weight_grad(self, x: Any, gy: Any, kernel_size: Any, stride: Any, padding: Any) -> Traced:
        like = np.empty((*kernel_size, x.shape[3], gy.shape[3]), x.dtype)
        options = {"kernel_size": tuple(kernel_size), "stride": stride, "padding": padding}
        return self.traced("conv2d_weight_grad", (x, gy), like, **options)

    def _images(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Images (N, H, W, C) as convolutions make them: on the CPU they lie in memory as H, N, W, C."""
        n, h, w, c = shape
        return np.empty((h, n, w, c), dtype).swapaxes(0, 1) if self.device == "cpu" else np.empty(shape, dtype)

    def put(self, x: Traced, op: str, value: Any, form: Any, arrays: Sequence[Any]) -> None:
        """x[index] = value or x[index] += value for an index with arrays."""
        x.write(self.traced(op, (x, self.as_traced(value), *arrays), np.empty_like(x.like), index=form))

    def call(self, function: Callable[..., Any], numbers: tuple[Any, ...]) -> Any:
        """A function of numbers, called now and in each step."""
        if any(isinstance(n, Traced) for n in numbers):
            raise Untraceable("per_step takes numbers, not arrays")
        given = tuple(n.value if isinstance(n, Number) else n for n in numbers)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, Optimizer) and self.optimizers is not None and id(owner) not in self.optimizers:
            what = f"{type(owner).__name__}({len(owner.params)} tensors)"
            raise Untraceable(f"the step uses {what}, which is not among what it is known to hold")
        before = dict(getattr(owner, "__dict__", ()))
        with paused():
            now = function(*(n.now if isinstance(n, Number) else n for n in numbers))
        after = getattr(owner, "__dict__", {})
        self.live += [(after, name) for name, x in [*after.items()] if before.get(name, MISSING) is not x]
        several = now if isinstance(now, tuple) else (now,)
        instruction = Instruction("call", given, {"function": function}, place=lines_above(sys._getframe(1)))
        instruction.results = [Value(np.empty(()), instruction) for _ in several]
        self.instructions.append(instruction)
        made = tuple(Number(self, v, n) for v, n in zip(instruction.results, several, strict=True))
        return made if isinstance(now, tuple) else made[0]

    def variant(self, function: Callable[[], Any]) -> Any:
        """Which kind of step this is: the answer for which the program is written, the same in each trace."""
        if function not in self.variants:
            with paused():
                self.variants[function] = function()
        return self.variants[function]

    def draw(self, generator: Any, op: str, like: np.ndarray, *numbers: Any) -> Traced:
        """A draw of random numbers: from this generator, at this place among its draws."""
        return self.traced(op, numbers, like, generator=generator)

    def layout_of(self, x: Any, dtype: Any, shape: Sequence[int]) -> np.ndarray:
        """An array laid out as x is, of another dtype and perhaps more examples."""
        return np.empty_like(like_of(x), dtype, shape=shape)

    def mean_of_processes(self, x: Any, group: Any) -> Traced:
        """The mean of an array over the processes of a group."""
        return self.traced("mean_of_processes", (x,), np.empty(x.shape, x.dtype), group=group)

    def program(self, outputs: Sequence[Any]) -> Program:
        """The program, given what the step returned."""
        returned = [self.as_traced(x).value for x in outputs]
        states = [root.storage for root in self._states]
        updates = {s.state: s.value for s in states if s.state is not None and s.value is not s.state}
        return Program(self.instructions, self.inputs, updates, returned, self.arrays, self.name)


def _is_known_number(x: Any) -> bool:
    """Whether it is one number of the host, which can stand in the program."""
    return (isinstance(x, np.ndarray) or not (is_array(x) or isinstance(x, Number))) and np.ndim(x) == 0


def _result_like(name: str, operands: tuple[Any, ...]) -> np.ndarray:
    """The result of a function of elements: its shape, dtype and layout are those that NumPy would choose."""
    kinds = [(x.dtype if x.op != "call" else float) if isinstance(x, Value) else type(x) for x in operands]
    if name == "where":
        dtype = np.result_type(*(k if isinstance(k, np.dtype) else k(0) for k in kinds[1:]))
    else:
        kinds = [np.dtype(bool) if k is bool else k for k in kinds]
        dtype = getattr(np, name).resolve_dtypes((*kinds, None))[-1]
    arrays = [x.like for x in operands if isinstance(x, Value)]
    flags = [*[["readonly"]] * len(arrays), ["writeonly", "allocate"]]
    iterator: Any = np.nditer
    made = iterator([*arrays, None], ["zerosize_ok"], flags, [*[None] * len(arrays), dtype], order="K")
    return made.operands[-1]
