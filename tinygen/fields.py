"""What the fields of a Config may be: a field's annotation says its type, its limits and its choices.

    lr: Annotated[float, Limits(0), "the learning rate"] = 1e-3
    optimizer: Annotated[str, Choices(OPTIMIZERS)] = "adam"

A text is a phrase that explains the field. A field with a plain annotation keeps the phrase, limits and choices that
its base class gives it; if none does, it has none.
"""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias


class Limits(NamedTuple):
    """From low to high, or strictly above and below. Of several numbers, each is limited."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf


class Rate(NamedTuple):
    """How fast something is learnt; it may change when a run is resumed."""


class Choices(NamedTuple):
    """The names that a field may be: those in a table, including any added later."""

    names: Iterable[str]


Count: TypeAlias = Annotated[int, Limits(1)]
Counts: TypeAlias = Annotated[tuple[int, ...], Limits(1)]
LearningRate: TypeAlias = Annotated[float, Limits(0), Rate()]
NonNegative: TypeAlias = Annotated[float, Limits(0)]
Positive: TypeAlias = Annotated[float, Limits(above=0)]
Share: TypeAlias = Annotated[float, Limits(0, 1)]
Decay: TypeAlias = Annotated[float, Limits(0, below=1)]  # the share kept or dropped, never all of it


def types(config_class: type) -> dict[str, Any]:
    """The type of each field; for one with choices, their Literal."""
    found = dict(_plain(config_class))
    for name, choices in _notes(config_class, Choices).items():
        if found[name] is str:
            found[name] = Literal[tuple(choices.names)]
    return found


def limits(config_class: type) -> dict[str, Limits]:
    """The limits of the fields that have any."""
    return _notes(config_class, Limits)


@functools.cache  # a Config is checked whenever one is made
def _plain(config_class: type) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


def phrases(config_class: type) -> dict[str, str]:
    """What the fields that are explained are, in a phrase each."""
    return _notes(config_class, str)


def rates(config_class: type) -> list[str]:
    """The fields that are rates."""
    return list(_notes(config_class, Rate))


@functools.cache
def _notes(config_class: type, kind: type) -> dict[str, Any]:
    """The metadata of this kind in the annotations, by field: a class's own comes before its bases'."""
    notes = dict[str, Any]()
    for base in reversed(config_class.__mro__):
        for name, hint in typing.get_type_hints(base, include_extras=True).items():
            notes.update((name, note) for note in _metadata_in(hint) if isinstance(note, kind))
    return notes


def _metadata_in(hint: Any) -> Iterable[Any]:
    """All that Annotated adds to a hint, or to a part of it: `Annotated[float, Limits(0)] | None` has limits."""
    yield from getattr(hint, "__metadata__", ())
    for part in typing.get_args(hint):
        yield from _metadata_in(part)
