"""textgan's steps against the same algorithm in PyTorch, in float64: losses, and every gradient."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import in_float64

from tinygen.models import TextGAN, TextGANConfig
from tinygen.random import Generator

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.oracle

N, L, V, H, E = 6, 5, 4, 7, 3
CHANNELS, HIDDEN, TAU = (5, 6), 8, 0.7


def numbers(p):
    return torch.tensor(p.numpy().copy(), requires_grad=True)


class Oracle:
    """G and D with our weights: PyTorch's GRU cell, and its convolutions of (N, C, L)."""

    def __init__(self, model):
        self.params = {name: numbers(p) for name, p in model.named_parameters()}

    def linear(self, name, x):
        b = self.params.get(f"{name}.b")
        y = x @ self.params[f"{name}.w"]
        return y if b is None else y + b

    def G(self, noise):
        p = self.params
        cell = nn.GRUCell(V, H, dtype=torch.float64)
        weights = {"weight_ih": p["G.cell.w_x"].T, "weight_hh": p["G.cell.w_h"].T}
        weights |= {"bias_ih": p["G.cell.b_x"], "bias_hh": p["G.cell.b_h"]}
        h, x, words = torch.zeros(N, H, dtype=torch.float64), p["G.start.w"].expand(N, V), []
        for t in range(L):
            h = torch.func.functional_call(cell, weights, (x, h))
            soft = F.softmax((self.linear("G.words", h) + noise[:, t]) / TAU, -1)
            hard = F.one_hot(soft.argmax(-1), V).double()
            x = hard - soft.detach() + soft
            words.append(x)
        return torch.stack(words, 1)

    def D(self, x):
        x = self.linear("D.0", x).transpose(1, 2)
        for name in ("D.2", "D.4"):
            w = self.params[f"{name}.w"][:, 0].permute(2, 1, 0)
            x = F.leaky_relu(F.conv1d(x, w, self.params[f"{name}.b"], padding="same"), 0.2)
        x = x.transpose(1, 2).reshape(N, -1)
        return self.linear("D.9", F.leaky_relu(self.linear("D.7", x), 0.2))


def test_the_losses_and_gradients_of_both_steps():
    sizes = {"g_features": H, "embedding": E, "d_channels": CHANNELS, "d_hidden": HIDDEN}
    config = TextGANConfig(data_shape=(L,), vocabulary=tuple("abcd"), **sizes, r1=0.6, tau=TAU, tau_end=TAU, ema=0.0)
    model = in_float64(TextGAN(config, seed=1))
    tokens, noise = np.random.default_rng(0).integers(0, V, (N, L)), Generator(2).gumbel((N, L, V), dtype=np.float64)
    model.noise = lambda n: noise
    oracle, x = Oracle(model), torch.eye(V, dtype=torch.float64)[tokens].requires_grad_()
    ours = {step.name: step for step in model.steps(tokens)}

    y = oracle.G(torch.tensor(noise))
    real, fake = oracle.D(x), oracle.D(y.detach())
    (gx,) = torch.autograd.grad(real.sum(), [x], create_graph=True)
    loss_D = F.softplus(fake - real).mean() + 0.3 * (gx**2).sum((1, 2)).mean()
    loss_G = F.softplus(oracle.D(x.detach()) - oracle.D(y)).mean()
    for name, loss in (("D", loss_D), ("G", loss_G)):
        found = ours[name].compute_loss()
        assert found.value.item() == pytest.approx(loss.item(), rel=1e-10)
        params = {n: p for n, p in oracle.params.items() if n.startswith(f"{name}.")}
        expected = torch.autograd.grad(loss, list(params.values()), retain_graph=True)
        for n, g, right in zip(params, ours[name].gradients_of(found), expected, strict=True):
            np.testing.assert_allclose(g.numpy(), right.numpy(), rtol=1e-8, atol=1e-12, err_msg=n)
