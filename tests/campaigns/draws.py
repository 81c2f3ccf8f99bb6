"""How each op gets into a random graph: ENTRIES has a line for each, which draws a call that fits the values so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from campaigns.graphs import Draw, Graph, Ref, Unfit, broadcasts
from campaigns.image_draws import IMAGES


def unary(name: str) -> Callable[[Draw], Any]:
    return lambda d: d.call(name, d.operand())


def of_positive(name: str) -> Callable[[Draw], Any]:
    return lambda d: d.call(name, d.positive(d.operand()))


def kinked(name: str, *options: Any) -> Callable[[Draw], Any]:
    return lambda d: d.call(name, d.off_zero(d.operand()), *(o(d) for o in options if d.chance(0.7)))


def binary(name: str) -> Callable[[Draw], Any]:
    def draw(d: Draw) -> None:
        a = d.pick()
        b = d.number(-2, 2) if d.chance(0.15) else d.broadcasting(a)
        d.call(name, *((a, b) if d.chance(0.5) else (b, a)))

    return draw


def choice(name: str) -> Callable[[Draw], Any]:
    """maximum, minimum and the comparisons."""

    def draw(d: Draw) -> Ref:
        a = d.pick()
        b = d.gap(d[a]) if d.chance(0.2) else d.apart(a, d.broadcasting(a))
        return d.call(name, *((a, b) if d.chance(0.5) else (b, a)))

    return draw


def comparison(name: str) -> Callable[[Draw], Any]:
    def draw(d: Draw) -> None:
        condition = choice(name)(d)
        d.call("where", condition, d.broadcasting(condition), d.number(-1, 1))

    return draw


def reduction(name: str, least: int = 0, **options: Any) -> Callable[[Draw], Any]:
    """least: how many elements each result must be made of."""

    def draw(d: Draw) -> None:
        x = d.operand()
        axis = d.axis(x)
        v = d[x]
        axes = range(v.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        if math.prod(v.shape[a] for a in axes) < least or (name == "var" and not v.size):  # PyTorch would warn
            raise Unfit
        if name in ("max", "min") and v.dtype.kind == "f":
            x = d.distinct(x)
        more = {"keepdims": True} if d.chance(0.4) else {}
        d.call(name, x, axis, **more, **{k: o for k, o in options.items() if d.chance(0.5)})

    return draw


def over(name: str) -> Callable[[Draw], Any]:
    """softmax and log_softmax."""

    def draw(d: Draw) -> None:
        x = d.operand()
        if d[x].ndim:
            d.call(name, x, **({"axis": d.axis(x)} if d.chance(0.7) else {}))

    return draw


def divide(d: Draw) -> None:
    a = d.pick()
    b = d.broadcasting(a)
    d.call("divide", d.number(-2, 2) if d.chance(0.2) else a, d.positive(b))


def power(d: Draw) -> None:
    x = d.pick()
    kind = d.one_of(["number", "whole", "value", "base", "integers"])
    if kind == "number":
        d.call("power", d.positive(x), d.number(-2, 3))
    elif kind == "whole":
        d.call("power", x, d.one_of([0, 1, 2, 3]))
    elif kind == "value":
        d.call("power", d.positive(x), d.call("tanh", d.pick(lambda v: broadcasts(v.shape, d[x].shape))))
    elif kind == "base":
        d.call("power", d.number(0.5, 2), x)
    else:
        d.call("power", d.off_zero(x), d.whole(d[x].shape, 3, d.one_of(["int64", "int32"])))  # at 0 PyTorch has NaN


def clip(d: Draw) -> None:
    x = d.pick()
    a, b = sorted((d.gap(d[x]), d.gap(d[x])))
    d.call("clip", x, **d.one_of([{"min": a}, {"max": b}, {"min": a, "max": b}]))


def cross_entropy(d: Draw) -> None:
    x = d.pick()
    t = d.number(0, 1) if d.chance(0.3) else d.call("sigmoid", d.pick(lambda v: broadcasts(v.shape, d[x].shape)))
    d.call("sigmoid_cross_entropy", x, t)


def matmul(d: Draw) -> None:
    a = d.pick(lambda v: v.ndim)
    *batch, k = d[a].shape
    if len(batch) and d.chance(0.3):
        d.call("matmul", a, d.call("swapaxes", a, -1, -2))
        return
    shape = [(k,), (k, 2), (1, k, 2), (2, 1, k, 1), (k, k)]
    if len(batch) > 1:
        shape.append((*batch[:-1], k, 2))
    b = d.fit(*d.one_of([s for s in shape if broadcasts(s[:-2], tuple(batch[:-1]))]))
    d.call("matmul", a, b)


def dense(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim)
    n = d.one_of([1, 2, 3])
    d.call("dense", x, d.fit(d[x].shape[-1], n), d.fit(n))


def einsum(d: Draw) -> None:
    a = d.pick()
    b = d.pick(lambda v: v.ndim)
    left = "abcdef"[: d[a].ndim]
    lengths = dict(zip(left, d[a].shape, strict=True))
    free, right = list("uvwxyz"), ""
    for n in d[b].shape:
        shared = [c for c in left if lengths[c] == n and c not in right]
        right += d.one_of(shared) if shared and d.chance(0.7) else free.pop()
    letters = sorted({*left, *right})
    out = "".join(c for c in d.rng.permutation(letters) if d.chance(0.5)) if letters else ""
    d.call("einsum", f"{left},{right}->{out}", a, b)


def reshape(d: Draw) -> None:
    x = d.pick()
    n = d[x].size
    shapes = [(n,), n, (1, n), (n, 1, 1)] + ([(-1,), (2, -1)] if n and n % 2 == 0 else []) + ([()] if n == 1 else [])
    d.call("reshape", x, d.one_of(shapes))


def moveaxis(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim)
    d.call("moveaxis", x, d.an_axis(x), d.an_axis(x))


def swapaxes(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim)
    d.call("swapaxes", x, d.an_axis(x), d.an_axis(x))


def transpose(d: Draw) -> None:
    x = d.pick()
    axes = tuple(int(a) for a in d.rng.permutation(d[x].ndim))
    d.call("transpose", x, *([axes] if axes and d.chance(0.7) else []))


def expand_dims(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim < 4)
    n = d[x].ndim
    d.call("expand_dims", x, d.one_of([0, -1, n, (0, -1)]))


def squeeze(d: Draw) -> None:
    x = d.pick(lambda v: 1 in v.shape)
    ones = [i for i, n in enumerate(d[x].shape) if n == 1]
    d.call("squeeze", x, *d.one_of([[], [d.one_of(ones)], [tuple(ones)]]))


def broadcast_to(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim < 4)
    shape = tuple(d.one_of([2, 3]) if n == 1 else n for n in d[x].shape)
    d.call("broadcast_to", x, d.one_of([(2, *shape), shape, (1, *shape)]))


def flip(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim)
    d.call("flip", x, *([d.axis(x)] if d.chance(0.7) else []))


def joined(name: str) -> Callable[[Draw], Any]:
    def draw(d: Draw) -> None:
        x = d.pick(lambda v: v.ndim)
        same = d.floats(lambda v: v.shape == d[x].shape)
        d.call(name, [x, *(d.one_of(same) for _ in range(d.rng.integers(3)))], d.an_axis(x))

    return draw


def split(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim)
    axis = d.an_axis(x)
    n = d[x].shape[axis]
    where = d.one_of([n or 1, 1, [1], [0, n], (1, 1), [n + 2]])
    d.call("split", x, where, axis, part=0)
    d.call("split", x, where, axis, part=-1)


def pad(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim and v.ndim < 4)
    each = [(int(a), int(b)) for a, b in d.rng.integers(0, 2, (d[x].ndim, 2))]
    d.call("pad", x, d.one_of([1, (1, 0), each]), **({"constant_values": d.number(-1, 1)} if d.chance(0.5) else {}))


def getitem(d: Draw) -> None:
    x = d.pick(lambda v: v.size)
    d.call("getitem", x, d.index(x))


def take_along_axis(d: Draw) -> None:
    x = d.pick(lambda v: v.ndim and v.size)
    axis = d.an_axis(x)
    shape = [n if d.chance(0.7) else 1 for n in d[x].shape]
    shape[axis] = d.one_of([1, 2, 4])
    d.call("take_along_axis", x, d.whole(tuple(shape), d[x].shape[axis], "int64", "index"), axis)


def where(d: Draw) -> None:
    a = d.pick()
    condition = d.whole(tuple(n if d.chance(0.7) else 1 for n in d[a].shape), dtype="bool", role="index")
    d.call("where", condition, a, d.number(-1, 1) if d.chance(0.2) else d.broadcasting(a))


def dropout(d: Draw) -> None:
    x = d.pick()
    d.call("dropout", x, d.whole(d[x].shape, dtype="bool", role="index"), d.one_of([1.0, 1.25, 2.0]))


def cumsum(d: Draw) -> None:
    x = d.operand()
    d.call("cumsum", x, *([d.an_axis(x)] if d[x].ndim and d.chance(0.7) else []))


def argmax(d: Draw) -> None:
    x = d.distinct(d.pick(lambda v: v.ndim and min(v.shape)))
    axis = d.an_axis(x)
    picked = d.call("expand_dims", d.call("argmax", x, axis), axis)
    d.call("take_along_axis", x, picked, axis)


def astype(d: Draw) -> None:
    d.call("astype", d.pick(), d.one_of(["float64", d.dtype]))


def batch_norm(d: Draw) -> None:
    x = d.pick(
        lambda v: v.ndim and math.prod(v.shape[:-1]) > 2 and v.var(tuple(range(v.ndim - 1))).min(initial=1) > 0.1
    )
    C = d[x].shape[-1]
    d.call("batch_norm", x, d.fit(C), d.fit(C), **({"eps": d.one_of([1 / 8, 1 / 1024])} if d.chance(0.6) else {}))


ENTRIES: dict[str, Callable[[Draw], Any]] = {
    **{name: unary(name) for name in ["exp", "expm1", "sin", "cos", "tanh", "sigmoid", "softplus"]},
    **{name: of_positive(name) for name in ["log", "log1p", "sqrt"]},
    **{name: kinked(name) for name in ["abs", "sign", "relu"]},
    "leaky_relu": kinked("leaky_relu", lambda d: d.number(0, 1)),
    "elu": kinked("elu", lambda d: d.number(0, 2)),
    **{name: binary(name) for name in ["add", "subtract", "multiply"]},
    "negative": lambda d: d.call("negative", d.pick()),
    "divide": divide,
    "power": power,
    "clip": clip,
    "where": where,
    "dropout": dropout,
    "astype": astype,
    "sigmoid_cross_entropy": cross_entropy,
    **{name: choice(name) for name in ["maximum", "minimum"]},
    **{name: comparison(name) for name in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]},
    "sum": reduction("sum"),
    "mean": reduction("mean", least=1),
    "var": reduction("var", least=2, ddof=1),
    "max": reduction("max", least=1),
    "min": reduction("min", least=1),
    "logsumexp": reduction("logsumexp", least=1),
    "argmax": argmax,
    "cumsum": cumsum,
    **{name: over(name) for name in ["softmax", "log_softmax"]},
    "matmul": matmul,
    "dense": dense,
    "einsum": einsum,
    "reshape": reshape,
    "transpose": transpose,
    "swapaxes": swapaxes,
    "moveaxis": moveaxis,
    "expand_dims": expand_dims,
    "squeeze": squeeze,
    "broadcast_to": broadcast_to,
    "flip": flip,
    **{name: joined(name) for name in ["concatenate", "stack"]},
    "split": split,
    "pad": pad,
    "getitem": getitem,
    "take_along_axis": take_along_axis,
    "batch_norm": batch_norm,
    **IMAGES,
}


def draw(seed: int) -> Graph:
    """The graph of a seed: some leaves, and a few ops, of which one is the op whose turn it is."""
    d = Draw(seed)
    for _ in range(d.rng.integers(1, 4)):
        d.leaf()
    names = list(ENTRIES)
    size = 3 if d.dtype == "float16" else int(d.rng.integers(2, 9))
    for name in [*d.rng.choice(names, size), names[seed % len(names)]]:
        before = len(d.values)
        try:
            ENTRIES[name](d)
        except Unfit:
            del d.values[before:], d.graph.nodes[before:]
    return d.graph
