"""no_grad, frozen and trace as blocks and as decorators, of one thread each."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from tinygen import GradientError, frozen, grad, layers, no_grad, ops, tensor
from tinygen.scopes import trace


def leaf(values, name=None):
    return tensor(values, requires_grad=True, name=name)


def recorded(x):
    return (x * 2).requires_grad


X = leaf([1.0])
SCOPES = {"no_grad": no_grad, "frozen": lambda: frozen([X])}
each_scope = pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)


@each_scope
def test_a_generator_is_inside_at_each_step_and_its_caller_outside(scope):
    @scope()
    def steps(n):
        """Doc."""
        got = []
        try:
            for _ in range(n):
                got.append((yield recorded(X)))
        except KeyError:
            yield recorded(X)
        finally:
            got.append(recorded(X))
            ends.append(got)
        return "end"

    ends = []
    values = steps(2)
    assert steps.__doc__ == "Doc." and recorded(X)
    assert next(values) is False and recorded(X)
    assert values.send("sent") is False and recorded(X)
    with pytest.raises(StopIteration) as stop:
        next(values)
    assert stop.value.value == "end" and recorded(X)
    assert ends == [["sent", None, False]]
    values = steps(2)
    next(values)
    assert values.throw(KeyError()) is False and recorded(X)
    values.close()
    assert ends[1:] == [[False]] and recorded(X)


@each_scope
def test_coroutines_take_turns(scope):
    found = []

    @scope()
    async def inside():
        for _ in range(3):
            found.append(recorded(X))
            await asyncio.sleep(0)
        return "inside"

    async def outside():
        for _ in range(3):
            found.append(recorded(X))
            await asyncio.sleep(0)

    async def both():
        return await asyncio.gather(inside(), outside())

    assert asyncio.run(both()) == ["inside", None]
    assert found == [False, True] * 3


@each_scope
def test_an_asynchronous_generator(scope):
    @scope()
    async def values():
        try:
            sent = yield recorded(X)
            yield sent, recorded(X)
        finally:
            await asyncio.sleep(0)
            ends.append(recorded(X))

    async def main():
        v = values()
        found = [await v.__anext__(), recorded(X), await v.asend(5), recorded(X)]
        await v.aclose()
        return found, [item async for item in values()], recorded(X)

    ends = []
    assert asyncio.run(main()) == ([False, True, (5, False), True], [False, (None, False)], True)
    assert ends == [False, False]


def test_no_grad_without_parentheses():
    @no_grad
    def f(x):
        return recorded(x)

    assert f(X) is False and f.__name__ == "f" and recorded(X)


def test_a_block_may_be_entered_again():
    block = no_grad()
    with block:
        with block:
            assert not recorded(X)
        assert not recorded(X)
    with block:
        assert not recorded(X)
    assert recorded(X)


def test_trace_of_a_generator():
    seen = []

    @trace(lambda *event: seen.append(event[0]))
    def steps():
        yield ops.exp(X)

    for _ in steps():
        ops.sin(X)
    assert seen == ["exp"]


def test_frozen_is_of_one_thread():
    D, found = layers.Dense(1, 1), []
    w = D.parameters()[0]

    def elsewhere():
        found.append((w.requires_grad, grad(D(tensor([[2.0]])).sum(), w).item()))

    with frozen(D):
        assert not w.requires_grad
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert not D(tensor([[2.0]])).requires_grad
    assert found == [(True, 2.0)]
    assert w.requires_grad


def test_threads_that_freeze_at_the_same_time_leave_no_trace():
    """What one thread froze, another that left its block in between used to thaw, or to freeze for ever."""
    w, start, errors = leaf([1.0]), threading.Barrier(4), []

    def work():
        start.wait()
        for _ in range(200):
            with frozen([w]):
                if recorded(w):
                    errors.append("thawed")
            if not recorded(w):
                errors.append("frozen")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors


def test_frozen_and_no_grad_nest_in_any_order():
    a, b = leaf([1.0]), leaf([2.0])
    with frozen([a]):
        with no_grad():
            assert not recorded(b)
            with frozen([b]):
                assert not recorded(b) and not b.requires_grad
            assert not recorded(b) and b.requires_grad
        assert recorded(b) and not recorded(a)
        with frozen(b):
            assert not recorded(a * b)
        assert grad(a * b * b, b).item() == 4
        with pytest.raises(GradientError, match="does not require grad; is it frozen"):
            grad(b * 2, a)
    assert recorded(a) and recorded(b)


def test_second_order_through_what_was_frozen(backend):
    """A frozen D's weights are constants in the gradient that goes through it, also when that is differentiated."""
    x, w = leaf([3.0]), leaf([2.0])
    with frozen(w):
        g = grad((w * x * x).sum(), x, create_graph=True)
    assert grad(g.sum(), x).item() == 4


@pytest.mark.parametrize("what", [None, 3.0, "D", [1.0], [None]], ids=repr)
def test_what_can_not_be_frozen(what):
    with pytest.raises(TypeError, match="frozen: expected a module, a Tensor, or some of them, but got"), frozen(what):
        pass


def test_modules_in_a_list_are_frozen():
    a, b = layers.Dense(1, 1), layers.Dense(1, 1)
    with frozen([a, b, X]):
        assert not any(recorded(t) for t in [*a.parameters(), *b.parameters(), X])
    assert np.all([recorded(t) for t in [*a.parameters(), *b.parameters(), X]])
