"""How calls of the ops on images (N, H, W, C) get into a random graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from campaigns.graphs import Draw, Ref, Unfit


def conv2d(d: Draw, name: str) -> None:
    x = d.image()
    C, groups = d[x].shape[3], d.one_of([1, 1, d[x].shape[3]])
    w = d.fit(d.one_of([1, 2, 3]), d.one_of([1, 2]), C // groups, groups * d.one_of([1, 2]))
    options = {"stride": d.one_of([1, 2, (1, 2)]), "padding": d.padding(), "dilation": d.one_of([1, 1, (2, 1)])}
    windows(d, name, x, w, groups=groups, **options)


def textbook_conv2d(d: Draw, name: str) -> None:
    x = d.image()
    w = d.fit(2, d.one_of([1, 2]), d[x].shape[3], 2)
    windows(d, name, x, w, d.one_of([1, 2]), d.padding())


def conv_transpose2d(d: Draw, name: str) -> None:
    x = d.image()
    C, groups = d[x].shape[3], d.one_of([1, 1, d[x].shape[3]])
    w = d.fit(d.one_of([2, 3]), 2, d.one_of([1, 2]), C)
    stride, padding = d.one_of([1, 2, (1, 2)]), d.one_of([0, 1, "same", "valid"])
    windows(d, name, x, w, stride, padding, dilation=d.one_of([1, (1, 2)]), groups=groups)


def conv2d_weight_grad(d: Draw, name: str) -> None:
    x = d.image()
    size, stride, padding = d.one_of([2, (1, 2)]), d.one_of([1, 2]), d.padding()
    y = windows(d, "im2col", x, size, stride, padding)
    windows(d, name, x, d.fit(*d[y].shape[:3], 2), size, stride, padding)


def im2col(d: Draw, name: str) -> None:
    windows(d, name, d.image(), d.one_of([2, (1, 2), (2, 1)]), d.one_of([1, 2]), d.padding())


def col2im(d: Draw, name: str) -> None:
    x = d.image()
    stride, padding = d.one_of([1, 2]), d.padding()
    cols = windows(d, "im2col", x, d.one_of([2, (1, 2)]), stride, padding)
    d.call(name, cols, d[x].shape[1:3], stride, padding)


def pool(d: Draw, name: str) -> None:
    x = d.distinct(d.image()) if name == "max_pool2d" else d.image()
    window, stride = d.one_of([2, (2, 3), 3]), d.one_of([None, 1, 2])
    padding = d.one_of([0, 1, "same", ((1, 0), (0, 1))])
    windows(d, name, x, window, stride, padding, ceil_mode=d.chance(0.3))


def pool1d(d: Draw, name: str) -> None:
    x = d.sequence()
    x = d.distinct(x) if name == "max_pool1d" else x
    windows(d, name, x, d.one_of([2, 3]), d.one_of([None, 1, 2]), d.one_of([0, 1, "same"]), ceil_mode=d.chance(0.3))


def conv1d(d: Draw, name: str) -> None:
    x = d.sequence()
    C, groups = d[x].shape[2], d.one_of([1, 1, d[x].shape[2]])
    w = d.fit(d.one_of([1, 2, 3]), C // groups, groups * d.one_of([1, 2]))
    windows(d, name, x, w, d.one_of([1, 2]), d.one_of([0, "same", (1, 0)]), dilation=d.one_of([1, 2]), groups=groups)


def conv_transpose1d(d: Draw, name: str) -> None:
    x = d.sequence()
    w = d.fit(d.one_of([2, 3]), 2, d[x].shape[2])
    windows(d, name, x, w, d.one_of([1, 2]), d.one_of([0, 1, "same"]), dilation=d.one_of([1, 2]))


def windows(d: Draw, name: str, x: Ref, *args: Any, **options: Any) -> Ref:
    """A call whose windows may not fit into the image."""
    try:
        return d.call(name, x, *args, **options)
    except ValueError as error:
        if "does not fit" in str(error) or "leaves nothing of it" in str(error):
            raise Unfit from None
        raise


def larger(d: Draw, name: str) -> None:
    d.call(name, d.image(), d.one_of([1, 2, (2, 1), (1, 3)]))


def resize(d: Draw, name: str) -> None:
    size, mode = d.one_of([1, 2, (3, 1), (2, 5)]), d.one_of(["nearest", "bilinear", "bicubic"])
    options = [{}, {"antialias": False}, *([{"antialias": False, "align_corners": True}] if mode != "nearest" else [])]
    d.call(name, d.image(), size, mode, **d.one_of(options))


def grid_sample(d: Draw, name: str) -> None:
    """At places that are not close to the middle or the edge of a pixel."""
    x, aligned = d.image(), d.chance(0.5)
    N, H, W, _ = d[x].shape
    sizes = np.array([W, H])
    places = d.rng.integers(-2, sizes + 1, (N, 2, 3, 2)) + d.rng.uniform(0.1, 0.4, (N, 2, 3, 2))
    grid = 2 * places / np.maximum(sizes - 1, 1) - 1 if aligned else (2 * places + 1) / sizes - 1
    modes = {"mode": d.one_of(["bilinear", "nearest"]), "padding_mode": d.one_of(["zeros", "border"])}
    d.call(name, x, d.add(np.asarray(grid, d.dtype), "x"), **modes, align_corners=aligned)


def pixel_shuffle(d: Draw, name: str) -> None:
    x = d.image()
    d.call(name, x, 2 if d[x].shape[3] % 4 == 0 else 1)


def pixel_unshuffle(d: Draw, name: str) -> None:
    x = d.image()
    if not d[x].size:  # PyTorch's second derivative fails
        raise Unfit
    d.call(name, x, 2 if all(n % 2 == 0 for n in d[x].shape[1:3]) else 1)


def blur(d: Draw, name: str) -> None:
    d.call(name, d.image(), d.one_of([1.0, 4.0]))


def modulated(d: Draw, name: str) -> None:
    x = d.image()
    N, _, _, C = d[x].shape
    channels = (C, d.one_of([1, 2]))
    w = d.fit(d.one_of([1, 2, 3]), d.one_of([1, 2]), *(channels if name == "modulated_conv2d" else channels[::-1]))
    windows(d, name, x, w, d.fit(N, C), d.one_of([True, False]), 1e-2, d.one_of([1, 2]), d.one_of([1, "same"]))
