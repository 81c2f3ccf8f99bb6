"""Means over the processes of a group: of gradients, in one message, and of Tensors, with a derivative rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels, ops
from ..backend import Array, array_module, array_of
from ..primitives import primitive
from ..processes import dealt_back, sharing


def mean(x: Any) -> Any:
    """The mean over all processes of an array, a Tensor, or a list of gradients; None stays None.

    A Tensor's has a gradient: gx = mean(gy). With this rule the mean over all processes of the gradients that each of
    them computes is the gradient of the mean of their losses, and can be differentiated again. A list travels in one
    message for each dtype, and comes back as arrays.
    Outside of a block of `shares()` a process is alone, and the mean is x itself.

    >>> tg.parallel.mean([np.ones(2), None])
    [array([1., 1.]), None]
    """
    if sharing().size == 1:
        return x
    return _mean_of_list(x) if isinstance(x, (list, tuple)) else _mean(_in_floats(x))


@primitive
def _mean(x: Any) -> Array:
    xp = array_module(x)
    if xp.__name__ == "traced":
        return xp.mean_of_processes(x, sharing())
    return sharing().mean_of(x)


_mean.rules(lambda gy, y, x: _mean(gy))


def _mean_of_list(grads: Sequence[Any]) -> list[Any]:
    """The means of some arrays, in one message for each dtype."""
    means: list[Any] = [None] * len(grads)
    arrays = {i: array_of(_in_floats(g)) for i, g in enumerate(grads) if g is not None}
    for dtype in dict.fromkeys(a.dtype for a in arrays.values()):
        alike = {i: a for i, a in arrays.items() if a.dtype == dtype}
        flat, end = _mean(kernels.flattened([*alike.values()])), 0
        for i, a in alike.items():
            begin, end = end, end + a.size
            means[i] = flat[begin:end].reshape(a.shape)
    return means


def _in_floats(x: Any) -> Any:
    """x as an array or Tensor of floats."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def gather(x: Any) -> Any:
    """x of every process, along a new first axis, in the order of the processes; differentiable, as `mean` is.

    >>> tg.parallel.gather(np.ones(2)).shape  # alone
    (1, 2)
    """
    group = sharing()
    if group.size == 1:
        return ops.reshape(x, (1, *x.shape))
    x = _in_floats(x)
    mine = array_module(array_of(x)).asarray(np.arange(group.size) == group.rank).reshape(-1, *[1] * x.ndim)
    return mean(ops.where(mine, ops.reshape(x, (1, *x.shape)) * group.size, 0.0))


def gather_batch(x: Array) -> Array:
    """The whole batch, an array (N, ...), of the shares of all processes. Not differentiable."""
    group = sharing()
    if group.size == 1:
        return x
    return dealt_back(array_of(gather(x)))
