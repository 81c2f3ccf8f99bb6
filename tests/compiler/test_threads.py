"""Lists of calls done at the same time: all of each, their errors, and runs within runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from tinygen.compiler.threads import run_together


def test_each_list_is_done_in_order_and_all_are_done_when_it_returns() -> None:
    done: list[list[int]] = [[], [], []]
    parts = [[(lambda i=i, k=k: done[i].append(k)) for k in range(5)] for i in range(3)]
    for _ in range(50):
        run_together(parts)
        assert done == [[*range(5)]] * 3
        for numbers in done:
            numbers.clear()


def test_lists_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=20)
    run_together([[meeting.wait]] * 3)


def test_the_first_error_is_raised_when_all_have_ended() -> None:
    done = []

    def fail() -> None:
        raise ValueError("this one")

    def finish() -> None:
        time.sleep(0.05)
        done.append("late")

    for parts in ([[finish], [fail, finish]], [[fail], [finish]]):
        with pytest.raises(ValueError, match="this one"):
            run_together(parts)
        assert done.pop() == "late"
        assert not done
    run_together([[finish], [finish]])
    assert done == ["late", "late"]


def test_what_is_said_of_floats_is_as_where_the_run_begins() -> None:
    zero = np.zeros(3)
    parts: list[list[Any]] = [[], [lambda: np.divide(1.0, zero, out=np.empty(3))]]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        run_together(parts)
    with np.errstate(divide="ignore"):
        run_together(parts)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        run_together(parts)


def test_a_run_within_a_run() -> None:
    done: list[int] = []
    inner = [[lambda: done.append(1)], [lambda: done.append(2)]]
    run_together([[lambda: run_together(inner)], [lambda: run_together(inner)]])
    assert sorted(done) == [1, 1, 2, 2]


@pytest.mark.skipif(os.name != "posix", reason="a signal is sent to this process")
def test_an_interrupt_waits_for_the_others() -> None:
    ended = []
    late = [lambda: time.sleep(0.2), lambda: ended.append(True)]
    with pytest.raises(KeyboardInterrupt):
        run_together([[lambda: os.kill(os.getpid(), signal.SIGINT)], late])
    assert ended == [True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    code = """
import os
from tinygen.compiler.threads import run_together
done = []
parts = [[lambda: done.append(1)], [lambda: done.append(2)]]
run_together(parts)
child = os.fork()
run_together(parts)
assert sorted(done) == [1, 1, 2, 2]
if not child:
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
    options = ["-W", "ignore::DeprecationWarning", "-c", code]
    done = subprocess.run([sys.executable, *options], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")
