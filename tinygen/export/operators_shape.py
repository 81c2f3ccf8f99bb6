"""Operators of ONNX that say where the elements stand, and those that make arrays of whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..backend import array_module, array_of, current_module
from .operators import axes_from, numbers, reads, refuse


@reads("Reshape")
def _reshape(x: Any, shape: Any, *, allowzero: int = 0) -> Any:
    """A length of 0 is that of x, unless zero is allowed."""
    lengths = numbers(shape)
    return ops.reshape(x, [x.shape[i] if n == 0 and not allowzero else n for i, n in enumerate(lengths)])


@reads("Flatten")
def _flatten(x: Any, *, axis: int = 1) -> Any:
    before = x.shape[: axis if axis >= 0 else axis + x.ndim]
    return ops.reshape(x, (math.prod(before), math.prod(x.shape[len(before) :])))


@reads("Squeeze")
def _squeeze(x: Any, given: Any = None, *, axes: Sequence[int] | None = None) -> Any:
    named = None if given is None and axes is None else axes_from(x, given, axes, True)
    return ops.squeeze(x, named)


@reads("Unsqueeze")
def _unsqueeze(x: Any, given: Any = None, *, axes: Sequence[int] | None = None) -> Any:
    return ops.expand_dims(x, tuple(numbers(given) if given is not None else axes or ()))


@reads("Transpose")
def _transpose(x: Any, *, perm: Sequence[int] | None = None) -> Any:
    return ops.transpose(x, perm)


@reads("Expand")
def _expand(x: Any, shape: Any) -> Any:
    return ops.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(numbers(shape))))


@reads("Tile")
def _tile(x: Any, repeats: Any) -> Any:
    return ops.tile(x, numbers(repeats))


@reads("Concat")
def _concat(*xs: Any, axis: int) -> Any:
    return ops.concatenate(xs, axis)


@reads("Split")
def _split(
    x: Any, given: Any = None, *, axis: int = 0, num_outputs: int = 0, split: Sequence[int] = (), outputs: int = 1
) -> tuple[Any, ...]:
    """Into parts of the given lengths, or into equal ones, of which the last may be smaller."""
    n, parts = x.shape[axis], num_outputs or outputs
    lengths = numbers(given) if given is not None else list(split) or [-(-n // parts)] * parts
    return tuple(ops.split(x, np.cumsum(lengths)[:-1].clip(0, n).tolist(), axis))


@reads("Slice")
def _slice(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    index = [slice(None)] * x.ndim
    first, last = numbers(starts), numbers(ends)
    named = range(len(first)) if axes is None else numbers(axes)
    by = [1] * len(first) if steps is None else numbers(steps)
    for start, end, axis, step in zip(first, last, named, by, strict=True):
        n = x.shape[axis]
        start, end = (b + n if b < 0 else b for b in (start, end))
        low, high = (0, n) if step > 0 else (-1, n - 1)
        start, end = (min(max(b, low), high) for b in (max(start, 0) if step < 0 else start, end))
        index[axis] = slice(start, None if end < 0 else end, step)
    return ops.getitem(x, tuple(index))


@reads("Gather")
def _gather(x: Any, indices: Any, *, axis: int = 0) -> Any:
    return ops.getitem(x, (*[slice(None)] * (axis % x.ndim), array_of(indices)))


@reads("GatherElements")
def _gather_elements(x: Any, indices: Any, *, axis: int = 0) -> Any:
    x = ops.getitem(x, tuple(slice(None if a == axis % x.ndim else n) for a, n in enumerate(indices.shape)))
    return ops.take_along_axis(x, array_of(indices), axis)


@reads("Pad")
def _pad(x: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant") -> Any:
    widths, border = [(0, 0)] * x.ndim, numbers(pads)
    named = list(range(x.ndim)) if axes is None else numbers(axes)
    for i, axis in enumerate(named):
        widths[axis] = border[i], border[i + len(named)]
    if min(border, default=0) < 0:
        raise refuse("Pad", f"pads are {border}, but tinygen does not cut by negative ones")
    constant = 0 if value is None else value if isinstance(value, float) else array_of(value).item()
    return ops.pad(x, widths, mode, constant) if mode == "constant" else ops.pad(x, widths, mode)


@reads("DepthToSpace")
def _depth_to_space(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    N, C, H, W = x.shape
    r = blocksize
    if mode == "DCR":
        apart = ops.transpose(ops.reshape(x, (N, r, r, C // r**2, H, W)), (0, 3, 4, 1, 5, 2))
    else:
        apart = ops.transpose(ops.reshape(x, (N, C // r**2, r, r, H, W)), (0, 1, 4, 2, 5, 3))
    return ops.reshape(apart, (N, C // r**2, H * r, W * r))


@reads("SpaceToDepth")
def _space_to_depth(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    N, C, H, W = x.shape
    r = blocksize
    blocks = ops.reshape(x, (N, C, H // r, r, W // r, r))
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return ops.reshape(ops.transpose(blocks, order), (N, C * r**2, H // r, W // r))


# Arrays that are made


@reads("Constant")
def _constant(*, value: Any = None, value_int: Any = None, value_ints: Any = None, value_float: Any = None,
              value_floats: Any = None) -> Any:  # fmt: skip
    if value is not None:
        return value
    whole = value_int if value_int is not None else value_ints
    return (
        np.asarray(whole, np.int64)
        if whole is not None
        else np.asarray(value_float if value_float is not None else value_floats, np.float32)
    )


@reads("ConstantOfShape")
def _constant_of_shape(shape: Any, *, value: Any = None) -> Any:
    value = np.zeros(1, np.float32) if value is None else value
    return current_module().full(tuple(numbers(shape)), value.item(), value.dtype)


@reads("Shape")
def _shape(x: Any, *, start: int = 0, end: int | None = None) -> Any:
    return np.array(x.shape[slice(start, end)], np.int64)


@reads("Size")
def _size(x: Any) -> Any:
    return np.array(x.size, np.int64)


@reads("Range")
def _range(start: Any, limit: Any, delta: Any) -> Any:
    start, limit, delta = map(array_of, (start, limit, delta))
    return array_module(start).arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


@reads("OneHot")
def _one_hot(indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    """values[1] at each index, counted from the end if it is below 0, and values[0] elsewhere."""
    i, (n,) = array_of(indices)[..., None], numbers(depth)
    xp = array_module(i)
    places = xp.arange(n)
    chosen = xp.moveaxis((i == places) | (i + n == places), -1, axis)
    low, high = array_of(values)
    return xp.where(chosen, high, low)
