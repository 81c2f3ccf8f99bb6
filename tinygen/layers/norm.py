"""Normalisation. The channel is the last axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import init, ops
from ..tensor import Parameter
from .module import Buffer, Module


class BatchNorm(Module):
    """gamma · (x - μ) / √(σ² + eps) + beta for each channel of x (..., features): Ioffe and Szegedy 2015.

    In training, μ and σ² are those of the batch, and the running ones follow: running ← momentum · running +
    (1 - momentum) · batch, with the biased σ². In eval mode, μ and σ² are the running ones. momentum is as Keras has
    it; PyTorch's is 1 - momentum (its default 0.1 is 0.9 here), and its running variance is the unbiased one.
    Raises ValueError in training for a single value a channel.
    """

    def __init__(self, features: int, momentum: float = 0.99, eps: float = 1e-5, dtype: Any = np.float32):
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm: momentum is {momentum}, but it must be from 0 to 1")
        self.gamma = Parameter(init.ones((features,), dtype=dtype))
        self.beta = Parameter(init.zeros((features,), dtype=dtype))
        self.mean = Buffer(init.zeros((features,), dtype=dtype))
        self.var = Buffer(init.ones((features,), dtype=dtype))
        self.momentum, self.eps = momentum, eps

    def forward(self, x: Any) -> Any:
        if not self.training:
            scale = self.gamma / ops.sqrt(self.var + self.eps)
            return x * scale + (self.beta - self.mean * scale)
        if math.prod(x.shape[:-1]) == 1:
            raise ValueError(f"BatchNorm: x is {x.shape}, one value a channel; give a larger batch")
        y, mu, var = ops.batch_norm_with_statistics(x, self.gamma, self.beta, self.eps)
        for running, batch in ((self.mean, mu), (self.var, var)):
            running.assign(running.data * self.momentum + batch * (1 - self.momentum))
        return y

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, momentum={self.momentum}, eps={self.eps}"


class LayerNorm(Module):
    """gamma · (x - μ) / √(σ² + eps) + beta with μ and σ² over the last axis, features: Ba et al. 2016, eq. 4."""

    def __init__(self, features: int, eps: float = 1e-5, dtype: Any = np.float32):
        self.gamma = Parameter(init.ones((features,), dtype=dtype))
        self.beta = Parameter(init.zeros((features,), dtype=dtype))
        self.eps = eps

    def forward(self, x: Any) -> Any:
        return self.gamma * _standardised(x, (x.ndim - 1,), self.eps) + self.beta

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, eps={self.eps}"


class InstanceNorm(LayerNorm):
    """gamma · (x - μ) / √(σ² + eps) + beta with μ and σ² of each image and channel of x (N, ..., features).

    Ulyanov et al. 2016. The same in training and in eval mode. Raises ValueError for a single value a channel.
    """

    def forward(self, x: Any) -> Any:
        if math.prod(x.shape[1:-1]) == 1:
            raise ValueError(f"InstanceNorm: x is {x.shape}, one value a channel; give larger images")
        return self.gamma * _standardised(x, tuple(range(1, x.ndim - 1)), self.eps) + self.beta


def _standardised(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """(x - μ) / √(σ² + eps) with μ and σ² along the axes."""
    return (x - ops.mean(x, axes, True)) / ops.sqrt(ops.var(x, axes, 0, True) + eps)
