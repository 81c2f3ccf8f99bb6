"""The tape as a picture: all that leads to a loss, from left to right. Folded by fold.py, laid out by layout.py."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import GradientError
from ..files import replace_file
from ..places import lines_above
from ..scopes import trace
from ..tape import Node, describe
from ..tensor import Tensor
from . import svg
from .boxes import Box, Edge, argument, constant_boxes, leaf_box, unit_box
from .fold import Unit, reach, units


class Graph:
    """Boxes and the edges between them, in an order in which no edge leads back. A notebook shows the picture.

    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> picture = tg.graph.graph((x * 2).sum())
    >>> picture
    Graph(3 boxes, 2 edges); .save('tape.svg') draws it
    >>> picture.save("tape.svg")
    """

    def __init__(self, boxes: Sequence[Box], edges: Sequence[Edge]):
        self.boxes, self.edges = list(boxes), list(edges)
        self.routes, self.width, self.height = svg.place(self.boxes, self.edges)

    def __repr__(self) -> str:
        return f"Graph({len(self.boxes)} boxes, {len(self.edges)} edges); .save('tape.svg') draws it"

    def _repr_svg_(self) -> str:
        return svg.draw(self.boxes, self.edges, self.routes, (self.width, self.height))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as an SVG file, whole or not at all. Raises ValueError for another suffix, or OSError."""
        if not str(path).endswith(".svg"):
            raise ValueError(f"save: the picture is an SVG file, so its name must end in .svg, not {str(path)!r}")
        with replace_file(path) as temporary:
            temporary.write_text(self._repr_svg_() + "\n", encoding="utf-8")

    def dot(self) -> str:
        """The graph in Graphviz's DOT language, for `dot -Tpdf`."""
        shapes = {"parameter": "ellipse", "input": "ellipse", "constant": "plain"}
        labels = {box.id: "\n".join([box.title, *box.lines]) for box in self.boxes}
        boxes = [f"{b.id} [label={_quoted(labels[b.id])}, shape={shapes.get(b.kind, 'box')}];" for b in self.boxes]
        edges = [
            f"{e.source} -> {e.target} [label={_quoted(e.label)}{'' if e.argument else ', style=dotted'}];"
            for e in self.edges
        ]
        return "\n  ".join(["digraph tape {", "rankdir=LR;", *boxes, *edges]) + "\n}\n"

    def to_json(self) -> dict[str, Any]:
        """The graph in dicts and lists, for json.dumps: nodes with the fields of `Box`, edges with their points.

        The id is the number of the box's newest node on the tape, and `nodes` lists all that were folded into it.
        """
        edges = [{**e._asdict(), "points": self.routes[e.source, e.target]} for e in self.edges]
        boxes = [
            {**vars(b), "shape": list(b.shape), "where": [{**p._asdict(), "code": p.code} for p in b.where]}
            for b in self.boxes
        ]
        return {"width": self.width, "height": self.height, "nodes": boxes, "edges": edges}


def graph(loss: Tensor, fold: bool = True) -> Graph:
    """The tape that leads to a Tensor. For a gradient taken with create_graph: the second tape over the first.

    fold: whether a layer is one box, without its parameters; if not, every op and every parameter has one. Constants
    are drawn unless a backward has freed them; lines of code are shown if the tape was written within `lines()`.
    Raises GradientError if there is no tape.

    >>> model = tg.layers.Sequential(tg.layers.Dense(2, 3), tg.layers.Tanh())
    >>> loss = model(tg.tensor([[1.0, 2.0]])).sum()
    >>> [box.title for box in tg.graph.graph(loss).boxes]
    ['constant', 'Dense(2, 3)', 'Tanh()', 'sum']
    """
    if not isinstance(loss, Tensor) or loss.node is None:
        what = describe(loss) if isinstance(loss, Tensor) else type(loss).__name__
        raise GradientError(
            f"graph: {what} has no tape; was it made under no_grad, or from Tensors that don't require grad?"
        )
    nodes = reach(loss.node)
    all_units = units(nodes, fold)
    home = {node.order: unit for unit in all_units for node in unit.nodes}
    leaves = {str(node.order): leaf_box(node) for node in nodes if node.plan is None}
    boxes: dict[str, Box] = {}
    edges: dict[tuple[str, str], Edge] = {}
    for unit in all_units:
        box = unit_box(unit)
        for edge in _edges_to(unit, box.id, home):
            leaf = leaves.get(edge.source)
            if not (unit.folded and leaf is not None and leaf.kind == "parameter"):
                edges.setdefault(edge[:2], edge)
        if unit.rules_of is None and not (unit.folded and any(target == box.id for _, target in edges)):
            for constant, name in constant_boxes(unit):
                boxes.setdefault(constant.id, constant)
                edges[constant.id, box.id] = Edge(constant.id, box.id, name)
        boxes[box.id] = box
    sources = {source for source, _ in edges}
    boxes = {name: leaf for name, leaf in leaves.items() if name in sources or not all_units} | boxes
    if loss.size == 1 and all_units:
        boxes[str(loss.node.order)].lines.append(f"= {loss.item():.4g}")
    return Graph(list(boxes.values()), list(edges.values()))


@contextlib.contextmanager
def lines() -> Iterator[None]:
    """Record on the tape, for the length of a block, the lines of code that called each op; `graph` then shows them.

    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> with tg.graph.lines():
    ...     y = (x * 2).sum()
    >>> any(box.where for box in tg.graph.graph(y).boxes)
    True
    """
    with trace(lambda op, phase, inputs, y, where: lines_above(sys._getframe(1)) if where is None else where):
        yield


def _edges_to(unit: Unit, target: str, home: dict[int, Unit]) -> Iterator[Edge]:
    """An edge for each value that a unit takes from others, and one from the unit whose rules made it."""
    for node in unit.nodes:
        for i, parent in zip(node.plan.positions, node.parents, strict=True):
            source = home.get(parent.order)
            if source is not unit:
                yield Edge(source.id if source else str(parent.order), target, argument(node, i))
    makers = (maker for node in unit.nodes for maker, _ in node.makers if isinstance(maker, Node))
    yield from (Edge(home[maker.order].id, target, "") for maker in makers)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
