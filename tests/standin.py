"""A strict stand-in for CuPy, on which the CuPy path is tested without a GPU.

`import standin as xp` gives a module with CuPy's names. It computes with NumPy, but an array of it holds its values out
of reach, and it is as strict as CuPy 14.2, whose source is where every rule below comes from:

- NumPy's functions refuse its arrays, and its operators and functions refuse NumPy's arrays and lists.
- A reduction or an index gives a 0-d array, never a scalar; what makes Python wait for the device is counted.
- A name, an option or a data type that CuPy lacks is refused, and results lie in memory as CuPy's would.

Where CuPy is silent about a mistake (an index out of range wraps around, an assignment to duplicate places is a race,
fresh memory holds anything) the stand-in raises, or fills with NaN.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

sync_count = 0
"""How often Python has waited for the device since this module was imported."""

_log: list[str] = []
_capturing = False


class Syncs:
    """The synchronisations since a point in time: how many (`count`) and which (`names`)."""

    def __init__(self) -> None:
        self._start = len(_log)

    @property
    def names(self) -> list[str]:
        return _log[self._start :]

    @property
    def count(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"{self.count} synchronisations: {', '.join(self.names) or 'none'}"


@contextmanager
def count_syncs() -> Iterator[Syncs]:
    """A block whose synchronisations are counted: `with count_syncs() as syncs: ...; assert syncs.count == 0, syncs`."""
    yield Syncs()


@contextmanager
def capturing() -> Iterator[None]:
    """A block in which a synchronisation, or a copy from host to device, raises, as while a CUDA graph is captured."""
    global _capturing
    before, _capturing = _capturing, True
    try:
        yield
    finally:
        _capturing = before


def _synchronise(what: str) -> None:
    global sync_count
    if _capturing:
        raise RuntimeError(f"{what} waits for the device, which is not permitted while a stream is capturing")
    sync_count += 1
    _log.append(what)


def _host_copy(what: str) -> None:
    if _capturing:
        raise RuntimeError(f"{what} copies from the host, which is not permitted while a stream is capturing")


# What may pass between the host and the device.

DTYPES = frozenset("?bBhHiIlLqQefdFD")  # CuPy has no others: no objects, strings, dates or long doubles


def _check_dtype(dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype.char not in DTYPES:
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def _is_scalar(x: Any) -> bool:
    return type(x) in (bool, int, float, complex) or (isinstance(x, np.generic) and x.dtype.char in DTYPES)


def _operand(x: Any, what: str) -> Any:
    """The value behind an array or a scalar, for NumPy to compute with."""
    if isinstance(x, ndarray):
        return x._host
    if _is_scalar(x):
        return x
    raise TypeError(f"{what}: Unsupported type {type(x)}; expected an array of the device or a scalar")


def _array(x: Any, what: str) -> np.ndarray:
    if isinstance(x, ndarray):
        return x._host
    raise TypeError(f"{what}: expected an array of the device, not {type(x)}")


def _owner(host: np.ndarray) -> np.ndarray:
    return host if host.base is None else host.base


def _new(host: np.ndarray, base: ndarray | None = None) -> ndarray:
    x = object.__new__(ndarray)
    x._host, x.base = host, base
    return x


def _wrap(result: Any, sources: tuple[ndarray, ...] = (), keep_order: bool = False) -> Any:
    """NumPy's result as the device's: a source itself, a view of one, or a fresh array (in C order, unless kept)."""
    if isinstance(result, (tuple, list)):
        items = [_wrap(item, sources, keep_order) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    if result is None:
        return None
    host = np.asarray(result)
    _check_dtype(host.dtype)
    for x in sources:
        if host is x._host:
            return x
        if host.base is not None and host.base is _owner(x._host):
            return _new(host, x if x.base is None else x.base)
    return _new(host if keep_order else np.asarray(host, order="C"))


# The table of functions. Each stub has CuPy's parameters, in CuPy's order, and no more; the annotation says what may be
# passed. A parameter without one takes what lives on the host: a number, a shape, an axis, a dtype, an option.

A = "an array of the device"
S = "an array of the device, or a scalar"
L = "a sequence of arrays of the device"
O = "any object"


class Functions:
    """Functions that NumPy and CuPy share."""

    def all(a: A, axis=None, out: A = None, keepdims=False): ...
    def allclose(a: S, b: S, rtol=1e-5, atol=1e-8, equal_nan=False): ...
    def amax(a: A, axis=None, out: A = None, keepdims=False): ...
    def amin(a: A, axis=None, out: A = None, keepdims=False): ...
    def any(a: A, axis=None, out: A = None, keepdims=False): ...
    def arange(start, stop=None, step=1, dtype=None): ...
    def argmax(a: A, axis=None, dtype=None, out: A = None, keepdims=False): ...
    def argmin(a: A, axis=None, dtype=None, out: A = None, keepdims=False): ...
    def argsort(a: A, axis=-1, kind=None): ...
    def argwhere(a: A): ...
    def array(obj: O, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False): ...
    def array_equal(a1: A, a2: A, equal_nan=False): ...
    def asarray(a: O, dtype=None, order=None, *, copy=None, blocking=False): ...
    def ascontiguousarray(a: A, dtype=None): ...
    def asnumpy(a: O, stream=None, order="C", out: O = None, *, blocking=True): ...
    def atleast_1d(*arys: A): ...
    def atleast_2d(*arys: A): ...
    def atleast_3d(*arys: A): ...
    def bincount(x: A, weights: A = None, minlength=None): ...
    def broadcast_arrays(*args: A): ...
    def broadcast_shapes(*args): ...
    def broadcast_to(array: A, shape): ...
    def can_cast(from_: O, to: O, casting="safe"): ...
    def clip(a: A, a_min: S, a_max: S, out: A = None): ...
    def concatenate(tup: L, axis=0, out: A = None, *, dtype=None, casting="same_kind"): ...
    def copy(a: A, order="K"): ...
    def copyto(dst: A, src: S, casting="same_kind", where: S = None): ...
    def count_nonzero(a: A, axis=None): ...
    def cumprod(a: A, axis=None, dtype=None, out: A = None): ...
    def cumsum(a: A, axis=None, dtype=None, out: A = None): ...
    def diag(v: A, k=0): ...
    def diagonal(a: A, offset=0, axis1=0, axis2=1): ...
    def diff(a: A, n=1, axis=-1, prepend: S = None, append: S = None): ...
    def dot(a: A, b: A, out: A = None): ...
    def einsum(*operands: O, **kwargs): ...
    def empty(shape, dtype=float, order="C"): ...
    def empty_like(prototype: A, dtype=None, order="K", subok=None, shape=None): ...
    def expand_dims(a: A, axis): ...
    def eye(N, M=None, k=0, dtype=float, order="C"): ...
    def flatnonzero(a: A): ...
    def flip(a: A, axis=None): ...
    def fliplr(a: A): ...
    def flipud(a: A): ...
    def full(shape, fill_value: S, dtype=None, order="C"): ...
    def full_like(a: A, fill_value: S, dtype=None, order="K", subok=None, shape=None): ...
    def identity(n, dtype=float): ...
    def indices(dimensions, dtype=int): ...
    def inner(a: A, b: A): ...
    def isclose(a: S, b: S, rtol=1e-5, atol=1e-8, equal_nan=False): ...
    def isscalar(element: O): ...
    def issubdtype(arg1, arg2): ...
    def kron(a: A, b: A): ...
    def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0): ...
    def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0): ...
    def matmul(x1: A, x2: A, /, *, casting="same_kind", dtype=None, out: A = None): ...
    def matrix_transpose(x: A, /): ...
    def max(a: A, axis=None, out: A = None, keepdims=False): ...
    def may_share_memory(a: A, b: A, max_work=None): ...
    def mean(a: A, axis=None, dtype=None, out: A = None, keepdims=False): ...
    def median(a: A, axis=None, out: A = None, overwrite_input=False, keepdims=False): ...
    def meshgrid(*xi: A, indexing="xy", sparse=False, copy=True): ...
    def min(a: A, axis=None, out: A = None, keepdims=False): ...
    def moveaxis(a: A, source, destination): ...
    def nan_to_num(x: A, copy=True, nan=0.0, posinf=None, neginf=None): ...
    def ndim(a: A): ...
    def nonzero(a: A): ...
    def ones(shape, dtype=float, order="C"): ...
    def ones_like(a: A, dtype=None, order="K", subok=None, shape=None): ...
    def outer(a: A, b: A, out: A = None): ...
    def pad(array: A, pad_width, mode="constant", **kwargs): ...
    def prod(a: A, axis=None, dtype=None, out: A = None, keepdims=False): ...
    def promote_types(type1, type2, /): ...
    def ptp(a: A, axis=None, out: A = None, keepdims=False): ...
    def put_along_axis(arr: A, indices: A, values: S, axis): ...
    def ravel(a: A, order="C"): ...
    def repeat(a: A, repeats, axis=None): ...
    def reshape(a: A, newshape, order="C", *, copy=None): ...
    def result_type(*arrays_and_dtypes: O): ...
    def roll(a: A, shift, axis=None): ...
    def rot90(a: A, k=1, axes=(0, 1)): ...
    def round(a: A, decimals=0, out: A = None): ...
    def searchsorted(a: A, v: A, side="left", sorter: A = None): ...
    def shape(a: A): ...
    def shares_memory(a: A, b: A, max_work=None): ...
    def sort(a: A, axis=-1, kind=None): ...
    def split(ary: A, indices_or_sections, axis=0): ...
    def array_split(ary: A, indices_or_sections, axis=0): ...
    def squeeze(a: A, axis=None): ...
    def stack(tup: L, axis=0, out: A = None, *, dtype=None, casting="same_kind"): ...
    def std(a: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False): ...
    def sum(a: A, axis=None, dtype=None, out: A = None, keepdims=False): ...
    def swapaxes(a: A, axis1, axis2): ...
    def take(a: A, indices: S, axis=None, out: A = None): ...
    def take_along_axis(a: A, indices: A, axis): ...
    def tensordot(a: A, b: A, axes=2): ...
    def tile(A: A, reps): ...
    def trace(a: A, offset=0, axis1=0, axis2=1, dtype=None, out: A = None): ...
    def transpose(a: A, axes=None): ...
    def tri(N, M=None, k=0, dtype=float): ...
    def tril(m: A, k=0): ...
    def triu(m: A, k=0): ...
    def unique(ar: A, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True): ...
    def var(a: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False): ...
    def vdot(a: A, b: A): ...
    def where(condition: A, x: S = None, y: S = None): ...
    def zeros(shape, dtype=float, order="C"): ...
    def zeros_like(a: A, dtype=None, order="K", subok=None, shape=None): ...
    def hstack(tup: L, *, dtype=None, casting="same_kind"): ...
    def vstack(tup: L, *, dtype=None, casting="same_kind"): ...


class LinalgFunctions:
    """Functions that numpy.linalg and cupy.linalg share."""

    def cholesky(a: A): ...
    def det(a: A): ...
    def eigh(a: A, UPLO="L"): ...
    def eigvalsh(a: A, UPLO="L"): ...
    def inv(a: A): ...
    def norm(x: A, ord=None, axis=None, keepdims=False): ...
    def pinv(a: A, rcond=1e-15): ...
    def qr(a: A, mode="reduced"): ...
    def slogdet(a: A): ...
    def solve(a: A, b: A): ...
    def svd(a: A, full_matrices=True, compute_uv=True): ...


class Methods:
    """Methods that numpy.ndarray and cupy.ndarray share, apart from those that are written out in the class below."""

    def all(self: A, axis=None, out: A = None, keepdims=False): ...
    def any(self: A, axis=None, out: A = None, keepdims=False): ...
    def argmax(self: A, axis=None, out: A = None, dtype=None, keepdims=False): ...
    def argmin(self: A, axis=None, out: A = None, dtype=None, keepdims=False): ...
    def argsort(self: A, axis=-1, kind=None): ...
    def clip(self: A, min: S = None, max: S = None, out: A = None): ...
    def conj(self: A): ...
    def conjugate(self: A): ...
    def copy(self: A, order="C"): ...
    def cumprod(self: A, axis=None, dtype=None, out: A = None): ...
    def cumsum(self: A, axis=None, dtype=None, out: A = None): ...
    def diagonal(self: A, offset=0, axis1=0, axis2=1): ...
    def dot(self: A, b: A, out: A = None): ...
    def flatten(self: A, order="C"): ...
    def max(self: A, axis=None, out: A = None, keepdims=False): ...
    def mean(self: A, axis=None, dtype=None, out: A = None, keepdims=False): ...
    def min(self: A, axis=None, out: A = None, keepdims=False): ...
    def nonzero(self: A): ...
    def prod(self: A, axis=None, dtype=None, out: A = None, keepdims=None): ...
    def ravel(self: A, order="C"): ...
    def repeat(self: A, repeats, axis=None): ...
    def reshape(self: A, *shape, order="C", copy=None): ...
    def round(self: A, decimals=0, out: A = None): ...
    def searchsorted(self: A, v: A, side="left", sorter: A = None): ...
    def sort(self: A, axis=-1, kind=None): ...
    def squeeze(self: A, axis=None): ...
    def std(self: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False): ...
    def sum(self: A, axis=None, dtype=None, out: A = None, keepdims=False): ...
    def swapaxes(self: A, axis1, axis2): ...
    def take(self: A, indices: S, axis=None, out: A = None): ...
    def trace(self: A, offset=0, axis1=0, axis2=1, dtype=None, out: A = None): ...
    def transpose(self: A, *axes): ...
    def var(self: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False): ...


UFUNCS = frozenset(
    """abs absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_not bitwise_or bitwise_xor
    cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1 fabs float_power floor
    floor_divide fmax fmin fmod frexp gcd greater greater_equal heaviside hypot invert isfinite isinf isnan lcm ldexp
    left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
    maximum minimum mod modf multiply negative nextafter not_equal positive power rad2deg radians reciprocal remainder
    right_shift rint sign signbit sin sinh sqrt square subtract tan tanh true_divide trunc""".split()
)

SHARED = frozenset(
    """bool_ complex64 complex128 complexfloating dtype e finfo float16 float32 float64 floating generic iinfo inexact inf
    int8 int16 int32 int64 integer intp nan newaxis number pi signedinteger uint8 uint16 uint32 uint64
    unsignedinteger""".split()
)
"""What CuPy takes from NumPy as it is: data types and constants."""

# What becomes of a result.
ON_HOST = {
    "asnumpy",
    "broadcast_shapes",
    "can_cast",
    "isscalar",
    "issubdtype",
    "may_share_memory",
    "ndim",
    "promote_types",
}
ON_HOST |= {"result_type", "shape", "shares_memory"}
KEEPS_ORDER = {"array", "asarray", "copy", "empty", "empty_like", "eye", "full", "full_like", "ones", "ones_like"}
KEEPS_ORDER |= {"einsum", "pad", "roll", "zeros", "zeros_like"}
SYNCHRONISES = {"argwhere", "bincount", "flatnonzero", "nonzero", "shares_memory", "unique"}
JOINS = {"concatenate", "hstack", "stack", "vstack"}

PAD_OPTIONS: dict[str, set[str]] = {
    "constant": {"constant_values"},
    "edge": set(),
    "empty": set(),
    "linear_ramp": {"end_values"},
    "maximum": {"stat_length"},
    "mean": {"stat_length"},
    "minimum": {"stat_length"},
    "reflect": {"reflect_type"},
    "symmetric": {"reflect_type"},
    "wrap": set(),
}


def _check_argument(value: Any, kind: Any, what: str) -> Any:
    """The argument as NumPy takes it. Raises TypeError if CuPy would not take it."""
    if kind == "A":
        return _array(value, what)
    if kind == "S":
        return _operand(value, what)
    if kind == "O":
        return value
    if kind == "L":
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{what}: expected a list or tuple of arrays, not {type(value)}")
        return [_array(item, what) for item in value]
    for item in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(item, (ndarray, np.ndarray)):
            raise TypeError(f"{what}: expected a value of the host, not an array ({type(item)})")
    return value


def _checked(name: str, stub: Callable, function: Callable) -> Callable:
    """NumPy's function behind CuPy's signature."""
    signature = inspect.signature(stub)
    kinds = {key: parameter.annotation for key, parameter in signature.parameters.items()}

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        sources = tuple(x for x in (*args, *kwargs.values()) if isinstance(x, ndarray))
        for key, value in bound.arguments.items():
            what = f"{name}({key}=)"
            if signature.parameters[key].kind is inspect.Parameter.VAR_POSITIONAL:
                bound.arguments[key] = tuple(_check_argument(item, kinds[key], what) for item in value)
            elif value is not None:
                bound.arguments[key] = _check_argument(value, kinds[key], what)
        if name in SYNCHRONISES:
            _synchronise(name)
        if name in JOINS and len(args[0]) > 8:
            _host_copy(f"{name} of more than 8 arrays")  # their addresses
        with np.errstate(all="ignore"):
            result = function(*bound.args, **bound.kwargs)
        return result if name in ON_HOST else _wrap(result, sources, name in KEEPS_ORDER)

    call.__name__ = call.__qualname__ = name
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


# Functions that mean less in CuPy than in NumPy, or wait for the device on some arguments. They get the arguments that the
# table has checked, with host arrays for those of the device.


def _array_from(
    obj: Any, dtype: Any = None, copy: bool | None = True, order: str = "K", subok=False, ndmin=0, blocking=False
):
    if subok:
        raise NotImplementedError("array: CuPy has no subok=True")
    if blocking:
        _synchronise("array(blocking=True)")
    if isinstance(obj, ndarray):
        obj = obj._host
    elif isinstance(obj, (list, tuple)) and any(isinstance(item, ndarray) for item in obj):
        obj = np.stack([_array(item, "array") for item in obj])
    elif not _is_scalar(obj):
        _host_copy("array")
        obj = np.array(obj, dtype, order="F" if getattr(obj, "flags", None) and obj.flags.fnc else "C")
    return np.array(obj, dtype, copy=copy, order=order or "K", ndmin=ndmin)


def _asarray(a: Any, dtype: Any = None, order: str | None = None, *, copy: bool | None = None, blocking=False):
    return _array_from(a, dtype, copy, order or "K", blocking=blocking)


def _asnumpy(a: Any, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out, blocking) if isinstance(a, ndarray) else np.asarray(a, order=order)


def _garbage(host: np.ndarray) -> np.ndarray:
    """What fresh memory holds: the worst it can, so that who reads it notices."""
    host.fill({"b": True, "f": np.nan, "c": np.nan}.get(host.dtype.kind) or np.iinfo(host.dtype).max)
    return host


def _empty(shape, dtype=float, order="C"):
    return _garbage(np.empty(shape, _check_dtype(dtype), order))


def _empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    if subok is not None:
        raise TypeError("empty_like: CuPy has no subok")
    return _garbage(np.empty_like(prototype, dtype, order, shape=shape))


def _array_equal(a1, a2, equal_nan=False):
    if equal_nan:
        _synchronise("array_equal(equal_nan=True)")
    return np.array_equal(a1, a2, equal_nan)


def _sort(function: Callable) -> Callable:
    def call(a, axis=-1, kind=None):
        if kind not in (None, "stable"):
            raise ValueError(f"sort: kind is {kind!r}, but CuPy takes None or 'stable'")
        return function(a, axis=axis, kind="stable")

    return call


def _clip(a, a_min=None, a_max=None, out=None):
    if a_min is None and a_max is None:
        raise ValueError("clip: give a_min or a_max")
    return np.clip(a, a_min, a_max, out)


def _copyto(dst, src, casting="same_kind", where=True):
    np.copyto(dst, src, casting, where)


def _einsum(subscripts, *operands, dtype=None, optimize=False):
    if not isinstance(subscripts, str):
        raise TypeError("einsum: the subscripts must be a string")
    arrays = [_array(x, "einsum") for x in operands]
    return np.einsum(subscripts, *arrays, dtype=dtype, optimize=optimize)


def _pad(array, pad_width, mode="constant", **options):
    if mode not in PAD_OPTIONS:
        raise ValueError(f"pad: CuPy has no mode {mode!r}")
    if unknown := set(options) - PAD_OPTIONS[mode]:
        raise ValueError(f"pad: mode {mode!r} takes no {', '.join(sorted(unknown))}")
    return np.asarray(np.pad(array, pad_width, mode, **options), order="F" if array.flags.fnc else "C")


def _put_along_axis(arr, indices, values, axis):
    places = np.take_along_axis(np.arange(arr.size).reshape(arr.shape), indices, axis)
    _refuse_race(places, values)
    np.put_along_axis(arr, indices, values, axis)


def _repeat(a, repeats, axis=None):
    if not isinstance(repeats, (int, np.integer)):
        raise TypeError("repeat: give one number of repeats; with several, CuPy waits for the device")
    return np.repeat(a, repeats, axis)


def _result_type(*arrays_and_dtypes):
    return np.result_type(*[x._host if isinstance(x, ndarray) else x for x in arrays_and_dtypes])


def _where(condition, x=None, y=None):
    if (x is None) != (y is None):
        raise ValueError("where: give both x and y, or neither")
    if x is None:
        _synchronise("where(condition)")
        return np.nonzero(condition)
    return np.where(condition, x, y)


SPECIAL: dict[str, Callable] = {
    "array": _array_from,
    "array_equal": _array_equal,
    "argsort": _sort(np.argsort),
    "asarray": _asarray,
    "asnumpy": _asnumpy,
    "clip": _clip,
    "copyto": _copyto,
    "einsum": _einsum,
    "empty": _empty,
    "empty_like": _empty_like,
    "pad": _pad,
    "put_along_axis": _put_along_axis,
    "repeat": _repeat,
    "result_type": _result_type,
    "sort": _sort(np.sort),
    "where": _where,
}

AT = {"add": "ilefdIL", "subtract": "iI", "maximum": "ilfdIL", "minimum": "ilfdIL"}
AT |= dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), "ilIL")
"""The ufuncs that have `at` in CuPy, with the types for which atomic operations exist."""


class ufunc:
    """A universal function of CuPy: out=, dtype= and casting= are all its options, and its results are in C order."""

    def __init__(self, name: str):
        self.name = self.__name__ = name
        self._function: np.ufunc = getattr(np, name)
        self.nin, self.nout = self._function.nin, self._function.nout

    def __repr__(self) -> str:
        return f"<ufunc {self.name!r}>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind") -> Any:
        if not self.nin <= len(args) <= self.nin + self.nout:
            raise TypeError(f"{self.name}: takes {self.nin} arguments, and outputs; {len(args)} were given")
        hosts = [_operand(x, self.name) for x in args[: self.nin]]
        outs = args[self.nin :] if out is None else out if isinstance(out, tuple) else (out,)
        given = tuple(None if x is None else _array(x, f"{self.name}(out=)") for x in outs)
        if any(x is not None and x.shape != np.broadcast_shapes(*map(np.shape, hosts)) for x in given):
            raise ValueError(f"{self.name}: Out shape is mismatched")
        with np.errstate(all="ignore"):
            result = self._function(*hosts, out=given or None, dtype=dtype, casting=casting, order="C")
        return _wrap(result, tuple(x for x in outs if x is not None), keep_order=True)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        if self.name not in AT:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        host, values = _array(a, f"{self.name}.at"), np.asarray(_operand(b, f"{self.name}.at"))
        if host.dtype.char not in AT[self.name].replace("l", "lq").replace("L", "LQ"):
            raise TypeError(f"cupy.{self.name}.at does not support {host.dtype}")
        with np.errstate(all="ignore"):
            self._function.at(host, _index(indices)[0], values.astype(host.dtype))

    def outer(self, a: ndarray, b: ndarray, **kwargs: Any) -> Any:
        return self(a.reshape(a.shape + (1,) * b.ndim), b, **kwargs)

    def reduce(self, array: ndarray, axis=0, dtype=None, out=None, keepdims=False) -> ndarray:
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return (array.sum if self.name == "add" else array.prod)(axis, dtype, out, keepdims)

    def accumulate(self, array: ndarray, axis=0, dtype=None, out=None) -> ndarray:
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return (array.cumsum if self.name == "add" else array.cumprod)(axis, dtype, out)


def _index(key: Any) -> tuple[tuple, bool]:
    """An index on the host, and whether it gathers (has an array or list in it) rather than views."""
    parts, gathers = [], False
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, (list, np.ndarray)):
            _host_copy("an index of the host")
            part = asarray(part if len(part) else np.zeros(0, np.int64))
        if isinstance(part, ndarray):
            if part.dtype.kind not in "biu":
                raise IndexError(f"arrays used as indices must be of integer or boolean type, not {part.dtype}")
            if part.dtype.kind == "b":
                _synchronise("an index by a mask")
            parts.append(part._host)
            gathers = True
        elif part is None or part is Ellipsis or isinstance(part, (slice, np.integer)) or type(part) is int:
            parts.append(part)
        else:
            raise IndexError(f"only integers, slices, `...`, None and arrays are valid indices, not {type(part)}")
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)  # so that integers alone give a 0-d view, as in CuPy, and not a scalar
    return tuple(parts), gathers


def _refuse_race(places: np.ndarray, values: Any) -> None:
    if np.ndim(values) and np.unique(places).size != places.size:
        raise IndexError("an assignment to duplicate places is a race in CuPy; add.at adds all up")


class Flags:
    """The memory layout of an array, as far as CuPy tells it: there is no `writeable`."""

    def __init__(self, host: np.ndarray, owndata: bool):
        self.c_contiguous, self.f_contiguous = host.flags.c_contiguous, host.flags.f_contiguous
        self.owndata, self.fnc, self.forc = owndata, host.flags.fnc, host.flags.forc

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return getattr(self, name.lower())


class ndarray:
    """An array of the device. It holds a NumPy array that only this module touches."""

    __slots__ = ("__weakref__", "_host", "base")
    __array_ufunc__ = None  # NumPy's ufuncs refuse it, and NumPy's scalars leave operators to it
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        if memptr is not None or strides is not None:
            raise NotImplementedError("ndarray: memptr and strides")
        self._host, self.base = _empty(shape, dtype, order), None

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_function__(self, func, types, args, kwargs):
        raise TypeError(f"numpy.{func.__name__} got an array of the device; use the function of its own module")

    # Where it lies.

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: Flags(self._host, self.base is None))
    data = property(lambda self: SimpleNamespace(ptr=self._host.ctypes.data))
    device = property(lambda self: cuda.Device())
    T = property(lambda self: _wrap(self._host.T, (self,)) if self.ndim > 1 else self)
    mT = property(lambda self: self.swapaxes(-1, -2))
    real = property(lambda self: _wrap(self._host.real, (self,)))
    imag = property(lambda self: _wrap(self._host.imag, (self,)))

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        if self.ndim == 1:
            _synchronise("iteration over values")  # it does not in CuPy, but whoever looks at the values will
        return (self[i] for i in range(len(self)))

    # From the device to the host: everything here waits.

    def get(self, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
        _synchronise("get")
        host = np.array(self._host, order=order)
        if out is None:
            return host
        if out.dtype != host.dtype or out.shape != host.shape:
            raise TypeError(f"get: out is {out.dtype} {out.shape}, but the array is {host.dtype} {host.shape}")
        out[...] = host
        return out

    def item(self) -> bool | int | float | complex:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def tobytes(self, order="C") -> bytes:
        return self.get().tobytes(order)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError("The truth value of an array without exactly one element is ambiguous")
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __reduce__(self):
        return array, (self.get(order="A"),)

    # From the host to the device.

    def set(self, arr: np.ndarray, stream=None) -> None:
        if not isinstance(arr, np.ndarray) or arr.dtype != self.dtype or arr.shape != self.shape:
            raise TypeError(f"set: expected a numpy.ndarray of {self.dtype} {self.shape}")
        _host_copy("set")
        self._host[...] = arr

    # On the device.

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("astype: casting and subok are not supported yet")
        with np.errstate(all="ignore"):
            return _wrap(self._host.astype(_check_dtype(dtype), order, copy=copy), (self,), keep_order=True)

    def view(self, dtype=None, type=None) -> ndarray:
        if type is not None:
            raise ValueError("view: Type must be a sub-type of ndarray type")
        host = self._host.view() if dtype is None else self._host.view(_check_dtype(dtype))
        return _new(host, self if self.base is None else self.base)

    def fill(self, value) -> None:
        self._host.fill(_operand(value, "fill"))

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: dict) -> ndarray:
        return self.copy()

    def __getitem__(self, key: Any) -> ndarray:
        index, gathers = _index(key)
        if gathers:
            return _new(np.array(self._host[index], order="C"))
        return _new(self._host[index], self if self.base is None else self.base)

    def __setitem__(self, key: Any, value: Any) -> None:
        index, gathers = _index(key)
        value = _operand(value, "setitem")
        if gathers:
            _refuse_race(np.arange(self.size).reshape(self.shape)[index], value)
        with np.errstate(all="ignore"):
            self._host[index] = value

    def __pow__(self, exponent: Any) -> ndarray:
        if type(exponent) in (int, float) and exponent in POWERS and (exponent == 2 or type(exponent) is float):
            return ufunc(POWERS[exponent])(self)  # so rounded as CuPy rounds
        return _operate("power", self, exponent)

    def __rpow__(self, base: Any) -> ndarray:
        return _operate("power", base, self)

    def __matmul__(self, other: Any) -> ndarray:
        return _operate("matmul", self, other)

    def __rmatmul__(self, other: Any) -> ndarray:
        return _operate("matmul", other, self)


POWERS = {2: "square", 0.5: "sqrt", -1.0: "reciprocal"}

OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _operate(name: str, x: Any, y: Any) -> Any:
    """x op y. Who says `__array_ufunc__ = None` and is no array, a Tensor say, has operators of its own that take over."""
    for operand in (x, y):
        if not isinstance(operand, ndarray) and getattr(operand, "__array_ufunc__", operand) is None:
            return NotImplemented
    return __getattr__(name)(x, y)


def _define_operators() -> None:
    for symbol, name in (OPERATORS | COMPARISONS).items():
        setattr(ndarray, f"__{symbol}__", lambda self, other, name=name: _operate(name, self, other))
    for symbol, name in OPERATORS.items():
        setattr(ndarray, f"__r{symbol}__", lambda self, other, name=name: _operate(name, other, self))
    for symbol, name in (OPERATORS | {"pow": "power"}).items():
        setattr(ndarray, f"__i{symbol}__", lambda self, other, name=name: __getattr__(name)(self, other, out=self))
    for symbol, name in UNARY.items():
        setattr(ndarray, f"__{symbol}__", lambda self, name=name: __getattr__(name)(self))


def _define_methods() -> None:
    for name, stub in _stubs(Methods).items():
        function = {"argsort": SPECIAL["argsort"], "clip": _clip, "repeat": _repeat}.get(
            name, getattr(np.ndarray, name)
        )
        setattr(ndarray, name, _checked(name, stub, function))


def _stubs(table: type) -> dict[str, Callable]:
    return {name: stub for name, stub in vars(table).items() if not name.startswith("_")}


@functools.cache
def __getattr__(name: str) -> Any:
    if name in UFUNCS:
        return ufunc(name)
    if name in SHARED:
        return getattr(np, name)
    if stub := _stubs(Functions).get(name):
        return _checked(name, stub, SPECIAL.get(name) or getattr(np, name))
    raise AttributeError(f"standin has no {name!r}; if CuPy has it, add it to the tables of tests/standin.py")


class Device:
    """The one device there is."""

    id = 0

    def synchronize(self) -> None:
        _synchronise("Device.synchronize")


class Stream:
    """A stream, on which everything has been done already."""

    null: Stream

    def synchronize(self) -> None:
        _synchronise("Stream.synchronize")


Stream.null = Stream()
_define_operators()
_define_methods()

cuda = SimpleNamespace(
    Device=Device,
    Stream=Stream,
    get_current_stream=lambda: Stream.null,
    is_available=lambda: True,
    runtime=SimpleNamespace(getDeviceCount=lambda: 1, deviceSynchronize=Device().synchronize),
)
linalg = SimpleNamespace(
    **{name: _checked(name, stub, getattr(np.linalg, name)) for name, stub in _stubs(LinalgFunctions).items()}
)
array, asarray = __getattr__("array"), __getattr__("asarray")
