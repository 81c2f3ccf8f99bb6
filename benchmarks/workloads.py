"""The workloads: their networks as data, what a step computes, and how many FLOPs and bytes that is.

FLOPs are counted densely, everywhere: 2 for every weight that a product meets, whether or not the tap falls on padding.
    dense          2 · N · in · out
    convolution    2 · N · OH · OW · K² · C_in · C_out      (OH, OW: of its output)
    transposed     2 · N · H · W · K² · C_in · C_out        (H, W: of its input; it is the same convolution, backwards)
The gradients of the weights and of the input each cost as much as the forward pass; everything else (batch norm,
activations, the loss, Adam, random numbers) is not counted. A slope that is itself differentiated, of layers whose
slopes are constant: forward, back to the input, then forth again, to the weights (as much) and through all layers but
the last. The bytes of a step are those that move if every layer reads what it needs from memory and writes its results,
once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .layers import PRODUCTS, BatchNorm, Conv, ConvT, Dense, Dropout, Layer, LeakyReLU, Reshape, Shape, Tanh


class Network(NamedTuple):
    """Layers one after another, and the shape of the first one's input."""

    input: Shape
    layers: tuple[Layer, ...]

    def walk(self) -> Iterator[tuple[Layer, Shape, Shape]]:
        """Each layer with the shape of its input and of its output."""
        shape = self.input
        for layer in self.layers:
            yield layer, shape, (shape := layer.out(shape))

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def has_batch_norm(self) -> bool:
        return any(isinstance(layer, BatchNorm) for layer in self.layers)


class Pass(NamedTuple):
    """One network on a number of batches: forward, and backward to its weights, to its input, or to neither.

    backward: "no"; "weights", the gradient of all weights, for which the first layer needs no gradient of its input;
    "input", the gradient of the input through a frozen network, which needs none of the weights; "slope", the gradient
    of the input, and that of the weights by it.
    """

    network: str
    batches: int
    backward: str


D_STEP = (
    Pass("G", 1, "no"),  # fake images, G is fixed,
    Pass("D", 2, "weights"),  # and D on a real and a fake batch
)
PENALTY = Pass("D", 1, "slope")  # at points between them
G_STEP = (
    Pass("G", 1, "weights"),  # on fresh noise,
    Pass("D", 1, "input"),  # through a frozen D
)
VAE_STEP = (Pass("decoder", 1, "weights and input"), Pass("encoder", 1, "weights"))


@dataclass(frozen=True)
class Workload:
    """What every peer computes: float32 throughout, Adam for each network, fresh noise drawn in every step.

    images: how many real ones are in memory, the same for all.  low: they lie in [low, 1].  model: tinygen's class.
    d_steps: steps of D for each of G, each on its own batch.
    gp: above 0: the losses are WGAN-GP's, with this weight of the penalty (Gulrajani et al. 2017, eq. 3).
    """

    name: str
    title: str
    networks: dict[str, Network]
    batch: int
    image: Shape
    latent: int
    model: str
    lr: float
    beta1: float
    beta2: float = 0.999
    eps: float = 1e-8
    low: float = -1.0
    images: int = 2048
    d_steps: int = 1
    gp: float = 0.0

    @property
    def is_gan(self) -> bool:
        return "G" in self.networks

    @property
    def is_dense(self) -> bool:
        """Whether it has no convolutions."""
        return not any(isinstance(layer, (Conv, ConvT)) for net in self.networks.values() for layer in net.layers)

    @property
    def joint(self) -> bool:
        """Whether peers show D real and fake images as one batch: faster by 5 to 10% with dense layers, no faster with
        convolutions (measured: PyTorch, TensorFlow, JAX), and another model with batch norm."""
        return self.is_gan and self.is_dense and not self.networks["D"].has_batch_norm

    @property
    def data_shape(self) -> Shape:
        """The shape of one real example, as the first network takes it."""
        return self.networks["D" if self.is_gan else "encoder"].input

    @property
    def examples(self) -> int:
        """How many real examples a step takes."""
        return self.batch * self.d_steps

    @property
    def parameters(self) -> dict[str, int]:
        return {name: net.parameters for name, net in self.networks.items()}

    @property
    def flops(self) -> int:
        """FLOPs of a step, by the formulas at the top of this file."""
        return sum(2 * p.batches * self.batch * macs(self.networks[p.network], p.backward) for p in self.passes)

    @property
    def bytes(self) -> int:
        """Bytes of a step if nothing stays in a cache; Adam reads p, g, m, v and writes p, m, v."""
        moved = sum(traffic(self.networks[p.network], p.batches * self.batch, p.backward) for p in self.passes)
        updated = sum(n * (self.d_steps if name == "D" else 1) for name, n in self.parameters.items())
        return 4 * (moved + 7 * updated)

    @property
    def passes(self) -> tuple[Pass, ...]:
        if not self.is_gan:
            return VAE_STEP
        return (*D_STEP, *([PENALTY] if self.gp else [])) * self.d_steps + G_STEP


def products(backward: str, first: bool, last: bool) -> int:
    """How often a layer multiplies by its weights, or by what becomes their gradient: forward and backward."""
    if backward == "slope":
        return 4 - last
    weights = "weights" in backward
    return 1 + weights + ("input" in backward or (weights and not first))


def macs(net: Network, backward: str) -> int:
    """Multiplications by weights per example, in the forward pass and in the chosen backward pass."""
    each = [layer.macs(shape) for layer, shape, _ in net.walk() if isinstance(layer, PRODUCTS)]
    return sum(n * products(backward, i == 0, i == len(each) - 1) for i, n in enumerate(each))


def traffic(net: Network, examples: int, backward: str) -> int:
    """Numbers read and written, each layer by itself: forward x, w → y; weights x, gy → gw; input gy, w (or y) → gx."""
    moved, i, count = 0, 0, sum(isinstance(layer, PRODUCTS) for layer in net.layers)
    for layer, x_shape, y_shape in net.walk():
        if isinstance(layer, Reshape):
            continue
        x, y, w = examples * math.prod(x_shape), examples * math.prod(y_shape), layer.parameters
        if isinstance(layer, PRODUCTS):
            moved += (x + w + y) * products(backward, i == 0, i == count - 1)
            i += 1
        else:
            moved += x + w + y + (2 * y + x) * {"no": 0, "slope": 2}.get(backward, 1)
    return moved


# The networks, as in tinygen's models and the tutorials


def _mlp(widths: tuple[int, ...], after: tuple[str, ...], slope: float, last: tuple[Layer, ...] = ()) -> Network:
    """Dense layers; each but the last is followed by the layers that `after` names."""
    layers: list[Layer] = []
    for n_in, n_out in itertools.pairwise(widths[:-1]):
        kinds = {"activation": LeakyReLU(slope), "norm": BatchNorm(n_out, 0.8, 1e-3)}
        layers += [Dense(n_in, n_out), *(kinds[kind] for kind in after)]
    return Network((widths[0],), (*layers, Dense(*widths[-2:]), *last))


MLP_GAN = {
    "G": _mlp((100, 256, 512, 1024, 784), ("activation", "norm"), 0.2, (Tanh(),)),
    "D": _mlp((784, 512, 256, 1), ("activation",), 0.2),
}
VAE = {
    "encoder": _mlp((784, 400, 40), ("activation",), 0.0),  # mu and logvar side by side
    "decoder": _mlp((20, 400, 784), ("activation",), 0.0),  # logits
}
DCGAN_28 = {  # the TensorFlow tutorial's
    "G": Network(
        (100,),
        (
            *(Dense(100, 7 * 7 * 256, bias=False), BatchNorm(7 * 7 * 256, 0.9, 1e-5), LeakyReLU(0.3)),
            Reshape((7, 7, 256)),
            *(ConvT(256, 128, 5, 1, bias=False), BatchNorm(128, 0.9, 1e-5), LeakyReLU(0.3)),
            *(ConvT(128, 64, 5, 2, bias=False), BatchNorm(64, 0.9, 1e-5), LeakyReLU(0.3)),
            *(ConvT(64, 1, 5, 2, bias=False), Tanh()),
        ),
    ),
    "D": Network(
        (28, 28, 1),
        (
            *(Conv(1, 64, 5, 2), LeakyReLU(0.3), Dropout(0.3)),
            *(Conv(64, 128, 5, 2), LeakyReLU(0.3), Dropout(0.3)),
            *(Reshape((7 * 7 * 128,)), Dense(7 * 7 * 128, 1)),
        ),
    ),
}
DCGAN_64 = {  # Radford et al. 2015; from and to 1x1 a 4x4 convolution is a dense layer
    "G": Network(
        (100,),
        (
            *(Dense(100, 4 * 4 * 512, bias=False), Reshape((4, 4, 512)), BatchNorm(512, 0.9, 1e-5), LeakyReLU(0.0)),
            *(ConvT(512, 256, 4, 2, bias=False), BatchNorm(256, 0.9, 1e-5), LeakyReLU(0.0)),
            *(ConvT(256, 128, 4, 2, bias=False), BatchNorm(128, 0.9, 1e-5), LeakyReLU(0.0)),
            *(ConvT(128, 64, 4, 2, bias=False), BatchNorm(64, 0.9, 1e-5), LeakyReLU(0.0)),
            *(ConvT(64, 3, 4, 2, bias=False), Tanh()),
        ),
    ),
    "D": Network(
        (64, 64, 3),
        (
            *(Conv(3, 64, 4, 2, bias=False), LeakyReLU(0.2)),
            *(Conv(64, 128, 4, 2, bias=False), BatchNorm(128, 0.9, 1e-5), LeakyReLU(0.2)),
            *(Conv(128, 256, 4, 2, bias=False), BatchNorm(256, 0.9, 1e-5), LeakyReLU(0.2)),
            *(Conv(256, 512, 4, 2, bias=False), BatchNorm(512, 0.9, 1e-5), LeakyReLU(0.2)),
            *(Reshape((4 * 4 * 512,)), Dense(4 * 4 * 512, 1, bias=False)),
        ),
    ),
}

_GAN = Workload("mlp_gan_32", "MLP GAN, batch 32", MLP_GAN, 32, (28, 28, 1), 100, "GAN", lr=2e-4, beta1=0.5)
_GULRAJANI: dict[str, Any] = {"lr": 1e-4, "beta2": 0.9, "d_steps": 5, "gp": 10.0}
WORKLOADS = {
    w.name: w
    for w in (
        _GAN,
        replace(_GAN, name="mlp_gan_128", title="MLP GAN, batch 128", batch=128),
        Workload("vae_128", "VAE 784-400-20, batch 128", VAE, 128, (28, 28, 1), 20, "VAE", 1e-3, 0.9, low=0.0),
        replace(_GAN, name="wgangp_64", title="WGAN-GP, batch 64", model="WGANGP", batch=64, **_GULRAJANI),
        Workload(
            "dcgan28_256", "DCGAN 28x28, batch 256", DCGAN_28, 256, (28, 28, 1), 100, "DCGAN", 1e-3, 0.5, eps=1e-7
        ),
        Workload(
            "dcgan64_128", "DCGAN 64x64x3, batch 128", DCGAN_64, 128, (64, 64, 3), 100, "DCGAN64", 2e-4, 0.5, images=512
        ),
    )
}

# For sweeps: workloads whose batch, image or depth grows


def sweep(axis: str, n: int) -> Workload:
    """A small GAN whose batch, image size or number of hidden layers is n: convolutions for the first two."""
    if axis == "depth":
        nets = {"G": _mlp((100, *[256] * n, 784), ("activation", "norm"), 0.2, (Tanh(),))}
        nets["D"] = _mlp((784, *[256] * n, 1), ("activation",), 0.2)
        return replace(_GAN, name=f"depth={n}", title=f"depth {n}", networks=nets, images=256)
    batch, size = (n, 32) if axis == "batch" else (16, n)
    q = size // 4
    nets = {
        "G": Network(
            (100,),
            (
                *(Dense(100, q * q * 32), Reshape((q, q, 32)), BatchNorm(32, 0.9, 1e-5), LeakyReLU(0.2)),
                *(ConvT(32, 16, 4, 2), BatchNorm(16, 0.9, 1e-5), LeakyReLU(0.2), ConvT(16, 1, 4, 2), Tanh()),
            ),
        ),
        "D": Network(
            (size, size, 1),
            (
                *(Conv(1, 16, 4, 2), LeakyReLU(0.2), Conv(16, 32, 4, 2), LeakyReLU(0.2)),
                *(Reshape((q * q * 32,)), Dense(q * q * 32, 1)),
            ),
        ),
    }
    name = f"{axis}={n}"
    return replace(_GAN, name=name, title=name, networks=nets, batch=batch, image=(size, size, 1), images=2 * batch)


def workload(name: str) -> Workload:
    """The workload of that name, or of a sweep's point, such as batch=64."""
    if name in WORKLOADS:
        return WORKLOADS[name]
    axis, _, n = name.partition("=")
    return sweep(axis, int(n))
