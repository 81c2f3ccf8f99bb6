"""The Wasserstein GAN with gradient penalty: Gulrajani et al. 2017.

    min_D  E D(G(z)) - E D(x) + λ E (n - 1)²,   min_G  -E D(G(z))        (eq. 3)
    n = ‖∇D(x̂)‖ at x̂ = x + t (G(z) - x), t ~ U(0, 1): a point between a real and a fake example

The best 1-Lipschitz critic has n = 1 almost everywhere on these lines (proposition 1). The penalised one is a little
steeper: the best of all multiples s·D has d/ds [-s · gap + λ E (s n - 1)²] = 0 at s = 1, with gap = E D(x) - E D(G(z)),
so E (n - 1) n = gap / 2λ. Both sides are logged; where they agree, the critic has found its scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from .. import ops
from ..backend import Array
from ..fields import Positive
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from .gan import GAN, GANConfig, plane
from .penalties import slopes
from .steps import Loss


@dataclass(frozen=True)
class WGANGPConfig(GANConfig):
    """The hyperparameters. The defaults are those of the paper: λ = 10 and five steps of the critic (algorithm 1),
    Adam(1e-4, 0.5, 0.9) (its code for images; algorithm 1 has beta1 = 0), batches of 64, no batch norm in the critic,
    as n is defined for each example alone. The networks are those of the GAN here.
    """

    loss: Literal["wasserstein"] = "wasserstein"
    gp: Annotated[Positive, "the weight λ of the penalty on the critic's slope n"] = 10.0
    penalty: Annotated[
        Literal["two-sided", "one-sided"], "the penalty: (n - 1)² or, one-sided, (max(0, n - 1))² (section 4)"
    ] = "two-sided"
    d_steps: int = 5
    lr: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.9


class WGANGP(GAN):
    """A Wasserstein GAN of dense layers, with the slope of D kept near 1.

    >>> tg.models.WGANGP(tg.models.WGANGPConfig(latent_dim=16)).sample(2).shape
    (2, 28, 28, 1)
    """

    name = "wgangp"
    Config = WGANGPConfig
    presets: ClassVar = {"plane": plane(2000, gp=0.1)}  # λ as in the paper's code for points
    defaults: ClassVar = {"data": "digits", "steps": 3000, "batch": 64}

    def loss_D(self, x: Array, fake: Tensor, *y: Array) -> Loss:
        """The penalty minus the gap; its metrics compare the critic's slope with that at the best scale."""
        c, (value, _, named) = self.config, super().loss_D(x, fake, *y)
        t = self.rng.uniform((len(x), *[1] * (x.ndim - 1)), dtype=x.dtype)
        x_hat = Tensor(x + t * (fake.data - x)).requires_grad_()
        n = slopes(self.D, x_hat, *y)
        excess = n - 1 if c.penalty == "two-sided" else ops.relu(n - 1)
        with no_grad():
            gap = ops.mean(named["D(x)"]) - ops.mean(named["D(G(z))"])
            metrics = {"slope": ops.mean(n), "(n-1)n": ops.mean(excess * n), "gap/2λ": gap / (2 * c.gp)}
        return Loss(value + c.gp * ops.mean(excess * excess), metrics, {**named, "x̂": x_hat})

    def observe(self, x: Array, fake: Array, *y: Array) -> dict[str, Tensor]:
        """D's slopes between real and fake images, always at the same t."""
        t = Generator(0, "recorder/t").uniform((len(x), *[1] * (x.ndim - 1)))
        return {"slopes": slopes(self.D, x + t * (fake - x), *y)}
