"""Steps that stay as they were written: why, where, and that nothing has happened on the way."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import numpy as np
import pytest
from compiler.steps import DATA, Trainer, follow, network, tensors_of

import tinygen as tg
from tinygen import compile, layers, ops
from tinygen.random import Generator


class Counting(layers.Module):
    """A layer that counts its calls."""

    def __init__(self, used: bool):
        self.n, self.used = 0, used

    def forward(self, x: Any) -> Any:
        self.n += 1
        return x * float(self.n) if self.used else x


class Owner(layers.Module):
    """A network with what a step leaves in it."""

    def __init__(self) -> None:
        self.net, self.flag, self.last, self.logged = network(Counting(False)), False, None, {}
        self.mean = np.zeros(3, np.float32)


def decides(owner, x):
    loss = ops.mean(owner.net[0](x))
    return loss * 2.0 if loss > 0 else loss


def caught(owner, x):
    try:
        return float(ops.mean(owner.net[0](x)))
    except Exception:
        return None


def prints(owner, x):
    return str(ops.mean(owner.net[0](x)))


def logs(owner, x):
    owner.logged["loss"] = ops.mean(owner.net[0](x))
    return owner.logged["loss"]


def leaves(owner, x):
    owner.last = ops.mean(owner.net[0](x))
    return owner.last


def counts(owner, x):
    return owner.net(x)


def alternates(owner, x):
    owner.flag = not owner.flag
    return x * (2.0 if owner.flag else 3.0)


def replaces(owner, x):
    owner.mean = 0.9 * owner.mean + 0.1 * x.mean(0)
    return x - owner.mean


def draws(owner, x):
    return x + np.random.normal(size=x.shape).astype(x.dtype)  # noqa: NPY002


def draws_of_python(owner, x):
    return x * random.random()


def writes(owner, x):
    x += 1
    return owner.net[0](x)


def moves(owner, x):
    owner.rng = Generator(0)
    owner.rng.state = Generator(1).state
    return x + owner.rng.normal(x.shape)


def adds_gradients(owner, x):
    loss = ops.mean(owner.net[0](x))
    loss.backward()
    return loss


def masks(owner, x):
    return x[x > 0].sum()


def returns_others(owner, x):
    return x, object()


REFUSED = {
    decides: r"the step looks at the elements of an array.*in decides: return loss \* 2.0 if loss > 0",
    caught: "looks at the elements",
    prints: "looks at the elements",
    logs: "the step leaves an array in owner.logged.loss; return it",
    leaves: "the step leaves an array in owner.last; return it",
    counts: r"the step sets owner.net.1.n to another value each time",
    alternates: r"multiply takes a number that changes from step to step \(2.0, then 3.0\)",
    replaces: r"the step puts another array in owner.mean; write into it: x\[...\] =",
    draws: "an array from outside of the model changes from step to step",
    draws_of_python: "a number that changes from step to step",
    writes: r"the step writes into its batch; copy it first: x = x.copy\(\)",
    moves: "the step moves Generator.* to another place",
    adds_gradients: r"a .grad of an earlier step; call zero_grad\(\) first",
    masks: "indexed with a mask",
    returns_others: "what the step returns besides arrays changes",
}


@pytest.mark.parametrize("step", REFUSED, ids=lambda step: step.__name__)
def test_a_step_that_is_no_program_stays_eager(step):
    def make():
        owner = Owner()
        return (lambda x: step(owner, x)), owner

    def state(owner):
        grads = [p.grad for p in owner.net.parameters()]
        return [tensors_of(owner.net), owner.mean, owner.flag, owner.last, owner.net[1].n, owner.logged, grads]

    random.seed(0)
    if step in (draws_of_python, returns_others):
        compiled = compile(make()[0], "numpy")
        start = random.getstate()
        compiled(DATA[0])
        if step is draws_of_python:
            end = random.getstate()
            random.setstate(start)
            random.random()
            assert random.getstate() == end
    else:
        compiled = follow(make, state=state)
    assert re.search(REFUSED[step], compiled.reason or "", re.DOTALL), compiled.reason


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState, random.Random])
def test_streams_that_the_step_holds_are_where_they_were(kind):
    def draws(compiled):
        stream = kind(0)
        step = (compile if compiled else lambda f: f)(lambda x: x * stream.uniform(0, 1))
        return [float(step(np.ones(1))[0]) for _ in range(3)]

    assert draws(True) == draws(False)


def test_a_list_of_losses():
    def make():
        net, losses = network(), []

        def step(x):
            losses.append(ops.mean(net(x)))
            return losses[-1]

        return step, losses

    assert follow(make, state=list).reason.startswith("the step leaves an array in losses.0; return it")


def test_a_count_of_steps_decides():
    owner = Trainer()

    def step(x):
        return owner.step(x) * 2.0 if owner.opt.t % 3 == 2 else owner.step(x)

    compiled = compile(step, "numpy")
    for x in DATA[:3]:
        compiled(x)
    assert "a number that changes from step to step decides what Python does" in compiled.reason
    assert owner.opt.t == 3


def test_an_optimiser_out_of_reach():
    hidden = {(Trainer(),): None}  # the keys of a dict are not looked through
    twin = Trainer()
    compiled = compile(lambda x: next(iter(hidden))[0].step(x), "numpy")
    (owner,) = next(iter(hidden))
    for x in DATA[:3]:
        np.testing.assert_allclose(compiled(x).array, twin.step(x).array, 1e-6)
    assert "the step uses Adam(4 tensors), which is not among what it is known to hold" in compiled.reason
    for name, slot in owner.opt.state_dict().items():
        np.testing.assert_allclose(slot, twin.opt.state_dict()[name], 1e-6, err_msg=name)


def test_errors_of_the_step_are_its_own():
    def make():
        owner = Trainer()

        def step(x):
            if len(x) == 4:
                raise RuntimeError("four")
            return owner.step(x)

        return step, owner

    sizes = [(DATA[k][: 3 + k % 2],) for k in range(6)] + [(DATA[0][:, :2],), (DATA[0].astype(int),), (None,)]
    compiled = follow(make, sizes)
    assert compiled.reason is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_interrupted_trace_leaves_nothing(error):
    class Bomb(layers.Module):
        armed = True

        def forward(self, x: Any) -> Any:
            if self.armed:
                raise error
            return x

    bomb = Bomb()
    owner = Trainer(layers.BatchNorm(4), bomb)
    compiled = compile(owner.step, "numpy")
    before, version = owner.net.state_dict(), owner.net[0].w.version.count
    with pytest.raises(error):
        compiled(DATA[0])
    for name, x in owner.net.state_dict().items():
        np.testing.assert_array_equal(x, before[name]) if error is not RuntimeError else None
    assert type(owner.net[0].w.array) is np.ndarray and owner.opt.t == 0 and tg.per_step(lambda: 1) == 1
    assert owner.net[0].w.version.count == version and owner.net[0].w.grad is None
    bomb.armed = False
    compiled(DATA[0])
    assert compiled.reason is None and owner.opt.t == 1


def test_a_trace_computes_and_changes_nothing():
    owner, rng = Trainer(layers.Dropout(0.5, rng=Generator(2)), layers.BatchNorm(4)), Generator(3)

    def step(x):
        owner.opt.zero_grad()
        ops.mean(owner.net(x + rng.normal(x.shape)) ** 2).backward()
        owner.opt.step()

    compiled = compile(step, "numpy")
    before = owner.net.state_dict(), owner.opt.state_dict(), rng.state, owner.net[1].rng.state
    versions = [p.version.count for p in owner.net.parameters()]
    program = compiled.trace(DATA[0])
    assert len(program) > 10 and compiled.program is None
    after = owner.net.state_dict(), owner.opt.state_dict(), rng.state, owner.net[1].rng.state
    np.testing.assert_equal(after, before)
    assert [p.version.count for p in owner.net.parameters()] == versions
    assert all(p.grad is None for p in owner.net.parameters())


def test_a_step_that_changes_all_the_time_gives_up():
    owner = Trainer()
    compiled = compile(owner.step, "numpy")
    for n in range(1, 25):
        compiled(np.ones((n, 3), np.float32))
    assert compiled.reason == "its settings, or the shapes of its batches, changed 20 times"


def test_an_argument_that_can_not_be_compared():
    compiled = compile(lambda x, s: x * len(s), "numpy")
    assert compiled(DATA[0], {1, 2}).shape == (5, 3)
    assert "neither an array nor a setting" in compiled.reason


def test_an_iterator_from_outside_has_moved():
    """What Python reads from an iterator in a trace is read: a limit of tracing, which no state can undo."""
    numbers = itertools.count()
    compiled = compile(lambda x: x * float(next(numbers)), "numpy")
    compiled(DATA[0])
    assert "changes from step to step (0.0, then 1.0)" in compiled.reason and next(numbers) == 3
