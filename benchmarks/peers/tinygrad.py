"""tinygrad: its layers and Adam, the whole step one TinyJit on its CPU device, which compiles with clang."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad import Context, Device, Tensor, TinyJit, nn

from ..layers import BatchNorm, Conv, ConvT, Dense, Dropout, LeakyReLU, Reshape, Tanh
from ..workloads import Network
from . import Peer, Setting


class TinyGrad(Peer):
    def __init__(self, setting: Setting):
        self.w = w = setting.workload
        nets = {name: network(net) for name, net in w.networks.items()}
        tensors = {name: nn.state.get_parameters(net) for name, net in nets.items()}
        self.parameters = {name: sum(t.numel() for t in found if t.is_param) for name, found in tensors.items()}
        self.nets = {name: (lambda x, net=net: x.sequential(net)) for name, net in nets.items()}
        groups = list(tensors.values()) if w.is_gan else [[t for found in tensors.values() for t in found]]
        self.opts = [nn.optim.Adam(group, w.lr, w.beta1, w.beta2, w.eps) for group in groups]
        self.fn = TinyJit(self.gan_step if w.is_gan else self.vae_step)
        self.notes = (
            f"NUM_CPU_THREADS={setting.threads}; without BEAM, whose search takes over seven minutes for the VAE"
        )

    def batch(self, x: Any) -> Any:
        return Tensor(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x).contiguous().realize()

    def step(self, x: Any) -> None:
        with Context(TRAINING=1):
            self.last = self.fn(x)

    def losses(self) -> dict[str, float]:
        return {name: loss.item() for name, loss in self.last.items()}

    def wait(self) -> None:
        Device[Device.DEFAULT].synchronize()

    def noise(self) -> Any:
        return Tensor.randn(self.w.batch, self.w.latent)

    def gan_step(self, x: Any) -> dict[str, Any]:
        G, D = self.nets["G"], self.nets["D"]
        for part in x.split(self.w.batch):
            loss_D = self.descend(self.loss_D(part), 1)
        scores = D(G(self.noise()))
        loss_G = self.descend(-scores.mean() if self.w.gp else mean_bce(scores, 1), 0)
        return {"loss_D": loss_D, "loss_G": loss_G}

    def loss_D(self, x: Any) -> Any:
        G, D = self.nets["G"], self.nets["D"]
        fake = G(self.noise()).detach().realize(*self.opts[0].buffers)  # with batch norm's running statistics
        real_score, fake_score = D(x.cat(fake)).split(self.w.batch) if self.w.joint else (D(x), D(fake))
        if self.w.gp:
            x_hat = x + Tensor.rand(self.w.batch, 1) * (fake - x)
            return fake_score.mean() - real_score.mean() + self.w.gp * penalty(D, x_hat)
        return mean_bce(real_score, 1) + mean_bce(fake_score, 0)

    def vae_step(self, x: Any) -> dict[str, Any]:
        mu, logvar = self.nets["encoder"](x).chunk(2, dim=1)
        y = self.nets["decoder"](mu + (0.5 * logvar).exp() * self.noise())
        bce = y.binary_crossentropy_logits(x, reduction="sum")
        kl = 0.5 * (mu * mu + logvar.exp() - 1 - logvar).sum()
        return {"loss": self.descend((bce + kl) / self.w.batch, 0)}

    def descend(self, loss: Any, i: int) -> Any:
        """The loss, computed together with Adam's step; of the graph only what these need is."""
        opt = self.opts[i]
        for p, gradient in zip(opt.params, loss.gradient(*opt.params), strict=True):
            p.grad = gradient
        return loss.realize(*opt.schedule_step())


def penalty(D: Any, x_hat: Any) -> Any:
    """E (‖∇D(x̂)‖ - 1)²."""
    x_hat = x_hat.contiguous()
    (gx,) = D(x_hat).sum().gradient(x_hat)
    return ((gx.square().sum(1) + 1e-12).sqrt() - 1).square().mean()


def mean_bce(scores: Any, target: float) -> Any:
    return scores.binary_crossentropy_logits(scores.full_like(target))


def network(net: Network) -> list[Callable[[Any], Any]]:
    """The same layers on N, C, H, W. A stride of 2 pads symmetrically, as in PyTorch."""
    return [layer(spec) for spec in net.layers]


class Product:
    """A layer whose input is computed once, and so is the gradient of its output: tinygrad would make both anew, again
    and again, in the loops of its products."""

    def __init__(self, layer: Any):
        self.layer = layer

    def __call__(self, x: Any) -> Any:
        return self.layer(x.contiguous()).contiguous_backward()


def layer(spec: Any) -> Callable[[Any], Any]:
    match spec:
        case Dense(n_in, n_out, bias):
            return Product(nn.Linear(n_in, n_out, bias))
        case Conv(c_in, c_out, k, s, bias):
            return Product(nn.Conv2d(c_in, c_out, k, s, (k - 1) // 2, bias=bias))
        case ConvT(c_in, c_out, k, s, bias):
            return Product(nn.ConvTranspose2d(c_in, c_out, k, s, (k - 1) // 2, (k - s) % 2, bias=bias))
        case BatchNorm(features, momentum, eps):
            return nn.BatchNorm(features, eps, momentum=1 - momentum)
        case LeakyReLU(slope):
            return lambda x: x.leaky_relu(slope) if slope else x.relu()
        case Tanh():
            return Tensor.tanh
        case Dropout(rate):
            return lambda x: x.dropout(rate)
        case Reshape(new):
            return lambda x: x.reshape(-1, *((new[2], *new[:2]) if len(new) == 3 else new))
    raise TypeError(f"no tinygrad layer for {spec}")


PEER = TinyGrad
