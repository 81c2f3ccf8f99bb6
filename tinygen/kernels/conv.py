"""Convolution on the CPU: im2col without the copy, one kernel row and one output column at a time.

Images lie in memory as H, N, W, C. There the KW pixels that a kernel's row sees in all images, for all output rows at
once, are one matrix (OH·N, KW·C) whose rows are W·C apart, and is multiplied where it lies; so are an output column,
(OH·N, CO), and the kernel's row, (KW·C, CO). What falls on the padding is left out, not multiplied by 0. With a stride,
the rows of x are parted first into those of equal remainder. Few channels make poor matrices: there it is im2col with
the copy. Small kernels, where Numba is installed, need no parting and no adding up: see runs.py.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from . import reference_conv, runs
from .blas import add_product, matmul
from .compiled import compiled
from .reference_conv import Padding, Pair, output_size

FEW = 16  # elements of KW·C
_MANY = 64  # images
_SMALL = 1 << 20  # bytes of a kernel


class Tap(NamedTuple):
    """What one kernel row, kh, does for one output column: which parts of x, w and y belong together."""

    phase: int  # the rows of x are phase, phase + stride, ...; of these,
    rows: slice
    columns: slice  # of x
    kh: int
    kernel: slice  # columns of the kernel
    out_rows: slice
    out_column: int


def are_apart(stride: Pair, images: int) -> bool:
    """Whether each row of a result may have products of its own, as with a stride its rows of x lie apart.

    With fewer images these would be too small, and x is copied, the rows of each remainder side by side. To do without
    the copy takes as long in native code; here, where each product is a call of Python's, it takes 3% longer.
    """
    return stride[0] > 1 and images >= _MANY


def taps(
    x_size: Pair, y_size: Pair, kernel: Pair, stride: Pair, padding: Padding, apart: bool = False
) -> Iterator[Tap]:
    """All taps that meet x at all, by output column; first comes the kernel row that meets most of x.

    apart: as taps of one row each.
    """
    for t in _taps(x_size, y_size, kernel, stride, padding):
        yield from _row_by_row(t) if apart else (t,)


def _row_by_row(t: Tap) -> Iterator[Tap]:
    for i in range(t.rows.stop - t.rows.start):
        row, out_row = t.rows.start + i, t.out_rows.start + i
        yield t._replace(rows=slice(row, row + 1), out_rows=slice(out_row, out_row + 1))


def _taps(x_size: Pair, y_size: Pair, kernel: Pair, stride: Pair, padding: Padding) -> Iterator[Tap]:
    (h, w), (oh, ow), (sh, sw), ((top, _), (left, _)) = x_size, y_size, stride, padding
    for column in range(ow):
        first = column * sw - left
        k0, k1 = max(0, -first), min(kernel[1], w - first)
        for kh in sorted(range(kernel[0]), key=lambda kh: kh != top):
            shift, phase = divmod(kh - top, sh)
            o0, o1 = max(0, -shift), min(oh, len(range(phase, h, sh)) - shift)
            if k0 < k1 and o0 < o1:
                rows, columns = slice(o0 + shift, o1 + shift), slice(first + k0, first + k1)
                yield Tap(phase, rows, columns, kh, slice(k0, k1), slice(o0, o1), column)


def _twin(function: Callable[..., Array]) -> Callable[..., Array]:
    """Leave to the definition what this is not made for: other and mixed dtypes, no elements.

    into: an array for the result; what it returns is then this array.
    """
    definition = getattr(reference_conv, function.__name__)

    @functools.wraps(function)
    def twin(x: Array, w: Array, *more: Any, into: Array | None = None) -> Array:
        fits = x.dtype in (np.float32, np.float64) and x.dtype == w.dtype and x.size
        if into is None:
            return function(x, w, *more) if fits else definition(x, w, *more)
        y = function(x, w, *more, into=into) if fits else definition(x, w, *more)
        if not np.may_share_memory(y, into):
            into[...] = y
        return into

    return twin


@_twin
def conv2d(x: Array, w: Array, stride: Pair, padding: Padding, into: Array | None = None) -> Array:
    """As reference_conv.conv2d; the result lies in memory as H, N, W, C."""
    n, size, (kh, kw, c, co) = x.shape[0], x.shape[1:3], w.shape
    out = output_size(size, (kh, kw), stride, padding)
    w = np.ascontiguousarray(w)
    if kw * c < FEW:
        cols = _im2col(_hnwc(x), (kh, kw), out, stride, padding)
        return matmul(cols, w.reshape(-1, co)).reshape(out[0], n, out[1], co).swapaxes(0, 1)
    y = _room(into, (out[0], n, out[1], co), x.dtype)
    if (gemm := _runs_on(x, w, n, co)) is not None:
        table = runs.of_conv2d(size, out, (kh, kw), stride, padding, c, co, n)
        strides = size[1] * c * x.itemsize, out[1] * co * x.itemsize
        gemm.sums_of_runs(y, _hnwc(x), w.reshape(-1, co), *table, strides)
        return y.swapaxes(0, 1)
    empty = set(range(out[1]))  # columns; to fill all with zeros first would take 5 to 10% longer
    phases = _phases(_hnwc(x), stride[0])
    for t in taps(size, out, (kh, kw), stride, padding):
        begins = t.out_column in empty and t.out_rows == slice(0, out[0])
        if t.out_column in empty and not begins:
            y[:, :, t.out_column] = 0
        empty.discard(t.out_column)
        add_product(_matrix(y[t.out_rows, :, t.out_column]), _patch(phases, t), _matrix(w[t.kh, t.kernel]), not begins)
    y[:, :, list(empty)] = 0  # columns that meet nothing but padding
    return y.swapaxes(0, 1)


@_twin
def conv_transpose2d(
    gy: Array, w: Array, stride: Pair, padding: Padding, size: Pair, into: Array | None = None
) -> Array:
    """As reference_conv.conv_transpose2d; the result lies in memory as H, N, W, C."""
    n, out, (kh, kw, c, co) = gy.shape[0], gy.shape[1:3], w.shape
    gy, w = _hnwc(gy), np.ascontiguousarray(w)
    if kw * c < FEW:
        gx = _room(into, (size[0], n, size[1], c), gy.dtype)
        gx[...] = 0
        _col2im(gy.reshape(-1, co), w.reshape(-1, co), (kh, kw), out, stride, padding, gx)
        return gx.swapaxes(0, 1)
    if (gemm := _runs_on(gy, w, n, c)) is not None:
        gx = _room(into, (size[0], n, size[1], c), gy.dtype)
        columns, *table = runs.of_transpose(size, out, (kh, kw), stride, padding, c, co, n)
        turned = np.ascontiguousarray(w[:, columns].swapaxes(2, 3)).reshape(-1, c)
        strides = out[1] * co * gy.itemsize, size[1] * c * gy.itemsize
        gemm.sums_of_runs(gx, gy, turned, *table, strides)
        return gx.swapaxes(0, 1)
    phases = [np.zeros((len(range(r, size[0], stride[0])), n, size[1], c), gy.dtype) for r in range(stride[0])]
    for t in taps(size, out, (kh, kw), stride, padding):
        add_product(_patch(phases, t), _matrix(gy[t.out_rows, :, t.out_column]), _matrix(w[t.kh, t.kernel]).T)
    if stride[0] == 1:
        return phases[0].swapaxes(0, 1)
    gx = _room(into, (size[0], n, size[1], c), gy.dtype)
    for r, phase in enumerate(phases):
        gx[r :: stride[0]] = phase
    return gx.swapaxes(0, 1)


@_twin
def conv2d_weight_grad(
    x: Array, gy: Array, kernel_size: Pair, stride: Pair, padding: Padding, into: Array | None = None
) -> Array:
    """As reference_conv.conv2d_weight_grad."""
    size, out, c, co = x.shape[1:3], gy.shape[1:3], x.shape[3], gy.shape[3]
    x, gy = _hnwc(x), _hnwc(gy)
    if kernel_size[1] * c < FEW:
        cols = _im2col(x, kernel_size, out, stride, padding)
        return matmul(cols.T, gy.reshape(-1, co)).reshape(*kernel_size, c, co)
    gw = np.zeros((*kernel_size, c, co), x.dtype)
    phases = _phases(x, stride[0])
    for t in taps(size, out, kernel_size, stride, padding):
        add_product(_matrix(gw[t.kh, t.kernel]), _patch(phases, t).T, _matrix(gy[t.out_rows, :, t.out_column]))
    return gw


def _runs_on(x: Array, w: Array, images: int, n: int) -> Any:
    """gemm.py, if it is available and a kernel this small stays in the cache with what it meets."""
    fits = x.dtype == w.dtype == np.float32 and images >= 8
    return compiled("gemm") if fits and n % 16 == 0 and w.nbytes <= _SMALL else None


def _room(into: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    """The memory of `into`, if it lies as (H, N, W, C), or new memory."""
    if into is not None and into.dtype == dtype and (y := into.swapaxes(0, 1)).flags.c_contiguous:
        return y
    return np.empty(shape, dtype)


def _hnwc(x: Array) -> Array:
    """(N, H, W, C) as (H, N, W, C), contiguous; no copy if it lies like that already."""
    return np.ascontiguousarray(x.swapaxes(0, 1))


def _phases(x: Array, stride: int) -> list[Array]:
    """The rows of (H, N, W, C) by their remainder."""
    return [np.ascontiguousarray(x[r::stride]) for r in range(stride)]


def _patch(phases: list[Array], t: Tap) -> Array:
    """The part of x that a tap sees, (OH·N, KW·C)."""
    part: Any = phases[t.phase][t.rows, :, t.columns]
    return part.reshape(-1, part.shape[2] * part.shape[3])  # the other way round fails for an empty batch


def _matrix(x: Array) -> Array:
    """An output column (OH, N, CO) or a kernel row (KW, C, CO) as a matrix, without a copy."""
    return x.reshape(-1, x.shape[-1])


# Few channels: the textbook's im2col and col2im, on (H, N, W, C). NumPy copies long lines faster than short ones, so it
# does a plane (OH, N, OW) at a time, one for each place (k, l, c) of the kernel.


def _im2col(x: Array, kernel: Pair, out: Pair, stride: Pair, padding: Padding) -> Array:
    """The windows of x as the rows of a matrix, (OH·N·OW, KH·KW·C)."""
    size = (out[0], x.shape[1], out[1])
    if (fast := compiled("thin")) is not None:
        cols = np.empty((*size, *kernel, x.shape[3]), x.dtype)
        fast.im2col(x, cols, stride, padding)
        return cols.reshape(math.prod(size), -1)
    planes = np.zeros((*kernel, x.shape[3], *size), x.dtype)
    for place, pixels in by_plane(x, kernel, out, stride, padding):
        planes[place] = pixels
    return planes.reshape(-1, math.prod(size)).T


def _col2im(gy: Array, w: Array, kernel: Pair, out: Pair, stride: Pair, padding: Padding, x: Array) -> None:
    """The adjoint of _im2col: the windows gy @ wᵀ added up where they came from, in x."""
    size = (out[0], x.shape[1], out[1])
    if (fast := compiled("thin")) is not None:
        fast.col2im(matmul(gy, w.T).reshape(*size, *kernel, x.shape[3]), x, stride, padding)
        return
    planes = matmul(w, gy.T).reshape(*kernel, x.shape[3], *size)
    for place, pixels in by_plane(x, kernel, out, stride, padding):
        pixels += planes[place]


def by_plane(x: Array, kernel: Pair, out: Pair, stride: Pair, padding: Padding) -> Iterator[tuple[Any, Any]]:
    """For each place (k, l) of the kernel that meets x: where it is in the planes, and the pixels of x."""
    (sh, sw), ((top, _), (left, _)) = stride, padding
    for k in range(kernel[0]):
        o0, o1 = _inside(k - top, sh, x.shape[0], out[0])
        for l in range(kernel[1]):
            p0, p1 = _inside(l - left, sw, x.shape[2], out[1])
            if o0 < o1 and p0 < p1:
                i, j = o0 * sh + k - top, p0 * sw + l - left
                pixels = x[i : i + (o1 - o0) * sh : sh, :, j : j + (p1 - p0) * sw : sw]
                yield (k, l, slice(None), slice(o0, o1), slice(None), slice(p0, p1)), pixels.transpose(3, 0, 1, 2)


def _inside(shift: int, stride: int, length: int, out: int) -> Pair:
    """The outputs o, from the first to before the last, for which 0 <= o · stride + shift < length."""
    first = max(0, -(shift // stride))
    return first, max(first, min(out, (length - shift - 1) // stride + 1))
