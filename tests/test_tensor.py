"""The Tensor: what it is made of, how it mixes with NumPy and Python, who may change it, and what grad() hands out."""

from __future__ import annotations

import copy
import math
import threading
import warnings

import numpy as np
import pytest

import tinygen as tg
from tinygen import GradientError, Parameter, Tensor, flat, frozen, grad, no_grad, ops, tensor
from tinygen.primitives import PRIMITIVES, primitive
from tinygen.scopes import trace


@pytest.fixture(autouse=True)
def _own_primitives(monkeypatch):
    """What a test adds to the table of primitives goes with it."""
    for name in PRIMITIVES:
        monkeypatch.setitem(PRIMITIVES, name, PRIMITIVES[name])


def leaf(values, name=None, dtype=None):
    return tensor(values, requires_grad=True, name=name, dtype=dtype)


def rule_calls(f):
    """The names of the ops whose rules ran while f did, one an argument."""
    calls = []
    with trace(lambda op, phase, inputs, output, where: calls.append(op) if phase == "backward" else None):
        f()
    return calls


# Making one


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, np.float32),
        ([1.0, 2.0], np.float32),
        ([[1, 2.5]], np.float32),
        (3, np.int64),
        ([True, False], np.bool_),
        (np.ones(2), np.float64),
        (np.float64(1), np.float64),
        (np.ones(2, np.float16), np.float16),
        (np.ones(2, np.uint8), np.uint8),
    ],
)
def test_python_floats_become_float32_and_arrays_keep_their_dtype(backend, data, dtype):
    t = tensor(data)
    assert t.dtype == dtype
    assert type(t.data) is backend.xp.ndarray
    assert np.array_equal(t.numpy(), data)


def test_a_dtype_on_request(backend):
    assert tensor([1.0], dtype="float64").dtype == np.float64
    assert tensor(np.ones(2), dtype=np.float32).dtype == np.float32


def test_tensor_copies(backend):
    array = backend.asarray([1.0, 2.0])
    for source in (array, Tensor(array)):
        t = tensor(source)
        assert not backend.shares_memory(t.data, array)


def test_a_subclass_of_ndarray_is_read_as_an_ndarray(backend):
    class Mine(np.ndarray):
        pass

    assert type(tensor(np.ones(2).view(Mine)).data) is backend.xp.ndarray


def test_a_tensor_of_a_tensor_is_a_constant(backend):
    x = leaf([1.0])
    assert not tensor(x * 2).requires_grad


@pytest.mark.parametrize("data", ["abc", [[1.0], [2.0, 3.0]], None, object(), [1j]])
def test_what_is_no_number_is_refused(data):
    with pytest.raises((TypeError, ValueError)):
        tensor(data)


def test_a_list_of_tensors_that_require_grad_is_refused_with_advice():
    with pytest.raises(TypeError, match=r"drop the tape.*tg\.ops"):
        tensor([leaf(1.0), leaf(2.0)])


def test_a_list_of_constants_is_read_as_numbers():
    assert np.array_equal(tensor([tensor(1.0), tensor(2.0)]).numpy(), [1, 2])


def test_only_floats_can_require_grad(backend):
    with pytest.raises(ValueError, match=r"a Tensor \(int64 of shape \(1,\)\) can't have a gradient.*dtype=float32"):
        tensor([1], requires_grad=True)


def test_what_it_says_of_itself(backend):
    t = tensor(np.zeros((2, 3), np.float32))
    assert (t.shape, t.ndim, t.size, t.dtype, len(t)) == ((2, 3), 2, 6, np.float32, 2)
    assert t.device == ("cpu" if backend.name == "numpy" else "cuda")
    assert t.is_leaf
    assert not t.requires_grad


def test_tensor_the_function_has_the_module_s_name():
    import tinygen.tensor as module

    assert tg.tensor is module
    assert callable(tg.tensor)


# Looking at it


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tensor([1.0, 2.0]), "Tensor([1., 2.], dtype=float32)"),
        (lambda: leaf(2.5), "Tensor(2.5, dtype=float32, requires_grad=True)"),
        (lambda: leaf([1.0], "w"), "Tensor([1.], dtype=float32, requires_grad=True, name='w')"),
        (lambda: tensor([[1, 2], [3, 4]]), "Tensor([[1, 2],\n        [3, 4]], dtype=int64)"),
    ],
)
def test_repr(backend, make, text):
    assert repr(make()) == text
    assert f"{make()}" == text


def test_a_long_repr_is_cut():
    assert len(repr(tensor(np.zeros(1000)))) < 200


def test_format_of_a_scalar(backend):
    assert f"{tensor(2.5):.3f} {tensor([1.25]):5.1f}" == "2.500   1.2"


def test_numpy_is_a_read_only_view_on_the_cpu():
    t = tensor([1.0, 2.0])
    view = t.numpy()
    assert np.shares_memory(view, t.data)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5
    t.assign(7)
    assert view[0] == 7


def test_numpy_of_a_result_and_of_a_parameter(backend):
    x = leaf([1.0, 2.0])
    assert np.array_equal((x * 2).numpy(), [2, 4])
    assert np.array_equal(x.numpy(), [1, 2])


def test_item_float_int_bool_and_index_free(backend):
    t = tensor(2.5)
    assert (t.item(), float(t), int(t), bool(t), bool(tensor(0.0))) == (2.5, 2.5, 2, True, False)
    assert type(t.item()) is float
    with pytest.raises(ValueError):
        tensor([1.0, 2.0]).item()
    with pytest.raises(ValueError):
        bool(tensor([1.0, 2.0]))


def test_iteration_gives_rows_and_records(backend):
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    first, second = x
    (first * second).sum().backward()
    assert np.array_equal(x.grad.numpy(), [[3, 4], [1, 2]])
    with pytest.raises(TypeError):
        list(tensor(1.0))
    with pytest.raises(TypeError):
        len(tensor(1.0))


def test_comparisons_are_elementwise_and_hash_is_identity(backend):
    x, y = leaf([1.0, 2.0, 3.0]), tensor([3.0, 2.0, 1.0])
    for result, expected in [
        (x == y, [False, True, False]),
        (x != y, [True, False, True]),
        (x < y, [True, False, False]),
        (x <= 2, [True, True, False]),
        (2 > x, [True, False, False]),  # noqa: SIM300, the reflected one
        (x >= y, [False, True, True]),
    ]:
        assert isinstance(result, Tensor)
        assert not result.requires_grad
        assert result.dtype == np.bool_
        assert np.array_equal(result.numpy(), expected)
    same = {x: "x", y: "y"}
    assert same[x] == "x"
    assert len({x, y, x}) == 2


# Arithmetic with Python and NumPy

OPERATIONS = {
    "t + s": lambda t, s: t + s,
    "s + t": lambda t, s: s + t,
    "t - s": lambda t, s: t - s,
    "s - t": lambda t, s: s - t,
    "t * s": lambda t, s: t * s,
    "s * t": lambda t, s: s * t,
    "t / s": lambda t, s: t / s,
    "s / t": lambda t, s: s / t,
    "t ** s": lambda t, s: t**s,
    "s ** t": lambda t, s: s**t,
    "-t": lambda t, s: -t,
    "abs(t)": lambda t, s: abs(t),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scalar", [2, 2.5, True], ids=repr)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_a_python_scalar_on_either_side_keeps_the_dtype(backend, operation, scalar, dtype):
    x = leaf(np.array([[1.5, 0.5]], dtype))
    y = operation(x, scalar)
    assert y.dtype == dtype
    assert np.allclose(y.numpy(), operation(np.array([[1.5, 0.5]], dtype), scalar), rtol=1e-6)
    y.sum().backward()
    assert x.grad.dtype == dtype


BINARY = {name: f for name, f in OPERATIONS.items() if "s" in name.replace("abs", "")}


@pytest.mark.parametrize("operation", BINARY.values(), ids=BINARY.keys())
def test_an_array_on_either_side_gives_a_tensor(backend, operation):
    host = np.array([[1.0], [2.0]], np.float32)
    x, array = leaf([1.5, 2.5]), backend.asarray(host)
    y = operation(x, array)
    assert isinstance(y, Tensor)
    assert np.allclose(y.numpy(), operation(np.array([1.5, 2.5], np.float32), host), rtol=1e-6)
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_matmul_with_an_array_on_either_side(backend):
    a = backend.asarray([[1.0, 2.0], [3.0, 4.0]], np.float32)
    x = leaf([[1.0, 0.0], [2.0, 1.0]])
    assert np.array_equal((a @ x).numpy(), [[5, 2], [11, 4]])
    assert np.array_equal((x @ a).numpy(), [[1, 2], [5, 8]])


def test_an_array_can_not_take_in_a_tensor_in_place():
    array = np.ones(1, np.float32)
    with pytest.raises(TypeError):
        array += leaf([2.0])
    assert array[0] == 1


def test_augmented_assignment_rebinds(backend):
    before = t = leaf([1.0, 2.0])
    t += 1
    t *= 2
    assert t is not before
    assert np.array_equal(before.numpy(), [1, 2])
    t.sum().backward()
    assert np.array_equal(before.grad.numpy(), [2, 2])


def test_assignment_to_an_item_is_refused(backend):
    t = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match=r"ops\.where, or assign\(\)"):
        t[0] = 1


@pytest.mark.parametrize("t", [tensor([1.0]), leaf([1.0])], ids=["constant", "requires grad"])
def test_numpy_functions_refuse_a_tensor(t):
    with pytest.raises(TypeError):
        np.exp(t)
    with pytest.raises(TypeError, match=r"np\.add can't take a Tensor"):
        np.add(np.ones(1), t, out=np.ones(1))
    with pytest.raises(TypeError, match=r"np\.sum can't take a Tensor: .*call tg\.ops\.sum"):
        np.sum(t)


def test_numpy_can_not_swallow_a_tensor_that_requires_grad(backend):
    x = leaf([1.0, 2.0])
    for swallow in (np.asarray, np.array, lambda t: np.array([t, t]), lambda t: np.stack([t, t])):
        with pytest.raises(TypeError, match=r"drop the tape.*\.numpy\(\)"):
            swallow(x)


def test_asarray_of_a_constant_is_read_only_and_array_copies():
    t = tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(t), t.data)
    assert not np.asarray(t).flags.writeable
    assert not np.shares_memory(np.array(t), t.data)
    assert np.array(t).flags.writeable
    assert np.asarray(t, dtype=np.float64).dtype == np.float64


def test_asarray_of_a_tensor_on_a_device_is_refused(backend):
    if backend.name == "numpy":
        return
    with pytest.raises(TypeError, match=r"lives on a GPU; call \.numpy\(\)"):
        np.asarray(tensor([1.0]))


# Changing it


def test_data_is_written_into_the_memory_that_views_share(backend):
    p = leaf([1.0, 2.0])
    view, constant = p.reshape(2, 1), p.detach()
    p.data = backend.asarray([3.0, 4.0], np.float32)
    assert np.array_equal(view.numpy(), [[3], [4]])
    assert np.array_equal(constant.numpy(), [3, 4])
    p.data -= 1
    p.assign(tensor([[8.0]]))
    assert np.array_equal(constant.numpy(), [8, 8])


def test_data_does_not_adopt_the_array(backend):
    p, q = leaf([1.0]), leaf([2.0])
    p.data = q
    q.assign(5)
    assert p.item() == 2


@pytest.mark.parametrize("value", [np.ones(3, np.float32), np.ones(2), 1.0, [1.0, 2.0]], ids=["shape", "dtype", "", ""])
def test_data_takes_its_own_kind_only(backend, value):
    value = backend.asarray(value) if isinstance(value, np.ndarray) else value
    with pytest.raises(ValueError, match=r"the Tensor 'w' \(float32 of shape \(2,\)\) on c\w+ takes an array like"):
        leaf([1.0, 2.0], "w").data = value


def test_data_of_another_device_is_refused(backend):
    if backend.name == "numpy":
        return
    with pytest.raises(ValueError, match="on cuda takes an array like its own"):
        leaf([1.0]).data = np.ones(1, np.float32)


def test_a_result_of_an_op_is_not_changed(backend):
    y = leaf([1.0, 2.0]) * 2
    for change in (y.changed, lambda: y.assign(0), lambda: setattr(y, "data", backend.asarray([0, 0], np.float32))):
        with pytest.raises(ValueError, match=r"result of an op and can't be changed; copy it with tensor\(\)"):
            change()
    assert np.array_equal(y.numpy(), [2, 4])


def test_requires_grad_off_and_on(backend):
    x = leaf([1.0])
    assert not x.requires_grad_(False).requires_grad
    assert not (x * 2).requires_grad
    assert x.requires_grad_().requires_grad
    with pytest.raises(ValueError, match=r"result of an op; call detach\(\) first"):
        (x * 2).requires_grad_(False)


def test_a_graph_made_before_still_leads_to_a_leaf_switched_off_and_on(backend):
    w = leaf([3.0])
    y = (w * w).sum()
    w.requires_grad_(True)
    w.requires_grad_(False).requires_grad_(True)
    assert grad(y, w, retain_graph=True).item() == 6
    y.backward()
    assert w.grad.item() == 6


def test_detach_stops_the_gradient_and_keeps_the_name(backend):
    x = leaf([2.0], "x")
    y = x * x.detach()
    assert x.detach().name == "x"
    assert not x.detach().requires_grad
    y.backward()
    assert x.grad.item() == 2


def test_deepcopy(backend):
    w = Parameter(backend.asarray([1.0, 2.0]), "w")
    again = copy.deepcopy({"w": w, "same": w})
    assert type(again["w"]) is Parameter
    assert again["w"] is again["same"]
    assert (again["w"].name, again["w"].requires_grad, again["w"].dtype) == ("w", True, w.dtype)
    assert not backend.shares_memory(again["w"].data, w.data)
    (again["w"] * 2).sum().backward()
    assert w.grad is None
    with pytest.raises(ValueError, match=r"deepcopy: .* is the result of an op; copy its detach\(\)"):
        copy.deepcopy(w * 2)


# Hooks


def test_a_hook_fires_once_on_the_summed_gradient(backend):
    x, seen = leaf([1.0, 2.0]), []
    h = x * 3
    h.register_hook(seen.append)
    x.register_hook(seen.append)
    (h * h + h).sum().backward()
    assert len(seen) == 2
    assert all(isinstance(g, Tensor) for g in seen)
    assert np.array_equal(seen[0].numpy(), [7, 13])  # 2h + 1
    assert np.array_equal(seen[1].numpy(), [21, 39])


def test_hooks_replace_in_order_and_can_be_removed(backend):
    x = leaf([1.0])
    remove = x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: g.data * 10)  # an array will do
    x.register_hook(lambda g: None)
    assert grad((x * 2).sum(), x).item() == 30
    assert remove() is None
    remove()
    assert grad((x * 2).sum(), x).item() == 20


def test_what_a_hook_of_an_intermediate_returns_flows_on(backend):
    x = leaf([1.0, 2.0])
    h = x * 2
    h.register_hook(lambda g: g * 100)
    h.sum().backward()
    assert np.array_equal(x.grad.numpy(), [200, 200])


def test_a_hook_may_keep_and_change_its_gradient(backend):
    x, kept = leaf([1.0, 2.0]), []

    def spoil(g):
        kept.append(g)
        g.data *= 100

    x.register_hook(kept.append)
    x.register_hook(spoil)
    (x * 2).sum().backward()
    assert np.array_equal(x.grad.numpy(), [2, 2])
    assert np.array_equal(kept[0].numpy(), [2, 2])
    x.grad.assign(7)
    assert np.array_equal(kept[1].numpy(), [200, 200])


def test_a_hook_that_returns_an_own_array_lends_no_memory(backend):
    x, mine = leaf([1.0, 2.0]), backend.asarray([5.0, 6.0], np.float32)
    x.register_hook(lambda g: mine)
    (x * 2).sum().backward()
    assert not backend.shares_memory(x.grad.data, mine)


def test_hooks_under_create_graph_can_be_differentiated(backend):
    x = leaf([3.0])
    h = x * x
    h.register_hook(lambda g: g * x)  # dy/dx becomes x · 2x
    g = grad(h.sum(), x, create_graph=True)
    assert g.item() == 18
    assert grad(g, x).item() == 12  # d(2x²)/dx


def test_an_array_from_a_hook_under_create_graph_is_a_constant(backend):
    x = leaf([3.0])
    x.register_hook(lambda g: g.data)
    h = x * x
    h.register_hook(lambda g: g.data)
    h.register_hook(lambda g: g * x)
    g = grad(h.sum(), x, create_graph=True)
    assert isinstance(g, Tensor)
    assert g.item() == 18
    assert grad(g, x).item() == 0
    x.register_hook(lambda g: g * x)
    g = grad((x * x).sum(), x, create_graph=True)
    assert g.item() == 18
    assert grad(g, x).item() == 18  # 6 · 3, of the constant 6 times x, again through the hooks


def test_a_hook_on_the_output_sees_the_seed(backend):
    x, seen = leaf([1.0]), []
    y = (x * 2).sum()
    y.register_hook(seen.append)
    y.backward(np.float32(4))
    assert seen[0].item() == 4
    assert x.grad.item() == 8


def test_a_hook_needs_a_gradient(backend):
    with pytest.raises(ValueError, match=r"no gradient reaches the Tensor 'c' \(float32 of shape \(1,\)\)"):
        tensor([1.0], name="c").register_hook(print)


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        (lambda g: ops.sum(g), r"float32 of shape \(\)"),
        (lambda g: g.astype("float64"), r"float64 of shape \(2,\)"),
        (lambda g: 1.0, "float"),
    ],
)
def test_what_a_hook_returns_is_checked(backend, returned, what):
    x = leaf([1.0, 2.0])
    x.register_hook(returned)
    with pytest.raises(GradientError, match=rf"register_hook: .* must be float32 of shape \(2,\), but it is {what}"):
        (x * 2).sum().backward()
    assert x.grad is None


# Frozen, and without a tape


class Net:
    def __init__(self):
        self.w, self.b = leaf([2.0], "w"), leaf([1.0], "b")

    def parameters(self):
        return iter([self.w, self.b])

    def __call__(self, x):
        return self.w * x + self.b


def test_frozen_passes_the_gradient_on_and_keeps_none(backend):
    net, x = Net(), leaf([3.0])
    net.w.register_hook(lambda g: pytest.fail("the frozen weight got a gradient"))
    with frozen(net):
        loss = net(x).sum()
        with pytest.raises(GradientError, match=r"xs\[0\], the Tensor 'w' .* does not require grad; is it frozen"):
            grad(loss, net.w)
    loss.backward()
    assert x.grad.item() == 2
    assert net.w.grad is net.b.grad is None
    assert net.w.requires_grad
    assert net.b.requires_grad


def test_frozen_costs_no_weight_gradient(backend):
    net, x = Net(), leaf([3.0])
    with frozen(net):
        loss = net(x).sum()
    assert sorted(rule_calls(loss.backward)) == ["add", "multiply", "sum"]


def test_frozen_nests_and_restores_the_flags_it_found(backend):
    net = Net()
    net.b.requires_grad_(False)
    with frozen(net):
        with frozen(net):
            assert not net.w.requires_grad
        assert not net.w.requires_grad
    assert net.w.requires_grad
    assert not net.b.requires_grad


def test_frozen_restores_after_an_exception(backend):
    net = Net()
    with pytest.raises(ZeroDivisionError), frozen(net):
        _ = 1 / 0
    assert net.w.requires_grad


def test_frozen_takes_a_list_and_a_tensor(backend):
    a, b = leaf([1.0]), leaf([2.0])
    with frozen([a]), frozen(b):
        assert not (a * b).requires_grad
    assert (a * b).requires_grad


def test_a_graph_made_before_frozen_still_leads_to_the_weights(backend):
    net = Net()
    loss = net(tensor([5.0])).sum()
    with frozen(net):
        pass
    loss.backward()
    assert net.w.grad.item() == 5


def test_no_grad_as_context_and_decorator(backend):
    x = leaf([1.0])

    @no_grad()
    def twice(t):
        return t * 2

    with no_grad():
        y = x * 2
        with no_grad():
            pass
        assert not (x * 2).requires_grad
    assert not y.requires_grad
    assert not twice(x).requires_grad
    assert (x * 2).requires_grad
    with pytest.raises(GradientError, match=r"has no tape; it was cut by no_grad\(\), around multiply"):
        y.backward()


def test_no_grad_ends_with_an_exception_and_with_recursion(backend):
    x = leaf([1.0])

    @no_grad()
    def down(n):
        return down(n - 1) if n else x * 2

    assert not down(3).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        _ = 1 / 0
    assert (x * 2).requires_grad


def test_no_grad_is_of_one_thread():
    x, found = leaf([1.0]), []
    with no_grad():
        thread = threading.Thread(target=lambda: found.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert found == [True]


# grad()


def test_one_x_gives_a_tensor_and_many_give_a_list(backend):
    a, b = leaf([2.0]), leaf([3.0])
    assert grad(a * b, a).item() == 3
    assert [g.item() for g in grad(a * b, [a, b])] == [3, 2]
    assert [g.item() for g in grad(a * b, (t for t in (a, b)))] == [3, 2]
    assert grad(a * b, []) == []


def test_grad_touches_no_grad_attribute(backend):
    a, b = leaf([2.0]), leaf([3.0])
    b.grad = before = tensor([1.0])
    grad((a * b).sum(), [a, b], create_graph=True)
    assert a.grad is None
    assert b.grad is before


def test_grad_gives_zeros_on_request_where_y_does_not_depend_on_x(backend):
    x, other = leaf([[1.0, 2.0]]), leaf(np.ones((2, 2)))
    for create_graph in (False, True):
        gx, g_other = grad((x * x).sum(), [x, other], create_graph=create_graph, unused="zeros")
        assert np.array_equal(g_other.numpy(), np.zeros((2, 2)))
        assert g_other.dtype == np.float64
        assert gx.requires_grad is g_other.requires_grad is create_graph


def test_grad_of_an_intermediate_and_of_y_itself(backend):
    x = leaf([2.0])
    h = x * x
    y = h * h
    gh, gy = grad(y, [h, y])
    assert (gh.item(), gy.item()) == (8, 1)
    assert grad(x, x).item() == 1


def test_grad_of_the_same_x_twice_gives_two_arrays(backend):
    x = leaf([2.0])
    first, second = grad((x * x).sum(), [x, x])
    assert first.item() == second.item() == 4
    assert not backend.shares_memory(first.data, second.data)


def test_grad_outputs_weigh_the_outputs(backend):
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    weights = np.array([[1.0, 0.0], [2.0, -1.0]], np.float32)
    for given in (tensor(weights), backend.asarray(weights), weights.tolist()):
        assert np.array_equal(grad(x * x, x, given).numpy(), 2 * x.numpy() * weights)


def test_grad_visits_only_the_paths_to_x(backend):
    a, b = leaf([2.0]), leaf([3.0])
    shared = ops.tanh(a)
    y = (ops.exp(shared) * ops.sin(b) + ops.cos(b)).sum()
    assert sorted(rule_calls(lambda: grad(y, b, retain_graph=True))) == ["add", "add", "cos", "multiply", "sin", "sum"]
    assert sorted(rule_calls(lambda: grad(y, shared, retain_graph=True))) == ["add", "exp", "multiply", "sum"]


def test_what_requires_no_grad_costs_no_rule(backend):
    x, w = tensor([[1.0, 2.0]]), leaf([[1.0], [1.0]])
    assert rule_calls(lambda: (ops.tanh(x) @ w).sum().backward()) == ["sum", "_matmul"]


def test_create_graph_gives_a_gradient_of_the_gradient(backend):
    x = leaf([1.0, 2.0], dtype="float64")
    g = grad((x**3).sum(), x, create_graph=True)
    assert np.allclose(g.numpy(), [3, 12])
    g2 = grad(g.sum(), x, create_graph=True)
    assert np.allclose(g2.numpy(), [6, 12])
    assert np.allclose(grad(g2.sum(), x).numpy(), [6, 6])


def test_a_gradient_penalty_reaches_the_weights(backend):
    x, w = leaf([[0.5, -1.0]], dtype="float64"), leaf([[2.0], [1.0]], dtype="float64")
    gx = grad(ops.tanh(x @ w).sum(), x, create_graph=True)
    ((gx * gx).sum() - 1).backward()
    y = math.tanh(0.5 * 2 - 1)
    slope = 1 - y * y
    expected = [2 * slope * slope * wi - 4 * slope * slope * y * 5 * xi for wi, xi in [(2, 0.5), (1, -1)]]
    assert np.allclose(w.grad.numpy().ravel(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("y", "xs", "message"),
    [
        (lambda a: a * 2, lambda a: [a, 3.0], r"grad: xs\[1\] must be a Tensor, but it is float"),
        (
            lambda a: a * 2,
            lambda a: tensor([1.0], name="c"),
            r"grad: xs\[0\], the Tensor 'c' .* is it frozen, or a con",
        ),
        (
            lambda a: a.detach(),
            lambda a: a,
            r"grad: the Tensor 'a' .* has no tape; it was cut by detach\(\) of the Tensor 'a'",
        ),
    ],
)
def test_grad_refuses(backend, y, xs, message):
    a = leaf([1.0], "a")
    with pytest.raises(GradientError, match=message):
        grad(y(a), xs(a))


def test_a_non_scalar_output_needs_a_gradient(backend):
    x = leaf([1.0, 2.0])
    for call in (lambda y: y.backward(), lambda y: grad(y, x)):
        with pytest.raises(
            GradientError, match=r"float32 of shape \(2,\)\) is not a scalar; pass its gradient, or take"
        ):
            call(x * 2)


def test_one_element_is_a_scalar_whatever_its_shape(backend):
    x = leaf([[3.0]])
    (x * x).backward()
    assert x.grad.item() == 6


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (np.ones(3, np.float32), r"float32 of shape \(3,\)"),
        (np.ones(2), r"float64 of shape \(2,\)"),
        (np.ones((1, 2), np.float32), r"float32 of shape \(1, 2\)"),
    ],
)
def test_a_given_gradient_is_checked(backend, given, what):
    x = leaf([1.0, 2.0])
    y = ops.negative(x)
    y.name = "y"
    for gradient in (tensor(given), backend.asarray(given)):
        for call, name in ((lambda g: y.backward(g), "backward"), (lambda g: grad(y, x, g), "grad")):
            expected = (
                rf"{name}: the gradient given for the Tensor 'y' \(float32 of shape \(2,\)\) must be float32 of "
                rf"shape \(2,\), but it is {what}"
            )
            with pytest.raises(GradientError, match=expected):
                call(gradient)


# backward()


def test_repeated_backward_accumulates_into_new_tensors(backend):
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    first = x.grad
    y.backward()
    assert np.array_equal(first.numpy(), [2, 4])
    assert np.array_equal(x.grad.numpy(), [4, 8])
    assert not backend.shares_memory(first.data, x.grad.data)


def test_backward_of_a_leaf(backend):
    x = leaf([2.0])
    seed = tensor([5.0])
    x.backward(seed)
    assert x.grad.item() == 5
    assert not backend.shares_memory(x.grad.data, seed.data)


def test_zero_dimensional_gradients_stay_arrays(backend):
    x = leaf(2.0)
    (x + x + x + x * x).backward()
    x.register_hook(lambda g: g)
    (x + x).backward()
    assert type(x.grad.data) is backend.xp.ndarray
    assert x.grad.item() == 9
    assert type(grad(x + x, x).data) is backend.xp.ndarray
    assert type((x + x).data) is backend.xp.ndarray


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_arrays_without_elements(backend, shape):
    x, b = leaf(np.zeros(shape)), leaf(np.ones(shape[-1]))
    ((x + b) * ops.tanh(x)).sum().backward()
    assert x.grad.shape == shape
    assert np.array_equal(b.grad.numpy(), np.zeros(shape[-1]))


def test_a_leaf_that_is_gone_is_no_trouble(backend):
    x = leaf([1.0])
    y = (leaf([2.0]) * x).sum()
    y.backward()
    assert x.grad.item() == 2


# What a user receives aliases nothing


ALIASES = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "reshape": lambda a, b: a.reshape(-1) + b.reshape(-1),
    "transpose": lambda a, b: a.T + b.T,
    "getitem": lambda a, b: a[::-1] + b[...],
    "broadcast_to": lambda a, b: ops.broadcast_to(a, (2, 2, 2)) + ops.broadcast_to(b, (2, 2)),
    "astype": lambda a, b: a.astype("float32") + b.astype("float32"),
    "concatenate": lambda a, b: ops.concatenate([a, b]),
    "stack": lambda a, b: ops.stack([a, b], 1),
    "expand_dims": lambda a, b: ops.squeeze(ops.expand_dims(a, 0), 0) + b,
    "where": lambda a, b: ops.where(a > 0, a, b),
    "maximum": lambda a, b: ops.maximum(a, b),
    "clip": lambda a, b: a.clip(-9, 9) + b,
    "alone": lambda a, b: a,
}


@pytest.mark.parametrize("f", ALIASES.values(), ids=ALIASES.keys())
def test_gradients_share_no_memory(backend, f):
    a, b = leaf([[1.0, -2.0], [3.0, 4.0]]), leaf([[5.0, 6.0], [-7.0, 8.0]])
    y = f(a, b)
    seed = tensor(np.ones(y.shape, np.float32))
    from_grad = grad(y, [a, b, y], seed, retain_graph=True, unused="zeros")
    y.backward(seed, retain_graph=True)
    kept = [a.grad, b.grad]
    y.backward(seed)
    arrays = [t.data for t in (a, b, seed, *from_grad, *kept, a.grad, b.grad) if t is not None]
    arrays = list({id(array): array for array in arrays}.values())
    for i, one in enumerate(arrays):
        for other in arrays[:i]:
            assert not backend.shares_memory(one, other)


def test_what_a_rule_made_is_handed_over_uncopied(backend):
    x, made = leaf([1.0, 2.0]), []
    with trace(lambda op, phase, inputs, output, where: made.append(output)):
        (x * 2.0).sum().backward()
    assert x.grad.data is made[-1]


RULES = {  # of x (2,), by whether what they return is handed over uncopied
    "all of what it made": (True, lambda gy, y, x: (gy * 2).reshape(1, 2).reshape(2)),
    "a part": (False, lambda gy, y, x: ops.concatenate([gy, gy])[:2]),
    "one element, twice": (False, lambda gy, y, x: ops.broadcast_to((gy * 2)[:1], (2,))),
    "a view of what arrived": (False, lambda gy, y, x: gy[::-1]),
    "a view of the argument": (False, lambda gy, y, x: x.reshape(1, 2).reshape(2)),
}


@pytest.mark.parametrize(("is_handed_over", "rule"), RULES.values(), ids=RULES.keys())
def test_a_view_is_handed_over_if_the_rule_made_all_that_it_shows(backend, is_handed_over, rule):
    @primitive
    def mine(x):
        return x * 2

    mine.rules(rule)
    x, made = leaf([1.0, 2.0]), []
    with trace(lambda op, phase, inputs, output, where: made.append(output)):
        mine(x).sum().backward()
    assert (x.grad.data is made[-1]) == is_handed_over
    assert not backend.shares_memory(x.grad.data, x.data)


@pytest.mark.parametrize("again", [lambda g: g, lambda g: g.reshape(-1)], ids=["itself", "a view"])
def test_a_joint_rule_may_return_one_array_for_two(backend, again):
    @primitive
    def scaled_sum(a, b):
        return (a + b) * 2

    def rule(gy, y, a, b):
        g = gy * 2
        return g, again(g)

    scaled_sum.joint(rule)
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    scaled_sum(a, b).sum().backward()
    assert np.array_equal(b.grad.numpy(), [2, 2])
    assert not backend.shares_memory(a.grad.data, b.grad.data)


# A primitive of one's own


def test_a_primitive_takes_arrays_tensors_and_keywords(backend):
    @primitive
    def scale(x, by=2.0):
        """x times by."""
        return x * by

    scale.rules(lambda gy, y, x, by: gy * by)
    assert scale.__doc__ == "x times by."
    array = backend.asarray([1.0], np.float32)
    assert type(scale(array)) is backend.xp.ndarray
    x = leaf([1.0])
    (scale(x) + scale(x, 3.0) + scale(x, by=4.0) + scale(x=x)).backward()
    assert x.grad.item() == 11
    with pytest.raises(TypeError, match=r"scale\(x, by=2\.0\): got an unexpected keyword argument 'factor'"):
        scale(x, factor=2)
    with pytest.raises(TypeError, match=r"scale\(x, by=2\.0\): missing a required argument: 'x'"):
        scale()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (lambda gy, y, x: ops.sum(gy), r"float32 of shape \(\)"),
        (lambda gy, y, x: gy.reshape(1, 3), r"float32 of shape \(1, 3\)"),
        (lambda gy, y, x: 1.0, "float"),
        (lambda gy, y, x: None, "NoneType"),
    ],
)
@pytest.mark.parametrize("elementwise", [False, True])
@pytest.mark.parametrize("create_graph", [False, True])
def test_what_a_rule_returns_is_checked(backend, wrong, what, elementwise, create_graph):
    @primitive(elementwise=elementwise)
    def mine(x):
        return x * 2

    mine.rules(wrong)
    x = leaf([1.0, 2.0, 3.0])
    expected = rf"mine: what the rule of argument 0 returns must be float32 of shape \(3,\), but it is {what}"
    with pytest.raises(GradientError, match=expected):
        grad(mine(x).sum(), x, create_graph=create_graph)


def test_a_gradient_of_another_dtype_is_cast_to_its_argument_s(backend):
    @primitive
    def mine(x):
        return x * 2

    mine.rules(lambda gy, y, x: gy.astype("float64") * 2)
    x = leaf([1.0])
    mine(x).backward()
    assert x.grad.dtype == np.float32
    assert x.grad.item() == 2


def test_a_primitive_without_rules_takes_constants_alone(backend):
    @primitive
    def rounded(x):
        return x.round()

    with pytest.raises(GradientError, match=r"rounded: x requires grad, but rounded has no rule .* x\.detach\(\)"):
        rounded(leaf([1.5]))
    assert rounded(tensor([1.5])).item() == 2
    rounded.rules(flat)
    assert not rounded(leaf([1.5])).requires_grad


def test_new_rules_replace_the_old(backend):
    @primitive
    def cube(x):
        return x * x * x

    cube.rules(lambda gy, y, x: gy)
    x = leaf([2.0])
    assert grad(cube(x), x).item() == 1
    cube.rules(lambda gy, y, x: gy * 3 * x * x)  # reads x, which the old rule did not
    assert grad(cube(x), x).item() == 12
    cube.joint(lambda gy, y, x: (gy * 2,))
    assert grad(cube(x), x).item() == 2
    cube.joint(lambda gy, y, x: (gy * 6 * x,))
    assert grad(cube(x), x).item() == 12
    cube.fused(lambda gy, y, x: (gy * y,))
    assert grad(cube(x), x).item() == 8


# What an outside reader found


def test_a_cast_to_integers_stops_the_gradient():
    x = tg.tensor([1.7, 2.2], requires_grad=True)
    steps = x.astype(np.int64)
    assert not steps.requires_grad
    assert tg.grad((x * steps.astype(np.float32)).sum(), x).numpy().tolist() == [1.0, 2.0]


def test_what_an_op_made_comes_out_read_only():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    with pytest.raises(ValueError, match="read-only"):
        y.data -= 1
    assert tg.grad(z, x).numpy().tolist() == [8.0, 16.0]


@pytest.mark.parametrize("shape, options", [((0,), {}), ((0, 3), {"axis": 0}), ((1,), {"ddof": 1})])
def test_the_variance_of_too_few(shape, options):
    x = tg.tensor(np.ones(shape), requires_grad=True)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        g = tg.grad(tg.ops.var(x, **options).sum(), x)
    assert g.shape == shape and not np.isfinite(g.numpy()).any()


def test_a_batched_product_over_nothing():
    a, b = tg.tensor(np.ones((2, 3, 0)), requires_grad=True), tg.tensor(np.ones((0, 4)), requires_grad=True)
    y = a @ b
    assert y.shape == (2, 3, 4) and not y.numpy().any()
    assert [g.shape for g in tg.grad(y.sum(), [a, b])] == [(2, 3, 0), (0, 4)]


def test_integers_of_numpy_serve_as_axes_and_counts():
    x = tg.tensor(np.ones((4, 2)), requires_grad=True)
    assert tg.grad(x.sum(axis=np.int64(0)).sum(), x).shape == (4, 2)
    assert len(tg.ops.split(x, np.int64(2))) == 2


def test_a_primitive_of_the_users_does_not_replace_ours():
    @tg.primitive
    def tanh(x):
        return x

    assert PRIMITIVES["tanh"] is ops.tanh
