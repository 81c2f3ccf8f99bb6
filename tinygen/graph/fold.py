"""Which nodes of a tape belong together: those that one call of a layer made, and those of its rules on a second tape.

Who made a node is on the tape (tape.note_maker): for each call its first node's number and its last node. All numbers
between are its own, as the calls nest.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..layers.module import Module
from ..tape import Node


@dataclass(eq=False)
class Call:
    """One call of a module, or (maker: a Node) of the rules of a node. path: the module's name, "" if it has none."""

    maker: Any
    first: int
    last: int
    outer: Call | None = None
    path: str = ""
    inner: int = 0  # how many calls it made

    @property
    def is_layer(self) -> bool:
        """Whether it is a module that called no other."""
        return isinstance(self.maker, Module) and not self.inner

    @property
    def network(self) -> str:
        """The first part of the path that is a name and no number."""
        return next((part for part in self.path.split(".")[:1] if not part.isdigit()), "")


@dataclass(eq=False)
class Unit:
    """Nodes drawn as one box, in their order. call: of the module that made them.  of: the node, or the layer's call,
    whose rules made them.  folded: the box stands for a layer, or for the rules of one."""

    nodes: list[Node]
    call: Call | None = None
    of: Call | Node | None = None
    folded: bool = False

    @property
    def id(self) -> str:
        return str(self.nodes[-1].order)


def reach(root: Node) -> list[Node]:
    """All nodes that lead to root, and root, in the order in which they were made; with those of the first tape whose
    rules made the second, whether a derivative runs through them or not."""
    found, stack = {root.order: root}, [root]
    while stack:
        node = stack.pop()
        for earlier in (*node.parents, *(maker for maker, _ in node.makers if isinstance(maker, Node))):
            if earlier.order not in found:
                found[earlier.order] = earlier
                stack.append(earlier)
    return [node for _, node in sorted(found.items())]


def units(nodes: Iterable[Node], fold: bool) -> list[Unit]:
    """The nodes that an op made, in boxes: a box for each op, or, folded, one for each call of a layer."""
    ops = [node for node in nodes if node.plan is not None]
    calls = _innermost(ops)
    found: list[Unit] = []
    for node in ops:
        call = calls[node.order]
        of: Call | Node | None = None
        if call is not None and isinstance(call.maker, Node):
            maker = calls.get(call.maker.order)
            of, call = (maker if maker is not None and maker.is_layer else call.maker), None
        layer = next((c for c in (call, of) if isinstance(c, Call) and c.is_layer), None) if fold else None
        if layer is not None and found and found[-1].folded and (found[-1].call, found[-1].of) == (call, of):
            found[-1].nodes.append(node)
        else:
            found.append(Unit([node], call, of, folded=layer is not None))
    return _absorb_sums(found)


def _absorb_sums(found: list[Unit]) -> list[Unit]:
    """Sums of gradients that backward made between two rules of one layer join that layer's box."""
    joined: list[Unit] = []
    for unit in found:
        before, between = joined[-2:] if len(joined) > 1 else (None, unit)
        if before and unit.folded and before.of is unit.of is not None and between.call is between.of is None:
            joined.pop()
            before.nodes += between.nodes + unit.nodes
        else:
            joined.append(unit)
    return joined


def _innermost(ops: list[Node]) -> dict[int, Call | None]:
    """For each op's number, the innermost call in which it was made."""
    calls: dict[tuple[int, int], Call] = {}
    for node in ops:
        for maker, first in node.makers:
            maker = maker() if isinstance(maker, weakref.ref) else maker
            if maker is not None:
                call = calls.setdefault((id(maker), first), Call(maker, first, node.order))
                call.last = max(call.last, node.order)
    waiting = sorted(calls.values(), key=lambda call: (call.first, -call.last))[::-1]
    found: dict[int, Call | None] = {}
    within: Call | None = None
    for node in ops:
        while waiting and waiting[-1].first < node.order:
            call = waiting.pop()
            while within is not None and within.last < call.first:
                within = within.outer
            call.outer, within = within, call
            _place(call)
        while within is not None and within.last < node.order:
            within = within.outer
        found[node.order] = within
    return found


def _place(call: Call) -> None:
    """Give a module's call its path: below that of the module that called it, or as its parameters are named."""
    outer = call.outer
    if outer is not None and isinstance(outer.maker, Module) and isinstance(call.maker, Module):
        outer.inner += 1
        for name, module in outer.maker.named_modules():
            if module is call.maker:
                call.path = f"{outer.path}.{name}" if outer.path else name
                return
    if isinstance(call.maker, Module):
        for own, t in call.maker.named_tensors():
            if t.name and t.name.endswith(own):
                call.path = t.name[: -len(own)].rstrip(".")
                return
