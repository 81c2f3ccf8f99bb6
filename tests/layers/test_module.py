"""What may be an attribute of a module, and what a state_dict may be."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygen as tg
from tinygen import layers as L
from tinygen.layers import Buffer, Module
from tinygen.tensor import Parameter


def test_options_reach_forward():
    class Scale(Module):
        def forward(self, x, *, by=1, plus=0):
            return x * by + plus

    assert Scale()(3, by=2, plus=1) == 7 and Scale()(x=3) == 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'times'"):
        Scale()(3, times=2)


@pytest.mark.parametrize("value", [np.ones((2, 2), np.float32), tg.tensor([[1.0, 2.0]]), [[1.0]], 3.0, "w"])
@pytest.mark.parametrize("name", ["w", "mean"])
def test_a_plain_value_does_not_take_the_place_of_a_parameter_or_buffer(name, value):
    layer = L.Dense(2, 2) if name == "w" else L.BatchNorm(2)
    kind = "Parameter" if name == "w" else "Buffer"
    with pytest.raises(TypeError, match=rf"{name} is a {kind}, .*{name}\.assign\(\.\.\.\)"):
        setattr(layer, name, value)
    assert name in dict(layer.named_tensors())
    setattr(layer, name, (Parameter if name == "w" else Buffer)(np.zeros((2, 2))))
    setattr(layer, name, None)
    assert name not in dict(layer.named_tensors())
    setattr(layer, name, 3.0)  # whoever takes it away first may


def test_the_result_of_an_op_does_not_take_the_place_of_a_parameter():
    layer = L.Dense(2, 2)
    with pytest.raises(TypeError, match=r"w is a Parameter, and a Tensor \(float32 of shape \(2, 2\)\)"):
        layer.w -= 0.1 * layer.w
    layer.w.data -= 0.1 * layer.w.data


def test_what_is_no_module_does_not_take_the_place_of_one():
    net = L.Sequential(L.Dense(2, 2))
    net.head = L.Dense(2, 1)
    with pytest.raises(TypeError, match=r"Sequential\.head is a Dense, and a function can't take its place"):
        net.head = lambda x: x
    net.head = L.ReLU()
    net.head = None
    assert len(net) == 1


def test_a_leaf_that_nobody_would_train_is_refused():
    with pytest.raises(TypeError, match=r"Module\.w: a Tensor .* make it a Parameter"):
        Module().w = tg.tensor([1.0], requires_grad=True)
    module, x = Module(), tg.tensor([1.0], requires_grad=True)
    module.constant, module.seen = tg.tensor([1.0]), x * 2


def test_a_module_does_not_hold_itself_or_its_holder():
    net = L.Sequential(L.Dense(2, 2))
    with pytest.raises(ValueError, match="a module can't hold itself"):
        net.me = net
    with pytest.raises(ValueError, match="or a module that holds it; keep a weakref"):
        net[0].parent = net
    assert len(net.parameters()) == 2


def test_what_is_shared_comes_once_and_is_saved_under_each_name():
    layer = L.Dense(2, 2)
    net = L.Sequential(layer, L.Tanh(), layer)
    tied = L.Dense(2, 2)
    tied.w = layer.w
    net.append(tied)
    assert [id(p) for p in net.parameters()] == [id(p) for p in (layer.w, layer.b, tied.b)]
    assert list(net.state_dict()) == ["0.w", "0.b", "2.w", "2.b", "3.w", "3.b"]
    state = {name: a + 1 for name, a in net.state_dict().items()}
    net.load_state_dict(state)
    np.testing.assert_array_equal(tied.w.numpy(), state["0.w"])
    assert not net.eval()[2].training


def test_attributes_can_be_private_and_deleted():
    module = Module()
    module._w, module.__b = Parameter(np.ones(1)), Parameter(np.ones(1))
    assert len(module.parameters()) == 2
    del module._w
    assert len(module.parameters()) == 1


def test_a_state_that_is_none_is_refused_before_anything_is_written():
    net = L.Sequential(L.Dense(2, 1), L.BatchNorm(1))
    before = net.state_dict()
    for state in (None, [1], [("0.w", before["0.w"])], before["0.w"], {0: before["0.w"]}):
        with pytest.raises(
            TypeError, match=r"load_state_dict: expected the dict of a Sequential's state_dict\(\), not"
        ):
            net.load_state_dict(state)
    wrong = before | {
        "0.w": [[1.0], [2.0]],
        "0.b": np.ones(1, np.int64),
        "1.gamma": "x",
        "1.beta": np.ones(1, complex),
        "1.mean": np.ones(2, np.float32),
        "1.var": np.ones(1, np.float16),
    }
    message = (
        "load_state_dict: this state is of another Sequential: 0.w is a list but must be an array (2, 1); 0.b is int64 "
        "but must be float32; 1.gamma is a str but must be an array (1,); 1.beta is complex128 but must be float32; "
        "1.mean is (2,) but must be (1,)"
    )
    for strict in (True, False):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            net.load_state_dict(wrong, strict)
    for name, a in net.state_dict().items():
        np.testing.assert_array_equal(a, before[name])


def test_floats_of_another_precision_and_whole_numbers_are_taken():
    layer = L.Dense(1, 1)
    layer.load_state_dict({"w": np.full((1, 1), 0.1), "b": tg.tensor([2.0], dtype=np.float16)})
    assert layer.w.numpy() == np.float32(0.1) and layer.b.numpy() == 2 and layer.w.dtype == np.float32
    module = Module()
    module.count = Buffer(np.zeros(1, np.int64))
    module.load_state_dict({"count": np.full(1, 7, np.uint8)})
    assert module.count.numpy() == 7
    with pytest.raises(ValueError, match="count is float32 but must be int64"):
        module.load_state_dict({"count": np.full(1, 7.5, np.float32)})


def test_not_strict_says_what_was_left_out():
    net = L.Sequential(L.Dense(1, 1), L.ReLU())
    left_out = net.load_state_dict({"0.w": np.ones((1, 1)), "1.w": np.ones(1)}, strict=False)
    assert left_out == (["0.b"], ["1.w"]) and left_out.missing_keys == ["0.b"] and left_out.unexpected_keys == ["1.w"]
    assert net.load_state_dict(net.state_dict()) == ([], [])
