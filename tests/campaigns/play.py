"""A random graph played by tinygen: its values, and its derivatives of three orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from campaigns.graphs import Graph, Leaf, Ref, run

import tinygen as tg

ORDERS = ["gradient", "gradient under create_graph", "second derivative", "third derivative"]


class Played(NamedTuple):
    """values: of all nodes.  derivatives: by every x, in the order of ORDERS.  ends: what was differentiated."""

    values: list[Any]
    derivatives: list[list[Any]]
    ends: list[Ref]


def derivatives(graph: Graph, values: list[Any], ends: list[Ref], array: Callable, grad: Callable) -> Iterator[list]:
    """The first to third derivatives by all x, each along a random direction of the one before.

    Every x is added each time, so that each has a gradient even where the last derivative was a constant.
    """
    rng = np.random.default_rng(graph.seed)
    along = lambda v: (v * array(np.float16(rng.standard_normal(tuple(v.shape))), v)).sum()
    xs = [values[i] for (i,) in graph.refs("x")]
    y = sum(along(v) for v in [*(values[i] for (i,) in ends), *xs])
    for order in (1, 2, 3):
        gs = grad(y, xs, order < 3)
        yield gs
        y = sum(along(v) for v in [*gs, *xs])


def played(graph: Graph, asarray: Callable = np.asarray) -> Played:
    """What tinygen makes of a graph, on the arrays that asarray(host, dtype) gives; no input may change."""
    inputs = []

    def make(leaf: Leaf) -> tg.Tensor:
        x = laid(asarray(leaf.array, leaf.array.dtype), leaf.layout)
        inputs.append((leaf, tg.Tensor(x, requires_grad=leaf.role == "x")))
        return inputs[-1][1]

    values = graph.play(make, run)
    ends = [ref for ref in graph.ends() if values[ref.number].dtype.kind == "f"]
    along = lambda a, like: asarray(a, like.dtype)
    grad = lambda y, xs, create: tg.grad(y, xs, create_graph=create, retain_graph=True)
    orders = list(derivatives(graph, values, ends, along, grad))
    plain = next(derivatives(graph, values, ends, along, lambda y, xs, create: tg.grad(y, xs)))
    for leaf, x in inputs:
        np.testing.assert_array_equal(x.numpy(), leaf.array, "an input was changed")
    return Played(values, [plain, *orders], ends)


def laid(x: Any, layout: str) -> Any:
    """The same numbers in another order in memory."""
    if layout == "transposed":
        return x.transpose().copy().transpose()
    if layout == "strided" and x.ndim:
        return x.repeat(2, axis=-1)[..., ::2]
    if layout == "backwards" and x.ndim:
        reverse = (slice(None, None, -1),) * x.ndim
        return x[reverse].copy()[reverse]
    return x.copy()
