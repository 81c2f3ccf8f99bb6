"""Which nodes of a tape belong together: those that one call of a layer made, and those of its rules on a second tape.

The tape records who made a node (tape.note_maker): for each call, the number of its first node, and its last node.
Because calls nest, all numbers between belong to the call.
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
    inner: int = 0  # how many modules it called

    @property
    def is_layer(self) -> bool:
        """Whether it is a call of a module that called no other."""
        return isinstance(self.maker, Module) and not self.inner

    @property
    def network(self) -> str:
        """The first part of the path if it is a name, "" if it is a number."""
        return next((part for part in self.path.split(".")[:1] if not part.isdigit()), "")


@dataclass(eq=False)
class Unit:
    """Nodes drawn as one box, in their order. call: of the module that made them.  rules_of: the node, or the layer's
    call, whose rules made them.  folded: whether the box stands for a layer, or for the rules of one."""

    nodes: list[Node]
    call: Call | None = None
    rules_of: Call | Node | None = None
    folded: bool = False

    @property
    def id(self) -> str:
        return str(self.nodes[-1].order)


def reach(root: Node) -> list[Node]:
    """Root and all nodes that lead to it, in the order in which they were made. Included are the nodes of a first tape
    whose rules made the second, whether or not a derivative runs through them."""
    found, stack = {root.order: root}, [root]
    while stack:
        node = stack.pop()
        for earlier in (*node.parents, *(maker for maker, _ in node.makers if isinstance(maker, Node))):
            if earlier.order not in found:
                found[earlier.order] = earlier
                stack.append(earlier)
    return [node for _, node in sorted(found.items())]


def units(nodes: Iterable[Node], fold: bool) -> list[Unit]:
    """The nodes of ops, grouped into boxes: one for each op, or, folded, one for each call of a layer."""
    ops = [node for node in nodes if node.plan is not None]
    calls = _innermost(ops)
    found: list[Unit] = []
    for node in ops:
        call = calls[node.order]
        rules_of: Call | Node | None = None
        if call is not None and isinstance(call.maker, Node):
            maker = calls.get(call.maker.order)
            rules_of, call = (maker if maker is not None and maker.is_layer else call.maker), None
        layer = next((c for c in (call, rules_of) if isinstance(c, Call) and c.is_layer), None) if fold else None
        last = found[-1] if layer is not None and found else None
        if last is not None and last.folded and (last.call, last.rules_of) == (call, rules_of):
            last.nodes.append(node)
        else:
            found.append(Unit([node], call, rules_of, folded=layer is not None))
    return _absorb_sums(found)


def _absorb_sums(found: list[Unit]) -> list[Unit]:
    """Put sums of gradients that backward made between two rules of one layer into that layer's box."""
    joined: list[Unit] = []
    for unit in found:
        before, between = joined[-2:] if len(joined) > 1 else (None, unit)
        sums = between.call is between.rules_of is None
        if before and unit.folded and before.rules_of is unit.rules_of is not None and sums:
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
    """Give a module's call its path: from that of the module that called it, or else from its parameters' names."""
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
