"""The tape: what it keeps and how long, the order of the walk back, changed values, derivatives of any order."""

from __future__ import annotations

import gc
import math
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import optimize

from tinygen import GradientError, Tensor, flat, frozen, grad, no_grad, ops, optim, tensor
from tinygen.primitives import PRIMITIVES, primitive
from tinygen.scopes import trace
from tinygen.tape import Node, sum_to


def leaf(values, name=None, dtype=None):
    return tensor(values, requires_grad=True, name=name, dtype=dtype)


def rule_calls(f):
    """The names of the ops whose rules ran while f did, one an argument."""
    calls = []
    with trace(lambda op, phase, inputs, output, where: calls.append(op) if phase == "backward" else None):
        f()
    return calls


@pytest.fixture
def no_gc():
    """What dies in this test dies by its reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# Long graphs


def chain(x, n):
    y = x
    for _ in range(n):
        y = y + x
    return y


def forward_only(n):
    chain(leaf([1.0]), n)


def forward_and_backward(n):
    x = leaf([1.0])
    y = chain(x, n)
    y.backward()
    assert x.grad.item() == n + 1


def retained(n):
    x = leaf([1.0])
    y = chain(x, n)
    y.backward(retain_graph=True)


def second_order(n):
    x = leaf([1.0])
    y = x
    for _ in range(n // 10):
        y = ops.sin(y)
    g = grad(y, x, create_graph=True)
    assert g.requires_grad
    g.backward()


def second_order_dropped(n):
    x = leaf([1.0])
    y = x
    for _ in range(n // 10):
        y = ops.sin(y)
    grad(y, x, create_graph=True)


LIVES = [forward_only, forward_and_backward, retained, second_order, second_order_dropped]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_20_000_ops_leave_no_memory_behind(backend, no_gc, life):
    life(20_000)  # what is made once is there; free lists, and CuPy's pool, hold as much as they ever will
    before = sys.getallocatedblocks()
    life(20_000)
    assert sys.getallocatedblocks() - before < 100


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_a_long_graph_dies_on_a_small_stack(life):
    done, before = [], threading.stack_size(2**20)  # recursion in C, a frame an op, takes tens of MB
    try:
        thread = threading.Thread(target=lambda: (life(100_000), done.append(True)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert done


def test_time_is_linear_in_the_length():
    def seconds(n):
        def once():
            start = time.process_time()
            forward_and_backward(n)
            return time.process_time() - start

        return min(once() for _ in range(3))

    forward_and_backward(1000)
    assert seconds(40_000) < 4 * 3 * seconds(10_000)  # 16 times if it were quadratic


# What is kept


def test_arrays_die_with_the_last_tensor(backend, no_gc):
    x = leaf([1.0, 2.0])
    h = x * 2
    y = ops.exp(h) * h
    refs = [weakref.ref(t.array) for t in (h, y)]
    del h
    assert refs[0]() is not None  # the rule of the product reads it
    del y
    assert [ref() for ref in refs] == [None, None]


def test_only_what_a_rule_reads_is_kept(backend, no_gc):
    h = leaf([1.0, 2.0]) * 2
    ref = weakref.ref(h.array)
    y = ops.tanh(h)  # its rule reads y
    z = ops.reshape(y, (2, 1)) + ops.transpose(h)  # shapes
    del h
    assert ref() is None
    del y
    z.sum().backward()


def test_only_for_gradients_that_are_wanted(backend, no_gc):
    x, w = leaf([1.0, 2.0]) * 2, tensor([3.0, 4.0])
    ref = weakref.ref(x.array)
    y = x * w  # the rule of w would read x
    del x
    assert ref() is None
    y.sum().backward()


def test_backward_frees_what_it_has_used(backend, no_gc):
    h = ops.exp(leaf([1.0, 2.0]))
    y = (h * h).sum()
    ref = weakref.ref(h.array)
    del h
    y.backward()
    assert ref() is None


def test_backward_holds_few_gradients_at_a_time(backend, no_gc):
    refs, alive, y = [], [], leaf(np.ones(10))

    def watch(op, phase, inputs, output, where):
        if phase == "backward":
            refs.append(weakref.ref(output))
            alive.append(sum(ref() is not None for ref in refs))

    for _ in range(50):
        y = ops.tanh(y)
    with trace(watch):
        y.sum().backward()
    assert len(refs) == 51
    assert max(alive) <= 4


def test_a_node_is_not_held_by_a_cycle(backend, no_gc):
    def nodes():
        return sum(type(o) is Node for o in gc.get_objects())

    before = nodes()
    x = leaf([1.0])
    y = ops.exp(x * 2)
    g = grad(y, x, create_graph=True)
    assert nodes() > before + 2
    del x, y, g
    assert nodes() == before


def everything():
    w, b = leaf([[1.0, 2.0], [3.0, 4.0]], "w"), leaf([1.0, 1.0], "b")
    x = tensor([[1.0, -1.0]])
    optimizer = optim.Adam([w, b])
    remove = w.register_hook(lambda g: g * 2)
    for _ in range(2):
        h = ops.relu(x @ w + b)
        loss = (h * h).mean()
        loss.backward(retain_graph=True)
        optimizer.step(grad(loss, [w, b], create_graph=True))
        with frozen([w]), no_grad():
            ops.softmax(x @ w)
        ops.batch_norm(x @ w + b, b, b).sum().backward()
        first, second = ops.split(ops.concatenate([w, w]), 2)
        grad((first[0] * ops.max(second)).sum(), w)
    with trace(lambda *event: None):
        (w * 2).sum().backward()
    remove()


def test_no_reference_cycles(backend, no_gc):
    everything()
    gc.collect()
    everything()
    assert gc.collect() == 0


# The order of the walk, and shared parts


def test_a_diamond_is_visited_once(backend):
    x = leaf([0.5])
    h = ops.tanh(x)
    y = ops.sin(h) * ops.cos(h) + h
    calls = rule_calls(y.backward)
    assert sorted(calls) == ["add", "add", "cos", "multiply", "multiply", "sin", "tanh"]
    h = math.tanh(0.5)
    assert np.allclose(x.grad.item(), (math.cos(2 * h) + 1) * (1 - h * h), rtol=1e-6)


def test_a_ladder_of_diamonds_takes_linear_time(backend):
    x = leaf([1.0], dtype="float64")
    y = x
    for _ in range(60):
        y = y + y
    assert len(rule_calls(lambda: y.backward(retain_graph=True))) == 120
    assert x.grad.item() == 2.0**60
    assert grad(y, x).item() == 2.0**60


TWICE = {
    "x + x": (lambda x: x + x, lambda x: 2 * np.ones_like(x)),
    "x * x": (lambda x: x * x, lambda x: 2 * x),
    "x - x": (lambda x: x - x, np.zeros_like),
    "x / x": (lambda x: x / x, np.zeros_like),
    "maximum": (lambda x: ops.maximum(x, x), np.ones_like),
    "minimum": (lambda x: ops.minimum(x, x), np.ones_like),
    "where": (lambda x: ops.where(x > 1, x, x), np.ones_like),
    "stack": (lambda x: ops.stack([x, x]), lambda x: 2 * np.ones_like(x)),
    "x @ x": (lambda x: x @ x, lambda x: x.sum(0)[:, None] + x.sum(1)[None]),
    "x @ x.T": (lambda x: x @ x.T, lambda x: 2 * x.sum(0)[None] + np.zeros_like(x)),
    "einsum": (lambda x: ops.einsum("ij,ji->i", x, x), lambda x: 2 * x.T),
}


@pytest.mark.parametrize(("f", "derivative"), TWICE.values(), ids=TWICE.keys())
def test_a_tensor_twice_in_one_op(backend, f, derivative):
    x = leaf([[1.0, 2.0], [3.0, 0.5]])
    f(x).sum().backward()
    assert np.allclose(x.grad.numpy(), derivative(x.numpy()), rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 2)])
@pytest.mark.parametrize("uses", [1, 2, 3, 4, 7])
def test_many_uses_are_summed(backend, shape, uses):
    x = leaf(np.full(shape, 2.0))
    y = x * 1.0
    for k in range(2, uses + 1):
        y = y + x * float(k)
    seed = backend.asarray(np.ones(shape))
    assert np.array_equal(grad(y, x, seed).numpy(), np.full(shape, uses * (uses + 1) / 2))
    assert np.array_equal(backend.to_host(seed), np.ones(shape))


def test_summing_changes_no_gradient_that_others_read(backend):
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    seed = tensor([1.0, 1.0])
    y = a + b + a + b + a  # all these gradients are the seed itself
    ga, gb = grad(y, [a, b], seed)
    assert np.array_equal(ga.numpy(), [3, 3])
    assert np.array_equal(gb.numpy(), [2, 2])
    assert np.array_equal(seed.numpy(), [1, 1])


# A graph that is freed


def test_backward_twice_needs_retain_graph(backend):
    x = leaf([2.0])
    y = ops.exp(x + 1)
    y.backward()
    before = x.grad.item()
    for again in (y.backward, lambda: grad(y, x), lambda: grad(y, x, create_graph=True)):
        with pytest.raises(
            GradientError, match=r"exp: its graph was freed by an earlier backward; pass retain_graph=T"
        ):
            again()
    assert x.grad.item() == before


def test_a_graph_that_saved_nothing_is_freed_all_the_same(backend):
    x = leaf([2.0])
    y = x + x
    y.backward()
    with pytest.raises(GradientError, match="add: its graph was freed"):
        y.backward()


def test_retain_graph(backend):
    x = leaf([2.0])
    y = x * x
    for _ in range(3):
        y.backward(retain_graph=True)
    assert x.grad.item() == 12
    assert grad(y, x, retain_graph=True).item() == 4
    assert grad(y, x, create_graph=True).item() == 4  # retains as well
    assert grad(y, x, create_graph=True, retain_graph=False).item() == 4
    with pytest.raises(GradientError, match="retain_graph"):
        grad(y, x)


def test_two_gradients_one_after_the_other(backend):
    a, b = leaf([2.0]), leaf([3.0])
    y = a * b
    assert grad(y, a, retain_graph=True).item() == 3
    assert grad(y, b).item() == 2
    with pytest.raises(GradientError, match="multiply: its graph was freed"):
        grad(y, a)


def test_a_partly_freed_graph(backend):
    x, w = leaf([1.0]), leaf([3.0])
    shared = ops.exp(x)
    first, second = shared * 2, ops.sin(shared) + w * w
    first.backward()
    assert grad(second, w, retain_graph=True).item() == 6  # does not pass through what was freed
    with pytest.raises(GradientError, match="exp: its graph was freed"):
        second.backward()


def test_grad_of_an_intermediate_leaves_what_lies_below(backend):
    x = leaf([2.0])
    h = x * x
    y = ops.exp(h)
    assert np.allclose(grad(y, h).item(), math.exp(4))
    assert grad(h, x).item() == 4


def test_a_failed_backward_leaves_no_trace(backend):
    x = leaf([1.0])
    h = x * 2

    def fail(g):
        raise ZeroDivisionError

    h.register_hook(fail)
    with pytest.raises(ZeroDivisionError):
        (h + x).backward()
    assert x.grad is None
    assert (x * 2).requires_grad


def test_nothing_is_recorded_in_backward(backend):
    x, seen = leaf([1.0]), []
    x.register_hook(lambda g: seen.append((x * g).requires_grad))
    (x * x).backward()
    grad(x * x, x, create_graph=True)
    assert seen == [False, True]


def test_create_graph_records_under_no_grad(backend):
    x = leaf([3.0])
    y = x * x * x
    with no_grad():
        g = grad(y, x, create_graph=True)
        assert not (x * 2).requires_grad
    assert grad(g, x).item() == 18


# A value that was changed between forward and backward


def by_data(p):
    p.data -= 1


def by_new_data(p):
    p.data = p.data + 1


CHANGES = {
    "p.data -= ...": by_data,
    "p.data = ...": by_new_data,
    "p.assign(...)": lambda p: p.assign(0),
    "p.changed()": lambda p: p.changed(),
    "detach": lambda p: p.detach().assign(0),
    "view": lambda p: p.reshape(2, 1).assign(0),
    "view of a view": lambda p: p[:1].reshape(1, 1).assign(0),
    "view of detach": lambda p: p.detach()[1:].assign(0),
    "optimiser": lambda p: p.optimizer.step([p.detach() * 0]),
}

READINGS = {
    "itself": lambda p: p,
    "detach": lambda p: p.detach(),
    "view": lambda p: p.reshape(1, 2)[0],
    "view of detach": lambda p: p.detach().reshape(1, 2),
}


def named_leaf(values, name):
    p = leaf(values, name)
    p.optimizer = optim.SGD([p])
    return p


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS.keys())
def test_a_changed_value_is_refused_by_name(backend, change, reading):
    x, w = leaf([1.0, 2.0]), named_leaf([3.0, 4.0], "D.0.w")
    y = (x * reading(w)).sum()
    change(w)
    expected = (
        r"multiply: the Tensor 'D\.0\.w' \(float32 of shape \(2,\)\) was changed after the forward pass.*"
        r"take all gradients before the change, or run the forward pass again"
    )
    for call in (
        lambda: y.backward(retain_graph=True),
        lambda: grad(y, x, retain_graph=True),
        lambda: grad(y, x, create_graph=True),
    ):
        with pytest.raises(GradientError, match=expected):
            call()
    assert x.grad is None


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_frozen_value_is_refused(backend, change):
    x, w = leaf([1.0, 2.0]), named_leaf([3.0, 4.0], "D.0.w")
    with frozen([w]):
        y = (x * w).sum()
    change(w)
    with pytest.raises(GradientError, match=r"multiply: the Tensor 'D\.0\.w'"):
        y.backward()


def test_a_name_given_later_is_known(backend):
    x, w = leaf([1.0]), leaf([2.0])
    y = x * w
    w.name = "late"
    w.assign(1)
    with pytest.raises(GradientError, match="multiply: the Tensor 'late'"):
        y.backward()


def test_a_changed_value_without_a_name_or_an_owner(backend):
    x, w = leaf([1.0]), leaf([2.0])
    y, constant = x * w, w.detach()
    constant.assign(1)
    with pytest.raises(GradientError, match=r"multiply: a Tensor \(float32 of shape \(1,\)\) was changed"):
        grad(y, x, retain_graph=True)
    del w
    with pytest.raises(GradientError, match=r"multiply: a Tensor \(float32 of shape \(1,\)\) was changed"):
        y.backward()


UNREAD = {
    "add": lambda x, w: x + w,
    "reshape": lambda x, w: w.reshape(1, 2) + x,
    "transpose": lambda x, w: x + w.T,
    "sum": lambda x, w: x + ops.sum(w),
    "concatenate": lambda x, w: ops.concatenate([x, w]),
    "tanh": lambda x, w: x + ops.tanh(w),  # reads its output
    "multiply": lambda x, w: w * 3 + x,
    "getitem": lambda x, w: x + w[0],
    "detach": lambda x, w: x + (w * w).detach(),
}


@pytest.mark.parametrize("f", UNREAD.values(), ids=UNREAD.keys())
def test_a_change_of_what_no_rule_reads_is_no_error(backend, f):
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = f(x, w).sum()
    w.assign(0)
    y.backward()
    assert x.grad is not None


def test_a_change_before_the_forward_pass_is_no_error(backend):
    x, w = leaf([1.0]), leaf([3.0])
    view = w.reshape(1, 1)
    w.assign(5)
    (x * w + x * view).sum().backward()
    assert x.grad.item() == 10


def test_a_copy_is_not_changed(backend):
    x, w = leaf([1.0]), leaf([3.0])
    copy = tensor(w)
    y = x * copy
    w.assign(0)
    y.backward()
    assert x.grad.item() == 3


def test_a_primitive_may_return_its_argument(backend, monkeypatch):
    for name in PRIMITIVES:
        monkeypatch.setitem(PRIMITIVES, name, PRIMITIVES[name])

    @primitive
    def second(a, b):
        return b

    second.rules(flat, lambda gy, y, a, b: gy)
    x, w = leaf([1.0]), leaf([2.0], "w")
    y = x * second(x, w)
    w.assign(1)
    with pytest.raises(GradientError, match="multiply: the Tensor 'w'"):
        y.backward()


def test_the_gan_mistake(backend):
    """G's gradient through a D that was stepped since: the classic, which would silently be wrong."""
    D, x = leaf([2.0], "D.w"), leaf([1.0], "G.w")
    optimizer = optim.SGD([D])
    score = ops.sigmoid(x * D).sum()
    optimizer.step(grad(-score, [D], retain_graph=True))
    with pytest.raises(GradientError, match=r"multiply: the Tensor 'D\.w' .* \(an optimiser step in between"):
        grad(score, x)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_change_before_the_second_backward_is_refused(backend, freeze):
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0], "w")
    with frozen([w] if freeze else []):
        g = grad(ops.tanh(x * w).sum(), x, create_graph=True)
    w.assign(1)
    with pytest.raises(GradientError, match="multiply: the Tensor 'w'"):
        g.sum().backward()


@pytest.mark.parametrize("freeze", [False, True])
def test_a_value_that_the_first_backward_read_is_watched_too(backend, freeze):
    """d(xwa)/dx = wa, recorded by the first backward alone: no op of the forward pass is on the way back to a."""
    x, w, a = leaf([1.0, 2.0]), leaf([3.0, 4.0], "w"), leaf([5.0, 6.0])
    with frozen([w] if freeze else []):
        g = grad((x * w * a).sum(), x, create_graph=True)
    assert np.array_equal(grad(g.sum(), a, retain_graph=True).numpy(), [3, 4])
    w.assign(1)
    with pytest.raises(GradientError, match="multiply: the Tensor 'w'"):
        g.sum().backward()


# G and D from one forward pass


def test_both_players_gradients_from_one_forward_pass(backend):
    rng = np.random.default_rng(0)
    G, D, z, x = (leaf(rng.normal(size=s)) for s in [(3, 4), (4, 1), (5, 3), (5, 4)])

    def losses():
        fake = ops.tanh(z.detach() @ G)
        real_score, fake_score = x.detach() @ D, fake @ D
        return ops.softplus(-real_score).mean() + ops.softplus(fake_score).mean(), ops.softplus(-fake_score).mean()

    loss_D, loss_G = losses()
    together = grad(loss_D, D, retain_graph=True), grad(loss_G, G)
    loss_D, _ = losses()
    (apart_D,) = grad(loss_D, [D])
    _, loss_G = losses()
    loss_G.backward()
    assert np.array_equal(together[0].numpy(), apart_D.numpy())
    assert np.array_equal(together[1].numpy(), G.grad.numpy())


def test_detach_between_the_players(backend):
    G, D = leaf([2.0]), leaf([3.0])
    fake = G * 5
    assert len(rule_calls(lambda: grad((fake.detach() * D).sum(), D))) == 2
    assert grad((fake * D).sum(), G).item() == 15


# Higher orders


def test_derivatives_of_sine(backend):
    x = leaf([0.3, -1.2, 2.0], dtype="float64")
    y = ops.sin(x)
    for derivative in (np.cos, lambda v: -np.sin(v), lambda v: -np.cos(v), np.sin):
        y = grad(y.sum(), x, create_graph=True)
        assert np.allclose(y.numpy(), derivative(x.numpy()), rtol=1e-14, atol=0)


@pytest.mark.parametrize("power", [lambda x: x**5, lambda x: x * x * x * x * x], ids=["x**5", "x·x·x·x·x"])
def test_derivatives_of_a_power_end_in_zero(backend, power):
    x = leaf([2.0, -3.0], dtype="float64")
    y, factor = power(x), 1.0
    for order in range(1, 8):
        y = grad(y.sum(), x, create_graph=True)
        factor *= 6 - order
        expected = factor * x.numpy() ** max(5 - order, 0)
        assert np.allclose(y.numpy(), expected, rtol=1e-13)
        assert y.requires_grad


def test_the_derivative_of_a_constant_gradient_is_zero(backend):
    x = leaf([1.0, 2.0])
    g = grad((3 * x).sum(), x, create_graph=True)
    assert np.array_equal(grad(g.sum(), x).numpy(), [0, 0])
    g.sum().backward()
    assert x.grad is None


def test_hessian_vector_products_of_rosenbrock(backend):
    rng = np.random.default_rng(1)
    point, v = rng.normal(size=(2, 6))
    x = leaf(point)
    f = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    assert np.allclose(f.item(), optimize.rosen(point), rtol=1e-14)
    g = grad(f, x, create_graph=True)
    assert np.allclose(g.numpy(), optimize.rosen_der(point), rtol=1e-12)
    assert np.allclose(grad((g * tensor(v)).sum(), x).numpy(), optimize.rosen_hess_prod(point, v), rtol=1e-12)


def test_mixed_derivatives_agree(backend):
    x, y = leaf([0.7], dtype="float64"), leaf([-0.4], dtype="float64")
    f = ops.exp(x * y) * ops.sin(x)
    fx, fy = grad(f, [x, y], create_graph=True)
    a, b = 0.7, -0.4
    expected = math.exp(a * b) * ((1 + a * b) * math.sin(a) + a * math.cos(a))
    assert np.allclose(grad(fx, y, retain_graph=True).item(), expected, rtol=1e-14)
    assert np.allclose(grad(fy, x).item(), expected, rtol=1e-14)


def test_a_gradient_that_requires_grad_weighs_outputs(backend):
    """Two backwards make a forward-mode derivative: d/du of uᵀJ along v is Jv."""
    x, u = leaf([1.0, 2.0], dtype="float64"), leaf([0.0, 0.0], dtype="float64")
    g = grad(x * x, x, u, create_graph=True)
    assert np.array_equal(grad(g, u, [1.0, 10.0]).numpy(), [2, 40])


# Threads


def test_threads_do_not_disturb_each_other():
    found, start = {}, threading.Barrier(4)

    def work(k):
        start.wait()
        for _ in range(50):
            x = leaf([float(k)])
            y = x
            for _ in range(20):
                y = y * 1.0 + x
            with no_grad():
                assert not (y * 2).requires_grad
            g = grad(y * y, x, create_graph=True)
            found.setdefault(k, set()).add((g.item(), grad(g, x).item()))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {k: {(2.0 * 441 * k, 882.0)} for k in range(4)}


# trace()


def test_trace_sees_ops_and_rules_and_hands_where_back(backend):
    events, count = [], iter(range(100))

    def callback(op, phase, inputs, output, where):
        events.append((op, phase, where))
        return next(count) if phase == "forward" else None

    x, w = leaf([2.0]), tensor([3.0])
    with trace(callback):
        y = ops.exp(x * w)
        y.backward()
    assert events == [
        ("multiply", "forward", None),
        ("exp", "forward", None),
        ("exp", "backward", 1),
        ("multiply", "backward", 0),
    ]
    (x * 2).backward()
    assert len(events) == 4


def test_trace_sees_arrays(backend):
    seen = []
    x = leaf([2.0])
    with trace(lambda *event: seen.append(event)):
        (x * 3.0).backward()
    (_, _, inputs, y, _), (_, _, (gy, saved_y, a, b), gx, _) = seen
    assert type(inputs) is tuple
    assert inputs[0] is x.data
    assert inputs[1] == 3.0
    assert [v.item() for v in (y, gy, gx)] == [6, 1, 3]
    assert (saved_y, a, b) == (None, None, 3.0)
    assert all(type(v) is backend.xp.ndarray for v in (y, gy, gx))


def test_trace_sees_what_is_not_recorded(backend):
    seen = []
    with trace(lambda *event: seen.append(event[:2])), no_grad():
        ops.exp(leaf([1.0]))
        ops.exp(tensor([1.0]))
        ops.exp(backend.asarray([1.0]))  # no Tensor: just a function
    assert seen == [("exp", "forward")] * 2


def test_trace_sees_the_second_order(backend):
    x, seen = leaf([2.0]), []
    with trace(lambda *event: seen.append(event[:2])):
        g = grad(x * x, x, create_graph=True)
        grad(g, x)
    assert seen.count(("multiply", "backward")) >= 4
    assert seen.count(("multiply", "forward")) >= 3


def test_trace_nests_and_ends_with_an_exception(backend):
    outer, inner = [], []
    with trace(lambda *event: outer.append(event[0])):
        with pytest.raises(ZeroDivisionError), trace(lambda *event: inner.append(event[0])):
            ops.exp(tensor(1.0))
            _ = 1 / 0
        ops.sin(tensor(1.0))
    ops.cos(tensor(1.0))
    assert (outer, inner) == (["sin"], ["exp"])


def test_trace_is_of_one_thread():
    seen = []
    with trace(lambda *event: seen.append(event)):
        thread = threading.Thread(target=lambda: ops.exp(leaf([1.0])).backward())
        thread.start()
        thread.join()
    assert not seen


# Un-broadcasting


@pytest.mark.parametrize(
    ("shape", "to"),
    [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((2, 3), (1, 3)),
        ((2, 3), (2, 1)),
        ((2, 3), (1,)),
        ((2, 3), ()),
        ((4, 2, 3), (2, 1)),
        ((1, 2, 3), (2, 1)),
        ((0, 3), (3,)),
        ((0, 3), (1, 3)),
        ((3, 0), (1, 0)),
        ((1, 3), (3,)),
        ((), ()),
    ],
)
def test_sum_to_is_the_adjoint_of_broadcasting(backend, shape, to):
    rng = np.random.default_rng(0)
    g, x = rng.normal(size=shape), rng.normal(size=to)
    result = backend.to_host(sum_to(backend.asarray(g), to))
    assert result.shape == to
    assert np.allclose((result * x).sum(), (g * np.broadcast_to(x, shape)).sum())


# Random graphs

SHAPES = [(2, 3), (3,), (2, 1), ()]
UNARY = ["sin", "tanh", "sigmoid", "exp", "square", "negative", "mean", "transpose"]
BINARY = ["add", "subtract", "multiply", "divide", "matmul", "where"]
PROGRAMS = st.lists(st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 99), st.integers(0, 99)), max_size=12)
SLOW = settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def numpy_like(xp, where):
    """The ops of random graphs for tinygen and PyTorch alike; all bounded, so that products of them stay tame."""
    return {
        "sin": xp.sin,
        "tanh": xp.tanh,
        "sigmoid": xp.sigmoid,
        "exp": lambda a: xp.exp(xp.tanh(a)),
        "square": lambda a: xp.tanh(a) ** 2,
        "negative": lambda a: -a,
        "mean": lambda a: a.mean(),
        "transpose": lambda a: a.reshape((3, 2)).swapaxes(0, 1) if a.shape == (2, 3) else a,
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: xp.tanh(a) * b,
        "divide": lambda a, b: a / (2 + xp.sin(b)),
        "matmul": lambda a, b: (a @ b.swapaxes(0, 1)).mean() if a.shape == b.shape == (2, 3) else a * b.mean(),
        "where": lambda a, b: where(a > b, a, b),
    }


def run(program, table, leaves):
    """The sum of the last values of a program, each step of which applies an op to two values made before."""
    values = list(leaves)
    for name, i, j in program:
        a, b = values[i % len(values)], values[j % len(values)]
        values.append(table[name](a) if name in UNARY else table[name](a, b))
    total = values[-1].sum()
    for v in values[-4:-1]:
        total = total + (v * v).sum()
    return total


def random_values():
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape) for shape in SHAPES]


@SLOW
@given(program=PROGRAMS)
def test_random_graphs_against_differences(backend, program):
    table, values = numpy_like(ops, ops.where), random_values()
    leaves = [leaf(v) for v in values]
    gradients = grad(run(program, table, leaves), leaves, unused="zeros")
    rng = np.random.default_rng(8)
    for k, (value, g) in enumerate(zip(values, gradients, strict=True)):
        v, h = rng.normal(size=value.shape), 1e-5

        def f(step, k=k, value=value, v=v):
            return run(program, table, [tensor(value + step * v if i == k else u) for i, u in enumerate(values)]).item()

        numeric = (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)
        analytic = (g.numpy() * v).sum()
        assert math.isclose(numeric, analytic, rel_tol=1e-6, abs_tol=1e-7)


@pytest.mark.oracle
@SLOW
@given(program=PROGRAMS)
def test_random_graphs_against_pytorch(backend, program):
    torch = pytest.importorskip("torch")
    values = random_values()
    leaves = [leaf(v) for v in values]
    theirs = [torch.tensor(v, requires_grad=True) for v in values]
    y = run(program, numpy_like(ops, ops.where), leaves)
    their_y = run(program, numpy_like(torch, torch.where), theirs)
    gradients = grad(y, leaves, create_graph=True, unused="zeros")
    their_gradients = torch.autograd.grad(their_y, theirs, create_graph=True, materialize_grads=True)
    for g, t in zip(gradients, their_gradients, strict=True):
        assert np.allclose(g.numpy(), t.detach().numpy(), rtol=1e-10, atol=1e-12)
    squares = sum(((g * g).sum() for g in gradients), start=tensor(0.0, dtype="float64"))
    their_squares = sum((t * t).sum() for t in their_gradients)
    second = grad(squares, leaves, unused="zeros")
    if their_squares.requires_grad:
        their_second = torch.autograd.grad(their_squares, theirs, materialize_grads=True)
    else:
        their_second = [torch.zeros_like(t) for t in theirs]
    for g, t in zip(second, their_second, strict=True):
        assert np.allclose(g.numpy(), t.detach().numpy(), rtol=1e-9, atol=1e-11)


def test_a_tensor_is_what_rules_get_under_create_graph(backend):
    x = leaf([2.0])
    with trace(lambda op, phase, inputs, output, where: kinds.append(type(output)) if phase == "backward" else None):
        kinds = []
        grad(x * x, x)
        first, kinds = kinds, []
        grad(x * x, x, create_graph=True)
    assert set(first) == {backend.xp.ndarray}
    assert set(kinds) == {Tensor}
