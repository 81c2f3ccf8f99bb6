"""What the files of a run must hold. It is checked when they are read, so that no command meets text where it expects
a number: the error names the file and the field."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..kinds import COUNT, OBJECT, PLAIN, ROW_VALUE, TEXT, Kind

DEEPEST = 50  # levels of JSON

CONFIG = {
    "tinygen": TEXT,
    "model": TEXT,
    "config": {...: PLAIN},
    "settings": OBJECT,
    "steps": COUNT,
}
CONFIG_OPTIONAL = {"class": TEXT, "fingerprint": TEXT, "init_from": OBJECT, "changes": [OBJECT]}
ROW = {"step": COUNT, ...: ROW_VALUE}  # a line of metrics.jsonl or events.jsonl
CHECKPOINT = {"step": COUNT, "model": TEXT, "config": {...: PLAIN}, "generators": {...: OBJECT},
              "callbacks": {...: OBJECT}}  # fmt: skip


def parse(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError if it is not JSON, or nested deeper than any file of tinygen."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if _is_deeper(value, DEEPEST):
        raise ValueError("nested too deep")
    return value


def fault(given: Any, kind: Any, name: str = "", partly: bool = False) -> str:
    """Why a value is not of a kind, in words; "" if it is.

    kind: a Kind; a dict of kinds by field, with `...` for the fields that it does not name; [kind] for a list of it.
    partly: fields may be missing.
    """
    if isinstance(kind, Kind):
        return "" if kind.test(given) else f"{name or 'it'} is {excerpt(given)}, but it must be {kind.words}"
    if isinstance(kind, list):
        if not isinstance(given, list):
            return f"{name} is {excerpt(given)}, but it must be a list"
        return next(filter(None, (fault(x, kind[0], f"{name}[{i}]") for i, x in enumerate(given))), "")
    if not isinstance(given, dict):
        return f"{name or 'it'} is {excerpt(given)}, but it must be an object"
    prefix = f"{name}." if name else ""
    for field in kind:
        if field is not ... and field not in given and not partly:
            return f"{prefix}{field} is missing"
    known = ((x, kind.get(field, kind.get(...)), f"{prefix}{field}") for field, x in given.items())
    return next(filter(None, (fault(*each) for each in known if each[1] is not None)), "")


def state_fault(given: Any, own: Any, name: str) -> str:
    """Why a saved value can't replace the state `own`, in words: a number must stay a number, and so on; "" if it can.

    A list or an object may have grown; null may become anything.
    """
    if own is None or not isinstance(own, (bool, int, float, str, list, tuple, dict)):  # arrays are checked elsewhere
        return ""
    if isinstance(own, dict):
        if not isinstance(given, dict):
            return f"{name} is {excerpt(given)}, but it must be an object"
        return next(
            filter(None, (state_fault(given[key], x, f"{name}.{key}") for key, x in own.items() if key in given)), ""
        )
    words, right = "text", isinstance(given, str)
    if isinstance(own, (list, tuple)):
        words, right = "a list", isinstance(given, list)
    elif isinstance(own, int) and not isinstance(own, bool):
        words, right = "a whole number", isinstance(given, int)
    elif isinstance(own, (bool, float)):
        words, right = "a number", isinstance(given, (bool, int, float))
    return "" if right else f"{name} is {excerpt(given)}, but it must be {words}"


def first_not_finite(arrays: dict[str, np.ndarray]) -> str:
    """The name of the first array that holds a NaN or an infinity, if one does."""
    return next((name for name, x in arrays.items() if x.dtype.kind == "f" and not np.isfinite(x).all()), "")


def excerpt(x: Any) -> str:
    """A value as JSON writes it, or the start of it."""
    if isinstance(x, (dict, list)) and x:
        return "an object" if isinstance(x, dict) else "a list"
    text = json.dumps(x) if not isinstance(x, int) or abs(x) < 2**63 else "a huge number"
    return text if len(text) <= 40 else f"{text[:37]}..."


def _is_deeper(x: Any, levels: int) -> bool:
    inside = x.values() if isinstance(x, dict) else x if isinstance(x, list) else ()
    return levels == 0 or any(_is_deeper(y, levels - 1) for y in inside)
