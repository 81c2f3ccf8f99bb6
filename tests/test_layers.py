"""Modules: what they hold, in which order and under which names; and each layer against its formula."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
import standin
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygen as tg
from tinygen import layers as L
from tinygen.layers import Buffer, Module
from tinygen.layers.module import thread_state
from tinygen.random import Generator
from tinygen.tensor import Parameter


def host(x):
    """The values of a Tensor or an array on the host."""
    return x.numpy() if isinstance(x, tg.Tensor) else tg.to_host(x)


def draw(backend, *shape, seed=0, dtype=np.float64):
    return backend.asarray(np.random.default_rng(seed).normal(0.3, 2, shape), dtype)


def double(module):
    """The module with its parameters and buffers in float64, and the values drawn anew: no gamma is 1, no bias 0."""
    rng = np.random.default_rng(7)
    for _, layer in module.named_modules():
        for name, t in list(vars(layer).items()):
            if isinstance(t, (Parameter, Buffer)):
                values = rng.uniform(0.5, 2, t.shape)
                setattr(layer, name, type(t)(tg.array_module(t).asarray(values)))
    return module


class Block(Module):
    """A module of a reader's own: a parameter before, between and after its layers, and a buffer."""

    def __init__(self):
        self.scale = Parameter(np.ones(3, np.float32))
        self.first = L.Dense(3, 3, rng=Generator(0))
        self.count = Buffer(np.zeros(2, np.float32))
        self.options = {"a": 1}
        self.rest = L.Sequential(L.BatchNorm(3), L.Sequential(L.Tanh(), L.Dense(3, 2, bias=False, rng=Generator(1))))
        self.shift = Parameter(np.zeros(2, np.float32))

    def forward(self, x):
        return self.rest(self.first(x * self.scale)) + self.shift


BLOCK = [
    "scale",
    "first.w",
    "first.b",
    "count",
    "rest.0.gamma",
    "rest.0.beta",
    "rest.0.mean",
    "rest.0.var",
    "rest.1.1.w",
    "shift",
]
BUFFERS = {"count", "rest.0.mean", "rest.0.var"}


# What a module holds


def test_parameters_and_buffers_come_in_order_of_definition():
    block = Block()
    assert [name for name, _ in block.named_tensors()] == BLOCK
    assert [name for name, _ in block.named_parameters()] == [name for name in BLOCK if name not in BUFFERS]
    assert [id(p) for p in block.parameters()] == [id(p) for _, p in block.named_parameters()]
    assert list(block.state_dict()) == BLOCK
    assert [name for name, _ in block.named_children()] == ["first", "rest"]
    assert [name for name, _ in block.named_modules()] == [
        "",
        "first",
        "rest",
        "rest.0",
        "rest.1",
        "rest.1.0",
        "rest.1.1",
    ]
    assert next(block.named_modules("net"))[0] == "net" and [n for n, _ in block.named_modules("net")][1] == "net.first"


def test_every_tensor_knows_its_full_path():
    block = Block()
    assert {name: t.name for name, t in block.named_tensors()} == {name: name for name in BLOCK}
    outer = L.Sequential(L.Tanh(), block)
    assert [t.name for _, t in outer.named_tensors()] == [f"1.{name}" for name in BLOCK]


trees = st.recursive(st.sampled_from("pb."), lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def build(tree, values, path=""):
    """A nest of modules in the form of a tree, and the names that its tensors must have, with their kind and value."""
    module, expected = Module(), []
    for i, part in enumerate([tree] if isinstance(tree, str) else tree):
        name = f"{path}a{i}"
        if isinstance(part, str):
            if part != ".":
                value = next(values)
                setattr(module, f"a{i}", {"p": Parameter, "b": Buffer}[part](np.full(1, value, np.float32)))
                expected.append((name, part, value))
        else:
            child, below = build(part, values, f"{name}.")
            setattr(module, f"a{i}", child)
            expected += below
    return module, expected


@settings(derandomize=True, deadline=None)
@given(trees)
def test_any_nest_of_modules(tree):
    module, expected = build(tree, iter(range(100)))
    names, parameters = [e[0] for e in expected], [e for e in expected if e[1] == "p"]
    assert [(n, t.item()) for n, t in module.named_tensors()] == [(n, v) for n, _, v in expected]
    assert [t.name for _, t in module.named_tensors()] == names
    assert [(p.name, p.item()) for p in module.parameters()] == [(n, v) for n, _, v in parameters]
    twin, _ = build(tree, iter(range(100, 200)))
    twin.load_state_dict(module.state_dict())
    assert [t.item() for _, t in twin.named_tensors()] == [v for *_, v in expected]
    assert twin.summary().splitlines()[-3].split() == ["parameters", str(len(parameters))]


def test_a_shared_layer_has_its_parameters_once():
    shared = L.Dense(3, 3, rng=Generator(0))
    net = L.Sequential(shared, L.Tanh(), shared)
    assert [name for name, _ in net.named_parameters()] == ["0.w", "0.b"]
    assert list(net.state_dict()) == ["0.w", "0.b", "2.w", "2.b"]
    x = tg.tensor(np.ones((2, 3), np.float32))
    before = shared.w.numpy().copy()
    tg.optim.SGD(net.parameters()).step(tg.grad(net(x).sum(), net.parameters()))
    assert not np.isclose(net[2].w.numpy(), before).any()
    assert net.summary().splitlines()[-3].split() == ["parameters", "12"]


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\); write one"):
        Module()(1.0)


def test_sequential():
    a, b, c = L.Dense(3, 4), L.ReLU(), L.Dense(4, 2)
    net = L.Sequential(a, b, c)
    assert len(net) == 3 and list(net) == [a, b, c] and net[0] is a and net[-1] is c
    x = np.ones((5, 3), np.float32)
    np.testing.assert_array_equal(net(x).numpy(), c(b(a(x))).numpy())
    assert L.Sequential()(x) is x


@pytest.mark.parametrize("wrong", [L.ReLU, tg.ops.relu, [L.ReLU()], None])
def test_sequential_refuses_what_is_no_module(wrong):
    with pytest.raises(TypeError, match=r"Sequential: layer 1 is .*, but it must be a Module, such as ReLU\(\)"):
        L.Sequential(L.Dense(3, 4), wrong)


# State


def test_a_state_dict_is_a_copy_and_comes_back(backend):
    net = L.Sequential(L.Dense(3, 4), L.BatchNorm(4))
    saved = net.state_dict()
    before = {name: host(a).copy() for name, a in saved.items()}
    with tg.no_grad():
        net(draw(backend, 6, 3, dtype=np.float32))
    for p in net.parameters():
        p.assign(p.data + 1)
    for name, a in saved.items():
        assert isinstance(a, backend.xp.ndarray)
        np.testing.assert_array_equal(host(a), before[name])
    memory = [t.data for _, t in net.named_tensors()]
    net.load_state_dict(saved)
    for (name, t), array in zip(net.named_tensors(), memory, strict=True):
        assert t.data is array, "the state is written into the module's own memory"
        np.testing.assert_array_equal(host(t), before[name])
    net[0].w.assign(net[0].w.data * 0)
    np.testing.assert_array_equal(host(saved["0.w"]), before["0.w"])


def test_a_state_may_hold_host_arrays_or_tensors(backend):
    net, other = L.Dense(3, 2), L.Dense(3, 2)
    net.load_state_dict({name: host(a) for name, a in other.state_dict().items()})
    np.testing.assert_array_equal(host(net.w), host(other.w))
    third = L.Dense(3, 2)
    third.load_state_dict(dict(net.named_tensors()))
    np.testing.assert_array_equal(host(third.w), host(other.w))


def test_a_state_of_a_gpu_is_loaded_on_the_cpu(gpu):
    there = L.Dense(3, 2)
    with tg.use("cpu"):
        here = L.Dense(3, 2)
        here.load_state_dict(there.state_dict())
    np.testing.assert_array_equal(here.w.numpy(), gpu.to_host(there.w.data))
    there.load_state_dict({"w": 2 * here.w.numpy(), "b": here.b.numpy()})
    np.testing.assert_array_equal(gpu.to_host(there.w.data), 2 * here.w.numpy())


def test_loading_counts_as_a_change_to_backward():
    layer = L.Dense(3, 2)
    y = (layer(tg.tensor(np.ones((1, 3), np.float32), requires_grad=True)) ** 2).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(tg.GradientError, match=r"'w'.*was changed after the forward pass"):
        y.backward()


def test_a_state_that_does_not_fit_is_refused_whole():
    """All that is wrong is named, and nothing is written."""
    block = Block()
    state = {name: a + 1 for name, a in block.state_dict().items()}
    before = block.state_dict()
    state["first.w"] = np.zeros((2, 3))
    del state["shift"], state["count"]
    state["more"] = np.zeros(1)
    message = (
        "load_state_dict: this state is of another Block: first.w is (2, 3) but must be (3, 3); count is missing; "
        "shift is missing; more is unknown"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        block.load_state_dict(state)
    for name, a in block.state_dict().items():
        np.testing.assert_array_equal(a, before[name])


def test_not_strict_takes_what_is_there():
    block = Block()
    state = {"scale": np.full(3, 5.0), "more": np.zeros(1)}
    block.load_state_dict(state, strict=False)
    assert (block.scale.numpy() == 5).all()
    with pytest.raises(ValueError, match=r"scale is \(2,\) but must be \(3,\)$"):
        block.load_state_dict({"scale": np.zeros(2)}, strict=False)


def test_a_copy_of_a_module_learns_by_itself(backend):
    net = L.Sequential(L.Dense(3, 4), L.BatchNorm(4), L.Dropout(0.5), L.Dense(4, 2))
    net.requires_grad_(False)[0].requires_grad_()
    twin = copy.deepcopy(net)
    assert [(n, t.name, type(t), t.requires_grad) for n, t in twin.named_tensors()] == [
        (n, t.name, type(t), t.requires_grad) for n, t in net.named_tensors()
    ]
    before = {name: host(a).copy() for name, a in net.state_dict().items()}
    x = draw(backend, 8, 3, dtype=np.float32)
    y = twin(x)
    tg.optim.SGD(twin[0].parameters(), lr=0.1).step(tg.grad(y.sum(), twin[0].parameters()))
    for name, a in net.state_dict().items():
        np.testing.assert_array_equal(host(a), before[name])
    assert not np.isclose(host(twin[0].w), before["0.w"]).any()
    np.testing.assert_array_equal(host(net(x)), host(y))  # of dropout's stream too there were two


# Modes


def test_train_and_eval_reach_every_layer():
    block = Block()
    assert all(m.training for _, m in block.named_modules())
    assert block.eval() is block and not any(m.training for _, m in block.named_modules())
    assert block.train() is block and all(m.training for _, m in block.named_modules())
    block.train(False)
    assert not any(m.training for _, m in block.named_modules())


def test_evaluating_gives_each_layer_its_own_mode_back():
    block = Block()
    block.rest.eval()
    modes = [m.training for _, m in block.named_modules()]
    assert True in modes and False in modes
    with L.evaluating(block):
        assert not any(m.training for _, m in block.named_modules())
    assert [m.training for _, m in block.named_modules()] == modes
    with pytest.raises(KeyError), L.evaluating(block):
        raise KeyError
    assert [m.training for _, m in block.named_modules()] == modes


def test_requires_grad():
    block = Block()
    assert block.requires_grad_(False) is block and not any(p.requires_grad for p in block.parameters())
    x = tg.tensor(np.ones((4, 3), np.float32), requires_grad=True)
    block(x).sum().backward()
    assert x.grad is not None and all(p.grad is None for p in block.parameters())
    block.first.requires_grad_()
    assert [p.name for p in block.parameters() if p.requires_grad] == ["first.w", "first.b"]
    block.requires_grad_()
    assert all(p.requires_grad for p in block.parameters())
    assert not any(t.requires_grad for n, t in block.named_tensors() if n in BUFFERS)


# Tables


def test_summary_of_the_classic_gan_has_the_numbers_that_keras_prints():
    """Keras: generator 1,493,520 in total, 1,489,936 of them trainable; discriminator 533,505."""
    gan = tg.models.GAN()
    sums = [[line.split() for line in net.summary(shape).splitlines()[-3:]] for net, shape in
            ((gan.G, (100,)), (gan.D, (28, 28, 1)))]  # fmt: skip
    assert sums[0] == [["parameters", "1,489,936"], ["buffers", "3,584"], ["total", "1,493,520"]]
    assert sums[1] == [["parameters", "533,505"], ["buffers", "0"], ["total", "533,505"]]


def test_summary():
    net = L.Sequential(L.Flatten(), L.Dense(6, 1000), L.LeakyReLU(0.1), L.BatchNorm(1000), L.Reshape((10, 50, 2)))
    assert net.summary((2, 3)).splitlines() == [
        "layer                                        output       parameters",
        "-" * 68,
        "0 Flatten()                                  (6,)                  0",
        "1 Dense(6, 1000)                             (1000,)           7,000",
        "2 LeakyReLU(0.1)                             (1000,)               0",
        "3 BatchNorm(1000, momentum=0.99, eps=1e-05)  (1000,)           2,000",
        "4 Reshape((10, 50, 2))                       (10, 50, 2)           0",
        "-" * 68,
        "parameters                                                     9,000",
        "buffers                                                        2,000",
        "total                                                         11,000",
    ]


def test_summary_shows_parameters_of_a_module_beside_its_layers():
    rows = [line.split() for line in Block().summary().splitlines()]
    assert rows[2] == ["Block()", "5"]
    assert [row[-1] for row in rows[3:-4]] == ["12", "6", "0", "6"]
    assert [row[-1] for row in rows[-3:]] == ["29", "8", "37"]


def test_summary_of_a_module_with_two_outputs():
    class Heads(Module):
        def __init__(self):
            self.mu, self.logvar = L.Dense(3, 2), L.Dense(3, 4)

        def forward(self, x):
            return self.mu(x), self.logvar(x)

    rows = [line.split() for line in L.Sequential(Heads()).summary((3,)).splitlines()[2:4]]
    assert [row[-2:] for row in rows] == [["(2,)", "8"], ["(4,)", "16"]]


def test_summary_of_a_single_layer():
    assert L.Dense(3, 2).summary((3,)).splitlines()[2].split() == ["Dense(3,", "2)", "(2,)", "8"]


def test_a_summary_changes_nothing(backend):
    net = L.Sequential(L.Dense(3, 4), L.Dropout(0.5), L.BatchNorm(4))
    net[2].eval()
    before, state = {n: host(a) for n, a in net.state_dict().items()}, net[1].rng.state
    net.summary((3,))
    for name, a in net.state_dict().items():
        np.testing.assert_array_equal(host(a), before[name])
    assert net[1].rng.state == state and [m.training for m in net] == [True, True, False]
    with pytest.raises(ValueError, match="Dense: x is"):
        net.summary((5,))
    assert [m.training for m in net] == [True, True, False] and thread_state.watcher is None


def test_repr():
    net = L.Sequential(
        L.Dense(3, 4, bias=False),
        L.Sequential(L.LeakyReLU(), L.Dropout(0.3), L.LayerNorm(4), L.Embedding(7, 5)),
        L.Reshape((2, 2)),
    )
    assert repr(net).splitlines() == [
        "Sequential(",
        "  (0) Dense(3, 4, bias=False)",
        "  (1) Sequential(",
        "    (0) LeakyReLU(0.2)",
        "    (1) Dropout(0.3)",
        "    (2) LayerNorm(4, eps=1e-05)",
        "    (3) Embedding(7, 5)",
        "  )",
        "  (2) Reshape((2, 2))",
        ")",
    ]
    assert repr(L.Sequential()) == "Sequential()"


# Layers, each on every backend, for Tensors and arrays of several ranks

SHAPES = [(5, 3), (2, 4, 3), (2, 3, 4, 3)]


def same(y, expected, within=1e-12):
    np.testing.assert_allclose(host(y), expected, rtol=within, atol=within)


@pytest.mark.parametrize("shape", SHAPES)
def test_dense(backend, shape):
    layer, x = double(L.Dense(3, 2)), draw(backend, *shape)
    for given_x in (x, tg.tensor(x)):
        same(layer(given_x), host(x) @ host(layer.w) + host(layer.b))
    layer = double(L.Dense(3, 2, bias=False))
    assert layer.b is None and len(layer.parameters()) == 1
    same(layer(x), host(x) @ host(layer.w))


def test_dense_begins_as_in_keras(backend):
    layer = L.Dense(300, 200, rng=Generator(0))
    w, a = host(layer.w), math.sqrt(6 / 500)
    assert not host(layer.b).any() and np.abs(w).max() <= np.float32(a) and np.abs(w).max() > 0.99 * a
    np.testing.assert_array_equal(host(L.Dense(300, 200, rng=Generator(0)).w), w)
    assert not np.array_equal(host(L.Dense(300, 200, rng=Generator(1)).w), w)
    he = L.Dense(300, 200, weight_init=tg.init.he_normal, rng=Generator(0), dtype=np.float64)
    assert he.w.dtype == he.b.dtype == np.float64
    np.testing.assert_array_equal(host(he.w), host(tg.init.he_normal((300, 200), Generator(0), np.float64)))


def test_what_dense_refuses():
    with pytest.raises(
        ValueError, match=r"Dense: x is \(5, 28, 28, 1\), but its last axis must be 784; is a Flatten mis"
    ):
        L.Dense(784, 2)(np.zeros((5, 28, 28, 1), np.float32))
    for sizes in ((0, 3), (3, 0), (-1, 3)):
        with pytest.raises(
            ValueError, match=r"Dense: (in|out)_features is (0|-1), but it must be an int of at least 1"
        ):
            L.Dense(*sizes)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 2, 2)])
def test_embedding(backend, shape):
    layer = double(L.Embedding(7, 3))
    indices = np.random.default_rng(0).integers(0, 7, shape)
    for i in (backend.asarray(indices), backend.asarray(indices, np.int32), tg.tensor(backend.asarray(indices))):
        y = layer(i)
        assert y.shape == (*shape, 3)
        np.testing.assert_array_equal(host(y), host(layer.w)[indices])
    gy = draw(backend, *shape, 3)
    expected = np.zeros((7, 3))
    np.add.at(expected, indices, host(gy))
    same(tg.grad(layer(backend.asarray(indices)), layer.w, gy), expected)


def test_embedding_begins_as_standard_normal_and_refuses_floats():
    w = L.Embedding(200, 200, rng=Generator(0)).w.numpy()
    assert abs(w.mean()) < 0.02 and abs(w.std() - 1) < 0.02
    with pytest.raises(TypeError, match="Embedding: the input must be integers, but they are float32"):
        L.Embedding(7, 3)(np.zeros(3, np.float32))
    for i in (np.array([0, 7]), np.array([-1, 0]), tg.tensor(np.array([-1, 0]))):
        with pytest.raises(
            IndexError, match=r"Embedding: the input goes from (0 to 7|-1 to 0), but it must be from 0 to 6"
        ):
            L.Embedding(7, 3)(i)


def test_the_first_layer_of_a_sequence_may_take_more_than_one_input():
    class Sum(L.Module):
        def forward(self, x, *more):
            return sum(more, x)

    network = L.Sequential(Sum(), L.ReLU(), Sum())
    np.testing.assert_array_equal(host(network(tg.tensor([1.0, -5.0]), tg.tensor([2.0, 3.0]))), [3.0, 0.0])


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_training_and_after(backend, shape):
    layer, x = double(L.BatchNorm(3, momentum=0.8, eps=1e-3)), draw(backend, *shape)
    gamma, beta, mean, var = (host(t).copy() for _, t in layer.named_tensors())
    h, axes = host(x), tuple(range(len(shape) - 1))
    same(layer(tg.tensor(x)), gamma * (h - h.mean(axes)) / np.sqrt(h.var(axes) + 1e-3) + beta)
    mean, var = 0.8 * mean + 0.2 * h.mean(axes), 0.8 * var + 0.2 * h.var(axes)
    same(layer.mean, mean)
    same(layer.var, var)
    layer.eval()
    same(layer(tg.tensor(x)), gamma * (h - mean) / np.sqrt(var + 1e-3) + beta)
    same(layer(x), gamma * (h - mean) / np.sqrt(var + 1e-3) + beta)
    same(layer.mean, mean)


@pytest.mark.parametrize("block", [lambda layer: tg.no_grad(), tg.frozen], ids=["no_grad", "frozen"])
def test_running_statistics_follow_where_nothing_is_learnt(backend, block):
    layer, x = L.BatchNorm(3), draw(backend, 50, 3, dtype=np.float32)
    with block(layer):
        layer(x)
    same(layer.mean, 0.01 * host(x).mean(0), 1e-5)
    same(layer.var, 0.99 + 0.01 * host(x).var(0), 1e-5)


def test_running_statistics_converge_to_those_of_the_data(backend):
    layer, rng = L.BatchNorm(2, momentum=0.9), np.random.default_rng(0)
    for _ in range(100):
        layer(backend.asarray(rng.normal([3.0, -1.0], [0.5, 2.0], (512, 2)), np.float32))
    same(layer.mean, [3, -1], 0.05)
    same(layer.var, [0.25, 4], 0.05)


@pytest.mark.parametrize("momentum, kept", [(0.0, 0.0), (1.0, 1.0)])
def test_the_ends_of_momentum(momentum, kept):
    layer, x = L.BatchNorm(3, momentum=momentum), np.random.default_rng(0).normal(5, 2, (20, 3)).astype(np.float32)
    layer(x)
    same(layer.mean, (1 - kept) * x.mean(0), 1e-6)
    same(layer.var, kept + (1 - kept) * x.var(0), 1e-6)


def test_what_batch_norm_refuses():
    for momentum in (-0.1, 1.1):
        with pytest.raises(
            ValueError,
            match=f"BatchNorm: momentum is {momentum}, but it must be a finite number of at least 0 and at most 1",
        ):
            L.BatchNorm(3, momentum)
    with pytest.raises(ValueError, match=r"x is \(5, 4\)"):
        L.BatchNorm(3)(np.zeros((5, 4), np.float32))


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm(backend, shape):
    layer, x = double(L.LayerNorm(3, eps=1e-3)), draw(backend, *shape)
    h = host(x)
    mu, var = h.mean(-1, keepdims=True), h.var(-1, keepdims=True)
    for given_x in (x, tg.tensor(x)):
        same(layer(given_x), host(layer.gamma) * (h - mu) / np.sqrt(var + 1e-3) + host(layer.beta))


def test_dropout_drops_its_share_and_scales_the_rest(backend):
    for rate in (0.1, 0.5, 0.8):
        y = host(L.Dropout(rate, Generator(3))(backend.asarray(np.full((300, 200), 2.0), np.float32)))
        n = y.size
        assert abs((y == 0).mean() - rate) < 5 * math.sqrt(rate * (1 - rate) / n)
        np.testing.assert_allclose(y[y != 0], 2 / (1 - rate), rtol=1e-6)
        assert np.corrcoef((y[1:] == 0).ravel(), (y[:-1] == 0).ravel())[0, 1] < 5 / math.sqrt(n)


def test_dropout_follows_its_stream(backend):
    x = backend.asarray(np.ones((4, 50)), np.float32)
    a, b = (L.Dropout(0.5, Generator(1)) for _ in range(2))
    first, second = host(a(x)), host(a(x))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(host(b(x)), first)
    b.rng.state = Generator(1).state
    np.testing.assert_array_equal(host(b(x)), first)
    tg.seed(5)
    c, d = L.Dropout(0.5), L.Dropout(0.5)
    one, two = host(c(x)), host(d(x))
    assert not np.array_equal(one, two), "each layer has a stream of its own"
    tg.seed(5)
    np.testing.assert_array_equal(host(L.Dropout(0.5)(x)), one)


def test_dropout_lets_the_gradient_through_what_it_kept(backend):
    x = tg.tensor(draw(backend, 5, 40), requires_grad=True)
    y = L.Dropout(0.3)(x)
    y.backward(draw(backend, 5, 40, seed=1))
    same(x.grad, host(draw(backend, 5, 40, seed=1)) * (host(y) / host(x)))


def test_dropout_of_images_in_any_memory_order(backend):
    """Convolutions give H, N, W, C; the numbers of the stream are then laid out likewise."""
    lain = draw(backend, 3, 2, 4, 5)
    x = tg.tensor(lain.swapaxes(0, 1), requires_grad=True)
    y = L.Dropout(0.5, Generator(1))(x)
    factor = host(y) / host(x)
    assert set(factor.ravel().round(12)) == {0, 2}
    y.backward(draw(backend, 2, 3, 4, 5, seed=1))
    same(x.grad, host(draw(backend, 2, 3, 4, 5, seed=1)) * factor)
    same(L.Dropout(0.5, Generator(1))(x.data), host(y))


def test_dropout_does_nothing_in_eval_mode_or_at_rate_0(backend):
    x = tg.tensor(draw(backend, 5, 4))
    assert L.Dropout(0.5).eval()(x) is x
    assert L.Dropout(0.0)(x) is x
    for rate in (-0.1, 1.0):
        with pytest.raises(
            ValueError, match=f"Dropout: rate is {rate}, but it must be a finite number of at least 0 and below 1"
        ):
            L.Dropout(rate)


ACTIVATIONS = [
    (L.ReLU(), lambda x: np.maximum(x, 0)),
    (L.LeakyReLU(), lambda x: np.where(x > 0, x, 0.2 * x)),
    (L.LeakyReLU(0.01), lambda x: np.where(x > 0, x, 0.01 * x)),
    (L.Tanh(), np.tanh),
    (L.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    (L.Softplus(), lambda x: np.log1p(np.exp(x))),
]


@pytest.mark.parametrize("layer, formula", ACTIVATIONS, ids=[repr(layer) for layer, _ in ACTIVATIONS])
@pytest.mark.parametrize("shape", SHAPES)
def test_activations(backend, shape, layer, formula):
    x = draw(backend, *shape)
    for given_x in (x, tg.tensor(x)):
        same(layer(given_x), formula(host(x)))


def test_leaky_relu_refuses_a_slope_that_is_none():
    for slope in (-0.1, 1.5):
        with pytest.raises(
            ValueError, match=f"LeakyReLU: slope is {slope}, but it must be a finite number of at least 0 and at most 1"
        ):
            L.LeakyReLU(slope)


def test_flatten_and_reshape_are_inverse(backend):
    x = draw(backend, 5, 2, 3, 4)
    flat = L.Flatten()(x)
    np.testing.assert_array_equal(host(flat), host(x).reshape(5, 24))
    back = L.Reshape([2, 3, 4])(tg.tensor(flat))
    np.testing.assert_array_equal(host(back), host(x))
    assert L.Flatten()(draw(backend, 5)).shape == (5, 1)
    assert L.Flatten()(draw(backend, 0, 2, 3)).shape == (0, 6)
    assert L.Reshape(())(draw(backend, 5, 1)).shape == (5,)


@pytest.mark.parametrize(
    "layer",
    [L.Dense, L.BatchNorm, L.LayerNorm],
    ids=lambda layer: layer.__name__,
)
def test_layers_are_float32_unless_told(backend, layer):
    sizes = (3, 3) if layer is L.Dense else (3,)
    for dtype in (np.float32, np.float64):
        made = layer(*sizes) if dtype == np.float32 else layer(*sizes, dtype=dtype)
        assert all(t.dtype == dtype for _, t in made.named_tensors())
        assert all(isinstance(t.data, backend.xp.ndarray) for _, t in made.named_tensors())
        assert made(draw(backend, 4, 3, dtype=dtype)).dtype == dtype
    assert L.Embedding(3, 3, dtype=np.float64).w.dtype == np.float64


def test_no_layer_waits_for_the_device(gpu):
    net = L.Sequential(
        *(L.Embedding(7, 6), L.Flatten(), L.Dense(12, 6), L.BatchNorm(6), L.LeakyReLU(), L.Dropout(0.5)),
        *(L.LayerNorm(6), L.Tanh(), L.Softplus(), L.Reshape((3, 2)), L.ReLU(), L.Sigmoid()),
    )
    i, x = gpu.asarray(np.array([[0, 1], [3, 6]])), gpu.asarray(np.ones((2, 6)), np.float32)
    with standin.count_syncs() as syncs, standin.capturing():
        for mode in (True, False):
            tg.grad(net.train(mode)(i).sum(), net.parameters())
        L.Dense(6, 6, rng=Generator(0))(x)
    assert syncs.count == 0, syncs


def test_batch_norm_refuses_a_batch_of_one():
    x = np.ones((1, 3), np.float32)
    norm = tg.layers.BatchNorm(3)
    with pytest.raises(ValueError, match="larger batch"):
        norm(x)
    assert norm.eval()(x).shape == (1, 3)
