"""Normalisation. The channel is the last axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import init, kernels, ops
from ..backend import array_of
from ..checks import check_input, number, whole
from ..parallel import gather
from ..processes import sharing
from ..tensor import Parameter, Tensor
from .module import Buffer, Module


class BatchNorm(Module):
    """gamma · (x - μ) / √(σ² + eps) + beta for each channel of x (..., features): Ioffe and Szegedy 2015.

    In training, μ and σ² are those of the batch, and the running ones follow: running ← momentum · running +
    (1 - momentum) · batch, with the biased σ². In eval mode, μ and σ² are the running ones. momentum is as in Keras;
    PyTorch's is 1 - momentum (its default 0.1 is 0.9 here), and its running variance is unbiased. Raises ValueError if
    the length of the last axis of x is not features, and in training for fewer than two values per channel.

    >>> norm = tg.layers.BatchNorm(1)
    >>> norm(tg.tensor([[1.0], [3.0]])).numpy().round(2)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> isinstance(norm.mean, tg.layers.Buffer), norm.mean.numpy().round(2)
    (True, array([0.02], dtype=float32))
    """

    mixing = True

    def __init__(self, features: int, momentum: float = 0.99, eps: float = 1e-5, dtype: Any = np.float32):
        whole("BatchNorm", "features", features, 1)
        self.momentum = number("BatchNorm", "momentum", momentum, 0, 1)
        self.eps = number("BatchNorm", "eps", eps, 0)
        self.gamma = Parameter(init.ones((features,), dtype=dtype))
        self.beta = Parameter(init.zeros((features,), dtype=dtype))
        self.mean = Buffer(init.zeros((features,), dtype=dtype))
        self.var = Buffer(init.ones((features,), dtype=dtype))

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, features=self.gamma.shape[0])
        if not self.training:
            scale = self.gamma / ops.sqrt(self.var + self.eps)
            return x * scale + (self.beta - self.mean * scale)
        shares = sharing().size > 1 and not sharing().local_batch_norm
        if math.prod(x.shape[:-1]) < (1 if shares else 2):
            raise ValueError(f"BatchNorm: x is {x.shape}, {_few(x.shape[:-1])} per channel; give a larger batch")
        normed = _norm_of_whole_batch if shares else ops.batch_norm_with_statistics
        y, mu, var = normed(x, self.gamma, self.beta, self.eps)
        self.mean.changed()
        self.var.changed()
        kernels.keep_running(self.mean.data, self.var.data, mu, var, self.momentum)
        return y

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, momentum={self.momentum}, eps={self.eps}"


def _norm_of_whole_batch(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Tensor, Any, Any]:
    """batch_norm_with_statistics with those of the whole batch, of which each process has a share."""
    if x.dtype == np.float16:  # its largest number is 65504: squares overflow
        wide, gamma, beta = (ops.astype(a, np.float32) for a in (x, gamma, beta))
        y, mu, var = _norm_of_whole_batch(wide, gamma, beta, eps)
        return ops.astype(y, x.dtype), mu.astype(x.dtype), var.astype(x.dtype)
    axes = tuple(range(x.ndim - 1))
    mu, var = ops.mean(x, axes), ops.var(x, axes)
    both = gather(ops.stack([mu, var]))  # of the R processes: (R, 2, C)
    mus, variances = both[:, 0], both[:, 1]
    mu_all = ops.mean(mus, 0)
    var_all = ops.mean(variances + (mus - mu_all) ** 2, 0)
    scale = gamma / ops.sqrt(var_all + eps)
    return x * scale + (beta - mu_all * scale), array_of(mu_all), array_of(var_all)


class LayerNorm(Module):
    """gamma · (x - μ) / √(σ² + eps) + beta with μ and σ² over the last axis, features: Ba et al. 2016, eq. 4.

    Raises ValueError if the length of the last axis is not features.

    >>> tg.layers.LayerNorm(2)(tg.tensor([[1.0, 3.0]])).numpy().round(2)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, features: int, eps: float = 1e-5, dtype: Any = np.float32):
        name = type(self).__name__
        whole(name, "features", features, 1)
        self.eps = number(name, "eps", eps, 0)
        self.gamma = Parameter(init.ones((features,), dtype=dtype))
        self.beta = Parameter(init.zeros((features,), dtype=dtype))

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, features=self.gamma.shape[0])
        return self.gamma * _standardised(x, (x.ndim - 1,), self.eps) + self.beta

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, eps={self.eps}"


class InstanceNorm(LayerNorm):
    """gamma · (x - μ) / √(σ² + eps) + beta with μ and σ² of each image and channel of x (N, ..., features).

    Ulyanov et al. 2016. The same in training and in eval mode. Raises ValueError if x has fewer than three axes, if the
    length of the last is not features, and for fewer than two values per channel.

    >>> tg.layers.InstanceNorm(3)(np.zeros((8, 4, 4, 3), np.float32)).shape
    (8, 4, 4, 3)
    """

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, least=3, features=self.gamma.shape[0])
        if math.prod(x.shape[1:-1]) < 2:
            raise ValueError(f"InstanceNorm: x is {x.shape}, {_few(x.shape[1:-1])} per channel; give larger images")
        return self.gamma * _standardised(x, tuple(range(1, x.ndim - 1)), self.eps) + self.beta


class GroupNorm(Module):
    """gamma · (x - μ) / √(σ² + eps) + beta with μ and σ² of each example of x (N, ..., features) and each of `groups`
    groups of neighbouring channels: Wu and He 2018, eq. 1 and 7.

    One group is all of an example, as many groups as features are an InstanceNorm. Raises ValueError unless groups
    divides features, if the length of the last axis is not features, and for fewer than two values per group.

    >>> norm = tg.layers.GroupNorm(4, groups=2)  # channels 0 and 1, 2 and 3
    >>> norm(tg.tensor([[1.0, 3.0, 10.0, 30.0]])).numpy().round(2)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(self, features: int, groups: int = 32, eps: float = 1e-5, dtype: Any = np.float32):
        features = whole("GroupNorm", "features", features, 1)
        self.groups, self.eps = whole("GroupNorm", "groups", groups, 1), number("GroupNorm", "eps", eps, 0)
        if features % self.groups:
            raise ValueError(f"GroupNorm: groups is {groups}, but it must divide {features}, the number of features")
        self.gamma = Parameter(init.ones((features,), dtype=dtype))
        self.beta = Parameter(init.zeros((features,), dtype=dtype))

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, least=2, features=self.gamma.shape[0])
        each = (*x.shape[1:-1], x.shape[-1] // self.groups)
        if math.prod(each) < 2:
            raise ValueError(f"GroupNorm: x is {x.shape}, {_few(each)} per group; give fewer groups")
        grouped = ops.reshape(x, (*x.shape[:-1], self.groups, each[-1]))
        y = _standardised(grouped, (*range(1, x.ndim - 1), x.ndim), self.eps)
        return self.gamma * ops.reshape(y, x.shape) + self.beta

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, groups={self.groups}, eps={self.eps}"


class RMSNorm(Module):
    """gamma · x / √(mean of x² + eps), with the mean over the last axis, features: Zhang and Sennrich 2019, eq. 4.

    Raises ValueError if the length of the last axis is not features.

    >>> tg.layers.RMSNorm(2)(tg.tensor([[1.0, 7.0]])).numpy().round(2)
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(self, features: int, eps: float = 1e-5, dtype: Any = np.float32):
        whole("RMSNorm", "features", features, 1)
        self.eps = number("RMSNorm", "eps", eps, 0)
        self.gamma = Parameter(init.ones((features,), dtype=dtype))

    def forward(self, x: Any) -> Tensor:
        check_input(self, x, features=self.gamma.shape[0])
        return self.gamma * _over_rms(x, self.eps)

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, eps={self.eps}"


def _over_rms(x: Any, eps: float) -> Any:
    """x / √(mean of x² + eps), with the mean over the last axis."""
    if x.dtype == np.float16:  # its largest number is 65504: squares overflow
        return ops.astype(_over_rms(ops.astype(x, np.float32), eps), x.dtype)
    return x / ops.sqrt(ops.mean(x * x, -1, True) + eps)


def _standardised(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """(x - μ) / √(σ² + eps) with μ and σ² along the axes."""
    if x.dtype == np.float16:  # its largest number is 65504: squares overflow
        return ops.astype(_standardised(ops.astype(x, np.float32), axes, eps), x.dtype)
    return (x - ops.mean(x, axes, True)) / ops.sqrt(ops.var(x, axes, 0, True) + eps)


def _few(shape: tuple[int, ...]) -> str:
    return "one value" if math.prod(shape) else "no value"
