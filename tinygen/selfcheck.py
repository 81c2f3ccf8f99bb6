"""Every primitive, public op and layer, with the calls on which `tinygen gradcheck` and the tests try it.

One line of CASES is one call. Its arrays are only described, and made when they are needed, off the op's kinks and
inside its domain; whatever else is in the line is handed on as it stands.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import layers, ops
from .errors import ConfigError
from .gradcheck import Comparison, GradcheckError, GradcheckReport, gradcheck
from .primitives import PRIMITIVES
from .random import Generator
from .settings import nearest
from .tensor import Tensor

# What a case says of its arrays


@dataclass(frozen=True)
class Spec:
    """An array to be made, on the host."""

    make: Callable[[Generator], np.ndarray]
    shape: tuple[int, ...]
    kind: str = ""

    def __repr__(self) -> str:
        return self.kind + str(self.shape).replace(" ", "")


def normal(*shape: int) -> Spec:
    """Of N(0, 1)."""
    return Spec(lambda rng: rng.normal(shape, dtype=np.float64), shape)


def uniform(low: float, high: float, *shape: int) -> Spec:
    """From low to high."""
    return Spec(lambda rng: rng.uniform(shape, low, high, np.float64), shape)


def positive(*shape: int) -> Spec:
    """From 0.5 to 2."""
    return uniform(0.5, 2.0, *shape)


def off_zero(*shape: int) -> Spec:
    """Of size 0.5 to 1.5 and either sign."""
    return Spec(lambda rng: rng.uniform(shape, 0.5, 1.5, np.float64) * (2.0 * rng.integers(0, 2, shape) - 1), shape)


def distinct(*shape: int, start: float = 0.15) -> Spec:
    """Of either sign and no two closer than 0.2: start plus multiples of 0.3, and a little noise."""

    def make(rng: Generator) -> np.ndarray:
        n = int(np.prod(shape))
        return 0.3 * (rng.permutation(n).reshape(shape) - n // 2) + start + rng.uniform(shape, -0.05, 0.05, np.float64)

    return Spec(make, shape)


def between(*shape: int) -> Spec:
    """No two closer than 0.2, none closer than 0.05 to those of `distinct`."""
    return distinct(*shape, start=0.0)


def index(below: int, *shape: int) -> Spec:
    """Integers from 0 to below - 1."""
    return Spec(lambda rng: rng.integers(0, below, shape), shape, "index")


def mask(*shape: int) -> Spec:
    """Booleans, half of them True."""
    return Spec(lambda rng: rng.permutation(int(np.prod(shape))).reshape(shape) % 2 == 0, shape, "mask")


@dataclass(frozen=True)
class Case:
    """One call of the op or layer `name`."""

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    build: Callable[[], Callable[..., Any]] | None = None  # of a layer

    def __repr__(self) -> str:
        options = (f"{k}={v}".replace(" ", "") for k, v in self.options.items())
        return " ".join([self.name, *(str(a).replace(" ", "") for a in self.args), *options])

    def arrays(self, seed: int = 0) -> list[np.ndarray]:
        """Fresh arrays, in the order in which the arguments have them."""
        rng = Generator(seed, repr(self), "cpu")
        return [spec.make(rng) for spec in _specs(self.args)]

    def arguments(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments, with arrays (or Tensors) in the places of those described."""
        return _filled(self.args, iter(arrays))

    def function(self) -> Callable[..., Any]:
        """The call as a function of the arrays alone; of a layer, the layer itself."""
        if self.build is not None:
            return self.build()
        op = getattr(ops, self.name, None) or PRIMITIVES[self.name]
        return lambda *arrays: op(*self.arguments(arrays), **self.options)

    def check(self, order: int = 2, seed: int = 0, **options: Any) -> GradcheckReport:
        """gradcheck of this call."""
        f = self.function()
        return gradcheck(f if self.build else lambda *xs: _tensors(f(*xs)), self.arrays(seed), order, **options)


def _specs(args: Any) -> Iterator[Spec]:
    for a in args:
        if isinstance(a, Spec):
            yield a
        elif isinstance(a, (list, tuple)):
            yield from _specs(a)


def _filled(args: Any, arrays: Iterator[Any]) -> Any:
    """The arguments, with the next array in the place of each Spec."""
    return type(args)(
        next(arrays) if isinstance(a, Spec) else _filled(a, arrays) if isinstance(a, (list, tuple)) else a for a in args
    )


def _tensors(y: Any) -> Any:
    """What of a result can have a gradient: batch_norm_with_statistics gives plain arrays, too."""
    return tuple(t for t in y if isinstance(t, Tensor)) if isinstance(y, (tuple, list)) else y


def op(name: str, *args: Any, **options: Any) -> Case:
    """A call of an op: its arguments by position, then by name."""
    return Case(name, args, options)


def layer(name: str, build: Callable[[], Callable[..., Any]], *inputs: Spec, **note: Any) -> Case:
    """A call of the layer that build() gives. note: what is special about it, for its line in a report."""
    return Case(name, inputs, note, build)


# The table

UNARY = {
    "negative": normal, "exp": normal, "expm1": normal, "log": positive, "log1p": positive, "sqrt": positive,
    "abs": off_zero, "sign": off_zero, "sin": normal, "cos": normal, "tanh": normal, "sigmoid": normal,
    "softplus": normal, "relu": off_zero, "leaky_relu": off_zero, "elu": off_zero,
}  # fmt: skip

BINARY = {
    "add": (normal, normal), "subtract": (normal, normal), "multiply": (normal, normal), "divide": (normal, off_zero),
    "power": (positive, normal), "maximum": (distinct, between), "minimum": (distinct, between),
    "equal": (distinct, between), "not_equal": (distinct, between), "less": (distinct, between),
    "less_equal": (distinct, between), "greater": (distinct, between), "greater_equal": (distinct, between),
    "sigmoid_cross_entropy": (normal, lambda *shape: uniform(0.1, 0.9, *shape)),
}  # fmt: skip

BROADCASTS = [((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((), (2,)), ((), ()), ((0, 3), (3,))]

CASES: list[Case] = [
    *(op(name, kind(*shape)) for name, kind in UNARY.items() for shape in ((2, 3), (), (0, 3))),
    *(op(name, a(*left), b(*right)) for name, (a, b) in BINARY.items() for left, right in BROADCASTS),
    *(op(name, a(2, 3), 0.6) for name, (a, _) in BINARY.items()),
    *(op(name, 0.6, b(2, 3)) for name, (_, b) in BINARY.items() if name != "sigmoid_cross_entropy"),
    op("power", normal(2, 3), 3),
    op("power", normal(2, 3), 2.0),
    op("power", off_zero(2, 3), -1),
    op("power", normal(2, 3), 0),
    op("power", normal(2, 3), 1),
    op("leaky_relu", off_zero(2, 3), 0.0),
    op("leaky_relu", off_zero(2, 3), slope=1.0),
    *(op("_leaky_relu_grad", normal(*shape), off_zero(*shape), 0.2) for shape in ((2, 3), (), (0, 3))),
    op("_leaky_relu_grad", normal(2, 3), off_zero(2, 3), 0.0),
    op("elu", off_zero(2, 3), alpha=0.5),
    *(op("dropout", normal(*shape), mask(*shape), 2.5) for shape in ((2, 3), (), (0, 3))),
    *(
        op("_sigmoid_cross_entropy_grad", normal(*shape), normal(*shape), uniform(0.1, 0.9, *shape))
        for shape in ((2, 3), (), (0, 3))
    ),
    op("_sigmoid_cross_entropy_grad", normal(2, 3), normal(3), uniform(0.1, 0.9, 2, 1)),
    op("_sigmoid_cross_entropy_grad", normal(2, 3), normal(2, 3), 0.6),
    op("clip", distinct(3, 4), -1.2, 1.2),
    op("clip", distinct(3, 4), min=-1.2),
    op("clip", distinct(3, 4), None, 1.2),
    op("clip", distinct(), -1.2, 1.2),
    op("clip", distinct(0, 3), -1.2, 1.2),
    op("where", mask(2, 3), normal(2, 3), normal(2, 3)),
    op("where", mask(2, 3), normal(3), normal(2, 1)),
    op("where", mask(3), normal(2, 3), 0.5),
    op("where", mask(2, 3), 0.5, normal()),
    op("where", mask(0, 3), normal(0, 3), normal(3)),
    op("astype", normal(2, 3), "float64"),
    op("astype", normal(), "float64"),
    # products
    op("matmul", normal(2, 3), normal(3, 4)),
    op("matmul", normal(3), normal(3)),
    op("matmul", normal(3), normal(3, 4)),
    op("matmul", normal(2, 3), normal(3)),
    op("matmul", normal(2, 2, 3), normal(3, 4)),
    op("matmul", normal(2, 2, 3), normal(2, 3, 4)),
    op("matmul", normal(2, 3), normal(2, 3, 2)),
    op("matmul", normal(2, 1, 2, 3), normal(3, 3, 2)),
    op("matmul", normal(1, 2, 3), normal(2, 3, 2)),
    op("matmul", normal(3), normal(2, 3, 2)),
    op("matmul", normal(2, 2, 3), normal(3)),
    op("matmul", normal(0, 3), normal(3, 2)),
    op("matmul", normal(2, 0), normal(0, 3)),
    op("dense", normal(4, 3), normal(3, 2), normal(2)),
    op("dense", normal(2, 2, 3), normal(3, 1), normal(1)),
    op("dense", normal(3), normal(3, 2), normal(2)),
    op("dense", normal(0, 3), normal(3, 2), normal(2)),
    op("dense", normal(0, 2, 3), normal(3, 2), normal(2)),
    op("dense", normal(2, 0), normal(0, 3), normal(3)),
    op("einsum", "ij,jk->ik", normal(2, 3), normal(3, 4)),
    op("einsum", "bij,bkj->bik", normal(2, 2, 3), normal(2, 4, 3)),
    op("einsum", "ij, jk -> ki", normal(2, 3), normal(3, 4)),
    op("einsum", "i,j->ij", normal(2), normal(3)),
    op("einsum", "ij,ij->", normal(2, 3), normal(2, 3)),
    op("einsum", "ij,jkl->k", normal(2, 3), normal(3, 4, 2)),
    op("einsum", ",ij->ji", normal(), normal(2, 3)),
    op("einsum", "ij,jk->ik", normal(0, 3), normal(3, 2)),
    # along axes
    *(op(name, normal(2, 3, 4)) for name in ("sum", "mean", "var", "logsumexp")),
    *(op(name, normal(2, 3, 4), axis=(0, -1)) for name in ("sum", "mean", "var", "logsumexp")),
    *(op(name, normal(2, 3), axis=-1, keepdims=True) for name in ("sum", "mean", "var", "logsumexp")),
    *(op(name, normal(2, 3), axis=0) for name in ("sum", "mean", "var", "logsumexp")),
    *(op(name, normal()) for name in ("sum", "mean", "var", "logsumexp")),
    *(op(name, normal(0, 3), axis=1) for name in ("sum", "mean", "var", "logsumexp")),
    op("sum", normal(2, 3), axis=()),
    op("sum", normal(0, 3), axis=0),
    op("var", normal(2, 3), axis=1, ddof=1),
    op("var", normal(2, 3), axis=None, ddof=1, keepdims=True),
    *(op(name, distinct(2, 3, 4)) for name in ("max", "min", "argmax")),
    *(op(name, distinct(2, 3, 4), axis=-2) for name in ("max", "min", "argmax")),
    *(op(name, distinct(2, 3, 4), axis=(0, 2), keepdims=True) for name in ("max", "min")),
    *(op(name, distinct()) for name in ("max", "min", "argmax")),
    *(op(name, distinct(0, 3), axis=1) for name in ("max", "min", "argmax")),
    *(op(name, normal(2, 3)) for name in ("softmax", "log_softmax")),
    *(op(name, normal(2, 3, 2), axis=1) for name in ("softmax", "log_softmax")),
    *(op(name, normal(3), 0) for name in ("softmax", "log_softmax")),
    *(op(name, normal(2, 3, 2), axis=(0, -1)) for name in ("softmax", "log_softmax")),
    *(op(name, normal(2, 3), axis=None) for name in ("softmax", "log_softmax")),
    *(op(name, normal(0, 3)) for name in ("softmax", "log_softmax")),
    op("cumsum", normal(2, 3)),
    op("cumsum", normal(2, 3, 2), axis=1),
    op("cumsum", normal(2, 3), -1),
    op("cumsum", normal(0, 3), axis=0),
    # where the elements stand
    op("reshape", normal(2, 3), (3, -1)),
    op("reshape", normal(2, 3), 6),
    op("reshape", normal(), (1, 1)),
    op("reshape", normal(0, 3), (3, 0)),
    op("transpose", normal(2, 3, 4)),
    op("transpose", normal(2, 3, 4), (2, 0, 1)),
    op("transpose", normal(2, 3, 4), (-1, 0, -2)),
    op("swapaxes", normal(2, 3, 4), 0, -1),
    op("moveaxis", normal(2, 3, 4), 0, -1),
    op("moveaxis", normal(2, 3, 4), (0, 1), (-1, 0)),
    op("expand_dims", normal(2, 3), 1),
    op("expand_dims", normal(2, 3), (0, -1)),
    op("squeeze", normal(1, 2, 1)),
    op("squeeze", normal(1, 2, 1), -1),
    op("squeeze", normal(1, 2, 1), (0, 2)),
    op("broadcast_to", normal(3), (2, 3)),
    op("broadcast_to", normal(2, 1), (4, 2, 3)),
    op("broadcast_to", normal(), 3),
    op("broadcast_to", normal(1, 3), (0, 3)),
    op("flip", normal(2, 3)),
    op("flip", normal(2, 3), -1),
    op("flip", normal(2, 3, 2), (0, 2)),
    op("concatenate", [normal(2, 3), normal(1, 3)]),
    op("concatenate", (normal(2, 1), normal(2, 3), normal(2, 0)), axis=-1),
    op("concatenate", [normal(3)], 0),
    op("stack", [normal(2, 3), normal(2, 3)]),
    op("stack", (normal(3), normal(3), normal(3)), axis=-1),
    op("stack", [normal(), normal()]),
    op("stack", [normal(0, 3)], 1),
    op("split", normal(4, 3), 2),
    op("split", normal(2, 6), 3, axis=-1),
    op("split", normal(2, 5), [1, 1, 4], 1),
    op("split", normal(5), (2, 9)),
    op("split", normal(0, 3), 2),
    op("pad", normal(2, 3), 1),
    op("pad", normal(2, 3), (1, 2)),
    op("pad", normal(2, 3), ((1, 0), (0, 2)), constant_values=0.5),
    op("pad", normal(0, 3), ((1, 1), (0, 0)), "constant"),
    op("getitem", normal(3, 4), 1),
    op("getitem", normal(3, 4), (-1, 2)),
    op("getitem", normal(3, 4), slice(None, None, -2)),
    op("getitem", normal(3, 4), (slice(1, None), None, slice(None, 0, -1))),
    op("getitem", normal(2, 3, 4), (..., 1)),
    op("getitem", normal(2, 3, 4), (0, ..., None)),
    op("getitem", normal(), ()),
    op("getitem", normal(), None),
    op("getitem", normal(3, 4), slice(0, 0)),
    op("getitem", normal(3, 4), index(3, 5)),
    op("getitem", normal(3, 4), index(3, 2, 2)),
    op("getitem", normal(3, 4), (index(3, 6), index(4, 6))),
    op("getitem", normal(3, 4), (index(3, 2, 1), index(4, 3))),
    op("getitem", normal(2, 3, 4), (slice(None), index(3, 5), slice(1, 3))),
    op("getitem", normal(2, 3, 4), (1, slice(None), index(4, 5))),
    op("getitem", normal(3, 4), [0, -1, 0]),
    op("getitem", normal(3, 4), (slice(None), [1, 1, 3])),
    op("getitem", normal(3, 4), [True, False, True]),
    op("getitem", normal(3, 4), []),
    op("getitem", normal(3, 4), mask(3, 4)),
    op("getitem", normal(3, 4), mask(3)),
    op("getitem", normal(3, 4), (slice(None), mask(4))),
    op("getitem", normal(3, 4), index(3)),
    op("getitem", normal(3, 4), index(3, 0)),
    op("put", normal(5), (3,), ("array",), index(3, 5)),
    op("put", normal(2, 2), (2, 4), (slice(None), slice(1, 3))),
    op("take_along_axis", normal(2, 3), index(3, 2, 5), 1),
    op("take_along_axis", normal(3, 2), index(3, 4, 2), axis=0),
    op("take_along_axis", normal(2, 3), index(3, 2, 1), -1),
    op("take_along_axis", normal(2, 3), index(3, 1, 4), 1),
    op("take_along_axis", normal(1, 3), index(3, 2, 4), 1),
    # normalisation
    op("batch_norm", normal(6, 3), normal(3), normal(3)),
    op("batch_norm", normal(2, 2, 2, 3), normal(3), normal(3), eps=0.1),
    op("batch_norm", normal(5), normal(5), normal(5)),
    op("batch_norm_with_statistics", normal(6, 3), normal(3), normal(3)),
    # windows of images
    op("im2col", normal(2, 3, 4, 2), (2, 3)),
    op("im2col", normal(1, 4, 3, 1), 3, 2, ((0, 1), (2, 0))),
    op("im2col", normal(0, 3, 3, 2), 2, padding="same"),
    op("col2im", normal(2, 2, 2, 2, 3, 2), (3, 4)),
    op("col2im", normal(1, 2, 2, 3, 3, 1), (4, 3), (2, 2), ((0, 1), (2, 0))),
    op("col2im", normal(0, 3, 3, 2, 2, 2), (3, 3), padding="same"),
    op("textbook_conv2d", normal(2, 3, 4, 2), normal(2, 3, 2, 2)),
    op("textbook_conv2d", normal(1, 4, 3, 1), normal(3, 3, 1, 2), 2, "same"),
    op("conv2d", normal(2, 3, 4, 2), normal(2, 3, 2, 3)),
    op("conv2d", normal(1, 5, 4, 1), normal(3, 3, 1, 2), 2, "same"),
    op("conv2d", normal(1, 4, 5, 3), normal(2, 3, 3, 1), (1, 2), ((0, 1), (2, 0))),
    op("conv2d", normal(2, 2, 3, 2), normal(1, 1, 2, 2), 2),
    op("conv2d", normal(1, 2, 2, 1), normal(5, 4, 1, 2), padding="same"),
    op("conv2d", normal(1, 5, 5, 2), normal(2, 3, 1, 4), padding=1, dilation=(2, 1), groups=2),
    op("conv2d", normal(0, 3, 3, 2), normal(2, 2, 2, 3), 1, "valid"),
    op("conv_transpose2d", normal(2, 2, 2, 3), normal(2, 3, 2, 3)),
    op("conv_transpose2d", normal(1, 3, 2, 2), normal(3, 3, 1, 2), 2, "same"),
    op("conv_transpose2d", normal(1, 3, 2, 2), normal(4, 4, 1, 2), 2, "same", (-1, 0)),
    op("conv_transpose2d", normal(1, 2, 3, 1), normal(2, 3, 3, 1), (1, 2), ((0, 1), (2, 0)), (0, 1)),
    op("conv_transpose2d", normal(1, 2, 2, 4), normal(2, 3, 1, 4), padding=1, dilation=(2, 1), groups=2),
    op("conv_transpose2d", normal(0, 2, 2, 3), normal(2, 2, 2, 3), 2),
    op("conv2d_weight_grad", normal(2, 3, 4, 2), normal(2, 2, 2, 3), (2, 3)),
    op("conv2d_weight_grad", normal(1, 5, 4, 1), normal(1, 3, 2, 2), 3, 2, "same"),
    op("conv2d_weight_grad", normal(0, 3, 3, 2), normal(0, 2, 2, 3), 2),
    op("max_pool2d", distinct(2, 4, 5, 2), 2),
    op("max_pool2d", distinct(1, 3, 4, 1), (3, 2), 1, "same"),
    op("max_pool2d", distinct(1, 4, 3, 2), 3, (2, 1), ((1, 2), (0, 1))),
    op("max_pool2d", distinct(0, 4, 4, 2), 2),
    op("avg_pool2d", normal(2, 4, 5, 2), 2),
    op("avg_pool2d", normal(1, 3, 4, 1), (3, 2), 1, "same"),
    op("avg_pool2d", normal(1, 4, 3, 2), 3, stride=(2, 1), padding=1),
    op("avg_pool2d", normal(0, 4, 4, 2), 2),
    op("upsample_nearest", normal(2, 2, 3, 2), 2),
    op("upsample_nearest", normal(0, 2, 3, 1), (1, 3)),
    op("upsample_bilinear", normal(2, 2, 3, 2), 2),
    op("upsample_bilinear", normal(1, 3, 1, 1), (3, 2)),
    op("upsample_bilinear", normal(0, 2, 3, 1), 2),
    op("pixel_shuffle", normal(2, 2, 3, 8), 2),
    op("pixel_shuffle", normal(0, 2, 2, 9), 3),
    # layers
    layer("Dense", lambda: layers.Dense(3, 2), normal(4, 3)),
    layer("Dense", lambda: layers.Dense(3, 2, bias=False), normal(2, 2, 3), bias=False),
    layer("Embedding", lambda: layers.Embedding(4, 3), index(4, 2, 3)),
    layer("BatchNorm", lambda: layers.BatchNorm(3), normal(6, 3)),
    layer("BatchNorm", lambda: layers.BatchNorm(3), normal(2, 2, 2, 3)),
    layer("BatchNorm", lambda: layers.BatchNorm(3).eval(), normal(6, 3), training=False),
    layer("Conv", lambda: layers.Conv(2, 3, 3), normal(2, 4, 3, 2)),
    layer("Conv", lambda: layers.Conv(2, 2, (2, 3), 2, 1, False, groups=2), normal(1, 4, 4, 2), groups=2),
    layer("ConvTranspose", lambda: layers.ConvTranspose(2, 3, 3, 2), normal(1, 2, 3, 2)),
    layer("ConvTranspose", lambda: layers.ConvTranspose(1, 2, 4, 2, 1, 1, False), normal(1, 2, 2, 1), bias=False),
    layer("MaxPool", lambda: layers.MaxPool(2), distinct(2, 4, 4, 2)),
    layer("AvgPool", lambda: layers.AvgPool(3, 2, "same"), normal(1, 4, 5, 2)),
    layer("GlobalAvgPool", lambda: layers.GlobalAvgPool(), normal(2, 2, 3, 2)),
    layer("UpSampling", lambda: layers.UpSampling(2), normal(1, 2, 3, 2)),
    layer("UpSampling", lambda: layers.UpSampling((1, 3), "bilinear"), normal(1, 2, 3, 2), mode="bilinear"),
    layer("PixelShuffle", lambda: layers.PixelShuffle(2), normal(1, 2, 3, 4)),
    layer("InstanceNorm", lambda: layers.InstanceNorm(2), normal(2, 2, 3, 2)),
    layer("LayerNorm", lambda: layers.LayerNorm(5), normal(3, 5)),
    layer("SpectralNorm", lambda: layers.SpectralNorm(layers.Dense(3, 2)).eval(), normal(4, 3), training=False),
    layer("SpectralNorm", lambda: layers.SpectralNorm(layers.Conv(2, 3, 3)).eval(), normal(1, 4, 3, 2), training=False),
    layer("SpectralNorm", lambda: layers.SpectralNorm(layers.ConvTranspose(2, 3, 2)).eval(), normal(1, 2, 2, 2)),
    layer("Dropout", lambda: _same_draw(layers.Dropout(0.4)), normal(4, 5)),
    layer("Dropout", lambda: layers.Dropout(0.4).eval(), normal(2, 3), training=False),
    layer("LeakyReLU", lambda: layers.LeakyReLU(0.2), off_zero(2, 3)),
    layer("ReLU", lambda: layers.ReLU(), off_zero(2, 3)),
    layer("Tanh", lambda: layers.Tanh(), normal(2, 3)),
    layer("Sigmoid", lambda: layers.Sigmoid(), normal(2, 3)),
    layer("Softplus", lambda: layers.Softplus(), normal(2, 3)),
    layer("Flatten", lambda: layers.Flatten(), normal(2, 3, 2)),
    layer("Reshape", lambda: layers.Reshape((3, 2)), normal(2, 6)),
    layer("Sequential", lambda: _small_network(), normal(5, 2)),
]


def _same_draw(dropout: layers.Dropout) -> Callable[[Any], Any]:
    """The layer with the same random numbers in every call."""
    state = dropout.rng.state

    def call(x: Any) -> Any:
        dropout.rng.state = state
        return dropout(x)

    return call


def _small_network() -> layers.Module:
    return layers.Sequential(layers.Dense(2, 3), layers.BatchNorm(3), layers.Tanh(), layers.Dense(3, 1))


# The check of all


def missing() -> list[str]:
    """The primitives, public ops and layers that have no case."""
    primitives = [name for name, p in PRIMITIVES.items() if p.__module__.startswith("tinygen.")]
    public = [name for name, f in vars(ops).items() if callable(f) and not name.startswith("_")]
    modules = [name for name, m in vars(layers).items() if _is_layer(m)]
    tried = {case.name for case in CASES}
    return [n for n in dict.fromkeys(primitives + public + modules) if n not in tried and n.lstrip("_") not in tried]


def _is_layer(m: Any) -> bool:
    holders = layers.Module, layers.ModuleList, layers.ModuleDict  # they compute nothing themselves
    return isinstance(m, type) and issubclass(m, layers.Module) and m not in holders


def run(names: Sequence[str] = (), order: int = 2) -> bool:
    """gradcheck every case, or those of the ops and layers named, and print the worst errors; whether all are right.

    Raises ConfigError for a name that has no case.
    """
    cases: dict[str, list[Case]] = {}
    for case in CASES:
        cases.setdefault(case.name, []).append(case)
    for name in names:
        if name not in cases:
            raise ConfigError(f"gradcheck: there is no {name!r}{nearest(name, cases)}; without names it checks all")
    print(f"{'':<28}{'cases':>5}", *(f"{f'order {n}':>9}" for n in range(1, order + 1)))
    right = [_check_all(name, cases[name], order) for name in names or cases]
    without = [] if names else missing()
    for name in without:
        print(f"{name:<28}{0:>5}  NO CASE: add one to CASES in tinygen/selfcheck.py")
    wrong = right.count(False) + len(without)
    print(f"{len(right) - right.count(False)} right, {wrong} wrong")
    return not wrong


def _check_all(name: str, cases: list[Case], order: int) -> bool:
    """Check the cases of one op or layer and print its line, and what is wrong below it; whether nothing is."""
    found: list[Comparison] = []
    faults: list[str] = []
    for case in cases:
        try:
            found += case.check(order).worst.values()
        except Exception as error:  # whatever it is, the table goes on
            found += [error.worst] if isinstance(error, GradcheckError) and error.worst else []
            faults.append(f"{case}: {type(error).__name__}: {error}")
    errors = [max((c.error for c in found if c.order == n), default=None) for n in range(1, order + 1)]
    shown = ["        -" if e is None else f"{e:>9.1e}" for e in errors]
    print(f"{name:<28}{len(cases):>5}", *shown, "WRONG" if faults else "ok")
    for fault in faults:
        print(textwrap.indent(fault, "    "))
    return not faults
