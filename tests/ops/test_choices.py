"""One-hot vectors, straight-through gradients and Gumbel softmax: by definition, and as PyTorch has them."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen import grad, ops, tensor
from tinygen.backend import to_host

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_one_hot_is_a_row_of_the_identity(backend, shape, dtype):
    i = RNG.integers(0, 5, shape)
    y = ops.one_hot(backend.asarray(i), 5, dtype)
    assert type(y) is backend.xp.ndarray and y.dtype == dtype
    np.testing.assert_array_equal(to_host(y), np.eye(5, dtype=dtype)[i])


def test_one_hot_of_a_tensor_is_one_without_a_gradient():
    y = ops.one_hot(tensor([2, 0]), 3)
    assert isinstance(y, tg.Tensor) and not y.requires_grad and y.numpy().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_one_hot_refuses_what_is_no_choice():
    for i in (-1, 3):
        with pytest.raises(IndexError, match=f"one_hot: i goes from {i} to {i}, but it must be from 0 to 2"):
            ops.one_hot(np.array([i]), 3)
    with pytest.raises(TypeError, match="one_hot: i must be integers, but they are float64"):
        ops.one_hot(np.zeros(2), 3)


def test_one_hot_of_what_is_out_of_range_is_0_on_a_gpu_which_is_not_waited_for(gpu):
    assert to_host(ops.one_hot(gpu.asarray(np.array([-1, 1, 2])), 2)).tolist() == [[0, 0], [0, 1], [0, 0]]


def test_straight_through_is_hard_and_has_the_gradient_of_soft(backend):
    """By definition: d f(straight_through(h, s)) / ds is f' at h, and h itself gets none."""
    hard, soft = (tensor(backend.asarray(RNG.normal(size=(3, 4))), requires_grad=True) for _ in range(2))
    y = ops.straight_through(hard, soft)
    np.testing.assert_array_equal(to_host(y.data), to_host(hard.data))
    leaf = tensor(hard.data, requires_grad=True)
    for f in (ops.exp, lambda x: x * x * x):
        (found,) = grad(ops.sum(f(ops.straight_through(hard, soft))), [soft])
        (right,) = grad(ops.sum(f(leaf)), [leaf])
        np.testing.assert_allclose(found.numpy(), right.numpy(), rtol=1e-14)
    (none,) = grad(ops.sum(y), [hard], unused="zeros")
    assert not none.numpy().any()


def test_straight_through_has_the_second_derivative_of_what_follows():
    """f'' at h, as the gradient of f' at h is taken through soft again."""
    hard, soft = np.array([1.0, -2.0]), tensor(np.array([0.3, 0.4]), requires_grad=True)
    y = ops.straight_through(hard, soft)
    (first,) = grad(ops.sum(y * y * y), [soft], create_graph=True)
    (second,) = grad(ops.sum(first), [soft])
    np.testing.assert_allclose(second.numpy(), 6 * hard)


def test_straight_through_refuses_two_shapes():
    with pytest.raises(ValueError, match=r"straight_through: hard is \(2,\) and soft \(3,\), but they must have"):
        ops.straight_through(np.zeros(2), np.zeros(3))


def test_gumbel_softmax_nears_the_choice_as_tau_falls(backend):
    x, noise = (backend.asarray(RNG.normal(size=(50, 6))) for _ in range(2))
    chosen = ops.one_hot((x + noise).argmax(axis=-1), 6, np.float64)
    assert np.abs(to_host(ops.gumbel_softmax(x, noise, 1.0) - chosen)).max() > 0.3
    np.testing.assert_allclose(to_host(ops.gumbel_softmax(x, noise, 1e-4)), to_host(chosen), atol=1e-6)
    np.testing.assert_array_equal(to_host(ops.gumbel_softmax(x, noise, 1.0, hard=True)), to_host(chosen))


def test_gumbel_softmax_chooses_by_the_softmax(backend):
    logits, n = np.array([0.0, 1.0, -1.0, 2.0]), 40_000
    x = backend.asarray(np.tile(logits, (n, 1)))
    chosen = to_host(ops.gumbel_softmax(x, tg.random.Generator(1).gumbel((n, 4), dtype=np.float64), hard=True))
    p = np.exp(logits) / np.exp(logits).sum()
    assert np.abs(chosen.mean(axis=0) - p).max() < 4 * 0.5 / n**0.5


def test_gumbel_softmax_passes_the_gradient_of_the_softmax_through_the_choice():
    noise, u = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
    x = tensor(RNG.normal(size=(3, 4)), requires_grad=True)
    hard, soft = (grad(ops.sum(ops.gumbel_softmax(x, noise, 0.7, h) * u), [x])[0].numpy() for h in (True, False))
    np.testing.assert_array_equal(hard, soft)


def test_what_gumbel_softmax_refuses():
    x = np.zeros((2, 3))
    for tau in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match=r"gumbel_softmax: tau is .*, but it must be above 0"):
            ops.gumbel_softmax(x, x, tau)
    with pytest.raises(ValueError, match=r"gumbel_softmax: x is \(2, 3\) and noise \(3,\), but they must have"):
        ops.gumbel_softmax(x, np.zeros(3))
    with pytest.raises(TypeError, match="gumbel_softmax: noise is a float"):
        ops.gumbel_softmax(x, 0.5)


@pytest.mark.oracle
def test_as_pytorch_has_them():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    i, x, noise, u = RNG.integers(0, 4, (2, 3)), *(RNG.normal(size=(3, 4)) for _ in range(3))
    np.testing.assert_array_equal(ops.one_hot(i, 4), F.one_hot(torch.tensor(i), 4).numpy())
    ours, theirs = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    soft = F.softmax((theirs + torch.tensor(noise)) / 0.6, -1)
    hard = F.one_hot(soft.argmax(-1), 4).double()
    y = hard - soft.detach() + soft  # as torch.nn.functional.gumbel_softmax has it, which draws its own noise
    (g,) = grad(ops.sum(ops.gumbel_softmax(ours, noise, 0.6, hard=True) * u), [ours])
    (expected,) = torch.autograd.grad((y * torch.tensor(u)).sum(), [theirs])
    np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-12)
