"""A primitive's derivative rules, and what of a call the tape has to keep for them.

Nobody declares what a rule needs: it is read off the rule. `lambda gy, y, x: gy * (1 - y * y)` keeps y and not x, and
`lambda gy, y, x: gy.reshape(x.shape)` keeps the shape of x and not its values.
"""

from __future__ import annotations

import dis
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .backend import Array
from .tape import Version


class Fact(NamedTuple):
    """What the tape keeps of an argument of which a rule reads only the shape or the dtype."""

    shape: tuple[int, ...]
    dtype: Any
    ndim: int


class Plan(NamedTuple):
    """What the tape does for one set of arguments that require grad. In `saved`, y is 0 and argument i is i + 1."""

    op: Op
    positions: tuple[int, ...]  # of the arguments whose gradients are wanted
    whole: frozenset[int]  # what the rules read, in `saved`
    facts: frozenset[int]  # that of which they read only the shape or the dtype
    blank: tuple[None, ...] | None  # what is saved, if nothing is

    def keep(self, y: Array, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """What the rules will get: the value, a Fact of it, or None where no rule looks."""
        saved: list[Any] = [None] * (len(inputs) + 1)
        for i in self.whole:
            saved[i] = inputs[i - 1] if i else y
        for i in self.facts:
            x = inputs[i - 1] if i else y
            saved[i] = Fact(x.shape, x.dtype, x.ndim) if hasattr(x, "shape") else x
        return tuple(saved)

    def versions(self, args: Sequence[Any], y: list[int] | None) -> list[Version]:
        """The counters of what is kept whole, as they stand now, and whose they are, for the error."""
        found: list[Version] = [] if y is None or 0 not in self.whole else [(y, y[0], 0, None)]
        for i in self.whole:
            version = getattr(args[i - 1], "_version", None) if i else None
            if version is not None:
                found.append((version, version[0], i, args[i - 1].name))
        return found


class Op:
    """A primitive's function, name and derivative rules: one an argument, or one for all (`joint`)."""

    def __init__(self, fn: Callable[..., Any], elementwise: bool):
        self.fn, self.name, self.elementwise = fn, fn.__name__, elementwise
        self.signature = inspect.signature(fn)
        variadic = any(p.kind is p.VAR_POSITIONAL for p in self.signature.parameters.values())
        self.arity = -1 if variadic else len(self.signature.parameters)
        self.rules: tuple[Callable[..., Any] | None, ...] = ()
        self.joint: Callable[..., Any] | None = None
        self.fused: Callable[..., Any] | None = None
        self.plans: dict[int, Plan | None] = {}

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments in order, defaults filled in, as fn and the rules take them."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}{self.signature}: {error}") from None
        bound.apply_defaults()
        return bound.args

    def plan(self, key: int) -> Plan | None:
        """The plan for one set of arguments that require grad; None if no rule serves them.

        key: bit i is set if argument i requires grad, and so is bit n, for n arguments.
        """
        n = key.bit_length() - 1
        rules = self.rules if self.joint is None else (self.joint,) * n
        positions = tuple(i for i, rule in enumerate(rules) if rule and key >> i & 1)
        read = [_reads(rule, n) for rule in ({rules[i] for i in positions} | {self.fused}) if rule]
        whole = frozenset().union(*(w for w, _ in read))
        facts = frozenset().union(*(f for _, f in read)) - whole
        blank = None if whole or facts else (None,) * (n + 1)
        self.plans[key] = Plan(self, positions, whole, facts, blank) if positions else None
        return self.plans[key]


def _reads(rule: Callable[..., Any], n: int) -> tuple[set[int], set[int]]:
    """What a rule of n arguments reads whole and of what only facts, as positions in `saved`, seen in its bytecode."""
    code, whole, facts = rule.__code__, set(), set()
    names = code.co_varnames[1 : code.co_argcount]  # without gy
    steps = list(dis.get_instructions(code))
    for step, after in itertools.pairwise(steps):
        if "LOAD_FAST" in step.opname or step.opname in ("LOAD_DEREF", "LOAD_CLOSURE"):
            loaded = [names.index(name) for name in np.atleast_1d(step.argval) if name in names]
            if loaded and after.opname in ("LOAD_ATTR", "LOAD_METHOD") and after.argval in Fact._fields:
                facts.add(loaded.pop())
            whole.update(loaded)
    if code.co_flags & inspect.CO_VARARGS:
        whole.update(range(len(names), n + 1))
    return {i for i in whole if i <= n}, {i for i in facts if i <= n}
