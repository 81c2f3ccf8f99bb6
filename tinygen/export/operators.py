"""For each operator of ONNX, what it is in tinygen: a function of Tensors or arrays, whose keywords are the attributes.

A file that uses an operator that is not here, or an attribute that its function doesn't name, is refused when it is
read. Whole numbers that say where something is, such as a shape, are arrays; no gradient goes through them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..backend import array_module, array_of, to_host
from ..errors import ConfigError

Operator = Callable[..., Any]
OPERATORS: dict[str, Operator] = {}


def reads(*kinds: str) -> Callable[[Operator], Operator]:
    """Enter a function into the table, for operators of these names."""

    def enter(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(kinds, function))
        return function

    return enter


def refuse(kind: str, why: str) -> ConfigError:
    """The error for an operator whose options, or inputs, are not supported."""
    return ConfigError(f"read_onnx: {kind}: {why}")


def numbers(x: Any) -> list[int]:
    """The whole numbers of a vector, of one number, or, in old opsets, of an attribute."""
    return [int(n) for n in (x if isinstance(x, list) else to_host(array_of(x)).ravel())]


# Element by element

OPERATORS |= {
    "Abs": lambda x: ops.abs(x),
    "Add": lambda a, b: ops.add(a, b),
    "And": lambda a, b: ops.logical_and(a, b),
    "Ceil": lambda x: ops.ceil(x),
    "Cos": lambda x: ops.cos(x),
    "Equal": lambda a, b: ops.equal(a, b),
    "Erf": lambda x: ops.erf(x),
    "Exp": lambda x: ops.exp(x),
    "Floor": lambda x: ops.floor(x),
    "Greater": lambda a, b: ops.greater(a, b),
    "GreaterOrEqual": lambda a, b: ops.greater_equal(a, b),
    "Identity": lambda x: x,
    "Less": lambda a, b: ops.less(a, b),
    "LessOrEqual": lambda a, b: ops.less_equal(a, b),
    "Log": lambda x: ops.log(x),
    "Max": lambda *xs: functools.reduce(ops.maximum, xs),
    "Mean": lambda *xs: functools.reduce(ops.add, xs) / len(xs),
    "Min": lambda *xs: functools.reduce(ops.minimum, xs),
    "Mish": lambda x: x * ops.tanh(ops.softplus(x)),
    "Mul": lambda a, b: ops.multiply(a, b),
    "Neg": lambda x: ops.negative(x),
    "Not": lambda x: ops.logical_not(x),
    "Or": lambda a, b: ops.logical_or(a, b),
    "PRelu": lambda x, slope: ops.prelu(x, slope),
    "Pow": lambda x, p: ops.astype(ops.power(x, p), x.dtype),
    "Reciprocal": lambda x: ops.divide(1, x),
    "Relu": lambda x: ops.relu(x),
    "Round": lambda x: ops.round(x),
    "Sigmoid": lambda x: ops.sigmoid(x),
    "Sign": lambda x: ops.sign(x),
    "Sin": lambda x: ops.sin(x),
    "Softplus": lambda x: ops.softplus(x),
    "Softsign": lambda x: x / (1 + ops.abs(x)),
    "Sqrt": lambda x: ops.sqrt(x),
    "Sub": lambda a, b: ops.subtract(a, b),
    "Sum": lambda *xs: functools.reduce(ops.add, xs),
    "Tanh": lambda x: ops.tanh(x),
    "Where": lambda condition, a, b: ops.where(condition, a, b),
    "Xor": lambda a, b: ops.not_equal(a, b),
}


@reads("Div")
def _div(a: Any, b: Any) -> Any:
    """a / b; of whole numbers, without the fraction."""
    if a.dtype.kind == "f":
        return ops.divide(a, b)
    quotient = array_of(a) // array_of(b)
    return quotient + ((array_of(a) % array_of(b) != 0) & (quotient < 0)).astype(quotient.dtype)


@reads("Clip")
def _clip(x: Any, low: Any = None, high: Any = None) -> Any:
    return ops.clip(x, *(None if bound is None else array_of(bound) for bound in (low, high)))


@reads("Elu")
def _elu(x: Any, *, alpha: float = 1.0) -> Any:
    return ops.elu(x, alpha)


@reads("Celu")
def _celu(x: Any, *, alpha: float = 1.0) -> Any:
    """Elu of x / α, times α."""
    return ops.elu(x / alpha, 1.0) * alpha


@reads("Selu")
def _selu(x: Any, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Any:
    return ops.elu(x, alpha) * gamma


@reads("LeakyRelu")
def _leaky_relu(x: Any, *, alpha: float = 0.01) -> Any:
    return ops.leaky_relu(x, alpha)


@reads("ThresholdedRelu")
def _thresholded_relu(x: Any, *, alpha: float = 1.0) -> Any:
    return ops.where(ops.greater(x, alpha), x, 0.0)


@reads("HardSigmoid")
def _hard_sigmoid(x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return ops.clip(x * alpha + beta, 0, 1)


@reads("HardSwish")
def _hard_swish(x: Any) -> Any:
    return x * _hard_sigmoid(x, alpha=1 / 6)


@reads("Swish")
def _swish(x: Any, *, alpha: float = 1.0) -> Any:
    return x * ops.sigmoid(x * alpha)


@reads("Gelu")
def _gelu(x: Any, *, approximate: str = "none") -> Any:
    return ops.gelu(x, approximate == "tanh")


@reads("Dropout")
def _dropout(x: Any, ratio: Any = None, training: Any = None, *, seed: int = 0) -> tuple[Any, Any]:
    """x itself, and a mask that keeps all of it."""
    if training is not None and any(numbers(training)):
        raise refuse("Dropout", "training_mode is true, but an imported network draws no random numbers")
    return x, array_module(x).ones(x.shape, bool)


@reads("Cast")
def _cast(x: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    return ops.astype(x, dtype_of(to))


@reads("CastLike")
def _cast_like(x: Any, like: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    return ops.astype(x, like.dtype)


def dtype_of(number: int, what: str = "Cast") -> np.dtype[Any]:
    """The dtype that ONNX gives a number. Raises ConfigError unless it is one of NumPy's, of numbers."""
    from onnx import TensorProto, helper

    dtype = None if number == TensorProto.UNDEFINED else helper.tensor_dtype_to_np_dtype(number)
    if dtype is None or type(dtype).__module__ != "numpy.dtypes" or dtype.kind not in "fiub":
        raise refuse(what, f"{TensorProto.DataType.Name(number)} is not among NumPy's kinds of numbers")
    return dtype


# Products


@reads("MatMul")
def _matmul(a: Any, b: Any) -> Any:
    return ops.matmul(a, b)


@reads("Gemm")
def _gemm(
    a: Any, b: Any, c: Any = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0
) -> Any:
    """α A B + β C; a dense layer, if it is one."""
    a, b = (ops.transpose(x) if flip else x for x, flip in ((a, transA), (b, transB)))
    if c is not None and alpha == beta == 1 and c.shape == b.shape[1:]:
        return ops.dense(a, b, c)
    y = ops.matmul(a, b)
    y = y if alpha == 1 else y * alpha
    return y if c is None else y + (c if beta == 1 else c * beta)


@reads("Einsum")
def _einsum(*operands: Any, equation: str) -> Any:
    return ops.einsum(equation, *operands)


# Along axes


def axes_from(x: Any, given: Any, attribute: Sequence[int] | None, nothing_means_none: int = 0) -> tuple[int, ...]:
    """The axes that an operator names by its second input or, in older opsets, by an attribute; by default all."""
    axes = numbers(given) if given is not None else list(attribute or ())
    return tuple(a % x.ndim for a in axes) if axes or nothing_means_none else tuple(range(x.ndim))


def _reduction(function: Callable[[Any, Any, bool], Any]) -> Operator:
    """An operator that reduces along axes."""

    def reduce(x: Any, given: Any = None, *, axes: Any = None, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
        return function(x, axes_from(x, given, axes, noop_with_empty_axes), bool(keepdims))

    return reduce


OPERATORS |= {
    "ReduceL1": _reduction(lambda x, axes, keep: ops.sum(ops.abs(x), axes, keep)),
    "ReduceL2": _reduction(lambda x, axes, keep: ops.sqrt(ops.sum(x * x, axes, keep))),
    "ReduceLogSum": _reduction(lambda x, axes, keep: ops.log(ops.sum(x, axes, keep))),
    "ReduceLogSumExp": _reduction(lambda x, axes, keep: ops.logsumexp(x, axes, keep)),
    "ReduceMax": _reduction(lambda x, axes, keep: ops.max(x, axes, keep)),
    "ReduceMean": _reduction(lambda x, axes, keep: ops.mean(x, axes, keep)),
    "ReduceMin": _reduction(lambda x, axes, keep: ops.min(x, axes, keep)),
    "ReduceSum": _reduction(lambda x, axes, keep: ops.sum(x, axes, keep)),
    "ReduceSumSquare": _reduction(lambda x, axes, keep: ops.sum(x * x, axes, keep)),
}


@reads("Softmax")
def _softmax(x: Any, *, axis: int = -1) -> Any:
    return ops.softmax(x, axis)


@reads("LogSoftmax")
def _log_softmax(x: Any, *, axis: int = -1) -> Any:
    return ops.log_softmax(x, axis)


def _place_of(find: Callable[[Any, int], Any]) -> Operator:
    """An operator that says where along an axis an element is: the first one, or the last, if there are several."""

    def place(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        y = x.shape[axis] - 1 - find(ops.flip(x, axis), axis) if select_last_index else find(x, axis)
        y = ops.astype(y, np.int64)
        return ops.expand_dims(y, axis) if keepdims else y

    return place


OPERATORS |= {"ArgMax": _place_of(ops.argmax), "ArgMin": _place_of(ops.argmin)}


@reads("CumSum")
def _cumsum(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    (along,) = numbers(axis)
    x = ops.flip(x, along) if reverse else x
    y = ops.astype(ops.cumsum(x, along), x.dtype)
    y = y - x if exclusive else y
    return ops.flip(y, along) if reverse else y


# Normalisation. ONNX has the channel on axis 1


def along_channels(weight: Any, ndim: int) -> Any:
    """A number for each channel, (C,), as it broadcasts against images (N, C, ...)."""
    return ops.reshape(weight, (-1, *[1] * (ndim - 2)))


def standardised(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """(x - μ) / √(σ² + eps) with μ and σ² along the axes."""
    return (x - ops.mean(x, axes, True)) / ops.sqrt(ops.var(x, axes, 0, True) + eps)


@reads("BatchNormalization")
def _batch_norm(
    x: Any, gamma: Any, beta: Any, mean: Any, var: Any, *, epsilon: float = 1e-5, momentum: float = 0.9,
    training_mode: int = 0,
) -> Any:  # fmt: skip
    """With the running statistics, whether it is trained or not."""
    if training_mode:
        raise refuse("BatchNormalization", "training_mode is 1; export the network in eval mode")
    scale = gamma / ops.sqrt(var + epsilon)
    return x * along_channels(scale, x.ndim) + along_channels(beta - mean * scale, x.ndim)


@reads("InstanceNormalization")
def _instance_norm(x: Any, gamma: Any, beta: Any, *, epsilon: float = 1e-5) -> Any:
    y = standardised(x, tuple(range(2, x.ndim)), epsilon)
    return y * along_channels(gamma, x.ndim) + along_channels(beta, x.ndim)


@reads("GroupNormalization")
def _group_norm(x: Any, gamma: Any, beta: Any, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    groups = ops.reshape(x, (x.shape[0], num_groups, -1))
    y = ops.reshape(standardised(groups, (2,), epsilon), x.shape)
    return y * along_channels(gamma, x.ndim) + along_channels(beta, x.ndim)


@reads("LayerNormalization")
def _layer_norm(
    x: Any, gamma: Any, beta: Any = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Any, Any, Any]:
    axes = tuple(range(axis % x.ndim, x.ndim))
    mean = ops.mean(x, axes, True)
    inverse_std = 1 / ops.sqrt(ops.var(x, axes, 0, True) + epsilon)
    y = (x - mean) * inverse_std * gamma
    return (y if beta is None else y + beta), mean, inverse_std


@reads("RMSNormalization")
def _rms_norm(x: Any, gamma: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    axes = tuple(range(axis % x.ndim, x.ndim))
    return x / ops.sqrt(ops.mean(x * x, axes, True) + epsilon) * gamma


@reads("LpNormalization")
def _lp_norm(x: Any, *, axis: int = -1, p: int = 2) -> Any:
    """x / ‖x‖ along the axis, and 0 for 0."""
    norm = ops.sqrt(ops.sum(x * x, axis, True)) if p == 2 else ops.sum(ops.abs(x), axis, True)
    return x / ops.where(ops.equal(norm, 0), 1.0, norm)
