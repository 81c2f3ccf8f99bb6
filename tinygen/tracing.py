"""What a step does besides arithmetic on arrays, said in a way that a compiler can write down.

A compiled step is traced once and then replayed without Python: see compiler/. What would be frozen into it, a number
that changes from step to step, is computed by `per_step`; generators of random numbers ask `tracing()` and let the
trace note a draw. When nothing is traced, both cost a look at a variable.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Untraceable(BaseException):
    """Why a step can't be compiled; as it is written, it may be right.

    It is no Exception, so that an `except Exception` in the step doesn't take it for an error of its own.
    """


class _State(threading.local):
    trace: Any = None


_state = _State()


def tracing() -> Any:
    """The trace that is being written in this thread, or None."""
    return _state.trace


def per_step(function: Callable[..., Any], *numbers: Any) -> Any:
    """function(*numbers): one number, or a tuple of them, that a compiled step computes anew each time.

    numbers: constants, or what per_step returned. If there are any, the function must depend on these alone. If there
    are none, it may read and change anything else, such as a count of steps: each step calls it once for each per_step.
    Tracing calls it, too, and undoes what that changed in objects, lists and dicts; an iterator it would advance.
    Raises Untraceable, while a step is traced, if one of the numbers is an array.

    >>> settings = {"lr": 0.5}
    >>> step = tg.compile(lambda x: x * tg.per_step(lambda: settings["lr"]))
    >>> step(np.ones(2))
    array([0.5, 0.5])
    >>> settings["lr"] = 0.25
    >>> step(np.ones(2))
    array([0.25, 0.25])
    """
    return function(*numbers) if _state.trace is None else _state.trace.call(function, numbers)


def variant(function: Callable[[], Any]) -> Any:
    """function(): which of a few kinds this step is of, such as whether a penalty is due; something hashable.

    A compiled step asks before it begins, and has a program for each answer. So the function may read anything that
    the step has not changed when it asks.
    """
    return function() if _state.trace is None else _state.trace.variant(function)


def reads(function: F) -> F:
    """Mark a function for per_step as one that changes nothing: a program calls it once, and uses what it returned
    until it calls a function that may change something."""
    function.only_reads = True  # type: ignore[attr-defined]
    return function


def recording(trace: Any) -> AbstractContextManager[None]:
    """In this block, what this thread computes with traced arrays is written to a trace.

    Raises Untraceable within another such block.
    """
    if _state.trace is not None:
        raise Untraceable("a compiled step can't be traced within another")
    return _traced_by(trace)


def paused() -> AbstractContextManager[None]:
    """In this block nothing is traced."""
    return _traced_by(None)


@contextlib.contextmanager
def _traced_by(trace: Any) -> Iterator[None]:
    before, _state.trace = _state.trace, trace
    try:
        yield
    finally:
        _state.trace = before
