"""Choices among n: one-hot vectors, and gradients that pass a choice: straight-through, Gumbel softmax.

A choice is a step function, so its derivative is 0 wherever it has one. What passes here in its place is by definition
the gradient of something smooth.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ..backend import Array, array_module, array_of
from ..checks import check_array, check_indices, whole
from ..primitives import primitive
from ..rules import flat
from .comparisons import equal
from .elementwise import astype
from .reduce import softmax
from .shape import expand_dims


def one_hot(i: Any, n: int, dtype: npt.DTypeLike = "float32") -> Any:
    """1 at i and 0 elsewhere, for each integer i from 0 to n - 1: (..., n) for i (...).

    Raises ValueError unless n is at least 1, TypeError unless i holds integers. One out of range, -1 included, raises
    IndexError on the CPU; on a GPU, which isn't waited for, its row is 0.

    >>> tg.ops.one_hot(np.array([0, 2]), 3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    n = whole("one_hot", "n", n, 1)
    check_indices("one_hot", i, n, "i")
    return _one_hot(i, n, dtype)


def _one_hot(i: Any, n: int, dtype: npt.DTypeLike) -> Any:
    return astype(equal(expand_dims(i, -1), array_module(i).arange(n)), dtype)


@primitive
def straight_through(hard: Any, soft: Any) -> Array:
    """hard, with the gradient of soft: dy/dsoft = 1 and dy/dhard = 0, by definition (Bengio et al. 2013).

    Where hard = soft this is the derivative; elsewhere an estimate. Raises ValueError unless their shapes are equal.

    >>> x = tg.tensor([0.4, 0.6], requires_grad=True)
    >>> y = tg.ops.straight_through(x > 0.5, x)  # the value of the first, the gradient of the second
    >>> tg.grad(y.sum(), x)
    Tensor([1., 1.], dtype=float32)
    """
    if hard.shape != soft.shape:
        raise ValueError(f"straight_through: hard is {hard.shape} and soft {soft.shape}, but they must have one shape")
    return hard.astype(soft.dtype)


straight_through.rules(flat, lambda gy, y, hard, soft: gy)


def gumbel_softmax(x: Any, noise: Any, tau: float = 1.0, hard: bool = False) -> Any:
    """softmax((x + noise) / τ) over the last axis, for noise of `Generator.gumbel`: Jang et al. 2016, eq. 2.

    With noise, argmax(x + noise) is k with probability softmax(x)ₖ (eq. 1), and the result nears its one-hot vector as
    τ falls to 0.  hard: that one-hot vector itself, with the gradient of the softmax (straight-through).
    Raises ValueError for a τ that is not above 0, or if noise does not have the shape of x.

    >>> noise = tg.Generator(0).gumbel((2, 3))
    >>> tg.ops.gumbel_softmax(np.zeros((2, 3), np.float32), noise, hard=True)
    array([[0., 1., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    for name, array in (("x", x), ("noise", noise)):
        check_array("gumbel_softmax", array, name)
    if x.shape != noise.shape or not x.shape:
        raise ValueError(
            f"gumbel_softmax: x is {x.shape} and noise {noise.shape}, but they must have one shape, the choices last"
        )
    if isinstance(tau, (int, float)) and not tau > 0:  # a trace has stand-ins for numbers, which are not compared
        raise ValueError(f"gumbel_softmax: tau is {tau}, but it must be above 0")
    soft = softmax((x + noise) / tau)
    if not hard:
        return soft
    chosen = array_of(soft)
    return straight_through(_one_hot(chosen.argmax(axis=-1), x.shape[-1], chosen.dtype), soft)
