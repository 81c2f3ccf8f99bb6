"""Tensor's operators and methods, as NumPy's arrays have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backend import to_host
from ..primitives import PRIMITIVES
from ..tape import brief, describe
from ..tensor import Tensor
from . import comparisons as c
from . import elementwise as e
from . import joining, linear, order, reduce, shape


def _reshape(x: Tensor, *new_shape: Any) -> Tensor:
    """reshape(2, 3) as well as reshape((2, 3))."""
    return shape.reshape(x, new_shape[0] if len(new_shape) == 1 else new_shape)


def _transpose(x: Tensor, *axes: Any) -> Tensor:
    """transpose(1, 0) as well as transpose((1, 0)); no axes, or None, reverse them all."""
    if len(axes) == 1 and (axes[0] is None or hasattr(axes[0], "__len__")):
        axes = () if axes[0] is None else tuple(axes[0])
    return shape.transpose(x, axes or None)


def _iterate(x: Tensor) -> Iterator[Tensor]:
    return (x[i] for i in range(len(x)))


def _len(x: Tensor) -> int:
    if not x.ndim:
        raise TypeError(f"len: {describe(x)} has no axes")
    return x.shape[0]


def _bool(x: Tensor) -> bool:
    if x.size != 1:
        raise ValueError(f"bool: {describe(x)} is not one number; a comparison of Tensors is element by element")
    return bool(x.data)


def _and(a: Any, b: Any) -> Any:
    return c.logical_and(*_booleans("&", a, b))


def _or(a: Any, b: Any) -> Any:
    return c.logical_or(*_booleans("|", a, b))


def _not(x: Any) -> Any:
    return c.logical_not(*_booleans("~", x))


def _booleans(symbol: str, *operands: Any) -> tuple[Any, ...]:
    """The operands. Raises TypeError unless all are booleans: of integers, NumPy's operator takes bit by bit."""
    for x in operands:
        if not isinstance(x, bool) and getattr(x, "dtype", None) != np.bool_:
            raise TypeError(f"{symbol}: expected booleans, not {brief(x)}; of comparisons, write (x > 0) & (x < 1)")
    return operands


def _no_setitem(x: Tensor, index: Any, value: Any) -> None:
    raise TypeError("a Tensor can't be assigned item by item: the tape can't record it; use ops.where, or assign()")


def _index(x: Tensor) -> int:
    if x.ndim or x.dtype.kind not in "iu":
        raise TypeError(f"{describe(x)} can't be used as a whole number, such as a bound of a slice or of range()")
    return x.item()


def _format(x: Tensor, spec: str) -> str:
    return format(x.item(), spec) if spec else repr(x)


def _repr(x: Tensor) -> str:
    values = np.array2string(to_host(x.data), separator=", ", prefix="Tensor(", threshold=100)
    grad = ", requires_grad=True" if x.requires_grad else ""
    name = f", name={x.name!r}" if x.name else ""
    return f"Tensor({values}, dtype={x.dtype}{grad}{name})"


def _array(x: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    if x.requires_grad:
        raise TypeError("NumPy would drop the tape of a Tensor that requires grad; call .numpy(), or use tg.ops")
    if x.device != "cpu":
        raise TypeError("this Tensor lives on a GPU; call .numpy() for a copy on the host")
    return np.array(x.numpy(), dtype=dtype, copy=copy)  # read-only, or a copy


class _Ufuncs:
    """NumPy asks the type and gets a function, so that np.exp(x) says what to call; CuPy asks the Tensor, gets None,
    and leaves its operators to the Tensor."""

    def __get__(self, x: Tensor | None, kind: type) -> Any:
        return _ufunc if x is None else None


def _ufunc(x: Tensor, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> Tensor:
    """An operator of NumPy with an array on the left of a Tensor. Raises TypeError for other functions."""
    name = ufunc.__name__
    if method == "__call__" and not options and name in OPERATORS:
        return OPERATORS[name](*args)
    instead = f"call tg.ops.{name}" if name in PRIMITIVES else "use tg.ops"
    raise TypeError(f"np.{name} can't take a Tensor: NumPy would drop its tape; {instead}, or pass x.numpy()")


def _deepcopy(x: Tensor, memo: dict[int, Any]) -> Tensor:
    if not x.is_leaf:
        raise ValueError(f"deepcopy: {describe(x)} is the result of an op; copy its detach()")
    copy = object.__new__(type(x))
    Tensor.__init__(copy, x.array.copy(), x.node is not None, x.name)
    return copy


def _reduce(x: Tensor, protocol: int) -> tuple[Any, ...]:
    """A pickle holds the value, the flag and the name: no tape, no gradient, nothing shared."""
    return _restored, (type(x), x.array.copy(), x.node is not None, x.name)


def _restored(kind: type[Tensor], data: Any, requires_grad: bool, name: str | None) -> Tensor:
    x = object.__new__(kind)
    Tensor.__init__(x, data, requires_grad, name)
    return x


_BINARY = (e.add, e.subtract, e.multiply, e.divide, e.floor_divide, e.remainder, e.power, linear.matmul)
_COMPARE = (c.equal, c.not_equal, c.less, c.less_equal, c.greater, c.greater_equal)
OPERATORS: dict[str, Any] = {op.__name__: op for op in (*_BINARY, *_COMPARE)}
OPERATORS |= {"bitwise_and": _and, "bitwise_or": _or}

METHODS: dict[str, Any] = {
    "__add__": e.add,
    "__radd__": lambda b, a: e.add(a, b),
    "__sub__": e.subtract,
    "__rsub__": lambda b, a: e.subtract(a, b),
    "__mul__": e.multiply,
    "__rmul__": lambda b, a: e.multiply(a, b),
    "__truediv__": e.divide,
    "__rtruediv__": lambda b, a: e.divide(a, b),
    "__floordiv__": e.floor_divide,
    "__rfloordiv__": lambda b, a: e.floor_divide(a, b),
    "__mod__": e.remainder,
    "__rmod__": lambda b, a: e.remainder(a, b),
    "__pow__": e.power,
    "__rpow__": lambda p, x: e.power(x, p),
    "__matmul__": linear.matmul,
    "__rmatmul__": lambda b, a: linear.matmul(a, b),
    "__neg__": e.negative,
    "__abs__": e.abs,
    "__and__": _and,
    "__rand__": _and,
    "__or__": _or,
    "__ror__": _or,
    "__invert__": _not,
    "__eq__": c.equal,
    "__ne__": c.not_equal,
    "__lt__": c.less,
    "__le__": c.less_equal,
    "__gt__": c.greater,
    "__ge__": c.greater_equal,
    "__getitem__": shape.getitem,
    "__setitem__": _no_setitem,
    "__iter__": _iterate,
    "__len__": _len,
    "__bool__": _bool,
    "__int__": lambda x: int(x.item()),
    "__float__": lambda x: float(x.item()),
    "__index__": _index,
    "__format__": _format,
    "__repr__": _repr,
    "__array__": _array,
    "__array_ufunc__": _Ufuncs(),
    "__copy__": lambda x: _deepcopy(x, {}),
    "__deepcopy__": _deepcopy,
    "__reduce_ex__": _reduce,
    "astype": e.astype,
    "clip": e.clip,
    "round": e.round,
    "sum": reduce.sum,
    "mean": reduce.mean,
    "var": reduce.var,
    "std": reduce.std,
    "prod": reduce.prod,
    "max": reduce.max,
    "min": reduce.min,
    "argmax": reduce.argmax,
    "argmin": reduce.argmin,
    "argsort": order.argsort,
    "cumsum": reduce.cumsum,
    "reshape": _reshape,
    "ravel": lambda x: shape.reshape(x, -1),
    "transpose": _transpose,
    "swapaxes": shape.swapaxes,
    "squeeze": shape.squeeze,
    "repeat": joining.repeat,
    "T": property(shape.transpose, doc="The axes in reverse order."),
    "mT": property(lambda x: shape.swapaxes(x, -1, -2), doc="The last two axes exchanged."),
}

for name, method in METHODS.items():
    setattr(Tensor, name, method)
