"""Super-resolution: Ledig et al. 2017. A residual network G makes images larger, and a GAN makes them sharp.

    SRResNet   G lowers  mse(G(z), x),   z the means of scale x scale pixels of x
    SRGAN      G lowers  mse(G(z), x) + content · L_content + adversarial · L_G(D(G(z)))                       (eq. 3)
               D lowers  L_D(D(x), D(G(z)))

    L_content = mean (φ(G(z)) - φ(x))² / mean φ(x)²,  φ: a network that knows such images                      (eq. 5)

The squared error is least at the mean of all images that z fits, which is blurred; D tells that mean from an image. The
first `warmup` steps are the SRResNet's, as G must begin with it (section 3.2). Where the paper compares φ alone, the
squared error of pixels stays: φ is small here, and does not see all that the eye sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from .. import init, layers, losses, ops, parallel
from ..backend import Array
from ..errors import ConfigError, DataError
from ..fields import Count, Limits, NonNegative
from ..losses import GAN_LOSSES
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from ..tracing import variant
from .base import ModelConfig
from .convvae import convolutions, smallest_maps
from .dcgan import check_images
from .gan import LossName
from .networks import ChannelsOfD, KeptMean, Momentum, NormEps, RateOfD, Slope, WeightInit, initial, make_optimizer
from .restoring import Restoring
from .steps import Loss, Step


@dataclass(frozen=True)
class SRGANConfig(ModelConfig):
    """The hyperparameters. The defaults are a small form of Ledig et al. 2017 (figure 4, section 3.2) for digits of
    7x7 pixels: 4 blocks of 32 channels instead of 16 of 64, 3x3 kernels everywhere, D of two convolutions of stride 2
    without batch norm; PReLU, LeakyReLU(0.2) and beta1 are the paper's. lr is 1e-3 instead of 1e-4, as the steps are
    few. The mean of G's weights takes the place of the paper's lower rate in the end. Convolutions before a pixel
    shuffle begin as nearest neighbours (init.icnr). φ are the second convolution's maps of the classifier of digits,
    for 28x28 grey images, or of the judge of drawn faces, for squares of 32, 64, ... in colour. For all other sizes
    L_content is 0.
    """

    scale: Annotated[
        int, Limits(2), "how many times larger G makes images; the sides of the true ones must be multiples of it"
    ] = 4
    blocks: Annotated[Count, "residual blocks in G"] = 4
    channels: Annotated[Count, "the channels of G's maps"] = 32
    d_channels: ChannelsOfD = (32, 64)
    slope: Slope = 0.2
    batch_norm: Annotated[
        bool,
        "batch norm in G. If its running statistics don't fit an image, dots appear in it (Wang et al. 2018): set this "
        "to false",
    ] = True
    bn_momentum: Momentum = 0.9
    bn_eps: NormEps = 1e-5
    weight_init: WeightInit = "glorot"
    warmup: Annotated[
        int, Limits(0), "how many steps lower the squared error alone; all of them with adversarial=0, the SRResNet"
    ] = 300
    content: Annotated[
        NonNegative,
        "the weight of L_content, which is for digits and drawn faces: 0 for other images of 28x28 or of 32x32, "
        "64x64, ...",
    ] = 0.01
    adversarial: Annotated[NonNegative, "the weight of L_G; 0 trains without D"] = 0.01
    loss: LossName = "nonsaturating"
    ema: KeptMean = 0.99
    d_lr: RateOfD = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.data_shape)
        if any(n % self.scale for n in self.data_shape[:2]):
            raise ConfigError(
                f"data_shape is {self.data_shape}, but scale={self.scale} takes images whose sides are multiples of "
                f"{self.scale}; choose another size of the data, or another scale"
            )


class SRGAN(Restoring):
    """Super-resolution by a residual network, made sharp by a GAN.

    Alone, the network is the SRResNet.

    >>> model = tg.models.SRGAN(tg.models.SRGANConfig())
    >>> model.translate(np.zeros((1, 7, 7, 1), np.float32)).shape
    (1, 28, 28, 1)
    """

    name = "srgan"
    Config: ClassVar[type] = SRGANConfig
    defaults: ClassVar = {"data": "digits", "steps": 1200, "batch": 32}

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/init")
        height, width, channels = c.data_shape
        self.G = layers.Sequential(*self.generator(rng))
        self.inputs = {"G": (height // c.scale, width // c.scale, channels)}
        self.opt_G = make_optimizer(c, self.G.parameters())
        self.keep_mean()
        self.D: Any = None
        if c.adversarial:
            self.D = layers.Sequential(*self.discriminator(rng))
            self.inputs["D"] = c.data_shape
            self.opt_D = make_optimizer(c, self.D.parameters(), c.d_lr)
            self.game: Any = GAN_LOSSES[c.loss]
        self.maps = self._maps() if c.adversarial and c.content else None

    def _maps(self) -> Any:
        """φ, if there is one for such images."""
        from ..judges import maps_for  # judges load what training needs, which a model alone does not

        return maps_for(self.config.data_shape)

    def generator(self, rng: Generator) -> list[layers.Module]:
        """The layers of G: residual blocks at the small size, in one long skip; then pixel shuffles up to the image."""
        c, n = self.config, self.config.channels

        options = initial(c, rng)

        def conv(n_in: int, n_out: int, **others: Any) -> layers.Module:
            return layers.Conv(n_in, n_out, 3, **{**options, **others})

        def normed() -> list[layers.Module]:
            if not c.batch_norm:
                return [conv(n, n)]
            return [conv(n, n, bias=False), layers.BatchNorm(n, c.bn_momentum, c.bn_eps)]

        first = [conv(c.data_shape[-1], n), layers.PReLU()]
        blocks = [layers.Skip(*normed(), layers.PReLU(), *normed()) for _ in range(c.blocks)]
        growth = list[layers.Module]()
        for r in prime_factors(c.scale):
            growth += [conv(n, n * r * r, weight_init=init.icnr(r)), layers.PixelShuffle(r), layers.PReLU()]
        return [*first, layers.Skip(*blocks, *normed()), *growth, conv(n, c.data_shape[-1]), layers.Sigmoid()]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The layers of D: convolutions of stride 2, and a score of the smallest maps."""
        c, options = self.config, initial(self.config, rng)
        maps = convolutions(c.data_shape, c.d_channels, 3, "leaky_relu", c.slope, **options)
        features = math.prod(smallest_maps(c.data_shape, c.d_channels))
        return [*maps, layers.Flatten(), layers.Dense(features, 1, **options)]

    # How it learns

    def warming_up(self) -> bool:
        """Whether the next step lowers the squared error alone."""
        return self.D is None or self.opt_G.t < self.config.warmup

    def train_step(self, batch: Any) -> dict[str, Tensor]:
        """Take the SRResNet's step during the warm-up, then those of the GAN."""
        steps = [self.step_pixels(*self.checked(batch))] if variant(self.warming_up) else self.list_steps(batch)
        return self.measured((step, step.take()) for step in steps)

    def steps(self, batch: Any) -> list[Step]:
        """The steps after the warm-up: D learns to tell images from G's, then G to fool it and to stay near the image.

        Without a GAN, the SRResNet's.
        """
        (x,) = self.checked(batch)
        return [self.step_pixels(x)] if self.D is None else [self.step_D(x), self.step_G(x)]

    def step_pixels(self, x: Array) -> Step:
        """G learns the mean of all images that its input fits."""

        def loss() -> Loss:
            z = self.degrade(x)
            fake = self.G(z)
            error = losses.mse(fake, x)
            return Loss(error, self.likeness(error, z, x), {"x": x, "z": z, "G(z)": fake})

        return Step("G", loss, {"G": self.G}, self.opt_G, then=self.average)

    def step_D(self, x: Array) -> Step:
        """D learns to tell images x from G's; G is fixed."""

        def loss() -> Loss:
            z = self.degrade(x)
            fake = self.G(z)
            real_score, fake_score = ops.split(self.D(ops.concatenate([x, fake])), 2)
            named = {"x": x, "z": z, "G(z)": fake, "D(x)": real_score, "D(G(z))": fake_score}
            return Loss(self.game.D(real_score, fake_score), named=named)

        return Step("D", loss, {"D": self.D}, self.opt_D, frozen={"G": self.G})

    def step_G(self, x: Array) -> Step:
        """G learns to be near x, in pixels and as φ sees it, and to pass for an image with D, which stays fixed."""

        def loss() -> Loss:
            c, z = self.config, self.degrade(x)
            fake = self.G(z)
            score, error = self.D(fake), losses.mse(fake, x)
            value = error + c.adversarial * self.game.G(score) + c.content * self.content(fake, x)
            return Loss(value, self.likeness(error, z, x), {"x": x, "z": z, "G(z)": fake, "D(G(z))": score})

        return Step("G", loss, {"G": self.G}, self.opt_G, frozen={"D": self.D}, then=self.average)

    def content(self, fake: Any, x: Array) -> Any:
        """L_content, relative to the size of φ(x); 0 without φ."""
        if self.maps is None:
            return 0.0
        seen = self.maps(x)
        return losses.mse(self.maps(fake), seen) / parallel.mean(ops.mean(seen * seen))

    def score(self, x: Any) -> Any:
        """D's score of each image."""
        return self.D(x)

    # What it makes

    @property
    def accepts(self) -> tuple[int | None, ...]:
        return None, None, self.config.data_shape[-1]

    def degrade(self, x: Array) -> Array:
        """The means of scale x scale pixels. Raises DataError unless the sides are multiples of scale."""
        if any(n % self.config.scale for n in x.shape[1:3]):
            raise DataError(
                f"{self.name}: the images are {x.shape[1]}x{x.shape[2]}, but their sides must be multiples of "
                f"{self.config.scale}, the scale"
            )
        return ops.avg_pool2d(x, self.config.scale)

    def plain(self, x: Array) -> Array:
        """Small images x (N, h, w, C) by bicubic enlargement."""
        size = x.shape[1] * self.config.scale, x.shape[2] * self.config.scale
        return ops.clip(ops.resize(x, size, "bicubic"), 0.0, 1.0)

    @no_grad()
    def translate(self, x: Array) -> Array:
        """Small images x (N, h, w, C), of any size, `scale` times as large, with batch norm's running statistics."""
        G = self.drawing_G
        with layers.evaluating(G):
            return G(x).data


def prime_factors(n: int) -> list[int]:
    """The prime factors of n, the least first."""
    for p in range(2, math.isqrt(n) + 1):
        if n % p == 0:
            return [p, *prime_factors(n // p)]
    return [n]
