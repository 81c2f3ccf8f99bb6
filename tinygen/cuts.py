"""Where the tape was cut: why no gradient flows from one Tensor to another, for an error that says so."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

from .errors import GradientError
from .tape import Node, describe


class Cut(NamedTuple):
    """What made a constant of something that required grad: by what, and the Tensor's name, shape and dtype.

    Constants hand it on to what is computed from them. It holds no array and no node.
    """

    by: str
    name: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: Any = None

    def __str__(self) -> str:
        return self.by if self.shape is None else f"{self.by} {describe(self, self.name)}"


BACKWARD, NO_GRAPH, FROZEN = Cut("backward()"), Cut("grad() without create_graph=True"), Cut("frozen()")
CONSTANT = Cut("a derivative that is constant")  # that is no cut: its derivative is 0


def said(cut: Any) -> str:
    """The words for a cut. Of what was frozen a weak reference is noted, which takes no time."""
    if isinstance(cut, weakref.ref):
        t = cut()
        return "frozen()" if t is None else f"frozen(), which held {describe(t, t.name)}"
    return str(cut)


def check_used(y: Any, xs: Sequence[Any], missing: Sequence[int]) -> None:
    """Raise GradientError for an x on which y does not depend, unless dy/dx is 0 by the rules of calculus.

    It is if y is made of a derivative, and x of what was differentiated.
    """
    nodes, cuts, of_constant = _behind(y.node)
    for i in missing:
        x = xs[i]
        if x.node not in nodes and not (of_constant and not cuts):
            why = f"the tape was cut by {' and by '.join(cuts)}" if cuts else "was it passed on as an array?"
            raise GradientError(
                f"grad: {describe(y, y.name)} does not depend on xs[{i}], {describe(x, x.name)}: {why}; "
                'if its gradient is to be zeros, pass unused="zeros"'
            )


def _behind(root: Node) -> tuple[set[Node], list[str], bool]:
    """All nodes of which one was made, and those whose derivatives it is made of; the first cuts on the way, in words;
    and whether there is a constant derivative among them."""
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
                cuts[said(cut)] = None
    return seen, list(cuts)[:3], of_constant
