"""What a step takes and returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygen as tg
from tinygen.compiler.nest import key_of, put_together, taken_apart


class Pair(NamedTuple):
    a: Any
    b: Any


def test_arrays_are_taken_out_and_put_back():
    x, t, learnt = np.ones(2), tg.tensor([1.0]), tg.tensor([2.0], requires_grad=True)
    nest = ({"x": x, "n": 3}, [t, None, (learnt, "text")], Pair(x, 1.5))
    arrays: list[Any] = []
    form = taken_apart(nest, arrays)
    assert [a is b for a, b in zip(arrays, [x, t.array, learnt.array, x], strict=True)] == [True] * 4
    again = put_together(form, arrays)
    assert again[0]["x"] is x and again[0]["n"] == 3 and again[1][1:2] == [None] and again[2] == Pair(x, 1.5)
    assert again[1][0].array is t.array and not again[1][0].requires_grad
    assert again[1][2][0].requires_grad and not put_together(form, arrays, results=True)[1][2][0].requires_grad


def test_a_tensor_that_stays_is_itself():
    p = tg.tensor([1.0], requires_grad=True)
    arrays: list[Any] = []
    form = taken_apart([p, p.data], arrays, {id(p)})
    assert put_together(form, arrays)[0] is p and len(arrays) == 1


def test_keys_tell_settings_apart():
    def key(nest: Any) -> Any:
        return key_of(taken_apart(nest, []))

    x, t = np.ones(2), tg.tensor([1.0])
    assert key((x, {"a": 1})) == key((np.zeros(2), {"a": 1}))
    different = [x, t, tg.tensor([1.0], requires_grad=True), (x,), [x], {"a": x}, {"b": x}, 1, 1.0, True, "1", None]
    assert len({key(nest) for nest in different}) == len(different)
