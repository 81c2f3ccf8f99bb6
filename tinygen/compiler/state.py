"""What a step reads and changes besides its batch: the arrays of its networks and optimisers, and their settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..backend import is_array, is_tensor
from ..layers import Module
from ..optim import Optimizer
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
        self.owners: list[Any] = []  # modules and optimisers
        self.tensors: list[Any] = []
        self.places: list[Place] = []
        self._settings: list[tuple[dict[str, Any], str, Any]] = []
        self._memory: list[tuple[Any, Any, Any]] = []
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
                self.owners.append(x)
                self.places += _places_in(x, path)
                stack += [(path, p) for p in reversed(x.params)]
            elif isinstance(x, (Module, list, dict, tuple)):
                named = dict(enumerate(x)) if isinstance(x, (list, tuple)) else x if isinstance(x, dict) else vars(x)
                if isinstance(x, Module):
                    self.owners.append(x)
                stack += reversed([(f"{path}.{key}" if path else str(key), part) for key, part in named.items()])
                if not isinstance(x, tuple):
                    self.places += [Place(x, k, f"{path}.{k}") for k, part in named.items() if is_array(part)]

    @contextlib.contextmanager
    def traced(self, trace: Trace) -> Iterator[None]:
        """In the block, every array is one of the trace; afterwards all is as it was."""
        attributes = [(vars(owner), dict(vars(owner))) for owner in self.owners]
        gradients = [t.grad for t in self.tensors]
        held = [(place, place.array) for place in self.places]
        try:
            for place, array in _apart(held):
                place.put(trace.state(array, place.name))
            yield
        finally:
            for place, array in held:
                place.put(array)
            for t, gradient in zip(self.tensors, gradients, strict=True):
                t.grad = gradient
            self._settings = []
            for now, before in attributes:
                self._settings += [(now, key, value) for key, value in before.items() if now.get(key) is value]
                now.clear()
                now.update(before)
            self._memory = [(t, t.array, t.node) for t in self.tensors]

    def changed(self) -> bool:
        """Whether since the last trace a setting was given another value, or a Tensor another array."""
        return not (
            all(now.get(key) is value for now, key, value in self._settings)
            and all(t.array is array and t.node is node for t, array, node in self._memory)
        )


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
