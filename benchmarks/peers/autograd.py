"""HIPS/autograd: functions of lists of arrays; batch norm made of its NumPy ops, Adam from arrays.py."""

from __future__ import annotations

from functools import partial
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import grad, value_and_grad

from ..layers import BatchNorm, Dense, LeakyReLU, Tanh
from ..workloads import Network, Workload
from . import Peer, Setting
from .arrays import Adam, initial


class Autograd(Peer):
    def __init__(self, setting: Setting):
        self.w = w = setting.workload
        self.rng = np.random.default_rng(0)
        self.params = {name: [a for layer in initial(net) for a in layer] for name, net in w.networks.items()}
        self.parameters = {name: sum(a.size for a in arrays) for name, arrays in self.params.items()}
        self.opts = {name: Adam(arrays, w) for name, arrays in self.params.items()}
        self.loss_D, self.loss_G, self.loss_VAE = (value_and_grad(partial(fn, w)) for fn in (loss_D, loss_G, loss_VAE))
        self.notes = "NumPy's BLAS threads"

    def noise(self) -> Any:
        return self.rng.standard_normal((self.w.batch, self.w.latent), np.float32)

    def step(self, x: Any) -> None:
        p = self.params
        if not self.w.is_gan:
            loss, grads = self.loss_VAE([p["encoder"], p["decoder"]], x, self.noise())
            for name, g in zip(("encoder", "decoder"), grads, strict=True):
                self.opts[name].step(g)
            self.last = {"loss": loss}
            return
        for part in np.split(x, self.w.d_steps):
            fake = forward(self.w.networks["G"], p["G"], self.noise())
            t = self.rng.random((self.w.batch, 1), np.float32)
            loss_D, grads = self.loss_D(p["D"], np.concatenate([part, fake]), part + t * (fake - part))
            self.opts["D"].step(grads)
        loss_G, grads = self.loss_G(p["G"], p["D"], self.noise())
        self.opts["G"].step(grads)
        self.last = {"loss_D": loss_D, "loss_G": loss_G}

    def losses(self) -> dict[str, float]:
        return self.last


def softplus(x: Any) -> Any:
    return anp.logaddexp(np.float32(0), x)


def penalty(D: Any, x_hat: Any) -> Any:
    """E (‖∇D(x̂)‖ - 1)²."""
    gx = grad(lambda x: anp.sum(D(x)))(x_hat)
    n = anp.sqrt(anp.sum(gx * gx, 1) + np.float32(1e-12))
    return anp.mean((n - 1) ** 2)


def loss_D(w: Workload, d: Any, both: Any, x_hat: Any) -> Any:
    D = partial(forward, w.networks["D"], d)
    scores = D(both)
    if w.gp:
        return anp.mean(scores[w.batch :]) - anp.mean(scores[: w.batch]) + np.float32(w.gp) * penalty(D, x_hat)
    return anp.mean(softplus(-scores[: w.batch])) + anp.mean(softplus(scores[w.batch :]))


def loss_G(w: Workload, g: Any, d: Any, z: Any) -> Any:
    scores = forward(w.networks["D"], d, forward(w.networks["G"], g, z))
    return -anp.mean(scores) if w.gp else anp.mean(softplus(-scores))


def loss_VAE(w: Workload, params: Any, x: Any, eps: Any) -> Any:
    code = forward(w.networks["encoder"], params[0], x)
    mu, logvar = code[:, : w.latent], code[:, w.latent :]
    y = forward(w.networks["decoder"], params[1], mu + anp.exp(0.5 * logvar) * eps)
    kl = 0.5 * anp.sum(mu * mu + anp.exp(logvar) - 1 - logvar)
    return (anp.sum(softplus(y) - x * y) + kl) / w.batch


def forward(net: Network, params: Any, x: Any) -> Any:
    p = iter(params)
    for layer in net.layers:
        match layer:
            case Dense():
                x = x @ next(p) + next(p)
            case BatchNorm(_, _, eps):
                centred = x - anp.mean(x, 0)
                x = centred / anp.sqrt(anp.mean(centred * centred, 0) + np.float32(eps)) * next(p) + next(p)
            case LeakyReLU(slope):
                x = x * np.where(x > 0, np.float32(1), np.float32(slope))
            case Tanh():
                x = anp.tanh(x)
    return x


PEER = Autograd
