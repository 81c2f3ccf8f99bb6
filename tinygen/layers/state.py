"""What load_state_dict accepts, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..backend import is_array
from ..checks import type_of
from ..tensor import Tensor


class LeftOut(NamedTuple):
    """What load_state_dict(strict=False) left out: names without a value, and values without a name.

    >>> tg.layers.Dense(3, 2).load_state_dict({"w": np.zeros((3, 2), np.float32)}, strict=False)
    LeftOut(missing_keys=['b'], unexpected_keys=[])
    """

    missing_keys: list[str]
    unexpected_keys: list[str]


def check_keys(owner: Any, own: Iterable[str], state: Any) -> LeftOut:
    """The names that a state lacks, and its surplus names. Raises TypeError unless it is a dict by name."""
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise TypeError(
            f"load_state_dict: expected the dict of a {type(owner).__name__}'s state_dict(), not {type_of(state)}"
        )
    own = list(own)
    return LeftOut([n for n in own if n not in state], [n for n in state if n not in own])


def mismatch(name: str, value: Any, t: Tensor) -> str:
    """Why value can't be written into t, or ""."""
    if not isinstance(value, Tensor) and not is_array(value):
        return f"{name} is {type_of(value)} but must be an array {t.shape}"
    if value.shape != t.shape:
        return f"{name} is {value.shape} but must be {t.shape}"
    kinds = "iu" if t.dtype.kind in "iu" else t.dtype.kind
    return "" if value.dtype.kind in kinds else f"{name} is {value.dtype} but must be {t.dtype}"
