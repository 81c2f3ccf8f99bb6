"""Normalisation over all axes but the last, the channel."""

from __future__ import annotations

import math
from typing import Any

from .. import kernels
from ..backend import Array
from ..primitives import primitive
from .elementwise import astype, sqrt
from .reduce import mean, sum


def batch_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """gamma · (x - μ) / √(σ² + eps) + beta for x (..., C), with mean μ and variance σ² of each channel of this batch.

    gamma, beta: (C,). Ioffe and Szegedy 2015, algorithm 1. Raises ValueError if the shapes do not fit.

    >>> x, gamma, beta = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> tg.ops.batch_norm(x, gamma, beta).round(3)
    array([[-1.],
           [ 1.]])
    """
    return batch_norm_with_statistics(x, gamma, beta, eps)[0]


def batch_norm_with_statistics(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> tuple[Any, Array, Array]:
    """batch_norm, and the mean and (biased) variance that it used, as plain arrays for the running statistics.

    >>> x = np.array([[1.0], [3.0]])
    >>> y, mean, variance = tg.ops.batch_norm_with_statistics(x, np.ones(1), np.zeros(1))
    >>> mean, variance
    (array([2.]), array([1.]))
    """
    if not x.ndim or gamma.shape != x.shape[-1:] or beta.shape != x.shape[-1:]:
        raise ValueError(
            f"batch_norm: x is {x.shape}, so gamma and beta must have the length of its last axis, but they are "
            f"{gamma.shape} and {beta.shape}"
        )
    return _batch_norm(x, gamma, beta, eps)


@primitive(aux=True)
def _batch_norm(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Array, Array, Array]:
    return kernels.batch_norm(x, gamma, beta, eps)


def _batch_norm_rule(gy: Any, y: Any, x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any, Any]:
    """The three gradients, from the arguments alone, so that they can be differentiated again."""
    axes = tuple(range(x.ndim - 1))
    n = math.prod(x.shape[:-1]) or 1
    if x.dtype == "float16":  # whose squares overflow beyond 65504
        x, gy = astype(x, "float32"), astype(gy, "float32")
    centred = x - mean(x, axes)
    inverse_std = 1 / sqrt(mean(centred * centred, axes) + eps)
    xhat = centred * inverse_std
    gbeta = sum(gy, axes)
    ggamma = sum(gy * xhat, axes)
    gx = gamma * inverse_std * (gy - (gbeta + xhat * ggamma) * (1 / n))
    return gx, ggamma, gbeta


_batch_norm.joint(_batch_norm_rule, without=["eps"])
_batch_norm.fused(
    lambda gy, y, x, gamma, beta, eps, mu, var: kernels.batch_norm_grad(gy, x, gamma, mu, var, eps),
)
