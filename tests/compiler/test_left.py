"""What compiled steps return, and leave in weights, gradients, arrays and streams."""

from __future__ import annotations

import numpy as np
import pytest
from compiler.steps import DATA, Trainer, assert_alike, follow, network, tensors_of

import tinygen as tg
from tinygen import compile, ops
from tinygen.optim import SGD, Adam
from tinygen.random import Generator, default_rng


def test_what_it_returns_is_as_it_was_returned():
    def make():
        owner = Trainer(optimizer=lambda p: SGD(p, 0.1))

        def step(x):
            w = owner.net[0].w
            before, view = w.data.copy(), w.data.T
            loss = owner.step(x)
            return w, w.data, view, before, before, x, loss, w.data[0, 0]

        return step, owner

    assert follow(make).reason is None
    step, owner = make()
    assert compile(step, "numpy")(DATA[0])[0] is owner.net[0].w


def test_what_it_returns_is_not_written_again():
    owner = Trainer()
    compiled = compile(lambda x: (owner.step(x), owner.net[0].w.data), "numpy")
    first = compiled(DATA[0])
    kept = [first[0].array.copy(), first[1].copy()]
    compiled(DATA[1])
    np.testing.assert_array_equal(first[0].array, kept[0])
    np.testing.assert_array_equal(first[1], kept[1])


@pytest.mark.parametrize("after", [False, True])
def test_gradients_that_it_leaves(after):
    def make():
        owner = Trainer()

        def step(x):
            if not after:
                owner.opt.zero_grad()
            loss = ops.mean(owner.net(x) ** 2)
            loss.backward()
            owner.opt.step()
            if after:
                owner.opt.zero_grad()
            return loss

        return step, owner

    compiled = follow(make, state=lambda o: [tensors_of(o), [p.grad for p in o.net.parameters()]])
    assert compiled.reason is None


def test_a_backward_over_weights_that_it_changed_is_refused():
    owner = Trainer()
    compiled = compile(owner.step, "numpy")
    compiled(DATA[0])
    loss = ops.mean(owner.net(DATA[1]) ** 2)
    compiled(DATA[2])
    with pytest.raises(tg.GradientError, match="changed after the forward pass"):
        loss.backward()


def test_writing_into_weights_and_arrays():
    def make():
        owner = Trainer()
        owner.sums, owner.listed = np.zeros(3, np.float32), [np.ones(3, np.float32)]
        total = np.zeros((), np.float32)

        def step(x):
            nonlocal total
            w = owner.net[0].w
            w.data[0] = x[0, 0]
            w.data[1:, 2] -= 1.0
            w.changed()
            w.data = w.data * 1.5
            w.assign(w.data + 1.0)
            owner.sums *= 0.9
            owner.sums += x.mean(0)
            owner.listed[0][...] = owner.sums * 2
            total += x.sum()
            return owner.net(x - owner.sums), total + 0

        return step, owner

    assert follow(make, state=lambda o: [tensors_of(o), o.sums, o.listed]).reason is None


def test_streams():
    def make():
        rng = Generator(3)
        return (lambda x: [rng.normal(x.shape, std=2.0), rng.uniform((2,), 1, 2), rng.integers(0, 9, (3,))]), rng

    assert follow(make, state=lambda rng: str(rng.state)).reason is None


def test_the_default_stream_after_a_new_seed():
    def step(x):
        return x + default_rng().normal(x.shape)

    compiled = compile(step, "numpy")
    for k in range(3):
        made = []
        for f in (compiled, step):
            tg.seed(k)
            made.append(f(DATA[0]))
        np.testing.assert_array_equal(*made)
    assert compiled.reason is None


# Weights in two places


def test_weights_that_two_layers_share():
    def make():
        owner, other = Trainer(), network(seed=1)
        other[0].w = owner.net[0].w
        owner.opt = Adam([*owner.net.parameters(), *other[2].parameters()], 0.01)

        def step(x):
            loss = ops.mean(owner.net(x) * other(x))
            owner.opt.step(tg.grad(loss, owner.opt.params))
            return loss

        return step, owner

    assert follow(make).reason is None


@pytest.mark.parametrize("turned", [False, True])
def test_weights_that_two_optimisers_share(turned):
    def make():
        owner = Trainer()
        other = SGD(owner.net.parameters(), 0.02)

        def step(x):
            for opt in (other, owner.opt) if turned else (owner.opt, other):
                loss = ops.mean(owner.net(x) ** 2)
                opt.step(tg.grad(loss, owner.net.parameters()))
            return loss

        return step, owner

    follow(make)


def test_two_steps_that_share_a_network():
    def make():
        owner = Trainer()
        other = SGD(owner.net[2].parameters(), 0.1)

        def second(x):
            loss = ops.mean(owner.net(x))
            other.step(tg.grad(loss, other.params))
            return loss

        return owner, second

    (owner, second), (twin, other) = make(), make()
    first, last = compile(twin.step, "numpy"), compile(other, "numpy")
    for x in DATA[:5]:
        assert_alike([first(x), last(x)], [owner.step(x), second(x)], "")
    assert_alike(tensors_of(twin), tensors_of(owner), "")
