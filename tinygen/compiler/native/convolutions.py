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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from ...kernels.conv import FEW, Tap, are_apart, by_plane, taps
from ...kernels.reference_conv import Padding, Pair
from ..shares import LANES, cut
from .copies import add_copy, add_fill
from .products import Product, add_product, add_products, add_up
from .team import Machine

Array: TypeAlias = "np.ndarray[Any, Any]"


def _in_turn(function: Callable[..., None]) -> Callable[..., None]:
    """The jobs of an op need each other, whatever else goes on."""

    @functools.wraps(function)
    def add(machine: Machine, *args: Any) -> None:
        with machine.in_turn():
            function(machine, *args)

    return add


@_in_turn
def add_conv2d(machine: Machine, y: Array, x: Array, w: Array, stride: Pair, padding: Padding) -> None:
    """Add y = conv2d(x, w), as kernels.conv.conv2d, to a machine's table. Raises ValueError for other layouts."""
    x, y, w = _hnwc(x), _hnwc(y), _dense(w)
    geometry = _Geometry(x, y, w, stride, padding)
    if geometry.has_few_channels:
        with _im2col(machine, x, geometry) as columns:
            add_product(machine, _matrix(y), columns.T, _matrix(w))
        return
    (height, width), n, apart = geometry.out, geometry.images, geometry.apart
    with _phases(machine, x, stride[0], apart) as phases:
        shares = []
        for rows in cut(height * n, machine.threads, LANES):
            touched = range(rows[0] // n, -(-rows[1] // n)) if apart else range(1)
            share = _Share(places=itertools.product(touched, range(width)))
            for t, part in geometry.taps_within(rows):
                target = _matrix(y[t.out_rows, :, t.out_column])[part]
                fills = apart or _length(part) == _length(slice(*rows))
                place = t.out_rows.start if apart else 0, t.out_column
                share.add(place, fills, target, _patch(phases, t)[part], _matrix(w[t.kh, t.kernel]))
            shares.append(share)
        _add_shares(machine, shares, [y])


@_in_turn
def add_conv_transpose2d(machine: Machine, gx: Array, gy: Array, w: Array, stride: Pair, padding: Padding) -> None:
    """Add gx = conv_transpose2d(gy, w), the adjoint of conv2d with respect to x."""
    gx, gy, w = _hnwc(gx), _hnwc(gy), _dense(w)
    geometry = _Geometry(gx, gy, w, stride, padding)
    if geometry.has_few_channels:
        with machine.borrowed(gy.dtype, geometry.planes) as (planes,):
            add_product(machine, _view(planes, len(_matrix(w)), -1), _matrix(w), _matrix(gy).T)
            add_fill(machine, gx, 0)
            for place, pixels in geometry.by_plane(gx):
                add_up(machine, pixels, [planes[place]], adds=True)
        return
    copies = stride[0] > 1 and not geometry.apart
    shapes = [gx[r :: stride[0]].shape for r in range(stride[0])] if copies else []
    with machine.borrowed(gx.dtype, *shapes) as borrowed:
        phases = borrowed or [gx[r :: stride[0]] for r in range(stride[0])]
        shares = [_Share(places=[]) for _ in range(machine.threads)]
        for t in geometry.taps:
            ends = cut(len(phases[t.phase]) * geometry.images, machine.threads, LANES)
            for share, rows in zip(shares, ends, strict=False):
                if (part := _part(t.rows, geometry.images, rows)) is not None:
                    source = _matrix(gy[t.out_rows, :, t.out_column])[part]
                    share.add(t.phase, False, _patch(phases, t)[part], source, _matrix(w[t.kh, t.kernel]).T)
        _add_shares(machine, shares, borrowed or [gx])
        with machine.at_once():
            for r, phase in enumerate(borrowed):
                add_copy(machine, _view(gx, len(gx), -1)[r :: stride[0]], _view(phase, len(phase), -1))


@_in_turn
def add_conv2d_weight_grad(machine: Machine, gw: Array, x: Array, gy: Array, stride: Pair, padding: Padding) -> None:
    """Add gw = the gradient of conv2d with respect to its kernel, as kernels.conv.conv2d_weight_grad."""
    x, gy, gw = _hnwc(x), _hnwc(gy), _dense(gw)
    geometry = _Geometry(x, gy, gw, stride, padding)
    if geometry.has_few_channels:
        with _im2col(machine, x, geometry) as columns:
            add_product(machine, _matrix(gw), columns, _matrix(gy))
        return
    kh, kw = geometry.kernel
    parts = cut(geometry.out[0] * geometry.images, machine.threads, LANES)
    rooms = machine.borrowed(gw.dtype, *[gw.shape] * (len(parts) - 1))
    with _phases(machine, x, stride[0], geometry.apart) as phases, rooms as more:
        shares = []
        for room, rows in zip([gw, *more], parts, strict=True):
            share = _Share(places=range(kh))
            for t, part in sorted(geometry.taps_within(rows), key=lambda found: -_length(found[0].kernel)):
                a, b = _patch(phases, t)[part].T, _matrix(gy[t.out_rows, :, t.out_column])[part]
                share.add(t.kh, _length(t.kernel) == kw, _matrix(room[t.kh, t.kernel]), a, b)
            shares.append(share)
        _add_shares(machine, shares, [gw, *more])
        if more:
            add_up(machine, gw, more, adds=True)


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


def _add_shares(machine: Machine, shares: list[_Share], targets: list[Array]) -> None:
    """Add the products; if a place is left out, or filled in part, fill all targets with zeros before."""
    if any(share.needs_zeros or share.places for share in shares):
        with machine.at_once():
            for target in targets:
                add_fill(machine, target, 0)
        add_products(machine, [[(*product[:3], True) for product in share.products] for share in shares])
    else:
        add_products(machine, [share.products for share in shares])


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
def _phases(machine: Machine, x: Array, stride: int, apart: bool) -> Iterator[list[Array]]:
    """The rows of (H, N, W, C) by their remainder: side by side in memory, unless they may lie apart."""
    if apart:
        yield [x[r::stride] for r in range(stride)]
        return
    with machine.borrowed(x.dtype, *[x[r::stride].shape for r in range(stride) if stride > 1]) as phases:
        with machine.at_once():
            for r, phase in enumerate(phases):
                add_copy(machine, _view(phase, len(phase), -1), _view(x, len(x), -1)[r::stride])
        yield phases or [x]


@contextmanager
def _im2col(machine: Machine, x: Array, geometry: _Geometry) -> Iterator[Array]:
    """The windows of x as the columns of a matrix, (KH·KW·C, OH·N·OW)."""
    with machine.borrowed(x.dtype, geometry.planes) as (planes,):
        if any(p for side in geometry.padding for p in side):
            add_fill(machine, planes, 0)
        with machine.at_once():
            for place, pixels in geometry.by_plane(x):
                add_copy(machine, planes[place], pixels)
        yield _view(planes, math.prod(planes.shape[:3]), -1)
