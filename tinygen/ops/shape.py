"""Where the elements stand: reshape, transpose, pick. What NumPy gives as a view is a view."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.exceptions import AxisError

from .. import kernels
from ..backend import Array, array_module, device_of, is_array, to_device
from ..checks import check_array
from ..primitives import primitive
from ..tape import brief, sum_to
from ..tensor import Tensor


@primitive
def reshape(x: Any, shape: int | Sequence[int]) -> Array:
    """x with another shape and the same elements in C order; one length may be -1.

    >>> tg.ops.reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    return x.reshape(shape)


@primitive
def transpose(x: Any, axes: Sequence[int] | None = None) -> Array:
    """x with its axes permuted: axis i of the result is axis axes[i] of x; reversed if axes is None.

    >>> tg.ops.transpose(np.zeros((2, 3, 4)), (1, 2, 0)).shape
    (3, 4, 2)
    """
    return x.transpose(axes)


@primitive
def swapaxes(x: Any, axis1: int, axis2: int) -> Array:
    """x with two axes exchanged.

    >>> tg.ops.swapaxes(np.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    return x.swapaxes(axis1, axis2)


@primitive
def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """x with axes moved to other places, the rest in their order.

    >>> tg.ops.moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return array_module(x).moveaxis(x, source, destination)


@primitive
def expand_dims(x: Any, axis: int | tuple[int, ...]) -> Array:
    """x with a new axis of length 1 at each place of the result named by axis.

    >>> tg.ops.expand_dims([1.0, 2.0], 0).shape
    (1, 2)
    """
    return array_module(x).expand_dims(x, axis)


@primitive
def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Array:
    """x without the axes of length 1 that axis names, or without all of them.

    >>> tg.ops.squeeze(np.zeros((1, 3, 1))).shape
    (3,)
    """
    return x.squeeze(axis)


@primitive
def broadcast_to(x: Any, shape: int | Sequence[int]) -> Array:
    """x repeated along new axes and along those of length 1 until it has the shape.

    >>> tg.ops.broadcast_to([1.0, 2.0], (2, 2))
    array([[1., 2.],
           [1., 2.]], dtype=float32)
    """
    return array_module(x).broadcast_to(x, shape)


@primitive
def flip(x: Any, axis: int | tuple[int, ...] | None = None) -> Array:
    """x backwards along the axes, or along all of them.

    >>> tg.ops.flip([1.0, 2.0, 3.0])
    array([3., 2., 1.], dtype=float32)
    """
    return array_module(x).flip(x, axis)


reshape.rules(lambda gy, y, x, shape: gy.reshape(x.shape))
transpose.rules(lambda gy, y, x, axes: gy.transpose(_inverse(axes)))
swapaxes.rules(lambda gy, y, x, axis1, axis2: gy.swapaxes(axis1, axis2))
moveaxis.rules(lambda gy, y, x, source, destination: moveaxis(gy, destination, source))
expand_dims.rules(lambda gy, y, x, axis: gy.reshape(x.shape))
squeeze.rules(lambda gy, y, x, axis: gy.reshape(x.shape))
broadcast_to.rules(lambda gy, y, x, shape: sum_to(gy, x.shape))
flip.rules(lambda gy, y, x, axis: flip(gy, axis))


def _inverse(axes: Sequence[int] | None) -> Sequence[int] | None:
    """The order of axes that undoes a transpose."""
    return None if axes is None else sorted(range(len(axes)), key=lambda i: axes[i] % len(axes))


# Joining and cutting


# Picking. An index is taken apart: its form, a tuple with _ARRAY in place of each array, and the arrays, which the
# engine then sees as arguments, so that it notices if one of them changes


_ARRAY = "array"
_BASIC = {int, type(None), type(...)}
_BOUNDS = {int, type(None)}


def getitem(x: Any, index: Any) -> Any:
    """x[index]: slices, integers, None, ..., boolean and integer arrays (Tensors and sequences too), as NumPy reads it.

    Raises IndexError for any other index.

    >>> x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.ops.getitem(x, (slice(None), 1))  # or x[:, 1]
    Tensor([2., 4.], dtype=float32)
    """
    if type(index) in _BASIC or _is_plain(index):
        return _getitem(x, (index,))
    form: list[Any] = []
    arrays = []
    for part in index if isinstance(index, tuple) else (index,):
        kind = type(part)
        if kind in _BASIC or _is_plain(part):
            form.append(part)
        elif kind is slice:
            form.append(slice(*[None if n is None else _whole(n) for n in (part.start, part.stop, part.step)]))
        elif isinstance(part, np.integer) or (
            hasattr(part, "__index__") and not hasattr(part, "shape") and kind is not bool
        ):
            form.append(_whole(part))
        else:
            form.append(_ARRAY)
            arrays.append(_index_array(part, x))
    return _getitem(x, tuple(form), *arrays)


def _is_plain(part: Any) -> bool:
    """Whether it is a slice whose bounds are ints or missing."""
    return (
        type(part) is slice
        and type(part.start) in _BOUNDS
        and type(part.stop) in _BOUNDS
        and type(part.step) in _BOUNDS
    )


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """x[..., indices[..., i, ...], ...]: for each place one element of x along the axis, chosen by indices.

    On the other axes x and indices broadcast. Raises ValueError if they differ in the number of axes.

    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.ops.take_along_axis(x, np.array([[1], [0]]), axis=1)
    array([[2.],
           [3.]])
    """
    return _getitem(x, (_ARRAY,) * x.ndim, *_along_axis("take_along_axis", x, indices, axis))


def scatter_add(x: Any, indices: Any, updates: Any, axis: int) -> Any:
    """x with updates[..., i, ...] added at [..., indices[..., i, ...], ...], as often as that place is named.

    The adjoint of take_along_axis: for each place of its result there is one update, or updates broadcast to that.
    Raises ValueError if they don't, or if x and indices differ in the number of axes.

    >>> x, i = np.zeros(3), np.array([0, 2, 2])
    >>> tg.ops.scatter_add(x, i, np.array([1.0, 2.0, 3.0]), axis=0)
    array([1., 0., 5.])
    """
    check_array("scatter_add", updates, "updates")
    index = _along_axis("scatter_add", x, indices, axis)
    shape = np.broadcast_shapes(*(part.shape for part in index))
    if updates.ndim > len(shape) or any(
        n not in (1, m) for n, m in zip(updates.shape[::-1], shape[::-1], strict=False)
    ):
        raise ValueError(
            f"scatter_add: updates is {updates.shape}, but it must broadcast to {shape}, the places added to"
        )
    return x + put(broadcast_to(updates, shape), x.shape, (_ARRAY,) * x.ndim, *index)


@primitive
def _getitem(x: Any, form: tuple[Any, ...], *arrays: Any) -> Array:
    return x[_joined(form, arrays) if arrays else form]


@primitive
def put(gy: Any, shape: tuple[int, ...], form: tuple[Any, ...], *arrays: Any) -> Array:
    """Zeros of the shape with gy added at an index: the adjoint of x[index]. What is picked twice is added twice."""
    index = _joined(form, arrays) if arrays else form
    if all(a.dtype.kind == "b" for a in arrays):  # slices, whole numbers and masks pick nothing twice
        return kernels.put(gy, shape, index)
    gx = array_module(gy).zeros(shape, gy.dtype)
    kernels.add_at(gx, index, gy)
    return gx


_getitem.rules(lambda gy, y, x, form, *arrays: put(gy, x.shape, form, *arrays))
put.rules(lambda ggx, gx, gy, shape, form, *arrays: _getitem(ggx, form, *arrays))


def _joined(form: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The index that was taken apart."""
    rest = iter(arrays)
    return tuple([next(rest) if part == _ARRAY else part for part in form])


def axis_of(op: str, axis: int, x: Any) -> int:
    """The axis, counted from the front. Raises AxisError if x has no such axis."""
    if not -x.ndim <= axis < x.ndim:
        raise AxisError(f"{op}: axis {axis} is out of bounds for x of shape {x.shape}")
    return axis % x.ndim


def _whole(n: Any) -> int:
    """An index that is one number. Raises IndexError for anything else."""
    try:
        return operator.index(n)
    except TypeError:
        raise _no_index(n) from None


def _index_array(part: Any, x: Any) -> Any:
    """A Tensor as it is; an array, a sequence or a bool as an array on x's device. Raises IndexError for others."""
    if not isinstance(part, Tensor):
        try:
            part = to_device(part if is_array(part) else np.asarray(part), device_of(x))
        except (TypeError, ValueError):
            raise _no_index(part) from None
        part = part if part.size or part.dtype.kind in "iub" else part.astype(np.int64)  # [] picks nothing
    if part.dtype.kind not in "iub":
        raise _no_index(part)
    return part


def _no_index(part: Any) -> IndexError:
    return IndexError(
        "getitem: an index is made of whole numbers, slices, None, ... and arrays of integers or booleans, not "
        f"{brief(part)}"
    )


def _along_axis(op: str, x: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    """The index with which x[index] is take_along_axis: indices on the axis, a counting range on every other."""
    indices, axis = _index_array(indices, x), axis_of(op, axis, x)
    if indices.ndim != x.ndim:
        raise ValueError(
            f"{op}: x is {x.shape} and indices {indices.shape}, but they must have the same number of axes"
        )
    xp = array_module(indices)
    return tuple(
        indices if i == axis else xp.arange(n).reshape([n if j == i else 1 for j in range(indices.ndim)])
        for i, n in enumerate(x.shape)
    )
