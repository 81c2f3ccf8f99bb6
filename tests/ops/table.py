"""What the tests know of each op, beside its cases of tinygen/selfcheck/table.py: one entry."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from campaigns import draws
from campaigns import image_draws as images
from campaigns.graphs import Draw
from ops import oracles, twins
from ops.twins import F, torch
from scipy import special


@dataclass
class Op:
    """An op as its tests see it.

    draw    draw(d, name) adds a call to a random graph; None if graphs have it only as a derivative of others
    kept    y and the arguments that the tape keeps whole when all of them require grad; None without a gradient
    oracle  NumPy's result of the same arguments; if left out, its function of the same name
    twin    PyTorch's function, or its name there; if left out, the same name; None if PyTorch has none
    """

    name: str
    draw: Callable[[Draw, str], Any] | None
    kept: str | None
    oracle: Callable[..., Any] | None = None
    twin: Callable[..., Any] | str | None = ""

    def __post_init__(self) -> None:
        if self.oracle is None:
            self.oracle = getattr(np, self.name)
        if isinstance(self.twin, str):
            self.twin = twins.named(self.twin or self.name)


TABLE = [
    Op("exp", draws.unary, kept="y"),
    Op("expm1", draws.unary, kept="y"),
    Op("sin", draws.unary, kept="x"),
    Op("cos", draws.unary, kept="x"),
    Op("tanh", draws.unary, kept="y"),
    Op("sigmoid", draws.unary, kept="yx", oracle=special.expit),
    Op(
        "softplus",
        draws.unary,
        kept="x",
        oracle=lambda x: -special.log_expit(-x),
        twin=lambda x: F.softplus(x, threshold=1000),
    ),
    Op("log", draws.of_positive, kept="x"),
    Op("log1p", draws.of_positive, kept="x"),
    Op("sqrt", draws.of_positive, kept="y"),
    Op("abs", draws.kinked, kept="x"),
    Op("sign", draws.kinked, kept=None),
    Op("floor", draws.stepped, kept=None),
    Op("ceil", draws.stepped, kept=None),
    Op("round", draws.stepped, kept=None),
    Op("relu", draws.kinked, kept="y", oracle=lambda x: np.where(x > 0, x, 0)),
    Op(
        "leaky_relu",
        partial(draws.kinked, option=(0, 1)),
        kept="y",
        oracle=lambda x, slope=0.2: np.where(x > 0, x, slope * x),
        twin=lambda x, slope=0.2: F.leaky_relu(x, slope),
    ),
    Op(
        "elu",
        partial(draws.kinked, option=(0, 2)),
        kept="x",
        oracle=lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x)),
        twin=lambda x, alpha=1.0: F.elu(x, alpha),
    ),
    Op("silu", draws.unary, kept="x", oracle=lambda x: x * special.expit(x), twin=lambda x: F.silu(x)),
    Op("gelu", draws.unary, kept="x", oracle=oracles.gelu, twin=twins.gelu),
    Op("erf", draws.unary, kept="x", oracle=special.erf),
    Op("erfc", draws.unary, kept="x", oracle=special.erfc),
    Op("prelu", draws.prelu, kept="xslope", oracle=lambda x, slope: np.where(x > 0, x, slope * x), twin=twins.prelu),
    Op("add", draws.binary, kept="", twin=twins.with_numbers("add")),
    Op("subtract", draws.binary, kept="", twin=twins.with_numbers("subtract")),
    Op("multiply", draws.binary, kept="ab", twin=twins.with_numbers("multiply")),
    Op("negative", lambda d, name: d.call(name, d.pick()), kept="", twin="neg"),
    Op("divide", draws.divide, kept="yb", twin=twins.with_numbers("divide")),
    Op("floor_divide", draws.remainder, kept=None, twin=lambda a, b: torch.div(a, b, rounding_mode="floor")),
    Op("remainder", draws.remainder, kept="ab", twin=twins.with_numbers("remainder")),
    Op("power", draws.power, kept="yxp", twin="pow"),
    Op(
        "clip",
        draws.clip,
        kept="yx",
        oracle=lambda x, min=-np.inf, max=np.inf: np.clip(x, -np.inf if min is None else min, max).astype(x.dtype),
        twin=twins.clip,
    ),
    Op("where", draws.where, kept="", twin=twins.with_numbers("where")),
    Op(
        "dropout",
        draws.dropout,
        kept="",
        oracle=lambda x, kept, scale: np.where(kept, scale * x, 0),
        twin=lambda x, kept, scale: torch.where(kept, scale * x, torch.zeros_like(x)),
    ),
    Op("astype", draws.astype, kept="", oracle=lambda x, dtype: x.astype(dtype), twin=None),
    Op(
        "sigmoid_cross_entropy",
        draws.cross_entropy,
        kept="xt",
        oracle=lambda x, t: -t * special.log_expit(x) - (1 - t) * special.log_expit(-x),
        twin=lambda x, t: F.binary_cross_entropy_with_logits(
            *torch.broadcast_tensors(x, torch.as_tensor(t, dtype=x.dtype)), reduction="none"
        ),
    ),
    Op("maximum", draws.choice, kept="ab", twin=twins.with_numbers("maximum")),
    Op("minimum", draws.choice, kept="ab", twin=twins.with_numbers("minimum")),
    Op("equal", draws.comparison, kept=None, twin=twins.with_numbers("eq")),
    Op("not_equal", draws.comparison, kept=None, twin=twins.with_numbers("ne")),
    Op("less", draws.comparison, kept=None, twin=twins.with_numbers("less")),
    Op("less_equal", draws.comparison, kept=None, twin=twins.with_numbers("less_equal")),
    Op("greater", draws.comparison, kept=None, twin=twins.with_numbers("greater")),
    Op("greater_equal", draws.comparison, kept=None, twin=twins.with_numbers("greater_equal")),
    Op("logical_and", draws.comparison, kept=None, twin=twins.with_numbers("logical_and")),
    Op("logical_or", draws.comparison, kept=None, twin=twins.with_numbers("logical_or")),
    Op("logical_not", draws.kinked, kept=None),
    Op("sum", draws.reduction, kept="", twin=twins.along("sum")),
    Op("mean", partial(draws.reduction, least=1), kept="", twin=twins.along("mean")),
    Op("var", partial(draws.reduction, least=2, ddof=1), kept="x", twin=twins.spreads("var")),
    Op("std", draws.std, kept="", twin=twins.spreads("std")),
    Op("prod", partial(draws.reduction, least=1), kept="", twin=twins.prod),
    Op("norm", draws.norm, kept="", oracle=np.linalg.norm, twin=twins.norm),
    Op("max", partial(draws.reduction, least=1), kept="yx", twin=twins.along("amax")),
    Op("min", partial(draws.reduction, least=1), kept="yx", twin=twins.along("amin")),
    Op(
        "logsumexp",
        partial(draws.reduction, least=1),
        kept="x",
        oracle=special.logsumexp,
        twin=twins.along("logsumexp"),
    ),
    Op("argmax", draws.argmax, kept=None),
    Op("argmin", draws.argmax, kept=None),
    Op("sort", draws.sort, kept="", oracle=oracles.sort, twin=lambda *args, **options: twins.sort(*args, **options)[0]),
    Op("argsort", draws.argsort, kept=None, oracle=oracles.argsort),
    Op("cumsum", draws.cumsum, kept="", twin=twins.cumsum),
    Op(
        "softmax",
        draws.over,
        kept="y",
        oracle=lambda x, axis=-1: special.softmax(x, axis),
        twin=twins.over_all("softmax"),
    ),
    Op(
        "log_softmax",
        draws.over,
        kept="y",
        oracle=lambda x, axis=-1: special.log_softmax(x, axis),
        twin=twins.over_all("log_softmax"),
    ),
    Op(
        "gumbel_softmax",
        draws.gumbel_softmax,
        kept="y",
        oracle=lambda x, noise, tau=1.0: special.softmax((x + noise) / tau, -1),
        twin=lambda x, noise, tau=1.0: F.softmax((x + noise) / tau, -1),
    ),
    Op(
        "scaled_dot_product_attention",
        draws.attention,
        kept="ab",
        oracle=oracles.attention,
        twin=twins.attention,
    ),
    Op("matmul", draws.matmul, kept="ab"),
    Op("dense", draws.dense, kept="xw", oracle=lambda x, w, b: x @ w + b, twin=lambda x, w, b: F.linear(x, w.T, b)),
    Op("tril", draws.triangle, kept=""),
    Op("triu", draws.triangle, kept=""),
    Op("einsum", draws.einsum, kept="ab"),
    Op("reshape", draws.reshape, kept="", twin=lambda x, shape: torch.reshape(x, twins.axes(shape, x))),
    Op("transpose", draws.transpose, kept="", twin=lambda x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1])),
    Op("swapaxes", draws.swapaxes, kept=""),
    Op("moveaxis", draws.moveaxis, kept=""),
    Op("expand_dims", draws.expand_dims, kept="", twin=twins.expand_dims),
    Op("squeeze", draws.squeeze, kept="", twin=twins.squeeze),
    Op("broadcast_to", draws.broadcast_to, kept="", twin=lambda x, shape: torch.broadcast_to(x, twins.axes(shape, x))),
    Op("flip", draws.flip, kept="", twin=lambda x, axis=None: torch.flip(x, twins.axes(axis, x))),
    Op("tile", draws.tile, kept="", twin=twins.tile),
    Op("repeat", draws.repeat, kept="", twin=twins.repeat),
    Op("concatenate", draws.joined, kept="", twin="cat"),
    Op("stack", draws.joined, kept=""),
    Op("split", draws.split, kept="", twin=twins.split),
    Op("pad", draws.pad, kept="", twin=twins.pad),
    Op("getitem", draws.getitem, kept="", oracle=operator.getitem, twin=twins.getitem),
    Op("take_along_axis", draws.take_along_axis, kept="", twin=twins.take_along_axis),
    Op("scatter_add", draws.scatter_add, kept="", oracle=oracles.scatter_add, twin=twins.scatter_add),
    Op("batch_norm", draws.batch_norm, kept="xgamma", oracle=oracles.batch_norm, twin=twins.batch_norm),
    Op("im2col", images.im2col, kept="", oracle=oracles.im2col, twin=twins.im2col),
    Op("col2im", images.col2im, kept="", oracle=oracles.col2im, twin=twins.col2im),
    Op("conv2d", images.conv2d, kept="xw", oracle=oracles.conv2d, twin=twins.conv2d),
    Op("textbook_conv2d", images.textbook_conv2d, kept="", oracle=oracles.conv2d, twin=twins.conv2d),
    Op(
        "conv_transpose2d",
        images.conv_transpose2d,
        kept="gyw",
        oracle=oracles.conv_transpose2d,
        twin=twins.conv_transpose2d,
    ),
    Op(
        "conv2d_weight_grad",
        images.conv2d_weight_grad,
        kept="xgy",
        oracle=oracles.conv2d_weight_grad,
        twin=twins.conv2d_weight_grad,
    ),
    Op("max_pool2d", images.pool, kept="yx", oracle=oracles.max_pool2d, twin=twins.max_pool2d),
    Op("avg_pool2d", images.pool, kept="", oracle=oracles.avg_pool2d, twin=twins.avg_pool2d),
    Op("conv1d", images.conv1d, kept="", oracle=oracles.conv1d, twin=twins.conv1d),
    Op(
        "conv_transpose1d",
        images.conv_transpose1d,
        kept="",
        oracle=oracles.conv_transpose1d,
        twin=twins.conv_transpose1d,
    ),
    Op("max_pool1d", images.pool1d, kept="", oracle=oracles.max_pool1d, twin=twins.max_pool1d),
    Op("avg_pool1d", images.pool1d, kept="", oracle=oracles.avg_pool1d, twin=twins.avg_pool1d),
    Op(
        "upsample_nearest",
        images.larger,
        kept="",
        oracle=lambda x, scale: np.kron(x, np.ones((1, *np.broadcast_to(scale, 2), 1), x.dtype)),
        twin=twins.upsample("nearest"),
    ),
    Op(
        "upsample_bilinear",
        images.larger,
        kept="",
        oracle=oracles.upsample_bilinear,
        twin=twins.upsample("bilinear", align_corners=False),
    ),
    Op("resize", images.resize, kept="", oracle=oracles.resize, twin=twins.resize),
    Op("grid_sample", images.grid_sample, kept="", oracle=oracles.grid_sample, twin=twins.grid_sample),
    Op(
        "pixel_unshuffle",
        images.pixel_unshuffle,
        kept="",
        oracle=oracles.pixel_unshuffle,
        twin=lambda x, r: twins.nhwc(F.pixel_unshuffle(twins.nchw(x), r)),
    ),
    Op(
        "pixel_shuffle",
        images.pixel_shuffle,
        kept="",
        oracle=oracles.pixel_shuffle,
        twin=lambda x, r: twins.nhwc(F.pixel_shuffle(twins.nchw(x), r)),
    ),
    Op("blur", images.blur, kept="", oracle=oracles.blur, twin=twins.blur),
    Op("modulated_conv2d", images.modulated, kept="ab", oracle=oracles.modulated_conv2d, twin=twins.modulated_conv2d),
    Op(
        "modulated_conv_transpose2d",
        images.modulated,
        kept="ab",
        oracle=oracles.modulated_conv_transpose2d,
        twin=twins.modulated_conv_transpose2d,
    ),
    # not drawn: derivatives of others, and batch_norm with more results
    Op("_blur", None, kept="", oracle=oracles.blur, twin=twins.blur),
    Op("put", None, kept="", oracle=oracles.put, twin=None),
    Op(
        "_leaky_relu_grad",
        None,
        kept="y",
        oracle=lambda gy, y, slope: np.where(y > 0, gy, slope * gy),
        twin=lambda gy, y, slope: torch.where(y > 0, gy, slope * gy),
    ),
    Op(
        "_sigmoid_cross_entropy_grad",
        None,
        kept="gyxt",
        oracle=lambda gy, x, t: gy * (special.expit(x) - t),
        twin=lambda gy, x, t: gy * (torch.sigmoid(x) - t),
    ),
    Op(
        "batch_norm_with_statistics",
        None,
        kept="xgamma",
        oracle=lambda x, gamma, beta: (oracles.batch_norm(x, gamma, beta), x.mean(0), x.var(0)),
        twin=None,
    ),
]
OPS = {op.name: op for op in TABLE}
TWINS = {op.name: op.twin for op in TABLE if op.twin}
