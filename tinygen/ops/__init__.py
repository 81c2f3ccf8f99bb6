"""Every primitive beside its derivative rules, under NumPy's names. They take Tensors, arrays and Python scalars."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from ..names import MissingName as _MissingName
from ..refusals import explained as _explained
from . import operators  # gives Tensor its operators and methods
from .activations import (
    dropout,
    elu,
    erf,
    erfc,
    gelu,
    leaky_relu,
    prelu,
    relu,
    sigmoid,
    sigmoid_cross_entropy,
    silu,
    softplus,
    tanh,
)
from .attention import scaled_dot_product_attention
from .choices import gumbel_softmax, one_hot, straight_through
from .columns import col2im, im2col, textbook_conv2d
from .comparisons import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from .conv import conv2d, conv2d_weight_grad, conv_transpose2d
from .elementwise import (
    abs,
    add,
    astype,
    ceil,
    clip,
    cos,
    divide,
    exp,
    expm1,
    floor,
    floor_divide,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    remainder,
    round,
    sign,
    sin,
    sqrt,
    subtract,
    where,
)
from .joining import concatenate, repeat, split, stack, tile
from .linear import dense, matmul, tril, triu
from .norm import batch_norm, batch_norm_with_statistics
from .order import argsort, sort, topk
from .padding import pad
from .pool import avg_pool2d, max_pool2d
from .reduce import (
    argmax,
    argmin,
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    prod,
    softmax,
    std,
    sum,
    var,
)
from .resize import pixel_shuffle, pixel_unshuffle, resize, upsample_bilinear, upsample_nearest
from .sampling import grid_sample
from .sequences import avg_pool1d, conv1d, conv_transpose1d, max_pool1d
from .shape import (
    broadcast_to,
    expand_dims,
    flip,
    getitem,
    moveaxis,
    reshape,
    scatter_add,
    squeeze,
    swapaxes,
    take_along_axis,
    transpose,
)
from .style import blur, modulated_conv2d, modulated_conv_transpose2d
from .subscripts import einsum

_THEMSELVES = ("getitem", "matmul", "dense")  # they say why they fail, as primitives do

for _name, _op in [*vars().items()]:
    if callable(_op) and not hasattr(_op, "op") and not _name.startswith("_") and _name not in _THEMSELVES:
        vars()[_name] = _explained(_op)

__all__ = sorted(name for name, op in vars().items() if callable(op) and not name.startswith("_"))


def __dir__() -> list[str]:
    return __all__


if not _TYPE_CHECKING:  # a type checker would take every name for one that may come

    def __getattr__(name: str) -> _Any:
        raise _MissingName(__name__, name)
