"""A strict stand-in for CuPy, on which the CuPy path is tested without a GPU.

`import standin as xp` gives a module with CuPy's names. It computes with NumPy, but an array of it holds its values out
of reach, and it is as strict as CuPy 14.2, whose source is where every rule below comes from:

- NumPy's functions refuse its arrays, and its operators and functions refuse NumPy's arrays and lists.
- A reduction or an index gives a 0-d array, never a scalar; what makes Python wait for the device is counted.
- A name, an option or a data type that CuPy lacks is refused, and results lie in memory as CuPy's would.

Where CuPy is silent about a mistake (an index out of range wraps around, an assignment to duplicate places is a race,
fresh memory holds anything) the stand-in raises, or fills with the worst.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

sync_count = 0
"""How often Python has waited for the device since this module was imported."""

_log: list[str] = []
_launched: list[str] = []
_capturing, _cublas = False, True


class Noted:
    """What was noted in a block: how much (`count`) and what (`names`)."""

    def __init__(self, log: list[str], what: str) -> None:
        self._log, self._what = log, what
        self._start = len(log)
        self._end: int | None = None

    def stop(self) -> None:
        self._end = len(self._log)

    @property
    def names(self) -> list[str]:
        return self._log[self._start : self._end]

    @property
    def count(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"{self.count} {self._what}: {', '.join(self.names) or 'none'}"


@contextmanager
def count_syncs() -> Iterator[Noted]:
    """Count the synchronisations in a block: `with count_syncs() as syncs: ...; assert syncs.count == 0, syncs`."""
    syncs = Noted(_log, "synchronisations")
    try:
        yield syncs
    finally:
        syncs.stop()


@contextmanager
def count_launches() -> Iterator[Noted]:
    """Count what a GPU would be given to do in a block: kernels, products and copies."""
    launches = Noted(_launched, "launches")
    try:
        yield launches
    finally:
        launches.stop()


def note_launch(what: str) -> None:
    """Count a launch of what is not of this module, such as a kernel made of CUDA text."""
    _launched.append(what)


def as_launches(function: Callable, count: Callable[..., int] = lambda *_, **__: 1) -> Callable:
    """A function that is so many launches on a GPU, such as one that has a kernel there, whatever it does here."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        begin = len(_launched)
        result = function(*args, **kwargs)
        _launched[begin:] = [function.__qualname__] * count(*args, **kwargs)
        return result

    return call


@contextmanager
def capturing(cublas: bool = True) -> Iterator[None]:
    """A block in which a synchronisation, or a copy from host to device, raises, as while a CUDA graph is captured.

    cublas: False refuses products of matrices, too, as CuPy does then.
    """
    global _capturing, _cublas
    before, (_capturing, _cublas) = (_capturing, _cublas), (True, cublas)
    try:
        yield
    finally:
        _capturing, _cublas = before


def is_capturing() -> bool:
    """Whether this is within a block of `capturing`."""
    return _capturing


def _synchronise(what: str) -> None:
    global sync_count
    if _capturing:
        raise RuntimeError(f"{what} waits for the device, which is not permitted while a stream is capturing")
    sync_count += 1
    _log.append(what)


def _host_copy(what: str) -> None:
    if _capturing:
        raise RuntimeError(f"{what} copies from the host, which is not permitted while a stream is capturing")


def _product(what: str, operands: Sequence[Any]) -> None:
    """A product of matrices: by cuBLAS, for all but whole numbers, which CuPy does not call while it is capturing."""
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    by_cublas = all(x.size and x.dtype.kind in "fc" for x in arrays) and any(x.ndim > 1 for x in arrays)
    if not _cublas and by_cublas:
        raise NotImplementedError(f"{what}: calling cuBLAS API during stream capture is currently unsupported")


# The tables: what NumPy and CuPy share. Each line has CuPy's parameters in CuPy's order, and no more; the annotation
# says what may be passed. test_standin.py holds the tables against CuPy, where that is installed.
#
#   A  an array of the device          L  a list or tuple of arrays of the device
#   S  such an array, or a scalar      O  any object
#   (none)  what lives on the host: a number, a shape, an axis, a data type, an option

FUNCTIONS = """
all(a: A, axis=None, out: A = None, keepdims=False)
allclose(a: S, b: S, rtol=1e-05, atol=1e-08, equal_nan=False)
amax(a: A, axis=None, out: A = None, keepdims=False)
amin(a: A, axis=None, out: A = None, keepdims=False)
any(a: A, axis=None, out: A = None, keepdims=False)
arange(start, stop=None, step=1, dtype=None)
argmax(a: A, axis=None, dtype=None, out: A = None, keepdims=False)
argmin(a: A, axis=None, dtype=None, out: A = None, keepdims=False)
argsort(a: A, axis=-1, kind=None)
argwhere(a: A)
array(obj: O, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False)
array_equal(a1: A, a2: A, equal_nan=False)
array_split(ary: A, indices_or_sections, axis=0)
asarray(a: O, dtype=None, order=None, *, copy=None, blocking=False)
ascontiguousarray(a: A, dtype=None)
asnumpy(a: O, stream=None, order='C', out: O = None, *, blocking=True)
atleast_1d(*arys: A)
atleast_2d(*arys: A)
atleast_3d(*arys: A)
bincount(x: A, weights: A = None, minlength=None)
broadcast_arrays(*args: A)
broadcast_shapes(*args)
broadcast_to(array: A, shape)
can_cast(from_, to, casting='safe')
clip(a: A, a_min: S, a_max: S, out: A = None)
concatenate(tup: L, axis=0, out: A = None, *, dtype=None, casting='same_kind')
copy(a: A, order='K')
copyto(dst: A, src: S, casting='same_kind', where: S = None)
count_nonzero(a: A, axis=None)
cumprod(a: A, axis=None, dtype=None, out: A = None)
cumsum(a: A, axis=None, dtype=None, out: A = None)
diag(v: A, k=0)
diagonal(a: A, offset=0, axis1=0, axis2=1)
diff(a: A, n=1, axis=-1, prepend: S = None, append: S = None)
dot(a: A, b: A, out: A = None)
einsum(*operands: O, **kwargs)
empty(shape, dtype=float, order='C')
empty_like(prototype: A, dtype=None, order='K', subok=None, shape=None)
expand_dims(a: A, axis)
eye(N, M=None, k=0, dtype=float, order='C')
flatnonzero(a: A)
flip(a: A, axis=None)
fliplr(a: A)
flipud(a: A)
full(shape, fill_value: S, dtype=None, order='C')
full_like(a: A, fill_value: S, dtype=None, order='K', subok=None, shape=None)
hstack(tup: L, *, dtype=None, casting='same_kind')
identity(n, dtype=float)
indices(dimensions, dtype=int)
inner(a: A, b: A)
isclose(a: S, b: S, rtol=1e-05, atol=1e-08, equal_nan=False)
isscalar(element: O)
issubdtype(arg1, arg2)
kron(a: A, b: A)
linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0)
matrix_transpose(x: A, /)
max(a: A, axis=None, out: A = None, keepdims=False)
may_share_memory(a: A, b: A, max_work=None)
mean(a: A, axis=None, dtype=None, out: A = None, keepdims=False)
median(a: A, axis=None, out: A = None, overwrite_input=False, keepdims=False)
meshgrid(*xi: A, **kwargs)
min(a: A, axis=None, out: A = None, keepdims=False)
moveaxis(a: A, source, destination)
nan_to_num(x: A, copy=True, nan=0.0, posinf=None, neginf=None)
ndim(a: A)
nonzero(a: A)
ones(shape, dtype=float, order='C')
ones_like(a: A, dtype=None, order='K', subok=None, shape=None)
outer(a: A, b: A, out: A = None)
pad(array: A, pad_width, mode='constant', **kwargs)
prod(a: A, axis=None, dtype=None, out: A = None, keepdims=False)
promote_types(type1, type2, /)
ptp(a: A, axis=None, out: A = None, keepdims=False)
put_along_axis(arr: A, indices: A, values: S, axis)
ravel(a: A, order='C')
repeat(a: A, repeats, axis=None)
reshape(a: A, newshape, order='C', *, copy=None)
result_type(*arrays_and_dtypes: O)
roll(a: A, shift, axis=None)
rot90(a: A, k=1, axes=(0, 1))
round(a: A, decimals=0, out: A = None)
searchsorted(a: A, v: A, side='left', sorter: A = None)
shape(a: A)
shares_memory(a: A, b: A, max_work=None)
sort(a: A, axis=-1, kind=None)
split(ary: A, indices_or_sections, axis=0)
squeeze(a: A, axis=None)
stack(tup: L, axis=0, out: A = None, *, dtype=None, casting='same_kind')
std(a: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False)
sum(a: A, axis=None, dtype=None, out: A = None, keepdims=False)
swapaxes(a: A, axis1, axis2)
take(a: A, indices: S, axis=None, out: A = None)
take_along_axis(a: A, indices: A, axis)
tensordot(a: A, b: A, axes=2)
tile(A: A, reps)
trace(a: A, offset=0, axis1=0, axis2=1, dtype=None, out: A = None)
transpose(a: A, axes=None)
tri(N, M=None, k=0, dtype=float)
tril(m: A, k=0)
triu(m: A, k=0)
unique(ar: A, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True)
var(a: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False)
vdot(a: A, b: A)
vstack(tup: L, *, dtype=None, casting='same_kind')
where(condition: A, x: S = None, y: S = None)
zeros(shape, dtype=float, order='C')
zeros_like(a: A, dtype=None, order='K', subok=None, shape=None)
"""

MATMUL = "matmul(x1: A, x2: A, /, *, casting='same_kind', dtype=None, out: A = None)"  # in CuPy a generalised ufunc

LINALG = """
cholesky(a: A)
det(a: A)
eigh(a: A, UPLO='L')
eigvalsh(a: A, UPLO='L')
inv(a: A)
norm(x: A, ord=None, axis=None, keepdims=False)
pinv(a: A, rcond=1e-15)
qr(a: A, mode='reduced')
slogdet(a: A)
solve(a: A, b: A)
svd(a: A, full_matrices=True, compute_uv=True)
"""

STRIDE_TRICKS = """
as_strided(x: A, shape=None, strides=None)
sliding_window_view(x: A, window_shape, axis=None, *, subok=False, writeable=False)
"""

METHODS = """
all(self: A, axis=None, out: A = None, keepdims=False)
any(self: A, axis=None, out: A = None, keepdims=False)
argmax(self: A, axis=None, out: A = None, dtype=None, keepdims=False)
argmin(self: A, axis=None, out: A = None, dtype=None, keepdims=False)
argsort(self: A, axis=-1, kind=None)
clip(self: A, min: S = None, max: S = None, out: A = None)
conj(self: A)
conjugate(self: A)
copy(self: A, order='C')
cumprod(self: A, axis=None, dtype=None, out: A = None)
cumsum(self: A, axis=None, dtype=None, out: A = None)
diagonal(self: A, offset=0, axis1=0, axis2=1)
dot(self: A, b: A, out: A = None)
flatten(self: A, order='C')
max(self: A, axis=None, out: A = None, keepdims=False)
mean(self: A, axis=None, dtype=None, out: A = None, keepdims=False)
min(self: A, axis=None, out: A = None, keepdims=False)
nonzero(self: A)
prod(self: A, axis=None, dtype=None, out: A = None, keepdims=None)
ravel(self: A, order='C')
repeat(self: A, repeats, axis=None)
reshape(self: A, *shape, order='C', copy=None)
round(self: A, decimals=0, out: A = None)
searchsorted(self: A, v: A, side='left', sorter: A = None)
sort(self: A, axis=-1, kind=None)
squeeze(self: A, axis=None)
std(self: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False)
sum(self: A, axis=None, dtype=None, out: A = None, keepdims=False)
swapaxes(self: A, axis1, axis2)
take(self: A, indices: S, axis=None, out: A = None)
trace(self: A, offset=0, axis1=0, axis2=1, dtype=None, out: A = None)
transpose(self: A, *axes)
var(self: A, axis=None, dtype=None, out: A = None, ddof=0, keepdims=False)
"""

UFUNCS = """
abs absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_not bitwise_or bitwise_xor
cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide equal exp exp2 expm1 fabs float_power floor
floor_divide fmax fmin fmod gcd greater greater_equal heaviside hypot invert isfinite isinf isnan lcm ldexp
left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
maximum minimum mod multiply negative nextafter not_equal positive power rad2deg radians reciprocal remainder
right_shift rint sign signbit sin sinh sqrt square subtract tan tanh true_divide trunc
"""

SHARED = """
bool_ complex64 complex128 complexfloating dtype e finfo float16 float32 float64 floating generic iinfo inexact inf int8
int16 int32 int64 integer intp nan newaxis number pi signedinteger uint8 uint16 uint32 uint64 unsignedinteger
"""  # data types and constants, which CuPy has from NumPy

OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
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

DTYPES = "?bBhHiIlLqQefdFD"  # no objects, strings, dates or long doubles
ATOMIC = {
    "add": "iIlLqQefd",
    "subtract": "iI",
    "maximum": "iIlLqQfd",
    "minimum": "iIlLqQfd",
}  # the ufuncs that have .at
ATOMIC |= dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), "iIlLqQ")

SYNCHRONISES = {"argwhere", "bincount", "flatnonzero", "nonzero", "shares_memory", "sliding_window_view", "unique"}
JOINS = {"concatenate", "hstack", "stack", "vstack"}
PRODUCTS = {"dot", "inner", "matmul", "tensordot"}
ON_HOST = {"asnumpy", "broadcast_shapes", "can_cast", "isscalar", "issubdtype", "may_share_memory", "ndim"}
ON_HOST |= {"promote_types", "result_type", "shape", "shares_memory"}  # what gives no array
KEEPS_ORDER = {"array", "asarray", "astype", "copy", "einsum", "empty", "empty_like", "eye", "full", "full_like"}
KEEPS_ORDER |= {"eigh", "nan_to_num", "ones", "ones_like", "pad", "qr", "reshape", "roll", "solve", "tile", "zeros"}
KEEPS_ORDER |= {"zeros_like"}
# The rest: in C order, or a view
OWN_BASE = {"argsort", "array", "asarray", "cumprod", "cumsum", "einsum", "flatnonzero", "kron", "nonzero", "repeat"}
OWN_BASE |= {"amax", "amin", "argmax", "argmin", "max", "mean", "min", "norm", "prod", "qr", "reshape", "roll"}
OWN_BASE |= {"slogdet", "sum", "tile", "unique", "where"}  # a fresh result may be a view of other fresh memory
WITHOUT_BASE = {"as_strided", "sliding_window_view"}  # views that do not know of what
ALONG = {"all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "cumprod", "cumsum", "max", "mean"}
ALONG |= {"median", "min", "prod", "ptp", "std", "sum", "var"}  # take no axis of a 0-d array

PAD_MODES = "constant edge empty linear_ramp maximum mean minimum reflect symmetric wrap"


def signatures(table: str) -> dict[str, inspect.Signature]:
    """The lines of a table by name."""
    stubs: dict[str, Any] = {}
    exec("\n".join(f"def {line}: ..." for line in table.splitlines() if line), dict.fromkeys("ASLO"), stubs)
    return {name: inspect.signature(stub) for name, stub in stubs.items()}


# From arrays of the device to the arrays that they hide, and back.


def _is_scalar(x: Any) -> bool:
    return type(x) in (bool, int, float, complex) or (isinstance(x, np.generic) and x.dtype.char in DTYPES)


def _hidden(x: Any, what: str) -> np.ndarray:
    if type(x) is ndarray:
        return x._host
    raise TypeError(f"{what}: expected an array of the device, not {type(x)}")


def _operand(x: Any, what: str) -> Any:
    return x if type(x) is not ndarray and _is_scalar(x) else _hidden(x, what)


def _argument(x: Any, kind: str, what: str) -> Any:
    """An argument as NumPy takes it. Raises TypeError where CuPy would not take it."""
    if type(x) is ndarray and kind in ("A", "S"):
        return x._host
    if x is None or kind == "O":
        return x
    if kind == "A":
        return _hidden(x, what)
    if kind == "S":
        return _operand(x, what)
    if kind == "L":
        if not isinstance(x, (list, tuple)):
            raise TypeError(f"{what}: expected a list or tuple of arrays, not {type(x)}")
        return [_hidden(item, what) for item in x]
    for item in x if type(x) in (list, tuple) else (x,):
        if isinstance(item, (ndarray, np.ndarray)):
            raise TypeError(f"{what}: expected a value of the host, not an array")
    return x


def _new(host: np.ndarray, base: ndarray | None = None) -> ndarray:
    if host.dtype.char not in DTYPES:
        raise ValueError(f"Unsupported dtype {host.dtype}")
    x = object.__new__(ndarray)
    x._host, x.base = host, base
    return x


def _view(host: np.ndarray, x: ndarray) -> ndarray:
    return _new(host, x if x.base is None else x.base)


def _wrap(result: Any, sources: Sequence[Any] = (), name: str = "") -> Any:
    """What NumPy returned, as CuPy would return it: one of the sources, a view of one, or a fresh array."""
    if result is None:
        return None
    if isinstance(result, (tuple, list)):
        items = [_wrap(item, sources, name) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    host = np.asarray(result)
    for x in sources:
        if type(x) is ndarray:
            if host is x._host:
                return x
            if host.base is not None and np.may_share_memory(host, x._host):
                return _new(host) if name in WITHOUT_BASE else _view(host, x)
    if name in OWN_BASE and host.base is not None:
        return _new(host, _new(host.base))
    return _new(host if name in KEEPS_ORDER else np.asarray(host, order="C"))


def _computed(result: Any, taken: list[Any]) -> bool:
    """Whether a result is no view of an argument."""
    hosts = [x._host if type(x) is ndarray else x for x in taken]
    shared = isinstance(result, ndarray) and any(
        isinstance(x, np.ndarray) and np.may_share_memory(x, result._host) for x in hosts
    )
    return not shared


def _forward(name: str, signature: inspect.Signature, function: Callable) -> Callable:
    """A function of NumPy behind the signature that CuPy gives it."""
    parameters = signature.parameters
    function, joins, synchronises = _along(function) if name in ALONG else function, name in JOINS, name in SYNCHRONISES
    plans: dict[tuple, tuple[list, dict]] = {}  # inspect takes longer to bind than NumPy to compute

    def plan(n: int, keywords: tuple[str, ...]) -> tuple[list, dict]:
        """Where each of n arguments by position and of those by keyword goes: its number or keyword, kind and title."""
        try:
            bound = signature.bind(*range(n), **{key: key for key in keywords})
        except TypeError as error:
            raise TypeError(f"{name}: {error}; in CuPy it is {name}{signature}") from None
        place = {}
        for key, value in bound.arguments.items():
            parameter = parameters[key]
            several = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
            for source in value if several else (value,):
                place[source] = source, parameter.annotation, f"{name}({key}=)"
        return [place[source] for source in bound.args], {key: place[s] for key, s in bound.kwargs.items()}

    def call(*args: Any, **kwargs: Any) -> Any:
        key = (len(args), *kwargs)
        found = plans.get(key)
        if found is None:
            found = plans[key] = plan(key[0], key[1:])
        positional, by_keyword = found
        taken = [_argument(args[s] if type(s) is int else kwargs[s], kind, what) for s, kind, what in positional]
        named = {key: _argument(kwargs[s], kind, what) for key, (s, kind, what) in by_keyword.items()}
        if synchronises:
            _synchronise(name)
        if joins and len(args[0]) > 8:
            _host_copy(f"{name} of more than 8 arrays")  # CuPy sends their addresses
        if name in PRODUCTS:
            _product(name, taken)
        with np.errstate(all="ignore"):
            result = function(*taken, **named)
        if name in ON_HOST:
            return result
        wrapped = _wrap(result, (*args, *kwargs.values()), name)
        _launched.extend([name] * (not name.startswith("empty") and ("out" in kwargs or _computed(wrapped, taken))))
        return wrapped

    call.__name__ = call.__qualname__ = name
    return call


def _along(function: Callable) -> Callable:
    """A function along an axis, which a 0-d array does not have; NumPy takes its axis 0 for all of it."""

    def call(a, axis=None, *args, **kwargs):
        if a.ndim == 0 and isinstance(axis, (int, np.integer)):
            raise np.exceptions.AxisError(axis, 0)
        return function(a, axis, *args, **kwargs)

    return call


# Functions that do less in CuPy than in NumPy, or do it otherwise. They get what _argument made of their arguments.

SPECIAL: dict[str, Callable] = {}


def special(function: Callable) -> Callable:
    SPECIAL[function.__name__.removeprefix("_")] = function
    return function


@special
def _array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if subok:
        raise NotImplementedError("array: CuPy has no subok=True")
    if blocking:
        _synchronise("array(blocking=True)")
    if isinstance(obj, ndarray):
        obj = obj._host
    elif isinstance(obj, (list, tuple)) and _of_arrays(obj):
        together = _stacked(obj)
        together = together.reshape((1,) * (ndmin - together.ndim) + together.shape)[...]  # as CuPy, which joins them
        return together.astype(dtype or together.dtype, "F" if order == "F" else "C", copy=False)
    elif not _is_scalar(obj):
        _host_copy("array")
        obj = np.array(obj, dtype, order="F" if isinstance(obj, np.ndarray) and obj.flags.fnc else "C")
    host = np.asarray(obj)
    if host.ndim < ndmin:
        host = host.reshape((1,) * (ndmin - host.ndim) + host.shape)
    return np.array(host, dtype, copy=copy, order=order or "K")


def _of_arrays(obj: Any) -> bool:
    """Whether a list or tuple, or what is nested in it, begins with an array of the device."""
    return isinstance(obj, ndarray) or (isinstance(obj, (list, tuple)) and any(map(_of_arrays, obj)))


def _stacked(obj: Any) -> np.ndarray:
    return np.array([_stacked(item) if isinstance(item, (list, tuple)) else _hidden(item, "array") for item in obj])


@special
def _asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    return _array(a, dtype, copy, order, blocking=blocking)


@special
def _ascontiguousarray(a, dtype=None):
    return np.ascontiguousarray(a, dtype)


@special
def _asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out, blocking) if isinstance(a, ndarray) else np.asarray(a, order=order)


def _worst(host: np.ndarray) -> np.ndarray:
    """Fresh memory, with what shows best that it was read before it was written."""
    host.fill(True if host.dtype == bool else np.iinfo(host.dtype).max if host.dtype.kind in "iu" else np.nan)
    return host


@special
def _empty(shape, dtype=float, order="C"):
    return _worst(np.empty(shape, dtype, order))


@special
def _empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    return _worst(np.empty_like(prototype, dtype, order, shape=shape))


@special
def _array_equal(a1, a2, equal_nan=False):
    if equal_nan:
        _synchronise("array_equal(equal_nan=True)")
    return np.array_equal(a1, a2, equal_nan)


def _stable(sort: Callable) -> Callable:
    def call(a, axis=-1, kind=None):
        if kind not in (None, "stable"):
            raise ValueError(f"sort: kind is {kind!r}, but CuPy knows None and 'stable'")
        if a.ndim == 0 and sort is not np.argsort:
            raise np.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
        return sort(a, axis=axis, kind="stable")

    return call


SPECIAL["sort"] = _stable(np.sort)


def _rolled(host: np.ndarray, axis: int) -> np.ndarray:
    """As CuPy leaves what it has computed row by row: a view of memory in which the axis is the last one."""
    return np.moveaxis(np.array(np.moveaxis(host, axis, -1), order="C"), -1, axis)


@special
def _argsort(a, axis=-1, kind=None):
    places = _stable(np.argsort)(a, axis, kind)
    return places if axis in (None, -1, a.ndim - 1) else _rolled(places, axis)


def _scan(function: Callable) -> Callable:
    def call(a, axis=None, dtype=None, out=None):
        sums = function(a, axis, dtype, out)
        if out is not None:
            return sums
        if not sums.size:
            return np.array(sums)
        moved = np.moveaxis(np.array(sums, order="C"), -1 if axis is None else axis, -1)  # and scanned row by row
        return np.moveaxis(moved.reshape(-1, moved.shape[-1]).reshape(moved.shape), -1, -1 if axis is None else axis)

    return call


SPECIAL["cumsum"], SPECIAL["cumprod"] = _scan(np.cumsum), _scan(np.cumprod)


def _reduction(function: Callable, keeps_view: bool = False) -> Callable:
    """A reduction of a whole contiguous array is computed as a 0-d array, of which what has axes is a view, in CuPy."""

    def call(a, axis=None, *args, **kwargs):
        y = function(a, axis, *args, **kwargs)
        if any(y is x for x in (*args, *kwargs.values())):
            return y
        axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        whole = len(axes) == a.ndim and a.flags.forc
        return np.asarray(y)[...] if whole and (keeps_view or (np.ndim(y) and y.dtype == a.dtype)) else y

    return call


for _name in ("max", "mean", "min", "prod", "sum"):
    SPECIAL[_name] = SPECIAL[f"a{_name}"] = _reduction(getattr(np.ndarray, _name))
for _name in ("argmax", "argmin"):
    SPECIAL[_name] = _reduction(getattr(np.ndarray, _name), keeps_view=True)  # a view of a place and a value


@special
def _diag(v, k=0):
    return np.array(np.diag(v, k))


@special
def _kron(a, b):
    product = np.array(np.kron(a, b))
    return product[...] if a.ndim and b.ndim else product


@special
def _tile(A, reps):
    copied = np.array(np.tile(A, reps), order="K")
    return copied[...] if np.any(np.not_equal(reps, 1)) else copied


@special
def _nonzero(a):
    if a.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed")
    rows = np.array(np.argwhere(a), order="C")
    return tuple(rows[:, i] for i in range(a.ndim))


@special
def _flatnonzero(a):
    return _nonzero(a.ravel())[0]


@special
def _shares_memory(a, b, max_work=None):
    if not (a.ndim and b.ndim):
        raise ValueError("shares_memory: of a 0-d array CuPy compares a copy; give it atleast_1d of both")
    return np.shares_memory(a, b)


@special
def _clip(a, a_min, a_max, out=None):
    if a_min is None and a_max is None:
        raise ValueError("clip: must set either max or min")
    return np.clip(a, a_min, a_max, out)


@special
def _copyto(dst, src, casting="same_kind", where=None):
    np.copyto(dst, src, casting, True if where is None else where)


@special
def _einsum(subscripts, *operands, dtype=None, optimize=False):
    if not isinstance(subscripts, str):
        raise TypeError("einsum: the subscripts must be a string")
    hosts = [_hidden(x, "einsum") for x in operands]
    given, _, kept = subscripts.partition("->")
    if len(hosts) > 1 and set(given) - set(kept) - set(","):
        _product("einsum", hosts)
    result = np.einsum(subscripts, *hosts, dtype=dtype, optimize=optimize)
    return np.asarray(result)[...]  # CuPy transposes what it has computed


@special
def _flip(m, axis=None):
    return np.flip(m, axis) if m.ndim else m[...]


@special
def _moveaxis(a, source, destination):
    moved = np.moveaxis(a, source, destination)
    return a if moved.strides == a.strides and moved.shape == a.shape else moved


@special
def _meshgrid(*xi, **options):
    return list(xi) if len(xi) == 1 else np.meshgrid(*xi, **options)


@special
def _reshape(a, newshape, order="C", *, copy=None):
    if order == "F" and not a.flags.f_contiguous:
        return np.array(a, order="F").reshape(newshape, order="F")
    shaped = np.reshape(a, newshape, order)  # whose own `copy` NumPy 2.0 lacks
    is_view = np.may_share_memory(shaped, a)
    if copy is False and a.size and not is_view:
        raise ValueError("reshape: copy is False, but this takes a copy")
    return np.array(shaped, order="K") if copy or not is_view else shaped


@special
def _roll(a, shift, axis=None):
    rolled = np.roll(a, shift, axis)
    return rolled if axis is not None else np.array(rolled, order="C")[...]


@special
def _unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True):
    found = np.unique(ar, return_index, return_inverse, return_counts, axis, equal_nan=equal_nan)
    if not (return_index or return_inverse or return_counts):
        return found
    return tuple(y[...] if return_inverse and i == 1 + return_index else y for i, y in enumerate(found))


@special
def _pad(array, pad_width, mode="constant", **options):
    if mode not in PAD_MODES.split():
        raise ValueError(f"pad: mode {mode!r} is not supported")
    return np.asarray(np.pad(array, pad_width, mode, **options), order="F" if array.flags.fnc else "C")


def _refuse_race(places: np.ndarray, values: Any) -> None:
    if np.ndim(values) and np.unique(places).size != places.size:
        raise IndexError("assigning several values to one place is a race in CuPy; add.at adds them all")


@special
def _put_along_axis(arr, indices, values, axis):
    _refuse_race(np.take_along_axis(np.arange(arr.size).reshape(arr.shape), indices, axis), values)
    np.put_along_axis(arr, indices, values, axis)


@special
def _repeat(a, repeats, axis=None):
    if not isinstance(repeats, (int, np.integer)):
        raise TypeError("repeat: expected one int; given several, CuPy waits for the device")
    return np.repeat(a, repeats, axis)[...] if repeats else np.repeat(a, repeats, axis)


@special
def _result_type(*arrays_and_dtypes):
    return np.result_type(*[x._host if isinstance(x, ndarray) else x for x in arrays_and_dtypes])


@special
def _where(condition, x=None, y=None):
    if (x is None) != (y is None):
        raise ValueError("where: must provide both 'x' and 'y' or neither")
    if x is None:
        _synchronise("where(condition)")
        return _nonzero(condition)
    return np.where(condition, x, y)


# Of linalg. What cuSOLVER computes lies column by column.


@special
def _qr(a, mode="reduced"):
    q, r = np.linalg.qr(a, mode)
    room = np.zeros((len(a), r.shape[1]), r.dtype, order="F")
    room[: len(r)] = r
    return np.array(q, order="F")[...], room[: len(r)]


@special
def _solve(a, b):
    return np.asarray(np.linalg.solve(a, b), order="F")


@special
def _eigh(a, UPLO="L"):
    found = np.linalg.eigh(a, UPLO)
    return found._replace(eigenvectors=np.asarray(found.eigenvectors, order="F"))


@special
def _slogdet(a):
    found = np.linalg.slogdet(a)
    return type(found)(*(np.asarray(y)[...] for y in found))


@special
def _norm(x, ord=None, axis=None, keepdims=False):
    length = np.linalg.norm(x, ord, axis, keepdims)
    return length[...] if keepdims and axis is None and x.flags.forc else length


def _rounded_otherwise(y: np.ndarray) -> np.ndarray:
    """Powers as a GPU may round them: exact are those alone that a float16 holds. In place."""
    if y.dtype.char in "fd":
        np.copyto(y, np.nextafter(y, 0), where=y != y.astype(np.float16))
    return y


class ufunc:
    """A universal function. Its options are out=, dtype= and casting= alone, and fresh results are in C order."""

    def __init__(self, name: str):
        self.name = self.__name__ = name
        self._function: np.ufunc = getattr(np, name)
        self.nin, self.nout, self.nargs = self._function.nin, 1, self._function.nargs

    def __repr__(self) -> str:
        return f"<ufunc {self.name!r}>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind") -> Any:
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"{self.name}: takes {self.nin} to {self.nargs} arguments, but {len(args)} were given")
        outs = args[self.nin :] if out is None else out if isinstance(out, tuple) else (out,)
        hosts = [x._host if type(x) is ndarray else _operand(x, self.name) for x in args[: self.nin]]
        out_hosts = tuple([_argument(x, "A", f"{self.name}(out=)") for x in outs]) or None
        with np.errstate(all="ignore"):
            result = self._function(*hosts, out=out_hosts, dtype=dtype, casting=casting)
            if self.name == "power":
                result = _rounded_otherwise(np.asarray(result))
        _launched.append(self.name)
        return _wrap(result, outs)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        if self.name not in ATOMIC:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        _launched.append(f"{self.name}.at")
        host, values = _hidden(a, f"{self.name}.at"), np.asarray(_operand(b, f"{self.name}.at"))
        if host.dtype.char not in ATOMIC[self.name]:
            raise TypeError(f"cupy.{self.name}.at does not support {host.dtype}")
        with np.errstate(all="ignore"):
            self._function.at(host, _index(indices)[0], values.astype(host.dtype))

    def reduce(self, array: ndarray, axis=0, dtype=None, out=None, keepdims=False) -> ndarray:
        return self._method(array, {"add": "sum", "multiply": "prod"}, "reduce")(axis, dtype, out, keepdims)

    def accumulate(self, array: ndarray, axis=0, dtype=None, out=None) -> ndarray:
        return self._method(array, {"add": "cumsum", "multiply": "cumprod"}, "accumulate")(axis, dtype, out)

    def _method(self, array: ndarray, methods: dict[str, str], what: str) -> Callable:
        if self.name not in methods:
            raise NotImplementedError(f"`{self.name}.{what}` is not supported yet")
        _hidden(array, f"{self.name}.{what}")
        return getattr(array, methods[self.name])


def _index(key: Any) -> tuple[tuple, bool]:
    """An index for the hidden array, and whether it gathers (it has an array or a list) rather than views."""
    parts, gathers, dots = [], False, False
    for part in key if isinstance(key, tuple) else (key,):
        if part is Ellipsis:
            dots = True
        elif isinstance(part, (list, np.ndarray, ndarray)):
            part, gathers = _gathering(part), True
        elif not (part is None or isinstance(part, (slice, np.integer)) or type(part) is int):
            raise IndexError(f"only integers, slices, `...`, None and arrays are valid indices, not {type(part)}")
        parts.append(part)
    if not dots:
        parts.append(Ellipsis)  # integers alone then give a 0-d view, as in CuPy, and no scalar
    return tuple(parts), gathers


def _gathering(part: Any) -> np.ndarray:
    """A list or array of an index, as NumPy takes it."""
    if not isinstance(part, ndarray):
        part = __getattr__("asarray")(part if np.size(part) else np.zeros(0, np.int64))
    if part.dtype.kind not in "biu":
        raise IndexError(f"arrays used as indices must be of integer or boolean type, not {part.dtype}")
    if part.dtype.kind == "b":
        _synchronise("an index by a mask")
    return part._host


class Flags:
    """How an array lies in memory, as far as CuPy says: there is no `writeable`."""

    def __init__(self, host: np.ndarray, owndata: bool):
        self.c_contiguous, self.f_contiguous, self.owndata = host.flags.c_contiguous, host.flags.f_contiguous, owndata
        self.fnc, self.forc = host.flags.fnc, host.flags.forc

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return getattr(self, name.lower())


class ndarray:
    """An array of the device. It hides a NumPy array, which only this module touches."""

    __slots__ = ("__weakref__", "_host", "base")
    __array_ufunc__ = None  # NumPy's ufuncs refuse it, and NumPy's arrays and scalars leave their operators to it
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

    # How it looks and lies in memory.

    shape, dtype, ndim, size, itemsize, nbytes, strides = (
        property(operator.attrgetter(f"_host.{name}"))
        for name in ("shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides")
    )
    flags = property(lambda self: Flags(self._host, self.base is None))
    data = property(lambda self: SimpleNamespace(ptr=self._host.ctypes.data))
    device = property(lambda self: Device())
    T = property(lambda self: self.transpose() if self.ndim > 1 else self)
    mT = property(lambda self: _view(self._host.mT, self))
    real = property(lambda self: _wrap(self._host.real, (self,)))
    imag = property(lambda self: _wrap(self._host.imag, (self,)))

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        if self.ndim == 1:
            _synchronise("iteration over values")  # not itself, in CuPy; but what is done with each value will
        return (self[i] for i in range(len(self)))

    # From the device to the host: all of this waits.

    def get(self, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
        _synchronise("get")
        if out is None:
            return np.array(self._host, order=order)
        if out.dtype != self.dtype or out.shape != self.shape:
            raise TypeError(f"get: out is {out.dtype} {out.shape}, but the array is {self.dtype} {self.shape}")
        out[...] = self._host
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
        return _unpickle, (self.get(order="A"),)

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
            result = _wrap(self._host.astype(dtype, order, copy=copy), (self,), "astype")
        _launched.extend(["astype"] * (result is not self))
        return result

    def view(self, dtype=None, type=None) -> ndarray:
        if type is not None:
            raise ValueError("view: Type must be a sub-type of ndarray type")
        return _view(self._host.view() if dtype is None else self._host.view(dtype), self)

    def fill(self, value) -> None:
        _launched.append("fill")
        self._host.fill(_operand(value, "fill"))

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: dict) -> ndarray:
        return self.copy()

    def __getitem__(self, key: Any) -> ndarray:
        index, gathers = _index(key)
        host = self._host[index]
        _launched.extend(["gather"] * gathers)
        return _new(np.array(host, order="C")) if gathers else _view(host, self)

    def __setitem__(self, key: Any, value: Any) -> None:
        index, gathers = _index(key)
        value = _operand(value, "setitem")
        _launched.append("setitem")
        if gathers:
            _refuse_race(np.arange(self.size).reshape(self.shape)[index], value)
        with np.errstate(all="ignore"):
            self._host[index] = value

    def __matmul__(self, other: Any) -> ndarray:
        return _operate("matmul", self, other)

    def __rmatmul__(self, other: Any) -> ndarray:
        return _operate("matmul", other, self)


def _operate(name: str, x: Any, y: Any) -> Any:
    """x op y, unless one of them, a Tensor for instance, says that it has operators of its own."""
    for operand in (x, y):
        if type(operand) is not ndarray and getattr(operand, "__array_ufunc__", ...) is None:
            return NotImplemented
    if name == "power" and type(y) in (int, float) and y in (2, 0.5, -1) and (y == 2 or type(y) is float):
        return __getattr__({2: "square", 0.5: "sqrt", -1: "reciprocal"}[y])(x)  # as CuPy, which rounds so
    return __getattr__(name)(x, y)


def _define_operators_and_methods() -> None:
    for symbol, name in (OPERATORS | COMPARISONS).items():
        setattr(ndarray, f"__{symbol}__", lambda self, other, name=name: _operate(name, self, other))
    for symbol, name in OPERATORS.items():
        setattr(ndarray, f"__r{symbol}__", lambda self, other, name=name: _operate(name, other, self))
        setattr(ndarray, f"__i{symbol}__", lambda self, other, name=name: __getattr__(name)(self, other, out=self))
    for symbol, name in UNARY.items():
        setattr(ndarray, f"__{symbol}__", lambda self, name=name: __getattr__(name)(self))
    special = {
        **{name: SPECIAL[name] for name in OWN_BASE & signatures(METHODS).keys()},
        "clip": lambda self, min=None, max=None, out=None: _clip(self, min, max, out),
        "reshape": lambda self, *shape, **how: _reshape(self, shape[0] if len(shape) == 1 else shape, **how),
        "sort": _stable(np.ndarray.sort),
    }
    for name, signature in signatures(METHODS).items():
        setattr(ndarray, name, _forward(name, signature, special.get(name) or getattr(np.ndarray, name)))


def _unpickle(host: np.ndarray) -> ndarray:
    return __getattr__("asarray")(host)


def _namespace(table: str, module: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            name: _forward(name, line, SPECIAL.get(name) or getattr(module, name))
            for name, line in signatures(table).items()
        }
    )


@functools.cache
def __getattr__(name: str) -> Any:
    if name in UFUNCS.split():
        return ufunc(name)
    if name in SHARED.split():
        return getattr(np, name)
    if name in _SIGNATURES:
        return _forward(name, _SIGNATURES[name], SPECIAL.get(name) or getattr(np, name))
    raise AttributeError(f"standin has no {name!r}; if CuPy has it, add it to the tables of tests/standin.py")


class Device:
    """The only device."""

    id = 0

    def synchronize(self) -> None:
        _synchronise("Device.synchronize")


class Stream:
    """A stream, in which everything is done at once."""

    null: Stream
    ptr = 0

    def synchronize(self) -> None:
        _synchronise("Stream.synchronize")


Stream.null = Stream()
_SIGNATURES = signatures(FUNCTIONS + MATMUL)
_define_operators_and_methods()

cuda = SimpleNamespace(
    Device=Device,
    Stream=Stream,
    get_current_stream=lambda: Stream.null,
    get_device_id=lambda: 0,
    is_available=lambda: True,
    runtime=SimpleNamespace(getDeviceCount=lambda: 1, deviceSynchronize=lambda: _synchronise("deviceSynchronize")),
)
linalg = _namespace(LINALG, np.linalg)
lib = SimpleNamespace(stride_tricks=_namespace(STRIDE_TRICKS, np.lib.stride_tricks))
