"""Inpainting: the context encoder of Pathak et al. 2016. G fills a hole in an image by what is around it.

    G lowers  L2 + ring · L2 of a frame around the hole + adversarial · L_G(D(fill of G(z, M)))                (eq. 3)
    D lowers  L_D(D(fill of x), D(fill of G(z, M))) + r1/2 E ‖∇D(fill of x)‖²

    L2 = mean over the hole of (G(z, M) - x)²,  M: 1 in the hole, else 0;  z: x with grey in the hole          (eq. 1)

The squared error is least at the mean of all fills that suit the rest: where that doesn't tell a smile, all faces get
the same mouth; their smiles spread 6% as far as true ones, with D 70%. D sees the fill alone, so that the fill must be
good, and with it a strip of what is around, in which a seam would show, as in the paper's overlap. Of what G makes,
only the fill is kept.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from .. import layers, losses, ops
from ..backend import Array, to_device
from ..checks import as_array
from ..errors import ConfigError, DataError
from ..fields import Count, Counts, Limits, NonNegative
from ..losses import GAN_LOSSES
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from ..tracing import variant
from .base import ModelConfig
from .convvae import convolutions, smallest_maps
from .dcgan import check_images, growth, halvings
from .gan import LossName
from .networks import (
    ChannelsOfD,
    ChannelsOfEncoder,
    KeptMean,
    Momentum,
    NormEps,
    PenaltyEvery,
    RateOfD,
    Slope,
    SlopePenalty,
    WeightInit,
    check_batch_norm,
    initial,
    make_optimizer,
)
from .penalties import r1_penalty
from .restoring import Restoring, psnr
from .steps import Loss, Step

GREY = 0.5  # what G sees in a hole


@dataclass(frozen=True)
class InpaintConfig(ModelConfig):
    """The hyperparameters. The plan is that of Pathak et al. 2016 (figure 9) in small, for drawn faces: an encoder of
    32-64-128 channels with 4x4 kernels of stride 2, a dense bottleneck of 128 and its mirror image as decoder, batch
    norm, and D of 32-64 channels. The paper's weights are .999 and .001 for images in [-1, 1]; these were measured.
    """

    data_shape: Counts = (32, 32, 3)
    hole: Annotated[
        Counts,
        "its top, left, height and width; the default is the mouth of sixfactors at 32x32. Pixels must remain "
        "all around",
    ] = (17, 8, 12, 16)
    e_channels: ChannelsOfEncoder = (32, 64, 128)
    bottleneck: Annotated[Count, "features between the encoder and the decoder"] = 128
    d_channels: ChannelsOfD = (32, 64)
    slope: Slope = 0.2
    batch_norm: Annotated[bool, "batch norm in G"] = True
    bn_momentum: Momentum = 0.9
    bn_eps: NormEps = 1e-5
    weight_init: WeightInit = "glorot"
    adversarial: Annotated[NonNegative, "the weight of L_G; 0 trains without D, by the squared error alone"] = 0.05
    ring: Annotated[
        NonNegative, "the weight of the squared error in the frame around the hole, so that the fill continues it"
    ] = 0.1
    frame: Annotated[Count, "the width of this frame, in pixels"] = 2
    seen: Annotated[int, Limits(0), "the width of the strip around the fill that D sees, in pixels"] = 2
    loss: LossName = "nonsaturating"
    r1: SlopePenalty = 0.1
    r1_every: PenaltyEvery = 4
    ema: KeptMean = 0.98
    d_lr: RateOfD = 2e-3
    beta1: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.data_shape)
        if not self.e_channels:
            raise ConfigError("e_channels is empty, but the encoder needs the channels of at least its first maps")
        if len(self.hole) != 4:
            raise ConfigError(f"hole is {self.hole}, but it must be (top, left, height, width)")
        top, left, height, width = self.hole
        if top + height >= self.data_shape[0] or left + width >= self.data_shape[1]:
            raise ConfigError(
                f"hole is {self.hole}, (top, left, height, width), but in images {self.data_shape} it must leave a "
                "pixel or more on each side; choose another hole, or another size of the data"
            )


class Inpaint(Restoring):
    """An encoder and a decoder that fill a hole, and a D that judges it.

    >>> model = tg.models.Inpaint(tg.models.InpaintConfig())
    >>> model.translate(np.zeros((2, 32, 32, 3), np.float32)).shape
    (2, 32, 32, 3)
    """

    name = "inpaint"
    Config: ClassVar[type] = InpaintConfig
    defaults: ClassVar = {"data": "sixfactors", "size": 32, "steps": 1400, "batch": 32}

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/init")
        *size, channels = c.data_shape
        mask = np.zeros((1, *size, 1), np.float32)
        self.around(mask)[...] = 1
        self.mask = to_device(mask)
        self.G = layers.Sequential(*self.generator(rng))
        self.inputs = {"G": (*size, channels + 1)}
        self.opt_G = make_optimizer(c, self.G.parameters())
        self.keep_mean()
        self.D: Any = None
        if c.adversarial:
            self.D = layers.Sequential(*self.discriminator(rng))
            self.inputs["D"] = (*self.window, channels)
            self.opt_D = make_optimizer(c, self.D.parameters(), c.d_lr)
            self.game: Any = GAN_LOSSES[c.loss]

    def generator(self, rng: Generator) -> list[layers.Module]:
        """The layers of G: images with the mask as a further channel, (N, H, W, C + 1), to images."""
        c, options = self.config, initial(self.config, rng)

        def normed(features: int) -> list[layers.Module]:
            return [layers.BatchNorm(features, c.bn_momentum, c.bn_eps)] if c.batch_norm else []

        *size, channels = c.data_shape
        sizes = halvings((size[0], size[1]), len(c.e_channels))
        network = list[layers.Module]()
        for fewer, more in itertools.pairwise((channels + 1, *c.e_channels)):
            first = not network
            network.append(layers.Conv(fewer, more, 4, 2, **options))
            network += [*([] if first else normed(more)), layers.LeakyReLU(c.slope)]
        smallest = *sizes[-1], c.e_channels[-1]
        features = math.prod(smallest)
        network += [layers.Flatten(), layers.Dense(features, c.bottleneck, **options), *normed(c.bottleneck)]
        network += [layers.ReLU(), layers.Dense(c.bottleneck, features, **options), layers.Reshape(smallest)]
        sizes = sizes[::-1]
        for i, (more, fewer) in enumerate(itertools.pairwise((*c.e_channels[::-1], channels))):
            network += [*normed(more), layers.ReLU()]
            network.append(layers.ConvTranspose(more, fewer, 4, **growth(sizes[i], sizes[i + 1]), **options))
        return [*network, layers.Sigmoid()]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The layers of D: the fill and the strip around it to a score, (N, 1)."""
        c, options, shape = self.config, initial(self.config, rng), (*self.window, self.config.data_shape[-1])
        maps = convolutions(shape, c.d_channels, 4, "leaky_relu", c.slope, **options)
        return [*maps, layers.Flatten(), layers.Dense(math.prod(smallest_maps(shape, c.d_channels)), 1, **options)]

    @property
    def window(self) -> tuple[int, int]:
        """The height and width of what D sees."""
        rows, columns = self.place(self.config.seen)
        return rows.stop - rows.start, columns.stop - columns.start

    def check_batch(self, batch: int) -> None:
        check_batch_norm(self, batch)

    # How it learns

    def steps(self, batch: Any) -> list[Step]:
        """D learns to tell fills from G's, then G to fool it and to stay near the image; without a game, G alone."""
        (x,) = self.checked(batch)
        return [self.step_G(x)] if self.D is None else [self.step_D(x), self.step_G(x)]

    def step_D(self, x: Array) -> Step:
        """D learns to tell what was in the hole of images x from what G puts there; G is fixed."""

        def loss() -> Loss:
            c, z, real = self.config, self.degrade(x), self.around(x, self.config.seen)
            fake = pasted(self.G(self.with_mask(z, self.mask)), z, self.mask)
            scores = self.D(ops.concatenate([real, self.around(fake, c.seen)]))
            real_score, fake_score = ops.split(scores, 2)
            value = self.game.D(real_score, fake_score)
            if c.r1 and variant(self.r1_due):
                value = value + 0.5 * c.r1 * c.r1_every * r1_penalty(self.D, real)
            return Loss(value, named={"x": x, "z": z, "G(z)": fake, "D(x)": real_score, "D(G(z))": fake_score})

        return Step("D", loss, {"D": self.D}, self.opt_D, frozen={"G": self.G})

    def r1_due(self) -> bool:
        """Whether the penalty on D's slope is taken at this step of D: at the first, and each r1_every after it."""
        return self.opt_D.t % self.config.r1_every == 0

    def step_G(self, x: Array) -> Step:
        """G learns to be near x in the hole and the frame and, if there is a game, to pass for real with D."""

        def loss() -> Loss:
            c, z = self.config, self.degrade(x)
            made = self.G(self.with_mask(z, self.mask))
            fake, squares = pasted(made, z, self.mask), (made - x) * (made - x)
            error, frame = ops.mean(self.around(squares)), ops.mean(self.framing(squares))
            value, named = error + c.ring * frame, {"x": x, "z": z, "G(z)": fake}
            if self.D is not None:
                named["D(G(z))"] = self.D(self.around(fake, c.seen))
                value = value + c.adversarial * self.game.G(named["D(G(z))"])
            return Loss(value, self.likeness(error, z, x), named)

        frozen = {} if self.D is None else {"D": self.D}
        return Step("G", loss, {"G": self.G}, self.opt_G, frozen=frozen, then=self.average)

    def score(self, x: Any) -> Any:
        """D's score of what is in and around the hole of each image."""
        return self.D(self.around(x, self.config.seen))

    # Where the hole is

    def place(self, margin: int = 0) -> tuple[slice, slice]:
        """The rows and columns of the hole and of so many pixels around it."""
        sides = zip(self.config.hole[:2], self.config.hole[2:], self.config.data_shape, strict=False)
        rows, columns = (slice(max(i - margin, 0), min(i + n + margin, end)) for i, n, end in sides)
        return rows, columns

    def around(self, x: Any, margin: int = 0) -> Any:
        """Of images (N, H, W, C), the hole and so many pixels around it."""
        rows, columns = self.place(margin)
        return x[:, rows, columns]

    def framing(self, x: Any) -> Any:
        """The mean of each channel of images x over the frame around the hole: (N, 1, 1, C)."""
        inside, outside = self.around(x), self.around(x, self.config.frame)
        n, more = (math.prod(part.shape[1:3]) for part in (inside, outside))
        total = ops.sum(outside, (1, 2), keepdims=True) - ops.sum(inside, (1, 2), keepdims=True)
        return total * (1 / (more - n))

    @property
    def remade(self) -> tuple[slice, slice]:
        """The rows and columns of the hole."""
        return self.place()

    # What it makes

    def with_mask(self, z: Any, mask: Any) -> Any:
        """What G sees: images with a hole, and the mask as a further channel."""
        return ops.concatenate([z, ops.broadcast_to(mask, (*z.shape[:3], 1))], -1)

    def degrade(self, x: Array) -> Array:
        """Images x with grey in the hole."""
        return pasted(GREY, x, self.mask)

    def plain(self, x: Array) -> Array:
        """Images x with the mean colour of the frame in the hole."""
        return pasted(self.framing(x), x, self.mask)

    @no_grad()
    def translate(self, x: Array, mask: Any = None) -> Array:
        """Images x (N, H, W, C), of the size of the data, with the hole filled, by batch norm's running statistics.

        mask: (N or 1, H, W, 1), true in another hole, which may have any shape; G is at its best with its own. Raises
        DataError for a mask of another shape.
        """
        G, hole = self.drawing_G, self.mask
        if mask is not None:
            mask = as_array(self.name, "mask", mask)
            if mask.shape[1:] != hole.shape[1:] or mask.shape[0] not in (1, len(x)):
                raise DataError(
                    f"{self.name}: mask is {tuple(mask.shape)}, but it must be (N or 1, {str(hole.shape[1:])[1:]}"
                )
            hole = to_device(mask).astype(bool).astype(x.dtype)
        with layers.evaluating(G):
            return pasted(G(self.with_mask(pasted(GREY, x, hole), hole)).data, x, hole)

    @no_grad()
    def likeness(self, error: Any, z: Array, x: Array) -> dict[str, Tensor]:
        """The metrics of a step, in the hole: the PSNR for this mean squared error, and that of plain(z)."""
        return {"psnr": psnr(error), "psnr_plain": psnr(losses.mse(self.around(self.plain(z)), self.around(x)))}


def pasted(fill: Any, x: Any, mask: Any) -> Any:
    """Images x with those of a fill where the mask is 1."""
    return x * (1 - mask) + fill * mask
