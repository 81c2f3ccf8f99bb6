"""The hot loops: their definitions, which run on any array module, and twins that are faster on some arrays.

    reference.py, reference_conv.py, noise.py, sums.py   the definitions
    numba.py, thin.py, gemm.py
                        for the CPU, if Numba is installed (`pip install "tinygen[fast]"`) and TINYGEN_NUMBA is not 0
    conv.py, blas.py    convolutions and products on the CPU, with NumPy alone
    cuda.py, cuda_columns.py, cuda_conv.py, cuda_noise.py, cuda_add.py,
    cuda_flat.py, cuda_put.py
                        for CuPy
    cublas.py           for CuPy, products that can be captured in a graph

Which of them serves an array is decided here, by its kind; a twin leaves what it is not made for, such as
other dtypes, to the definition. What is compiled is loaded when it is first used.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from ..backend import Array, array_module
from . import blas, conv, memory, noise, reference, reference_conv, sums
from .compiled import compiled
from .reference import log1p_to_1
from .sums import mean, narrow, variance, wide

_cuda = functools.cache(lambda name: importlib.import_module(f".{name}", __name__))

__all__ = [
    "adam",
    "add_at",
    "batch_norm",
    "batch_norm_grad",
    "bernoulli",
    "bits",
    "col2im",
    "column_sum",
    "conv2d",
    "conv2d_weight_grad",
    "conv_transpose2d",
    "dropout",
    "erf",
    "erfc",
    "flatten_into",
    "flattened",
    "im2col",
    "keep_running",
    "leaky_relu",
    "leaky_relu_grad",
    "log1p_to_1",
    "matmul",
    "mean",
    "narrow",
    "normal",
    "put",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "tanh_grad",
    "total",
    "total_into",
    "uniform",
    "variance",
    "verdicts",
    "wide",
]


def __dir__() -> list[str]:
    return __all__


def _kernel(definition: Callable[..., Any], cpu: ModuleType | str = "", gpu: str = "") -> Callable[..., Any]:
    """A definition and its twins as one function; the kind of the first array says which of them runs.

    cpu: the module that has the twin for NumPy's arrays, if one has; "numba" where Numba is installed.  gpu: the
    one that has the twin for CuPy's.
    """
    name = definition.__name__

    def elsewhere(x: Array) -> Callable[..., Any]:
        module = array_module(x)
        if module.__name__ == "traced":
            return module.kernel(definition)
        return getattr(_cuda(gpu), name) if gpu and module.__name__ == "cupy" else definition

    def loops() -> Callable[..., Any]:
        return getattr(compiled("numba") or reference, name)

    names = {"here": getattr(cpu, name, definition), "loops": loops, "elsewhere": elsewhere, "ndarray": np.ndarray}
    kernel = eval(_choice("loops()" if cpu == "numba" else "here", definition.__code__.co_argcount), names)
    kernel.__defaults__ = definition.__defaults__
    return functools.update_wrapper(kernel, definition)


@functools.cache
def _choice(here: str, arguments: int) -> CodeType:
    """A function of so many arguments; with *args a call would take 150 ns longer, and the shortest take 1.5 µs."""
    x, *more = (f"x{i}" for i in range(arguments))
    given = ", ".join([x, *more])
    return compile(
        f"lambda {given}: ({here} if isinstance({x}, ndarray) else elsewhere({x}))({given})", __name__, "eval"
    )


def _in_single(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel of x and w which computes in float32 if both are float16."""

    @functools.wraps(kernel)
    def widened(x: Array, w: Array, *more: Any) -> Any:
        if x.dtype.char == w.dtype.char == "e":
            return narrow(kernel(wide(x), wide(w), *more), x)
        return kernel(x, w, *more)

    return widened


adam = _kernel(reference.adam, "numba", gpu="cuda")
add_at = _kernel(reference.add_at, gpu="cuda_add")
batch_norm = _kernel(reference.batch_norm, "numba", gpu="cuda_columns")
batch_norm_grad = _kernel(reference.batch_norm_grad, "numba", gpu="cuda_columns")
bernoulli = _kernel(noise.bernoulli, gpu="cuda_noise")
bits = _kernel(noise.bits, gpu="cuda_noise")
column_sum = _kernel(reference.column_sum, gpu="cuda_columns")
col2im = _kernel(reference_conv.col2im, gpu="cuda_conv")
conv2d = _in_single(_kernel(reference_conv.conv2d, conv, gpu="cuda_conv"))
conv2d_weight_grad = _in_single(_kernel(reference_conv.conv2d_weight_grad, conv, gpu="cuda_conv"))
conv_transpose2d = _in_single(_kernel(reference_conv.conv_transpose2d, conv, gpu="cuda_conv"))
dropout = _kernel(reference.dropout, "numba", gpu="cuda")
erf = _kernel(reference.erf, "numba", gpu="cuda")
erfc = _kernel(reference.erfc, "numba", gpu="cuda")
flatten_into = _kernel(reference.flatten_into, gpu="cuda_flat")
im2col = _kernel(reference_conv.im2col, gpu="cuda_conv")
keep_running = _kernel(reference.keep_running, gpu="cuda")
leaky_relu = _kernel(reference.leaky_relu, "numba", gpu="cuda")
leaky_relu_grad = _kernel(reference.leaky_relu_grad, "numba", gpu="cuda")
matmul = _kernel(reference.matmul, blas)
normal = _kernel(noise.normal, gpu="cuda_noise")
put = _kernel(reference.put, gpu="cuda_put")
sigmoid = _kernel(reference.sigmoid, gpu="cuda")
sigmoid_cross_entropy = _kernel(reference.sigmoid_cross_entropy, "numba", gpu="cuda")
sigmoid_cross_entropy_grad = _kernel(reference.sigmoid_cross_entropy_grad, "numba", gpu="cuda")
tanh_grad = _kernel(reference.tanh_grad, gpu="cuda")
total = _kernel(sums.total, gpu="cuda_columns")
total_into = _kernel(sums.total_into, gpu="cuda_columns")
uniform = _kernel(noise.uniform, gpu="cuda_noise")
verdicts = _kernel(reference.verdicts, gpu="cuda_columns")


def flattened(arrays: Sequence[Array]) -> Array:
    """Arrays of one dtype, each flat, one after the other in a new array; on a GPU in one launch."""
    xp = array_module(*arrays)
    if xp.__name__ in ("numpy", "traced"):
        return xp.concatenate([x.reshape(-1) for x in arrays])
    out = xp.empty(sum(x.size for x in arrays), arrays[0].dtype)
    flatten_into(out, arrays)
    return out
