"""The GAN with the hinge loss: Lim and Ye 2017 (Geometric GAN), Tran et al. 2017.

    min_D  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))),   min_G  -E D(G(z))

D stops learning from examples that it scores beyond its margin of ±1, as a support vector machine does; G's gradient
never fades.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .gan import GAN, GANConfig, plane


@dataclass(frozen=True)
class HingeGANConfig(GANConfig):
    """The hyperparameters: those of the GAN here, so that the loss (Lim and Ye 2017, eq. 3) is all that differs."""

    loss: Literal["hinge"] = "hinge"


class HingeGAN(GAN):
    """A GAN of dense layers with the hinge loss.

    >>> tg.models.HingeGAN(tg.models.HingeGANConfig(latent_dim=16)).sample(2).shape
    (2, 28, 28, 1)
    """

    name = "hingegan"
    Config = HingeGANConfig
    presets: ClassVar = {"plane": plane()}
