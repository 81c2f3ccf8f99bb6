"""Convolutions for compiled steps: the products of kernels/conv.py, listed once for each thread.

Images are (N, H, W, C) and lie in memory as H, N, W, C. There a kernel row's products for one output column are one
product of matrices, and each thread takes a part of their rows: no two write to one place, whatever their taps. In the
kernel's gradient those rows are what is summed; each thread has sums of its own. Few channels make poor matrices, and
take the textbook's im2col and col2im, plane by plane.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..kernels.conv import FEW, Tap, are_apart, by_plane, taps
from ..kernels.reference_conv import Padding, Pair
from .memory import Room
from .program import CONVOLUTIONS, Instruction, Program
from .shares import LANES, cut

Array: TypeAlias = "np.ndarray[Any, Any]"
Product: TypeAlias = "tuple[Array, Array, Array, bool]"  # out, a, b, and whether a @ b is added to out or replaces it


class Works(Protocol):
    """What convolutions are made of: each method adds something to what a back end does, on some threads.

    borrowed: memory for what is added in a block.  at_once: what is added in it needs nothing of each other.
    in_turn: it waits for what was added before.
    """

    threads: int

    def borrowed(self, dtype: Any, *shapes: Sequence[int]) -> AbstractContextManager[list[Array]]: ...
    def at_once(self) -> AbstractContextManager[None]: ...
    def in_turn(self) -> AbstractContextManager[None]: ...
    def add_copy(self, out: Array, x: Array) -> None: ...
    def add_fill(self, out: Array, value: float) -> None: ...
    def add_product(self, out: Array, a: Array, b: Array) -> None: ...
    def add_products(self, shares: Sequence[Sequence[Product]]) -> None: ...
    def add_up(self, out: Array, parts: Sequence[Array], adds: bool) -> None: ...


def add_convolution(works: Works, op: str, out: Array, x: Array, w: Array, stride: Pair, padding: Padding) -> None:
    """Add out = op(x, w), of images that lie anyhow; for the gradient of a kernel, w is gy.

    Raises ValueError if the result or the kernel has a layout for which there is no code.
    """
    add = {
        "conv2d": _add_conv2d,
        "conv_transpose2d": _add_conv_transpose2d,
        "conv2d_weight_grad": _add_conv2d_weight_grad,
    }
    images = [x, w] if op == "conv2d_weight_grad" else [x]
    with works.in_turn(), _images(works, *images) as laid_out:
        first, second = [*laid_out, w][:2]
        add[op](works, out, first, second, stride, padding)


class _Nothing(Room):
    """Works that add nothing, and only find out how much memory is borrowed."""

    def __init__(self, threads: int):
        super().__init__()
        self.threads = threads

    def at_once(self) -> AbstractContextManager[None]:
        return nullcontext()

    in_turn = at_once

    def _nothing(self, *operands: Any, **options: Any) -> None:
        pass

    add_copy = add_fill = add_product = add_products = add_up = _nothing


def scratch_of(program: Program, threads: int) -> dict[Instruction, int]:
    """The bytes that each convolution of a program borrows."""
    found = {}
    for instruction in program.instructions:
        if instruction.op in CONVOLUTIONS:
            works, options = _Nothing(threads), instruction.options
            out, x, w = (v.like for v in (instruction.result, *instruction.values))
            with suppress(ValueError):  # a layout for which there is no code
                add_convolution(works, instruction.op, out, x, w, options["stride"], options["padding"])
                found[instruction] = works.most
    return found


@contextmanager
def _images(works: Works, *images: Array) -> Iterator[list[Array]]:
    """Images (N, H, W, C) that lie in memory as H, N, W, C: copies in borrowed memory, if they lie otherwise."""
    found = []
    with ExitStack() as stack:
        for x in images:
            if not x.swapaxes(0, 1).flags.c_contiguous:
                n, h, *rest = x.shape
                (room,) = stack.enter_context(works.borrowed(x.dtype, (h, n, *rest)))
                copy = room.swapaxes(0, 1)
                works.add_copy(copy, x)
                x = copy
            found.append(x)
        yield found


def _add_conv2d(works: Works, y: Array, x: Array, w: Array, stride: Pair, padding: Padding) -> None:
    """Add y = conv2d(x, w), as kernels.conv.conv2d, to what a back end does. Raises ValueError for other layouts."""
    x, y, w = _hnwc(x), _hnwc(y), _dense(w)
    geometry = _Geometry(x, y, w, stride, padding)
    if geometry.has_few_channels:
        with _im2col(works, x, geometry) as columns:
            works.add_product(_matrix(y), columns.T, _matrix(w))
        return
    (height, width), n, apart = geometry.out, geometry.images, geometry.apart
    with _phases(works, x, stride[0], apart) as phases:
        shares = []
        for rows in cut(height * n, works.threads, LANES):
            touched = range(rows[0] // n, -(-rows[1] // n)) if apart else range(1)
            share = _Share(places=itertools.product(touched, range(width)))
            for t, part in geometry.taps_within(rows):
                target = _matrix(y[t.out_rows, :, t.out_column])[part]
                fills = apart or _length(part) == _length(slice(*rows))
                place = t.out_rows.start if apart else 0, t.out_column
                share.add(place, fills, target, _patch(phases, t)[part], _matrix(w[t.kh, t.kernel]))
            shares.append(share)
        _add_shares(works, shares, [y])


def _add_conv_transpose2d(works: Works, gx: Array, gy: Array, w: Array, stride: Pair, padding: Padding) -> None:
    """Add gx = conv_transpose2d(gy, w), the adjoint of conv2d with respect to x."""
    gx, gy, w = _hnwc(gx), _hnwc(gy), _dense(w)
    geometry = _Geometry(gx, gy, w, stride, padding)
    if geometry.has_few_channels:
        with works.borrowed(gy.dtype, geometry.planes) as (planes,):
            works.add_product(_view(planes, len(_matrix(w)), -1), _matrix(w), _matrix(gy).T)
            works.add_fill(gx, 0)
            for place, pixels in geometry.by_plane(gx):
                works.add_up(pixels, [planes[place]], adds=True)
        return
    copies = stride[0] > 1 and not geometry.apart
    shapes = [gx[r :: stride[0]].shape for r in range(stride[0])] if copies else []
    with works.borrowed(gx.dtype, *shapes) as borrowed:
        phases = borrowed or [gx[r :: stride[0]] for r in range(stride[0])]
        shares = [_Share(places=[]) for _ in range(works.threads)]
        for t in geometry.taps:
            ends = cut(len(phases[t.phase]) * geometry.images, works.threads, LANES)
            for share, rows in zip(shares, ends, strict=False):
                if (part := _part(t.rows, geometry.images, rows)) is not None:
                    source = _matrix(gy[t.out_rows, :, t.out_column])[part]
                    share.add(t.phase, False, _patch(phases, t)[part], source, _matrix(w[t.kh, t.kernel]).T)
        _add_shares(works, shares, borrowed or [gx])
        with works.at_once():
            for r, phase in enumerate(borrowed):
                works.add_copy(_view(gx, len(gx), -1)[r :: stride[0]], _view(phase, len(phase), -1))


def _add_conv2d_weight_grad(works: Works, gw: Array, x: Array, gy: Array, stride: Pair, padding: Padding) -> None:
    """Add gw = the gradient of conv2d with respect to its kernel, as kernels.conv.conv2d_weight_grad."""
    x, gy, gw = _hnwc(x), _hnwc(gy), _dense(gw)
    geometry = _Geometry(x, gy, gw, stride, padding)
    if geometry.has_few_channels:
        with _im2col(works, x, geometry) as columns:
            works.add_product(_matrix(gw), columns, _matrix(gy))
        return
    kh, kw = geometry.kernel
    parts = cut(geometry.out[0] * geometry.images, works.threads, LANES)
    rooms = works.borrowed(gw.dtype, *[gw.shape] * (len(parts) - 1))
    with _phases(works, x, stride[0], geometry.apart) as phases, rooms as more:
        shares = []
        for room, rows in zip([gw, *more], parts, strict=True):
            share = _Share(places=range(kh))
            for t, part in sorted(geometry.taps_within(rows), key=lambda found: -_length(found[0].kernel)):
                a, b = _patch(phases, t)[part].T, _matrix(gy[t.out_rows, :, t.out_column])[part]
                share.add(t.kh, _length(t.kernel) == kw, _matrix(room[t.kh, t.kernel]), a, b)
            shares.append(share)
        _add_shares(works, shares, [gw, *more])
        if more:
            works.add_up(gw, more, adds=True)


class _Geometry:
    """What of x (H, N, W, C) meets what of y (OH, N, OW, CO), by a kernel (KH, KW, C, CO)."""

    def __init__(self, x: Array, y: Array, w: Array, stride: Pair, padding: Padding):
        self.size, self.out, self.images = (x.shape[0], x.shape[2]), (y.shape[0], y.shape[2]), x.shape[1]
        self.kernel, self.channels = w.shape[:2], w.shape[2]
        self.stride, self.padding = stride, padding
        self.has_few_channels = self.kernel[1] * self.channels < FEW
        self.apart = are_apart(stride, self.images)

    @functools.cached_property
    def taps(self) -> list[Tap]:
        """All taps, in the order of kernels.conv.taps."""
        return list(taps(self.size, self.out, self.kernel, self.stride, self.padding, self.apart))

    def taps_within(self, rows: tuple[int, int]) -> Iterator[tuple[Tap, slice]]:
        """The taps that reach some rows of (OH·N, ...), and which of a tap's rows these are."""
        for t in self.taps:
            if (part := _part(t.out_rows, self.images, rows)) is not None:
                yield t, part

    @property
    def planes(self) -> tuple[int, ...]:
        """The shape of the planes (OH, N, OW), one for each place (k, l, c) of the kernel."""
        return *self.kernel, self.channels, self.out[0], self.images, self.out[1]

    def by_plane(self, x: Array) -> Iterator[tuple[Any, Array]]:
        """As kernels.conv.by_plane."""
        return by_plane(x, self.kernel, self.out, self.stride, self.padding)


class _Share:
    """A thread's products, many to a place: the first replaces what is there, if it fills the whole place."""

    def __init__(self, places: Any):
        self.products: list[Product] = []
        self.places, self.needs_zeros = set(places), False
        self._begun: set[Any] = set()

    def add(self, place: Any, fills: bool, out: Array, a: Array, b: Array) -> None:
        first = place not in self._begun
        self.needs_zeros |= first and not fills
        self._begun.add(place)
        self.places.discard(place)
        self.products.append((out, a, b, not first))


def _add_shares(works: Works, shares: list[_Share], targets: list[Array]) -> None:
    """Add the products; if a place is left out, or filled in part, fill all targets with zeros before."""
    if any(share.needs_zeros or share.places for share in shares):
        with works.at_once():
            for target in targets:
                works.add_fill(target, 0)
        works.add_products([[(*product[:3], True) for product in share.products] for share in shares])
    else:
        works.add_products([share.products for share in shares])


def _length(part: slice) -> int:
    return part.stop - part.start


def _part(height: slice, images: int, rows: tuple[int, int]) -> slice | None:
    """Which rows of the matrix (height · images, ...) are among those of a thread; None if there are none."""
    first = max(rows[0] - height.start * images, 0)
    end = min(rows[1], height.stop * images) - height.start * images
    return slice(first, end) if first < end else None


# Layouts


def _hnwc(x: Array) -> Array:
    """(N, H, W, C) as (H, N, W, C), as it lies in memory."""
    return _dense(x.swapaxes(0, 1))


def _dense(x: Array) -> Array:
    if not x.flags.c_contiguous:
        raise ValueError("a convolution takes images that lie as H, N, W, C, and contiguous kernels")
    return x


def _view(x: Array, *shape: int) -> Array:
    """The same memory in another shape."""
    y = x.reshape(shape)
    assert np.may_share_memory(x, y) or not x.size
    return y


def _patch(phases: list[Array], t: Tap) -> Array:
    """The part of x that a tap sees, (OH·N, KW·C)."""
    part = phases[t.phase][t.rows, :, t.columns]
    return _view(part, part.shape[0] * part.shape[1], -1)


def _matrix(x: Array) -> Array:
    """An output column (OH, N, CO) or a kernel row (KW, C, CO) as a matrix."""
    return _view(x, -1, x.shape[-1])


# Copies of images


@contextmanager
def _phases(works: Works, x: Array, stride: int, apart: bool) -> Iterator[list[Array]]:
    """The rows of (H, N, W, C) by their remainder: side by side in memory, unless they may lie apart."""
    if apart:
        yield [x[r::stride] for r in range(stride)]
        return
    with works.borrowed(x.dtype, *[x[r::stride].shape for r in range(stride) if stride > 1]) as phases:
        with works.at_once():
            for r, phase in enumerate(phases):
                works.add_copy(_view(phase, len(phase), -1), _view(x, len(x), -1)[r::stride])
        yield phases or [x]


@contextmanager
def _im2col(works: Works, x: Array, geometry: _Geometry) -> Iterator[Array]:
    """The windows of x as the columns of a matrix, (KH·KW·C, OH·N·OW)."""
    with works.borrowed(x.dtype, geometry.planes) as (planes,):
        if any(p for side in geometry.padding for p in side):
            works.add_fill(planes, 0)
        with works.at_once():
            for place, pixels in geometry.by_plane(x):
                works.add_copy(planes[place], pixels)
        yield _view(planes, math.prod(planes.shape[:3]), -1)
