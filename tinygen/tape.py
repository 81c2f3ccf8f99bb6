"""The tape: what a forward pass leaves behind, and the walk back over it.

A Node is one call of a primitive: the rules to run, the nodes of its arguments, and of the values only what the rules
read. Backward visits the nodes from the newest to the oldest, so each is visited once, when its gradient is complete;
nothing recurses. Gradients are plain arrays, or Tensors when they are to be differentiated again: a rule can't tell.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any, TypeAlias

import numpy as np

from .backend import Array
from .errors import GradientError


class _Mode(threading.local):
    recording: bool = True
    tracer: Callable[[str, str, Any, Array, Any], Any] | None = None


mode = _Mode()
orders = itertools.count(1)


Version: TypeAlias = "tuple[list[int], int, int, str | None]"  # a counter, its value at forward, place in saved, name


class Node:
    """One step of the tape, or a leaf (no plan). It never holds the Tensor that holds it: a graph has no cycles."""

    aux: Any = ()  # what a primitive returned beside y
    versions: list[Version] | None = None  # of what was saved and can be changed in place
    hooks: dict[int, Callable[[Any], Any]] | None = None
    leaf: Any = None  # a weak reference to the Tensor
    where: Any = None  # what a tracer returned

    def __init__(self, plan: Any, y: Array, parents: Sequence[Node] = (), saved: Any = None):
        self.plan = plan
        self.parents = parents  # of the arguments at plan.positions
        self.saved = saved  # (y, *arguments) as far as the rules read them; None once freed
        self.shape = y.shape
        self.dtype = y.dtype
        self.order = next(orders)


def walk_back(
    root: Node, gy: Any, targets: set[Node] | None, retain_graph: bool, wrap: Callable[[Array, Node], Any] | None
) -> dict[Node, tuple[Any, bool]]:
    """The gradients of the targets (None: of every leaf), each with whether its memory is shared with nobody.

    gy: the gradient of root, in an array, or in a Tensor if the gradients are to be on the tape; then `wrap` makes
    Tensors of what the nodes saved. Visits only the paths to the targets. Raises GradientError.
    """
    needed = None if targets is None else _paths(root, targets)
    results: dict[Node, tuple[Any, bool]] = {}
    pending = {root.order: (root, gy, _SHARED)}
    heap = [-root.order]
    before, mode.recording = mode.recording, wrap is not None
    try:
        while heap:
            node, gy, owner = pending.pop(-heappop(heap))
            if node.hooks:
                gy, owner = _run_hooks(node, gy, owner)
            if node.plan is None if targets is None else node in targets:
                results[node] = gy, owner is not _SHARED
            if node.plan is None:
                continue
            for parent, g in _apply_rules(node, gy, needed, wrap):
                order = parent.order
                earlier = pending.get(order)
                if earlier is None:
                    pending[order] = (parent, g, _FROM_RULE if wrap is None and _is_new(g, gy, node.saved) else _SHARED)
                    heappush(heap, -order)
                elif earlier[2] is _OURS:
                    total = earlier[1]
                    total += g
                else:
                    pending[order] = (parent, earlier[1] + g, _OURS if wrap is None else _SHARED)
            if not retain_graph:
                node.saved = None
                if node.aux:
                    node.aux = ()
    finally:
        mode.recording = before
    return results


_SHARED, _FROM_RULE, _OURS = "shared", "from a rule", "summed here"  # whose memory a gradient is: only ours is added to


def _run_hooks(node: Node, gy: Any, owner: str) -> tuple[Any, str]:
    for hook in list((node.hooks or {}).values()):
        replaced = hook(gy)
        if replaced is not None:
            check_gradient(replaced, node, "register_hook: what the hook returns")
            gy, owner = replaced, _SHARED
    return gy, owner


def _is_new(g: Array, gy: Array, saved: tuple[Any, ...]) -> bool:
    """Whether a rule made this array: it is not a view, and not what the rule was given."""
    return g is not gy and g.base is None and all([x is not g for x in saved])  # noqa: C419, a list is quicker here


def _paths(root: Node, targets: set[Node]) -> set[Node]:
    """The nodes on a path from root to a target. Whatever is older than the oldest target can't be on one."""
    oldest, reached, stack = min(t.order for t in targets), {}, [root]
    while stack:
        node = stack.pop()
        if node.order >= oldest and node.order not in reached:
            reached[node.order] = node
            stack.extend(node.parents)
    needed: set[Node] = set()
    for _, node in sorted(reached.items()):
        if node in targets or not needed.isdisjoint(node.parents):
            needed.add(node)
    return needed


def _apply_rules(node: Node, gy: Any, needed: set[Node] | None, wrap: Any) -> list[tuple[Node, Any]]:
    """The gradients that a node sends to its parents (those in needed), each of the parent's shape and dtype."""
    plan, op, saved = node.plan, node.plan.op, node.saved
    if saved is None:
        if needed is None or not needed.isdisjoint(node.parents):
            raise GradientError(
                f"{op.name}: its graph was freed by an earlier backward; pass retain_graph=True to that"
            )
        return []
    if node.versions is not None:
        _check_versions(node)
    if wrap is not None:
        saved = list(saved)
        for i, source in ((0, node), *((i + 1, p) for i, p in zip(plan.positions, node.parents, strict=True))):
            if i in plan.whole:
                saved[i] = wrap(saved[i], source)
    together = None
    if op.joint is not None:
        together = op.joint(gy, *saved) if wrap or op.fused is None else op.fused(gy, *saved, *node.aux)
    sent = []
    for i, parent in zip(plan.positions, node.parents):  # noqa: B905, strict costs time in the hottest loop
        if needed is not None and parent not in needed:
            continue
        g = op.rules[i](gy, *saved) if together is None else together[i]
        if isinstance(g, np.generic):
            g = np.asarray(g)
        if g.shape != parent.shape:
            g = sum_to(g, parent.shape) if op.elementwise else g
            check_shape(g, parent, f"{op.name}: what the rule of argument {i} returns")
        if g.dtype is not parent.dtype and g.dtype != parent.dtype:
            g = g.astype(parent.dtype)
        if mode.tracer is not None:
            mode.tracer(op.name, "backward", (gy, *saved), g, node.where)
        sent.append((parent, g))
    return sent


def _check_versions(node: Node) -> None:
    for version, count, i, name in node.versions or ():
        if version[0] != count:
            what = describe(node.saved[i], name) if i else "its output"
            raise GradientError(
                f"{node.plan.op.name}: {what} was changed after the forward pass, so its gradient would be wrong (an "
                "optimiser step in between?); take all gradients before the change, or run the forward pass again"
            )


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of broadcasting from shape: g summed over the axes that were added or stretched."""
    lead = g.ndim - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1]
    axes = (*range(lead), *stretched)
    return g.sum(axis=axes, keepdims=True).reshape(shape) if axes else g


def check_shape(g: Any, like: Any, what: str) -> None:
    """Raise GradientError unless g has the shape of `like`."""
    if getattr(g, "shape", None) != like.shape:
        raise GradientError(f"{what} must be {brief(like)}, but it is {brief(g)}")


def check_gradient(g: Any, like: Any, what: str) -> None:
    """Raise GradientError unless g has the shape and dtype of `like`."""
    check_shape(g, like, what)
    if g.dtype != like.dtype:
        raise GradientError(f"{what} must be {brief(like)}, but it is {brief(g)}")


def brief(x: Any) -> str:
    """What x is, for an error: dtype and shape of an array, else the type."""
    return f"{x.dtype} of shape {x.shape}" if hasattr(x, "shape") else type(x).__name__


def describe(x: Any, name: str | None) -> str:
    """Which Tensor it is, for an error: its name if it has one, dtype and shape."""
    return f"the Tensor {name!r} ({brief(x)})" if name else f"a Tensor ({brief(x)})"


class no_grad(contextlib.ContextDecorator):
    """Record nothing: `with no_grad():`, or as a decorator. Results are constants."""

    def __enter__(self) -> None:
        self._before, mode.recording = mode.recording, False

    def __exit__(self, *exception: object) -> None:
        mode.recording = self._before


@contextlib.contextmanager
def frozen(module: Any) -> Iterator[None]:
    """Let gradients pass through a module (or some Tensors) and none stay: its parameters are constants in the block.

    Nests: the flags found are restored. Buffers, such as running statistics, still update.
    """
    parameters = list(module.parameters() if hasattr(module, "parameters") else module)
    nodes = [p._node for p in parameters]
    for p in parameters:
        p._node = None
    try:
        yield
    finally:
        for p, node in zip(parameters, nodes, strict=True):
            p._node = node


@contextlib.contextmanager
def trace(callback: Callable[[str, str, Any, Array, Any], Any]) -> Iterator[None]:
    """Call callback(op, "forward" | "backward", inputs, output, where) for each op and each rule.

    `where` is what the callback returned at the op's forward, say the line of the user's code that called it.
    """
    before, mode.tracer = mode.tracer, callback
    try:
        yield
    finally:
        mode.tracer = before
