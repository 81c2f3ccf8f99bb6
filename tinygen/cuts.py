"""Where the tape was cut: why no gradient flows from one Tensor to another, for an error that says so."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

from .errors import GradientError
from .tape import Node, describe


class Cut(NamedTuple):
    """What made a constant of a Tensor that required grad, and that Tensor's name, shape and dtype.

    Constants pass it on to what is computed from them. It holds no array and no node.
    """

    by: str
    name: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: Any = None

    def __str__(self) -> str:
        return self.by if self.shape is None else f"{self.by} {describe(self)}"


BACKWARD, NO_GRAPH, FROZEN = Cut("backward()"), Cut("grad() without create_graph=True"), Cut("frozen()")
CONSTANT = Cut("a derivative that is constant")  # not really a cut: its derivative is 0


def describe_cut(cut: Any) -> str:
    """A cut in words. For a frozen Tensor it is a weak reference, which takes no time to store."""
    if isinstance(cut, weakref.ref):
        t = cut()
        return "frozen()" if t is None else f"frozen(), which held {describe(t)}"
    return str(cut)


def check_used(y: Any, xs: Sequence[Any], missing: Sequence[int]) -> None:
    """Raise GradientError for an x that y does not depend on, unless dy/dx is 0 by the rules of calculus.

    It is if y is computed from a derivative, and x was part of what was differentiated.
    """
    nodes, cuts, of_constant = _behind(y.node)
    for i in missing:
        x = xs[i]
        if x.node not in nodes and not (of_constant and not cuts):
            why = f"the tape was cut by {' and by '.join(cuts)}" if cuts else "was it passed on as an array?"
            raise GradientError(
                f"grad: {describe(y)} does not depend on xs[{i}], {describe(x)}: {why}; "
                'to get zeros, pass unused="zeros"'
            )


def _behind(root: Node) -> tuple[set[Node], list[str], bool]:
    """All nodes that root was computed from, and those whose derivatives it uses; the first cuts on the way, in words;
    and whether a constant derivative is among them."""
    seen, stack, cuts, of_constant = set[Node](), [root], dict[str, None](), False
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += [*node.parents, *(maker for maker, _ in node.makers if isinstance(maker, Node))]
            cut = getattr(node, "cut", None)
            if cut is CONSTANT:
                of_constant = True
            elif cut is not None:
                cuts[describe_cut(cut)] = None
    return seen, list(cuts)[:3], of_constant
