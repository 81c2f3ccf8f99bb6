"""For each primitive, how it is said in ONNX.

A converter is called with the graph, the result and the arguments, as a rule is: a Value for an array that depends on
the input, an array for a constant, and options as they are. It returns the name of what it wrote.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import is_array
from ..kernels.sums import axes_of
from .graph import NCHW, Axes, Graph, Ordered, Value, sizes
from .passes import Pair

Converter = Callable[..., "str | Ordered | None"]
CONVERTERS: dict[str, Converter] = {}
KERNEL: Axes = (3, 2, 0, 1)  # (KH, KW, C, K) as ONNX has it


def converts(*ops: str) -> Callable[[Converter], Converter]:
    """Enter a converter into the table, for primitives of these names."""

    def enter(converter: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(ops, converter))
        return converter

    return enter


# Element by element


def elementwise(g: Graph, kind: str, y: Value, *operands: Any, dtype: Any = None, **options: Any) -> Ordered:
    """One node whose operands broadcast, in the order of axes in which they are at hand, and cast to one dtype."""
    axes = _common_order(y, operands)
    dtype = dtype or np.result_type(*(getattr(x, "dtype", x) for x in operands))
    return Ordered(g.node(kind, *(operand(g, x, axes, dtype) for x in operands), **options), axes)


def _common_order(y: Value, operands: Sequence[Any]) -> Axes | None:
    """The order of an operand that isn't at hand in its own; None, the own order, if there is none."""
    values = [x for x in operands if isinstance(x, Value) and x.ndim]
    if any(x.ndim != y.ndim for x in values):
        return None
    own = tuple(range(y.ndim))
    return next((x.order for x in values if x.order != own), None)


def operand(g: Graph, x: Any, axes: Axes | None, dtype: Any = None) -> str:
    """A Value, constant or number, as it broadcasts against arrays in this order of axes."""
    if isinstance(x, Pair):
        raise g.refuse(
            f"it takes a number, {x.first}, that differs from batch to batch; compute it with ops on Tensors"
        )
    if axes is not None and is_array(x) and x.ndim not in (0, len(axes)):
        wide = x.reshape((1,) * (len(axes) - x.ndim) + x.shape).transpose(axes)
        keep = next((i for i, n in enumerate(wide.shape) if n > 1), wide.ndim - 1)
        return g.constant(wide.reshape(wide.shape[keep:]), dtype, g.weight(x), (id(x), axes, str(dtype)))
    return g.name(x, axes if getattr(x, "ndim", 0) else None, dtype)


def _same(kind: str, **options: Any) -> Converter:
    """The converter of a primitive that ONNX has under another name."""
    return lambda g, y, *xs: elementwise(g, kind, y, *xs, dtype=y.dtype, **options)


for _op, _kind in {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg", "power": "Pow",
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "abs": "Abs", "sign": "Sign", "sin": "Sin", "cos": "Cos",
    "maximum": "Max", "minimum": "Min", "tanh": "Tanh", "sigmoid": "Sigmoid", "softplus": "Softplus", "relu": "Relu",
    "erf": "Erf", "floor": "Floor", "ceil": "Ceil", "round": "Round",
}.items():  # fmt: skip
    CONVERTERS[_op] = _same(_kind)

for _op, _kind in {
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
}.items():  # fmt: skip
    CONVERTERS[_op] = lambda g, y, a, b, kind=_kind: elementwise(g, kind, y, a, b)


for _op, _kind in {"logical_and": "And", "logical_or": "Or"}.items():
    CONVERTERS[_op] = lambda g, y, a, b, kind=_kind: elementwise(g, kind, y, a, b, dtype=np.bool_)


@converts("not_equal")
def _not_equal(g: Graph, y: Value, a: Any, b: Any) -> Ordered:
    same = elementwise(g, "Equal", y, a, b)
    return Ordered(g.node("Not", same.name), same.axes)


@converts("erfc")
def _erfc(g: Graph, y: Value, x: Value) -> Ordered:
    e = elementwise(g, "Erf", y, x, dtype=y.dtype)
    return Ordered(g.node("Sub", g.constant(1, y.dtype), e.name), e.axes)


@converts("silu")
def _silu(g: Graph, y: Value, x: Value) -> Ordered:
    """x · σ(x)."""
    share = elementwise(g, "Sigmoid", y, x, dtype=y.dtype)
    return Ordered(g.node("Mul", operand(g, x, share.axes, y.dtype), share.name), share.axes)


@converts("gelu")
def _gelu(g: Graph, y: Value, x: Value, approximate: bool) -> Ordered:
    """½ x (1 + erf(x / √2)), or with tanh(√(2/π) (x + 0.044715 x³)) for the erf: opset 18 has no Gelu."""

    def constant(value: float) -> str:
        return g.constant(value, y.dtype)

    half = elementwise(g, "Mul", y, x, 0.5, dtype=y.dtype)
    name = operand(g, x, half.axes, y.dtype)
    if approximate:
        cube = g.node("Mul", constant(0.044715), g.node("Mul", name, g.node("Mul", name, name)))
        bend = g.node("Tanh", g.node("Mul", constant(math.sqrt(2 / math.pi)), g.node("Add", name, cube)))
    else:
        bend = g.node("Erf", g.node("Mul", name, constant(math.sqrt(0.5))))
    return Ordered(g.node("Mul", half.name, g.node("Add", bend, constant(1))), half.axes)


@converts("logical_not")
def _logical_not(g: Graph, y: Value, x: Value) -> Ordered:
    return Ordered(g.node("Not", g.name(x, x.order, np.bool_)), x.order)


@converts("expm1")
def _expm1(g: Graph, y: Value, x: Value) -> Ordered:
    e = elementwise(g, "Exp", y, x, dtype=y.dtype)
    return Ordered(g.node("Sub", e.name, g.constant(1, y.dtype)), e.axes)


@converts("log1p")
def _log1p(g: Graph, y: Value, x: Value) -> Ordered:
    more = elementwise(g, "Add", y, x, 1, dtype=y.dtype)
    return Ordered(g.node("Log", more.name), more.axes)


@converts("leaky_relu")
def _leaky_relu(g: Graph, y: Value, x: Value, slope: float) -> Ordered:
    return elementwise(g, "LeakyRelu", y, x, alpha=float(slope))


@converts("elu")
def _elu(g: Graph, y: Value, x: Value, alpha: float) -> Ordered:
    return elementwise(g, "Elu", y, x, alpha=float(alpha))


@converts("prelu")
def _prelu(g: Graph, y: Value, x: Value, slope: Any) -> Ordered:
    return elementwise(g, "PRelu", y, x, slope)


@converts("clip")
def _clip(g: Graph, y: Value, x: Value, low: Any, high: Any) -> Ordered:
    made = Ordered(g.name(x, x.order, y.dtype), x.order)
    for kind, bound in (("Max", low), ("Min", high)):
        if bound is not None:
            made = Ordered(g.node(kind, made.name, operand(g, bound, made.axes, y.dtype)), made.axes)
    return made


@converts("where")
def _where(g: Graph, y: Value, condition: Any, a: Any, b: Any) -> Ordered:
    axes = _common_order(y, [condition, a, b])
    names = operand(g, condition, axes, np.bool_), operand(g, a, axes, y.dtype), operand(g, b, axes, y.dtype)
    return Ordered(g.node("Where", *names), axes)


@converts("astype")
def _astype(g: Graph, y: Value, x: Value, dtype: Any) -> Ordered:
    return Ordered(g.name(x, x.order, y.dtype), x.order)


@converts("sigmoid_cross_entropy")
def _sigmoid_cross_entropy(g: Graph, y: Value, x: Any, t: Any) -> str:
    """softplus(x) - x · t."""
    xt = g.node("Mul", g.name(x, None, y.dtype), g.name(t, None, y.dtype))
    return g.node("Sub", g.node("Softplus", g.name(x, None, y.dtype)), xt)


@converts("straight_through")
def _straight_through(g: Graph, y: Value, hard: Any, soft: Value) -> str:
    """The one-hot vector of soft's largest element, which is what it is in gumbel_softmax; no tape sees it made."""
    for one_hot, x in zip(hard.pair if isinstance(hard, Value) else (hard, hard), soft.pair, strict=True):
        if not ((one_hot == 1) == (x == x.max(-1, keepdims=True))).all():
            raise g.refuse("`hard` is not the one-hot vector of the largest element of `soft`")
    largest = g.node("ArgMax", g.name(soft), axis=-1, keepdims=0)
    bounds = g.constant(np.array([0, 1], y.dtype))
    return g.node("OneHot", largest, g.whole(sizes(soft)[-1]), bounds, axis=-1)


# Products


@converts("_matmul")
def _matmul(g: Graph, y: Value, a: Any, b: Any) -> str:
    return g.node("MatMul", g.name(a, None, y.dtype), g.name(b, None, y.dtype))


@converts("_dense")
def _dense(g: Graph, y: Value, x: Any, w: Any, b: Any) -> str:
    return g.node("Gemm", *(g.name(a, None, y.dtype) for a in (x, w, b)))


@converts("_conv2d")
def _conv2d(g: Graph, y: Value, x: Any, w: Any, stride: Any, padding: Any) -> Ordered:
    options = {"kernel_shape": sizes(w)[:2], "strides": stride, "pads": pads(padding)}
    return Ordered(g.node("Conv", g.name(x, NCHW), g.name(w, KERNEL), **options), NCHW)


@converts("_conv_transpose2d")
def _conv_transpose2d(g: Graph, y: Value, x: Any, w: Any, stride: Any, padding: Any, size: Any) -> Ordered:
    sides = zip(size, sizes(x)[1:3], sizes(w)[:2], stride, padding, strict=True)
    more = [n - ((m - 1) * s + k - sum(p)) for n, m, k, s, p in sides]
    options = {"kernel_shape": sizes(w)[:2], "strides": stride, "pads": pads(padding), "output_padding": more}
    return Ordered(g.node("ConvTranspose", g.name(x, NCHW), g.name(w, KERNEL), **options), NCHW)


def pads(padding: Any) -> list[int]:
    """((top, bottom), (left, right)) as ONNX has it: the beginnings, then the ends."""
    return [side[i] for i in (0, 1) for side in padding]


@converts("_blur")
def _blur(g: Graph, y: Value, x: Value, gain: float) -> Ordered:
    """A convolution of each channel with the kernel of a blur."""
    row, channels = np.array([1, 2, 1], y.dtype), sizes(x)[3]
    kernel = np.broadcast_to(np.outer(row, row) * y.dtype.type(gain / 16), (channels, 1, 3, 3))
    return Ordered(g.node("Conv", g.name(x, NCHW), g.constant(kernel), pads=[1] * 4, group=channels), NCHW)


# Along axes


def reduction(g: Graph, kind: str, y: Value, x: Value, axis: Any, keepdims: bool) -> Ordered:
    """A node that reduces x in the order of axes in which it is at hand, if the axes that stay keep their order."""
    gone, order = set(axes_of(axis, x.ndim)), x.order
    left = [a for a in order if a not in gone]
    if not keepdims and left != sorted(left):
        order = tuple(range(x.ndim))
    axes = g.whole(*(i for i, a in enumerate(order) if a in gone))
    if not gone:
        return Ordered(g.name(x, order), order)
    return Ordered(g.node(kind, g.name(x, order), axes, keepdims=int(keepdims)), order if keepdims else None)


@converts("sum")
def _sum(g: Graph, y: Value, x: Value, axis: Any, keepdims: bool) -> Ordered:
    made = reduction(g, "ReduceSum", y, x, axis, keepdims)
    return made._replace(name=g.cast(made.name, x.dtype, y.dtype))


@converts("logsumexp")
def _logsumexp(g: Graph, y: Value, x: Value, axis: Any, keepdims: bool) -> Ordered:
    return reduction(g, "ReduceLogSumExp", y, x, axis, keepdims)


@converts("min")
def _min(g: Graph, y: Value, x: Value, axis: Any, keepdims: bool) -> Ordered:
    return reduction(g, "ReduceMin", y, x, axis, keepdims)


@converts("max")
def _max(g: Graph, y: Value, x: Value, axis: Any, keepdims: bool) -> Ordered:
    return _pooled(g, "MaxPool", x, axis, keepdims) or reduction(g, "ReduceMax", y, x, axis, keepdims)


@converts("mean")
def _mean(g: Graph, y: Value, x: Value, axis: Any, keepdims: bool) -> Ordered:
    pooled = _pooled(g, "AveragePool", x, axis, keepdims, count_include_pad=1)
    return pooled or reduction(g, "ReduceMean", y, x, axis, keepdims)


@converts("var")
def _var(g: Graph, y: Value, x: Value, axis: Any, ddof: int, keepdims: bool) -> Ordered:
    """The mean of the squared distances from the mean, or their sum over n - ddof."""
    mean, centred = reduction(g, "ReduceMean", y, x, axis, True), Value(x.pair)
    axes = x.order if mean.axes is None else mean.axes
    centred.names[axes] = g.node("Sub", g.name(x, axes), mean.name)
    square = Value(x.pair)
    square.names[axes] = g.node("Mul", centred.names[axes], centred.names[axes])
    made = reduction(g, "ReduceMean", y, square, axis, keepdims)
    if not ddof:
        return made
    lengths = [x.shape[a] for a in axes_of(axis, x.ndim)]
    if not all(n.same for n in lengths):
        raise g.refuse("ddof is above 0, and the number of elements depends on the batch size")
    n = np.prod([n.first for n in lengths])
    return made._replace(name=g.node("Mul", made.name, g.constant(n / (n - ddof), y.dtype)))


@converts("argmax")
def _argmax(g: Graph, y: Value, x: Value, axis: int | None) -> str:
    if axis is None:
        return g.node("ArgMax", g.node("Reshape", g.name(x), g.whole(-1)), axis=0, keepdims=0)
    return g.node("ArgMax", g.name(x), axis=axis, keepdims=0)


@converts("softmax")
def _softmax(g: Graph, y: Value, x: Value, axis: Any) -> str:
    return _along_one(g, "Softmax", x, axis)


@converts("log_softmax")
def _log_softmax(g: Graph, y: Value, x: Value, axis: Any) -> str:
    return _along_one(g, "LogSoftmax", x, axis)


def _along_one(g: Graph, kind: str, x: Value, axis: Any) -> str:
    axes = axes_of(axis, x.ndim)
    if len(axes) != 1:
        raise g.refuse(f"axis is {axis}, but in ONNX it is one axis")
    return g.node(kind, g.name(x), axis=int(next(iter(axes))))


@converts("cumsum")
def _cumsum(g: Graph, y: Value, x: Value, axis: int | None) -> str:
    flat = g.node("Reshape", g.name(x), g.whole(-1)) if axis is None else g.name(x)
    return g.node("CumSum", g.cast(flat, x.dtype, y.dtype), g.constant(axis or 0, np.int64))


# Windows. im2col alone lays them side by side; with max or mean after it, it is a pooling, and is written as one


@converts("_im2col")
def _im2col(g: Graph, y: Value, x: Value, kernel_size: Any, stride: Any, padding: Any) -> None:
    y.windows = x, {"kernel_shape": kernel_size, "strides": stride, "pads": pads(padding)}
    y.later = lambda: _side_by_side(g, y, x, kernel_size, stride, padding)


def _side_by_side(g: Graph, y: Value, x: Value, kernel_size: Any, stride: Any, padding: Any) -> str:
    """A convolution whose kernels pick one element of the window each."""
    (KH, KW), C = kernel_size, sizes(x)[3]
    picks = np.tile(np.eye(KH * KW, dtype=x.dtype).reshape(-1, 1, KH, KW), (C, 1, 1, 1))
    cols = g.node("Conv", g.name(x, NCHW), g.constant(picks), group=C, strides=stride, pads=pads(padding))
    apart = [y.shape[0], Pair(C, C), Pair(KH * KW, KH * KW), *y.shape[1:3]]
    moved = g.node("Transpose", g.node("Reshape", cols, g.lengths(apart)), perm=[0, 3, 4, 2, 1])
    return g.node("Reshape", moved, g.lengths(y.shape))


def _pooled(g: Graph, kind: str, x: Value, axis: Any, keepdims: bool, **options: Any) -> Ordered | None:
    """A pooling, if x are windows, which are reduced."""
    if x.windows is None or set(axes_of(axis, x.ndim)) != {3, 4} or keepdims:
        return None
    image, geometry = x.windows
    return Ordered(g.node(kind, g.name(image, NCHW), **geometry, **options), NCHW)
