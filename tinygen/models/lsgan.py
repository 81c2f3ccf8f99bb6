"""The least squares GAN: Mao et al. 2017.

    min_D  ½ E (D(x) - b)² + ½ E (D(G(z)) - a)²,   min_G  ½ E (D(G(z)) - c)²        (eq. 2)

D learns the labels a of fake and b of real images; G learns to get the label c. Unlike the cross entropy's, the
gradient grows with the distance from the label: G also learns from fakes that D is sure of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from ..losses import least_squares
from .gan import GAN, GANConfig, plane


@dataclass(frozen=True)
class LSGANConfig(GANConfig):
    """The hyperparameters. The labels are the paper's 0-1 coding (eq. 9), as used for its images; a = -1, b = 1,
    c = 0 (eq. 8) makes the game the Pearson χ² divergence. The networks and Adam are those of the GAN here, where the
    paper has convolutions, so that the loss is all that differs.
    """

    loss: Literal["lsgan"] = "lsgan"
    a: Annotated[float, "the label of fake images"] = 0.0
    b: Annotated[float, "the label of real images; label_smoothing replaces it"] = 1.0
    c: Annotated[float, "the label that G aims for"] = 1.0


class LSGAN(GAN):
    """A GAN of dense layers with the least squares loss.

    >>> tg.models.LSGAN(tg.models.LSGANConfig(a=-1.0, b=1.0, c=0.0)).game
    GANLoss('lsgan': D lowers ½ (r − 1)² + ½ (s + 1)², G lowers ½ s²)
    """

    name = "lsgan"
    Config = LSGANConfig
    presets: ClassVar = {"plane": plane()}

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        self.game = least_squares(self.config.a, self.config.b, self.config.c)
