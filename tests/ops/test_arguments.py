"""What every op says of an argument of another kind: its name, the argument's, what was expected, and what came."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import tinygen as tg
from tinygen import GradientError, Parameter, Tensor, frozen, grad, layers, no_grad, ops, tensor
from tinygen.selfcheck import CASES

WRONG = {
    "None": None, "a string": "abc", "a module": layers.Dense(2, 2), "a dict": {"a": 1}, "a set": {1}, "bytes": b"x",
    "a ragged list": [[1.0], [1.0, 2.0]], "objects": np.array([None, 1]), "strings": np.array(["a"]),
}  # fmt: skip
LENIENT = {"equal", "not_equal", "where", "flip", "expand_dims", "broadcast_to", "squeeze", "transpose", "astype"}
LENIENT |= {"getitem", "logical_and", "logical_or", "logical_not"}
# as NumPy's, they take arrays of anything
MOVING = {"pad", "split", "moveaxis", "swapaxes", "argmax", "argmin", "reshape", "tile", "repeat"}
FIRST = {c.name: c for c in reversed(CASES) if c.build is None and hasattr(ops, c.name) and c.name not in LENIENT}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FIRST)
def test_an_argument_of_another_kind_is_named(name):
    """An array's place holds something else; NumPy's functions that take anything are left out."""
    case, op = FIRST[name], getattr(ops, name)
    args = [tensor(a) if isinstance(a, np.ndarray) else a for a in case.arguments(case.arrays())]
    for i, a in enumerate(args):
        if not isinstance(a, Tensor):
            continue
        for kind, wrong in WRONG.items():
            if name in MOVING and kind not in ("None", "a dict"):
                continue
            with pytest.raises((TypeError, ValueError, IndexError)) as caught:
                op(*args[:i], wrong, *args[i + 1 :], **case.options)
            parts = {name, "getitem", "im2col", "batch_norm"}
            assert str(caught.value).partition(":")[0] in parts, (kind, str(caught.value))


SENTENCES = [
    (lambda x: ops.exp(None), TypeError, "exp: x must be a Tensor, an array or a number, but it is NoneType"),
    (lambda x: x + "a", TypeError, "add: b must be a Tensor, an array or a number, but it is str"),
    (lambda x: x * None, TypeError, "multiply: b must be a Tensor, an array or a number, but it is NoneType"),
    (lambda x: ops.sum({}), TypeError, "sum: x must be a Tensor, an array or a number, but it is dict"),
    (lambda x: ops.exp([[1.0], [1.0, 2.0]]), TypeError, "exp: x must be a Tensor, .*but it is a list; tg.tensor makes"),
    (lambda x: ops.exp([x, x]), TypeError, "exp: x must be a Tensor, .*but it is a list; tg.ops.stack joins Tensors"),
    (lambda x: ops.conv2d([1.0], x), ValueError, r"conv2d: x is \[1.0\], but images are \(N, H, W, C\)"),
    (lambda x: ops.conv2d(tensor(np.ones((1, 4, 4, 1))), [1.0]), TypeError, "conv2d: w must be a Tensor, an array"),
    (lambda x: ops.dense([1.0], x, x), ValueError, "dense: x is a list, w"),
    (lambda x: ops.matmul(x, [1.0]), ValueError, r"matmul: a is \(2,\) and b is a list, but the last axis"),
    (lambda x: ops.conv2d(), TypeError, r"conv2d\(x, w, stride=1.*\): missing a required argument: 'x'"),
    (lambda x: x + tensor([1.0, 2.0, 3.0]), ValueError, r"add: operands could not be broadcast .*\(2,\) \(3,\)"),
    (lambda x: x * np.ones(2, complex), TypeError, "multiply: the result would be complex128, but gradients flow"),
    (lambda x: grad(1.0, x), GradientError, "grad: y must be a Tensor, but it is float"),
    (lambda x: grad(np.ones(2), x), GradientError, r"grad: y must be a Tensor, but it is float64 of shape \(2,\)"),
    (
        lambda x: grad(x, layers.Dense(1, 1)),
        GradientError,
        r"grad: xs must be .* is Dense; give its parameters\(\)",
    ),
    (
        lambda x: grad(x, [layers.Dense(1, 1)]),
        GradientError,
        r"grad: xs\[0\] must be .*give its parameters\(\)",
    ),
    (
        lambda x: grad(x, np.ones(2)),
        GradientError,
        r"grad: xs must be a Tensor or a list of .*float64",
    ),
    (lambda x: grad(x, None), GradientError, "grad: xs must be a Tensor or a list of Tensors, but it is NoneType"),
    (lambda x: grad(x, "w"), GradientError, "grad: xs must be a Tensor or a list of Tensors, but it is str"),
    (lambda x: np.exp(x), TypeError, "np.exp can't take a Tensor: .* call tg.ops.exp, or pass x.numpy()"),
    (lambda x: np.tanh(x.detach()), TypeError, "np.tanh can't take a Tensor: .* call tg.ops.tanh"),
    (lambda x: np.arcsin(x), TypeError, "np.arcsin can't take a Tensor: .* use tg.ops"),
    (lambda x: np.sum(x), TypeError, "np.sum can't take a Tensor: .* call tg.ops.sum"),
    (lambda x: np.mean(x.detach()), TypeError, "np.mean can't take a Tensor: .* call tg.ops.mean"),
    (lambda x: np.add.reduce(x), TypeError, "np.add can't take a Tensor"),
    (
        lambda x: Tensor([[1.0], [2.0, 3.0]]),
        ValueError,
        "Tensor: data must be numbers .*its rows differ",
    ),
    (lambda x: Parameter(None), TypeError, "Tensor: data must be numbers of one shape, but NumPy reads object"),
    (lambda x: tensor("a"), TypeError, "tensor: data must be numbers of one shape, but NumPy reads <U1"),
    (lambda x: tensor([1.0], dtype="abc"), TypeError, "tensor: dtype is 'abc', but it must hold real numbers"),
    (lambda x: tensor([1.0], dtype=complex), TypeError, "tensor: dtype is <class 'complex'>, but it must hold real"),
    (lambda x: x.assign(np.ones(3)), ValueError, r"assign: .* broadcast to its shape, not float64 of shape \(3,\)"),
    (lambda x: x.assign(None), ValueError, "assign: .* takes numbers that broadcast to its shape, not NoneType"),
    (lambda x: grad(x * 1, x, {}), GradientError, "grad: the gradient given for .* must be an array like it, not dict"),
    (lambda x: (x * 1).backward([[1.0], []]), GradientError, "backward: the gradient given for .* not list"),
    (lambda x: ops.getitem({}, 0), TypeError, "getitem: x must be a Tensor, an array or a number, but it is dict"),
    (lambda x: ops.relu(10**20), TypeError, "relu: Python int too large"),
    (lambda x: layers.Conv(1, 1, 3, padding=np.ones(2)), ValueError, r"Conv: padding is array.*, but it must be"),
    (lambda x: layers.ModuleList(None), TypeError, "ModuleList: expected a list of modules, not a NoneType"),
    (lambda x: layers.ModuleDict([layers.ReLU()]), TypeError, "ModuleDict: expected a dict of modules, or pairs"),
    (lambda x: float(x), ValueError, r"item: a Tensor \(float32 of shape \(2,\)\) is not one number; index it"),
    (lambda x: 1 if x > 0 else 0, ValueError, r"bool: a Tensor \(bool of shape \(2,\)\) is not one number"),
    (lambda x: list(x.sum()), TypeError, r"len: a Tensor \(float32 of shape \(\)\) has no axes"),
    (lambda x: no_grad(3), TypeError, "no_grad, frozen and trace decorate functions, but this is int"),
    (lambda x: frozen(np.array(1.0)).__enter__(), TypeError, "frozen: expected a module, a Tensor, or some of them"),
]


@pytest.mark.parametrize(("call", "error", "message"), SENTENCES)
def test_sentences(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call(tensor([1.0, 2.0], requires_grad=True))


def test_a_foreign_error_keeps_its_type():
    @tg.primitive
    def picky(x):
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match=r"^no such thing$"):
        picky(tensor([1.0]))


LISTS = {
    "power": lambda x, other: x**other, "rpower": lambda x, other: other**x, "add": lambda x, other: other + x,
    "where": lambda x, other: ops.where([True, False], x, other), "maximum": lambda x, other: ops.maximum(x, other),
    "clip": lambda x, other: ops.clip(x, other, None), "bce": lambda x, other: ops.sigmoid_cross_entropy(x, other),
    "less": lambda x, other: ops.where(x < other, x, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("values", [[2.0, 3.0], (2, 3)], ids=repr)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_counts_as_a_constant_of_the_tensors_dtype(name, values, backend):
    x = tensor(backend.asarray([1.5, 2.5], np.float32), True)
    expected = LISTS[name](x, backend.asarray(values, np.float32))
    found = LISTS[name](x, values)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy(), expected.numpy())
    np.testing.assert_array_equal(grad(found.sum(), x).numpy(), grad(expected.sum(), x).numpy())


def test_lists_alone(backend):
    assert type(ops.exp([0.0, 0.0])) is np.ndarray
    assert ops.sum([1.0, 2.0]).item() == 3 and ops.max([[1, 5], [2, 3]], axis=0).tolist() == [2, 5]


def test_tensors_and_parameters_of_numbers(backend):
    for make in (Tensor, Parameter):
        t = make([1.0, 2.0])
        assert (type(t), t.dtype, t.numpy().tolist()) == (make, np.float32, [1, 2])
        assert type(make(np.float64(3.0)).data) is backend.xp.ndarray
    x = tensor([1.0])
    shared = Parameter(x)
    x.assign(5)
    assert shared.item() == 5 and shared.version is x.version


def test_numpys_operators_with_a_tensor_on_the_right_are_ours():
    x, a = tensor([1.0, 2.0], True), np.array([3.0, 4.0], np.float32)
    for y, expected in ((a + x, [4, 6]), (np.multiply(a, x), [3, 8]), (a @ x, 11), (np.float32(2) ** x, [2, 4])):
        assert y.requires_grad and y.numpy().tolist() == expected
    assert (a > x).numpy().tolist() == [True, True]
    with pytest.raises(TypeError, match=r"np\.add can't take a Tensor"):
        a += x


def test_a_tensor_in_pickles_and_slices(backend):
    x = tensor([1.0, 2.0, 3.0], True, name="x")
    again = pickle.loads(pickle.dumps(x * 2))
    assert again.is_leaf and again.requires_grad and again.numpy().tolist() == [2, 4, 6]
    i, j = tensor(1), tensor(3)
    assert x[i:j].numpy().tolist() == [2, 3] and list(range(10))[i:j] == [1, 2]
    for bad in (tensor([1]), tensor(1.0), tensor(True)):
        with pytest.raises(TypeError, match=r"can't be used as a whole number, such as a bound of a slice"):
            range(bad)


@pytest.mark.parametrize("join", [ops.concatenate, ops.stack])
def test_lists_are_joined_as_arrays_are(join):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = join([x, [3, 4]])
    assert y.dtype == np.float32 and np.array_equal(y.numpy().ravel(), [1, 2, 3, 4])
    assert np.array_equal(join([[1.0], [2.0]]).ravel(), [1, 2])
    for bad in ([x, "no"], [x, None], [[1.0], [[2.0], [1.0, 2.0]]]):
        with pytest.raises(TypeError, match=f"{join.__name__}: expected Tensors, arrays or lists of numbers, but got"):
            join(bad)
