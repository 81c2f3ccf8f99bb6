"""Each op that PyTorch has: values and first-order gradients in float64 agree to 1e-12."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import tinygen as tg
from tinygen.selfcheck import CASES
from tinygen.tensor import Tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.oracle


def axes(axis, x):
    return tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def along(f):
    """A reduction of PyTorch, with NumPy's axis and keepdims."""
    return lambda x, axis=None, keepdims=False: f(x, dim=axes(axis, x), keepdim=keepdims)


def var(x, axis=None, ddof=0, keepdims=False):
    return torch.var(x, dim=axes(axis, x), correction=ddof, keepdim=keepdims)


def over_all(f):
    """softmax or log_softmax along one axis; along several of them together."""

    def call(x, axis=-1):
        if isinstance(axis, int):
            return f(x, axis)
        dims = axes(axis, x)
        last = torch.movedim(x, dims, tuple(range(-len(dims), 0)))
        y = f(last.flatten(-len(dims)), -1).reshape(last.shape)
        return torch.movedim(y, tuple(range(-len(dims), 0)), dims)

    return call


def clip(x, min=None, max=None):
    return torch.clamp(x, min, max)


def pad(x, width, mode="constant", constant_values=0.0):
    pairs = np.broadcast_to(width, (x.ndim, 2))
    return F.pad(x, pairs[::-1].ravel().tolist(), mode, constant_values)


def split(x, where, axis=0):
    return torch.tensor_split(x, where if isinstance(where, int) else list(where), axis)


def cumsum(x, axis=None):
    return torch.cumsum(x.ravel() if axis is None else x, 0 if axis is None else axis)


def squeeze(x, axis=None):
    return torch.squeeze(x) if axis is None else torch.squeeze(x, axis)


def expand_dims(x, axis):
    for a in sorted(a % (x.ndim + len(axes(axis, x))) for a in axes(axis, x)):
        x = torch.unsqueeze(x, a)
    return x


def take_along_axis(x, indices, axis):
    shape = list(torch.broadcast_shapes(*[(*s.shape[:axis], 1, *s.shape[axis:][1:]) for s in (x, indices)]))
    n, m = x.shape[axis], indices.shape[axis]
    return torch.gather(
        x.expand(*shape[:axis], n, *shape[axis:][1:]), axis, indices.expand(*shape[:axis], m, *shape[axis:][1:])
    )


def batch_norm(x, gamma, beta, eps=1e-5):
    return F.batch_norm(x.reshape(-1, x.shape[-1]), None, None, gamma, beta, True, 0.0, eps).reshape(x.shape)


TORCH = {
    "leaky_relu": lambda x, slope=0.2: F.leaky_relu(x, slope),
    "elu": lambda x, alpha=1.0: F.elu(x, alpha),
    "relu": torch.relu,
    "softplus": lambda x: F.softplus(x, threshold=1000),
    "sigmoid_cross_entropy": lambda x, t: F.binary_cross_entropy_with_logits(
        *torch.broadcast_tensors(x, torch.as_tensor(t, dtype=x.dtype)), reduction="none"
    ),
    "_leaky_relu_grad": lambda gy, y, slope: torch.where(y > 0, gy, slope * gy),
    "_sigmoid_cross_entropy_grad": lambda gy, x, t: gy * (torch.sigmoid(x) - t),
    "dropout": lambda x, kept, scale: torch.where(kept, scale * x, torch.zeros_like(x)),
    "dense": lambda x, w, b: F.linear(x, w.T, b),
    "power": torch.pow,
    "negative": torch.neg,
    "clip": clip,
    "einsum": torch.einsum,
    "sum": along(torch.sum),
    "mean": along(torch.mean),
    "max": along(torch.amax),
    "min": along(torch.amin),
    "logsumexp": along(torch.logsumexp),
    "var": var,
    "softmax": over_all(torch.softmax),
    "log_softmax": over_all(torch.log_softmax),
    "cumsum": cumsum,
    "transpose": lambda x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1]),
    "swapaxes": torch.swapaxes,
    "moveaxis": torch.moveaxis,
    "reshape": lambda x, shape: torch.reshape(x, axes(shape, x)),
    "expand_dims": expand_dims,
    "squeeze": squeeze,
    "broadcast_to": lambda x, shape: torch.broadcast_to(x, axes(shape, x)),
    "flip": lambda x, axis=None: torch.flip(x, axes(axis, x)),
    "concatenate": torch.cat,
    "stack": torch.stack,
    "split": split,
    "pad": pad,
    "getitem": operator.getitem,
    "take_along_axis": take_along_axis,
    "batch_norm": batch_norm,
}
SAME_NAME = (
    "add subtract multiply divide exp expm1 log log1p sqrt abs sin cos tanh sigmoid maximum minimum where matmul"
)
TORCH |= {name: getattr(torch, name) for name in SAME_NAME.split()}
NOT_IN_TORCH = {"astype", "_put", "batch_norm_with_statistics"}
IN_TEST_CONV_ORACLE = {"im2col", "col2im", "textbook_conv2d", "conv2d", "conv_transpose2d", "conv2d_weight_grad"}
IN_TEST_CONV_ORACLE |= {"max_pool2d", "avg_pool2d", "upsample_nearest", "upsample_bilinear", "pixel_shuffle"}
DIFFERENT = {
    "getitem (3,4) slice(None,None,-2)": "PyTorch has no negative steps",
    "getitem (3,4) (slice(1,None,None),None,slice(None,0,-1))": "PyTorch has no negative steps",
    "getitem (2,3,4) (1,slice(None,None,None),index(5,))": "an integer is no index array there",
    "sum (2,3) axis=()": "no axes are all axes there",
    "var (0,3) axis=1": "PyTorch warns",
    "batch_norm (5,) (5,) (5,)": "PyTorch refuses a batch of one",
}
WITHOUT_GRADIENT = {"sign", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "argmax"}


WANTED = [case for case in CASES if case.name in TORCH and repr(case) not in DIFFERENT]


def test_every_op_is_compared_or_has_a_reason_not_to_be():
    assert {c.name for c in CASES if c.build is None} == {
        *TORCH,
        *NOT_IN_TORCH,
        *IN_TEST_CONV_ORACLE,
        *WITHOUT_GRADIENT,
    }
    assert DIFFERENT.keys() <= {repr(c) for c in CASES}


def scalars_as_tensors(name, args):
    """PyTorch's maximum, minimum and where take no Python number beside a float64 tensor."""
    if name not in ("maximum", "minimum", "where", "add", "subtract", "multiply", "divide"):
        return args
    return [torch.tensor(a, dtype=torch.float64) if isinstance(a, float) else a for a in args]


@pytest.mark.parametrize("case", WANTED, ids=repr)
def test_values_and_gradients(case):
    arrays = case.arrays()
    ours = [Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]
    theirs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = case.function()(*ours)
    options = {
        "dim" if case.name in ("concatenate", "stack") and k == "axis" else k: v for k, v in case.options.items()
    }
    expected = TORCH[case.name](*scalars_as_tensors(case.name, case.arguments(theirs)), **options)
    ys, expected = (list(v) if isinstance(v, (list, tuple)) else [v] for v in (y, expected))
    gys = [np.random.default_rng(1).standard_normal(y.shape) for y in ys]
    xs = [x for x in ours if isinstance(x, Tensor)]
    total = [tg.grad(y, xs, gy, retain_graph=True) for y, gy in zip(ys, gys, strict=True)]
    gs = torch.autograd.grad(
        expected, [x for x in theirs if x.requires_grad], [torch.tensor(gy) for gy in gys], allow_unused=True
    )
    for found, right in zip(ys, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), right.detach().numpy(), rtol=1e-12, atol=1e-13)
    for i, (x, right) in enumerate(zip(xs, gs, strict=True)):
        g = np.sum([each[i].numpy() for each in total], axis=0)
        right = np.zeros(x.shape) if right is None else right.numpy()
        np.testing.assert_allclose(g, right, rtol=1e-12, atol=1e-13)
