"""The GAN with spectral normalisation: Miyato et al. 2018.

    min_D  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))),   min_G  -E D(G(z))        (eq. 16, 17)

Each layer of D has its weight divided by its largest singular value, so that D can't win by growing steep. A kernel is
normalised as a matrix of C_out rows: each pixel enters at most KH · KW of its products, so the convolution stretches by
no more than √(KH KW).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from .. import layers
from ..fields import Count
from ..random import Generator
from .dcgan import DCGAN, DCGANConfig
from .gan import LossName


@dataclass(frozen=True)
class SNGANConfig(DCGANConfig):
    """The hyperparameters. From the paper: the hinge loss, one step of the power method per pass, no batch norm in D,
    LeakyReLU(0.1), Adam(β1 = 0.5, β2 = 0.999) with one step of D (section 4.1, setting C). The networks are the DCGAN's
    here, with half the channels and without dropout, instead of the paper's deeper ones for photographs. The rate is
    2.5 times the paper's: after 2,000 steps of batch 64 the FID on the digits is 2.2, at 2e-4 it is 2.5; at 1e-3 it is
    1.5 for two seeds and 4.4 for a third.
    """

    g_channels: tuple[int, ...] = (128, 64, 32)
    d_channels: tuple[int, ...] = (32, 64)
    slope: float = 0.1
    loss: LossName = "hinge"
    dropout: float = 0.0
    lr: float = 5e-4
    power_iterations: Annotated[Count, "steps of the power method per pass, for D's largest singular values"] = 1


class SNGAN(DCGAN):
    """A GAN of convolutions whose discriminator is spectrally normalised.

    >>> tg.models.SNGAN(tg.models.SNGANConfig(latent_dim=16)).sample(2).shape
    (2, 28, 28, 1)
    """

    name = "sngan"
    Config = SNGANConfig
    defaults: ClassVar = {"data": "digits", "steps": 4000, "batch": 64}

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The DCGAN's layers, those with weights spectrally normalised."""
        n = self.config.power_iterations

        def normed(layer: Any) -> layers.Module:
            return layers.SpectralNorm(layer, n, rng) if hasattr(layer, "w") else layer

        return [normed(layer) for layer in super().discriminator(rng)]
