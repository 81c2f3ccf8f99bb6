"""Random graphs of ops against PyTorch: every value, and the first to third derivatives.

PyTorch computes in float64, whatever the dtype of the graph. What may differ is what the dtype's rounding of each value
and each gradient brings about; how much that is, PyTorch tells, by the same graph with a little noise on each of them.
"""

from __future__ import annotations

import functools
import importlib.util
import sys

import numpy as np
import pytest
from campaigns.drawing import DRAWN, draw
from campaigns.graphs import Graph, Leaf, Ref, Step
from campaigns.play import ORDERS, Played, derivatives, played
from ops.table import TWINS
from ops.twins import axes, im2col, two

from tinygen import ops
from tinygen.selfcheck import CASES

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

ROUNDINGS = 50  # how many of the largest rounding errors may meet
NOISE = 1e-8
KERNELS = ["numpy", *(["numba"] if importlib.util.find_spec("numba") else [])]


def batch_norm(x, gamma, beta, eps=1e-5):
    """By its formula: the third derivative of PyTorch's own is wrong."""
    axes = tuple(range(x.ndim - 1))
    centred = x - x.mean(axes)
    return gamma * centred / torch.sqrt((centred**2).mean(axes) + eps) + beta


def conv2d(x, w, stride=1, padding=0, dilation=1, groups=1):
    """By windows: where the strides are odd, the double backward of PyTorch's own raises."""
    spread = [torch.eye((k - 1) * d + 1, dtype=w.dtype)[::d] for k, d in zip(w.shape, two(dilation), strict=False)]
    w = torch.einsum("ka,lb,klco->abco", *spread, w)
    cols = im2col(x, w.shape[:2], stride, padding)
    parts = zip(cols.chunk(groups, -1), w.chunk(groups, -1), strict=True)
    return torch.cat([torch.einsum("nijklc,klco->nijo", c, part) for c, part in parts], -1)


def conv_transpose2d(x, w, *args, dilation=1, groups=1):
    """The adjoint of conv2d, which is linear in its images."""
    shape = TWINS["conv_transpose2d"](x.detach(), w.detach(), *args, dilation=dilation, groups=groups).shape
    z = torch.zeros(shape, dtype=x.dtype, requires_grad=True)
    stride, padding = args
    return torch.autograd.grad(conv2d(z, w, stride, padding, dilation, groups), z, x, create_graph=True)[0]


def conv2d_weight_grad(x, gy, kernel_size, stride, padding):
    w = torch.zeros(*two(kernel_size), x.shape[3], gy.shape[3], dtype=x.dtype, requires_grad=True)
    return torch.autograd.grad(conv2d(x, w, stride, padding), w, gy, create_graph=True)[0]


def of_row(conv):
    """A convolution of sequences as that of images one row high."""

    def call(x, w, stride, padding, **options):
        padding = padding if isinstance(padding, str) else ((0, 0), two(padding))
        options["dilation"] = (1, options["dilation"])
        return conv(x[:, None], w[None], (1, stride), padding, **options)[:, 0]

    return call


def grid_sample(x, grid, mode, padding_mode, align_corners):
    """All pixels, each times its share: PyTorch's own has no second derivative."""

    def shares(g, n):
        place = (g + 1) / 2 * (n - 1) if align_corners else ((g + 1) * n - 1) / 2
        place = place.clamp(0, n - 1) if padding_mode == "border" else place
        distance = (place[..., None] - torch.arange(n)).abs()
        return (1 - distance).clamp(min=0) if mode == "bilinear" else (distance < 0.5).to(x.dtype)

    return torch.einsum("nhwi,nhwj,nijc->nhwc", shares(grid[..., 1], x.shape[1]), shares(grid[..., 0], x.shape[2]), x)


def prod(x, axis, keepdims=False):
    """Factor by factor: PyTorch divides, and the rounding of that grows from derivative to derivative."""
    dims = {a % x.ndim for a in axes(axis, x)}
    for a in dims:
        x = functools.reduce(torch.mul, x.split(1, a))
    return x if keepdims else x.reshape([n for i, n in enumerate(x.shape) if i not in dims])


TRUTH = {
    **TWINS,
    **{f.__name__: f for f in (batch_norm, conv2d, conv_transpose2d, conv2d_weight_grad, grid_sample, prod)},
    "textbook_conv2d": conv2d,
    "conv1d": of_row(conv2d),
    "conv_transpose1d": of_row(conv_transpose2d),
    "astype": lambda x, dtype: x,
}


@pytest.fixture(params=KERNELS)
def kernels(request, monkeypatch):
    """NumPy alone, and Numba's loops if they are installed."""
    compiled = sys.modules["tinygen.kernels.compiled"].compiled
    if request.param == "numpy":
        monkeypatch.setenv("TINYGEN_NUMBA", "0")
    compiled.cache_clear()
    yield request.param
    monkeypatch.undo()
    compiled.cache_clear()


def truth(graph, ends, noise=0.0):
    """What PyTorch makes of a graph in float64, with noise on every value and gradient, in proportion to each."""
    rng = torch.Generator().manual_seed(graph.seed)

    def shaken(v):
        return v if v is None else v * (1 + noise * torch.randn(v.shape, generator=rng, dtype=v.dtype))

    def make(leaf):
        x = torch.from_numpy(leaf.array)
        return x if leaf.role == "index" else x.double().requires_grad_(leaf.role == "x")

    def call(step, args):
        y = TRUTH[step.op](*args, **step.options)
        y = y if step.part is None else y[step.part]
        if noise and y.is_floating_point():
            y = shaken(y)
            if y.requires_grad:
                y.register_hook(shaken)
        return y

    values = graph.play(make, call)
    along = lambda a, like: torch.tensor(a, dtype=like.dtype)
    grad = lambda y, xs, create: torch.autograd.grad(y, xs, create_graph=create, retain_graph=True)
    first, *more = derivatives(graph, values, ends, along, grad)
    return Played(values, [first, first, *more], ends)


def mismatches(graph):
    """What differs by more than rounding."""
    found = played(graph)
    right, shaken = (truth(graph, found.ends, noise) for noise in (0, NOISE))
    floats = [np.finfo(v.dtype) for v in found.values if v.dtype.kind == "f"]
    eps, tiny = max(f.eps for f in floats), max(f.smallest_subnormal for f in floats)
    faults, largest = [], 0.0

    def compare(name, *three):
        nonlocal largest
        a, b, c = (np.asarray(v.detach().numpy(), np.float64) for v in three)
        largest = max(largest, np.abs(b).max(initial=0))
        rounding = ROUNDINGS * (eps * (largest + np.abs(c - b).max(initial=0) / NOISE) + tiny)
        if a.shape != b.shape:
            faults.append(f"{name} is {a.shape}, but must be {b.shape}")
        elif not np.abs(a - b).max(initial=0) <= rounding:
            faults.append(f"{name} is {a}, but must be {b} within {rounding:.1e}")

    for i, three in enumerate(zip(found.values, right.values, shaken.values, strict=True)):
        largest = 0.0
        compare(f"v{i}", *three)
    xs = graph.refs("x")
    for name, *three in zip(ORDERS, found.derivatives, right.derivatives, shaken.derivatives, strict=True):
        if graph.dtype == "float16" and max(v.detach().abs().sum() for v in three[1]) > 1e4:
            break  # float16 ends at 65,504
        for x, *each in zip(xs, *three, strict=True):
            compare(f"the {name} by {x}", *each)
            if each[0].dtype != found.values[x.number].dtype:
                faults.append(f"the {name} by {x} has the dtype {each[0].dtype}")
    return faults


def account(graph):
    """The shortest beginning of the graph that differs, and how."""
    parts = (graph.before(n) for n in range(1, len(graph.nodes) + 1))
    part, faults = next((part, faults) for part in parts if part.refs("x") and (faults := mismatches(part)))
    return f"{part}\n  " + "\n  ".join(faults)


def test_every_op_is_drawn_and_has_a_twin():
    """Those that are private come into graphs as derivatives of others."""
    public = {c.name for c in CASES if c.build is None and hasattr(ops, c.name) and not c.name.startswith("_")}
    assert public - {"batch_norm_with_statistics"} == {op.name for op in DRAWN} <= TRUTH.keys()


def test_values_and_derivatives(kernels, campaign):
    """The quick form gives every op its turn."""
    seeds = range(2000 if campaign else len(DRAWN))
    wrong = [graph for graph in map(draw, seeds) if mismatches(graph)]
    assert not wrong, f"{len(wrong)} of {len(seeds)} graphs:\n\n" + "\n\n".join(map(account, wrong[:5]))


@pytest.mark.parametrize(("order", "name"), [(0, "v1"), (1, ORDERS[0]), (2, ORDERS[2]), (3, ORDERS[3])])
def test_what_is_hardly_wrong_is_noticed(order, name, monkeypatch):
    """From the order at which one part in 10¹² is missing."""
    graph = Graph(0, "float64", [Leaf(np.array([0.3, -1.2]), "x"), Step("tanh", (Ref(0),), {})])
    assert not mismatches(graph)
    monkeypatch.setitem(TRUTH, "tanh", lambda x: torch.tanh(x) + 1e-12 * (x - x.detach()) ** order)
    assert name in mismatches(graph)[0]
