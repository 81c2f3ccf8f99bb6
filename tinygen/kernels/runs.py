"""Which products each pixel of a convolution's result sums, for gemm.sums_of_runs: a few numbers per pixel.

In memory as H, N, W, C, the pixels that one row of the kernel meets are neighbours, a run of KW·C numbers, and so are
the kernel's. A result is the sum of KH such runs times the kernel's rows, for all images and channels at once; with the
sums in registers from the first run to the last, it is written once. The table depends on the sizes alone.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

from ..backend import Array
from .reference_conv import Padding, Pair

_ITEM = 4  # bytes of a float32


@functools.lru_cache(maxsize=64)
def of_conv2d(
    size: Pair, out: Pair, kernel: Pair, stride: Pair, padding: Padding, c: int, co: int, n: int
) -> tuple[Array, Array, Array]:
    """For each output pixel: where it is, and for each kernel row on x the pixels that it meets: one run of KW·C."""
    (h, w), (top, _), (left, _) = size, *padding
    places, counts, runs = [], [0], []
    for i, j in itertools.product(range(out[0]), range(out[1])):
        first = j * stride[1] - left
        k0, k1 = max(0, -first), min(kernel[1], w - first)
        for k in range(kernel[0]):
            row = i * stride[0] + k - top
            if 0 <= row < h and k0 < k1:
                runs.append((_ITEM * (row * n * w + first + k0) * c, (k * kernel[1] + k0) * c, (k1 - k0) * c))
        places.append(_ITEM * (i * n * out[1] + j) * co)
        counts.append(len(runs))
    return _arrays(places, counts, runs)


@functools.lru_cache(maxsize=64)
def of_transpose(
    size: Pair, out: Pair, kernel: Pair, stride: Pair, padding: Padding, c: int, co: int, n: int
) -> tuple[list[int], Array, Array, Array]:
    """The same for the pixels of x, and before it the order of the kernel's columns in which they meet a run of gy.

    Pixel j meets output l through kernel column j + left - l · stride: as l grows, these fall by the stride.
    """
    (h, w), (top, _), (left, _), (sh, sw) = size, *padding, stride
    columns = [k for r in range(sw) for k in range(r, kernel[1], sw)[::-1]]
    places, counts, runs = [], [0], []
    for i, j in itertools.product(range(h), range(w)):
        l0, l1 = max(0, -(-(j + left - kernel[1] + 1) // sw)), min(out[1] - 1, (j + left) // sw)
        for k in range(kernel[0]):
            row, rest = divmod(i + top - k, sh)
            if rest == 0 and 0 <= row < out[0] and l0 <= l1:
                column = columns.index(j + left - l0 * sw)
                runs.append((_ITEM * (row * n * out[1] + l0) * co, (k * kernel[1] + column) * co, (l1 - l0 + 1) * co))
        places.append(_ITEM * (i * n * w + j) * c)
        counts.append(len(runs))
    return columns, *_arrays(places, counts, runs)


def _arrays(places: list[int], counts: list[int], runs: list[tuple[int, int, int]]) -> tuple[Array, Array, Array]:
    """Where the results are, which runs are whose, and the runs: from where on in x, in w, and how long."""
    return np.array(places), np.array(counts), np.array(runs, int).reshape(-1, 3)
