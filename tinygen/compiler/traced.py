"""Arrays that hold no numbers: what is done with them is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..kernels.sums import axes_of
from ..tracing import Untraceable, tracing
from .memory import likeness
from .program import SOURCES, Value

if TYPE_CHECKING:
    from .trace import Trace


class Storage:
    """Memory that traced arrays share: the value that it has now, and the state that it had before the step, if any."""

    def __init__(self, value: Value, state: Value | None = None):
        self.value, self.state = value, state


class Traced:
    """An array in a trace: a shape, a dtype, a layout, and the value that it has now.

    like: an array with this shape, dtype and layout; its elements mean nothing.  parent, view_by: if it is a view, of
    what, and by which op and options.
    """

    __slots__ = ("_of", "_value", "base", "like", "parent", "storage", "trace", "view_by")
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

    def __repr__(self) -> str:
        return self._refuse() if tracing() is self.trace else f"Traced({self.shape}, {self.dtype})"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, out: Any = (), **options: Any) -> Any:
        """NumPy's function, called on NumPy's arrays as well: x + traced, np.exp(traced)."""
        if any(map(backend.is_tensor, operands)):
            return NotImplemented
        if method == "at":
            return self.trace.module.ufunc(ufunc.__name__).at(*operands)
        if method != "__call__" or ufunc.nout != 1 or options or not all(isinstance(y, Traced) for y in out):
            where = "into an array that the step is not known to hold" if out else f"np.{ufunc.__name__}.{method}"
            raise Untraceable(f"the step computes {where}, which a program doesn't know")
        xp = self.trace.module
        y = xp.matmul(*operands) if ufunc is np.matmul else getattr(xp, ufunc.__name__)(*operands)
        if out:
            out[0].write(y)
        return out[0] if out else y

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        """np.sum(traced) and the like: the function of the trace's module of this name, or the method."""
        name = function.__name__
        if name in vars(type(self.trace.module)):
            return getattr(self.trace.module, name)(*arguments, **options)
        if isinstance(arguments[0], Traced) and not name.startswith("_") and name in vars(Traced):
            return getattr(arguments[0], name)(*arguments[1:], **options)
        raise Untraceable(f"np.{name} is not among the functions that a program knows")

    # Views

    def viewed(self, op: str, like: np.ndarray, **options: Any) -> Traced:
        """A view by this op, or if NumPy had to copy, a view of a copy."""
        if np.may_share_memory(like, self.like) or not like.size:
            return Traced(self.trace, like, self.storage, self, (op, options))
        copy = self.copy()
        return copy.viewed(op, getattr(copy.like, op)(*options.values()), **options)

    def reshape(self, *shape: Any) -> Traced:
        wanted = shape[0] if len(shape) == 1 else shape
        like = self.like.reshape(wanted)
        return self if like.shape == self.shape else self.viewed("reshape", like, shape=like.shape)

    def ravel(self, order: str = "C") -> Traced:
        if order != "C":
            raise Untraceable(f"ravel: order {order!r} is not among what a program knows")
        return self.reshape(-1)

    def transpose(self, *axes: Any) -> Traced:
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = tuple(range(self.ndim))[::-1] if axes[0] is None else tuple(axes[0])
        axes = tuple(a % self.ndim for a in axes) or tuple(range(self.ndim))[::-1]
        if axes == tuple(range(self.ndim)):
            return self
        return self.viewed("transpose", self.like.transpose(axes), axes=axes)

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
        form, arrays = taken_apart(index)
        if not arrays:
            view = self._part(form)
            return view if view.ndim or ... in form else view.copy()  # of one element, NumPy gives a scalar
        places = [_places(self.trace.operand(a)) for a in arrays]
        like = np.empty(np.broadcast_to(np.int8(0), self.shape)[joined(form, places)].shape, self.dtype)
        return self.trace.traced("take", (self, *arrays), like, index=form)

    def _part(self, form: tuple[Any, ...]) -> Traced:
        """A view by an index without arrays."""
        like = self.like[form if ... in form else (*form, ...)]  # never a scalar
        if like.shape == self.shape and like.strides == self.strides and form:
            return self
        return Traced(self.trace, like, self.storage, self, ("getitem", {"index": form}))

    # Writing

    def __setitem__(self, index: Any, value: Any) -> None:
        form, arrays = taken_apart(index)
        if arrays:
            self.trace.put(self, "put_at", value, form, arrays)
            return
        target = self._part(form)
        if not (isinstance(value, Traced) and value.storage is self.storage and _are_same(value.like, target.like)):
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
            self.parent.write(
                trace.traced("put", (self.parent, trace.array(new)), np.empty_like(self.parent.like), index=index)
            )
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
        return self.trace.traced("copy", (self,), np.empty(self.shape, self.dtype))

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Traced:
        if dtype is None:
            return self._reduce("sum", axis, keepdims, np.add.reduce(np.zeros(1, self.dtype)).dtype)
        return self.astype(dtype, copy=False)._reduce("sum", axis, keepdims, np.dtype(dtype))

    def max(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._reduce("max", axis, keepdims, self.dtype)

    def min(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._reduce("min", axis, keepdims, self.dtype)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Traced:
        y = self.sum(axis, dtype or np.result_type(self.dtype, 1.0), keepdims)
        return y / (self.size // max(y.size, 1))

    def argmax(self, axis: int | None = None) -> Traced:
        return self._place_of("argmax", axis)

    def argmin(self, axis: int | None = None) -> Traced:
        return self._place_of("argmin", axis)

    def _place_of(self, op: str, axis: int | None) -> Traced:
        like = np.empty(() if axis is None else np.delete(self.shape, axis).tolist(), np.intp)
        return self.trace.traced(op, (self,), like, axis=axis)

    def argsort(self, axis: int = -1, kind: str | None = None) -> Traced:
        return self.trace.traced("argsort", (self,), np.empty(self.shape, np.intp), axis=axis, kind=kind)

    def cumsum(self, axis: int | None = None, dtype: Any = None) -> Traced:
        x = self if dtype is None else self.astype(dtype, copy=False)
        x = x.reshape(-1) if axis is None else x
        like = np.empty(x.shape, dtype or np.add.accumulate(np.zeros(1, self.dtype)).dtype)
        return self.trace.traced("cumsum", (x,), like, axis=(axis or 0) % max(x.ndim, 1))

    def clip(self, min: Any = None, max: Any = None) -> Traced:
        return self.trace.module.clip(self, min, max)

    def _reduce(self, op: str, axis: Any, keepdims: bool, dtype: np.dtype[Any]) -> Traced:
        """Along axes as a tuple; those that are kept come back by a reshape."""
        axes = tuple(sorted(axes_of(axis, self.ndim)))
        one = self.like if self.size else np.empty([n or 1 for n in self.shape], self.dtype)
        first = (
            *(0 if a in axes else slice(None) for a in range(self.ndim)),
            ...,
        )  # what is left has the result's layout
        like = np.empty_like(one[first], dtype, shape=[n for a, n in enumerate(self.shape) if a not in axes])
        y = self.trace.traced(op, (self,), like, axes=axes)
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
    "floordiv": "floor_divide", "matmul": "matmul",
}  # fmt: skip
_COMPARE = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
for _short, _name in _BINARY.items():
    setattr(Traced, f"__{_short}__", _operator(_name))
    setattr(Traced, f"__r{_short}__", _operator(_name, swapped=True))
    setattr(Traced, f"__i{_short}__", _in_place(_name))
for _short, _name in _COMPARE.items():
    setattr(Traced, f"__{_short}__", _operator(_name))
for _short, _name in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
    setattr(Traced, f"__{_short}__", lambda x, name=_name: x.trace.elementwise(name, x))


def _are_same(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether two arrays are the same elements of one memory, as where `x[1:] += 1` ends by assigning x[1:] to it."""
    return x is y or x.__array_interface__ == y.__array_interface__


def like_of(x: Any) -> Any:
    """What shows the shape, dtype and layout of an array, traced or not; anything else as it is."""
    return x.like if isinstance(x, Traced) else likeness(x) if backend.is_array(x) else x


_ARRAY = "array"


def taken_apart(index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """An index as a tuple with _ARRAY in place of each array, and the arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [p for p in parts if backend.is_array(p)]
    return tuple(_ARRAY if backend.is_array(p) else p for p in parts), arrays


def joined(form: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The index that was taken apart."""
    rest = iter(arrays)
    return tuple(next(rest) if isinstance(p, str) else p for p in form)


def _places(value: Value) -> np.ndarray:
    """An index of the same shape, to see which shape it picks. Raises Untraceable for a mask, which picks by value."""
    if value.dtype.kind == "b":
        raise Untraceable(
            "an array is indexed with a mask, so the shape of the result depends on values; use ops.where"
        )
    return np.zeros(value.shape, np.intp)
