"""What changes from step to step is named, with its line."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from compiler.written import floats, program_of

from tinygen.compiler.compare import difference
from tinygen.random import Generator

X = floats(3)
count = itertools.count()


def odd() -> bool:
    return next(count) % 2 == 1


def number(x):
    return x * float(next(count))


def array(x):
    return x + np.full(3, float(next(count)))


def branch(x):
    return np.exp(x) if odd() else np.tanh(x)


def longer(x):
    return np.exp(x + 0) if odd() else x + 0


def option(x):
    return x[: 1 + next(count)] + 0


def axes(x):
    return x[None].sum(next(count) % 2)


def dtype(x):
    return x.astype(np.float64 if odd() else np.float16)


def stream(x):
    return x + Generator(0).normal(x.shape)


def operand(x):
    y, z = x + 1, x + 2
    return np.exp(y) if odd() else np.exp(z)


def returned(x):
    y, z = x + 1, x + 2
    return y if odd() else z


NAMED = {
    number: r"test_compare.py:\d+ in number: return x \* float\(next\(count\)\): multiply takes a number that changes "
    r"from step to step \(\d\.0, then \d\.0\); compute it with tg.per_step",
    array: "in array: .*: an array from outside of the model changes from step to step",
    branch: "in branch: .*: one step computes exp where the next computes tanh|tanh where the next computes exp",
    longer: "in longer: .*: one step does it and the next does not",
    option: "in option: .*: getitem differs from step to step",
    axes: "in axes: .* differs from step to step",
    dtype: "in dtype: .*: astype differs from step to step",
    stream: "in .*: normal draws from a stream that the step makes anew each time",
    operand: "in operand: .*: exp differs from step to step",
    returned: "one step changes or returns other arrays than the next",
}


@pytest.mark.parametrize("step", NAMED, ids=lambda step: step.__name__)
def test_what_differs_is_named(step, monkeypatch):
    monkeypatch.setitem(globals(), "count", itertools.count())
    why = difference(program_of(step, [X]), program_of(step, [X]))
    assert re.search(NAMED[step], why), why


def test_what_is_written_is_compared(monkeypatch):
    s, t = X.copy(), X.copy()
    monkeypatch.setitem(globals(), "count", itertools.count())
    programs = [program_of(lambda x, s, t: (s if odd() else t).fill(1), [X], [s, t]) for _ in range(2)]
    assert difference(*programs) == "one step changes or returns other arrays than the next"


def same(x):
    y = x * float("nan") + np.array([1.0, np.nan, 2.0])
    return [y[1:], y.reshape(3, 1) @ np.ones((1, 2)), np.zeros_like(y)]


def test_equal_steps_have_no_difference():
    assert difference(program_of(same, [X]), program_of(same, [X])) == ""
