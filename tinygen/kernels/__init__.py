"""The hot loops. `reference.py` and `reference_conv.py` are their definitions, on any array module; the rest are twins.

    sums.py             sums, means and variances along axes, for all of them
    numba.py, gemm.py   for the CPU, if Numba is installed (`pip install "tinygen[fast]"`) and TINYGEN_NUMBA is not 0
    conv.py, blas.py    convolution on the CPU, with NumPy alone
    cuda.py             for CuPy

What is compiled is loaded when it is first used.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..backend import Array, array_module
from . import conv, memory, reference, reference_conv, sums
from .blas import matmul
from .compiled import compiled
from .sums import Axis, count, mean, narrow, variance, wide

__all__ = [
    "Axis",
    "adam",
    "batch_norm",
    "batch_norm_grad",
    "column_sum",
    "conv2d",
    "conv2d_weight_grad",
    "conv_transpose2d",
    "count",
    "dropout",
    "leaky_relu",
    "leaky_relu_grad",
    "matmul",
    "mean",
    "narrow",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "total",
    "variance",
    "wide",
]


def __dir__() -> list[str]:
    return __all__


def _twins(module: ModuleType) -> Any:
    """Where the twins for the arrays of a module are, if there are any."""
    if module is np:
        return compiled("numba") or reference
    return importlib.import_module(".cuda", __name__) if module.__name__ == "cupy" else reference


def _dispatched(definition: Callable[..., Any]) -> Callable[..., Any]:
    name = definition.__name__

    @functools.wraps(definition)
    def kernel(x: Array, *more: Any) -> Any:
        return getattr(_twins(array_module(x)), name)(x, *more)

    return kernel


adam = _dispatched(reference.adam)
batch_norm = _dispatched(reference.batch_norm)
batch_norm_grad = _dispatched(reference.batch_norm_grad)
column_sum = _dispatched(reference.column_sum)
dropout = _dispatched(reference.dropout)
leaky_relu = _dispatched(reference.leaky_relu)
leaky_relu_grad = _dispatched(reference.leaky_relu_grad)
sigmoid = reference.sigmoid
sigmoid_cross_entropy = _dispatched(reference.sigmoid_cross_entropy)
sigmoid_cross_entropy_grad = _dispatched(reference.sigmoid_cross_entropy_grad)


def total(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Σ x along the axes; of float16 in float32, which the result is, too."""
    if type(x) is not np.ndarray and axis == tuple(range(x.ndim - 1)) != ():
        return column_sum(x).reshape((1,) * (len(axis) * keepdims) + x.shape[-1:])  # which has a twin for the GPU
    return sums.total(x, axis, keepdims)


def _convolution(definition: Callable[..., Any]) -> Callable[..., Any]:
    fast = getattr(conv, definition.__name__)

    @functools.wraps(definition)
    def kernel(x: Array, *more: Any) -> Any:
        if x.dtype.char == more[0].dtype.char == "e":
            return narrow(kernel(wide(x), wide(more[0]), *more[1:]), x)
        made_for = type(x) is np.ndarray and x.dtype in (np.float32, np.float64) and x.dtype == more[0].dtype
        return fast(x, *more) if made_for and x.size else definition(x, *more)

    return kernel


conv2d = _convolution(reference_conv.conv2d)
conv_transpose2d = _convolution(reference_conv.conv_transpose2d)
conv2d_weight_grad = _convolution(reference_conv.conv2d_weight_grad)
