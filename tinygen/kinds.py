"""The kinds of values that the files of a run hold, and that the options of a run take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of value: what it must be in words, and a test for it."""

    words: str
    test: Callable[[Any], bool]


def _is_count(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) and 0 <= x < 2**63


def is_number(x: Any) -> bool:
    return isinstance(x, (bool, float)) or (isinstance(x, int) and abs(x) < 2**63)


def _is_plain(x: Any) -> bool:
    return x is None or isinstance(x, str) or is_number(x) or (isinstance(x, list) and all(map(_is_plain, x)))


TEXT = Kind("text", lambda x: isinstance(x, str))
COUNT = Kind("a whole number of at least 0", _is_count)
OBJECT = Kind("an object", lambda x: isinstance(x, dict))
PLAIN = Kind("text, a number, true, false, null, or a list of these", _is_plain)
NUMBER = Kind("a number", is_number)
MAY_NUMBER = Kind("a number or null", lambda x: x is None or is_number(x))
CURVE = Kind("a list of numbers", lambda x: isinstance(x, list) and len(x) > 1 and all(map(MAY_NUMBER.test, x)))
PAIR = Kind("two texts", lambda x: isinstance(x, list) and len(x) == 2 and all(map(TEXT.test, x)))
ROW_VALUE = Kind("a number", lambda x: x is None or isinstance(x, str) or is_number(x))  # text: of a user's callback
SHAPE = Kind("a list of whole numbers", lambda x: isinstance(x, list) and all(map(_is_count, x)))
RANGE = Kind(
    "two numbers or null", lambda x: x is None or (isinstance(x, list) and len(x) == 2 and all(map(is_number, x)))
)
MAY_TEXT = Kind("text or null", lambda x: x is None or isinstance(x, str))
EVERY = Kind("a whole number of at least 1", lambda x: _is_count(x) and x >= 1)
MAY_COUNT = Kind("a whole number of at least 1, or null", lambda x: x is None or EVERY.test(x))
MAY_NONE = Kind('a whole number of at least 1, "none" or null', lambda x: x in (None, "none") or EVERY.test(x))
SWITCH = Kind("true, false or null", lambda x: x is None or isinstance(x, bool))
TEXTS = Kind("a list of texts, or null", lambda x: x is None or (isinstance(x, list) and all(map(TEXT.test, x))))
