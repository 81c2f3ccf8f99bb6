"""What a rule reads is read off the rule; what the tape keeps for it; and how a call's arguments are bound."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from tinygen import GradientError, flat, grad, no_grad, ops, tensor
from tinygen.primitives import PRIMITIVES, primitive
from tinygen.rules import Fact, Op

Y, A, B, C = range(4)  # places in what is saved for a primitive of a, b and c


@pytest.fixture(autouse=True)
def _own_primitives(monkeypatch):
    """What a test adds to the table of primitives goes with it."""
    for name in PRIMITIVES:
        monkeypatch.setitem(PRIMITIVES, name, PRIMITIVES[name])


def op_of(fn, *rules, joint=None, fused=None, elementwise=False):
    op = Op(fn, elementwise)
    op.rules, op.joint, op.fused = rules, joint, fused
    return op


def key(*requires_grad):
    """A call's key: bit i is set if argument i requires grad, and so is the bit after the last."""
    return sum(1 << i for i, flag in enumerate(requires_grad) if flag) | 1 << len(requires_grad)


# Plans


def plain(a, b, c):
    return a * b + c


PLAIN = (lambda gy, y, a, b, c: gy * b, lambda gy, y, a, b, c: a * gy, lambda gy, y, a, b, c: gy.reshape(c.shape))


@pytest.mark.parametrize(
    ("requires_grad", "positions", "whole", "facts", "unread"),
    [
        ((1, 0, 0), (0,), {B}, set(), {Y, A, C}),
        ((0, 1, 0), (1,), {A}, set(), {Y, B, C}),
        ((0, 0, 1), (2,), set(), {C}, {Y, A, B}),
        ((1, 1, 0), (0, 1), {A, B}, set(), {Y, C}),
        ((1, 1, 1), (0, 1, 2), {A, B}, {C}, {Y}),
    ],
)
def test_a_plan_keeps_what_the_wanted_gradients_read(requires_grad, positions, whole, facts, unread):
    op = op_of(plain, *PLAIN)
    plan = op.plan(key(*requires_grad))
    assert (plan.op, plan.rules, plan.positions, plan.skips) == (op, PLAIN, positions, False)
    assert (set(plan.whole), set(plan.facts), set(plan.unread), plan.blank) == (whole, facts, unread, None)
    assert op.plans[key(*requires_grad)] is plan


def test_a_plan_that_keeps_nothing():
    plan = op_of(plain, *[lambda gy, y, a, b, c: gy] * 3).plan(key(1, 1, 1))
    assert plan.blank == (None,) * 4


def test_arguments_whose_derivative_is_zero():
    op = op_of(plain, flat, PLAIN[1], flat)
    assert op.plan(key(1, 0, 1)) is None
    plan = op.plan(key(1, 1, 1))
    assert (plan.positions, plan.skips) == ((1,), True)


def test_an_argument_without_a_rule_is_an_error():
    for op in (op_of(plain, None, PLAIN[1]), op_of(plain)):
        for wanted in (key(1, 0, 1), key(1, 1, 1)):
            with pytest.raises(GradientError, match=r"^plain: a requires grad, but plain has no rule .* a\.detach\(\)"):
                op.plan(wanted)
    with pytest.raises(GradientError, match=r"^plain: c requires grad, but plain has no rule"):
        op_of(plain, *PLAIN[:2]).plan(key(1, 1, 1))


def test_joint_and_fused_rules_are_read_together():
    plan = op_of(plain, joint=lambda gy, y, a, b, c: a, fused=lambda gy, y, a, b, c, more: b * more).plan(key(1, 0, 1))
    assert (plan.rules, plan.positions, set(plan.whole)) == (None, (0, 2), {A, B})


def test_keep_gives_values_facts_and_blanks(backend):
    plan = op_of(plain, *PLAIN).plan(key(1, 0, 1))
    y, a, b, c = (backend.asarray(np.zeros(shape, np.float32)) for shape in [(2, 3), (2, 3), (3,), (2, 1)])
    saved = plan.keep(y, [a, b, c])
    assert saved[Y] is saved[A] is None
    assert saved[B] is b
    assert saved[C] == Fact((2, 1), np.dtype(np.float32), 2)
    assert plan.keep(y, [a, b, 3.0])[C] == 3.0  # a Python scalar is its own fact


def test_versions_of_what_is_kept_and_can_change(backend):
    op = op_of(lambda a, b: a * b, lambda gy, y, a, b: gy * y * b, lambda gy, y, a, b: a.shape)
    plan = op.plan(key(1, 1))
    a, b = tensor([1.0], True), tensor([2.0], True)
    b.changed()
    assert plan.watch([None] * 3, [a, b], None) == {B: (b.version, 1)}
    assert plan.watch([None] * 3, [a, b], a.version) == {Y: (a.version, 0), B: (b.version, 1)}
    assert plan.watch([None] * 3, [a, b * 2], None) is None  # the result of an op never changes
    assert plan.watch([None] * 3, [a, b.data], None) is None


# Binding


def test_defaults_and_keywords_are_bound_in_order():
    op = Op(lambda x, axis=None, keepdims=False: x, False)
    assert op.arity == 3
    assert op.bind((1,), {}) == (1, None, False)
    assert op.bind((1,), {"keepdims": True}) == (1, None, True)
    assert op.bind((), {"axis": 2, "x": 1}) == (1, 2, False)


def test_a_variadic_op_has_no_arity():
    op = Op(lambda axis, *xs: xs, False)
    assert op.arity == -1
    assert op.bind((0, 1, 2), {}) == (0, 1, 2)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"^sum\(x, axis=None, keepdims=False\): missing a required argument: 'x'$"),
        ((1, 2, 3, 4), {}, r"^sum\(x, axis=None, keepdims=False\): too many positional arguments$"),
        ((1,), {"dim": 0}, r"^sum\(x, axis=None, keepdims=False\): got an unexpected keyword argument 'dim'$"),
    ],
)
def test_a_wrong_call_says_how_to_call(args, kwargs, message):
    with pytest.raises(TypeError, match=message):
        ops.sum(*args, **kwargs)


# Rules that can't be right


def two(a, b):
    return a + b


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([lambda gy, a, b: gy], r"two\.rules: a rule takes \(gy, y, a, b\), but this one takes \(gy, a, b\)"),
        ([None, lambda gy, y, a, b, c: gy], r"two\.rules: a rule takes \(gy, y, a, b\), but .* \(gy, y, a, b, c\)"),
        ([lambda gy, y, a, b: gy] * 3, r"two\.rules: 3 rules for 2 arguments"),
    ],
)
def test_a_rule_that_can_not_be_called_is_refused_at_once(rules, message):
    with pytest.raises(TypeError, match=message):
        primitive(two).rules(*rules)


def test_a_joint_rule_that_can_not_be_called_is_refused_at_once():
    with pytest.raises(TypeError, match=r"two\.joint: a rule takes \(gy, y, a, b\), but this one takes \(gy\)"):
        primitive(two).joint(lambda gy: (gy, gy))


@pytest.mark.parametrize(
    "rule", [lambda gy, *rest: gy, lambda gy, y, a, b, more=None: gy, lambda *everything: everything[0]]
)
def test_a_rule_may_take_what_it_likes(rule):
    op = primitive(two)
    op.rules(rule)
    x = tensor([1.0], True)
    assert grad(op(x, 2.0), x).item() == 1


@pytest.mark.parametrize(("returned", "what"), [((1,), "a tuple of 1"), (None, "NoneType"), (2.0, "float")])
def test_what_a_joint_rule_returns_is_checked(backend, returned, what):
    op = primitive(two)
    op.joint(lambda gy, y, a, b: returned)
    x = tensor([1.0], True)
    with pytest.raises(GradientError, match=f"two: its joint rule must return a tuple, one gradient per .* not {what}"):
        op(1.0, x).backward()


# Rules at work


def test_a_fact_is_enough_for_a_shape(backend):
    @primitive
    def flat(x):
        return x.reshape(-1)

    flat.rules(lambda gy, y, x: gy.reshape(x.shape).astype(x.dtype) * x.ndim)
    x = tensor(np.ones((2, 3), np.float32), True)
    y = flat(x)
    assert y.node.saved[A] == Fact((2, 3), np.dtype(np.float32), 2)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), np.full((2, 3), 2))


def test_the_fused_rule_serves_the_first_order_and_the_joint_rule_the_rest(backend):
    calls = []

    @primitive(aux=True)
    def times(a, b):
        return a * b, a + b

    def joint(gy, y, a, b):
        calls.append("joint")
        return gy * b, a * gy

    def fused(gy, y, a, b, total):
        calls.append("fused")
        return gy * (total - a), gy * (total - b)

    times.joint(joint)
    times.fused(fused)
    a, b = tensor([2.0], True), tensor([3.0], True)
    y, total = times(a, b)
    assert type(total) is backend.xp.ndarray
    assert [g.item() for g in grad(y, [a, b], retain_graph=True)] == [3, 2]
    assert calls == ["fused"]
    ga, gb = grad(y, [a, b], create_graph=True)
    assert calls == ["fused", "joint"]
    assert (grad(ga, b).item(), grad(gb, a).item()) == (1, 1)


def test_the_fused_rule_stands_for_those_of_the_arguments_too(backend):
    calls = []

    @primitive
    def times(a, b):
        return a * b

    def fused(gy, y, a, b):
        calls.append("fused")
        return gy * b, gy * a

    times.rules(lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a)
    times.fused(fused)
    a, b = tensor([2.0], True), tensor([3.0], True)
    y = times(a, b)
    assert [g.item() for g in grad(y, [a, b], retain_graph=True)] == [3, 2]
    assert calls == ["fused"]
    ga, gb = grad(y, [a, b], create_graph=True)
    assert calls == ["fused"]
    assert (grad(ga, b).item(), grad(gb, a).item()) == (1, 1)


def test_what_a_primitive_returns_beside_y_is_freed_too(backend):
    @primitive(aux=True)
    def twice(x):
        return x * 2, x + 1

    twice.joint(lambda gy, y, x: (gy * 2,))
    twice.fused(lambda gy, y, x, more: (gy * 2,))
    x = tensor([1.0], True)
    y, more = twice(x)
    ref = weakref.ref(more)
    del more
    assert ref() is not None
    y.backward()
    assert ref() is None


def test_a_joint_rule_is_not_asked_where_nothing_is_wanted(backend):
    @primitive
    def pick(a, b):
        return a + b

    pick.joint(lambda gy, y, a, b: pytest.fail("nobody wants these gradients"))
    y = pick(tensor([1.0], True), tensor([2.0], True))
    assert grad(y * 3, y).item() == 3


def test_where_the_result_moves_in_steps_no_gradient_flows(backend):
    x, condition = tensor([1.0, 5.0], True), tensor([0.0, 2.0], True)
    y = ops.where(condition, x, ops.sign(condition)) * condition
    gx, g_condition = grad(y.sum(), [x, condition])
    assert np.array_equal(gx.numpy(), [0, 2])
    assert np.array_equal(g_condition.numpy(), [0, 5])


NO_RULE = {
    "leaky_relu: slope": lambda x, a: ops.leaky_relu(x, a),
    "elu: alpha": lambda x, a: ops.elu(x, a),
    "dropout: scale": lambda x, a: ops.dropout(x, x > 0, a),
    "batch_norm: eps": lambda x, a: ops.batch_norm(x, x[0], x[0], a),
    "batch_norm: eps ": lambda x, a: ops.batch_norm_with_statistics(x.detach(), x[0].detach(), x[0].detach(), a),
}


@pytest.mark.parametrize("argument", NO_RULE)
def test_no_silent_zeros_for_an_argument_without_a_rule(argument, backend):
    x, a = tensor(np.ones((2, 3)), True), tensor(0.5, True)
    with pytest.raises(GradientError, match=f"^{argument.strip()} requires grad, but .* has no rule for it"):
        NO_RULE[argument](x, a)
    with no_grad():
        NO_RULE[argument](x, a)
    NO_RULE[argument](x, a.detach())
