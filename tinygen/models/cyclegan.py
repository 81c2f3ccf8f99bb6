"""The CycleGAN: Zhu et al. 2017. It learns to turn images x of one domain into those y of another, without pairs.

    G and F lower  (D_Y(G(x)) - 1)² + (D_X(F(y)) - 1)²  +  cycle · (|F(G(x)) - x| + |G(F(y)) - y|)
                                                        +  identity · (|G(y) - y| + |F(x) - x|)
    D_Y lowers     ½ (D_Y(y) - 1)² + ½ D_Y(G(x))²,      D_X the same of x and F(y)

each a mean over the batch and its pixels: section 3 and 5.2; the losses of the GANs are least squares, section 4.
D_X and D_Y judge patches: they give a score for each place of an image. They are shown images from a pool of earlier
ones (Shrivastava et al. 2017): see pool.py.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from .. import init, layers, losses, ops
from ..backend import Array
from ..errors import ConfigError
from ..fields import Count, Counts, Limits, NonNegative
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from .base import Model, ModelConfig
from .collapse import Recent, Sign
from .dcgan import check_images, halvings
from .networks import ChannelsOfD, RateFalls, RateStays, Slope, WeightInit, initial, make_optimizer
from .pool import Pool
from .steps import Loss, Step

COLUMNS = 6  # of the sample picture
STILL, CERTAIN = 0.01, 0.9  # of the range of values; the share of patches that D_X and D_Y judge right


@dataclass(frozen=True)
class CycleGANConfig(ModelConfig):
    """The hyperparameters. The defaults are a small form of Zhu et al. 2017 (appendix): the losses' weights 10 and 5
    (section 5.2), the pool of 50, Adam(β₁ = 0.5), and a rate that is constant, then falls linearly to 0; a quarter of
    the paper's channels, 3 residual blocks instead of 6, two convolutions in D, and 4e-4 instead of 2e-4, because a
    training takes minutes.
    """

    data_shape: Counts = (32, 32, 3)
    g_channels: Annotated[
        Counts, "the channels of the maps of G and F, each half as wide and high as those before; reversed upwards"
    ] = (16, 32, 64)
    blocks: Annotated[Count, "residual blocks in the middle of G and F"] = 3
    d_channels: ChannelsOfD = (32, 64)
    slope: Slope = 0.2
    weight_init: WeightInit = "normal"
    residual: Annotated[
        bool,
        "G(x) = x + net(x), for small changes: G and F begin close to the identity. false: the paper's tanh net(x)",
    ] = True
    cycle: Annotated[NonNegative, "the weight of the error of an image that went there and back"] = 10.0
    identity: Annotated[NonNegative, "the weight of what G changes in a y, and F in an x, which need no change"] = 5.0
    pool: Annotated[int, Limits(0), "how many images each D remembers; 0: none"] = 50
    constant: RateStays = 1000
    decay: RateFalls = 1000
    lr: float = 4e-4
    beta1: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.data_shape)
        if not self.g_channels:
            raise ConfigError("g_channels is empty, but G needs the channels of at least its first maps")
        height, width, _ = self.data_shape
        smallest = halvings((height, width), len(self.d_channels))[-1]
        if len(self.d_channels) > 1 and smallest == (1, 1):
            raise ConfigError(
                f"d_channels are {len(self.d_channels)}, but images of {height}x{width} can't be halved so often; give "
                "fewer"
            )
        scale = 2 ** (len(self.g_channels) - 1)
        if height % scale or width % scale:
            raise ConfigError(
                f"the images are {height}x{width}, but G halves them {len(self.g_channels) - 1} times: their sides "
                f"must be multiples of {scale}; choose --size, or fewer g_channels"
            )


class CycleGAN(Model):
    """Two generators that turn images of two domains into each other's.

    They learn without pairs.

    >>> model = tg.models.CycleGAN(tg.models.CycleGANConfig())
    >>> model.translate(np.zeros((2, 32, 32, 3), np.float32)).shape
    (2, 32, 32, 3)
    """

    name = "cyclegan"
    Config: ClassVar[type] = CycleGANConfig
    takes_domains = True
    defaults: ClassVar = {"data": "smiles", "steps": 2000, "batch": 4}
    columns = COLUMNS
    value_range = (-1.0, 1.0)

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/init")
        self.G, self.F = self.translator(rng), self.translator(rng)
        self.D_X, self.D_Y = self.discriminator(rng), self.discriminator(rng)
        self.inputs = dict.fromkeys(("G", "F", "D_X", "D_Y"), c.data_shape)
        self.opt_G = make_optimizer(c, [*self.G.parameters(), *self.F.parameters()])
        self.opt_D = make_optimizer(c, [*self.D_X.parameters(), *self.D_Y.parameters()])
        pools = (Pool(c.pool, c.data_shape, Generator(seed, f"{self.name}/pool/{d}")) if c.pool else None for d in "XY")
        self.pool_X, self.pool_Y = pools

    def translator(self, rng: Generator) -> layers.Module:
        """G or F: convolutions down to the smallest maps, residual blocks, and up to the image (appendix 7.2).

        Upwards, each pixel is repeated and then convolved: transposed convolutions left checkerboards (Odena et al.
        2016).
        """
        c, weights = self.config, initial(self.config, rng)
        first = c.g_channels[0]
        network: list[layers.Module] = [*_conv(c.data_shape[-1], first, 7, **weights), *_normed(first)]
        for channels, wider in itertools.pairwise(c.g_channels):
            network += [layers.Conv(channels, wider, 3, 2, **weights), *_normed(wider)]
        for _ in range(c.blocks):
            last = c.g_channels[-1]
            halves = [[*_conv(last, last, 3, **weights), layers.InstanceNorm(last)] for _ in range(2)]
            network.append(layers.Skip(*halves[0], layers.ReLU(), *halves[1]))
        for channels, fewer in itertools.pairwise(c.g_channels[::-1]):
            network += [layers.UpSampling(2), *_conv(channels, fewer, 3, **weights), *_normed(fewer)]
        if c.residual:  # G begins by changing next to nothing
            weights["weight_init"] = functools.partial(init.normal, std=0.002)
        network += _conv(first, c.data_shape[-1], 7, **weights)
        return layers.Skip(*network) if c.residual else layers.Sequential(*network, layers.Tanh())

    def discriminator(self, rng: Generator) -> layers.Sequential:
        """D_X or D_Y: convolutions of stride 2, and a score for each patch, which of two of them has 22 pixels a side
        (appendix 7.2)."""
        c, weights, network = self.config, initial(self.config, rng), list[layers.Module]()
        widths = (c.data_shape[-1], *c.d_channels)
        for i, (channels, more) in enumerate(itertools.pairwise(widths)):
            network.append(layers.Conv(channels, more, 4, 2, **weights))
            network += [layers.InstanceNorm(more)] if i else []
            network.append(layers.LeakyReLU(c.slope))
        return layers.Sequential(*network, layers.Conv(widths[-1], 1, 4, **weights))

    def steps(self, batch: Any) -> list[Step]:
        """G and F learn together; then D_X and D_Y, from images that G and F made before they did."""
        x, y = self.checked(batch)
        made = functools.cache(lambda: (self.G(x), self.F(y)))
        return [self.step_G(x, y, made), self.step_D(x, y, made)]

    def step_G(self, x: Array, y: Array, made: Any) -> Step:
        """G and F learn to pass off their images as real, to find the way back, and to leave alone what is right."""

        def loss() -> Loss:
            c, (fake_y, fake_x) = self.config, made()
            scores = self.D_Y(fake_y), self.D_X(fake_x)
            adversarial = losses.mse(scores[0], 1.0) + losses.mse(scores[1], 1.0)
            cycle = losses.l1(self.F(fake_y), x) + losses.l1(self.G(fake_x), y)
            named = {
                "x": x,
                "y": y,
                "G(x)": fake_y,
                "F(y)": fake_x,
                "adversarial": adversarial,
                "cycle": c.cycle * cycle,
            }
            value = named["adversarial"] + named["cycle"]
            if c.identity:
                named["identity"] = c.identity * (losses.l1(self.G(y), y) + losses.l1(self.F(x), x))
                value = value + named["identity"]
            change = losses.l1(fake_y.detach(), x) + losses.l1(fake_x.detach(), y)
            metrics = {"adversarial": adversarial.detach(), "cycle": cycle.detach(), "change": change * 0.5}
            return Loss(value, metrics, named)

        learns = {"G": self.G, "F": self.F}
        return Step("GF", loss, learns, self.opt_G, frozen={"D_X": self.D_X, "D_Y": self.D_Y})

    def step_D(self, x: Array, y: Array, made: Any) -> Step:
        """D_X and D_Y learn to tell real images from those that G and F made, now or earlier."""

        def loss() -> Loss:
            fake_y, fake_x = (fake.detach() for fake in made())
            if self.pool_X is not None and self.pool_Y is not None:
                fake_y, fake_x = self.pool_Y.exchange(fake_y), self.pool_X.exchange(fake_x)
            pairs = [(self.D_Y(y), self.D_Y(fake_y)), (self.D_X(x), self.D_X(fake_x))]
            halves = [0.5 * (losses.mse(real, 1.0) + losses.mse(fake, 0.0)) for real, fake in pairs]
            right = [_share(real, True) + _share(fake, False) for real, fake in pairs]
            return Loss(halves[0] + halves[1], {"acc": 0.25 * (right[0] + right[1])}, {"x": x, "y": y})

        learns = {"D_X": self.D_X, "D_Y": self.D_Y}
        return Step("D", loss, learns, self.opt_D, frozen={"G": self.G, "F": self.F})

    @no_grad()
    def translate(self, x: Array, direction: Literal["ab", "ba"] = "ab") -> Array:
        """G(x) for images of the first domain, "ab"; F(x) for those of the second, "ba"."""
        if direction not in ("ab", "ba"):
            raise ConfigError(f'{self.name}: direction is {direction!r}, but it must be "ab" or "ba"')
        with layers.evaluating(self):
            return ops.clip((self.G if direction == "ab" else self.F)(x), -1.0, 1.0).data

    def preview(self, x: Any, n: int, rng: Generator | None = None) -> Array:
        """Rows of x, G(x), F(G(x)), y, F(y), G(F(y))."""
        x, y = (examples[: max(n // COLUMNS, 1)] for examples in x)
        there, back = self.translate(x), self.translate(y, "ba")
        columns = [x, there, self.translate(there, "ba"), y, back, self.translate(back)]
        return ops.stack(columns, axis=1).reshape(-1, *x.shape[1:])

    def signs(self, recent: Recent) -> Iterator[Sign]:
        """G and F do nothing: images hardly change, and D_X and D_Y tell them from real ones."""
        last = recent.rows[-1]
        if all(row["change"] < STILL * 2 and row["acc"] >= CERTAIN for row in recent.rows):
            evidence = (
                f"they change images by {last['change']:.2g} on average, and D judges {last['acc']:.0%} correctly"
            )
            remedy = "a lower identity or cycle weight, or residual=false, which can't begin with doing nothing"
            yield Sign("both generators do nothing", evidence, remedy)


def _conv(channels: int, more: int, size: int, **weights: Any) -> list[layers.Module]:
    """A convolution of stride 1 that keeps the size of images, which are reflected at their edges."""
    return [layers.Pad(size // 2), layers.Conv(channels, more, size, padding="valid", **weights)]


def _normed(channels: int) -> list[layers.Module]:
    return [layers.InstanceNorm(channels), layers.ReLU()]


def _share(scores: Tensor, real: bool) -> Tensor:
    """The share of scores that lie on the right side of 1/2."""
    right = ops.greater(scores.detach(), 0.5)
    share = ops.mean(ops.astype(right, scores.dtype))
    return share if real else 1 - share
