"""Optimisers against their formulas on every backend; the flat buffers; schedules; clipping; saved state."""

from __future__ import annotations

import copy
import inspect
import math
import re

import numpy as np
import pytest
import standin

import tinygen as tg
from tinygen import optim
from tinygen.errors import GradientError
from tinygen.layers import Dense, Module, Sequential, Tanh
from tinygen.models.base import ModelConfig
from tinygen.models.networks import make_optimizer
from tinygen.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from tinygen.tensor import Parameter, tensor

SHAPES = [(4, 3), (3,), (), (2, 1, 3), (0, 2)]


# The formulas, on one NumPy array each. A state is a dict.


def sgd(p, g, s, lr, momentum=0.0, nesterov=False):
    s["v"] = momentum * s.get("v", 0) + g
    return p - lr * (g + momentum * s["v"] if nesterov else s["v"])


def rmsprop(p, g, s, lr, alpha=0.99, eps=1e-8):
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g**2
    return p - lr * g / (np.sqrt(s["v"]) + eps)


def adam(p, g, s, lr, betas=(0.9, 0.999), eps=1e-8):
    s["t"] = t = s.get("t", 0) + 1
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    return p - lr * (s["m"] / (1 - betas[0] ** t)) / (np.sqrt(s["v"] / (1 - betas[1] ** t)) + eps)


def adamw(p, g, s, lr, weight_decay=0.01, **options):
    return adam(p, g, s, lr, **options) - lr * weight_decay * p


CASES = [
    (SGD, sgd, {"lr": 0.1}),
    (SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
    (SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (RMSprop, rmsprop, {"lr": 0.01}),
    (RMSprop, rmsprop, {"lr": 0.01, "alpha": 0.5, "eps": 0.1}),
    (Adam, adam, {"lr": 0.01}),
    (Adam, adam, {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-2}),
    (AdamW, adamw, {"lr": 0.01}),
    (AdamW, adamw, {"lr": 0.1, "weight_decay": 0.5, "betas": (0.0, 0.9)}),
]
KINDS = [pytest.param(kind, options, id=f"{kind.__name__}-{i}") for i, (kind, _, options) in enumerate(CASES)]


def parameters(backend=None, dtype=np.float64, shapes=SHAPES):
    rng = np.random.default_rng(0)
    hosts = [np.asarray(rng.normal(size=shape), dtype) for shape in shapes]
    return [Parameter(h if backend is None else backend.asarray(h), f"p{i}") for i, h in enumerate(hosts)]


def gradients(step, dtype=np.float64, shapes=SHAPES):
    rng = np.random.default_rng([1, step])
    return [np.asarray(rng.normal(size=shape), dtype) for shape in shapes]


def values(params):
    return [p.numpy().copy() for p in params]


def assert_equal(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("kind, formula, options", CASES)
def test_ten_steps_follow_the_formula(backend, kind, formula, options):
    params = parameters(backend)
    expected, states = values(params), [{} for _ in params]
    optimizer = kind(params, **options)
    for step in range(10):
        g = gradients(step)
        optimizer.step([backend.asarray(x) for x in g])
        expected = [formula(p, x, s, **options) for p, x, s in zip(expected, g, states, strict=True)]
    for p, right in zip(values(params), expected, strict=True):
        np.testing.assert_allclose(p, right, rtol=1e-12, atol=1e-14)
    assert optimizer.t == 10


@pytest.mark.parametrize("kind, options", KINDS)
def test_float32_stays_float32(backend, kind, options):
    params = parameters(backend, np.float32)
    optimizer = kind(params, **options, clip_norm=0.5, clip_value=0.3)
    optimizer.step([backend.asarray(g) for g in gradients(0, np.float32)])
    assert all(p.dtype == np.float32 for p in params)
    assert all(a.dtype == np.float32 for a in (optimizer.flat, *optimizer.state.values()))


@pytest.mark.parametrize("kind, options", KINDS)
def test_a_step_waits_for_nothing(gpu, kind, options):
    params = parameters(gpu, np.float32)
    optimizer = kind(params, **{**options, "lr": optim.cosine_decay(0.1, 10)}, clip_norm=0.5, clip_value=0.3)
    g = [gpu.asarray(x) for x in gradients(0, np.float32)]
    g[1] = None
    with standin.count_syncs() as syncs, standin.capturing():
        optimizer.step(g)
        for p, x in zip(params, g, strict=True):
            p.grad = None if x is None else tg.Tensor(x)
        optimizer.step()
        optimizer.zero_grad()
    assert syncs.count == 0, syncs


@pytest.mark.parametrize("kind, options", KINDS)
def test_a_parameter_without_a_gradient_stays_as_it_is(backend, kind, options):
    params = parameters(backend)
    optimizer = kind(params, **options)
    optimizer.step([backend.asarray(g) for g in gradients(0)])
    before, state = values(params), {n: backend.to_host(s) for n, s in optimizer.state_dict().items()}
    g = [backend.asarray(x) for x in gradients(1)]
    optimizer.step([None, g[1], None, g[3], None])
    after, n = values(params), [p.size for p in params]
    assert_equal([after[i] for i in (0, 2, 4)], [before[i] for i in (0, 2, 4)])
    assert not np.isclose(after[1], before[1]).any() and not np.isclose(after[3], before[3]).any()
    kept = np.r_[0 : n[0], n[0] + n[1] : n[0] + n[1] + n[2]]
    for name in optimizer.slots:
        np.testing.assert_array_equal(backend.to_host(optimizer.state[name])[kept], state[name][kept])
        assert not np.isin(backend.to_host(optimizer.state[name]), state[name][len(kept) :]).all()


@pytest.mark.parametrize("kind, options", KINDS)
def test_grad_attributes_tensors_and_arrays_are_the_same_gradients(backend, kind, options):
    results = []
    for way in ("attributes", "tensors", "arrays"):
        params = parameters(backend)
        optimizer = kind(params, **options)
        g = [backend.asarray(x) for x in gradients(0)]
        if way == "attributes":
            for p, x in zip(params, g, strict=True):
                p.grad = tg.Tensor(x)
            optimizer.step()
        else:
            optimizer.step(iter(g if way == "arrays" else [tg.Tensor(x) for x in g]))
        results.append(values(params))
    assert_equal(results[0], results[1])
    assert_equal(results[0], results[2])


def test_gradients_in_any_memory_order_and_dtype_are_taken_and_left_alone(backend):
    params, twin = parameters(backend), parameters(backend)
    g = gradients(0)
    strange = [backend.asarray(x) for x in g]
    strange[0] = backend.asarray(g[0].T.copy()).T
    strange[1] = backend.asarray(g[1].repeat(2)[::-1].copy())[::-2]
    strange[3] = backend.asarray(g[3], np.float32)
    g[3] = g[3].astype(np.float32)
    before = [backend.to_host(x).copy() for x in strange]
    options = {"lr": 0.1, "momentum": 0.5, "clip_norm": 0.1, "clip_value": 0.2}
    SGD(params, **options).step(strange)
    SGD(twin, **options).step([backend.asarray(x, np.float64) for x in g])
    assert_equal(values(params), values(twin))
    assert_equal([backend.to_host(x) for x in strange], before)


def test_zero_grad_forgets():
    params = parameters()
    (params[0].sum() * 2).backward()
    optimizer = SGD(params)
    assert params[0].grad is not None
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


# The flat buffers


def test_parameters_are_views_of_one_buffer_in_their_order(backend):
    params = parameters(backend)
    before = values(params)
    optimizer = Adam(params)
    assert_equal(values(params), before)
    np.testing.assert_array_equal(backend.to_host(optimizer.flat), np.concatenate([x.ravel() for x in before]))
    optimizer.flat[...] = 7
    assert all((x == 7).all() for x in values(params))
    params[1].data[...] = 3
    assert (backend.to_host(optimizer.flat)[12:15] == 3).all()


@pytest.mark.parametrize("assign", ["data", "in place", "assign"])
@pytest.mark.parametrize("kind, options", KINDS)
def test_a_parameter_that_was_given_other_values_goes_on_from_them(backend, kind, options, assign):
    params, twin = parameters(backend), parameters(backend)
    ours, theirs = kind(params, **options), kind(twin, **options)
    new = np.random.default_rng(5).normal(size=(4, 3))
    for step in range(3):
        g = [backend.asarray(x) for x in gradients(step)]
        ours.step(g)
        theirs.step(g)
        if step == 0:
            theirs.flat[:12] = backend.asarray(new.ravel())
            if assign == "data":
                params[0].data = backend.asarray(new)
            elif assign == "assign":
                params[0].assign(backend.asarray(new))
            else:
                params[0].data -= params[0].data - backend.asarray(new)
    for a, b in zip(values(params), values(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_what_was_adopted_is_the_parameter_not_the_array_that_was_given():
    params = parameters()
    optimizer, given = SGD(params), np.ones((4, 3))
    params[0].data = given
    optimizer.step(gradients(0))
    assert (given == 1).all()
    optimizer.flat[...] = 5
    assert (params[0].numpy() == 5).all()


def test_two_optimisers_on_overlapping_parameters_both_work(backend):
    """Each step of one is seen by the other, as with optimisers that have no buffers."""
    a, b, c = params = parameters(backend, shapes=[(2, 2), (3,), (2,)])
    expected, states = values(params), [[{}, {}], [{}, {}]]
    first, second = Adam([a, b], lr=0.1), SGD([b, c], lr=0.2, momentum=0.9)
    for step in range(6):
        ga, gb, gc = gradients(step, shapes=[(2, 2), (3,), (2,)])
        if step % 3 < 2:
            first.step([backend.asarray(ga), backend.asarray(gb)])
            expected[0] = adam(expected[0], ga, states[0][0], 0.1)
            expected[1] = adam(expected[1], gb, states[0][1], 0.1)
        if step % 3 > 0:
            second.step([backend.asarray(gb), backend.asarray(gc)])
            expected[1] = sgd(expected[1], gb, states[1][0], 0.2, 0.9)
            expected[2] = sgd(expected[2], gc, states[1][1], 0.2, 0.9)
        for p, right in zip(values(params), expected, strict=True):
            np.testing.assert_allclose(p, right, rtol=1e-12)


def test_a_step_between_forward_and_backward_is_noticed():
    w = Parameter(np.ones(3), "w")
    optimizer = SGD([w])
    y = (w * w).sum()
    optimizer.step([np.ones(3)])
    with pytest.raises(GradientError, match=r"'w'.*was changed after the forward pass.*optimiser step"):
        y.backward()


def test_a_module_and_its_optimiser_are_copied_together(backend):
    """The copy trains as the original would, on its own parameters."""

    class Net(Module):
        def __init__(self):
            self.body = Sequential(Dense(3, 4), Tanh(), Dense(4, 1))
            self.opt = Adam(self.body.parameters(), lr=0.1)

        def learn(self, x):
            self.opt.step(tg.grad((self.body(x) ** 2).mean(), self.body.parameters()))

    x = backend.asarray(np.random.default_rng(0).normal(size=(5, 3)), np.float32)
    net = Net()
    net.learn(x)
    before, twin = values(net.parameters()), copy.deepcopy(net)
    for _ in range(3):
        twin.learn(x)
    assert_equal(values(net.parameters()), before)
    assert not np.isclose(twin.body[0].w.numpy(), net.body[0].w.numpy()).any()
    for _ in range(3):
        net.learn(x)
    assert_equal(values(net.parameters()), values(twin.parameters()))
    assert [id(p) for p in twin.opt.params] == [id(p) for p in twin.parameters()]


# Saved state


@pytest.mark.parametrize("kind, options", KINDS)
def test_a_saved_optimiser_goes_on_to_the_bit(backend, kind, options):
    options = {**options, "lr": optim.cosine_decay(0.1, 8, warmup=2), "clip_norm": 1.0}

    def steps(optimizer, numbers):
        for step in numbers:
            optimizer.step([backend.asarray(g) for g in gradients(step)])

    params = parameters(backend)
    optimizer = kind(params, **options)
    steps(optimizer, range(3))
    saved, weights = optimizer.state_dict(), values(params)
    steps(optimizer, range(3, 7))
    again = parameters(backend)
    for p, w in zip(again, weights, strict=True):
        p.assign(backend.asarray(w))
    resumed = kind(again, **options)
    resumed.load_state_dict(saved)
    steps(resumed, range(3, 7))
    assert_equal(values(again), values(params))
    assert_equal(*[[backend.to_host(s) for s in o.state_dict().values()] for o in (resumed, optimizer)])


def test_a_state_dict_is_a_copy(backend):
    params = parameters(backend)
    optimizer = Adam(params)
    g = [backend.asarray(x) for x in gradients(0)]
    optimizer.step(g)
    saved = optimizer.state_dict()
    kept = {name: backend.to_host(s).copy() for name, s in saved.items()}
    optimizer.step(g)
    for name, s in saved.items():
        np.testing.assert_array_equal(backend.to_host(s), kept[name])
    optimizer.load_state_dict(saved)
    optimizer.step(g)
    np.testing.assert_array_equal(backend.to_host(saved["m"]), kept["m"])
    assert kept["t"] == 1 and optimizer.t == 2


@pytest.mark.parametrize("kind", [Adam, RMSprop])
def test_a_state_of_tensors_is_loaded(kind, backend):
    optimizer = kind(parameters(backend))
    optimizer.step([backend.asarray(x) for x in gradients(0)])
    saved = optimizer.state_dict()
    resumed = kind(parameters(backend))
    resumed.load_state_dict({name: tensor(s) for name, s in saved.items()})
    for name, s in resumed.state_dict().items():
        np.testing.assert_array_equal(backend.to_host(s), backend.to_host(saved[name]))


def test_a_state_of_a_gpu_is_loaded_on_the_cpu_and_back(gpu):
    there = Adam(parameters(gpu))
    there.step([gpu.asarray(g) for g in gradients(0)])
    with tg.use("cpu"):
        here = Adam(parameters())
        here.load_state_dict(there.state_dict())
        np.testing.assert_array_equal(here.state["m"], gpu.to_host(there.state["m"]))
        back = here.state_dict()
    there.load_state_dict({**back, "m": back["m"] * 2})
    np.testing.assert_array_equal(gpu.to_host(there.state["m"]), 2 * here.state["m"])


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("m"),
        lambda s: s.pop("t"),
        lambda s: s.update(m=np.zeros(3)),
        lambda s: s.update(more=np.zeros(3)),
    ],
    ids=["a buffer is missing", "the count is missing", "another length", "another optimiser's"],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_written(change):
    optimizer = Adam(parameters())
    optimizer.step(gradients(0))
    state = optimizer.state_dict()
    before = {name: s.copy() for name, s in state.items()}
    state = {name: s + 1 for name, s in state.items()}
    change(state)
    with pytest.raises(ValueError, match=re.escape("load_state_dict: this Adam keeps {'t': (), 'm': (22,)")):
        optimizer.load_state_dict(state)
    for name, s in optimizer.state_dict().items():
        np.testing.assert_array_equal(s, before[name])


# Clipping


def clipped_by_norm(gs, limit):
    norm = math.sqrt(sum((g**2).sum() for g in gs))
    return [g * min(1, limit / (norm + 1e-6)) for g in gs]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_clipping(backend, scale):
    g = [x * scale for x in gradients(0)]
    for options, right in [
        ({"clip_norm": 2.0}, clipped_by_norm(g, 2.0)),
        ({"clip_value": 0.5}, [np.clip(x, -0.5, 0.5) for x in g]),
        ({"clip_value": 0.5, "clip_norm": 1.5}, clipped_by_norm([np.clip(x, -0.5, 0.5) for x in g], 1.5)),
    ]:
        params = parameters(backend)
        before = values(params)
        SGD(params, lr=1.0, **options).step([backend.asarray(x) for x in g])
        for p, b, r in zip(values(params), before, right, strict=True):
            np.testing.assert_allclose(b - p, r, rtol=1e-12, atol=1e-15)


def test_what_has_no_gradient_does_not_count_in_the_norm():
    params, g = parameters(), gradients(0)
    optimizer = SGD(params, lr=1.0, clip_norm=1.0)
    optimizer.step([x * 1e6 for x in g])
    before = values(params)
    optimizer.step([g[0], None, None, None, None])
    np.testing.assert_allclose(before[0] - values(params)[0], clipped_by_norm([g[0]], 1.0)[0], rtol=1e-12)


# Schedules


def test_linear_decay():
    rate = optim.linear_decay(0.4, 10, final=0.1)
    assert [rate(i) for i in (0, 5, 10, 11, 1000)] == pytest.approx([0.4, 0.25, 0.1, 0.1, 0.1])
    rate = optim.linear_decay(0.4, 10, warmup=4)
    assert [rate(i) for i in (0, 1, 3, 4, 7, 10, 99)] == pytest.approx([0.1, 0.2, 0.4, 0.4, 0.2, 0, 0])


def test_cosine_decay():
    rate = optim.cosine_decay(0.4, 12, final=0.2)
    assert [rate(i) for i in (0, 4, 6, 12, 13)] == pytest.approx([0.4, 0.35, 0.3, 0.2, 0.2])
    rate = optim.cosine_decay(0.4, 12, warmup=2)
    assert [rate(i) for i in (0, 1, 2, 7, 12)] == pytest.approx([0.2, 0.4, 0.4, 0.2, 0], abs=1e-15)


def test_exponential_and_step_decay():
    rate = optim.exponential_decay(0.8, 0.25, every=2)
    assert [rate(i) for i in (0, 1, 2, 3)] == pytest.approx([0.8, 0.4, 0.2, 0.1])
    rate = optim.step_decay(0.8, 0.25, every=2)
    assert [rate(i) for i in (0, 1, 2, 3, 4)] == pytest.approx([0.8, 0.8, 0.2, 0.2, 0.05])


@pytest.mark.parametrize("schedule", [optim.linear_decay, optim.cosine_decay])
@pytest.mark.parametrize("steps, warmup", [(1, 0), (1, 1), (3, 3), (2, 5)])
def test_a_schedule_shorter_than_its_warmup_is_all_warmup(schedule, steps, warmup):
    rate = schedule(1.0, steps, warmup=warmup)
    assert [rate(i) for i in range(warmup)] == pytest.approx([(i + 1) / warmup for i in range(warmup)])
    assert rate(warmup) == pytest.approx(1.0) and rate(warmup + 1) == pytest.approx(0)


@pytest.mark.parametrize("kind, options", KINDS)
def test_a_schedule_is_asked_for_the_rate_of_each_step(kind, options):
    asked = []

    def schedule(step):
        asked.append(step)
        return np.float32(0.25) / (step + 1)

    ours, twin = parameters(), parameters()
    scheduled = kind(ours, **{**options, "lr": schedule})
    fixed = kind(twin, **{**options, "lr": 0.25})
    for step in range(3):
        fixed.lr = float(np.float32(0.25) / (step + 1))
        scheduled.step(gradients(step))
        fixed.step(gradients(step))
    assert asked == [0, 1, 2]
    assert_equal(values(ours), values(twin))


# What is refused


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda p: Adam([]), "Adam: params must be a list of at least one Parameter, such as module.parameters()"),
        (lambda p: SGD([np.ones(3)]), "SGD: params must be a list of at least one Parameter"),
        (lambda p: Adam([*p, p[0]]), "Adam: params has a Parameter twice"),
        (lambda p: Adam([*p, Parameter(np.ones(2, np.float32))]), "Adam: params must be of one dtype and device"),
        (lambda p: Adam(p, lr=-1.0), "Adam: lr is -1.0, but it must be a finite number of at least 0"),
        (lambda p: RMSprop(p, lr=math.nan), "RMSprop: lr is nan, but it must be a finite number of at least 0"),
        (lambda p: SGD(p, clip_norm=0), "SGD: clip_norm is 0, but it must be a finite number above 0"),
        (lambda p: SGD(p, clip_value=-1.0), "SGD: clip_value is -1.0, but it must be a finite number above 0"),
        (
            lambda p: SGD(p, momentum=1.0),
            "SGD: momentum is 1.0, but it must be a finite number of at least 0 and below 1",
        ),
        (lambda p: SGD(p, nesterov=True), "SGD: nesterov needs a momentum, such as 0.9"),
        (
            lambda p: RMSprop(p, alpha=1.5),
            "RMSprop: alpha is 1.5, but it must be a finite number of at least 0 and below 1",
        ),
        (
            lambda p: Adam(p, betas=(1.0, 0.9)),
            "Adam: beta1 is 1.0, but it must be a finite number of at least 0 and below 1",
        ),
        (lambda p: AdamW(p, betas=(0.9, -0.1)), "AdamW: beta2 is -0.1, but it must be"),
    ],
)
def test_what_an_optimiser_refuses(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(parameters())


def test_parameters_of_two_devices_are_refused(gpu):
    with pytest.raises(ValueError, match="of one dtype and device"):
        SGD([Parameter(np.ones(3)), Parameter(gpu.asarray(np.ones(3)))])


@pytest.mark.parametrize(
    "grads, message",
    [
        (None, "SGD.step: no parameter has a gradient; call backward() first, or pass grads"),
        ([None, None], "SGD.step: no parameter has a gradient"),
        ([np.ones(3)], "SGD.step: got 1 gradients for 2 parameters"),
        (
            [np.ones(3), np.ones((3, 1))],
            "SGD.step: the gradient of b must be float64 of shape (3,), but it is float64 of shape (3, 1)",
        ),
        ([np.ones(3), 1.0], "SGD.step: the gradient of b must be float64 of shape (3,), but it is float"),
    ],
)
def test_what_a_step_refuses_it_refuses_before_anything_changes(grads, message):
    params = [Parameter(np.zeros(3), "a"), Parameter(np.zeros(3), "b")]
    optimizer = SGD(params, momentum=0.9)
    with pytest.raises(GradientError, match=re.escape(message)):
        optimizer.step(grads)
    assert optimizer.t == 0 and not optimizer.flat.any() and not optimizer.state["v"].any()


def test_an_optimiser_without_update_says_so():
    class Idle(optim.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="Idle has no update"):
        Idle(parameters(), 0.1).step(gradients(0))


def test_the_registry_names_every_optimiser():
    assert list(optim.OPTIMIZERS.items()) == [("adam", Adam), ("adamw", AdamW), ("rmsprop", RMSprop), ("sgd", SGD)]


def test_a_parameter_without_a_gradient_counts_as_unchanged():
    a, b = (tg.Parameter(np.ones(2, np.float32)) for _ in range(2))
    optimizer = tg.optim.SGD([a, b], lr=0.1)
    y = (b * b).sum()
    optimizer.step([np.ones(2, np.float32), None])
    assert tg.grad(y, b).numpy().tolist() == [2.0, 2.0]


def test_a_module_is_no_list_of_parameters():
    with pytest.raises(ValueError, match=r"module\.parameters\(\)"):
        tg.optim.Adam(tg.layers.Dense(1, 1))


def test_a_parameter_may_be_another_s_gradient():
    p, q = (Parameter(np.array([value])) for value in (1.0, 2.0))
    tg.optim.SGD([p, q], lr=0.1).step([q, p])
    assert (p.item(), q.item()) == (pytest.approx(0.8), pytest.approx(1.9))


@pytest.mark.parametrize("kind", optim.OPTIMIZERS.values())
def test_every_optimiser_takes_and_shows_the_options_that_all_have(kind):
    base = inspect.signature(Optimizer.__init__).parameters.values()
    options = {p.name for p in base if p.kind is p.KEYWORD_ONLY}
    assert options >= {"clip_norm", "clip_value"} and options <= set(inspect.signature(kind).parameters)
    optimizer = kind([Parameter(np.zeros(2, np.float32))], **dict.fromkeys(options, 0.5))
    assert all(getattr(optimizer, name) == 0.5 and f"{name}=0.5" in repr(optimizer) for name in options)
    with pytest.raises(TypeError, match="unexpected keyword argument 'clip'"):
        kind(optimizer.params, clip=1)


def test_an_optimiser_of_one_s_own_is_one_entry(monkeypatch):
    """In OPTIMIZERS: a Config then names it, and it says itself what it takes from that."""

    class Sign(Optimizer):
        def __init__(self, params, lr=0.1, pull=0.0, **options):
            super().__init__(params, lr, **options)
            self.pull = pull

        @classmethod
        def options_of(cls, config):
            return {"pull": config.beta1}

        def update(self, p, g, *state, lr):
            p -= lr * np.sign(g)

    monkeypatch.setitem(optim.OPTIMIZERS, "sign", Sign)
    made = make_optimizer(ModelConfig(optimizer="sign", beta1=0.25), [Parameter(np.zeros(2, np.float32))])
    assert repr(made) == "Sign(1 tensor, lr=0.001, pull=0.25)"
    assert repr(Sign(made.params, clip_value=1)) == "Sign(1 tensor, lr=0.1, pull=0.0, clip_value=1.0)"


def test_an_update_by_the_norm_of_a_parameter_is_called_for_each(backend):
    class Trust(Optimizer):
        """p ← p - lr ‖p‖ g."""

        def update(self, p, g, *state, lr):
            p -= lr * backend.xp.sqrt((p * p).sum()) * g

    params = [Parameter(backend.asarray(value, np.float32)) for value in ([3.0, 4.0], [6.0, 8.0])]
    Trust(params, lr=0.5).step([backend.asarray([1.0, 0.0], np.float32)] * 2)
    assert [backend.to_host(p.data).tolist() for p in params] == [[0.5, 4], [1, 8]]
