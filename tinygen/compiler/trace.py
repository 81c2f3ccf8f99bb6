"""Tracing: arrays that hold no numbers. What is done with them is written down as a program.

A step runs once with these in place of its arrays. Nobody has to know: rules, ops, layers, optimisers and models ask
`array_module(x)` for the functions to call, and get a module that notes every call. Nothing is computed, so a trace
takes milliseconds and changes nothing. Whoever wants to see a number is refused, by name: it would be frozen into the
program.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backend
from ..places import lines_above
from ..tracing import Untraceable, tracing
from .program import SOURCES, Instruction, Program, Value

_LIKE: Any = np.empty  # memory that is never touched takes no room


class Number:
    """A number that changes from step to step: its value in this step, and where a program computes it."""

    def __init__(self, trace: Trace, value: Value, now: Any):
        self.trace, self.value, self.now = trace, value, now

    def _refuse(self, *_: Any) -> Any:
        raise Untraceable(
            "a number that changes from step to step decides what Python does, or is lost in a function of Python's; "
            "compute with it in tracing.per_step(function, number)"
        )

    __bool__ = __float__ = __int__ = __index__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


def _number_operator(function: Callable[[Any, Any], Any], swapped: bool) -> Callable[[Number, Any], Any]:
    def apply(x: Number, other: Any) -> Any:
        if not isinstance(other, (int, float, Number)):
            return NotImplemented
        return x.trace.call(function, (other, x) if swapped else (x, other))

    return apply


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Number, f"__{_name}__", _number_operator(getattr(operator, _name), False))
    setattr(Number, f"__r{_name}__", _number_operator(getattr(operator, _name), True))
Number.__neg__ = lambda x: x.trace.call(operator.neg, (x,))  # type: ignore[attr-defined]


class Storage:
    """Memory that traced arrays share: the value that it has now, and the state that it had before the step, if any."""

    def __init__(self, value: Value, state: Value | None = None):
        self.value, self.state = value, state


class Traced:
    """An array in a trace: a shape, a dtype, a layout, and the value that it has now.

    like: an array with this shape, dtype and layout; its elements mean nothing.  parent, view: if it is a view, of
    what, and by which op and options.
    """

    __slots__ = ("_of", "_value", "base", "like", "parent", "storage", "trace", "view_by")
    __array_ufunc__ = None
    __hash__ = object.__hash__

    def __init__(self, trace: Trace, like: np.ndarray, storage: Storage, parent: Any = None, view_by: Any = None):
        self.trace, self.like, self.storage, self.parent, self.view_by = trace, like, storage, parent, view_by
        self.base = None if parent is None else parent if parent.base is None else parent.base
        self._of: Any = None
        self._value: Any = None

    @property
    def value(self) -> Value:
        """The value that it has now; of a view, read from that of its memory."""
        if self.parent is None:
            return self.storage.value
        if self._of is not self.storage.value:
            op, options = self.view_by
            self._value = self.trace.emit(op, (self.parent.value,), self.like, options)
            self._of = self.storage.value
        return self._value

    shape = property(lambda x: x.like.shape)
    dtype = property(lambda x: x.like.dtype)
    ndim = property(lambda x: x.like.ndim)
    size = property(lambda x: x.like.size)
    itemsize = property(lambda x: x.like.itemsize)
    nbytes = property(lambda x: x.like.nbytes)
    strides = property(lambda x: x.like.strides)
    flags = property(lambda x: x.like.flags)
    T = property(lambda x: x.transpose())

    def __len__(self) -> int:
        return len(self.like)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise Untraceable("the step looks at the elements of an array, which a compiled step can't wait for")

    __bool__ = __float__ = __int__ = __index__ = __array__ = __contains__ = item = tolist = get = nonzero = _refuse

    # Views

    def _view(self, op: str, like: np.ndarray, **options: Any) -> Traced:
        """A view by this op, or if NumPy had to copy, a view of a copy."""
        if np.may_share_memory(like, self.like) or not like.size:
            return Traced(self.trace, like, self.storage, self, (op, options))
        copy = self.copy()
        return copy._view(op, getattr(copy.like, op)(*options.values()), **options)

    def reshape(self, *shape: Any) -> Traced:
        wanted = shape[0] if len(shape) == 1 else shape
        like = self.like.reshape(wanted)
        return self if like.shape == self.shape else self._view("reshape", like, shape=like.shape)

    def ravel(self, order: str = "C") -> Traced:
        return self.reshape(-1)

    def transpose(self, *axes: Any) -> Traced:
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = tuple(range(self.ndim))[::-1] if axes[0] is None else tuple(axes[0])
        axes = tuple(a % self.ndim for a in axes) or tuple(range(self.ndim))[::-1]
        return self if axes == tuple(range(self.ndim)) else self._view("transpose", self.like.transpose(axes), axes=axes)

    def swapaxes(self, axis1: int, axis2: int) -> Traced:
        axes = list(range(self.ndim))
        axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
        return self.transpose(axes)

    def squeeze(self, axis: Any = None) -> Traced:
        return self.reshape(self.like.squeeze(axis).shape)

    def view(self, dtype: Any = None) -> Traced:
        if dtype is None or np.dtype(dtype) == self.dtype:
            return Traced(self.trace, self.like.view(), self.storage, self, ("reshape", {"shape": self.shape}))
        return Traced(self.trace, self.like.view(dtype), self.storage, self, ("bitcast", {"dtype": np.dtype(dtype)}))

    def __getitem__(self, index: Any) -> Traced:
        form, arrays = _taken_apart(index)
        if not arrays:
            like = self.like[form if ... in form else (*form, ...)]  # never a scalar
            if like.shape == self.shape and like.strides == self.strides and form:
                return self
            return Traced(self.trace, like, self.storage, self, ("getitem", {"index": form}))
        places = [_places(self.trace.operand(a)) for a in arrays]
        like = _LIKE(np.broadcast_to(np.int8(0), self.shape)[_joined(form, places)].shape, self.dtype)
        return self.trace.traced("take", (self, *arrays), like, index=form)

    # Writing

    def __setitem__(self, index: Any, value: Any) -> None:
        form, arrays = _taken_apart(index)
        if arrays:
            self.trace.put(self, "put_at", value, form, arrays)
            return
        target = self if form in ((), (...,)) else self[index]
        if not (isinstance(value, Traced) and value.storage is self.storage and value.like is target.like):
            target.write(value)

    def write(self, value: Any) -> None:
        """Give it, and the memory that it is part of, another value, broadcast and cast to fit."""
        trace = self.trace
        new = trace.fitted(value, self.like)
        if self.parent is None:
            if self.storage.state is not None and new.op not in SOURCES and new.state is None:
                new.state = self.storage.state
            self.storage.value = new
        elif (like := self.parent.like).shape == self.shape and like.strides == self.strides:
            self.parent.write(trace.array(new))
        elif like.size == self.size and self.view_by[0] == "reshape":
            self.parent.write(trace.array(new).reshape(like.shape))
        elif like.size == self.size and self.view_by[0] == "transpose":
            self.parent.write(trace.array(new).transpose(np.argsort(self.view_by[1]["axes"]).tolist()))
        elif self.view_by[0] == "getitem":
            index = self.view_by[1]["index"]
            self.parent.write(trace.traced("put", (self.parent, trace.array(new)), _like(self.parent.like), index=index))
        else:
            raise Untraceable(f"an array is written to through its {self.view_by[0]}; write to the array itself")

    def fill(self, value: Any) -> None:
        self.write(value)

    # Other methods of arrays

    def astype(self, dtype: Any, copy: bool = True, **_: Any) -> Traced:
        if np.dtype(dtype) == self.dtype:
            return self.copy() if copy else self
        return self.trace.traced("astype", (self,), np.empty_like(self.like, dtype), dtype=np.dtype(dtype))

    def copy(self, order: str = "C") -> Traced:
        return self.trace.traced("copy", (self,), _LIKE(self.shape, self.dtype))

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Traced:
        if dtype is None:
            dtype = np.add.reduce(np.zeros(1, self.dtype)).dtype
        return self._reduce("sum", axis, keepdims, np.dtype(dtype))

    def max(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._reduce("max", axis, keepdims, self.dtype)

    def min(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._reduce("min", axis, keepdims, self.dtype)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Traced:
        y = self.sum(axis, dtype or np.result_type(self.dtype, 1.0), keepdims)
        return y / (self.size // max(y.size, 1))

    def argmax(self, axis: int | None = None) -> Traced:
        like = _LIKE(() if axis is None else np.delete(self.shape, axis).tolist(), np.intp)
        return self.trace.traced("argmax", (self,), like, axis=axis)

    def cumsum(self, axis: int | None = None, dtype: Any = None) -> Traced:
        x = self.reshape(-1) if axis is None else self
        like = _LIKE(x.shape, dtype or np.add.accumulate(np.zeros(1, self.dtype)).dtype)
        return self.trace.traced("cumsum", (x,), like, axis=(axis or 0) % max(x.ndim, 1))

    def clip(self, min: Any = None, max: Any = None) -> Traced:
        return MODULE.clip(self, min, max)

    def _reduce(self, op: str, axis: Any, keepdims: bool, dtype: np.dtype[Any]) -> Traced:
        """Along axes as a tuple; those that are kept come back by a reshape."""
        axes = range(self.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = tuple(sorted(a % self.ndim for a in axes)) if self.ndim else ()
        left = [n for a, n in enumerate(self.shape) if a not in axes]
        y = self.trace.traced(op, (self,), _LIKE(left, dtype), axes=axes)
        return y.reshape([1 if a in axes else n for a, n in enumerate(self.shape)]) if keepdims else y


def _operator(name: str, swapped: bool = False) -> Callable[..., Any]:
    def apply(x: Traced, other: Any) -> Any:
        if backend.is_tensor(other):
            return NotImplemented
        operands = (other, x) if swapped else (x, other)
        return x.trace.matmul(*operands) if name == "matmul" else x.trace.elementwise(name, *operands)

    return apply


def _in_place(name: str) -> Callable[..., Any]:
    def apply(x: Traced, other: Any) -> Traced:
        x.write(x.trace.elementwise(name, x, other))
        return x

    return apply


_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power", "mod": "remainder",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
    "floordiv": "floor_divide",
}  # fmt: skip
_COMPARE = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
for _short, _name in _BINARY.items():
    setattr(Traced, f"__{_short}__", _operator(_name))
    setattr(Traced, f"__r{_short}__", _operator(_name, swapped=True))
    setattr(Traced, f"__i{_short}__", _in_place(_name))
for _short, _name in _COMPARE.items():
    setattr(Traced, f"__{_short}__", _operator(_name))
for _short, _name in {"neg": "negative", "abs": "absolute", "invert": "invert"}.items():
    setattr(Traced, f"__{_short}__", lambda x, name=_name: x.trace.elementwise(name, x))
Traced.__matmul__ = _operator("matmul")  # type: ignore[attr-defined]
Traced.__rmatmul__ = _operator("matmul", swapped=True)  # type: ignore[attr-defined]


class Ufunc:
    """A function of NumPy that works element by element, in a trace."""

    def __init__(self, trace: Trace, name: str):
        self._trace, self.__name__ = trace, name

    def __call__(self, *operands: Any, out: Any = None, dtype: Any = None) -> Any:
        y = self._trace.elementwise(self.__name__, *operands)
        y = y if dtype is None else y.astype(dtype, copy=False)
        if out is None:
            return y
        out.write(y)
        return out

    def at(self, x: Traced, index: Any, value: Any) -> None:
        """x[index] op= value, where an index that comes twice counts twice; for add alone."""
        if self.__name__ != "add":
            raise Untraceable(f"{self.__name__}.at is not among what a program knows")
        form, arrays = _taken_apart(index)
        self._trace.put(x, "add_at", value, form, arrays)


_WHOLE = ("conv2d", "conv_transpose2d", "conv2d_weight_grad")  # kernels that a program has as one instruction


class TracedModule:
    """The array module of traced arrays: NumPy's functions as far as ops, kernels, optimisers and models use them."""

    __name__ = "traced"
    ndarray = Traced

    @property
    def _trace(self) -> Trace:
        return tracing()

    @property
    def device(self) -> str:
        """Where the arrays that stand behind the trace live."""
        return self._trace.device

    def __getattr__(self, name: str) -> Any:
        it = getattr(np, name, None)
        if isinstance(it, np.ufunc):
            return Ufunc(self._trace, it.__name__)
        if isinstance(it, (type, int, float, type(None))) and hasattr(np, name):
            return it
        raise Untraceable(f"xp.{name} is not among the functions that a program knows")

    def kernel(self, definition: Callable[..., Any]) -> Callable[..., Any]:
        """What stands for a kernel in a trace: one instruction for a convolution; else its definition is traced."""
        name = definition.__name__
        return getattr(self._trace, name) if name in _WHOLE else definition

    # New arrays

    def full(self, shape: Any, value: Any, dtype: Any = None) -> Traced:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        like = _LIKE(shape, np.asarray(value).dtype if dtype is None else dtype)
        return self._trace.traced("full", (), like, value=like.dtype.type(value).item())

    def zeros(self, shape: Any, dtype: Any = np.float64) -> Traced:
        return self.full(shape, 0, dtype)

    empty = zeros

    def ones(self, shape: Any, dtype: Any = np.float64) -> Traced:
        return self.full(shape, 1, dtype)

    def full_like(self, x: Any, value: Any, dtype: Any = None) -> Traced:
        return self._trace.traced("full", (), np.empty_like(_like_of(x), dtype), value=value)

    def zeros_like(self, x: Any, dtype: Any = None) -> Traced:
        return self.full_like(x, 0, dtype)

    empty_like = zeros_like

    def ones_like(self, x: Any, dtype: Any = None) -> Traced:
        return self.full_like(x, 1, dtype)

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        if isinstance(x, Traced):
            return x if dtype is None else x.astype(dtype, copy=False)
        return np.asarray(x, dtype)

    array = asarray

    def ascontiguousarray(self, x: Any) -> Any:
        return x if x.flags.c_contiguous else x.copy()

    arange, eye = staticmethod(np.arange), staticmethod(np.eye)  # constants

    # Where elements stand

    def broadcast_to(self, x: Any, shape: Any) -> Any:
        x = self._trace.as_traced(x)
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return x if x.shape == shape else x._view("broadcast_to", np.broadcast_to(x.like, shape), shape=shape)

    def moveaxis(self, x: Traced, source: Any, destination: Any) -> Traced:
        numbered = np.moveaxis(np.empty(range(2, 2 + x.ndim), np.int8), source, destination).shape
        return x.transpose([n - 2 for n in numbered])

    def expand_dims(self, x: Traced, axis: Any) -> Traced:
        return x.reshape(np.expand_dims(x.like, axis).shape)

    def flip(self, x: Traced, axis: Any = None) -> Traced:
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        turned = {a % x.ndim for a in axes}
        return x[tuple(slice(None, None, -1) if a in turned else slice(None) for a in range(x.ndim))]

    def concatenate(self, xs: Sequence[Any], axis: int = 0) -> Traced:
        xs = [self._trace.as_traced(x) for x in xs]
        axis %= xs[0].ndim
        shape = list(xs[0].shape)
        shape[axis] = sum(x.shape[axis] for x in xs)
        if any((*x.shape[:axis], *x.shape[axis + 1 :]) != (*shape[:axis], *shape[axis + 1 :]) for x in xs):
            raise ValueError(f"concatenate: shapes {[x.shape for x in xs]} differ beside axis {axis}")
        like = _LIKE(shape, np.result_type(*(x.dtype for x in xs)))
        return self._trace.traced("concatenate", tuple(xs), like, axis=axis)

    def stack(self, xs: Sequence[Any], axis: int = 0) -> Traced:
        xs = [self._trace.as_traced(x) for x in xs]
        return self.concatenate([self.expand_dims(x, axis) for x in xs], axis)

    def pad(self, x: Traced, widths: Any, mode: str = "constant", constant_values: Any = 0) -> Traced:
        if mode != "constant":
            raise Untraceable(f"pad: mode {mode!r} is not among what a program knows")
        widths = np.broadcast_to(np.asarray(widths), (x.ndim, 2)).tolist()
        shape = [before + n + after for n, (before, after) in zip(x.shape, widths, strict=True)]
        y = self.full(shape, constant_values, x.dtype)
        y[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))] = x
        return y

    # Functions of elements that are no ufuncs, and products

    def where(self, condition: Any, a: Any, b: Any) -> Traced:
        return self._trace.elementwise("where", condition, a, b)

    def clip(self, x: Any, min: Any = None, max: Any = None) -> Any:
        x = x if min is None else self.maximum(x, min)
        return x if max is None else self.minimum(x, max)

    def einsum(self, subscripts: str, a: Any, b: Any) -> Traced:
        left, right, out = subscripts.replace("->", ",").split(",")
        lengths = dict(zip(left + right, (*a.shape, *b.shape), strict=True))
        like = _LIKE([lengths[letter] for letter in out], np.result_type(a.dtype, b.dtype))
        return self._trace.traced("einsum", (a, b), like, subscripts=subscripts)


MODULE = TracedModule()
backend.register(Traced, MODULE)


class Trace:
    """What a step did, as it was written down: a program in the making."""

    def __init__(self, name: str = "step", device: str = "cpu"):
        self.name, self.device = name, device
        self.instructions: list[Instruction] = []
        self.inputs: list[Value] = []
        self.arrays: dict[Value, Any] = {}
        self._states: dict[tuple[int, int], Traced] = {}
        self._constants: dict[int, Value] = {}

    module = MODULE

    def emit(self, op: str, operands: tuple[Any, ...], like: np.ndarray, options: Any = None, name: str = "") -> Value:
        """Write down an instruction; returns its value."""
        instruction = Instruction(op, operands, options or {}, place=lines_above(sys._getframe(1))[:1])
        instruction.results = [Value(like, instruction, name)]
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
        if isinstance(x, Traced):
            return x.value
        if isinstance(x, Number):
            return x.value
        if isinstance(x, (bool, int, float)):
            return x
        if isinstance(x, (np.ndarray, np.generic)):
            return self._constant(x)
        raise Untraceable(f"a {type(x).__name__} takes part in arithmetic with arrays")

    def as_traced(self, x: Any) -> Traced:
        """An array or number as a traced array."""
        return x if isinstance(x, Traced) else self.array(self._constant(np.asarray(x)))

    def _constant(self, x: Any) -> Value:
        """An array from outside of the step."""
        value = self._constants.get(id(x))
        if value is None:
            x = np.asarray(x)
            value = self.emit("constant", (), x)
            self._constants[id(x)], self.arrays[value] = value, x
        return value

    # What the step is given

    def input(self, x: Any, name: str) -> Traced:
        """An array of the batch."""
        value = self.emit("input", (), _LIKE(x.shape, x.dtype), name=name)
        self.inputs.append(value)
        return self.array(value)

    def state(self, x: np.ndarray, name: str) -> Traced:
        """An array that outlives the step: what lies in its memory. Two arrays of one memory are one state."""
        flat = x.reshape(-1) if x.flags.c_contiguous else x
        where = (flat.__array_interface__["data"][0], flat.nbytes)
        root = self._states.get(where)
        if root is None:
            value = self.emit("state", (), flat, name=name)
            root = self._states[where] = Traced(self, flat, Storage(value, value))
            self.arrays[value] = flat
        return root if root.shape == x.shape else root.reshape(x.shape)

    # What it does

    def elementwise(self, name: str, *operands: Any) -> Traced:
        """A function of NumPy by which each element of the result depends on one of each operand."""
        values = tuple(self.operand(x) for x in operands)
        return self.array(self.emit(name, values, _result_like(name, values)))

    def fitted(self, value: Any, like: np.ndarray) -> Value:
        """value, broadcast and cast to an array of this kind."""
        if not isinstance(value, Traced) and np.ndim(_like_of(value)) == 0 and not isinstance(value, Number):
            return self.emit("full", (), _like(like), {"value": like.dtype.type(value).item()})
        if isinstance(value, Number):
            value = self.elementwise("add", MODULE.zeros((), like.dtype), value)
        x = MODULE.broadcast_to(self.as_traced(value).astype(like.dtype, copy=False), like.shape)
        return x.value if x.strides == like.strides else self.emit("copy", (x.value,), _like(like))

    def matmul(self, a: Any, b: Any) -> Traced:
        a, b = self.as_traced(a), self.as_traced(b)
        if b.ndim == 1:
            y = self.matmul(a, b.reshape(-1, 1))
            return y.reshape(y.shape[:-1])
        if a.ndim == 1:
            y = self.matmul(a.reshape(1, -1), b)
            return y.reshape((*y.shape[:-2], y.shape[-1]))
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        return self.traced("matmul", (a, b), _LIKE(shape, np.result_type(a.dtype, b.dtype)))

    def conv2d(self, x: Any, w: Any, stride: Any, padding: Any) -> Traced:
        from ..kernels.reference_conv import output_size

        size = output_size(x.shape[1:3], w.shape[:2], stride, padding)
        like = _images((x.shape[0], *size, w.shape[3]), x.dtype)
        return self.traced("conv2d", (x, w), like, stride=stride, padding=padding)

    def conv_transpose2d(self, gy: Any, w: Any, stride: Any, padding: Any, size: Any) -> Traced:
        like = _images((gy.shape[0], *size, w.shape[2]), gy.dtype)
        return self.traced("conv_transpose2d", (gy, w), like, stride=stride, padding=padding, size=size)

    def conv2d_weight_grad(self, x: Any, gy: Any, kernel_size: Any, stride: Any, padding: Any) -> Traced:
        like = _LIKE((*kernel_size, x.shape[3], gy.shape[3]), x.dtype)
        options = {"kernel_size": tuple(kernel_size), "stride": stride, "padding": padding}
        return self.traced("conv2d_weight_grad", (x, gy), like, **options)

    def put(self, x: Traced, op: str, value: Any, form: Any, arrays: Sequence[Any]) -> None:
        """x[index] = value or x[index] += value for an index with arrays."""
        x.write(self.traced(op, (x, self.as_traced(value), *arrays), _like(x.like), index=form))

    def call(self, function: Callable[..., Any], numbers: tuple[Any, ...]) -> Any:
        """A function of numbers, called now and in each step."""
        given = tuple(n.value if isinstance(n, Number) else n for n in numbers)
        now = function(*(n.now if isinstance(n, Number) else n for n in numbers))
        several = now if isinstance(now, tuple) else (now,)
        instruction = Instruction("call", given, {"function": function})
        instruction.results = [Value(np.empty(()), instruction) for _ in several]
        self.instructions.append(instruction)
        made = tuple(Number(self, v, n) for v, n in zip(instruction.results, several, strict=True))
        return made if isinstance(now, tuple) else made[0]

    def draw(self, generator: Any, op: str, like: np.ndarray, *numbers: Any, **options: Any) -> Traced:
        """A draw of random numbers: from this generator, at this place among its draws."""
        return self.traced(op, numbers, like, generator=generator, **options)

    def layout_of(self, x: Any, dtype: Any) -> np.ndarray:
        """An array laid out as x is, of another dtype."""
        return np.empty_like(_like_of(x), dtype)

    def program(self, outputs: Sequence[Any]) -> Program:
        """The program, given what the step returned."""
        returned = [self.as_traced(x).value for x in outputs]
        states = [root.storage for root in self._states.values()]
        updates = {s.state: s.value for s in states if s.state is not None and s.value is not s.state}
        return Program(self.instructions, self.inputs, updates, returned, self.arrays, self.name)


def _like(x: np.ndarray) -> np.ndarray:
    """An array of the same kind, with memory of its own."""
    return np.empty_like(x)


def _like_of(x: Any) -> Any:
    return x.like if isinstance(x, Traced) else x


def _images(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Images (N, H, W, C) that lie in memory as H, N, W, C, as convolutions make them."""
    n, h, w, c = shape
    return _LIKE((h, n, w, c), dtype).swapaxes(0, 1)


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
    made = np.nditer([*arrays, None], ["zerosize_ok"], flags, [*[None] * len(arrays), dtype], order="K")
    return made.operands[-1]


_ARRAY = "array"


def _taken_apart(index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """An index as a tuple with _ARRAY in place of each array, and the arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [p for p in parts if isinstance(p, (Traced, np.ndarray))]
    return tuple(_ARRAY if isinstance(p, (Traced, np.ndarray)) else p for p in parts), arrays


def _joined(form: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    rest = iter(arrays)
    return tuple(next(rest) if isinstance(p, str) else p for p in form)


def _places(value: Value) -> np.ndarray:
    """An index of the same shape, to see which shape it picks. Raises Untraceable for a mask, which picks by value."""
    if value.dtype.kind == "b":
        raise Untraceable("an array is indexed with a mask, so the shape of the result depends on values; use ops.where")
    return np.zeros(value.shape, np.intp)
