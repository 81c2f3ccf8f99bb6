"""PacGAN: Lin, Khetan, Fanti and Oh 2018. D judges packs of m samples instead of single ones.

    min_G max_D  E log D(x₁, ..., xₘ) + E log(1 - D(G(z₁), ..., G(zₘ)))        (section 2.1)

A generator that misses modes gives itself away: m of its samples resemble each other more than m of the data do.
The samples of a pack are joined along their channels; D's first layer is wider, and nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from .. import layers, ops
from ..checks import check_input, whole
from ..errors import ConfigError
from ..fields import Count
from ..random import Generator
from .gan import GAN, GANConfig
from .networks import Activation, WeightInit, elements, initial, mlp


@dataclass(frozen=True)
class PacGANConfig(GANConfig):
    """The hyperparameters. The defaults are for points: two latents, ReLU, Adam's beta1 of 0.5. The paper's own toy GAN
    (its program: G of four layers of 400 with batch norm, D of three maxout layers of 200, Adam(1e-4, 0.8), batches of
    100 packs) learns for 400,000 steps. Narrower networks without batch norm, and faster rates, D's four times G's,
    learn within minutes; samples are drawn with the mean of G's weights, as G itself swings about the modes.
    """

    latent_dim: int = 2
    g_hidden: tuple[int, ...] = (128, 128, 128)
    d_hidden: tuple[int, ...] = (128, 128, 128)
    g_activation: Activation = "relu"
    d_activation: Activation = "relu"
    batch_norm: bool = False
    weight_init: WeightInit = "glorot"
    lr: float = 5e-4
    d_lr: float = 2e-3
    ema: float = 0.99
    pack: Annotated[
        Count, "how many samples D judges together; 1 is the GAN. A batch of samples makes batch / pack packs"
    ] = 2


class Pack(layers.Module):
    """(N, ..., C) to (N/m, ..., m · C): each m consecutive examples become one, joined along the channels.

    Raises ValueError unless m divides the batch.
    """

    def __init__(self, m: int):
        self.m = self.batch_multiple = whole("Pack", "m", m, 1)

    def forward(self, x: Any) -> Any:
        check_input(self, x, least=2)
        if len(x) % self.m:
            raise ValueError(f"Pack: the batch has {len(x)} examples, but that must be a multiple of {self.m}")
        packs = ops.reshape(x, (len(x) // self.m, self.m, *x.shape[1:]))
        joined = (*x.shape[1:-1], self.m * x.shape[-1])
        return ops.reshape(ops.moveaxis(packs, 1, -2), (len(packs), *joined))

    def _options(self) -> str:
        return str(self.m)


class PacGAN(GAN):
    """A GAN of dense layers whose D judges several samples together.

    >>> tg.models.PacGAN(tg.models.PacGANConfig()).sample(2).shape
    (2, 28, 28, 1)
    """

    name = "pacgan"
    Config = PacGANConfig
    defaults: ClassVar = {"data": "grid25", "steps": 20_000, "batch": 128}

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The layers of D: (N, *data_shape) to the scores (N/m, 1)."""
        c = self.config
        widths = (c.pack * elements(c.data_shape), *c.d_hidden, 1)
        network = mlp(widths, c.d_activation, "linear", c.slope, None, **initial(c, rng))
        return [Pack(c.pack), layers.Flatten(), *network]

    def check_batch(self, batch: int) -> None:
        super().check_batch(batch)
        if batch % self.config.pack:
            raise ConfigError(f"pacgan: the batch is {batch}, but it must be a multiple of pack={self.config.pack}")
