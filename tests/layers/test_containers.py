"""ModuleList, ModuleDict and Sequential; and modules in plain containers, which nothing would find or train."""

from __future__ import annotations

from collections import OrderedDict, UserDict, UserList, deque, namedtuple
from types import MappingProxyType

import numpy as np
import pytest

import tinygen as tg
from tinygen import layers as L
from tinygen.layers import Buffer, Module
from tinygen.tensor import Parameter, tensor

Pair = namedtuple("Pair", "first second")


def dense():
    return L.Dense(1, 1)


def names(module):
    return [name for name, _ in module.named_tensors()]


class Tower(Module):
    """As many layers as one likes, and a head by name."""

    def __init__(self, depth):
        self.blocks = L.ModuleList()
        self.heads = L.ModuleDict({"a": L.Dense(2, 1)})
        for _ in range(depth):
            self.blocks.append(L.Dense(2, 2))
        self.heads["b"] = L.Dense(2, 3)

    def forward(self, x, head="a"):
        for block in self.blocks:
            x = block(x)
        return self.heads[head](x)


def test_what_is_added_later_is_found_under_its_full_name():
    net = Tower(2)
    expected = [
        "blocks.0.w",
        "blocks.0.b",
        "blocks.1.w",
        "blocks.1.b",
        "heads.a.w",
        "heads.a.b",
        "heads.b.w",
        "heads.b.b",
    ]
    assert names(net) == [t.name for _, t in net.named_tensors()] == list(net.state_dict()) == expected
    assert len(net.parameters()) == 8 and net.blocks[1].w is net.parameters()[2]
    assert [name for name, _ in net.named_modules()] == [
        *("", "blocks", "blocks.0", "blocks.1"),
        *("heads", "heads.a", "heads.b"),
    ]
    x = np.ones((4, 2), np.float32)
    assert net(x).shape == (4, 1) and net(x, head="b").shape == (4, 3)
    gradients = tg.grad((net(x) ** 2).sum(), net.parameters()[:6])
    assert all(g.numpy().any() for g in gradients) and not net.eval().blocks[0].training
    outer = L.Sequential(L.Tanh(), net)
    net.blocks.append(L.Dense(2, 2))
    assert outer.parameters()[-6].name == "1.blocks.2.w"


def test_a_module_list_is_a_list():
    a, b, c, d = (dense() for _ in range(4))
    row = L.ModuleList([a, b])
    assert row.append(c) is row and list(row) == [a, b, c] and len(row) == 3 and b in row and d not in row
    row.insert(1, d)
    assert list(row) == [a, d, b, c] and names(row)[2] == "1.w" and row[1].w.name == "1.w"
    assert row.pop() is c and row.pop(0) is a and list(row) == [d, b]
    row.extend([a, c])
    row[0] = L.ReLU()
    del row[1]
    assert [type(m).__name__ for m in row] == ["ReLU", "Dense", "Dense"] and names(row) == ["1.w", "1.b", "2.w", "2.b"]
    row += [d]
    assert isinstance(row[1:], L.ModuleList) and list(row[1:]) == [a, c, d] and row[-1] is d
    more = row + L.ModuleList([b])
    assert list(more) == [*row, b] and len(row) == 4
    row[1:3] = [b]
    assert list(row)[1:] == [b, d]
    with pytest.raises(IndexError):
        row[7]


def test_a_sequential_grows_and_is_sliced():
    net = L.Sequential(L.Dense(2, 3)).append(L.Tanh()).append(L.Dense(3, 1))
    x = np.ones((5, 2), np.float32)
    assert isinstance(net[:2], L.Sequential) and net[:2](x).shape == (5, 3) and net(x).shape == (5, 1)
    assert L.Sequential()(x) is x and len(L.Sequential()) == 0


def test_a_module_dict_is_a_dict():
    a, b = dense(), dense()
    heads = L.ModuleDict([("a", a)])
    heads.update({"b": b})
    assert list(heads) == list(heads.keys()) == ["a", "b"] and list(heads.values()) == [a, b] and len(heads) == 2
    assert dict(heads.items()) == {"a": a, "b": b} and "a" in heads and "c" not in heads and heads["b"] is b
    assert heads.pop("a") is a and list(heads) == ["b"]
    del heads["b"]
    assert not len(heads)
    with pytest.raises(KeyError):
        heads["a"]


def test_a_skip_adds_or_joins_what_goes_around_its_layers():
    x, rng = np.random.default_rng(0).normal(size=(2, 3, 3, 2)).astype(np.float32), tg.Generator(0)
    conv, around = L.Conv(2, 3, 3, rng=rng), L.Conv(2, 3, 1, rng=rng)
    y, other = conv(x).numpy(), around(x).numpy()
    np.testing.assert_array_equal(L.Skip(conv, shortcut=around)(x).numpy(), other + y)
    np.testing.assert_array_equal(L.Skip(L.Tanh(), L.ReLU())(x), x + np.maximum(np.tanh(x), 0))
    np.testing.assert_array_equal(L.Skip()(x), x + x)
    joined = L.Skip(conv, join="concatenate")
    np.testing.assert_array_equal(joined(x).numpy(), np.concatenate([x, y], -1))
    assert names(L.Sequential(L.Skip(conv, shortcut=around)))[::2] == ["0.body.0.w", "0.shortcut.w"]
    assert repr(joined).splitlines()[0] == "Skip(join='concatenate'" and repr(L.Skip()).startswith("Skip(\n")


def test_a_skip_whose_two_ways_do_not_fit_is_refused():
    x = np.ones((1, 4, 4, 2), np.float32)
    with pytest.raises(ValueError, match=r"Skip: the layers give \(1, 4, 4, 3\), but the way .*; give a shortcut"):
        L.Skip(L.Conv(2, 3, 3))(x)
    with pytest.raises(ValueError, match=r"Skip: the layers give \(1, 2, 2, 3\)"):
        L.Skip(L.Conv(2, 3, 3, 2), join="concatenate")(x)
    with pytest.raises(ValueError, match='Skip: join is \'sum\', but it must be "add" or "concatenate"'):
        L.Skip(join="sum")


@pytest.mark.parametrize("name", ["", "a.b", "items", "training", "_path", 3, None])
def test_a_name_that_can_name_no_module_is_refused(name):
    with pytest.raises(ValueError, match="can't name a module"):
        L.ModuleDict({name: dense()})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.ModuleList([L.ReLU]), "layer 0 is .*ReLU.*must be a Module"),
        (lambda: L.ModuleList(dense()), "expected a list of modules, not a Dense"),
        (lambda: L.ModuleList().append("relu"), "layer 0 is 'relu'"),
        (lambda: L.Sequential(dense(), "relu"), "layer 1 is 'relu'"),
        (lambda: L.Sequential([dense(), L.ReLU()]), r"write Sequential\(\*layers\)"),
        (lambda: L.ModuleDict({"a": L.ReLU}), "'a' is .*must be a Module"),
        (lambda: L.ModuleList([dense()])(1), "it can't be called"),
        (lambda: L.ModuleDict()(1), "it can't be called"),
    ],
)
def test_what_is_no_module_is_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()


PLAIN = {
    "list": lambda part: [part],
    "tuple": lambda part: (1, part),
    "dict": lambda part: {"a": part},
    "keys": lambda part: {part: "a"},
    "ordered": lambda part: OrderedDict(a=part),
    "set": lambda part: {part},
    "frozenset": lambda part: frozenset([part]),
    "deque": lambda part: deque([part]),
    "user's list": lambda part: UserList([part]),
    "user's dict": lambda part: UserDict(a=part),
    "read-only dict": lambda part: MappingProxyType({"a": part}),
    "named tuple": lambda part: Pair(1, part),
    "deep": lambda part: [{"a": [1, (2, [part])]}],
}
PARTS = {"module": dense, "parameter": lambda: Parameter(np.ones(1)), "buffer": lambda: Buffer(np.ones(1))}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_container_of_parts_is_refused(kind, part):
    with pytest.raises(TypeError, match=r"Module\.parts is a .*make it a ModuleList, a ModuleDict"):
        Module().parts = PLAIN[kind](PARTS[part]())


class Growing(Module):
    """A module whose plain containers are filled after they were assigned."""

    def __init__(self):
        self.blocks, self.heads, self.nested = [], {}, {"a": [[]]}

    def forward(self, x):
        return x


@pytest.mark.parametrize("fill", [
    lambda net: net.blocks.append(dense()),
    lambda net: net.heads.update(a=dense()),
    lambda net: net.nested["a"][0].append(Parameter(np.ones(1))),
    lambda net: net.blocks.append(tensor([1.0], requires_grad=True)),
])  # fmt: skip
@pytest.mark.parametrize("use", [
    lambda net: net(1),
    lambda net: L.Sequential(net)(1),
    lambda net: net.parameters(),
    lambda net: list(net.named_parameters()),
    lambda net: list(L.Sequential(L.Sequential(net)).named_modules()),
    lambda net: L.Sequential(net).state_dict(),
    lambda net: net.load_state_dict({}),
    lambda net: net.eval(),
])  # fmt: skip
def test_a_plain_container_that_is_filled_later_is_refused(fill, use):
    net = Growing()
    use(net)
    net = Growing()
    fill(net)
    with pytest.raises(TypeError, match=r"Growing\.\w+ is a (list|dict) that holds a (Dense|Parameter|Tensor)"):
        use(net)
    assert "Growing" in repr(net)  # what a debugger shows


def test_a_container_that_holds_itself_and_a_long_one_are_no_trouble():
    module, loop = Module(), []
    loop.append(loop)
    module.loop, module.table = loop, dict.fromkeys(range(1000), "a")
    del module.table
    assert module.parameters() == []


def test_parts_of_a_class_are_refused():
    with pytest.raises(TypeError, match=r"Net\.fc belongs to the class.*__init__"):
        type("Net", (Module,), {"fc": dense()})
    with pytest.raises(TypeError, match=r"Net\.all belongs to the class"):
        type("Net", (Module,), {"all": [dense()]})
