"""What is changed between steps takes effect in compiled ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.steps import DATA, Trainer, follow, network

import tinygen as tg
from tinygen import compile, layers, ops
from tinygen.optim import SGD, cosine_decay
from tinygen.random import Generator


def trainer(**options: Any) -> Any:
    made = Trainer(**options)
    return made.step, made


def dropped() -> Any:
    return trainer_of(layers.Dropout(0.5, rng=Generator(3)), layers.BatchNorm(4))


def trainer_of(*between: Any) -> Any:
    made = Trainer(*between, optimizer=lambda p: SGD(p, 0.01))
    return made.step, made


CHANGES: dict[str, Any] = {
    "lr": lambda k, o: setattr(o.opt, "lr", 0.1 / (k + 1)),
    "betas": lambda k, o: k == 3 and setattr(o.opt, "betas", (0.5, 0.6)),
    "a schedule": lambda k, o: k == 3 and setattr(o.opt, "lr", cosine_decay(0.1, 9)),
    "t": lambda k, o: k == 3 and setattr(o.opt, "t", 100),
    "another layer": lambda k, o: k == 3 and setattr(o.net, "1", layers.ReLU()),
    "another array": lambda k, o: k == 3 and setattr(o.net[0].w, "array", np.ones((3, 4), np.float32)),
    "written weights": lambda k, o: o.net[0].w.assign(o.net[0].w.data * 0.5),
    "loaded weights": lambda k, o: k == 3 and o.net.load_state_dict(network(seed=7).state_dict()),
    "loaded optimiser": lambda k, o: k == 3 and o.opt.load_state_dict(Trainer().opt.state_dict()),
    "a hook": lambda k, o: k == 3 and o.net[0].w.register_hook(lambda g: g * 2.0),
    "another optimiser": lambda k, o: k == 3 and setattr(o, "opt", SGD(o.net.parameters(), 0.1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_between_steps_takes_effect(change):
    assert follow(trainer, change=CHANGES[change]).reason is None


def test_layers_switched_between_steps():
    def change(k, owner):
        if k == 1:
            owner.net[1].rate = 0.1
        if k == 2:
            owner.net[2].momentum = 0.3
        if k in (3, 5):
            owner.net.train(k == 5)

    assert follow(dropped, change=change).reason is None


def test_frozen_layers():
    def make():
        owner = Trainer()

        def step(x):
            owner.opt.zero_grad()
            loss = ops.mean(owner.net(x) ** 2)
            loss.backward()
            owner.opt.step()
            return loss

        return step, owner

    assert follow(make, change=lambda k, o: k in (2, 4) and o.net[0].requires_grad_(k == 4)).reason is None


def test_a_rate_that_is_set_before_each_step_is_no_reason_to_trace_again(monkeypatch):
    traced = []
    state = "tinygen.compiler.compiled.State"
    original = compile.__globals__["State"]
    monkeypatch.setattr(state, lambda roots: traced.append(roots) or original(roots))
    owner = Trainer()
    compiled = compile(owner.step, "numpy")
    for k, x in enumerate(DATA[:6]):
        owner.opt.lr = 0.1 / (k + 1)
        compiled(x)
    assert len(traced) == 1


def test_a_variable_of_the_function_takes_effect():
    def make():
        scale, settings, net = np.ones(3, np.float32), {"slope": 1.0}, network()

        def change(k):
            nonlocal scale
            settings["slope"] = float(k // 2)
            scale = np.full(3, k, np.float32)

        return lambda x: net(x * scale) * settings["slope"], change

    assert follow(make, change=lambda k, o: o(k), state=lambda o: ()).reason is None


def test_blocks_around_the_call():
    net = network(layers.Dropout(0.5, rng=Generator(3)))
    compiled = compile(lambda x: net(x), "numpy")
    compiled(DATA[0])
    with layers.evaluating(net):
        np.testing.assert_allclose(compiled(DATA[0]).array, net(DATA[0]).array, 1e-6)
    learning = compile(lambda x: net[0](x) if net[0](x).requires_grad else x, "numpy")
    assert learning(DATA[0]).shape == (5, 4)
    with tg.no_grad():
        assert learning(DATA[0]) is DATA[0] or learning(DATA[0]).shape == (5, 3)
