"""PyTorch: eager with the default or the fused Adam, torch.compile, and channels_last memory for the convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..layers import BatchNorm, Conv, ConvT, Dense, Dropout, LeakyReLU, Reshape, Shape, Tanh
from ..workloads import Network
from . import Peer, Setting


class PyTorch(Peer):
    def __init__(self, setting: Setting):
        w, self.device = setting.workload, setting.device
        torch.set_num_threads(setting.threads)
        if self.device == "cuda":
            torch.set_float32_matmul_precision("high" if setting.tf32 else "highest")
            torch.backends.cudnn.allow_tf32 = setting.tf32
            torch.backends.cudnn.benchmark = True
        self.layout = torch.channels_last if "channels_last" in setting.options else torch.contiguous_format
        self.w, self.n = w, w.batch
        self.nets = {name: network(net).to(self.device, memory_format=self.layout) for name, net in w.networks.items()}
        self.parameters = {name: sum(p.numel() for p in net.parameters()) for name, net in self.nets.items()}
        groups = self.nets.values() if w.is_gan else [nn.ModuleList(self.nets.values())]
        fused = {"fused": True} if "fused" in setting.options else {}
        options: dict[str, Any] = {"lr": w.lr, "betas": (w.beta1, w.beta2), "eps": w.eps, **fused}
        self.opts = [torch.optim.Adam(net.parameters(), **options) for net in groups]
        self.targets = torch.cat([torch.ones(self.n, 1), torch.zeros(self.n, 1)]).to(self.device)
        self.loss_fns = [self.loss_D, self.loss_G] if w.is_gan else [self.loss_VAE]
        if w.gp:
            self.loss_fns = [self.loss_critic, self.loss_generator]
        self.input_gradient = compiled_gradient if "compile" in setting.options else input_gradient
        self.graphs = "compile" in setting.options and self.device == "cuda"
        if "compile" in setting.options:
            mode = "reduce-overhead" if self.graphs else "default"
            self.loss_fns = [torch.compile(fn, mode=mode) for fn in self.loss_fns]
        self.notes = f"torch.set_num_threads({setting.threads})" + (
            f", TF32 {'allowed' if setting.tf32 else 'off'}" if self.device == "cuda" else ""
        )

    def batch(self, x: Any) -> Any:
        x = torch.from_numpy(x).to(self.device)
        return x.permute(0, 3, 1, 2).contiguous(memory_format=self.layout) if x.ndim == 4 else x

    def noise(self) -> Any:
        return torch.randn(self.n, self.w.latent, device=self.device)

    def loss_D(self, x: Any) -> Any:
        """The sum of the two halves; on one batch of real and fake images where D has no batch norm."""
        G, D = self.nets["G"], self.nets["D"]
        with torch.no_grad():
            fake = G(self.noise())
        if self.w.joint:
            return 2 * F.binary_cross_entropy_with_logits(D(torch.cat([x, fake])), self.targets)
        ones, zeros = self.targets[: self.n], self.targets[self.n :]
        bce = F.binary_cross_entropy_with_logits
        return bce(D(x), ones) + bce(D(fake), zeros)

    def loss_G(self, x: Any) -> Any:
        fake = self.nets["G"](self.noise())
        return F.binary_cross_entropy_with_logits(self.nets["D"](fake), self.targets[: self.n])

    def loss_critic(self, x: Any) -> Any:
        G, D = self.nets["G"], self.nets["D"]
        with torch.no_grad():
            fake = G(self.noise())
        real_score, fake_score = D(torch.cat([x, fake])).chunk(2)
        x_hat = torch.lerp(x, fake, torch.rand(self.n, 1, device=self.device))
        return fake_score.mean() - real_score.mean() + self.w.gp * penalty(D, x_hat, self.input_gradient)

    def loss_generator(self, x: Any) -> Any:
        return -self.nets["D"](self.nets["G"](self.noise())).mean()

    def loss_VAE(self, x: Any) -> Any:
        mu, logvar = self.nets["encoder"](x).chunk(2, dim=1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        bce = F.binary_cross_entropy_with_logits(self.nets["decoder"](z), x, reduction="sum")
        kl = 0.5 * torch.sum(mu * mu + logvar.exp() - 1 - logvar)
        return (bce + kl) / self.n

    def step(self, x: Any) -> None:
        if self.graphs:
            torch.compiler.cudagraph_mark_step_begin()
        if not self.w.is_gan:
            self.last = {"loss": self.descend(self.loss_fns[0], x, self.opts[0])}
            return
        opt_G, opt_D = self.opts
        for part in x.split(self.n):
            loss_D = self.descend(self.loss_fns[0], part, opt_D)
        self.nets["D"].requires_grad_(False)  # frozen: its weights get no gradient
        loss_G = self.descend(self.loss_fns[1], x, opt_G)
        self.nets["D"].requires_grad_(True)
        self.last = {"loss_D": loss_D, "loss_G": loss_G}

    def descend(self, fn: Any, x: Any, opt: Any) -> Any:
        opt.zero_grad(set_to_none=True)
        loss = fn(x)
        loss.backward()
        opt.step()
        return loss.detach().clone() if self.graphs else loss.detach()  # the next graph writes over it

    def losses(self) -> dict[str, float]:
        return {name: loss.item() for name, loss in self.last.items()}

    def timed(self, work: Any) -> float:
        if self.device == "cpu":
            return super().timed(work)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3

    def device_memory(self) -> dict[str, float]:
        return {"device_mb": torch.cuda.max_memory_reserved() / 1e6} if self.device == "cuda" else {}


def input_gradient(D: Any, x: Any) -> Any:
    """∇D(x) of each example, on the tape."""
    x.requires_grad_()
    return torch.autograd.grad(D(x).sum(), x, create_graph=True)[0]


def compiled_gradient(D: Any, x: Any) -> Any:
    """The same for torch.compile, which can't differentiate what autograd.grad gives, but can what torch.func does."""
    return torch.func.grad(lambda x: D(x).sum())(x)


def penalty(D: Any, x_hat: Any, input_gradient: Any = input_gradient) -> Any:
    """E (‖∇D(x̂)‖ - 1)²."""
    n = (input_gradient(D, x_hat).square().sum(1) + 1e-12).sqrt()
    return (n - 1).square().mean()


def network(net: Network) -> nn.Sequential:
    """The same layers on N, C, H, W. A stride of 2 pads symmetrically, where TensorFlow would pad (1, 2) for 5x5."""
    return nn.Sequential(*(module(layer, shape) for layer, shape, _ in net.walk()))


def module(layer: Any, shape: Shape) -> nn.Module:
    match layer:
        case Dense(n_in, n_out, bias):
            return nn.Linear(n_in, n_out, bias)
        case Conv(c_in, c_out, k, s, bias):
            return nn.Conv2d(c_in, c_out, k, s, (k - 1) // 2, bias=bias)
        case ConvT(c_in, c_out, k, s, bias):
            return nn.ConvTranspose2d(c_in, c_out, k, s, (k - 1) // 2, (k - s) % 2, bias=bias)
        case BatchNorm(features, momentum, eps):
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return kind(features, eps, 1 - momentum)
        case LeakyReLU(slope):
            return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)
        case Tanh():
            return nn.Tanh()
        case Dropout(rate):
            return nn.Dropout(rate)
        case Reshape(new):
            return nn.Unflatten(1, (new[2], *new[:2])) if len(new) == 3 else nn.Flatten()
    raise TypeError(f"no PyTorch layer for {layer}")


PEER = PyTorch
