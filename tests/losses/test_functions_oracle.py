"""Losses, values and gradients, against PyTorch's in float64."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen import losses

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.oracle

RNG = np.random.default_rng(12)
SHAPE = (5, 3)
X, T = RNG.normal(size=SHAPE), RNG.normal(size=SHAPE)
P, SOFT = RNG.uniform(0.01, 0.99, SHAPE), RNG.uniform(0, 1, SHAPE)
HARD, SIGNS = RNG.integers(0, 2, SHAPE).astype(float), RNG.choice([-1.0, 1.0], SHAPE)
LABELS = RNG.integers(0, 3, 5)


def hinge(score, target, reduction):
    each = torch.clamp(1 - target * score, min=0)
    return {"mean": each.mean, "sum": each.sum, "none": lambda: each}[reduction]()


CASES = {  # ours, PyTorch's, the input, the target
    "bce_logits, hard targets": (losses.bce_logits, F.binary_cross_entropy_with_logits, X, HARD),
    "bce_logits, soft targets": (losses.bce_logits, F.binary_cross_entropy_with_logits, X, SOFT),
    "bce_logits, large logits": (losses.bce_logits, F.binary_cross_entropy_with_logits, 3e3 * X, SOFT),
    "bce, hard targets": (losses.bce, F.binary_cross_entropy, P, HARD),
    "bce, soft targets": (losses.bce, F.binary_cross_entropy, P, SOFT),
    "cross_entropy": (losses.cross_entropy, F.cross_entropy, X, LABELS),
    "mse": (losses.mse, F.mse_loss, X, T),
    "l1": (losses.l1, F.l1_loss, X, T),
    "hinge": (losses.hinge, hinge, X, SIGNS),
}


def assert_same(ours, theirs):
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradients(case, reduction):
    loss, oracle, x, target = CASES[case]
    ours, theirs = tg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, expected = loss(ours, target, reduction), oracle(theirs, torch.tensor(target), reduction=reduction)
    assert_same(y, expected)
    gy = np.random.default_rng(1).normal(size=y.shape)
    y.backward(gy)
    expected.backward(torch.tensor(gy))
    assert_same(ours.grad, theirs.grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ignored", [None, -100, 1])
@pytest.mark.parametrize("weight", [None, np.array([0.5, 2.0, 1.3])], ids=["equal", "weighted"])
def test_cross_entropy_with_options(weight, ignored, smoothing, reduction):
    labels = np.where(LABELS == 0, ignored, LABELS) if ignored == -100 else LABELS
    ours, theirs = tg.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    y = losses.cross_entropy(ours, labels, reduction, weight, ignored, smoothing)
    expected = F.cross_entropy(
        theirs,
        torch.tensor(labels),
        None if weight is None else torch.tensor(weight),
        ignore_index=-1 if ignored is None else ignored,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    assert_same(y, expected)
    gy = np.random.default_rng(1).normal(size=y.shape)
    y.backward(gy)
    expected.backward(torch.tensor(gy))
    assert_same(ours.grad, theirs.grad)


@pytest.mark.parametrize("case", ["bce_logits, soft targets", "bce, soft targets", "mse", "l1"])
def test_gradient_of_the_target(case):
    loss, oracle, x, target = CASES[case]
    ours, theirs = tg.tensor(target, requires_grad=True), torch.tensor(target, requires_grad=True)
    y, expected = loss(tg.tensor(x), ours), oracle(torch.tensor(x), theirs)
    y.backward()
    expected.backward()
    assert_same(ours.grad, theirs.grad)


def test_gaussian_kl():
    mu, logvar = (tg.tensor(a, requires_grad=True) for a in (X, T))
    t_mu, t_logvar = (torch.tensor(a, requires_grad=True) for a in (X, T))
    normal = torch.distributions.Normal
    q, p = normal(t_mu, torch.exp(t_logvar / 2)), normal(torch.zeros(SHAPE).double(), torch.ones(SHAPE).double())
    y, expected = losses.gaussian_kl(mu, logvar), torch.distributions.kl.kl_divergence(q, p).sum(1).mean()
    assert_same(y, expected)
    y.backward()
    expected.backward()
    assert_same(mu.grad, t_mu.grad)
    assert_same(logvar.grad, t_logvar.grad)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("case", CASES)
def test_an_empty_batch(case, reduction):
    loss, oracle, x, target = CASES[case]
    y = loss(tg.tensor(x[:0]), target[:0], reduction)
    assert_same(y, oracle(torch.tensor(x[:0]), torch.tensor(target[:0]), reduction=reduction))
