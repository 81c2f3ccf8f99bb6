"""Along axes: sums, products, extremes, norms, variance, softmax. axis is None (all), an int or a tuple of ints."""

from __future__ import annotations

import math
import operator
from typing import Any, TypeAlias

import numpy as np
from numpy.exceptions import AxisError

from .. import kernels
from ..backend import Array, array_module
from ..checks import check_array
from ..kernels.sums import axes_of
from ..primitives import primitive
from .comparisons import equal, not_equal
from .elementwise import abs, astype, exp, sqrt, where
from .joining import concatenate
from .shape import broadcast_to

Axis: TypeAlias = "int | tuple[int, ...] | None"


def _checked(axis: Axis, ndim: int) -> Axis:
    """The axis, if an array of ndim axes has it; None for axis 0 of a 0-d array, which means all of it, as in NumPy.

    Raises AxisError (a ValueError and an IndexError, as in NumPy), ValueError or TypeError for others.
    """
    if axis is None or (type(axis) is int and -ndim <= axis < ndim):
        return axis
    axes = axis if isinstance(axis, tuple) else (axis,)
    places, length = [operator.index(a) for a in axes], ndim or 1
    for a in places:
        if not -length <= a < length:
            raise AxisError(f"axis {a} is out of bounds for an array of {ndim} axes")
    if len({a % length for a in places}) < len(places):
        raise ValueError(f"axis {axis} names an axis twice")
    return None if not ndim else tuple(places) if isinstance(axis, tuple) else places[0]


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements of an array of the shape go into each result."""
    return math.prod(shape[a] for a in axes_of(axis, len(shape)))


def _spread(r: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """A reduced array with its lost axes back as length 1, so that it broadcasts to the shape that it had before."""
    axes = axes_of(axis, len(shape))
    return r.reshape(tuple([1 if i in axes else n for i, n in enumerate(shape)]))


@primitive
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Σ x along the axes.

    >>> tg.ops.sum([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([3., 7.], dtype=float32)
    """
    return kernels.narrow(kernels.total(x, _checked(axis, x.ndim), keepdims), x)


@primitive
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The mean of x along the axes.

    >>> tg.ops.mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([2., 3.], dtype=float32)
    """
    axis = _checked(axis, x.ndim)
    if not _count(x.shape, axis):
        return kernels.total(x, axis, keepdims) * math.nan  # without the warning of a division
    return kernels.narrow(kernels.mean(x, axis, keepdims), x)


@primitive
def var(x: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Array:
    """Σ (x - mean)² / (n - ddof) along the axes.

    >>> tg.ops.var([1.0, 2.0, 3.0], ddof=1)
    array(1., dtype=float32)
    """
    axis = _checked(axis, x.ndim)
    if not _count(x.shape, axis):
        return kernels.total(x, axis, keepdims) * math.nan
    return kernels.narrow(kernels.variance(x, axis, ddof, keepdims), x)


@primitive
def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element along the axes; equal largest elements share the gradient equally.

    >>> x = tg.tensor([1.0, 3.0, 3.0], requires_grad=True)
    >>> tg.grad(tg.ops.max(x), x)
    Tensor([0. , 0.5, 0.5], dtype=float32)
    """
    return x.max(axis=_checked(axis, x.ndim), keepdims=keepdims)


@primitive
def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element along the axes; equal smallest elements share the gradient equally.

    >>> tg.ops.min([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([1., 3.], dtype=float32)
    """
    return x.min(axis=_checked(axis, x.ndim), keepdims=keepdims)


@primitive
def argmax(x: Any, axis: int | None = None) -> Array:
    """Where the largest element along the axis is; a constant to backward.

    >>> tg.ops.argmax([[3, 9, 2], [7, 5, 6]], axis=1)
    array([1, 0])
    """
    return x.argmax(axis=_checked(axis, x.ndim))


@primitive
def argmin(x: Any, axis: int | None = None) -> Array:
    """Where the smallest element along the axis is; a constant to backward.

    >>> tg.ops.argmin([[3, 9, 2], [7, 5, 6]], axis=1)
    array([2, 1])
    """
    return x.argmin(axis=_checked(axis, x.ndim))


def _top(x: Array, axis: Axis) -> Array:
    """The largest element along the axes, which are kept; -inf if there is none."""
    if _count(x.shape, axis):
        return x.max(axis=axis, keepdims=True)
    return kernels.total(x, axis, True) - math.inf


@primitive
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """log Σ eˣ along the axes, without overflow.

    >>> tg.ops.logsumexp([1000.0, 1000.0]).round(3)
    np.float32(1000.693)
    """
    xp, z, axis = array_module(x), kernels.wide(x), _checked(axis, x.ndim)
    top = _top(z, axis)
    e = xp.exp(z - xp.where(xp.isfinite(top), top, 0))
    y = xp.log(xp.maximum(kernels.total(e, axis, True), 1)) + top  # the sum is at least e⁰, or 0 if all are -inf
    return kernels.narrow(y if keepdims else y.squeeze(axes_of(axis, x.ndim)), x)


@primitive
def softmax(x: Any, axis: Axis = -1) -> Array:
    """eˣ / Σ eˣ along the axes, without overflow.

    >>> tg.ops.softmax([[0.0, 0.0], [1000.0, 0.0]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    z = kernels.wide(x)
    axis = _checked(axis, x.ndim)
    e = array_module(x).exp(z - _top(z, axis))
    return kernels.narrow(e / kernels.total(e, axis, True), x)


@primitive
def log_softmax(x: Any, axis: Axis = -1) -> Array:
    """x - log Σ eˣ along the axes, as precise for large x as for small.

    >>> tg.ops.log_softmax([1000.0, 1000.0]).round(3)
    array([-0.693, -0.693], dtype=float32)
    """
    xp, z, axis = array_module(x), kernels.wide(x), _checked(axis, x.ndim)
    if not x.size:
        return x.copy()
    z = z - _top(z, axis)
    return kernels.narrow(z - xp.log(kernels.total(xp.exp(z), axis, True)), x)


@primitive
def cumsum(x: Any, axis: int | None = None) -> Array:
    """The running sums of x along the axis, or of the flattened x if axis is None.

    >>> tg.ops.cumsum([1, 2, 3])
    array([1, 3, 6])
    """
    floats = {"e": np.float32, "f": np.float64}  # in which the sums of float16 and float32 are kept
    dtype, along = floats.get(x.dtype.char), _checked(axis, x.ndim)
    return x.cumsum(axis=along) if dtype is None else x.cumsum(axis=along, dtype=dtype).astype(x.dtype)


def _reverse_cumsum(gy: Any, shape: tuple[int, ...], axis: int | None) -> Any:
    """The sums of gy from each place to the end."""
    along = 0 if axis is None or not shape else axis % len(shape)
    flipped = (slice(None),) * along + (slice(None, None, -1),)  # x[i] is in every sum from i on
    return cumsum(gy[flipped], along)[flipped].reshape(shape)


def _to_extreme(gy: Any, y: Any, x: Any, axis: Axis) -> Any:
    """gy where x is the extreme, in equal shares if there are several; else 0. NaN is an extreme."""
    chosen = equal(x, _spread(y, x.shape, axis)) + not_equal(x, x)
    share = (_spread(gy, x.shape, axis) / sum(chosen, axis, True)).astype(gy.dtype)
    return where(chosen, share, 0.0)


sum.rules(lambda gy, y, x, axis, keepdims: broadcast_to(_spread(gy, x.shape, axis), x.shape))
mean.rules(
    lambda gy, y, x, axis, keepdims: broadcast_to(
        _spread(gy, x.shape, axis) * (1 / (_count(x.shape, axis) or 1)), x.shape
    )
)
var.rules(
    lambda gy, y, x, axis, ddof, keepdims: (
        _spread(gy, x.shape, axis) * ((x - mean(x, axis, True)) * (2 / (_count(x.shape, axis) - ddof or math.nan)))
    )
)
max.rules(lambda gy, y, x, axis, keepdims: _to_extreme(gy, y, x, axis))
min.rules(lambda gy, y, x, axis, keepdims: _to_extreme(gy, y, x, axis))
logsumexp.rules(lambda gy, y, x, axis, keepdims: _spread(gy, x.shape, axis) * softmax(x, axis))
softmax.rules(lambda gy, y, x, axis: y * (gy - sum(gy * y, axis, True)))
log_softmax.rules(lambda gy, y, x, axis: gy - exp(y) * sum(gy, axis, True))
cumsum.rules(lambda gy, y, x, axis: _reverse_cumsum(gy, x.shape, axis))


# Made of others


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Π x along the axes.

    Half of the elements are multiplied by the other half until one is left. So no gradient divides, and it is right
    where elements are 0.

    >>> x = tg.tensor([0.0, 2.0, 3.0], requires_grad=True)
    >>> tg.grad(tg.ops.prod(x), x)
    Tensor([6., 0., 0.], dtype=float32)
    """
    axes = axes_of(_checked(axis, x.ndim), x.ndim)
    others = [a for a in range(x.ndim) if a not in axes]
    y = astype(x, np.float32 if x.dtype.char == "e" else np.ones(1, x.dtype).prod().dtype)
    y = y.transpose((*axes, *others)).reshape((_count(x.shape, axes), *[x.shape[a] for a in others]))
    while len(y) > 1:
        half = len(y) // 2
        halves = y[:half] * y[half : 2 * half]
        y = concatenate([halves, y[2 * half :]]) if len(y) % 2 else halves
    y = y if len(y) else sum(y, 0, True) + 1
    y = y.reshape([1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes])
    return _narrow(y, x)


def std(x: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """√(Σ (x - mean)² / (n - ddof)) along the axes. The gradient is 0 where the elements are all equal.

    >>> tg.ops.std(np.array([1.0, 2.0, 3.0]), ddof=1)
    array(1.)
    """
    check_array("std", x)
    return _narrow(_root(var(_wide(x), _checked(axis, x.ndim), ddof, keepdims)), x)


def norm(x: Any, ord: float | str | None = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """√Σ x² along the axes, or another norm, as np.linalg.norm has them. The gradient at 0 is 0.

    ord, along one axis, of vectors: 2, √Σ x²; 1, Σ |x|; inf, max |x|; -inf, min |x|. Along two axes, of matrices:
    "fro", √Σ x²; 1, the largest Σ |x| of a column; inf, the largest of a row. Without axis, x is one vector or matrix.
    Raises ValueError for another ord.

    >>> x = np.array([[3.0, 4.0], [0.0, -5.0]])
    >>> tg.ops.norm(x, axis=1), tg.ops.norm(x, ord=1, axis=1)
    (array([5., 5.]), array([7., 5.]))
    """
    axes, z = axes_of(_checked(axis, x.ndim), x.ndim), _wide(x)
    if ord is None or (len(axes), ord) in ((1, 2), (2, "fro")):
        return _narrow(_root(sum(z * z, axes, keepdims)), x)
    if len(axes) == 1 and ord in _OF_VECTORS:
        return _narrow(_OF_VECTORS[ord](abs(z), axes[0], keepdims), x)
    if len(axes) == 2 and ord in (1, math.inf):
        summed, others = axes if ord == 1 else axes[::-1]
        y = max(sum(abs(z), summed, True), others, True)
        return _narrow(y if keepdims else y.squeeze(axes), x)
    raise ValueError(
        f"norm: ord is {ord!r} for the axes {axes} of x, but for one axis it must be 1, 2, inf or -inf, and for two "
        '1, inf or "fro"; without ord it is √Σ x²'
    )


_OF_VECTORS: dict[Any, Any] = {1: sum, math.inf: max, -math.inf: min}


def _root(x: Any) -> Any:
    """√x, with the derivative 0 at 0."""
    is_0 = equal(x, 0)
    return where(is_0, 0.0, sqrt(where(is_0, 1.0, x)))


def _wide(x: Any) -> Any:
    """kernels.wide, as an op."""
    return x if x.dtype.char in "fd" else astype(x, np.promote_types(x.dtype, np.float32))


def _narrow(y: Any, x: Any) -> Any:
    """kernels.narrow, as an op."""
    return astype(y, x.dtype) if x.dtype.char == "e" else y
