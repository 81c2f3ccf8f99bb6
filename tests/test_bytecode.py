"""What a rule reads is read off its bytecode, on every version of Python; what is not known there counts as reading."""

from __future__ import annotations

import functools
import sys
from typing import Any, NamedTuple

import pytest

from tinygen import ops
from tinygen.bytecode import names_read, reads
from tinygen.rules import Fact

Y, A, B, C = range(4)  # places in what is saved for a primitive of a, b and c
FACTS = Fact._fields


outside = 2.0


def pair(*things):
    return things


def assigned(gy, y, a, b, c):
    shape = b.shape
    d = a
    return gy.reshape(shape) * d


def overwritten(gy, y, a, b, c):
    a = a.reshape(-1)
    return gy * a.shape[0]


def in_a_comprehension(gy, y, a, b, c):
    return [gy * (a if i else 0) for i in range(2)]


def in_a_closure(gy, y, a, b, c):
    return (lambda: gy * b)()


def in_a_branch(gy, y, a, b, c):
    if c.shape:
        return gy * a
    return gy


def with_default(gy, y, a, b, c=None):
    return gy * c


def starred(gy, y, a, *others):
    return gy * others[0]


def starred_with_an_option(gy, y, *others, scale=1):
    return gy * others[0] * scale


def starred_from_the_first(gy, *everything):
    return gy * everything[-1]


def starred_and_unread(gy, y, a, *others):
    return gy * a


def deleted(gy, y, a, b, c):
    del a
    return gy


def in_a_nested_comprehension(gy, y, a, b, c):
    return [gy for _ in range(2) for _ in [b for _ in range(2)]]


def through_locals(gy, y, a, b, c):
    return gy * locals()["a"]


def through_eval(gy, y, a, b, c):
    return gy * eval("b")


def through_the_frame(gy, y, a, b, c):
    return gy * sys._getframe().f_locals["a"]


def with_an_import(gy, y, a, b, c):
    import math

    return gy * math.pi


class Rules:
    def method(self, gy, y, a, b, c):
        return gy


READS = [
    (lambda gy, y, a, b, c: gy, {}, {}),
    (lambda gy, y, a, b, c: gy * outside, {}, {}),
    (lambda gy, y, a, b, c: gy * (1 - y * y), {Y}, {}),
    (lambda gy, y, a, b, c: a * gy, {A}, {}),
    (lambda gy, y, a, b, c: gy * b * a, {A, B}, {}),
    (lambda gy, y, a, b, c: gy.reshape(a.shape), {}, {A}),
    (lambda gy, y, a, b, c: gy.astype(b.dtype) * c.ndim, {}, {B, C}),
    (lambda gy, y, a, b, c: gy.reshape(y.shape), {}, {Y}),
    (lambda gy, y, a, b, c: gy * a.sum(), {A}, {}),
    (lambda gy, y, a, b, c: gy * a.size, {A}, {}),
    (lambda gy, y, a, b, c: gy.reshape(a.shape) * a, {A}, {}),
    (lambda gy, y, a, b, c: a * gy.reshape(a.shape), {A}, {}),
    (lambda gy, y, a, b, c: pair(a, gy.shape), {A}, {}),  # Python 3.13 loads a and gy in one instruction
    (lambda gy, y, a, b, c: pair(b, a.shape), {B}, {A}),
    (lambda gy, y, a, b, c: pair(a.shape, b), {B}, {A}),
    (lambda gy, y, a, b, c: pair(a, b, c), {A, B, C}, {}),
    (lambda gy, y, a, b, c: gy if a is None else gy * b.shape[0], {A}, {B}),
    (assigned, {A}, {B}),
    (overwritten, {A}, {}),
    (in_a_comprehension, {A}, {}),
    (in_a_closure, {B}, {}),
    (in_a_branch, {A}, {C}),
    (with_default, {C}, {}),
    (starred, {B, C}, {}),
    (starred_with_an_option, {A, B, C}, {}),
    (starred_from_the_first, {Y, A, B, C}, {}),
    (starred_and_unread, {A}, {}),
    (deleted, {A}, {}),
    (in_a_nested_comprehension, {B}, {}),
    (lambda gy, y, a, b, c: (lambda: gy * b.shape)(), {B}, {}),
    (lambda gy, y, a, b, c: (lambda a: gy * a)(1), {}, {}),
    (lambda gy, y, a, b, c: (a if c.ndim else b) * gy, {A, B}, {C}),
    (lambda gy, y, a, b, c: gy * (a.shape[0] if a.ndim else len(b)), {B}, {A}),
    (lambda gy, y, a, b, c: f"{gy} {a.shape!r:>{c}}", {C}, {A}),
    (through_locals, {Y, A, B, C}, {}),
    (through_eval, {Y, A, B, C}, {}),
    (through_the_frame, {Y, A, B, C}, {}),
    (with_an_import, {Y, A, B, C}, {}),  # an instruction that is not listed
    (functools.partial(assigned), {Y, A, B, C}, {}),
    (Rules().method, {Y, A, B, C}, {}),
    (ops.tanh, {Y, A, B, C}, {}),
]


@pytest.mark.parametrize(("rule", "whole", "facts"), READS)
def test_what_a_rule_reads(rule, whole, facts):
    read_whole, read_facts = reads(rule, 3, FACTS)
    assert read_whole == set(whole)
    assert read_facts - read_whole == set(facts)


def test_a_fused_rule_s_extra_arguments_are_not_saved():
    assert reads(lambda gy, y, a, mu, var: gy * mu * var, 1, FACTS) == (set(), set())


# Instructions of any version


class Step(NamedTuple):
    """An instruction, as dis describes it."""

    opname: str
    argval: Any = None


SHAPE = Step("LOAD_ATTR", "shape")
STEPS = {
    "a load": ([Step("LOAD_FAST", "a"), Step("BINARY_OP", 5)], "a", ""),
    "a load at the end": ([Step("LOAD_FAST", "a")], "a", ""),
    "a fact": ([Step("LOAD_FAST", "a"), SHAPE], "", "a"),
    "a fact as 3.10 may read it": ([Step("LOAD_FAST", "a"), Step("LOAD_METHOD", "shape")], "", "a"),
    "a fact with a long argument": ([Step("LOAD_FAST", "a"), Step("EXTENDED_ARG", 1), SHAPE], "", "a"),
    "a fact after something else": ([Step("LOAD_FAST", "a"), Step("LOAD_CONST", 1), SHAPE], "a", ""),
    "another attribute": ([Step("LOAD_FAST", "a"), Step("LOAD_ATTR", "sum")], "a", ""),
    "a global of the name": ([Step("LOAD_GLOBAL", "a"), Step("LOAD_CONST", "b"), Step("LOAD_ATTR", "b")], "", ""),
    "a checked load": ([Step("LOAD_FAST_CHECK", "a"), SHAPE, Step("LOAD_FAST_CHECK", "b")], "b", "a"),
    "a borrowed load": ([Step("LOAD_FAST_BORROW", "a"), SHAPE, Step("LOAD_FAST_BORROW", "b")], "b", "a"),
    "two loads": ([Step("LOAD_FAST_LOAD_FAST", ("a", "b")), SHAPE], "a", "b"),
    "two borrowed loads": ([Step("LOAD_FAST_BORROW_LOAD_FAST_BORROW", ("a", "b")), SHAPE], "a", "b"),
    "two loads of one": ([Step("LOAD_FAST_LOAD_FAST", ("a", "a")), SHAPE], "a", "a"),
    "a store and a load": ([Step("STORE_FAST_LOAD_FAST", ("a", "b")), SHAPE], "a", "b"),
    "two stores": ([Step("STORE_FAST_STORE_FAST", ("a", "b")), SHAPE], "ab", ""),
    "a store": ([Step("STORE_FAST", "a"), SHAPE], "a", ""),
    "a deletion": ([Step("DELETE_FAST", "a")], "a", ""),
    "a comprehension's variable": ([Step("LOAD_FAST_AND_CLEAR", "a"), SHAPE], "a", ""),
    "an unknown load": ([Step("LOAD_FAST_SOMEHOW", "a")], "abc", ""),
    "an unknown load before a fact": ([Step("LOAD_FAST_SOMEHOW", "a"), SHAPE], "abc", ""),
    "an unknown load of three": ([Step("LOAD_FAST_LOAD_FAST_LOAD_FAST", ("a", "b", "c"))], "abc", ""),
    "an unknown instruction": ([Step("LOAD_FAST", "a"), SHAPE, Step("CONJURE")], "abc", ""),
    "a number that nobody explains": ([Step("<200>", 1)], "abc", ""),
    "a load whose name is unknown": ([Step("LOAD_FAST", 1)], "abc", ""),
    "two loads whose names are unknown": ([Step("LOAD_FAST_LOAD_FAST", ("a", 1))], "abc", ""),
    "a traced load": ([Step("INSTRUMENTED_LOAD_FAST", "a"), SHAPE], "abc", ""),
}


@pytest.mark.parametrize("case", STEPS)
def test_instructions_of_any_version(case):
    steps, whole, facts = STEPS[case]
    assert names_read(steps, "abc", FACTS) == (set(whole), set(facts))


def test_a_debugger_changes_nothing():
    before = sys.gettrace()
    sys.settrace(lambda *event: None)
    try:
        assert reads(assigned, 3, FACTS) == ({A}, {B})
    finally:
        sys.settrace(before)
