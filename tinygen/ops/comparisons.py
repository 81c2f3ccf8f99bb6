"""Comparisons and logic, element by element. To backward their results are constants."""

from __future__ import annotations

from typing import Any

from ..backend import Array, array_module
from ..primitives import elementwise


@elementwise
def equal(a: Any, b: Any) -> Array:
    """a == b.

    >>> tg.ops.equal([1, 2, 3], 2)
    array([False,  True, False])
    """
    return a == b


@elementwise
def not_equal(a: Any, b: Any) -> Array:
    """a != b.

    >>> tg.ops.not_equal([1, 2, 3], 2)
    array([ True, False,  True])
    """
    return a != b


@elementwise
def less(a: Any, b: Any) -> Array:
    """a < b.

    >>> tg.ops.less([1, 2, 3], 2)
    array([ True, False, False])
    """
    return a < b


@elementwise
def less_equal(a: Any, b: Any) -> Array:
    """a <= b.

    >>> tg.ops.less_equal([1, 2, 3], 2)
    array([ True,  True, False])
    """
    return a <= b


@elementwise
def greater(a: Any, b: Any) -> Array:
    """a > b.

    >>> tg.ops.greater([1, 2, 3], 2)
    array([False, False,  True])
    """
    return a > b


@elementwise
def greater_equal(a: Any, b: Any) -> Array:
    """a >= b.

    >>> tg.ops.greater_equal([1, 2, 3], 2)
    array([False,  True,  True])
    """
    return a >= b


@elementwise
def logical_and(a: Any, b: Any) -> Array:
    """Whether neither a nor b is 0 or False.

    >>> tg.ops.logical_and([0, 1, 2], True)
    array([False,  True,  True])
    """
    return array_module(a, b).logical_and(a, b)


@elementwise
def logical_or(a: Any, b: Any) -> Array:
    """Whether a or b is anything but 0 or False.

    >>> tg.ops.logical_or([0, 1, 2], False)
    array([False,  True,  True])
    """
    return array_module(a, b).logical_or(a, b)


@elementwise
def logical_not(x: Any) -> Array:
    """Whether x is 0 or False.

    >>> tg.ops.logical_not([0, 1, 2])
    array([ True, False, False])
    """
    return array_module(x).logical_not(x)
