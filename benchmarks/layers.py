"""The layers of the workloads' networks as data: their shapes, weights, multiplications and bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Shape: TypeAlias = "tuple[int, ...]"


class Dense(NamedTuple):
    """y = x @ w + b."""

    n_in: int
    n_out: int
    bias: bool = True

    def out(self, shape: Shape) -> Shape:
        return (self.n_out,)

    def macs(self, shape: Shape) -> int:
        return self.n_in * self.n_out

    @property
    def parameters(self) -> int:
        return self.n_in * self.n_out + self.bias * self.n_out


class Conv(NamedTuple):
    """A convolution with a square kernel, padded so that the output has ceil(size / stride) pixels."""

    c_in: int
    c_out: int
    kernel: int
    stride: int
    bias: bool = True

    def out(self, shape: Shape) -> Shape:
        return (-(-shape[0] // self.stride), -(-shape[1] // self.stride), self.c_out)

    def macs(self, shape: Shape) -> int:
        return math.prod(self.out(shape)) * self.kernel**2 * self.c_in

    @property
    def parameters(self) -> int:
        return self.kernel**2 * self.c_in * self.c_out + self.bias * self.c_out


class ConvT(NamedTuple):
    """The transposed convolution: size · stride pixels."""

    c_in: int
    c_out: int
    kernel: int
    stride: int
    bias: bool = True

    def out(self, shape: Shape) -> Shape:
        return (shape[0] * self.stride, shape[1] * self.stride, self.c_out)

    def macs(self, shape: Shape) -> int:
        return math.prod(shape) * self.kernel**2 * self.c_out

    @property
    def parameters(self) -> int:
        return self.kernel**2 * self.c_in * self.c_out + self.bias * self.c_out


class _Elementwise:
    """A layer that keeps the shape and has no matrix product."""

    parameters = 0

    def out(self, shape: Shape) -> Shape:
        return shape

    def macs(self, shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class BatchNorm(_Elementwise):
    """Batch normalisation of the last axis; momentum is the share that the running statistics keep, as in Keras."""

    features: int
    momentum: float
    eps: float

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return 2 * self.features


@dataclass(frozen=True)
class LeakyReLU(_Elementwise):
    slope: float  # 0: a ReLU


@dataclass(frozen=True)
class Tanh(_Elementwise):
    pass


@dataclass(frozen=True)
class Dropout(_Elementwise):
    rate: float


@dataclass(frozen=True)
class Reshape(_Elementwise):
    """A reshape to this shape, (H, W, C) or (features,)."""

    shape: Shape

    def out(self, shape: Shape) -> Shape:
        return self.shape


Layer: TypeAlias = "Dense | Conv | ConvT | BatchNorm | LeakyReLU | Tanh | Dropout | Reshape"
PRODUCTS = (Dense, Conv, ConvT)
