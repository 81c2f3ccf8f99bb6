"""What is captured as a graph, and when it is captured anew: on the stand-in, and on a GPU where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.steps import DATA, Trainer
from compiler.test_models import SETTINGS, named
from models.small import batches, fed, in_float64, small

import tinygen as tg
from tinygen import layers, ops
from tinygen.backend import to_host
from tinygen.layers.module import watching
from tinygen.optim import SGD, cosine_decay
from tinygen.random import Generator
from tinygen.scopes import trace


def launches(step: Any) -> list[Any]:
    """Of each program of a compiled step, how it is launched."""
    return [ready.executable.launches for ready in step._ready.values()]


@pytest.mark.more
@pytest.mark.parametrize("setting", [s for s in SETTINGS if s[1]], ids=named)
def test_every_option_of_a_model_can_be_captured(setting, graphs):
    name, options = setting
    model, eager = (in_float64(small(name, eps=1e-3, **options)) for _ in range(2))
    step = tg.compile(model)
    for x in graphs.xp.asarray(batches(7, size=4 * model.batches_per_step)).astype(np.float64):
        step(fed(model, x))
        eager.train_step(fed(eager, x))
    assert step.reason is None and [l.why_not for l in launches(step)] == [""] * len(step._ready)
    assert any(l.captured for l in launches(step))
    for (path, a), (_, b) in zip(eager.named_tensors(), model.named_tensors(), strict=True):
        np.testing.assert_allclose(to_host(b), to_host(a), rtol=1e-8, atol=1e-10, err_msg=path)


class Noisy(Trainer):
    """A Trainer whose network draws, follows statistics and has an average, with a rate that falls."""

    def __init__(self) -> None:
        super().__init__(layers.Dropout(0.5, rng=Generator(3)), layers.BatchNorm(4))
        self.opt.lr = cosine_decay(0.05, 9)
        self.rng = Generator(5)

    def step(self, x: Any) -> Any:
        return super().step(x + self.rng.normal(x.shape) * 0.1)


def loaded(owner: Any) -> None:
    owner.net.load_state_dict(Noisy().net.state_dict())


CHANGES: dict[str, Any] = {  # before step 4, and whether the step is traced and captured anew
    "nothing": (lambda o: None, False),
    "the rate": (lambda o: setattr(o.opt, "lr", 0.1), False),
    "its steps": (lambda o: setattr(o.opt, "t", 100), False),
    "written weights": (lambda o: o.net[0].w.assign(o.net[0].w.data * 0.5), False),
    "loaded weights": (loaded, False),
    "another array": (lambda o: setattr(o.net[0].w, "array", o.net[0].w.array * 2), True),
    "a loaded optimiser": (lambda o: o.opt.load_state_dict(Noisy().opt.state_dict()), False),
    "another optimiser": (lambda o: setattr(o, "opt", SGD(o.net.parameters(), 0.1)), True),
    "a layer": (lambda o: setattr(o.net, "1", layers.ReLU()), True),
    "a rate of dropout": (lambda o: setattr(o.net[1], "rate", 0.1), True),
    "evaluation": (lambda o: o.net.train(False), True),
    "a hook": (lambda o: o.net[0].w.register_hook(lambda g: g * 2.0), True),
    "the place in a stream": (lambda o: setattr(o.rng, "state", Generator(6).state | {"name": o.rng.name}), False),
}


def followed(owner: Any, twin: Any, step: Any, steps: int, graphs: Any, size: int = 5) -> None:
    """Take steps of the owner as it is written and of its twin by a compiled step: they return and leave the same."""
    for x in graphs.xp.asarray(np.resize(DATA, (steps, size, 3))):
        expected, made = owner.step(x), step(x)
        np.testing.assert_allclose(to_host(made), to_host(expected), 1e-5, 1e-6)
    for (path, a), (_, b) in zip(owner.net.named_tensors(), twin.net.named_tensors(), strict=True):
        np.testing.assert_allclose(to_host(b), to_host(a), 1e-4, 1e-5, err_msg=path)


def compiled(graphs: Any, kind: Any = Noisy) -> tuple[Any, Any, Any, Any]:
    """An owner, its twin, the twin's step, which is a graph by now, and how that is launched."""
    tg.seed(0)
    owner = kind()
    tg.seed(0)
    twin = kind()
    step = tg.compile(twin.step)
    followed(owner, twin, step, 3, graphs)
    (before,) = launches(step)
    assert before.captured and step.reason is None
    return owner, twin, step, before


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_after_the_capture_takes_effect(change, graphs):
    owner, twin, step, before = compiled(graphs)
    make, anew = CHANGES[change]
    make(owner)
    make(twin)
    followed(owner, twin, step, 3, graphs)
    (after,) = launches(step)
    assert (after is not before) == anew
    assert after.captured and step.reason is None


def test_parameters_that_are_frozen_or_learn_again_are_captured_anew(graphs):
    class Backward(Noisy):
        def step(self, x: Any) -> Any:
            self.opt.zero_grad()
            loss = ops.mean(self.net(x) ** 2)
            loss.backward()
            self.opt.step()
            return loss

    owner, twin, step, before = compiled(graphs, Backward)
    for requires in (False, True):
        for o in (owner, twin):
            o.net[0].requires_grad_(requires)
        followed(owner, twin, step, 3, graphs)
        (after,) = launches(step)
        assert after is not before and after.captured and step.reason is None
        before = after


def test_a_look_within_a_step_runs_it_as_it_is_written_and_the_graph_stays(graphs):
    owner, twin, step, before = compiled(graphs)
    seen: list[str] = []
    with watching(lambda module, y: seen.append(type(module).__name__)):
        followed(owner, twin, step, 2, graphs)
    assert seen.count("BatchNorm") == 4  # two steps of each
    taken = launches(step)
    followed(owner, twin, step, 2, graphs)
    assert taken == launches(step) == [before] and before.captured


def test_a_trace_runs_the_step_as_it_is_written_and_the_graph_stays(graphs):
    owner, twin, step, before = compiled(graphs)
    ops_seen: list[str] = []
    with trace(lambda op, *_: ops_seen.append(op)):
        followed(owner, twin, step, 1, graphs)
    assert ops_seen.count("_dense") >= 2
    followed(owner, twin, step, 2, graphs)
    assert launches(step) == [before] and before.captured


def test_a_batch_of_another_shape_has_a_graph_of_its_own(graphs):
    owner, twin, step, before = compiled(graphs)
    followed(owner, twin, step, 3, graphs, size=4)
    followed(owner, twin, step, 2, graphs)
    first, other = launches(step)
    assert first is before and other is not before and other.captured and step.reason is None
