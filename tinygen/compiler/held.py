"""What a step can reach: the networks, optimisers, arrays and settings in its closure, its globals and its object."""

from __future__ import annotations

import functools
import operator
import random
import sys
from collections import deque
from collections.abc import Collection, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..backend import is_array, is_tensor
from ..layers import Module
from ..optim import Optimizer

MISSING = object()
_BUFFERS = {"params", "flat", "state", "_views", "_parts"}  # of an optimiser: it says itself what is in them
_LONG = 1000  # items: of a list as long as this, none is a setting


class Holder:
    """Names and what they stand for: the attributes of an object, a list, a dict, the variables of a function.

    box: the list, the dict or the like.  keys: which of its names count; None: all.  attributes: whether it is an
    object's, where a new name counts as a change.  live: the names that a compiled step keeps up to date itself.
    """

    def __init__(self, path: str, box: Any, keys: tuple[str, ...] | None = None, attributes: bool = False):
        self.path, self.box, self.keys, self.attributes = path, box, keys, attributes
        self.live = set[Any]()
        self.note()

    def items(self) -> dict[Any, Any]:
        """What is there now."""
        if isinstance(self.box, list):
            return dict(enumerate(self.box))
        return dict(self.box) if self.keys is None else {k: self.box[k] for k in self.keys if k in self.box}

    def path_of(self, key: Any) -> str:
        return f"{self.path}.{key}" if self.path else str(key)

    def note(self) -> None:
        """Take what is there as unchanged."""
        self.noted = self.items()
        self._values = [*self.noted.values()]

    def changed(self) -> bool:
        """Whether something that counts is another than noted; a list or dict that grows, as a log, is the same."""
        box, values = self.box, self._values
        if self.keys is None and len(box) == len(values):
            now = box if isinstance(box, list) else box.values()
            if all(map(operator.is_, now, values)):
                return False
        found = self.items()
        if self.attributes and not found.keys() <= self.noted.keys() | self.live:
            return True
        return not all(k in self.live or is_same(found.get(k, MISSING), x) for k, x in self.noted.items())

    def restore(self, before: dict[Any, Any], settled: set[Any]) -> None:
        """Put back what was there, but for keys whose new values stay."""
        box = self.box
        if isinstance(box, list):
            if len(box) != len(before) or not all(map(operator.is_, box, before.values())):
                box[:] = before.values()
            return
        for key, value in self.items().items():
            if key not in settled and before.get(key, MISSING) is not value:
                if key in before:
                    box[key] = before[key]
                else:
                    del box[key]
        for key in before.keys() - self.items().keys():
            box[key] = before[key]


def is_same(a: Any, b: Any) -> bool:
    """Whether two settings are the same object, or equal numbers or texts."""
    return a is b or (type(a) is type(b) and isinstance(a, (int, float, str)) and a == b)


class _Cells:
    """The variables that a function shares with those around it, as a dict."""

    def __init__(self, function: FunctionType):
        self._cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        self.names = tuple(self._cells)

    def __contains__(self, name: str) -> bool:
        try:
            self._cells[name].cell_contents  # noqa: B018
        except ValueError:  # not yet assigned
            return False
        return True

    def __getitem__(self, name: str) -> Any:
        return self._cells[name].cell_contents

    def __setitem__(self, name: str, value: Any) -> None:
        self._cells[name].cell_contents = value


class Reach:
    """All that can be reached from some objects, by name, met in a fixed order."""

    def __init__(self, roots: dict[str, Any]):
        self.holders: list[Holder] = []
        self.tensors: list[tuple[str, Any]] = []
        self.optimizers: list[tuple[str, Optimizer]] = []
        self.arrays: list[tuple[Holder, Any]] = []
        self.streams: list[Any] = []  # NumPy's own generators, and Python's
        self._met: dict[int, Any] = {}  # and kept, so that no id is used again
        self._walk([*roots.items()])
        for path, optimizer in self.optimizers:
            self._walk([(p.name or f"{path}.{i}", p) for i, p in enumerate(optimizer.params)])

    def _walk(self, found: list[tuple[str, Any]]) -> None:
        stack = found[::-1]
        while stack:
            path, x = stack.pop()
            if id(x) not in self._met:
                self._met[id(x)] = x
                stack += [*self._parts(path, x)][::-1]

    def _parts(self, path: str, x: Any) -> Iterator[tuple[str, Any]]:
        if is_tensor(x):
            self.tensors.append((path, x))
        elif isinstance(x, (np.random.Generator, np.random.RandomState, random.Random)):
            self.streams.append(x)
        elif isinstance(x, Optimizer):
            self.optimizers.append((path, x))
            holder = Holder(path, vars(x), attributes=True)
            holder.live |= {"_t", "_lr"}
            yield from self._held(holder, _BUFFERS)
        elif isinstance(x, (list, dict)):
            if len(x) < _LONG:
                yield from self._held(Holder(path, x))
        elif isinstance(x, (tuple, set, frozenset, deque)):
            yield from ((f"{path}.{i}", part) for i, part in enumerate(x) if len(x) < _LONG)
        elif isinstance(x, FunctionType):
            if _is_users(x.__module__):
                yield from self._variables(x)
        elif isinstance(x, MethodType):
            yield from ((path, x.__self__), (path, x.__func__))
        elif isinstance(x, functools.partial):
            yield from ((path, part) for part in (x.func, x.args, x.keywords))
        elif hasattr(x, "__dict__") and not isinstance(x, (type, ModuleType)):
            users = _is_users(type(x).__module__)
            if users or isinstance(x, Module):
                yield from self._held(Holder(path, vars(x), attributes=True))
            if users:
                members = (f for kind in type(x).__mro__ for f in vars(kind).values())
                yield from ((path, f) for f in map(_function_in, members) if isinstance(f, FunctionType))

    def _held(self, holder: Holder, but: Collection[str] = ()) -> Iterator[tuple[str, Any]]:
        self.holders.append(holder)
        for key, part in holder.noted.items():
            if key in but:
                continue
            if is_array(part):
                self.arrays.append((holder, key))
            else:
                yield holder.path_of(key), part

    def _variables(self, function: FunctionType) -> Iterator[tuple[str, Any]]:
        names = tuple(_names(function.__code__))
        yield from self._held(Holder("", function.__globals__, tuple(n for n in names if n in function.__globals__)))
        cells = _Cells(function)
        yield from self._held(Holder("", cells, cells.names))
        yield "", (function.__defaults__, function.__kwdefaults__)
        for name in names:  # networks.G, from a file of the user's
            module = function.__globals__.get(name)
            if isinstance(module, ModuleType) and _is_users(module.__name__):
                inside = vars(module)
                yield from self._held(Holder(name, inside, tuple(n for n in names if n in inside)))


def _function_in(member: Any) -> Any:
    """The function of a static method, a class method or a property; any other member of a class itself."""
    return member.fget if isinstance(member, property) else getattr(member, "__func__", member)


def _names(code: Any) -> Iterator[str]:
    """The names that a function, and the functions in it, read from the globals."""
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _names(constant)


@functools.cache
def _is_users(module: str) -> bool:
    """Whether a module is neither this package's, nor Python's, nor an installed one."""
    root = str(module).partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return root not in sys.stdlib_module_names | {"tinygen", "builtins"} and "-packages" not in file
