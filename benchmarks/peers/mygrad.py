"""MyGrad, without its memory guard: its batch norm and activations, Adam from arrays.py.

A Python float would make float64 of all that follows, so constants are float32.
"""

from __future__ import annotations

from typing import Any

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu
from mygrad.nnet.layers import batchnorm

from ..layers import BatchNorm, Dense, LeakyReLU, Tanh
from ..workloads import Network
from . import Peer, Setting
from .arrays import Adam, initial

HALF, ONE = np.float32(0.5), np.float32(1)


class MyGrad(Peer):
    def __init__(self, setting: Setting):
        mg.turn_memory_guarding_off()
        self.w = w = setting.workload
        self.rng = np.random.default_rng(0)
        self.nets = {n: [mg.tensor(a) for layer in initial(net) for a in layer] for n, net in w.networks.items()}
        self.parameters = {name: sum(t.size for t in tensors) for name, tensors in self.nets.items()}
        self.opts = {name: Adam([t.data for t in tensors], w) for name, tensors in self.nets.items()}
        self.notes = "NumPy's BLAS threads; memory guard off"

    def forward(self, name: str, x: Any, frozen: bool = False) -> Any:
        return forward(self.w.networks[name], [t.data for t in self.nets[name]] if frozen else self.nets[name], x)

    def noise(self) -> Any:
        return self.rng.standard_normal((self.w.batch, self.w.latent), np.float32)

    def step(self, x: Any) -> None:
        n = self.w.batch
        if not self.w.is_gan:
            self.last = {"loss": self.descend(self.loss_VAE(x), "encoder", "decoder")}
            return
        with mg.no_autodiff:
            fake = self.forward("G", self.noise()).data
        scores = self.forward("D", np.concatenate([x, fake]))
        loss_D = self.descend(mg.mean(softplus(-scores[:n])) + mg.mean(softplus(scores[n:])), "D")
        fake = self.forward("G", self.noise())
        loss_G = self.descend(mg.mean(softplus(-self.forward("D", fake, frozen=True))), "G")
        self.last = {"loss_D": loss_D, "loss_G": loss_G}

    def loss_VAE(self, x: Any) -> Any:
        code = self.forward("encoder", x)
        mu, logvar = code[:, : self.w.latent], code[:, self.w.latent :]
        y = self.forward("decoder", mu + mg.exp(HALF * logvar) * self.noise())
        kl = HALF * mg.sum(mu * mu + mg.exp(logvar) - ONE - logvar)
        return (mg.sum(softplus(y) - x * y) + kl) / np.float32(self.w.batch)

    def descend(self, loss: Any, *names: str) -> float:
        loss.backward()
        for name in names:
            self.opts[name].step([t.grad for t in self.nets[name]])
            for t in self.nets[name]:
                t.null_grad()
        return loss.item()

    def losses(self) -> dict[str, float]:
        return self.last


def softplus(x: Any) -> Any:
    return mg.logaddexp(np.float32(0), x)


def forward(net: Network, params: Any, x: Any) -> Any:
    p = iter(params)
    for layer in net.layers:
        match layer:
            case Dense():
                x = mg.matmul(x, next(p)) + next(p)
            case BatchNorm(_, _, eps):
                x = batchnorm(x, gamma=next(p), beta=next(p), eps=eps)
            case LeakyReLU(slope):
                x = mg.maximum(x, np.float32(slope) * x) if slope else relu(x)
            case Tanh():
                x = mg.tanh(x)
    return x


PEER = MyGrad
