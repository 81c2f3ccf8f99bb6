"""The Wasserstein GAN: Arjovsky, Chintala and Bottou 2017.

    min_G max_D  E D(x) - E D(G(z)),   every weight of D in [-clip, clip]        (eq. 2, 3)

D is a critic: it gives a score, not a probability, and clipping bounds its slope: it is K-Lipschitz for some K. Its
gap, E D(x) - E D(G(z)), estimates K times the earth mover's distance: it falls as the samples get better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from .. import ops
from ..backend import Array
from ..fields import Positive
from .base import OptimizerName
from .gan import GAN, GANConfig, plane
from .presets import Preset
from .steps import Step


@dataclass(frozen=True)
class WGANConfig(GANConfig):
    """The hyperparameters. The defaults are those of the paper's algorithm 1: RMSProp, clipping at 0.01, five steps of
    the critic for each step of G, batches of 64; beta2, RMSProp's alpha, is from its code (PyTorch's default). The
    learning rate is five times the paper's: after 2,000 steps at 5e-5 (preset "paper") there are no digits yet, and the
    FID is 25; at 2.5e-4 it is 4, at 5e-4 it is 6. The networks are those of the GAN here; like every D of dense layers,
    the critic has no batch norm.
    """

    loss: Literal["wasserstein"] = "wasserstein"
    clip: Annotated[Positive, "the bound of D's weights: each is kept in [-clip, clip]"] = 0.01
    d_steps: int = 5
    optimizer: OptimizerName = "rmsprop"
    lr: float = 2.5e-4
    beta2: float = 0.99


class WGAN(GAN):
    """A Wasserstein GAN of dense layers, with clipped weights.

    >>> tg.models.WGAN(tg.models.WGANConfig(latent_dim=16)).sample(2).shape
    (2, 28, 28, 1)
    """

    name = "wgan"
    Config = WGANConfig
    presets: ClassVar = {
        "paper": Preset("the learning rate of the paper", {"lr": 5e-5}),
        "plane": plane(2000, lr=5e-4, d_lr=0.0, clip=0.1),
    }
    defaults: ClassVar = {"data": "digits", "steps": 4000, "batch": 64}

    def step_D(self, x: Array, *y: Array) -> Step:
        """One step of D down its loss, and its weights clipped: algorithm 1, lines 5 to 7."""
        return replace(super().step_D(x, *y), then=self.clip)

    def clip(self) -> None:
        """Bring every weight of D back into [-clip, clip]."""
        for w in self.D.parameters():
            w.assign(ops.clip(w.data, -self.config.clip, self.config.clip))
