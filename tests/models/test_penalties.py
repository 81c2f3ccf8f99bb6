"""Penalties on D's slope: against PyTorch's double backward, and at the places where a norm has no derivative."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen.layers import Dense, Flatten, Sequential, Tanh
from tinygen.models.penalties import input_gradient, r1_penalty, slopes


def network(seed=0, features=6):
    rng = tg.Generator(seed)
    return Sequential(
        Flatten(), Dense(features, 5, rng=rng, dtype=np.float64), Tanh(), Dense(5, 1, rng=rng, dtype=np.float64)
    )


def draw(*shape):
    return np.random.default_rng(3).normal(size=shape)


def test_the_slope_of_a_linear_D_is_the_length_of_its_weight(backend):
    D, x = Sequential(Flatten(), Dense(6, 1, dtype=np.float64)), backend.asarray(draw(4, 3, 2))
    w = backend.to_host(D[1].w.data).ravel()
    gx = input_gradient(D, x)
    np.testing.assert_allclose(backend.to_host(gx.data), np.broadcast_to(w.reshape(3, 2), (4, 3, 2)), rtol=1e-12)
    np.testing.assert_allclose(backend.to_host(slopes(D, x).data), [np.linalg.norm(w)] * 4, rtol=1e-11)
    assert r1_penalty(D, x).item() == pytest.approx(w @ w, rel=1e-12)


def test_a_flat_D_has_a_gradient_that_is_a_number():
    """√ has none at 0; otherwise a D whose weights are 0 would get NaN at once."""
    D = network()
    D[-1].w.assign(np.zeros((5, 1)))
    n = slopes(D, draw(4, 6))
    np.testing.assert_allclose(n.numpy(), np.full(4, 1e-6))
    for g in tg.grad(n.sum(), D.parameters()):
        assert np.isfinite(g.numpy()).all()


def test_a_batch_that_was_made_on_the_tape_is_taken_as_data():
    D, x = network(), tg.tensor(draw(4, 6), requires_grad=True)
    r1_penalty(D, x * 2).backward()
    assert x.grad is None and D[1].w.grad is not None


@pytest.mark.oracle
def test_r1_and_slopes_as_pytorch_has_them():
    torch = pytest.importorskip("torch")
    D, x = network(), draw(4, 6)
    ours = [D.parameters()[i] for i in range(4)]
    theirs = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in ours]
    w1, b1, w2, b2 = theirs
    x_t = torch.tensor(x, requires_grad=True)
    (gx,) = torch.autograd.grad((torch.tanh(x_t @ w1 + b1) @ w2 + b2).sum(), x_t, create_graph=True)
    for penalty, expected in (
        (r1_penalty(D, x), gx.pow(2).sum(1).mean()),
        (((slopes(D, x) - 1) ** 2).mean(), (gx.norm(dim=1) - 1).pow(2).mean()),
    ):
        assert penalty.item() == pytest.approx(expected.item(), rel=1e-10)
        right = torch.autograd.grad(expected, theirs[:3], retain_graph=True)
        for g, h in zip(tg.grad(penalty, ours[:3]), right, strict=True):
            np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("penalty", [r1_penalty, lambda D, x: slopes(D, x).sum()])
def test_penalties_by_every_parameter(penalty):
    D, x = network(), draw(3, 6)
    assert tg.gradcheck(lambda: penalty(D, x), D.parameters(), 1).error < 1e-8
