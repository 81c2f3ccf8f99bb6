"""What the picture of a tape shows of each op, layer and leaf."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..backend import is_array, to_host
from ..layers.module import Module, title_of
from ..places import Place
from ..tape import Node
from ..tensor import Parameter
from . import ruletext
from .fold import Call, Unit

SHORT = 22  # characters: a formula up to this length is drawn in the box, a longer one is in the tooltip
OPTIONS = re.compile(r", \w+=[^,()]+(?=[,)])")  # the keywords of a layer: too long for its box


@dataclass(eq=False)
class Box:
    """One box of the picture.

    kind: "op", "layer", "rule" (what rules made under create_graph), "parameter", "input" (another leaf that requires
    grad) or "constant".  lines: the text below the title.  path: the module's name, such as "G.2"; network: its first
    part.  helpers: the private functions that its rules call, each with what it computes.  frozen: whether it is a
    layer whose parameters get no gradient.  where: the lines of code that made it, the innermost first.  nodes: the
    numbers of its nodes on the tape; the last one is the id.  x, y: its middle, in pixels.

    >>> picture = tg.graph.explain("x * y").picture
    >>> [(box.kind, box.title) for box in picture.boxes]
    [('input', 'x'), ('input', 'y'), ('op', 'multiply')]
    """

    id: str
    kind: str
    title: str
    shape: tuple[int, ...]
    dtype: str
    lines: list[str] = field(default_factory=list)
    op: str = ""
    formula: str = ""
    rules: dict[str, str] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    path: str = ""
    network: str = ""
    frozen: bool = False
    where: list[Place] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


class Edge(NamedTuple):
    """From box to box, by id.

    argument: the op's argument that takes the value; "" if the target holds the rules of the source.  label: the text
    beside it.

    >>> picture = tg.graph.explain("x * y").picture
    >>> [edge.argument for edge in picture.edges]
    ['a', 'b']
    """

    source: str
    target: str
    argument: str
    label: str = ""


def unit_box(unit: Unit) -> Box:
    """The box of an op, or of all ops of a layer."""
    node, layer = unit.nodes[-1], unit.rules_of if isinstance(unit.rules_of, Call) else unit.call
    op = node.plan.op
    box = Box(str(node.order), "rule" if unit.rules_of is not None else "op", op.title, node.shape, str(node.dtype))
    box.op, box.formula = op.title, ruletext.formula(op)
    box.rules, box.helpers = ruletext.rules(op), ruletext.helpers(op)
    box.nodes, box.where = [n.order for n in unit.nodes], _places(node)
    if layer is not None:
        box.path, box.network = layer.path, layer.network
    if unit.folded and layer is not None:
        _describe_layer(box, unit, layer.maker)
    else:
        box.lines = [box.formula.rstrip(".")] if 0 < len(box.formula) <= SHORT else []
        box.lines += _options(node)
    box.lines.append(_shape(node.shape))
    return box


def _describe_layer(box: Box, unit: Unit, module: Module) -> None:
    title = OPTIONS.sub("", title_of(module))
    if unit.rules_of is not None:
        box.title = f"∂ {title}"
    else:
        own = {p.node for p in module.parameters()}
        box.kind, box.title = "layer", title
        box.frozen = bool(own) and not any(parent in own for n in unit.nodes for parent in n.parents)
    box.lines = [f"{box.path} frozen" if box.frozen else box.path] if box.path else []
    if len(unit.nodes) > 1:
        box.op = ", ".join(dict.fromkeys(n.plan.op.title for n in unit.nodes))
        what = (module.__doc__ or "").strip().partition("\n")[0]
        box.formula = what if unit.rules_of is None else f"The ops of {title}'s rules, as recorded."
        box.rules, box.helpers = {}, {}


def leaf_box(node: Node) -> Box:
    """The box of a leaf, under its name if it has one; if it has one element, with its value and gradient."""
    t = node.leaf and node.leaf()
    name = getattr(t, "name", None) or ""
    kind = "parameter" if isinstance(t, Parameter) else "input"
    box = Box(str(node.order), kind, name or kind, node.shape, str(node.dtype), [_shape(node.shape)])
    box.nodes = [node.order]
    if kind == "parameter" and "." in name:
        box.path, first = name.rpartition(".")[0], name.partition(".")[0]
        box.network = "" if first.isdigit() else first
    if t is not None and t.size == 1:
        box.lines = [f"= {t.item():.4g}"] + ([f"grad {t.grad.item():.4g}"] if t.grad is not None else [])
    return box


def constant_boxes(unit: Unit) -> Iterator[tuple[Box, str]]:
    """The boxes of arguments that get no gradient, each with the argument's name: arrays of floats that the node still
    keeps and that do not belong to its own layer."""
    module, node = unit.call and unit.call.maker, unit.nodes[0]
    own = {id(t.array) for _, t in module.named_tensors()} if isinstance(module, Module) else set()
    for i, x in _constants(node):
        if is_array(x) and x.dtype.kind == "f" and id(x) not in own:
            text = f"= {to_host(x).item():.4g}" if x.size == 1 else _shape(x.shape)
            yield Box(f"c{id(x)}", "constant", "constant", x.shape, str(x.dtype), [text]), argument(node, i)


def _options(node: Node) -> list[str]:
    """The numbers among an op's arguments, such as the slope of a leaky ReLU, if its node keeps them."""
    named = _constants(node) if node.plan.op.arity >= 0 else []
    return [f"{argument(node, i)} = {x:.4g}" for i, x in named if type(x) in (int, float)]


def _constants(node: Node) -> list[tuple[int, Any]]:
    """The arguments without a gradient that the node keeps, with their positions."""
    return [(i, x) for i, x in enumerate((node.saved or ())[1:]) if i not in node.plan.positions]


def argument(node: Node, i: int) -> str:
    """The name of an op's argument."""
    op = node.plan.op
    return list(op.signature.parameters)[i] if op.arity >= 0 else f"argument {i}"


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})" if shape else "one number"


def _places(node: Node) -> list[Place]:
    """The lines that called it, if they were recorded: the innermost first, up to the user's outermost."""
    places = [place for place in node.where or () if isinstance(place, Place)]
    outermost = [i for i, place in enumerate(places) if place.function == "<module>"]
    return places[: outermost[0] + 1] if outermost else places
