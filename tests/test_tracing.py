"""per_step, and which trace is written, in which thread."""

from __future__ import annotations

import threading

import pytest

from tinygen import per_step
from tinygen.tracing import Untraceable, paused, recording, tracing


class Noted:
    """A trace that notes its calls."""

    def __init__(self):
        self.calls = []

    def call(self, function, numbers):
        self.calls.append((function, numbers))
        return "noted"


def test_per_step_is_a_call():
    assert per_step(pow, 2, 3) == 8 and per_step(lambda: (1, 2)) == (1, 2)


def test_in_a_trace_it_is_noted():
    trace = Noted()
    with recording(trace):
        assert tracing() is trace and per_step(pow, 2, 3) == "noted"
        with paused():
            assert tracing() is None and per_step(pow, 2, 3) == 8
        assert tracing() is trace
    assert tracing() is None and trace.calls == [(pow, (2, 3))]


def test_a_trace_ends_with_its_block():
    with pytest.raises(KeyError), recording(Noted()):
        raise KeyError
    assert tracing() is None


def test_one_trace_at_a_time():
    with recording(Noted()), pytest.raises(Untraceable, match="within another"), recording(Noted()):
        pass
    assert tracing() is None


def test_other_threads_are_not_traced():
    seen = []
    with recording(Noted()):
        thread = threading.Thread(target=lambda: seen.append((tracing(), per_step(pow, 2, 3))))
        thread.start()
        thread.join()
    assert seen == [(None, 8)]


def test_a_step_that_catches_its_errors_does_not_catch_this():
    with pytest.raises(Untraceable):
        try:
            raise Untraceable("why")
        except Exception:
            pytest.fail("caught")
