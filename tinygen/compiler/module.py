"""The array module of traced arrays, which `array_module(x)` gives for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..kernels.sums import axes_of
from ..tracing import Untraceable, tracing
from .program import CONVOLUTIONS
from .traced import Traced, like_of, taken_apart

if TYPE_CHECKING:
    from .trace import Trace


class Ufunc:
    """A function of NumPy that works element by element, in a trace."""

    def __init__(self, trace: Trace, name: str):
        self._trace, self.__name__ = trace, name

    def __call__(self, *operands: Any, out: Any = None, dtype: Any = None) -> Any:
        if dtype is not None and np.dtype(dtype) != bool:  # of a comparison, that is its result's
            operands = tuple(x.astype(dtype, copy=False) if backend.is_array(x) else x for x in operands)
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
        form, arrays = taken_apart(index)
        self._trace.put(x, "add_at", value, form, arrays)


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
            return self.ufunc(it.__name__)
        if isinstance(it, (type, int, float, type(None))) and hasattr(np, name):
            return it
        raise Untraceable(f"xp.{name} is not among the functions that a program knows")

    def ufunc(self, name: str) -> Ufunc:
        """What stands for a function of elements of NumPy."""
        return Ufunc(self._trace, name)

    def kernel(self, definition: Callable[..., Any]) -> Callable[..., Any]:
        """What stands for a kernel in a trace: one instruction for a convolution; else its definition is traced."""
        name = definition.__name__
        return getattr(self._trace, name) if name in CONVOLUTIONS else definition

    def mean_of_processes(self, x: Any, group: Any) -> Any:
        """The mean over the processes that make the step together: one message, as one instruction."""
        if self.device != "cpu":
            raise Untraceable("a step that several processes share is not compiled on a GPU")
        return self._trace.mean_of_processes(x, group)

    # New arrays

    def full(self, shape: Any, value: Any, dtype: Any = None) -> Traced:
        return self._trace.filled(np.empty(shape, np.asarray(value).dtype if dtype is None else dtype), value)

    def zeros(self, shape: Any, dtype: Any = np.float64) -> Traced:
        return self.full(shape, 0, dtype)

    empty = zeros

    def ones(self, shape: Any, dtype: Any = np.float64) -> Traced:
        return self.full(shape, 1, dtype)

    def full_like(self, x: Any, value: Any, dtype: Any = None) -> Traced:
        return self._trace.filled(np.empty_like(like_of(x), dtype), value)

    def zeros_like(self, x: Any, dtype: Any = None) -> Traced:
        return self.full_like(x, 0, dtype)

    empty_like = zeros_like

    def ones_like(self, x: Any, dtype: Any = None) -> Traced:
        return self.full_like(x, 1, dtype)

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        if isinstance(x, Traced):
            return x if dtype is None else x.astype(dtype, copy=False)
        if backend.is_array(x) and not isinstance(x, np.ndarray):
            return self.asarray(self._trace.as_traced(x), dtype)
        return np.asarray(x, dtype)

    array = asarray

    def ascontiguousarray(self, x: Any) -> Any:
        return x if x.flags.c_contiguous else x.copy()

    arange, eye = staticmethod(np.arange), staticmethod(np.eye)  # constants

    # Where elements stand

    def broadcast_to(self, x: Any, shape: Any) -> Any:
        x = self._trace.as_traced(x)
        like = np.broadcast_to(x.like, shape)
        return x if x.shape == like.shape else x.viewed("broadcast_to", like, shape=like.shape)

    def moveaxis(self, x: Traced, source: Any, destination: Any) -> Traced:
        axes = np.moveaxis(np.empty(range(x.ndim)), source, destination).shape  # the length of an axis is its number
        return x.transpose(axes)

    def expand_dims(self, x: Traced, axis: Any) -> Traced:
        return x.reshape(np.expand_dims(x.like, axis).shape)

    def flip(self, x: Traced, axis: Any = None) -> Traced:
        turned = axes_of(axis, x.ndim)
        return x[tuple(slice(None, None, -1) if a in turned else slice(None) for a in range(x.ndim))]

    def concatenate(self, xs: Sequence[Any], axis: int = 0) -> Traced:
        xs = [self._trace.as_traced(x) for x in xs]
        axis %= xs[0].ndim
        shape = list(xs[0].shape)
        shape[axis] = sum(x.shape[axis] for x in xs)
        if any((*x.shape[:axis], *x.shape[axis + 1 :]) != (*shape[:axis], *shape[axis + 1 :]) for x in xs):
            raise ValueError(f"concatenate: shapes {[x.shape for x in xs]} differ beside axis {axis}")
        like = np.empty(shape, np.result_type(*(x.dtype for x in xs)))
        return self._trace.traced("concatenate", tuple(xs), like, axis=axis)

    def stack(self, xs: Sequence[Any], axis: int = 0) -> Traced:
        xs = [self._trace.as_traced(x) for x in xs]
        return self.concatenate([self.expand_dims(x, axis) for x in xs], axis)

    def pad(self, x: Traced, widths: Any, mode: str = "constant", constant_values: Any = 0) -> Traced:
        if mode != "constant":
            raise Untraceable(f"pad: mode {mode!r} is not among what a program knows")
        widths = np.broadcast_to(np.asarray(widths), (x.ndim, 2)).tolist()
        shape = [before + n + after for n, (before, after) in zip(x.shape, widths, strict=True)]
        y = self._trace.filled(np.empty_like(x.like, shape=shape), constant_values)  # lies as x does
        y[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))] = x
        return y

    # Functions of elements that are no ufuncs, and products

    def where(self, condition: Any, a: Any, b: Any) -> Traced:
        return self._trace.elementwise("where", condition, a, b)

    def clip(self, x: Any, min: Any = None, max: Any = None) -> Any:
        x = x if min is None else self.maximum(x, min)
        return x if max is None else self.minimum(x, max)

    def matmul(self, a: Any, b: Any) -> Traced:
        return self._trace.matmul(a, b)

    def einsum(self, subscripts: str, a: Any, b: Any) -> Traced:
        left, right, out = subscripts.replace("->", ",").split(",")
        lengths = dict(zip(left + right, (*a.shape, *b.shape), strict=True))
        like = np.empty([lengths[letter] for letter in out], np.result_type(a.dtype, b.dtype))
        return self._trace.traced("einsum", (a, b), like, subscripts=subscripts)


MODULE = TracedModule()
backend.register(Traced, MODULE)
