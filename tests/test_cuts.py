"""Where no gradient flows: grad() says where the tape was cut, and gives zeros where they are true or asked for."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from tinygen import GradientError, frozen, grad, layers, no_grad, ops, tensor


def leaf(values, name=None):
    return tensor(values, requires_grad=True, name=name)


def graphless(g, w):
    return grad((g * g).sum(), g) * w


def after_backward(g, w):
    (g * g).sum().backward()
    return g.grad * w


def under_no_grad(g, w):
    with no_grad():
        h = g * 3
    return h * w


def in_frozen(g, w):
    with frozen([g]):
        h = g * 3
    return h * w


CUTS = {
    r"detach\(\) of the Tensor 'g' \(float32 of shape \(2,\)\)": lambda g, w: g.detach() * w,
    r"detach\(\) of a Tensor \(float32 of shape \(2,\)\)": lambda g, w: ops.exp((g * 2).detach()).reshape(2) * w,
    r"tensor\(\) of the Tensor 'g'": lambda g, w: tensor(g) * w,
    r"no_grad\(\), around multiply": under_no_grad,
    r"frozen\(\), which held the Tensor 'g'": in_frozen,
    r"astype, whose result moves in steps": lambda g, w: g.astype(int).astype("float32") * w,
    r"greater, whose result moves in steps": lambda g, w: ops.where(g > 1, w, 0.0),
    r"where, whose result moves in steps": lambda g, w: ops.where(g, w, 0.0),
    r"sign, whose result moves in steps": lambda g, w: ops.sign(g) * w,
    r"grad\(\) without create_graph=True": graphless,
    r"backward\(\)": after_backward,
}


@pytest.mark.parametrize("cut", CUTS)
def test_the_error_names_the_cut(cut, backend):
    g, w = leaf([1.0, 2.0], "g"), leaf([3.0, 4.0], "w")
    y = ops.concatenate([CUTS[cut](g, w), w]).sum()
    message = rf"^grad: a Tensor \(float32 of shape \(\)\) does not depend on xs\[1\], the Tensor 'g' .*cut by .*{cut}"
    with pytest.raises(GradientError, match=message + '.*pass unused="zeros"'):
        grad(y, [w, g], retain_graph=True)
    gw, gg = grad(y, [w, g], unused="zeros")
    assert gg.numpy().tolist() == [0, 0]
    assert gw.numpy().any()


@pytest.mark.parametrize("cut", CUTS)
def test_a_constant_names_its_cut(cut, backend):
    g = leaf([1.0, 2.0], "g")
    y = CUTS[cut](g, tensor([3.0, 4.0]))
    with pytest.raises(GradientError, match=f"^backward: a Tensor .* has no tape; it was cut by .*{cut}"):
        y.backward(y)


def test_what_is_made_of_constants_says_so(backend):
    with pytest.raises(GradientError, match="has no tape; it was made of constants: nothing in it requires grad"):
        (tensor([1.0]) * 2).backward()


def test_what_was_left_out_or_passed_on_as_an_array(backend):
    g, w = leaf([1.0, 2.0], "g"), leaf([3.0, 4.0])
    for y in (w * 2, w * g.data):
        with pytest.raises(
            GradientError, match=r"does not depend on xs\[0\], the Tensor 'g' .*passed on as an array\?"
        ):
            grad(y.sum(), g)


def test_an_unknown_way_with_the_unused_is_refused():
    g = leaf([1.0])
    with pytest.raises(ValueError, match='grad: unused is \'ignore\', but it must be "error" or "zeros"'):
        grad(g * 2, g, unused="ignore")


def test_a_cut_holds_no_graph(backend):
    gc.disable()
    try:
        g = leaf([1.0, 2.0])
        h = g * 3
        node, array = weakref.ref(h.array), weakref.ref(g.array)
        constant = h.detach() * 2
        with frozen([g]):
            other = g * 2
        del h, g
        assert node() is None and array() is None
        assert constant.cut and other.cut
    finally:
        gc.enable()


# Zeros by the rules of calculus


def test_the_derivative_of_a_derivative_without_x_is_zero(backend):
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    g = grad((x * w).sum(), x, create_graph=True)
    assert grad((g * g).sum(), x, retain_graph=True).numpy().tolist() == [0, 0]
    assert grad((g * g).sum(), w).numpy().tolist() == [6, 8]
    constant = grad((3 * x).sum(), x, create_graph=True)
    assert grad((constant * constant).sum(), [x, constant])[0].numpy().tolist() == [0, 0]


def test_a_bias_drops_out_of_a_gradient_penalty(backend):
    D = layers.Sequential(layers.Dense(2, 3), layers.Tanh(), layers.Dense(3, 1))
    x = leaf(np.ones((4, 2), np.float32))
    gx = grad(D(x).sum(), x, create_graph=True)
    *_, bias = grad((gx * gx).sum(), D.parameters())
    assert bias.numpy().tolist() == [0]


def test_a_cut_before_a_derivative_is_an_error_all_the_same(backend):
    G, D = leaf([2.0], "G"), leaf([3.0])
    fake = leaf((G * 5).detach())
    g = grad((fake * fake * D).sum(), fake, create_graph=True)
    with pytest.raises(GradientError, match=r"does not depend on xs\[0\], the Tensor 'G'"):
        grad((g * g).sum(), G)
