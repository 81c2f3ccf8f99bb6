"""The tape: what a forward pass leaves behind, and the walk back over it.

A Node is one call of a primitive: the rules to run, the nodes of its arguments, and only those values that the
rules read. Backward visits the nodes from the newest to the oldest, so each is visited once, when its gradient is
complete; nothing recurses. Gradients are plain arrays, or Tensors if they are to be differentiated again: a rule can't
tell.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from . import kernels
from .backend import Array, is_array
from .errors import GradientError


class _Mode(threading.local):
    recording: bool | frozenset[Node] = True  # or False, or all but these nodes
    frozen: frozenset[Node] = frozenset()
    tracer: Callable[[str, str, Any, Array, Any], Any] | None = None


mode = _Mode()
orders = itertools.count(1)


class Version:
    """How often a piece of memory was changed. A Tensor shares it with its views and with detach()."""

    __slots__ = ("count", "owner")

    def __init__(self, owner: Any):
        self.count = 0
        self.owner = weakref.ref(owner)


class Node:
    """One step of the tape, or a leaf (no plan). It never holds the Tensor that holds it: a graph has no cycles."""

    cut: Any  # set if one of the arguments is a constant with a Cut

    __slots__ = ("aux", "cut", "dtype", "hooks", "leaf", "makers", "order", "parents", "plan", "saved", "shape",
                 "versions", "where")  # fmt: skip

    def __init__(self, plan: Any, y: Array, parents: Sequence[Node] = (), saved: Any = None):
        self.plan = plan
        self.parents = parents  # of the arguments at plan.positions
        self.saved = saved  # (y, *arguments) as far as the rules read them; None once freed
        self.shape = y.shape
        self.dtype = y.dtype
        self.order = next(orders)
        self.aux: Any = ()  # what a primitive returned besides y
        self.versions: dict[int, tuple[Version, int]] | None = None  # of what was saved, with the counts then
        self.hooks: dict[int, Callable[[Any], Any]] | None = None
        self.leaf: Any = None  # a weak reference to the Tensor
        self.where: Any = None  # what a tracer returned
        self.makers: tuple[tuple[Any, int], ...] = ()  # see note_maker()


def walk_back(
    root: Node, gy: Any, targets: set[Node] | None, retain_graph: bool, wrap: Callable[..., Any] | None
) -> dict[Node, tuple[Any, bool]]:
    """The gradients of the targets (None: of every leaf), each with True if nothing else shares its memory.

    gy: the gradient of root: an array, or a Tensor to put the gradients on the tape; then `wrap` makes Tensors of what
    the nodes saved. Visits only the paths to the targets. Raises GradientError.
    """
    routes = None if targets is None else _routes(root, targets)
    results: dict[Node, tuple[Any, bool]] = {}
    pending = {root.order: (root, gy, _SHARED)}
    heap = [-root.order]
    tracer = mode.tracer
    before, mode.recording = mode.recording, wrap is not None
    try:
        while heap:
            node, gy, whose = pending.pop(-heappop(heap))
            if node.hooks:
                gy, whose = _run_hooks(node, gy), _SHARED
            plan = node.plan
            if plan is None if targets is None else node in targets:
                results[node] = gy, whose is not _SHARED
            if plan is None or (routes is not None and node not in routes):
                continue
            saved = node.saved
            if saved is None or node.versions is not None or wrap is not None:
                saved = _unpack(node, wrap)
            rules, first = (plan.first_rules, 0) if wrap is None else (plan.rules, next(orders))
            joint = None if rules is not None else plan.joint_gradients(gy, saved, node.aux, wrap is not None)
            for i, parent in zip(plan.positions, node.parents) if routes is None else routes[node]:  # noqa: B905, slower
                g = rules[i](gy, *saved) if joint is None else joint[i]
                if type(g) is not type(gy) or g.shape != parent.shape or g.dtype is not parent.dtype:
                    g = _fit(g, gy, parent, plan.op, i)
                if wrap is not None:
                    note_maker(g, node, first)
                if tracer is not None:
                    tracer(plan.op.name, "backward", (gy, *saved), g, node.where)
                order = parent.order
                earlier = pending.get(order)
                if earlier is None:
                    new = wrap is None and parent.plan is None and _is_new(g, (gy, *saved, *(joint or (g,))))
                    pending[order] = parent, g, _FROM_RULE if new else _SHARED
                    heappush(heap, -order)
                elif earlier[2] is _OURS and g.size > 1:  # NumPy adds a single element faster out of place
                    total = earlier[1]
                    total += g
                else:
                    pending[order] = parent, no_scalar(earlier[1] + g), _SHARED if wrap else _OURS
            if not retain_graph:
                node.saved = None
                node.aux = ()
    finally:
        mode.recording = before
    return results


def pass_back(node: Node, gy: Any, wrap: Callable[..., Any]) -> list[Any]:
    """The gradients that an op's rules make of gy, one for each parent. What the op saved counts as constant."""
    plan = node.plan
    saved = _unpack(node, lambda x, source, version=None: wrap(x, None))
    joint = None if plan.rules is not None else plan.joint_gradients(gy, saved, node.aux, True)
    made = {i: plan.rules[i](gy, *saved) if joint is None else joint[i] for i in plan.positions}
    return [_fit(made[i], gy, parent, plan.op, i) for i, parent in zip(plan.positions, node.parents, strict=True)]


def note_maker(y: Any, maker: Any, first: int) -> None:
    """Note on y's node that the nodes from `first` up to it have one maker: a module's call (a weak reference to the
    module), or the rules of a node (that node) under create_graph. Pictures of the tape fold by it."""
    for part in y if isinstance(y, tuple) else (y,):
        node = getattr(part, "node", None)
        if node is not None and node.order > first:
            node.makers = (*node.makers, (maker, first))


_SHARED, _FROM_RULE, _OURS = "shared", "from a rule", "summed here"  # a gradient's memory: only ours is added to


def _run_hooks(node: Node, gy: Any) -> Any:
    for hook in list((node.hooks or {}).values()):
        replaced = hook(gy)
        if replaced is not None:
            check_gradient(replaced, node, "register_hook: what the hook returns")
            gy = replaced
    return gy


def _is_new(g: Array, known: tuple[Any, ...]) -> bool:
    """Whether a rule allocated this array for this argument alone: it is all of a memory that is in `known` once."""
    base = g.base
    if base is not None and (not g.flags.forc or g.size != getattr(base, "size", None)):
        return False
    memory = g if base is None else base
    return [x is memory or getattr(x, "base", None) is memory for x in known].count(True) == 1


def _routes(root: Node, targets: set[Node]) -> dict[Node, list[tuple[int, Node]]]:
    """For each node on a path from root to a target: the arguments through which it continues, and their nodes."""
    oldest, reached, stack = min(t.order for t in targets), {}, [root]
    while stack:
        node = stack.pop()
        if node.order >= oldest and node.order not in reached:  # a node older than every target can't be on a path
            reached[node.order] = node
            stack.extend(node.parents)
    routes: dict[Node, list[tuple[int, Node]]] = {}
    for _, node in sorted(reached.items()):
        arguments = zip(node.plan.positions, node.parents, strict=True) if node.plan else ()
        onward = [(i, parent) for i, parent in arguments if parent in targets or parent in routes]
        if onward:
            routes[node] = onward
    return routes


def _unpack(node: Node, wrap: Callable[..., Any] | None) -> Sequence[Any]:
    """What the node saved, on the tape if `wrap` is given. Raises GradientError if it was freed, or changed since."""
    plan, versions = node.plan, node.versions or {}
    if node.saved is None:
        raise GradientError(
            f"{plan.op.title}: its graph was freed by an earlier backward; pass retain_graph=True to that call"
        )
    for i, (version, count) in versions.items():
        if version.count != count:
            owner = version.owner()
            what = describe(node.saved[i] if owner is None else owner)
            raise GradientError(
                f"{plan.op.title}: {what} was changed after the forward pass, so the gradient would be wrong (an "
                "optimiser step in between?); take all gradients before the change, or run the forward pass again"
            )
    if wrap is None:
        return node.saved
    saved, sources = list(node.saved), dict(zip(plan.positions, node.parents, strict=True))
    for i in plan.whole:
        source = sources.get(i - 1) if i else node
        if source is not None or i in versions:  # constants too, so that the second backward notices a change
            saved[i] = wrap(saved[i], source, versions[i][0] if i in versions else None)
    return saved


def _fit(g: Any, gy: Any, parent: Node, op: Any, i: int) -> Any:
    """A rule's result with its argument's shape and dtype. Raises GradientError if the shape does not fit."""
    g = no_scalar(g)
    if op.elementwise and getattr(g, "shape", None) == gy.shape:
        g = sum_to(g, parent.shape)
    check_shape(g, parent, f"{op.title}: what the rule of argument {i} returns")
    return g if g.dtype == parent.dtype else g.astype(parent.dtype)


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of broadcasting from shape: g summed over the axes that were added or stretched."""
    lead = g.ndim - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1]
    axes = (*range(lead), *stretched)
    if axes and is_array(g):
        return kernels.total(g, axes, True).reshape(shape)
    return g.sum(axis=axes, keepdims=True).reshape(shape) if axes else g


def no_scalar(x: Any) -> Any:
    """x, but a 0-d array where NumPy gave a scalar."""
    return np.asarray(x) if isinstance(x, np.generic) else x


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


def describe(x: Any) -> str:
    """A Tensor, or an array that was one, in words, for an error: its name if it has one, dtype and shape."""
    name = getattr(x, "name", None)
    return f"the Tensor {name!r} ({brief(x)})" if name else f"a Tensor ({brief(x)})"
