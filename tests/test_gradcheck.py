"""gradcheck finds every wrong rule that is planted here, and none in right ones."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

import tinygen as tg
from tinygen import Generator, GradcheckError, Tensor, gradcheck, layers, ops
from tinygen.primitives import PRIMITIVES


@pytest.fixture(autouse=True)
def _no_planted_primitive_stays():
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def constant(x):
    """What a careless rule does: takes a value and forgets where it came from."""
    return x.detach() if isinstance(x, Tensor) else x


def planted(fn, *rules, elementwise=False):
    p = tg.primitive(fn, elementwise=elementwise)
    p.rules(*rules)
    return p


def tanh_with(rule):
    def planted_tanh(x):
        return tg.array_module(x).tanh(x)

    return planted(planted_tanh, rule, elementwise=True)


def exp_with(rule):
    def planted_exp(x):
        return tg.array_module(x).exp(x)

    return planted(planted_exp, rule, elementwise=True)


def one_element(n, i, factor):
    w = np.ones(n)
    w[i] = factor
    return w


def softmax_with(rule):
    def planted_softmax(x):
        return ops.softmax(x)

    return planted(planted_softmax, rule)


def add_with(*rules):
    def planted_add(a, b):
        return a + b

    return planted(planted_add, *rules)


def product_with(*rules):
    def planted_product(a, b):
        return a @ b

    return planted(planted_product, *rules)


def multiply_with(*rules):
    def planted_multiply(a, b):
        return a * b

    return planted(planted_multiply, *rules, elementwise=True)


def divide_with(*rules):
    def planted_divide(a, b):
        return a / b

    return planted(planted_divide, *rules, elementwise=True)


def mean_with(rule):
    def planted_mean(x):
        return x.mean()

    return planted(planted_mean, rule)


def sign_with(rule):
    def planted_sign(x):
        return tg.array_module(x).sign(x)

    return planted(planted_sign, rule, elementwise=True)


def normalise_with(inverse_std):
    """Batch norm without gamma and beta; its rule takes 1 / std as inverse_std gives it."""

    def planted_normalise(x):
        return (x - x.mean(axis=0)) / tg.array_module(x).sqrt(x.var(axis=0) + 0.1)

    def rule(gy, y, x):
        return inverse_std(x) * (gy - ops.mean(gy, 0) - y * ops.mean(gy * y, 0))

    return planted(planted_normalise, rule)


def joint_with(joint, fused):
    @tg.primitive(aux=True)
    def planted_square(x):
        return x * x, 2 * x

    planted_square.joint(joint)
    planted_square.fused(fused)
    return lambda x: planted_square(x)[0]


def inverse_std(x):
    return 1 / ops.sqrt(ops.var(x, 0) + 0.1)


E = 0.001  # how wrong

WRONG = {  # what is checked, on what, and the order at which it is wrong
    "0.1 % off": (lambda: tanh_with(lambda gy, y, x: gy * (1 - y * y) * (1 + E)), [draw(3, 4)], 1),
    "0.1 % off in one element": (
        lambda: tanh_with(lambda gy, y, x: gy * (1 - y * y) * one_element(40, 17, 1 + E)),
        [draw(40)],
        1,
    ),
    "0.1 % off at second order": (
        lambda: exp_with(lambda gy, y, x: gy * y * (1 - E) + gy * constant(y) * E),
        [draw(3, 4)],
        2,
    ),
    "0.1 % off at second order in one element": (
        lambda: tanh_with(lambda gy, y, x: gy * (1 - y * (y + (constant(y) - y) * one_element(40, 17, 2 * E)))),
        [draw(40)],
        2,
    ),
    "0.1 % off at second order, in how gy enters": (
        lambda: tanh_with(lambda gy, y, x: (gy * (1 - E) + constant(gy) * E) * (1 - y * y)),
        [draw(5)],
        2,
    ),
    "right for one gy only": (lambda: tanh_with(lambda gy, y, x: abs(gy) * (1 - y * y)), [draw(5)], 1),
    "a softmax that is held constant": (
        lambda: softmax_with(lambda gy, y, x: constant(y) * (gy - ops.sum(gy * constant(y), -1, True))),
        [draw(2, 5)],
        2,
    ),
    "a standard deviation that is held constant": (
        lambda: normalise_with(lambda x: constant(inverse_std(x))),
        [draw(6, 2)],
        2,
    ),
    "wrong sign": (lambda: exp_with(lambda gy, y, x: -gy * y), [draw(3)], 1),
    "no sum over what was broadcast": (
        lambda: add_with(lambda gy, y, a, b: gy, lambda gy, y, a, b: gy),
        [draw(3, 3), draw(3)],
        1,
    ),
    "the sum over the wrong axis": (
        lambda: add_with(lambda gy, y, a, b: gy, lambda gy, y, a, b: ops.sum(gy, 1)),
        [draw(3, 3), draw(3)],
        1,
    ),
    "not transposed": (
        lambda: product_with(lambda gy, y, a, b: gy @ b, lambda gy, y, a, b: a.swapaxes(0, 1) @ gy),
        [draw(3, 3), draw(3, 3)],
        1,
    ),
    "not transposed, and so of a wrong shape": (
        lambda: product_with(lambda gy, y, a, b: gy @ b, lambda gy, y, a, b: a.swapaxes(0, 1) @ gy),
        [draw(2, 3), draw(3, 4)],
        1,
    ),
    "arguments swapped": (
        lambda: multiply_with(lambda gy, y, a, b: gy * a, lambda gy, y, a, b: gy * b),
        [draw(3), draw(3, seed=1)],
        1,
    ),
    "rules swapped": (
        lambda: divide_with(lambda gy, y, a, b: -gy * y / b, lambda gy, y, a, b: gy / b),
        [draw(3), draw(3) + 5],
        1,
    ),
    "only one argument right": (
        lambda: multiply_with(lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a * (1 + E)),
        [draw(3), draw(3)],
        1,
    ),
    "a mean without 1/n": (lambda: mean_with(lambda gy, y, x: ops.broadcast_to(gy, x.shape)), [draw(3, 4)], 1),
    "a constant": (lambda: multiply_with(lambda gy, y, a, b: gy * b, tg.flat), [draw(3), draw(3)], 1),
    "detached": (lambda: lambda x: x.detach() * x, [draw(3)], 1),
    "a fused rule that is 0.1 % off": (
        lambda: joint_with(lambda gy, y, x: (gy * 2 * x,), lambda gy, y, x, xx: (gy * xx * (1 + E),)),
        [draw(3)],
        1,
    ),
    "a rule behind a right fused one that is 0.1 % off": (
        lambda: joint_with(lambda gy, y, x: (gy * 2 * x * (1 + E),), lambda gy, y, x, xx: (gy * xx,)),
        [draw(3)],
        2,
    ),
    "numpy in a rule": (lambda: exp_with(lambda gy, y, x: gy * np.exp(x)), [draw(3)], 2),
}


@pytest.mark.parametrize("elementwise", [False, True], ids=["projections", "elementwise"])
@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rule_is_caught(fault, elementwise):
    make, inputs, order = WRONG[fault]
    if order > 1:
        gradcheck(make(), inputs, 1, elementwise=elementwise)
    with pytest.raises(GradcheckError):
        gradcheck(make(), inputs, order, elementwise=elementwise)


@pytest.mark.parametrize("elementwise", [False, True], ids=["projections", "elementwise"])
def test_a_rule_that_is_wrong_at_third_order_alone(elementwise):
    inner = exp_with(lambda gy, y, x: gy * (y * (1 - E) + constant(y) * E))
    outer = exp_with(lambda gy, y, x: gy * inner(x))
    gradcheck(outer, draw(3), 2, elementwise=elementwise)
    with pytest.raises(GradcheckError, match="order 3"):
        gradcheck(outer, draw(3), 3, elementwise=elementwise)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1.0, 0.01], ids=["of like size", "smaller than its neighbours"])
@pytest.mark.parametrize("order", [1, 2])
def test_one_wrong_element_among_a_thousand(order, scale, seed):
    i = 333
    w, c = one_element(1000, i, scale), one_element(1000, i, 1 + E)

    def planted_scaled_exp(x):
        return tg.array_module(x).exp(x) * w

    rules = {1: lambda gy, y, x: gy * y * c, 2: lambda gy, y, x: gy * (y + (constant(y) - y) * (c - 1))}
    f = planted(planted_scaled_exp, rules[order], elementwise=True)
    x = draw(1000, seed=seed)
    if order == 2:
        gradcheck(f, x, 1)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(f, x, order, rng=Generator(seed))
    assert re.match(rf"(x|gy)\[{i}\]", caught.value.worst.moved)


def test_one_wrong_contribution_among_a_million_is_caught():
    """dy[7]/dx[9] of a product with 1000 x 1000 entries is 0.1 % off; x and y have 1000 elements each."""
    a = draw(1000, 1000)
    wrong = a.copy()
    wrong[9, 7] *= 1 + E

    def planted_linear(x):
        return x @ a

    with pytest.raises(GradcheckError):
        gradcheck(planted(planted_linear, lambda gy, y, x: gy @ wrong.T), draw(1000), 1)
    gradcheck(planted(planted_linear, lambda gy, y, x: gy @ a.T), draw(1000), 1)


# Right rules


def penalty(x, w):
    """A function that takes a gradient itself, as a gradient penalty does."""
    y = ops.sum(ops.tanh(x @ w) ** 2)
    return ops.sum(tg.grad(y, x, create_graph=True) ** 2)


RIGHT = {
    "tanh": (ops.tanh, [draw(3, 4)]),
    "a thousand elements": (ops.tanh, [draw(1000)]),
    "matmul": (ops.matmul, [draw(3, 4), draw(4, 2)]),
    "two outputs": (lambda x, y: (x * y, ops.exp(x)), [draw(3), draw(3)]),
    "a list of outputs": (lambda x: ops.split(x, 2), [draw(4)]),
    "the input itself": (lambda x: x, [draw(3)]),
    "an input twice": (lambda x: x * x * x, [draw(3)]),
    "an input that is not used": (lambda x, y: x * 2.0, [draw(3), draw(2)]),
    "no gradient, but floating": (ops.sign, [draw(3)]),
    "no gradient": (ops.greater, [draw(3), draw(3)]),
    "a gradient of zeros": (lambda x: ops.sum(ops.softmax(x)), [draw(5)]),
    "a gradient of zeros, scaled up": (lambda x: ops.sum(ops.softmax(x * 3) * 1e6), [draw(5)]),
    "a mean that is taken away again": (lambda x: ops.sum(x - ops.mean(x)), [draw(7)]),
    "0-d": (lambda x, y: x / y, [np.array(2.0), np.array(3.0)]),
    "a Python number": (ops.exp, [0.5]),
    "zero-size": (ops.exp, [np.zeros((0, 3))]),
    "zeros": (ops.sin, [np.zeros(4)]),
    "large": (lambda x: ops.log(x) * x, [abs(draw(4)) * 1e6 + 1e5]),
    "tiny": (lambda x: ops.sqrt(x), [abs(draw(4)) * 1e-9 + 1e-10]),
    "of many sizes": (lambda x: ops.log(x) * x, [10.0 ** np.arange(-6, 7)]),
    "on a large offset": (lambda x: x * x + 1e6, [draw(5)]),
    "steep": (lambda x: ops.sin(300 * x), [draw(5)]),
    "an integer argument": (lambda x, i: x[i], [draw(4, 2), np.array([0, 3, 3])]),
    "a mask": (ops.where, [draw(3) > 0, draw(3), draw(3)]),
    "a gradient penalty": (penalty, [draw(2, 3), draw(3, 2)]),
    "relu near its kink": (ops.relu, [np.array([1.0, -1.0, 3e-4, -3e-4])]),
    "many relus": (lambda x, w: ops.sum(ops.relu(x @ w)), [draw(50, 20), draw(20, 40)]),
}


SMALL = [name for name, (_, inputs) in RIGHT.items() if sum(np.size(x) for x in inputs) < 100]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_passes(name):
    f, inputs = RIGHT[name]
    report = gradcheck(f, inputs)
    assert report.error < 5e-9
    assert set(report.worst) <= {1, 2}


@pytest.mark.parametrize("name", SMALL)
def test_a_right_rule_passes_element_by_element(name):
    f, inputs = RIGHT[name]
    assert gradcheck(f, inputs, elementwise=True).error < 5e-9


@pytest.mark.parametrize("seed", range(8))
def test_no_false_alarm(seed):
    x, gamma, beta = draw(6, 3, seed=seed), draw(3, seed=seed), draw(3, seed=seed + 1)
    for f, inputs in ((ops.batch_norm, [x, gamma, beta]), (ops.log_softmax, [x]), (ops.logsumexp, [x])):
        assert gradcheck(f, inputs, rng=Generator(seed)).error < 2e-9


def test_third_order_and_elementwise_agree_with_the_report():
    report = gradcheck(ops.tanh, [draw(2, 2)], 3, elementwise=True)
    assert list(report.worst) == [1, 2, 3]
    assert report.comparisons == 4 * 4 + 4 * 8 + 8 * 12  # outputs x inputs: y, x; gx, (x, gy); (gx, ggy), (x, gy, ggx)
    assert report.error == max(c.error for c in report.worst.values()) > 0
    assert report.worst[1].output.startswith("y[") and report.worst[1].moved.startswith("x[")
    assert report.worst[1].numeric == pytest.approx(report.worst[1].analytic, rel=1e-9, abs=1e-9)
    assert str(report).startswith("gradcheck: 144 comparisons agree\n  order 1: relative error ")


def test_elements_have_their_derivatives_in_the_report():
    report = gradcheck(lambda x: 3.0 * x, [np.array([2.0])], 1, elementwise=True)
    assert report.worst[1].analytic == 3.0 and report.worst[1].numeric == pytest.approx(3.0, rel=1e-12)


def test_on_each_backend(backend):
    x, w = backend.asarray(draw(4, 3)), backend.asarray(draw(3, 2))
    gradcheck(lambda x, w: ops.softmax(ops.tanh(x @ w)), [x, tg.tensor(w)], elementwise=True)
    gradcheck(layers.Sequential(layers.Dense(3, 2), layers.BatchNorm(2)), x)
    with pytest.raises(GradcheckError):
        gradcheck(tanh_with(lambda gy, y, x: gy * (1 - y * y) * (1 + E)), x)


# Modules, and Tensors that f uses


def test_a_module_is_checked_with_its_parameters(backend):
    net = layers.Sequential(layers.Dense(3, 4), layers.Tanh(), layers.Dense(4, 1))
    before = net.state_dict()
    report = gradcheck(net, backend.asarray(draw(5, 3)))
    assert set(report.worst) == {1, 2}
    net_0 = net[0]
    assert net_0.w.dtype == np.float32 and net_0.w.requires_grad and net_0.w.grad is None
    assert all((backend.to_host(a) == backend.to_host(before[n])).all() for n, a in net.state_dict().items())
    net[0].forward = lambda x: x @ constant(net_0.w) + net_0.b
    with pytest.raises(GradcheckError, match=r"changes with 0\.w\[.*\n.*\n.*\n.*\nNo gradient arrives"):
        gradcheck(net, backend.asarray(draw(5, 3)))


def test_tensors_that_f_uses():
    x = tg.tensor(draw(4, 3), dtype=np.float32)
    net = layers.Dense(3, 2)
    report = gradcheck(lambda: ops.mean(net(x) ** 2), net.parameters())
    assert report.comparisons == 1 * (6 + 2) + 2 * (
        6 + 2 + 1
    )  # outputs x elements: loss, w and b; gw and gb, w, b and gy
    assert gradcheck(lambda: ops.mean(net(x) ** 2), [x, *net.parameters()]).comparisons > report.comparisons
    assert x.dtype == np.float32 and not x.requires_grad and net.w.requires_grad


def test_tensors_that_f_uses_are_as_before_after_a_failure():
    w = tg.Parameter(draw(3).astype(np.float32), name="w")
    data, node = w.data, w.node
    wrong = tanh_with(lambda gy, y, x: gy)
    with pytest.raises(GradcheckError, match=r"changes with w\[\d\]"):
        gradcheck(lambda: wrong(w), [w])
    assert w.data is data and w.node is node


def test_a_whole_loss_with_respect_to_every_parameter():
    G = layers.Sequential(layers.Dense(2, 4), layers.BatchNorm(4, 0.8), layers.LeakyReLU(), layers.Dense(4, 3))
    D = layers.Sequential(layers.Dense(3, 4), layers.LeakyReLU(), layers.Dense(4, 1))
    z, x = tg.tensor(draw(6, 2)), tg.tensor(draw(6, 3))

    def loss():
        return ops.mean(ops.softplus(-D(x))) + ops.mean(ops.softplus(D(G(z))))

    gradcheck(loss, [*G.parameters(), *D.parameters()])


# What is refused, and what it says


def test_the_message_shows_where_and_both_values():
    f = tanh_with(lambda gy, y, x: gy * (1 - y * y) * np.where(np.arange(12).reshape(3, 4) == 6, 1.001, 1))
    x = draw(3, 4)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(f, x, elementwise=True)
    text, right = str(caught.value), 1 - np.tanh(x[1, 2]) ** 2
    assert text.startswith(
        "gradcheck, order 1: 1 of 144 comparisons disagree; the worst is\nhow y[1, 2] changes with x[1, 2]:"
    )
    numeric, analytic = (float(re.search(rf"{word} +(\S+)", text)[1]) for word in ("numeric", "analytic"))
    assert numeric == pytest.approx(right, rel=1e-10) and analytic == pytest.approx(1.001 * right, rel=1e-10)
    assert "relative error 1.0e-03, allowed 1e-08" in text
    worst = caught.value.worst
    assert (worst.order, worst.output, worst.moved) == (1, "y[1, 2]", "x[1, 2]")
    assert worst.error == pytest.approx(1e-3, rel=1e-2)


def test_the_message_finds_the_element_by_projections_too():
    f = tanh_with(lambda gy, y, x: gy * (1 - y * y) * one_element(1000, 77, 1.001))
    with pytest.raises(GradcheckError, match=r"how u · y changes with x\[77\]:(.|\n)*elementwise=True"):
        gradcheck(f, draw(1000))


@pytest.mark.parametrize(
    ("f", "x", "advice"),
    [
        (lambda: exp_with(lambda gy, y, x: -gy * y), draw(3), "The sign is wrong"),
        (lambda: lambda x: ops.tanh(x.detach()), draw(3), "No gradient arrives"),
        (lambda: mean_with(lambda gy, y, x: ops.broadcast_to(gy, x.shape)), draw(6), "off by a factor of 6"),
        (lambda: mean_with(lambda gy, y, x: ops.broadcast_to(gy / 36, x.shape)), draw(6), "off by a factor of 6"),
        (lambda: sign_with(lambda gy, y, x: gy), draw(3), "Compare the rule with the textbook"),
        (lambda: lambda x: ops.sin(1e6 * x), draw(3), "changes too fast"),
        (lambda: ops.relu, np.array([1.0, 0.0]), "f has a kink here"),
        (lambda: ops.relu, np.array([1.0, 1e-9]), "f has a kink here"),
        (lambda: ops.max, np.array([1.0, 2.0, 2.0 + 1e-9]), "f has a kink here"),
        (lambda: exp_with(lambda gy, y, x: gy * constant(y)), draw(3), "Order 1 is right"),
        (lambda: exp_with(lambda gy, y, x: gy * x), draw(3), "Compare the rule with the textbook"),
        (lambda: tanh_with(lambda gy, y, x: gy[:1]), draw(3), "planted_tanh: what the rule of argument 0 returns"),
        (lambda: exp_with(lambda gy, y, x: gy * np.exp(x)), draw(3), "consists of operators and tg.ops"),
        (lambda: ops.sqrt, np.array([1.0, 0.0]), "not finite"),
        (lambda: ops.log, np.array([1.0, 1e-300]), "not finite"),
    ],
)  # fmt: skip
def test_the_message_says_what_to_look_at(f, x, advice):
    with np.errstate(all="ignore"), pytest.raises(GradcheckError, match=advice):
        gradcheck(f(), x)


def test_a_function_that_draws_random_numbers_is_refused():
    dropout = layers.Dropout(0.5)
    with pytest.raises(GradcheckError, match="another result when it is called again"):
        gradcheck(dropout, draw(4, 5))
    gradcheck(dropout.eval(), draw(4, 5))


@pytest.mark.parametrize(
    ("f", "inputs", "options", "message"),
    [
        (ops.exp, [np.arange(3)], {}, "no input is floating"),
        (ops.exp, [], {}, "no input is floating"),
        (lambda: None, [np.ones(3)], {}, "the inputs must be the Tensors that it uses"),
        (lambda x: x.numpy(), [np.ones(3)], {}, r"must return a Tensor.*got float64.*numpy\(\)"),
        (lambda x: x.astype(np.float32), [np.ones(3)], {}, "in float64.*got float32"),
        (lambda x: None, [np.ones(3)], {}, "got NoneType"),
        (ops.exp, [np.ones(3)], {"order": 0}, "order is 0"),
        (ops.exp, [np.ones(3)], {"rtol": 0.0}, "rtol is 0.0"),
        (ops.exp, [np.ones(3)], {"eps": 0}, "eps is 0, but it must be a finite number above 0"),
        (ops.exp, [np.ones(3)], {"rng": 3}, "rng is 3, but it must be a Generator"),
        (None, [np.ones(3)], {}, "expected a function and its inputs, not a NoneType and a list"),
        (ops.exp, None, {}, "expected a function and its inputs, not a function and a NoneType"),
    ],
)
def test_arguments_that_can_not_be_checked(f, inputs, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        gradcheck(f, inputs, **options)


def test_an_error_in_f_itself_comes_through():
    with pytest.raises(ValueError, match="matmul: a is"):
        gradcheck(ops.matmul, [draw(2, 3), draw(2, 3)])


def test_tolerances_are_what_they_say():
    f = exp_with(lambda gy, y, x: gy * y * (1 + 1e-5))
    with pytest.raises(GradcheckError, match="allowed 9e-06"):
        gradcheck(f, draw(3), 1, rtol=9e-6)
    assert gradcheck(f, draw(3), 1, rtol=1.1e-5).error == pytest.approx(1e-5, rel=1e-3)
    gradcheck(f, draw(3), 1, atol=1e-3)
    assert gradcheck(ops.exp, draw(3), 1, eps=1e-4).error < 1e-8


def test_inputs_are_neither_changed_nor_recorded():
    x, t = draw(3).astype(np.float32), tg.tensor(draw(3), requires_grad=True)
    before, values = x.tobytes(), t.numpy().tobytes()
    gradcheck(lambda x, t: x * t, [x, t])
    assert x.tobytes() == before and t.numpy().tobytes() == values and t.grad is None


def test_the_functions_are_not_hidden_by_the_modules_of_their_name():
    code = (
        "import tinygen as tg, tinygen.gradcheck, tinygen.tensor, tinygen.selfcheck\n"
        "assert tg.gradcheck is tinygen.selfcheck.case.gradcheck and callable(tg.gradcheck)\n"
        "assert tg.tensor([1.0]).shape == (1,)\n"
        "print(tg.gradcheck(tg.ops.exp, [0.5]).comparisons)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("3\n", "")
