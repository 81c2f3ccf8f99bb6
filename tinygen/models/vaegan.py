"""The VAE-GAN: Larsen et al. 2016. The decoder is a GAN's generator, and D's features measure how alike two images are.

    E lowers  beta · KL(q(z|x) ‖ N(0, 1)) + L_llike,      q(z|x) = N(mu(x), e^logvar(x)),  z ~ q(z|x),  z_p ~ N(0, 1)
    G lowers  gamma · L_llike + L_G(D(G(z)), D(G(z_p)))
    D lowers  L_D(D(x), D(G(z)), D(G(z_p)))

    L_llike = -E log p(D_l(x)|z) = ½ ‖D_l(x) - D_l(G(z))‖², D_l the features of a layer of D                     (eq. 7)

All three losses are computed before any network steps, as in algorithm 1. D does not learn from L_llike, nor E from
the GAN's losses (section 2.3.1). Two differences: reconstructions and samples count half each, so that real and fake
images weigh the same, where the paper sums the three terms; and G raises log D instead of lowering log(1 - D).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from .. import layers, losses, ops
from ..backend import Array
from ..fields import Count, Counts, NonNegative
from ..random import Generator
from ..tensor import Tensor
from .convvae import convolutions, smallest_maps
from .dcgan import DCGAN, DCGANConfig
from .networks import Activation, WeightInit, initial, make_optimizer, mlp
from .steps import Loss, Step, nothing, take_together
from .vae import GaussianEncoder


@dataclass(frozen=True)
class VAEGANConfig(DCGANConfig):
    """The hyperparameters. The defaults are a small form of Larsen et al. 2016 (table 1) for digits: ReLU
    in E and G, batch norm in G, fewer layers of fewer channels with 4x4 kernels, and Adam(5e-4, 0.5), which learns
    faster than the paper's RMSprop(3e-4); D without batch norm, so that an image's features depend on it alone.
    """

    latent_dim: Annotated[int, "how many numbers the latent z has"] = 16
    e_channels: Annotated[
        Counts, "the channels of the encoder's maps, each half as wide and high as the ones before"
    ] = (32, 64)
    g_channels: tuple[int, ...] = (64, 32)
    d_channels: tuple[int, ...] = (32, 64)
    kernel_size: int = 4
    g_activation: Activation = "relu"
    slope: float = 0.2
    bn_momentum: float = 0.9
    bn_eps: float = 1e-5
    weight_init: WeightInit = "glorot"
    dropout: float = 0.0
    similarity: Annotated[
        Literal["learned", "pixels"],
        "L_llike: learned, by D's features, or pixels, ½ ‖x - G(z)‖², the plain sum of a VAE and a GAN",
    ] = "learned"
    feature_layer: Annotated[
        Count, "which of D's convolutions gives the features, counted from the last, 1; beyond the first, the image"
    ] = 1
    gamma: Annotated[NonNegative, "the weight of L_llike for G, relative to D's verdict"] = 0.01
    beta: Annotated[
        NonNegative,
        "the weight of the KL term, 1 in the paper. Less, say 0.1, gives closer reconstructions but no better samples",
    ] = 1.0
    lr: Annotated[float, "the learning rate of the encoder and G, and of D unless d_lr is given"] = 5e-4


class VAEGAN(GaussianEncoder, DCGAN):
    """An autoencoder judged by the D of a GAN; it samples as a GAN does.

    >>> model = tg.models.VAEGAN(tg.models.VAEGANConfig(latent_dim=16))
    >>> model.codes(np.zeros((2, 28, 28, 1), np.float32)).shape
    (2, 16)
    """

    name = "vaegan"
    Config: ClassVar[type] = VAEGANConfig
    defaults: ClassVar = {"data": "digits", "steps": 1800, "batch": 64}

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/encoder")
        maps = convolutions(c.data_shape, c.e_channels, c.kernel_size, c.g_activation, **initial(c, rng))
        widths = (math.prod(smallest_maps(c.data_shape, c.e_channels)), 2 * c.latent_dim)
        self.encoder = layers.Sequential(*maps, layers.Flatten(), *mlp(widths, c.g_activation, **initial(c, rng)))
        self.inputs["encoder"] = c.data_shape
        self.opt_E = make_optimizer(c, self.encoder.parameters())
        ends = [0, *(i + 1 for i, layer in enumerate(self.D) if isinstance(layer, layers.LeakyReLU))]
        self.cut = 0 if c.similarity == "pixels" else ends[-min(c.feature_layer, len(ends))]

    def steps(self, batch: Any) -> list[Step]:
        """D alone d_steps - 1 times; then E, D and G: Larsen et al. 2016, algorithm 1."""
        *ahead, (x,) = self.split_batch(batch)
        alone = [self.steps_down(early)[1] for (early,) in ahead]
        return [*alone, *self.steps_down(x)]

    def steps_down(self, x: Array) -> list[Step]:
        """A step of the encoder, of D and of G; their losses come from one pass, made when the first is asked for."""
        losses = functools.cache(functools.partial(self.losses, x))
        networks = {"E": self.encoder, "G": self.G, "D": self.D}
        optimizers = {"E": self.opt_E, "G": self.opt_G, "D": self.opt_D}

        def step(name: str, then: Callable[[], None] = nothing) -> Step:
            others = {other: network for other, network in networks.items() if other != name}

            def loss() -> Loss:
                return losses()[name]

            return Step(name, loss, {name: networks[name]}, optimizers[name], others, then)

        return [step("E"), step("D"), step("G", then=self.average)]

    def train_step(self, batch: Any) -> dict[str, Tensor]:
        """Compute all three losses before the first network steps."""
        *ahead, E, D, G = self.steps(batch)
        for step in ahead:
            step.take()
        of_E, of_D, of_G = take_together([E, D, G])
        return self.measured([(E, of_E), (G, of_G), (D, of_D)])

    def losses(self, x: Array) -> dict[str, Loss]:
        """The losses of the three networks on a batch, from one pass."""
        c, drawn = self.config, self.draw_posterior(x)
        copy = self.G(drawn["z"])
        z_p = self.noise(len(x))
        fake = self.G(z_p)
        x = self.augmented(x)
        (like_x, real), (like_copy, copied), (_, faked) = map(
            self.features_and_score, (x, self.augmented(copy), self.augmented(fake))
        )
        kl = losses.gaussian_kl(drawn["mu"], drawn["logvar"])
        likelihood = losses.mse(like_copy, like_x, "sum") * (0.5 / len(x))
        scores = ops.concatenate([copied, faked])
        named = {**drawn, "z_p": z_p, "G(z)": fake, "reconstruction": likelihood, "KL": c.beta * kl}
        metrics = {"kl": kl.detach(), "likelihood": likelihood.detach()}
        return {
            "E": Loss(named["KL"] + likelihood, metrics, named),
            "G": Loss(c.gamma * likelihood + self.game.G(scores), named={**named, "D(G(z))": faked}),
            "D": Loss(self.loss_of_scores(real, scores, x), named={**named, "D(x)": real, "D(G(z))": scores}),
        }

    def features_and_score(self, x: Any) -> tuple[Any, Tensor]:
        """D's features of images, for comparing them, and its scores, in one pass."""
        features = x
        for i, layer in enumerate(self.D):
            x = layer(x)
            features = x if i + 1 == self.cut else features
        return features, x

    def decode(self, z: Array) -> Array:
        """G(z), drawn as in `sample`."""
        return self.draw(z)
