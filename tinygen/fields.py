"""What the fields of a Config may be: a field's annotation says its type, its limits and its choices.

    lr: Annotated[float, Limits(0)] = 1e-3
    optimizer: Annotated[str, Choices(OPTIMIZERS)] = "adam"

A field with a plain annotation keeps the limits and choices that its base class gives it; if none does, it has none.
"""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias


class Limits(NamedTuple):
    """From low to high; or, where the end itself makes no sense, above or below it. Of several numbers, for each."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf


class Rate(NamedTuple):
    """How fast something is learnt; it may change when a run is resumed."""


class Choices(NamedTuple):
    """The names that a field may be: those of a table, whatever is in it by then."""

    names: Iterable[str]


Count: TypeAlias = Annotated[int, Limits(1)]
Counts: TypeAlias = Annotated[tuple[int, ...], Limits(1)]
LearningRate: TypeAlias = Annotated[float, Limits(0), Rate()]
NonNegative: TypeAlias = Annotated[float, Limits(0)]
Positive: TypeAlias = Annotated[float, Limits(above=0)]
Share: TypeAlias = Annotated[float, Limits(0, 1)]
Decay: TypeAlias = Annotated[
    float, Limits(0, below=1)
]  # the share that is kept, or dropped; all of it would be the end


def types(config_class: type) -> dict[str, Any]:
    """The type of each field; of one with choices, the Literal of them."""
    found = dict(_plain(config_class))
    for name, choices in _notes(config_class, Choices).items():
        if found[name] is str:
            found[name] = Literal[tuple(choices.names)]
    return found


def limits(config_class: type) -> dict[str, Limits]:
    """The limits of those fields that have some."""
    return _notes(config_class, Limits)


@functools.cache  # a Config is checked whenever one is made
def _plain(config_class: type) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


def rates(config_class: type) -> list[str]:
    """The fields that are rates."""
    return list(_notes(config_class, Rate))


@functools.cache
def _notes(config_class: type, kind: type) -> dict[str, Any]:
    """What the annotations say of this kind, by field: each class's own go before those of its bases."""
    notes = dict[str, Any]()
    for base in reversed(config_class.__mro__):
        for name, hint in typing.get_type_hints(base, include_extras=True).items():
            notes.update((name, note) for note in _noted(hint) if isinstance(note, kind))
    return notes


def _noted(hint: Any) -> Iterable[Any]:
    """All that Annotated adds to a hint, or to a part of it: `Annotated[float, Limits(0)] | None` has limits."""
    yield from getattr(hint, "__metadata__", ())
    for part in typing.get_args(hint):
        yield from _noted(part)
