"""How it is said in ONNX where the elements stand: reshape, transpose, join, cut, pick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .converters import converts
from .graph import Graph, Ordered, Value, sizes
from .passes import Pair

FIRST, LAST = 0, np.iinfo(np.int64).max  # of a slice without bounds


@converts("reshape", "squeeze", "expand_dims")
def _reshape(g: Graph, y: Value, x: Value, _: Any = None) -> str:
    """By the shape of the result, whatever it was asked by; the one length that depends on the batch is -1."""
    lengths = [Pair(-1, -1) if not n.same else n for n in y.shape]
    alone = sum(not n.same for n in y.shape) == 1
    return g.node("Reshape", g.name(x), g.lengths(lengths if alone else y.shape))


@converts("transpose")
def _transpose(g: Graph, y: Value, x: Value, axes: Sequence[int] | None) -> None:
    """Nothing is written: y is x in another order of axes."""
    moved(g, y, x, range(x.ndim)[::-1] if axes is None else axes)


@converts("swapaxes")
def _swapaxes(g: Graph, y: Value, x: Value, axis1: int, axis2: int) -> None:
    axes = list(range(x.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    moved(g, y, x, axes)


@converts("moveaxis")
def _moveaxis(g: Graph, y: Value, x: Value, source: Any, destination: Any) -> None:
    places = np.empty(range(2, 2 + x.ndim), np.bool_)  # its lengths tell the axes apart
    moved(g, y, x, [n - 2 for n in np.moveaxis(places, source, destination).shape])


def moved(g: Graph, y: Value, x: Value, axes: Sequence[int]) -> None:
    """y's axis i is x's axis axes[i]: the names of x, in the orders that they have for y."""
    axes = [int(a) % x.ndim for a in axes]
    g.name(x, x.order)
    y.names = {tuple(axes.index(a) for a in order): name for order, name in x.names.items()}


@converts("broadcast_to")
def _broadcast_to(g: Graph, y: Value, x: Any, shape: Any) -> str:
    return g.node("Expand", g.name(x), g.lengths(y.shape))


@converts("flip")
def _flip(g: Graph, y: Value, x: Value, axis: Any) -> Ordered:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return cut(g, x, {a % x.ndim: slice(None, None, -1) for a in axes})


@converts("_concatenate")
def _concatenate(g: Graph, y: Value, axis: int, ends: Any, *xs: Any) -> Ordered:
    orders = [x.order for x in xs if isinstance(x, Value)]
    own = tuple(range(y.ndim))
    axes = next((order for order in orders if order != own), own)
    return Ordered(g.node("Concat", *(g.name(x, axes, y.dtype) for x in xs), axis=axes.index(axis % y.ndim)), axes)


@converts("_stack")
def _stack(g: Graph, y: Value, axis: int, *xs: Any) -> str:
    parts = [g.node("Unsqueeze", g.name(x, None, y.dtype), g.whole(axis % y.ndim)) for x in xs]
    return g.node("Concat", *parts, axis=axis % y.ndim)


@converts("_pad")
def _pad(g: Graph, y: Value, x: Value, widths: Any, value: Any) -> Ordered:
    order = x.order
    pads = [widths[a][i] for i in (0, 1) for a in order]
    if min(pads) < 0:
        raise g.refuse(f"the border is {widths}, but it must be at least 0 wide")
    return Ordered(g.node("Pad", g.name(x, order), g.whole(*pads), g.constant(value, y.dtype)), order)


# Picking


@converts("_getitem")
def _getitem(g: Graph, y: Value, x: Any, form: Any, *arrays: Any) -> str | Ordered:
    """Slices, whole numbers, None, ...; or one array of whole numbers."""
    places, other = index_of(x, form)
    if arrays:
        return _taken(g, y, x, places, arrays)
    slices = {a: part for a, part in places.items() if isinstance(part, slice)}
    numbers = {a: slice(n, _after(n)) for a, n in places.items() if not isinstance(n, slice)}
    made = cut(g, x, slices | numbers)
    if not numbers and not other:
        return made
    value = Value(x.pair)
    value.names[made.axes or tuple(range(x.ndim))] = made.name
    return _reshaped(g, y, value, numbers, other)


def _reshaped(g: Graph, y: Value, x: Value, gone: Any, new: Sequence[int]) -> str:
    """Without the axes where one element was picked, and with new ones of length 1."""
    name = g.name(x)
    name = g.node("Squeeze", name, g.whole(*gone)) if gone else name
    return g.node("Unsqueeze", name, g.whole(*new)) if new else name


def _after(n: Any) -> Any:
    """The end of a slice that is the element n alone."""
    if isinstance(n, Pair):
        return Pair(n.first + 1, n.second + 1)
    return n + 1 or LAST


def index_of(x: Any, form: Any) -> tuple[dict[int, Any], list[int]]:
    """What an index picks on each axis, where that isn't all of it; and where the result has new axes.

    A bound that depends on the batch size is a Pair.
    """
    parts = [Pair(*both) for both in zip(form.first, form.second, strict=True)] if isinstance(form, Pair) else form
    parts = [_bounds(part) for part in parts]
    ndim = len(sizes(x))
    named = sum(part is not None and part is not ... for part in parts)
    axis, made, places, new = 0, 0, dict[int, Any](), list[int]()
    for part in [*parts, *([] if any(part is ... for part in parts) else [...])]:
        if part is None:
            new.append(made)
        elif part is ...:
            axis, made = axis + ndim - named, made + ndim - named - 1
        else:
            if part != slice(None):
                places[axis] = part
            axis, made = axis + 1, made - (not isinstance(part, (slice, str)))
        made += 1
    return places, new


def _bounds(part: Any) -> Any:
    """A part of an index; where it differs from batch to batch, with Pairs in it."""
    if not isinstance(part, Pair):
        return part
    if part.same:
        return part.first
    if isinstance(part.first, slice):
        both = [Pair(getattr(part.first, b), getattr(part.second, b)) for b in ("start", "stop", "step")]
        return slice(*(b.first if b.same else b for b in both))
    return part


def cut(g: Graph, x: Any, places: dict[int, slice]) -> Ordered:
    """A Slice along the axes, in the order of axes in which x is at hand."""
    order = x.order if isinstance(x, Value) else tuple(range(x.ndim))
    if not places:
        return Ordered(g.name(x, order), order)
    starts, ends, steps = list[Pair](), list[Pair](), list[Pair]()
    for part in places.values():
        step = 1 if part.step is None else part.step
        first, last = (FIRST, LAST) if step > 0 else (LAST, -LAST)
        starts.append(_pair(first if part.start is None else part.start))
        ends.append(_pair(last if part.stop is None else part.stop))
        steps.append(_pair(step))
    axes = g.whole(*(order.index(a) for a in places))
    bounds = g.lengths(starts), g.lengths(ends), axes, g.lengths(steps)
    return Ordered(g.node("Slice", g.name(x, order), *bounds), order)


def _pair(n: Any) -> Pair:
    return n if isinstance(n, Pair) else Pair(n, n)


def _taken(g: Graph, y: Value, x: Any, places: dict[int, Any], arrays: Sequence[Any]) -> str:
    """Gather, along the one axis that has an array."""
    if len(arrays) != 1 or len(places) != 1 or arrays[0].dtype.kind not in "iu":
        raise g.refuse("the index has masks, several arrays, or others beside an array")
    (axis,) = places
    return g.node("Gather", g.name(x), g.name(arrays[0], None, np.int64), axis=axis)
