"""How a call of each op gets into a random graph: f(draw, name) adds one that fits the values so far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from campaigns.graphs import Draw, Ref, Unfit, broadcasts


def unary(d: Draw, name: str) -> None:
    d.call(name, d.operand())


def of_positive(d: Draw, name: str) -> None:
    d.call(name, d.positive(d.operand()))


def stepped(d: Draw, name: str) -> None:
    """floor, ceil and round, of numbers that are not close to a step."""
    shape = d[d.pick()].shape
    d.call(name, d.add(np.asarray(d.rng.integers(-3, 4, shape) + d.number(0.1, 0.4), d.dtype), "constant"))


def remainder(d: Draw, name: str) -> None:
    """By a number whose multiples x does not come close to."""
    x = d.call("multiply", d.call("tanh", d.pick()), 1 / 16)
    quarters = np.asarray(d.rng.integers(-3, 4, d[x].shape) + 0.25, d.dtype)
    d.call(name, d.call("add", x, d.add(quarters, "constant")), d.one_of([1.0, -1.0, 0.5, -2.0]))


def kinked(d: Draw, name: str, option: tuple[float, float] | None = None) -> None:
    """option: the range of the number beside x, if there is one."""
    x = d.off_zero(d.operand())
    d.call(name, x, *([d.number(*option)] if option and d.chance(0.7) else []))


def binary(d: Draw, name: str) -> None:
    a = d.pick()
    b = d.number(-2, 2) if d.chance(0.15) else d.broadcasting(a)
    d.call(name, *((a, b) if d.chance(0.5) else (b, a)))


def choice(d: Draw, name: str) -> Ref:
    """maximum, minimum, the comparisons and logic."""
    a = d.pick()
    b = d.gap(d[a]) if d.chance(0.2) else d.apart(a, d.broadcasting(a))
    return d.call(name, *((a, b) if d.chance(0.5) else (b, a)))


def comparison(d: Draw, name: str) -> None:
    condition = choice(d, name)
    d.call("where", condition, d.broadcasting(condition), d.number(-1, 1))


def reduction(d: Draw, name: str, least: int = 0, **options: Any) -> None:
    """least: how many elements each result must be made of."""
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


def std(d: Draw, name: str) -> None:
    """Of numbers that differ: of equal ones it is a kink, and its higher derivatives grow without bound near that."""
    x = d.pick(lambda v: v.ndim and v.size)
    axis = d.an_axis(x)
    if d[x].shape[axis] < 3 or d[x].var(axis).min() < 0.1:
        raise Unfit
    d.call(name, x, axis, **d.one_of([{}, {"ddof": 1}, {"keepdims": True}]))


def norm(d: Draw, name: str) -> None:
    """Of vectors that are not short, for the same reason."""
    x = d.off_zero(d.pick(lambda v: v.ndim and v.size))
    axis = d.an_axis(x)
    if d[x].shape[axis] < 2 or np.linalg.norm(d[x], axis=axis).min() < 0.3:
        raise Unfit
    d.call(name, x, d.one_of([None, 1, 2]), axis, d.chance(0.4))


def over(d: Draw, name: str) -> None:
    """softmax and log_softmax."""
    x = d.operand()
    if d[x].ndim:
        d.call(name, x, **({"axis": d.axis(x)} if d.chance(0.7) else {}))


def gumbel_softmax(d: Draw, name: str) -> None:
    x = d.operand()
    if d[x].ndim:
        d.call(name, x, d.call("sin", x), **({"tau": d.number(0.5, 2)} if d.chance(0.7) else {}))


def divide(d: Draw, name: str) -> None:
    a = d.pick()
    b = d.broadcasting(a)
    d.call(name, d.number(-2, 2) if d.chance(0.2) else a, d.positive(b))


def power(d: Draw, name: str) -> None:
    x = d.pick()
    kind = d.one_of(["number", "whole", "value", "base", "integers"])
    if kind == "number":
        d.call(name, d.positive(x), d.number(-2, 3))
    elif kind == "whole":
        d.call(name, x, d.one_of([0, 1, 2, 3]))
    elif kind == "value":
        d.call(name, d.positive(x), d.call("tanh", d.pick(lambda v: broadcasts(v.shape, d[x].shape))))
    elif kind == "base":
        d.call(name, d.number(0.5, 2), x)
    else:
        d.call(name, d.off_zero(x), d.whole(d[x].shape, 3, d.one_of(["int64", "int32"])))  # at 0 PyTorch has NaN


def clip(d: Draw, name: str) -> None:
    x = d.pick()
    a, b = sorted((d.gap(d[x]), d.gap(d[x])))
    d.call(name, x, **d.one_of([{"min": a}, {"max": b}, {"min": a, "max": b}]))


def cross_entropy(d: Draw, name: str) -> None:
    x = d.pick()
    t = d.number(0, 1) if d.chance(0.3) else d.call("sigmoid", d.pick(lambda v: broadcasts(v.shape, d[x].shape)))
    d.call(name, x, t)


def matmul(d: Draw, name: str) -> None:
    a = d.pick(lambda v: v.ndim)
    *batch, k = d[a].shape
    if len(batch) and d.chance(0.3):
        d.call(name, a, d.call("swapaxes", a, -1, -2))
        return
    shape = [(k,), (k, 2), (1, k, 2), (2, 1, k, 1), (k, k)]
    if len(batch) > 1:
        shape.append((*batch[:-1], k, 2))
    b = d.fit(*d.one_of([s for s in shape if broadcasts(s[:-2], tuple(batch[:-1]))]))
    d.call(name, a, b)


def attention(d: Draw, name: str) -> None:
    q = d.pick(lambda v: v.ndim > 1 and min(v.shape[-2:]))
    (*batch, L, E), S = d[q].shape, d.one_of([1, 3])
    masks = [None, d.add(d.rng.random((L, S)) < 0.7, "index"), d.fit(1, S)]
    d.call(name, q, d.fit(*batch, S, E), d.fit(S, 2), d.one_of(masks), causal=d.chance(0.4))


def dense(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim)
    n = d.one_of([1, 2, 3])
    d.call(name, x, d.fit(d[x].shape[-1], n), d.fit(n))


def einsum(d: Draw, name: str) -> None:
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
    d.call(name, f"{left},{right}->{out}", a, b)


def triangle(d: Draw, name: str) -> None:
    d.call(name, d.pick(lambda v: v.ndim > 1), *d.one_of([[], [-1], [1]]))


def reshape(d: Draw, name: str) -> None:
    x = d.pick()
    n = d[x].size
    shapes = [(n,), n, (1, n), (n, 1, 1)] + ([(-1,), (2, -1)] if n and n % 2 == 0 else []) + ([()] if n == 1 else [])
    d.call(name, x, d.one_of(shapes))


def moveaxis(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim)
    d.call(name, x, d.an_axis(x), d.an_axis(x))


def swapaxes(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim)
    d.call(name, x, d.an_axis(x), d.an_axis(x))


def transpose(d: Draw, name: str) -> None:
    x = d.pick()
    axes = tuple(int(a) for a in d.rng.permutation(d[x].ndim))
    d.call(name, x, *([axes] if axes and d.chance(0.7) else []))


def expand_dims(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim < 4)
    n = d[x].ndim
    d.call(name, x, d.one_of([0, -1, n, (0, -1)]))


def squeeze(d: Draw, name: str) -> None:
    x = d.pick(lambda v: 1 in v.shape)
    ones = [i for i, n in enumerate(d[x].shape) if n == 1]
    d.call(name, x, *d.one_of([[], [d.one_of(ones)], [tuple(ones)]]))


def broadcast_to(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim < 4)
    shape = tuple(d.one_of([2, 3]) if n == 1 else n for n in d[x].shape)
    d.call(name, x, d.one_of([(2, *shape), shape, (1, *shape)]))


def flip(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim)
    d.call(name, x, *([d.axis(x)] if d.chance(0.7) else []))


def tile(d: Draw, name: str) -> None:
    d.call(name, d.pick(lambda v: v.ndim < 4), d.one_of([2, (2, 1), (1, 3), (2, 1, 2)]))


def repeat(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim)
    axis = d.an_axis(x)
    each = [int(n) for n in d.rng.integers(0, 3, d[x].shape[axis])]
    d.call(name, x, d.one_of([2, 3, each]) if len(each) > 1 else 2, axis)


def joined(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim)
    same = d.floats(lambda v: v.shape == d[x].shape)
    d.call(name, [x, *(d.one_of(same) for _ in range(d.rng.integers(3)))], d.an_axis(x))


def split(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim)
    axis = d.an_axis(x)
    n = d[x].shape[axis]
    where = d.one_of([n or 1, 1, [1], [0, n], (1, 1), [n + 2]])
    d.call(name, x, where, axis, part=0)
    d.call(name, x, where, axis, part=-1)


def pad(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim and v.ndim < 4)
    each = [(int(a), int(b)) for a, b in d.rng.integers(0, 2, (d[x].ndim, 2))]
    if d.chance(0.3) and min(d[x].shape) > 1:
        d.call(name, x, each, d.one_of(["reflect", "edge", "wrap"]))
    else:
        d.call(name, x, d.one_of([1, (1, 0), each]), **({"constant_values": d.number(-1, 1)} if d.chance(0.5) else {}))


def getitem(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.size)
    d.call(name, x, d.index(x))


def take_along_axis(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim and v.size)
    axis = d.an_axis(x)
    shape = [n if d.chance(0.7) else 1 for n in d[x].shape]
    shape[axis] = d.one_of([1, 2, 4])
    d.call(name, x, d.whole(tuple(shape), d[x].shape[axis], "int64", "index"), axis)


def scatter_add(d: Draw, name: str) -> None:
    x = d.pick(lambda v: v.ndim and v.size)
    axis, shape = d.an_axis(x), [*d[x].shape]
    shape[axis] = d.one_of([1, 2, 4])
    d.call(name, x, d.whole(tuple(shape), d[x].shape[axis], "int64", "index"), d.fit(*shape), axis)


def prelu(d: Draw, name: str) -> None:
    x = d.off_zero(d.pick(lambda v: v.ndim > 1))
    d.call(name, x, d.fit(d[x].shape[-1]) if d.chance(0.5) else d.number(-1, 1))


def where(d: Draw, name: str) -> None:
    a = d.pick()
    condition = d.whole(tuple(n if d.chance(0.7) else 1 for n in d[a].shape), dtype="bool", role="index")
    d.call(name, condition, a, d.number(-1, 1) if d.chance(0.2) else d.broadcasting(a))


def dropout(d: Draw, name: str) -> None:
    x = d.pick()
    d.call(name, x, d.whole(d[x].shape, dtype="bool", role="index"), d.one_of([1.0, 1.25, 2.0]))


def cumsum(d: Draw, name: str) -> None:
    x = d.operand()
    d.call(name, x, *([d.an_axis(x)] if d[x].ndim and d.chance(0.7) else []))


def argmax(d: Draw, name: str) -> None:
    x = d.distinct(d.pick(lambda v: v.ndim and min(v.shape)))
    axis = d.an_axis(x)
    picked = d.call("expand_dims", d.call(name, x, axis), axis)
    d.call("take_along_axis", x, picked, axis)


def sort(d: Draw, name: str) -> None:
    x = d.distinct(d.pick(lambda v: v.ndim))
    d.call(name, x, d.an_axis(x), d.chance(0.5))


def argsort(d: Draw, name: str) -> None:
    x = d.distinct(d.pick(lambda v: v.ndim and v.size))
    axis = d.an_axis(x)
    d.call("take_along_axis", x, d.call(name, x, axis, d.chance(0.5)), axis)


def astype(d: Draw, name: str) -> None:
    d.call(name, d.pick(), d.one_of(["float64", d.dtype]))


def batch_norm(d: Draw, name: str) -> None:
    x = d.pick(
        lambda v: v.ndim and math.prod(v.shape[:-1]) > 2 and v.var(tuple(range(v.ndim - 1))).min(initial=1) > 0.1
    )
    C = d[x].shape[-1]
    d.call(name, x, d.fit(C), d.fit(C), **({"eps": d.one_of([1 / 8, 1 / 1024])} if d.chance(0.6) else {}))
