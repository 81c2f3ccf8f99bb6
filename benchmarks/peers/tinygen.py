"""tinygen itself: its models with their default configuration, their step compiled or eager.

A compiled step is native code, calls of NumPy or kernels of CuPy; an eager one runs on NumPy alone, with Numba's
kernels, or on CuPy.
"""

from __future__ import annotations

from typing import Any

import tinygen as tg
from tinygen import layers
from tinygen.compiler import backends

from ..layers import BatchNorm, Conv, ConvT, Dense, Dropout, LeakyReLU, Reshape, Tanh
from ..workloads import WORKLOADS, Network
from . import Peer, Setting


class TinyGen(Peer):
    def __init__(self, setting: Setting):
        w = setting.workload
        tg.use(setting.device)
        kind = getattr(tg.models, w.model)
        if w.name in WORKLOADS:
            self.model = kind(kind.Config())
        else:
            self.model = custom(w)
        self.trainer, self.notes = self.model, "CuPy" if setting.device == "cuda" else "NumPy alone"
        if "compiled" in setting.options:
            self.trainer = tg.compile(self.model)
            self.notes = backends.in_words(backends.default_back_end(setting.device))
        elif "fast" in setting.options:
            self.notes = "Numba"
        self.image, self.device = w.image, setting.device
        self.parameters = {name: sum(p.size for p in getattr(self.model, name).parameters()) for name in w.networks}

    def batch(self, x: Any) -> Any:
        return tg.to_device(x.reshape(len(x), *self.image))

    def step(self, x: Any) -> None:
        self.last = self.trainer.train_step(x)

    def losses(self) -> dict[str, float]:
        return {name: value.item() for name, value in self.last.items() if name.startswith("loss")}

    def wait(self) -> None:
        if self.device == "cuda":
            import cupy

            cupy.cuda.get_current_stream().synchronize()

    def timed(self, work: Any) -> float:
        if self.device == "cpu":
            return super().timed(work)
        import cupy

        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        work()
        end.record()
        end.synchronize()
        return cupy.cuda.get_elapsed_time(start, end) / 1e3

    def device_memory(self) -> dict[str, float]:
        if self.device == "cpu":
            return {}
        import cupy

        return {"device_mb": cupy.get_default_memory_pool().total_bytes() / 1e6}


def custom(w: Any) -> Any:
    """tinygen's GAN with the networks of a workload."""
    small = {"g_hidden": (1,), "d_hidden": (1,)}  # these networks are replaced below
    config = tg.models.GAN.Config(data_shape=w.image, latent_dim=w.latent, lr=w.lr, beta1=w.beta1, **small)
    model = tg.models.GAN(config)
    model.G = layers.Sequential(*network(w.networks["G"]), layers.Reshape(w.image))
    model.D = layers.Sequential(layers.Reshape(w.networks["D"].input), *network(w.networks["D"]))
    model.opt_G = tg.optim.Adam(model.G.parameters(), w.lr, (w.beta1, w.beta2), w.eps)
    model.opt_D = tg.optim.Adam(model.D.parameters(), w.lr, (w.beta1, w.beta2), w.eps)
    return model


def network(net: Network) -> list[Any]:
    """A network of a workload, layer by layer."""
    made: list[Any] = []
    for layer in net.layers:
        match layer:
            case Dense(n_in, n_out, bias):
                made.append(layers.Dense(n_in, n_out, bias=bias))
            case Conv(c_in, c_out, kernel, stride, bias):
                made.append(layers.Conv(c_in, c_out, kernel, stride, padding="same", bias=bias))
            case ConvT(c_in, c_out, kernel, stride, bias):
                made.append(layers.ConvTranspose(c_in, c_out, kernel, stride, padding="same", bias=bias))
            case BatchNorm(features, momentum, eps):
                made.append(layers.BatchNorm(features, momentum=momentum, eps=eps))
            case LeakyReLU(slope):
                made.append(layers.LeakyReLU(slope) if slope else layers.ReLU())
            case Tanh():
                made.append(layers.Tanh())
            case Dropout(rate):
                made.append(layers.Dropout(rate))
            case Reshape(shape):
                made.append(layers.Reshape(shape))
    return made


PEER = TinyGen
