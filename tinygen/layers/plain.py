"""Plain containers, in which no module finds its parameters."""

from __future__ import annotations

from collections import UserDict, UserList, deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

CONTAINERS = (list, tuple, dict, set, frozenset, deque, UserList, UserDict, MappingProxyType)


def first_in(container: Any, is_wanted: Callable[[Any], bool], kinds: tuple[type, ...]) -> Any:
    """The first item wanted in a container, or in the containers in it; None if there is none.

    kinds: the classes of all that can be wanted, so that a list of a million numbers costs little.
    """
    pending, seen = [container], set[int]()
    while pending:
        container = pending.pop()
        if isinstance(container, CONTAINERS) and id(container) not in seen:
            seen.add(id(container))
            items = [*container, *getattr(container, "values", list)()]
            found = {kind for kind in map(type, items) if issubclass(kind, (*kinds, *CONTAINERS))}
            if found:
                for item in items:
                    if is_wanted(item):
                        return item
                pending += [item for item in items if type(item) in found]
    return None
