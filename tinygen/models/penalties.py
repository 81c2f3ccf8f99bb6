"""Penalties on the slope of D. They contain a gradient and are differentiated themselves: second derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..backend import Array
from ..checks import check_array
from ..gradients import grad
from ..tensor import Tensor


def input_gradient(D: Callable[..., Any], x: Any, *y: Array) -> Tensor:
    """∇D(x) for each example of a batch (and its labels, if D takes them), itself differentiable; the shape of x."""
    check_array("input_gradient", x)
    if not (isinstance(x, Tensor) and x.is_leaf and x.requires_grad):
        x = (x.detach() if isinstance(x, Tensor) else Tensor(x)).requires_grad_()
    (gx,) = grad(ops.sum(D(x, *y)), [x], create_graph=True)
    return gx


def slopes(D: Callable[..., Any], x: Any, *y: Array) -> Tensor:
    """‖∇D(x)‖ for each example of a batch, (N,), itself differentiable; where it is 0, so is its gradient."""
    gx = input_gradient(D, x, *y)
    return ops.sqrt(ops.sum(gx * gx, tuple(range(1, gx.ndim))) + 1e-12)


def r1_penalty(D: Callable[..., Any], x: Any, *y: Array) -> Tensor:
    """E ‖∇D(x)‖² over a batch of real examples: Mescheder et al. 2018, eq. 9, without its γ/2."""
    gx = input_gradient(D, x, *y)
    return ops.sum(gx * gx) * (1 / len(gx))
