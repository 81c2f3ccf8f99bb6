"""DeZero: its functions and its Adam. It has no frozen parameters: G's step computes D's weight gradients too."""

from __future__ import annotations

from typing import Any

import numpy as np

vars(np).setdefault("int", int)  # DeZero 0.0.13 needs it; NumPy dropped it in 1.24

import dezero  # noqa: E402
import dezero.core  # noqa: E402
import dezero.functions as F  # noqa: E402
from dezero import Parameter  # noqa: E402

from ..layers import BatchNorm, Conv, ConvT, Dense, Dropout, LeakyReLU, Reshape, Tanh  # noqa: E402
from ..workloads import Network  # noqa: E402
from . import Peer, Setting  # noqa: E402
from .arrays import initial  # noqa: E402


def as_array(x: Any, xp: Any = np) -> Any:
    """DeZero's, but numbers become float32: under NumPy 2 its float64 would turn everything after it into float64."""
    return np.array(x, np.float32) if np.isscalar(x) else x


dezero.core.as_array = as_array


class Net(dezero.Model):
    """A network of a workload on N, C, H, W, with what each layer learns as its Parameters."""

    def __init__(self, net: Network):
        super().__init__()
        self.net, self.weights, self.running = net, [], {}
        learners = [layer for layer in net.layers if layer.parameters]
        for i, (layer, arrays) in enumerate(zip(learners, initial(net), strict=True)):
            if isinstance(layer, (Conv, ConvT)):  # from K, K, C_in, C_out
                order = (3, 2, 0, 1) if isinstance(layer, Conv) else (2, 3, 0, 1)
                arrays[0] = np.ascontiguousarray(arrays[0].transpose(order))
            for j, a in enumerate(arrays):
                setattr(self, f"p{i}_{j}", Parameter(a))
            self.weights.append([getattr(self, f"p{i}_{j}") for j in range(len(arrays))])
            if isinstance(layer, BatchNorm):
                n = layer.features
                self.running[id(layer)] = np.zeros(n, np.float32), np.ones(n, np.float32)

    def forward(self, x: Any) -> Any:
        p = iter(self.weights)
        for layer, _, out in self.net.walk():
            match layer:
                case Dense():
                    x = F.linear(x, *next(p))
                case Conv(_, _, k, stride, _):
                    x = F.conv2d(x, *with_bias(next(p)), stride=stride, pad=(k - 1) // 2)
                case ConvT(_, _, k, stride, _):
                    x = F.deconv2d(x, *with_bias(next(p)), stride=stride, pad=(k - 1) // 2, outsize=out[:2])
                case BatchNorm(_, momentum, eps):
                    x = F.batch_nrom(x, *next(p), *self.running[id(layer)], momentum, eps)
                case LeakyReLU(slope):
                    x = F.leaky_relu(x, slope) if slope else F.relu(x)
                case Tanh():
                    x = F.tanh(x)
                case Dropout(rate):
                    x = F.dropout(x, rate)
                case Reshape(new):
                    x = F.reshape(x, (len(x), *((new[2], *new[:2]) if len(new) == 3 else new)))
        return x


def with_bias(weights: list[Any]) -> tuple[Any, Any]:
    return weights[0], weights[1] if len(weights) > 1 else None


class DeZero(Peer):
    def __init__(self, setting: Setting):
        self.w = w = setting.workload
        self.rng = np.random.default_rng(0)
        self.nets = {name: Net(net) for name, net in w.networks.items()}
        self.parameters = {n: sum(p.data.size for ps in net.weights for p in ps) for n, net in self.nets.items()}
        self.opts = {n: dezero.optimizers.Adam(w.lr, w.beta1, w.beta2, w.eps).setup(m) for n, m in self.nets.items()}
        self.ones, self.zeros = np.ones((w.batch, 1), np.float32), np.zeros((w.batch, 1), np.float32)
        self.notes = "NumPy's BLAS threads; D's weight gradients in G's step, which it can't leave out"

    def batch(self, x: Any) -> Any:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x

    def noise(self) -> Any:
        return self.rng.standard_normal((self.w.batch, self.w.latent), np.float32)

    def step(self, x: Any) -> None:
        if not self.w.is_gan:
            self.last = {"loss": self.descend(self.loss_VAE(x), "encoder", "decoder")}
            return
        for part in np.split(x, self.w.d_steps):
            loss_D = self.descend(self.loss_D(part), "D")
        scores = self.nets["D"](self.nets["G"](self.noise()))
        loss_G = self.descend(-mean(scores) if self.w.gp else mean_bce(scores, self.ones), "G")
        self.nets["D"].cleargrads()
        self.last = {"loss_D": loss_D, "loss_G": loss_G}

    def loss_D(self, x: Any) -> Any:
        G, D = self.nets["G"], self.nets["D"]
        with dezero.no_grad():
            fake = G(self.noise()).data
        if self.w.gp:
            scores = D(np.concatenate([x, fake]))
            x_hat = x + self.rng.random((len(x), 1), np.float32) * (fake - x)
            return mean(scores[len(x) :]) - mean(scores[: len(x)]) + self.w.gp * penalty(D, x_hat)
        if self.w.joint:
            return 2 * mean_bce(D(np.concatenate([x, fake])), np.concatenate([self.ones, self.zeros]))
        return mean_bce(D(x), self.ones) + mean_bce(D(fake), self.zeros)

    def loss_VAE(self, x: Any) -> Any:
        code = self.nets["encoder"](x)
        mu, logvar = code[:, : self.w.latent], code[:, self.w.latent :]
        y = self.nets["decoder"](mu + F.exp(0.5 * logvar) * self.noise())
        kl = 0.5 * F.sum(mu * mu + F.exp(logvar) - 1 - logvar)
        return mean_bce(y, x) * x.shape[1] + kl / self.w.batch

    def descend(self, loss: Any, *names: str) -> float:
        for name in names:
            self.nets[name].cleargrads()
        loss.backward()
        for name in names:
            self.opts[name].update()
        return float(loss.data)

    def losses(self) -> dict[str, float]:
        return self.last


def mean(x: Any) -> Any:
    return F.sum(x) * (1 / x.size)


def penalty(D: Any, x_hat: Any) -> Any:
    """E (‖∇D(x̂)‖ - 1)². Its first backward leaves gradients in D's parameters, too: clear them."""
    x_hat = dezero.Variable(x_hat)
    F.sum(D(x_hat)).backward(create_graph=True)
    n = (F.sum(x_hat.grad**2, axis=1) + 1e-12) ** 0.5
    return mean((n - 1) ** 2)


def mean_bce(x: Any, t: Any) -> Any:
    """Cross entropy of logits, without overflow; DeZero's own sigmoid_cross_entropy takes log 0 in float32."""
    positive = F.relu(x)
    return F.sum(positive - x * t + F.log(1 + F.exp(x - 2 * positive))) * (1 / t.size)  # x - 2 max(x, 0) = -|x|


PEER = DeZero
