"""Products of matrices, and their triangles."""

from __future__ import annotations

import math
from typing import Any

from .. import kernels
from ..backend import Array, array_module
from ..primitives import primitive
from ..tape import sum_to
from .elementwise import where


def matmul(a: Any, b: Any) -> Any:
    """a @ b for a (..., M, K) and b (..., K, N); batch axes broadcast. A vector is a row left, a column right.

    Raises ValueError if the inner lengths differ or an operand is 0-d.

    >>> tg.ops.matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    if not (getattr(a, "ndim", 0) and getattr(b, "ndim", 0)) or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(
            f"matmul: a is {_shape(a)} and b is {_shape(b)}, but the last axis of a must match the rows of b"
        )
    if b.ndim == 1:
        y = matmul(a, b.reshape(-1, 1))
        return y.reshape(y.shape[:-1])
    if a.ndim == 1:
        y = matmul(a.reshape(1, -1), b)
        return y.reshape(*y.shape[:-2], y.shape[-1])
    if a.ndim > 2 and b.ndim == 2:  # one large product, and one for the gradient of b, instead of many
        return _matmul(a.reshape(math.prod(a.shape[:-1]), a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[-1])
    return _matmul(a, b)


def _shape(x: Any) -> Any:
    """For an error: an array's shape, a number itself, or the type of anything else."""
    return getattr(x, "shape", x if isinstance(x, (int, float)) else f"a {type(x).__name__}")


@primitive
def _matmul(a: Any, b: Any) -> Array:
    return kernels.matmul(a, b)


_matmul.rules(
    lambda gy, y, a, b: sum_to(_matmul(gy, b.swapaxes(-1, -2)), a.shape),  # batch axes may broadcast
    lambda gy, y, a, b: sum_to(_matmul(a.swapaxes(-1, -2), gy), b.shape),
)


def dense(x: Any, w: Any, b: Any) -> Any:
    """x @ w + b for x (..., in), w (in, out) and b (out,): a layer's product and its bias in one array.

    Raises ValueError if the lengths differ.

    >>> x, w, b = np.array([[1.0, 2.0]]), np.array([[1.0], [10.0]]), np.array([100.0])
    >>> tg.ops.dense(x, w, b)
    array([[121.]])
    """
    try:
        fits = x.ndim > 0 and w.shape == (x.shape[-1], *b.shape) and w.ndim == 2
    except AttributeError:
        fits = False
    if not fits:
        raise ValueError(
            "dense: x is {}, w {}, b {}, but expected (..., in), (in, out), (out,)".format(*map(_shape, (x, w, b)))
        )
    y = _dense(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) if x.ndim != 2 else x, w, b)
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], b.shape[0])


@primitive
def _dense(x: Any, w: Any, b: Any) -> Array:
    return kernels.matmul(x, w, b)


_dense.rules(
    lambda gy, y, x, w, b: _matmul(gy, w.swapaxes(0, 1)),
    lambda gy, y, x, w, b: _matmul(x.swapaxes(0, 1), gy),
    lambda gy, y, x, w, b: sum_to(gy, b.shape),
)


def tril(x: Any, k: int = 0) -> Any:
    """x (..., M, N) with 0 above the diagonal; k: above the one that is k places further to the right.

    >>> tg.ops.tril(np.ones((3, 3)))
    array([[1., 0., 0.],
           [1., 1., 0.],
           [1., 1., 1.]])
    """
    return where(_is_below("tril", x, k), x, False)


def triu(x: Any, k: int = 0) -> Any:
    """x (..., M, N) with 0 below the diagonal; k: below the one that is k places further to the right.

    >>> tg.ops.triu(np.ones((3, 3)), k=1)
    array([[0., 1., 1.],
           [0., 0., 1.],
           [0., 0., 0.]])
    """
    return where(_is_below("triu", x, k - 1), False, x)


def _is_below(op: str, x: Any, k: int) -> Array:
    """Whether each place of a matrix is on diagonal k or below it. Raises ValueError for fewer than two axes."""
    if x.ndim < 2:
        raise ValueError(f"{op}: x is {x.shape}, but it must have at least two axes, those of matrices last")
    xp, (M, N) = array_module(x), x.shape[-2:]
    return xp.arange(N) - k <= xp.arange(M)[:, None]
