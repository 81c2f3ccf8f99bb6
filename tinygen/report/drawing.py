"""The tape of a step as a picture: its graph, and for each box its value, its gradient and the lines of code."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, array_of, is_array, to_host
from ..graph import Box, Edge, Graph, graph
from ..graph.boxes import argument
from ..graph.fold import reach
from ..layers import Module
from ..models.steps import Step
from ..places import Place, lines_above
from ..scopes import trace
from ..tape import Node
from ..tensor import Tensor
from .embed import embed_array
from .numbers import follow_numbers
from .rewound import Rewound
from .ways import argument_name

BINS = 24
LARGEST_PICTURE = 32  # pixels a side; larger images are shown with every second pixel, or every third, ...
ABOVE = inspect.getsourcefile(Rewound)  # its lines, and those of BETWEEN, are not the model's own
BETWEEN = {inspect.getsourcefile(Module), inspect.getsourcefile(Step)}


class Origin(tuple[Place, ...]):
    """What a node of the tape keeps about its op: the lines of code that called it, its arguments, its value, and the
    gradients that its rules made, in the order of the arguments that get one."""

    inputs: tuple[Any, ...]
    value: Array
    leaves: list[Array]


def step_graph(model: Rewound, step: Step) -> dict[str, Any]:
    """The tape of a step, both networks on it, folded by layer: {width, height, nodes, edges, numbers, ways}.

    A node has, beside what the picture needs, `value` and `gradient` (see `summary`), `leaves` (the gradients that it
    passes on, by the rule that makes each), `sources` (the networks whose parameters lead to it), `named` (whether its
    value has a name in the loss), `part` and, if it is a layer or its rules on a second tape, `inner`: the graph of its
    ops.
    """
    arrays: dict[int, Array] = {}  # by id, kept alive: they are drawn as constants

    def note(op: str, phase: str, inputs: Any, y: Any, where: Any) -> Any:
        if phase == "backward":
            return where
        arrays.update((id(x), x) for x in inputs if is_array(x))
        origin = Origin(lines_above(inspect.currentframe().f_back))  # type: ignore[union-attr]
        origin.inputs, origin.value, origin.leaves = inputs, y, []
        return origin

    def leave(op: str, phase: str, inputs: Any, y: Any, where: Any) -> None:
        if isinstance(where, Origin):
            where.leaves.append(y)

    with trace(note):
        made = model.loss(step.name, careful=False)
    loss = made.value
    assert loss.node is not None
    nodes = reach(loss.node)
    folded, unfolded = graph(loss), graph(loss, fold=False)
    gradients: dict[int, Array] = {}
    for node in nodes:
        node.hooks = {0: partial(gradients.__setitem__, node.order)}
    with trace(leave):
        loss.backward(retain_graph=True)
    numbers, ways = follow_numbers(step, made, nodes, gradients)
    tensors = {name: t for name, t in made.named.items() if isinstance(t, Tensor)}
    names = {str(t.node.order): name for name, t in tensors.items() if t.node is not None}
    names |= {f"c{key}": name for key, name in _named_constants(made.named, arrays).items()}
    leaves = {node.order for node in nodes if node.plan is None}
    given = {key: x for key, x in _given(nodes).items() if key in leaves}  # x, if a penalty asks for its gradient
    names = {str(key): name for key, name in _named_constants(made.named, given).items()} | names
    names[str(loss.node.order)] = "the loss"
    found = _Drawing(model, step, nodes, arrays, gradients, names).json(folded, unfolded)
    plain = {str(node.order): str(i) for i, node in enumerate(nodes)}
    found |= {"numbers": numbers, "ways": ways}
    return _renamed(found, plain | {f"c{key}": f"c{i}" for i, key in enumerate(arrays)})


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """A graph with other ids: those of the tape and of memory differ each time, but equal runs have equal pages."""
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("id", "source", "target", "node")
    return {key: names.get(str(x), x) if key in ids else _renamed(x, names) for key, x in value.items()}


def _given(nodes: list[Node]) -> dict[int, Array]:
    """What the ops were given, by the node that it comes from: a tensor that a loss makes for itself, such as the x̂ of
    a penalty, is gone once the loss is computed."""
    readers = [(node, node.where) for node in nodes if isinstance(node.where, Origin)]
    return {
        parent.order: where.inputs[i]
        for node, where in readers
        for i, parent in zip(node.plan.positions, node.parents, strict=True)
    }


def _named_constants(named: Mapping[str, Any], arrays: dict[int, Array]) -> dict[int, str]:
    """The names of the batch and the noise, by the keys of arrays, even if they were reshaped."""
    hosts = [(to_host(array_of(x)), name) for name, x in named.items()]
    return {key: name for key, x in arrays.items() for y, name in hosts if np.may_share_memory(to_host(x), y)}


class _Drawing:
    """The graph of a step with the values, gradients and names of its boxes."""

    def __init__(self, model: Rewound, step: Step, nodes: list[Node], arrays: dict[int, Array],
                 gradients: dict[int, Array], names: dict[str, str]):  # fmt: skip
        self.arrays, self.gradients, self.names = arrays, gradients, names
        self.nodes = {str(node.order): node for node in nodes}
        self.value_range = model.model.value_range
        self.networks = {id(p): name for name, network in model.networks.items() for p in network.parameters()}
        self.given = _given(nodes)
        self.sources: dict[int, set[str]] = {}
        self.parts: dict[int, str] = {}
        named = {name: int(key) for key, name in names.items() if not key.startswith("c")}
        for node in nodes:
            t = node.leaf and node.leaf()
            own = {self.networks[id(t)]} if id(t) in self.networks else set()
            self.sources[node.order] = own.union(*(self.sources[p.order] for p in node.parents))
            self.parts[node.order] = self._part(node, named)

    def _part(self, node: Node, named: dict[str, int]) -> str:
        """Whether a node leads to z through "mu" or "logvar" alone, or is a rule on the "second tape"; else ""."""
        if any(isinstance(maker, Node) for maker, _ in node.makers):
            return "second tape"
        if "logvar" not in named or node.order > named["z"]:
            return ""
        for name in ("mu", "logvar"):
            if node.order == named[name]:
                return name
        parts = {self.parts[p.order] for p in node.parents} - {""}
        return parts.pop() if len(parts) == 1 and node.order != named["z"] else ""

    def json(self, folded: Graph, unfolded: Graph) -> dict[str, Any]:
        return self._graph(*self._with_inputs(folded.boxes, folded.edges), unfolded)

    def _with_inputs(self, boxes: list[Box], edges: list[Edge]) -> tuple[list[Box], list[Edge]]:
        """Boxes and edges with those of named constants, too, that ops take but don't keep, such as x, if it is only
        concatenated."""
        found, drawn = {}, {edge[:2]: edge for edge in edges}
        there = {box.id: box for box in boxes}
        for box in boxes:
            for node in (self.nodes[str(order)] for order in box.nodes):
                inputs = node.where.inputs if isinstance(node.where, Origin) else ()
                for i, x in enumerate(inputs):
                    key = f"c{id(x)}"
                    if key in self.names and i not in node.plan.positions and (key, box.id) not in drawn:
                        drawn[key, box.id] = Edge(key, box.id, argument(node, i))
                        found[key] = there.get(key) or Box(key, "constant", "constant", x.shape, str(x.dtype))
            found[box.id] = box
        return list(found.values()), list(drawn.values())

    def _graph(self, boxes: list[Box], edges: list[Edge], unfolded: Graph | None) -> dict[str, Any]:
        for box in boxes:
            self._shorten(box)
        laid = Graph(boxes, edges)
        return {
            "width": laid.width,
            "height": laid.height,
            "nodes": [self._described(box, unfolded) for box in laid.boxes],
            "edges": [{"source": a, "target": b, "points": points} for (a, b), points in laid.routes.items()],
        }

    def _shorten(self, box: Box) -> None:
        """Leave only the title and the shape of one example in a box: the panel shows the rest."""
        box.title = self.names.get(box.id, box.title.partition("(")[0])
        shape = "×".join(map(str, box.shape if box.kind == "parameter" else box.shape[1:])) or "1"
        box.lines = [line for line in (box.path if box.kind in ("layer", "rule") else "", f"({shape})") if line]

    def _described(self, box: Box, unfolded: Graph | None) -> dict[str, Any]:
        node = self.nodes.get(box.id)
        value = self._value(box)
        gradient = self.gradients.get(int(box.id)) if node is not None else None
        inner = unfolded and (box.kind == "layer" or len(box.nodes) > 1) and self._inside(box, unfolded)
        return {
            "id": box.id, "kind": box.kind, "title": box.title, "lines": box.lines, "x": box.x, "y": box.y,
            "width": box.width, "height": box.height, "op": box.op, "formula": box.formula, "rules": box.rules,
            "helpers": box.helpers, "named": box.id in self.names,
            "path": box.path, "network": box.network, "shape": list(box.shape), "where": self._where(box),
            "sources": sorted(self.sources[int(box.id)]) if node is not None else [],
            "part": self.parts[int(box.id)] if node is not None else "",
            "value": None if value is None else summary(value),
            "gradient": None if gradient is None else summary(gradient),
            "leaves": self._leaving(box),
            "inner": inner or None,
        }  # fmt: skip

    def _value(self, box: Box) -> Array | None:
        node = self.nodes.get(box.id)
        if node is None:
            return self.arrays.get(int(box.id[1:]))
        if isinstance(node.where, Origin):
            return node.where.value
        t = node.leaf and node.leaf()
        return self.given.get(node.order) if t is None else t.data

    def _leaving(self, box: Box) -> dict[str, Any]:
        """The gradients that a box of one op passes on, by name: {"gx": ..., "gw": ...}."""
        node = self.nodes.get(box.id)
        if node is None or len(box.nodes) > 1 or not isinstance(node.where, Origin):
            return {}
        names = [_gradient_name(argument_name(node, i)) for i in node.plan.positions]
        return {name: summary(g) for name, g in zip(names, node.where.leaves, strict=False)}  # none if no gradient came

    def _inside(self, box: Box, unfolded: Graph) -> dict[str, Any]:
        """The ops in a box, and a layer's parameters, as a graph of their own."""
        own = {str(order) for order in box.nodes}
        leaves = {e.source for e in unfolded.edges if e.target in own and self._is_parameter(e.source)}
        boxes = [b for b in unfolded.boxes if b.id in own | leaves]
        kept = {b.id for b in boxes}
        return self._graph(boxes, [e for e in unfolded.edges if e.source in kept and e.target in own], None)

    def _is_parameter(self, key: str) -> bool:
        node = self.nodes.get(key)
        return node is not None and node.leaf is not None and id(node.leaf()) in self.networks

    def _where(self, box: Box) -> list[str]:
        """The lines of the model's code that led to an op, the innermost first."""
        own = takewhile(lambda place: place.file != ABOVE, box.where)
        return [_line(place) for place in own if place.file not in BETWEEN]


def _gradient_name(argument: str) -> str:
    return f"g{argument}" if argument.isidentifier() else f"of {argument}"


def _line(place: Place) -> str:
    file = Path(place.file)
    return f"{'/'.join(file.parts[-2:])}:{place.line} in {place.function}: {place.code}"


def summary(x: Array) -> dict[str, Any]:
    """An array in a few numbers: {shape, norm, low, high, zeros, bins}, or {item} for one element; with {picture}, the
    first of images.

    zeros: the share that is exactly 0.  bins: how many values lie in each of 24 equal parts from low to high.
    """
    x = to_host(array_of(x))
    if x.size == 1:
        return {"item": float(x.item())}
    values = x.astype(np.float64).ravel()
    values = values[np.isfinite(values)] if x.dtype.kind == "f" else values
    low, high = (float(values.min()), float(values.max())) if values.size else (math.nan, math.nan)
    bins = np.histogram(values, BINS, (low, high))[0].tolist() if low < high else [int(values.size)]
    found = {
        "shape": list(x.shape),
        "norm": float(np.linalg.norm(values)),
        "low": low,
        "high": high,
        "zeros": float(np.mean(values == 0)),
        "bins": bins,
    }
    if x.ndim == 4 and x.shape[-1] in (1, 3) and min(x.shape[1:3]) >= 8:
        every = -(-max(x.shape[1:3]) // LARGEST_PICTURE)
        picture = x[0, ::every, ::every].astype(np.float64)
        largest = float(np.abs(picture).max()) or 1.0
        found["picture"] = embed_array((picture / largest * 127).round().astype(np.int8)) | {"largest": largest}
    return found
