"""Coupled GANs: Liu and Tuzel 2016. Two GANs learn two domains of images, and to draw pairs that nobody has shown them.

    min_G max_D  Σ_k  E log D_k(x_k) + E log(1 - D_k(G_k(z))),   z ~ N(0, 1), the same for both k            (section 3)

G_1 and G_2 share all layers but the last, D_1 and D_2 all but the first. So the shared layers decide what an image of z
shows, and only the last one how it is drawn: G_1(z) and G_2(z) become a pair, though no two examples belong together.
What isn't shared must be too small to draw things of its own, such as one small convolution. But it must be enough to
draw its domain: it makes negatives of digits, and no outlines; 19% of these pairs showed one class, in place of 94%.

Both losses are means over the domains, where the paper sums: Adam makes the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from .. import init, layers, ops
from ..backend import Array
from ..checks import whole
from ..errors import ConfigError
from ..fields import Count, NonNegative
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from .collapse import Recent, Sign, collapse
from .dcgan import DCGAN, DCGANConfig, growth, halvings
from .networks import Activation, WeightInit, activation, initial
from .penalties import r1_penalty
from .steps import Loss, Step
from .verdicts import verdicts

UNRELATED = 0.3  # see `related`: digits and other digits' negatives stay below 0.2, their own outlines above 0.6
EPS = 1e-12


@dataclass(frozen=True)
class CoGANConfig(DCGANConfig):
    """The hyperparameters. The paper's plan in small, for digits on a CPU: 48-32-8 channels in G and 16-32 in D where
    it has up to 1,024, 16 latents instead of 100, R1 every 4 steps, Adam(5e-4, 0.5) with twice the rate for D, and
    samples of G's running mean. These were chosen by measurement.

    The last layers of G begin with small weights, head_init. With larger ones both begin by drawing one image; where
    the second domain is the negative of the first, its strokes then grow where the first has none: with Glorot's, about
    0.09, 20% to 73% of the pairs showed one class, by the seed.
    """

    latent_dim: int = 16
    g_channels: Annotated[
        tuple[int, ...],
        "the channels of the maps that G's two halves share; all but the first are twice as large as those before",
    ] = (48, 32, 8)
    d_channels: Annotated[
        tuple[int, ...],
        "the channels of D's maps, each half as wide and high as those before; the first are each domain's own",
    ] = (16, 32)
    kernel_size: Annotated[int, "the side of the kernels in D, and in the last layers of G, in pixels"] = 5
    g_kernel_size: Annotated[Count, "the side of the kernels in the layers that G's two halves share, in pixels"] = 4
    g_activation: Activation = "relu"
    slope: float = 0.2
    bn_momentum: float = 0.9
    bn_eps: float = 1e-5
    weight_init: WeightInit = "glorot"
    dropout: float = 0.0
    head_init: Annotated[
        NonNegative, "G's last layers begin with weights from N(0, head_init²), the same in both domains"
    ] = 0.01
    r1: float = 0.1
    r1_every: int = 4
    ema: float = 0.98
    lr: float = 5e-4
    d_lr: float = 1e-3
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.d_channels:
            raise ConfigError("d_channels is empty, but each domain needs a first convolution of its own")


class Fork(layers.Module):
    """Shared features x (N, ...) to what two layers make of them, one after the other: (2N, ...)."""

    def __init__(self, first: layers.Module, second: layers.Module):
        self.first, self.second = first, second

    def forward(self, x: Any) -> Tensor:
        return ops.concatenate([self.first(x), self.second(x)])


class Halves(layers.Module):
    """The first half of a batch x (2N, ...) to what one layer makes of it, the second half by the other: (2N, ...).

    both: False if all examples are for the first.  Raises ValueError for an odd number of examples of both.
    """

    batch_multiple = 2

    def __init__(self, first: layers.Module, second: layers.Module):
        self.first, self.second = first, second

    def forward(self, x: Any, both: bool = True) -> Any:
        if not both:
            return self.first(x)
        x, y = ops.split(x, 2)
        return ops.concatenate([self.first(x), self.second(y)])


class CoGAN(DCGAN):
    """Two GANs that share layers, and draw pairs of images of two domains.

    Where both domains meet in a batch, those of the first come first.

    >>> x, y = tg.models.CoGAN(tg.models.CoGANConfig()).sample_pairs(2)
    >>> x.shape, y.shape
    ((2, 28, 28, 1), (2, 28, 28, 1))
    """

    name = "cogan"
    Config: ClassVar[type] = CoGANConfig
    defaults: ClassVar = {"data": "negatives", "steps": 1050, "batch": 32}
    takes_domains = True
    columns = 8

    def generator(self, output: str, rng: Generator) -> list[layers.Module]:
        """Noise, the smallest maps, transposed convolutions up to the image's size, and a convolution a domain."""
        c, options = self.config, initial(self.config, rng)
        sizes = halvings(c.data_shape[:2], len(c.g_channels) - 1)[::-1]
        network = self.first_maps(sizes[0], options)
        for (size, larger), (channels, fewer) in zip(pairwise(sizes), pairwise(c.g_channels), strict=True):
            growing = growth(size, larger)
            network.append(layers.ConvTranspose(channels, fewer, c.g_kernel_size, **growing, bias=False, **options))
            network += self.normed(fewer)
        options["weight_init"] = partial(init.normal, std=c.head_init)
        heads = [layers.Conv(c.g_channels[-1], c.data_shape[-1], c.kernel_size, **options) for _ in range(2)]
        heads[1].load_state_dict(heads[0].state_dict())
        return [*network, Fork(*heads), *activation(output)]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """Those of the DCGAN, with a first convolution a domain."""
        c, (first, *shared) = self.config, super().discriminator(rng)
        channels = c.data_shape[-1], c.d_channels[0]
        second = layers.Conv(*channels, c.kernel_size, 2, bias=c.d_bias, **initial(self.config, rng))
        return [Halves(first, second), *shared]

    @property
    def batch_unit(self) -> int:
        """1: D takes examples in twos, one of each domain, and so do batches come."""
        return 1

    # How it learns

    def step_D(self, x: Array, *y: Array) -> Step:
        """D learns to tell real images x of the first domain, and y of the second, from G(z); G is fixed."""

        def loss() -> Loss:
            z = self.noise(len(x))
            fakes = ops.split(self.G(z), 2)
            loss = in_domains(self.loss_D(ops.concatenate([x, *y]), ops.concatenate(fakes)))
            loss = loss.naming({"x": x, "y": y[0], "z": z, "G(z)": fakes[0], "G_y(z)": fakes[1]})
            return loss._replace(metrics=self.of_domains(loss.named))

        return Step("D", loss, {"D": self.D}, self.opt_D, frozen={"G": self.G})

    def step_G(self, x: Array, *y: Array) -> Step:
        """G learns to pass off the images of len(x) latents as real, in both domains."""

        def loss() -> Loss:
            z = self.noise(len(x))
            fakes = ops.split(self.G(z), 2)
            loss = in_domains(self.loss_G(ops.concatenate(fakes)))
            return loss.naming({"z": z, "G(z)": fakes[0], "G_y(z)": fakes[1]})

        return Step("G", loss, {"G": self.G}, self.opt_G, frozen={"D": self.D}, then=self.average)

    def judge(self, x: Array, fake: Tensor, *y: Array) -> Sequence[Tensor]:
        """D's scores of a real and of a fake batch: in one pass, unless batch norm would mix them."""
        if self.D.mixes_examples:
            return super().judge(x, fake)
        domains = zip(ops.split(x, 2), ops.split(fake, 2), strict=True)
        x_real, x_fake, y_real, y_fake = ops.split(self.D(ops.concatenate([a for pair in domains for a in pair])), 4)
        return ops.concatenate([x_real, y_real]), ops.concatenate([x_fake, y_fake])

    def slope_penalty(self, x: Array, *y: Array) -> Tensor:
        """E ‖∇D(x)‖² over real images of both domains."""
        return r1_penalty(self.D, x)

    def score(self, x: Any, *y: Array) -> Any:
        """D's score of each example of the first domain."""
        halves, *shared = self.D
        x = halves(x, both=False)
        for layer in shared:
            x = layer(x)
        return x

    @no_grad()
    def of_domains(self, named: Mapping[str, Any]) -> dict[str, Tensor]:
        """How D judges the second domain, how far samples lie from each other there, as a share of what real images do,
        and how the two domains are related."""
        judged = verdicts(self.game, named["D(y)"], named["D(G_y(z))"])
        first, second = (named[name].detach() for name in ("G(z)", "G_y(z)"))
        share = ops.mean(distances(second)) / (ops.mean(distances(named["y"])) + EPS)
        more = {"spread_y": ops.sqrt(share), "related": related(first, second)}
        return {f"{name}_y": judged[name] for name in ("acc", "gap") if name in judged} | more

    def signs(self, recent: Recent) -> Iterator[Sign]:
        """Those of a collapsing GAN, of either domain, and images of both that have nothing to do with each other.

        Pairs of which some are wrong give no sign: with 30% of one class, `related` was still 0.8.
        """
        yield from super().signs(recent)
        rows = [{**row, "acc": row.get("acc_y", 0.0), "spread": row["spread_y"]} for row in recent.rows]
        for sign in collapse(Recent(rows, [1.0], 1.0), self.game):  # the gradient is the same for both
            yield sign._replace(name=f"{sign.name} in the second domain")
        if all(row["related"] < UNRELATED for row in recent.rows):
            evidence = f"what is alike in one is not in the other: a correlation of {recent.rows[-1]['related']:.2f}"
            remedy = "less that each has of its own: a smaller head_init or kernel_size, fewer of the last g_channels"
            yield Sign("domains unrelated", evidence, remedy)

    # What it makes

    def sample(self, n: int, rng: Generator | None = None, domain: int = 0) -> Array:
        """n images of a domain, 0 or 1; the same noise gives the images of a pair."""
        return self.sample_pairs(n, rng)[whole(self.name, "domain", domain, 0, 1)]

    def sample_pairs(self, n: int, rng: Generator | None = None) -> tuple[Array, Array]:
        """n images of the first domain, and those of the same z in the second."""
        first, second = ops.split(super().draw(self._latents(n, rng)), 2)
        return first, second

    def draw(self, z: Array, *y: Array) -> Array:
        """The first domain's images of latents z."""
        return ops.split(super().draw(z), 2)[0]

    def preview(self, x: Any, n: int, rng: Generator | None = None) -> Array:
        """Rows of the first domain's images, each above those of the same z in the second."""
        n = max(n // 2, 1)
        columns = min(n, self.columns)
        pairs = self.sample_pairs(n - n % columns, rng)
        rows = [images.reshape(-1, columns, *images.shape[1:]) for images in pairs]
        return ops.stack(rows, 1).reshape(-1, *pairs[0].shape[1:])


def in_domains(loss: Loss) -> Loss:
    """A loss whose named scores are those of the first domain, and those of the second by names of their own."""
    others = {"D(x)": "D(y)", "D(G(z))": "D(G_y(z))"}
    named = dict[str, Any]()
    for name, scores in loss.named.items():
        named[name], named[others[name]] = ops.split(scores, 2)
    return loss._replace(named=named)


def distances(x: Any) -> Any:
    """‖xᵢ - xⱼ‖² of the examples of a batch (N, ...), (N, N)."""
    x = ops.reshape(x, (len(x), -1))
    squares = ops.sum(x * x, 1)
    return ops.relu(squares + ops.reshape(squares, (-1, 1)) - 2 * (x @ x.T))


def related(x: Any, y: Any) -> Any:
    """The correlation of the distances between examples of x (N, ...) with those between the same examples of y.

    1 if what distinguishes images of one domain distinguishes those of the other as much, as with negatives; about 0 if
    they have nothing to do with each other. The distance of an example to itself, 0, doesn't count.
    """
    d, e, pairs = distances(x), distances(y), max(len(x) * (len(x) - 1), 1)

    def covariance(a: Any, b: Any) -> Any:
        return ops.sum(a * b) / pairs - ops.sum(a) * ops.sum(b) / pairs**2

    return covariance(d, e) / ops.sqrt(ops.relu(covariance(d, d) * covariance(e, e)) + EPS)
