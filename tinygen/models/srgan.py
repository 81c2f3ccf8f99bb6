"""Super-resolution: Ledig et al. 2017. A network G makes images `scale` times larger, and a GAN makes them sharp.

    SRResNet:  G lowers  mse(G(z), x),                                        z = the means of scale x scale pixels of x
    SRGAN:     G lowers  mse(G(z), x) + content · L_content + adversarial · L_G(D(G(z)))                          (eq. 3)
               D lowers  L_D(D(x), D(G(z)))
               L_content = mse(φ(G(z)), φ(x)) / mse(φ(x), 0),  φ: maps of a network that knows such images        (eq. 5)

The mean squared error is lowest at the mean of all images that fit z, which is blurred; D tells that mean from an image.
The first `warmup` steps are the SRResNet's (section 3.2: G begins with it, "to avoid undesired local optima"). Where
the paper compares VGG19's maps alone, G keeps the error of the pixels, too: with maps of a small network alone, colours
drift. `adversarial=0` trains the SRResNet alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from .. import init, layers, losses, ops
from ..backend import Array
from ..errors import ConfigError, DataError
from ..fields import Count, Counts, Decay, LearningRate, Limits, NonNegative, Share
from ..losses import GAN_LOSSES
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from ..tracing import variant
from .base import Model, ModelConfig
from .dcgan import check_images
from .gan import LossName
from .networks import make_optimizer
from .steps import Loss, Step


@dataclass(frozen=True)
class SRGANConfig(ModelConfig):
    scale: Count = 4
    blocks: Count = 4
    channels: Count = 32
    d_channels: Counts = (32, 64)
    kernel_size: Count = 3
    batch_norm: bool = True
    bn_momentum: Share = 0.9
    bn_eps: NonNegative = 1e-5
    slope: Share = 0.2
    warmup: Annotated[int, Limits(0)] = 360
    content: NonNegative = 0.01
    adversarial: NonNegative = 0.01
    features: Literal["auto", "digits", "none"] = "auto"
    loss: LossName = "nonsaturating"
    lr: float = 1e-3
    d_lr: LearningRate = 0.0
    beta1: float = 0.9


class SRGAN(Model):
    """Super-resolution by a residual network, which a GAN then makes sharp."""

    name = "srgan"
    Config = SRGANConfig
    defaults: ClassVar = {"data": "digits", "steps": 760, "batch": 32}
    value_range = (0.0, 1.0)
    columns = 4

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/init")
        height, width, channels = c.data_shape
        self.G = layers.Sequential(*self.generator(channels, rng))
        self.inputs = {"G": (height // c.scale, width // c.scale, channels)}
        self.opt_G = make_optimizer(c, self.G.parameters())
        self.D = None
        if c.adversarial:
            self.D = layers.Sequential(*self.discriminator(rng))
            self.inputs["D"] = c.data_shape
            self.opt_D = make_optimizer(replace(c, lr=c.d_lr or c.lr), self.D.parameters())
            self.game = GAN_LOSSES[c.loss]
        self.maps: Any = None
        if c.features == "digits" or (c.features == "auto" and c.data_shape == (28, 28, 1)):
            from ..metrics.classifier import load_classifier

            self.maps = load_classifier().maps

    def generator(self, channels: int, rng: Generator) -> list[layers.Module]:
        c = self.config

        def conv(n_in, n_out, size=c.kernel_size, weight_init=init.glorot_uniform):
            return layers.Conv(n_in, n_out, size, weight_init=weight_init, rng=rng)

        def norm():
            return [layers.BatchNorm(c.channels, c.bn_momentum, c.bn_eps)] if c.batch_norm else []

        W = c.channels
        blocks = [layers.Skip(conv(W, W), *norm(), layers.PReLU(), conv(W, W), *norm()) for _ in range(c.blocks)]
        growth = []
        for r in factors(c.scale):
            growth += [conv(W, W * r * r, weight_init=init.icnr(r)), layers.PixelShuffle(r), layers.PReLU()]
        return [
            conv(channels, W, 2 * c.kernel_size + 1 if False else c.kernel_size),
            layers.PReLU(),
            layers.Skip(*blocks, conv(W, W), *norm()),
            *growth,
            conv(W, channels),
            layers.Sigmoid(),
        ]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        c, net = self.config, []
        size = c.data_shape[:2]
        for n_in, n_out in itertools.pairwise((c.data_shape[-1], *c.d_channels)):
            net += [layers.Conv(n_in, n_out, c.kernel_size, 2, rng=rng), layers.LeakyReLU(c.slope)]
            size = tuple(-(-n // 2) for n in size)
        return [*net, layers.Flatten(), layers.Dense(math.prod(size) * c.d_channels[-1], 1, rng=rng)]

    def warming_up(self) -> bool:
        return self.opt_G.t < self.config.warmup

    def train_step(self, batch: Any) -> dict[str, Tensor]:
        if self.D is None or variant(self.warming_up):
            steps = [self.step_pixels(*self.checked(batch))]
        else:
            steps = self.list_steps(batch)
        return self.measured((step, step.take()) for step in steps)

    def steps(self, batch: Any) -> list[Step]:
        (x,) = self.checked(batch)
        return [self.step_pixels(x)] if self.D is None else [self.step_D(x), self.step_G(x)]

    def step_pixels(self, x):
        def loss():
            z = self.degrade(x)
            fake = self.G(z)
            value = losses.mse(fake, x)
            return Loss(value, self.compared(value, z, x), {"x": x, "z": z, "G(z)": fake})

        return Step("G", loss, {"G": self.G}, self.opt_G)

    def step_D(self, x):
        def loss():
            z = self.degrade(x)
            with no_grad():
                fake = self.G(z)
            scores = ops.split(self.D(ops.concatenate([x, fake])), 2)
            return Loss(
                self.game.D(*scores), named={"x": x, "z": z, "G(z)": fake, "D(x)": scores[0], "D(G(z))": scores[1]}
            )

        return Step("D", loss, {"D": self.D}, self.opt_D, frozen={"G": self.G})

    def step_G(self, x):
        c = self.config

        def loss():
            z = self.degrade(x)
            fake = self.G(z)
            pixels = losses.mse(fake, x)
            score = self.D(fake)
            value = pixels + c.adversarial * self.game.G(score)
            if self.maps is not None and c.content:
                seen = self.maps(x)
                value = value + c.content * losses.mse(self.maps(fake), seen) / ops.mean(seen * seen)
            return Loss(value, self.compared(pixels, z, x), {"x": x, "z": z, "G(z)": fake, "D(G(z))": score})

        return Step("G", loss, {"G": self.G}, self.opt_G, frozen={"D": self.D})

    def compared(self, pixels, z, x):
        with no_grad():
            psnr = -10 / math.log(10) * ops.log(pixels.detach())
            plain = -10 / math.log(10) * ops.log(losses.mse(self.plain(z), x))
        return {"psnr": psnr, "psnr_plain": plain if isinstance(plain, Tensor) else Tensor(plain)}

    def score(self, x: Any) -> Any:
        return self.D(x)

    def degrade(self, x: Array) -> Array:
        return ops.avg_pool2d(x, self.config.scale)

    def plain(self, x: Array) -> Array:
        s = self.config.scale
        return ops.clip(ops.resize(x, (x.shape[1] * s, x.shape[2] * s), "bicubic"), 0.0, 1.0)

    @no_grad()
    def translate(self, x: Array) -> Array:
        with layers.evaluating(self.G):
            return self.G(x).data

    def reconstruct(self, x: Array) -> Array:
        return self.translate(self.degrade(x))

    def preview(self, x: Array, n: int, rng: Generator | None = None) -> Array:
        x = x[: max(n // 4, 1)]
        z = self.degrade(x)
        s = self.config.scale
        rows = ops.stack([ops.upsample_nearest(z, s), self.plain(z), self.translate(z), x], 1)
        return rows.reshape(-1, *x.shape[1:])


def factors(n: int) -> list[int]:
    found, p = [], 2
    while n > 1:
        while n % p == 0:
            found.append(p)
            n //= p
        p += 1
    return found
