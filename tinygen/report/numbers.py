"""One number followed back through a step: at each op, arriving gradient × local derivative = what is passed on.

The chain rule in numbers. A pixel or a weight reaches the loss by many ways; shown is the one that counts most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, to_host
from ..gradients import grad
from ..graph.boxes import argument
from ..graph.fold import reach
from ..layers import Module
from ..models.steps import Loss, Step
from ..tape import Node, pass_back
from ..tensor import Tensor, wrap


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


def follow_numbers(step: Step, made: Loss, nodes: list[Node], gradients: Mapping[int, Array]) -> list[dict[str, Any]]:
    """A pixel of what G makes and a weight or two of each network that learns, those with the largest gradients, each
    with its hops from the loss down: [{title, hops}]."""
    users = dict[int, list[tuple[Node, int]]]()
    for node in nodes:
        for i, parent in zip(node.plan.positions, node.parents, strict=True) if node.plan else ():
            users.setdefault(parent.order, []).append((node, i))
    found = []
    for title, node in _targets(step, made):
        gradient = gradients.get(node.order)
        if gradient is None:
            continue
        gx = to_host(gradient)
        j = int(np.abs(gx[0] if title == "G(z)" else gx).argmax())  # of the samples the first, which is drawn
        hops = list(_hops(node, j, users, gradients))[::-1]
        if hops:
            index = [int(i) for i in np.unravel_index(j, node.shape)]
            found.append({"title": title, "index": index, "hops": [hop._asdict() for hop in hops]})
    return found


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


def _hops(
    node: Node, j: int, users: Mapping[int, list[tuple[Node, int]]], gradients: Mapping[int, Array]
) -> Iterator[Hop]:
    """The hops from a number, the j-th of a node's value, up to the loss: each time by the way that counts most."""
    while node.order in users:
        best: tuple[float, Any] = (0.0, None)
        total, ways = 0.0, 0
        for user, i in users[node.order]:
            if user.order not in gradients:
                continue
            arriving, local = to_host(gradients[user.order]).ravel(), _column(user, i, j)
            passed = arriving.astype(np.float64) * local
            total, ways = total + float(passed.sum()), ways + int(np.count_nonzero(passed))
            k = int(np.abs(passed).argmax())
            if abs(passed[k]) > best[0]:
                best = abs(float(passed[k])), (user, i, k, float(arriving[k]), float(local[k]), float(passed[k]))
        if best[1] is None:
            return
        user, i, k, arrived, slope, share = best[1]
        out, into = ([int(n) for n in np.unravel_index(n, shape)] for n, shape in ((k, user.shape), (j, node.shape)))
        yield Hop(user.order, argument(user, i), out, into, arrived, slope, share, ways, total)
        node, j = user, k


def _column(node: Node, position: int, j: int) -> np.ndarray:
    """The derivative of each element of an op's value by the j-th of one of its arguments.

    A rule is linear in gy, gx = gyᵀ J, so the gradient of gx[j] by gy is column j of J.
    """
    gy = Tensor(np.zeros(node.shape, node.dtype)).requires_grad_()
    gx = dict(zip(node.plan.positions, pass_back(node, gy, wrap), strict=True))[position]
    if gx.node is None:
        return np.zeros(gy.size)
    return grad(gx.reshape(-1)[j], gy, unused="zeros").numpy().ravel()
