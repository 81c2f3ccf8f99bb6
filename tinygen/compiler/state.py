"""What a step reads and changes besides its batch: the arrays of its networks and optimisers, and their settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backend import is_array, is_tensor
from ..layers import Module
from ..optim import Optimizer
from ..tracing import Untraceable
from .numbers import Number
from .trace import Trace


class Place(NamedTuple):
    """Where an array is held: an attribute of an object, or an item of a list or dict; and a name for it."""

    holder: Any
    key: Any
    name: str

    @property
    def array(self) -> Any:
        return self.holder[self.key] if isinstance(self.holder, (list, dict)) else getattr(self.holder, self.key)

    def put(self, array: Any) -> None:
        """Hold another array there."""
        if isinstance(self.holder, (list, dict)):
            self.holder[self.key] = array
        else:
            object.__setattr__(self.holder, self.key, array)


class State:
    """The state of some objects: modules, optimisers, Tensors, and lists and dicts of them."""

    def __init__(self, roots: dict[str, Any]):
        self.tensors: list[Any] = []
        self.places: list[Place] = []
        self._holders: list[Holder] = []
        self._memory: list[tuple[Any, Any, Any]] = []
        self._settings: list[tuple[Any, Any, Any]] = []
        self._lengths: list[tuple[Any, int]] = []
        self._find(roots)

    def _find(self, roots: dict[str, Any]) -> None:
        met, stack = set[int](), list(reversed(roots.items()))
        while stack:
            path, x = stack.pop()
            if id(x) in met:
                continue
            met.add(id(x))
            if is_tensor(x):
                self.tensors.append(x)
                self.places.append(Place(x, "array", x.name or path))
            elif isinstance(x, Optimizer):
                self._holders.append(Holder(vars(x), path, read_each_step=("lr",)))
                self.places += _places_in(x, path)
                stack += [(path, p) for p in reversed(x.params)]
            elif isinstance(x, (Module, list, dict, tuple)):
                inside = vars(x) if isinstance(x, Module) else x
                named = inside if isinstance(inside, dict) else dict(enumerate(inside))
                stack += reversed([(_below(path, key), part) for key, part in named.items()])
                if not isinstance(x, tuple):
                    self._holders.append(Holder(inside, path))
                    self.places += [Place(x, k, _below(path, k)) for k, part in named.items() if is_array(part)]

    @contextlib.contextmanager
    def traced(self, trace: Trace) -> Iterator[None]:
        """In the block, every array is one of the trace; afterwards all is as it was. Raises Untraceable if what the
        block does to an attribute can't be part of a program."""
        gradients = [t.grad for t in self.tensors]
        held = [(place, place.array) for place in self.places]
        for holder in self._holders:
            holder.keep()
        trace.holders = self._holders
        try:
            put = [(place, trace.state(array, place.name)) for place, array in _apart(held)]
            for place, array in put:
                place.put(array)
            yield
            for place, array in put:
                if getattr(place.array, "storage", None) is not array.storage:
                    raise Untraceable(f"the step replaces the array {place.name}; write into it: x[...] = y")
            for place, array in held:
                place.put(array)
            for holder in self._holders:
                holder.check_kept(trace)
        finally:
            for holder in self._holders:
                holder.restore()
            for place, array in held:
                place.put(array)
            for t, gradient in zip(self.tensors, gradients, strict=True):
                t.grad = gradient
            self._memory = [(t, t.array, t.node) for t in self.tensors]
            self._settings = [setting for holder in self._holders for setting in holder.settings]
            self._lengths = [(holder.now, len(holder.now)) for holder in self._holders]

    def changed(self) -> bool:
        """Whether since the last trace a setting was given another value, or a Tensor another array."""
        if any(len(now) != n for now, n in self._lengths):
            return True
        try:
            for now, key, value in self._settings:
                if now[key] is not value and not _equal(now[key], value):
                    return True
        except KeyError:
            return True
        return any(t.array is not array or t.node is not node for t, array, node in self._memory)


class Holder:
    """The attributes of an object, or a dict or list: what they are when a step is traced.

    read_each_step: the names of settings that no program contains.
    """

    def __init__(self, now: Any, name: str, read_each_step: Sequence[str] = ()):
        self.now, self.name, self._read_each_step = now, name, read_each_step
        self.moved: set[Any] = set()  # what per_step changes, and so each step
        self._before: dict[Any, Any] = {}

    @property
    def items(self) -> dict[Any, Any]:
        """What is there now, by name or place."""
        return dict(self.now if isinstance(self.now, dict) else enumerate(self.now))

    def keep(self) -> None:
        """Remember what is there."""
        self._before = self.items

    def note_moves(self, before: dict[Any, Any]) -> None:
        """Note what is not as it was before a call of per_step."""
        self.moved |= {key for key, value in self.items.items() if before.get(key, _NOTHING) is not value}

    def check_kept(self, trace: Trace) -> None:
        """Raise Untraceable if something was changed that each step would have to change anew."""
        now = self.items
        for key in now | self._before:
            value = now.get(key, _NOTHING)
            kept = value is self._before.get(key, _NOTHING) or key in (_CALLED, *self.moved)
            if not (kept or isinstance(value, Number)):
                raise Untraceable(
                    f"the step changes {_below(self.name, key)}, which a program can't; change it in tg.per_step"
                )

    def restore(self) -> None:
        """Put back what was there."""
        if isinstance(self.now, dict):
            self._before |= {key: True for key in self.now if key == _CALLED}
            self.now.clear()
            self.now.update(self._before)
        else:
            self.now[:] = self._before.values()

    @property
    def settings(self) -> list[tuple[Any, Any, Any]]:
        """What a program may contain: where it is, by which name, and its value."""
        passed_over = {*self.moved, *self._read_each_step}
        return [(self.now, key, value) for key, value in self._before.items() if key not in passed_over]


_NOTHING: Any = object()
_CALLED = "_called"  # of a Module: its containers were checked, which is done once


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _equal(x: Any, y: Any) -> bool:
    return type(x) is type(y) and isinstance(x, (bool, int, float, str)) and x == y


def _places_in(optimizer: Optimizer, path: str) -> list[Place]:
    """The arrays of an optimiser: for each parameter, its view of the flat buffer, and its part of each state."""
    places = [Place(optimizer._views, i, p.name or f"{path}.{i}") for i, p in enumerate(optimizer.params)]
    for p, parts in zip(optimizer.params, optimizer._parts, strict=True):
        places.append(Place(parts, 0, p.name or path))
        places += [Place(parts, k, f"{path}.{slot}[{p.name}]") for k, slot in enumerate(optimizer.state, 1)]
    return places


def _apart(held: list[tuple[Place, Any]]) -> list[tuple[Place, Any]]:
    """Those arrays of which none contains another: a buffer as a whole is no state if its parts are."""
    found = dict[tuple[int, int], Any]()
    chosen = []
    for place, array in held:
        region = np.lib.array_utils.byte_bounds(array)
        if region not in found and any(a < region[1] and region[0] < b for a, b in found):
            continue
        found[region] = array
        chosen.append((place, array))
    return chosen
