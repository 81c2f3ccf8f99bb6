"""The twins of `reference.py` for CuPy that work element by element, in one launch each.

CuPy compiles each when it is first used, and keeps the binary on disk. As in everything that CuPy compiles, a float32
below 1.2e-38 is 0 (-ftz=true). Nothing here waits for the GPU.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import cupy

from ..backend import Array
from .cuda_dtypes import of_one_dtype

# CuPy's elementwise kernels, which broadcast and take any strides: inputs, outputs, and what is done to each element.
ELEMENTWISE = {
    "adam": (
        "T g, T old1, T new1, T old2, T new2, T size, T correction, T eps",
        "T p, T m, T v",
        """
        m = old1 * m + new1 * g;
        v = old2 * v + new2 * g * g;
        p -= size * m / (sqrt(v) * correction + eps)
        """,
    ),
    "leaky_relu": ("T x, T slope", "T y", "y = x > 0 || x != x ? x : slope == 0 ? T(0) : x * slope"),
    "leaky_relu_grad": (
        "T gy, T y, T slope",
        "T gx",
        "gx = slope != 0 ? (y > 0 ? gy : gy * slope) : (y <= 0 ? T(0) : gy)",
    ),
    "sigmoid_cross_entropy": (
        "T x, T t",
        "T y",
        "const T share = (x > 0 ? T(1) : T(0)) - t; y = (share == 0 ? T(0) : x * share) + log1p(exp(x > 0 ? -x : x))",
    ),
    "sigmoid_cross_entropy_grad": (
        "T gy, T x, T t",
        "T gx",
        "const T e = exp(x > 0 ? -x : x); gx = gy * ((x > 0 ? T(1) : e) / (1 + e) - t)",
    ),
    "sigmoid": ("T x", "T y", "const T e = exp(x > 0 ? -x : x); y = (x > 0 ? T(1) : e) / (1 + e)"),
    "tanh_grad": ("T gy, T y", "T gx", "gx = gy * (1 - y * y)"),
    "erf": ("T x", "T y", "y = erf(x)"),
    "erfc": ("T x", "T y", "y = erfc(x)"),
    "keep_running": (
        "T mu, T s2, T momentum, T rest",
        "T mean, T var",
        "mean = momentum * mean + rest * mu; var = momentum * var + rest * s2",
    ),
    "dropout": ("T x, bool kept, T scale", "T y", "y = kept ? x * scale : T(0)"),
}


@functools.cache
def _elementwise(name: str) -> Any:
    return cupy.ElementwiseKernel(*ELEMENTWISE[name], f"tinygen_{name}")


@of_one_dtype()
def adam(p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, t: int) -> None:
    """As reference.adam, in one launch."""
    size, correction = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    _elementwise("adam")(g, beta1, 1 - beta1, beta2, 1 - beta2, size, correction, eps, p, m, v)


@of_one_dtype()
def keep_running(mean: Array, var: Array, mu: Array, s2: Array, momentum: float) -> None:
    """As reference.keep_running, in one launch."""
    _elementwise("keep_running")(mu, s2, momentum, 1 - momentum, mean, var)


@of_one_dtype()
def leaky_relu(x: Array, slope: float) -> Array:
    """As reference.leaky_relu, in one launch."""
    return _elementwise("leaky_relu")(x, slope)


@of_one_dtype()
def leaky_relu_grad(gy: Array, y: Array, slope: float) -> Array:
    """As reference.leaky_relu_grad, in one launch."""
    return _elementwise("leaky_relu_grad")(gy, y, slope)


@of_one_dtype()
def sigmoid_cross_entropy(x: Array, t: Array) -> Array:
    """As reference.sigmoid_cross_entropy, in one launch."""
    return _elementwise("sigmoid_cross_entropy")(x, t)


@of_one_dtype()
def sigmoid_cross_entropy_grad(gy: Array, x: Array, t: Array) -> Array:
    """As reference.sigmoid_cross_entropy_grad, in one launch."""
    return _elementwise("sigmoid_cross_entropy_grad")(gy, x, t)


@of_one_dtype()
def sigmoid(x: Array) -> Array:
    """As reference.sigmoid, in one launch."""
    return _elementwise("sigmoid")(x)


@of_one_dtype()
def tanh_grad(gy: Array, y: Array) -> Array:
    """As reference.tanh_grad, in one launch."""
    return _elementwise("tanh_grad")(gy, y)


@of_one_dtype()
def erf(x: Array) -> Array:
    """As reference.erf, in one launch."""
    return _elementwise("erf")(x)


@of_one_dtype()
def erfc(x: Array) -> Array:
    """As reference.erfc, in one launch."""
    return _elementwise("erfc")(x)


@of_one_dtype(also="?")
def dropout(x: Array, kept: Array, scale: float) -> Array:
    """As reference.dropout, in one launch."""
    return _elementwise("dropout")(x, kept, scale)
