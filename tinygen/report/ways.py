"""The ways of gradients from an op back to the numbers of one of its arguments: for each, the one that counts most.

An op's rule is linear in the gradient gy that arrives: gx = gyᵀ J, so that J can be asked for through the rule alone.
J v, a column of J or several at once, is the gradient of gx by gy along v.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..backend import Array, is_array, to_host
from ..gradients import grad
from ..graph.boxes import argument
from ..scopes import no_grad
from ..tape import Node, pass_back
from ..tensor import Tensor, wrap

MOST_COLUMNS = 500  # that an op is asked for; with more it would take minutes


def argument_name(node: Node, i: int) -> str:
    """The name of an op's argument; x if it is one of any number, such as those of concatenate, and alone gets a
    gradient."""
    return "x" if node.plan.op.arity < 0 and len(node.plan.positions) == 1 else argument(node, i)


class TooManyError(Exception):
    """It would take too long to follow all of these numbers."""


class Ways(NamedTuple):
    """Of numbers, flat indices into a node's value: the op and its output by which each counts most.

    user: its number among the node's users.  out: the flat index in its value.  arriving × local, the share of this
    way; total: of all `ways`; 0 if there are none.
    """

    numbers: np.ndarray
    user: np.ndarray
    out: np.ndarray
    arriving: np.ndarray
    local: np.ndarray
    ways: np.ndarray
    total: np.ndarray


class Derivative:
    """J of one of an op's arguments, at the values that the op had: J[k, j] is d out[k] / d argument[j]."""

    def __init__(self, node: Node, position: int):
        self._node, self._place = node, node.plan.positions.index(position)
        self.into, self.out = node.parents[self._place].shape, node.shape
        self.size = int(np.prod(self.out))
        self._rng = np.random.default_rng(0)

    def columns(self, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The columns of J for numbers of the argument, many at once where J allows it: [(which of the numbers, for
        each the rows of J, and what J holds there)]; elsewhere J is 0."""
        if (x := self.factor) is not None:
            i, j = np.unravel_index(numbers, self.into)
            yield np.arange(len(numbers)), np.arange(len(x)) * self.into[1] + j[:, None], x.T[i].astype(np.float64)
        elif len(numbers) > 1 and self._one_way is not None:
            out, local = self._one_way
            yield np.arange(len(numbers)), out[numbers, None], local[numbers, None]
        elif len(numbers) > 1 and self._apart is not None:
            yield from self._columns_apart(numbers, self._apart)
        elif len(numbers) > MOST_COLUMNS:
            raise TooManyError
        else:
            rows = np.arange(self.size)[None]
            for place, j in enumerate(numbers):
                v = np.zeros(int(np.prod(self.into)))
                v[j] = 1
                yield np.array([place]), rows, self._forward(v.reshape(self.into)).reshape(1, -1)

    def _columns_apart(self, numbers: np.ndarray, axis: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """As `columns`, if what lies at one place of an axis depends on that place alone."""
        n = self.into[axis]
        inside = np.moveaxis(np.arange(int(np.prod(self.into))).reshape(self.into), axis, 0).reshape(n, -1)
        rows = np.moveaxis(np.arange(self.size).reshape(self.out), axis, 0).reshape(n, -1)
        at, rest = np.divmod(np.argsort(inside, axis=None)[numbers], inside.shape[1])
        many = np.unique(rest)
        groups = np.split(many, range(n, len(many), n)) if self._alike else many[:, None]
        if len(groups) > MOST_COLUMNS:
            raise TooManyError
        for group in groups:
            v = np.zeros(int(np.prod(self.into)))
            v[inside[np.arange(len(group)), group] if self._alike else inside[:, group[0]]] = 1
            found = np.moveaxis(self._forward(v.reshape(self.into)), axis, 0).reshape(n, -1)
            for slot, one in enumerate(group):
                which = np.flatnonzero(rest == one)
                local = found[[slot] * len(which)] if self._alike else found[at[which]]
                yield which, rows[at[which]], local

    @cached_property
    def _one_way(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Where each number goes and its derivative there, if each goes to one place at most, as in tanh, in reshape or
        in a mean."""
        local = self.back(np.ones(self.out)).ravel()
        sums = self.back(1.0 + np.arange(self.size).reshape(self.out)).ravel()
        out = np.rint(np.divide(sums, local, out=np.ones_like(sums), where=local != 0)) - 1
        if not ((out >= 0) & (out < self.size)).all():
            return None
        out, some = out.astype(int), self._random()
        return (out, local) if np.allclose(self.back(some).ravel(), local * some.ravel()[out], 1e-4, 0) else None

    @cached_property
    def _apart(self) -> int | None:
        """An axis along which no number depends on another place, as the examples of a batch in most layers."""
        for axis in (0, -1):
            if not self.into or not self.out or self.into[axis] != self.out[axis] or self.into[axis] < 2:
                continue
            some, n = self._random(), self.into[axis]
            whole = self.back(some)
            close = 1e-5 * float(np.abs(whole).max())
            halves = [(np.arange(n) >> bit) & 1 for bit in range((n - 1).bit_length())]
            if all(
                np.allclose(
                    self.back(some * _along(axis, some.ndim, half)), whole * _along(axis, whole.ndim, half), 0, close
                )
                for half in halves
            ):
                return axis
        return None

    @cached_property
    def _alike(self) -> bool:
        """Whether J is the same at each place of that axis, as in a layer's product for each example."""
        if self._apart != 0:
            return False
        found = self.back(np.broadcast_to(self._random()[:1], self.out))
        return bool(np.ptp(found, axis=0).max() <= 1e-5 * np.abs(found).max())

    @cached_property
    def factor(self) -> np.ndarray | None:
        """x (N, I), if the op is a product x @ w and this argument is w (I, J), as its rule shows: gw = xᵀ gy."""
        if len(self.into) != 2 or len(self.out) != 2 or self.into[1] != self.out[1]:
            return None
        shape, inputs = (self.out[0], self.into[0]), getattr(self._node.where, "inputs", ())
        x = next((to_host(x) for x in inputs if is_array(x) and x.shape == shape), None)
        some = self._random()
        return x if x is not None and _close(self.back(some), x.T @ some) else None

    @cached_property
    def swaps(self) -> bool:
        """Whether the op is the transpose of a matrix."""
        if len(self.into) != 2 or self.out != self.into[::-1]:
            return False
        some = self._random()
        return _close(self.back(some), some.T)

    def _random(self) -> np.ndarray:
        return self._rng.uniform(1, 2, self.out)

    def back(self, gy: np.ndarray) -> np.ndarray:
        """gyᵀ J: what the rule makes of a gradient."""
        with no_grad():
            return self._rule(Tensor(gy.astype(self._node.dtype))).numpy().astype(np.float64)

    @cached_property
    def _tape(self) -> tuple[Tensor, Tensor]:
        gy = Tensor(np.zeros(self.out, self._node.dtype)).requires_grad_()
        return gy, self._rule(gy)

    def _rule(self, gy: Tensor) -> Tensor:
        return pass_back(self._node, gy, wrap)[self._place]

    def _forward(self, v: np.ndarray) -> np.ndarray:
        """J v"""
        gy, gx = self._tape
        if gx.node is None:
            return np.zeros(self.out)
        return grad(gx, gy, v.astype(gx.dtype), retain_graph=True, unused="zeros").numpy().astype(np.float64)


def _along(axis: int, ndim: int, values: np.ndarray) -> np.ndarray:
    """Values along one of `ndim` axes."""
    shape = [1] * ndim
    shape[axis] = len(values)
    return values.reshape(shape)


class Uses:
    """Who uses the values of a tape, and by which ways their gradients come back."""

    def __init__(self, nodes: list[Node], gradients: Mapping[int, Array]):
        self._gradients = gradients
        self._by: dict[int, list[tuple[Node, int]]] = {}
        for node in nodes:
            for i, parent in zip(node.plan.positions, node.parents, strict=True) if node.plan else ():
                if node.order in gradients:
                    self._by.setdefault(parent.order, []).append((node, i))
        self._derivatives: dict[tuple[int, int], Derivative] = {}

    def of(self, node: Node) -> list[tuple[Node, int]]:
        """The ops that use a node's value and get a gradient, each with the position of the argument."""
        return self._by.get(node.order, [])

    def arriving(self, node: Node) -> np.ndarray:
        """The gradient of a node, flat."""
        return to_host(self._gradients[node.order]).astype(np.float64).ravel()

    def derivative(self, user: Node, position: int) -> Derivative:
        key = user.order, position
        if key not in self._derivatives:
            self._derivatives[key] = Derivative(user, position)
        return self._derivatives[key]

    def ways(self, node: Node, numbers: np.ndarray) -> Ways:
        """The way by which each of some numbers of a node counts most. Raises TooManyError."""
        n = len(numbers)
        user, out, ways = (np.zeros(n, int) for _ in range(3))
        arriving, local, total = (np.zeros(n) for _ in range(3))
        found = Ways(numbers, user, out, arriving, local, ways, total)
        best = np.zeros(n)
        for u, (one, position) in enumerate(self.of(node)):
            gy = self.arriving(one)
            for which, rows, slopes in self.derivative(one, position).columns(numbers):
                passed = gy[rows] * slopes
                strongest = np.abs(passed).argmax(axis=1)
                first = np.arange(len(which)), strongest
                total[which] += passed.sum(axis=1)
                ways[which] += np.count_nonzero(passed, axis=1)
                more = np.abs(passed[first]) > best[which]
                chosen, first = which[more], (np.flatnonzero(more), strongest[more])
                best[chosen] = np.abs(passed[first])
                user[chosen], out[chosen] = u, rows[first]
                arriving[chosen], local[chosen] = gy[rows[first]], slopes[first]
        return found

    def all_ways(self, node: Node, numbers: np.ndarray, known: dict[int, tuple[Node, Ways]]) -> None:
        """Add to `known`, by node, the ways of some numbers and of all those that they lead to, up to the loss. Raises
        TooManyError, and then adds nothing."""
        new, wanted = dict[int, tuple[Node, Ways]](), {node.order: (node, numbers)}
        while wanted:
            order = min(wanted)  # an op comes after its arguments
            one, asked = wanted.pop(order)
            before = known.get(order)
            missing = np.setdiff1d(asked, before[1].numbers) if before else np.unique(asked)
            if not len(missing) or not self.of(one):
                continue
            ways = self.ways(one, missing)
            new[order] = one, ways if before is None else _joined(before[1], ways)
            for u, (user, _) in enumerate(self.of(one)):
                out = ways.out[(ways.user == u) & (ways.ways > 0)]
                if len(out):
                    earlier = wanted.get(user.order, (user, out[:0]))[1]
                    wanted[user.order] = user, np.union1d(earlier, out)
        known.update(new)


def _joined(a: Ways, b: Ways) -> Ways:
    order = np.argsort(np.concatenate([a.numbers, b.numbers]))
    return Ways(*(np.concatenate(pair)[order] for pair in zip(a, b, strict=True)))


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, 1e-3, 1e-4 * float(np.abs(b).max())))
