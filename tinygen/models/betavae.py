"""The beta-VAE: Higgins et al. 2017. A large beta makes each latent stand for one factor, apart from the others.

    minimise  E_q(z|x) [-log p(x|z)] + beta(t) · KL(q(z|x) ‖ N(0, 1)),    beta(t) = beta · min(1, t / anneal_steps)

or, with a capacity C, in nats, Burgess et al. 2018 (eq. 8, where beta is called gamma):

    minimise  E_q(z|x) [-log p(x|z)] + beta · |KL(q(z|x) ‖ N(0, 1)) - C(t)|,     C(t) = C · min(1, t / anneal_steps)

t counts the steps taken. While beta(t) is small all latents carry information; as it rises, the least useful lose it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from .. import ops, parallel
from ..fields import Limits, NonNegative
from ..tensor import Tensor
from ..tracing import per_step
from .convvae import ConvVAE, ConvVAEConfig


@dataclass(frozen=True)
class BetaVAEConfig(ConvVAEConfig):
    """The hyperparameters. beta = 4 is that of Higgins et al. 2017 (section 4), 10 latents and 4x4 kernels those of
    Burgess et al. 2018 (appendix A.1). They have four layers of 32 channels and two of 256 features; here the first
    layer, which costs most, is narrower and there is one of 128 features, so that a run takes minutes; and Adam(1e-3)
    in place of 5e-4, as there are far fewer steps. With weights from "he" they learn several times as fast.
    """

    data_shape: tuple[int, ...] = (64, 64, 3)
    latent_dim: int = 10
    channels: tuple[int, ...] = (16, 32, 32, 64)
    hidden: tuple[int, ...] = (128,)
    kernel_size: int = 4
    weight_init: str = "he"
    beta: float = 4.0
    anneal_steps: Annotated[int, Limits(0), "steps over which beta, or the capacity, rises from 0; 0: no rise"] = 1000
    capacity: Annotated[
        NonNegative,
        "C, the KL in nats that the latents reach in the end; 0: the loss of Higgins et al. 2017. With a capacity, "
        "beta should be large (1000 in Burgess et al. 2018)",
    ] = 0.0


class BetaVAE(ConvVAE):
    """A VAE of convolutions whose latents come to stand for one factor each.

    A heavier KL term makes them.

    >>> model = tg.models.BetaVAE(tg.models.BetaVAEConfig(beta=8.0))
    >>> model.codes(np.zeros((2, 64, 64, 3), np.float32)).shape
    (2, 10)
    """

    name = "betavae"
    Config = BetaVAEConfig
    defaults: ClassVar = {"data": "sixfactors", "steps": 2000, "batch": 64}

    def weighted(self, kl: Tensor) -> Tensor:
        """The KL term of the loss at this step."""
        c = self.config
        risen = per_step(self.risen)
        if c.capacity:
            return c.beta * ops.abs(parallel.mean(kl) - c.capacity * risen)
        return c.beta * risen * kl

    def risen(self) -> float:
        """How far beta, or C, has risen at this step: from 0 to 1."""
        steps = self.config.anneal_steps
        return min(1.0, self.opt.t / steps) if steps else 1.0

    def drawings(self) -> tuple[str, ...]:
        return (*super().drawings(), "traversals")
