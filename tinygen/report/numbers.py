"""One number followed back through a step: at each op, arriving gradient × local derivative = what is passed on.

The chain rule in numbers. A pixel or a weight reaches the loss by many ways; shown is the one that counts most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, to_host
from ..graph.fold import reach
from ..layers import Module
from ..models.steps import Loss, Step
from ..tape import Node
from ..tensor import Tensor
from .embed import embed_numbers
from .ways import TooManyError, Uses, Ways, argument_name

MOST_WAYS = 8_000  # of a node's numbers
MOST_FACTORS = 35_000  # of the values and gradients of which the ways of more weights are made


class Hop(NamedTuple):
    """What one op passes on to one number of one of its arguments.

    node: the op's number on the tape.  argument: the argument's name.  out, into: the indices in the op's value and in
    the argument.  arriving × local = passed, the share of this way; total: of all `ways`.
    """

    node: int
    argument: str
    out: list[int]
    into: list[int]
    arriving: float
    local: float
    passed: float
    ways: int
    total: float


def follow_numbers(
    step: Step, made: Loss, nodes: list[Node], gradients: Mapping[int, Array]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What can be followed back from the loss, and the ways of all numbers of it.

    First a pixel of what G makes and a weight or two of each network that learns, those with the largest gradients,
    each with its hops from the loss down: [{title, node, shape, index, hops, kept}].  kept: of which others the ways
    are there, too: "all", those of the "first" example, or "".
    Second, the ways, by node, for the page to walk on: [`_kept_ways` or `_products`].
    """
    found, uses, known = [], Uses(nodes, gradients), _Known()
    for title, node in _targets(step, made):
        gradient = gradients.get(node.order)
        if gradient is None:
            continue
        gx = to_host(gradient)
        j = int(np.abs(gx[0] if title == "G(z)" else gx).argmax())  # of the samples the first, which is drawn
        hops = _hops(node, j, uses)[::-1]
        if hops:
            index = [int(i) for i in np.unravel_index(j, node.shape)]
            found.append({
                "title": title, "node": node.order, "shape": list(node.shape), "index": index,
                "hops": [hop._asdict() for hop in hops], "kept": _keep(title, node, uses, known),
            })  # fmt: skip
    return found, [*known.products.values(), *(_kept_ways(node, ways, uses) for node, ways in known.ways.values())]


def _targets(step: Step, made: Loss) -> Iterator[tuple[str, Node]]:
    """What can be followed, by name: the samples, if what learns made them, and the first and last weights."""
    samples = made.named.get("G(z)")
    learnt = {p.node for network in step.learns.values() for p in network.parameters()}
    if isinstance(samples, Tensor) and samples.node is not None and not learnt.isdisjoint(reach(samples.node)):
        yield "G(z)", samples.node
    for name, network in step.learns.items():
        yield from _weights(name, network)


def _weights(name: str, network: Module) -> Iterator[tuple[str, Node]]:
    nodes = [(path, p.node) for path, p in network.named_parameters() if p.ndim > 1]
    matrices = [(path, node) for path, node in nodes if node is not None]
    for path, node in dict([matrices[0], matrices[-1]]).items() if matrices else ():
        yield f"{name}.{path}", node


def _hops(node: Node, j: int, uses: Uses) -> list[Hop]:
    """The hops from a number, the j-th of a node's value, up to the loss: each time by the way that counts most."""
    hops = []
    while users := uses.of(node):
        found = uses.ways(node, np.array([j]))
        if not found.ways[0]:
            break
        (user, i), k = users[found.user[0]], int(found.out[0])
        out, into = ([int(n) for n in np.unravel_index(n, shape)] for n, shape in ((k, user.shape), (j, node.shape)))
        arriving, local = float(found.arriving[0]), float(found.local[0])
        ways, total = int(found.ways[0]), float(found.total[0])
        hops.append(Hop(user.order, argument_name(user, i), out, into, arriving, local, arriving * local, ways, total))
        node, j = user, k
    return hops


class _Known:
    """What is kept of the ways, by node: those of its numbers, or, of weights, the products of which they are made."""

    def __init__(self) -> None:
        self.ways: dict[int, tuple[Node, Ways]] = {}
        self.products: dict[int, dict[str, Any]] = {}


def _keep(title: str, node: Node, uses: Uses, known: _Known) -> str:
    """Keep the ways of all numbers that may be chosen, and say of which: those of samples, or of a weight matrix."""
    first = title == "G(z)" and len(node.shape) > 2
    size = int(np.prod(node.shape[1:] if first else node.shape))
    try:
        if size <= MOST_WAYS:
            uses.all_ways(node, np.arange(size), known.ways)
            return "first" if first else "all"
        return "all" if title != "G(z)" and _keep_products(node, uses, known) else ""
    except TooManyError:
        return ""


def _keep_products(node: Node, uses: Uses, known: _Known) -> bool:
    """Keep of a matrix w the x of each product x @ w, and the ways of what these make; w may be transposed first."""
    made = []
    for user, position in uses.of(node):
        one: dict[str, Any] = {"node": user.order, "argument": argument_name(user, position), "shape": list(user.shape)}
        derivative = uses.derivative(user, position)
        if (x := derivative.factor) is not None and x.size + derivative.size <= MOST_FACTORS:
            uses.all_ways(user, np.arange(derivative.size), known.ways)
            made.append(one | {"x": embed_numbers(x)})
        elif derivative.swaps and _keep_products(user, uses, known):
            made.append(one | {"swaps": True})
        else:
            return False
    known.products[node.order] = {"node": node.order, "shape": list(node.shape), "users": made}
    return True


def _kept_ways(node: Node, ways: Ways, uses: Uses) -> dict[str, Any]:
    """The ways of a node's numbers for the page: {node, shape, users: [{node, argument, shape}], numbers, user, out,
    local, ways, total}, as `embed_numbers` gives them.

    numbers: null if they are all.  out: {shift} if each goes to the same place, but for a shift.  ways, total: null if
    each has one way.
    """
    users = [{"node": u.order, "argument": argument_name(u, i), "shape": list(u.shape)} for u, i in uses.of(node)]
    shift, lone = ways.out - ways.numbers, bool((ways.ways <= 1).all())
    return {
        "node": node.order,
        "shape": list(node.shape),
        "users": users,
        "numbers": None if len(ways.numbers) == int(np.prod(node.shape)) else embed_numbers(ways.numbers),
        "user": embed_numbers(ways.user),
        "out": {"shift": int(shift[0])} if len(shift) and np.ptp(shift) == 0 else embed_numbers(ways.out),
        "local": embed_numbers(ways.local),
        "ways": None if lone else embed_numbers(ways.ways),
        "total": None if lone else embed_numbers(ways.total),
    }
