"""StyleGAN2: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN".

    w = mapping(z),  G(z) = synthesis(w),   z ~ N(0, 1)
    min_D  E softplus(-D(x)) + E softplus(D(G(z)));   every 8th step also  8 · γ/2 E ‖∇D(x)‖²
    min_G  E softplus(-D(G(z)))

A style w sets the scale of each feature of each layer of G; so coarse layers can take the style of one image and fine
layers that of another. Noise at each layer makes what is random in an image, such as the place of each hair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from .. import init, layers, ops, parallel
from ..backend import Array
from ..checks import number
from ..errors import ConfigError
from ..fields import Count, Counts, NonNegative, Share
from ..gradients import grad
from ..layers import Buffer
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from ..tracing import variant
from .ada import Augment
from .dcgan import check_images
from .gan import GAN, GameConfig
from .steps import Loss, Step
from .style_networks import Mapping, Sizes, Synthesis, critic, mixed

LENGTHS = 0.99  # stays of the mean path length in each of its steps: Karras et al. 2020, appendix B


@dataclass(frozen=True)
class StyleGANConfig(GameConfig):
    """The hyperparameters. From the papers: a mapping that learns at 0.01 of the rate (Karras et al. 2019), R1, no
    mixing and Adam(2.5e-3, 0, 0.99) with EMA, as for small images in Karras et al. 2020b (appendix D; mixing is 0.9 for
    large ones). Chosen for 32x32 on a CPU: channels, 64 features instead of 512, a mapping of 3 layers instead of 8,
    γ = 3 every 8 steps, EMA 0.998 in batches of 16. The whole batch is one group of MinibatchStd (the papers' groups
    have 4), and the rate falls to 0: at a constant rate G keeps moving between directions of gaze and sizes of eyes,
    and the mean of its weights shows only their average.
    """

    data_shape: tuple[int, ...] = (32, 32, 3)
    latent_dim: Annotated[int, "how many numbers the noise z has, and the style w"] = 64
    channels: Annotated[
        Counts,
        "the channels of G's maps, the smallest first; each level doubles the sides (at most: those of the smaller "
        "maps are halves, rounded up), and D has the same from the other end",
    ] = (64, 64, 48, 24)
    depth: Annotated[Count, "dense layers of the mapping"] = 3
    mixing: Annotated[Share, "the share of images with two styles"] = 0.0
    group: Annotated[Count, "images that MinibatchStd compares; the batch must be a multiple"] = 16
    r1: float = 3.0
    r1_every: int = 8
    path: Annotated[NonNegative, "the weight of the path length penalty (2020, section 3.2; there 2); 0: none"] = 0.0
    path_every: Annotated[Count, "this penalty is taken every so many steps"] = 4
    ada: Annotated[bool, "distort what D sees, as much as keeps E sign(D(x)) at ada_target for real images x"] = False
    ada_target: Annotated[Share, "the mean sign of D(x) that ada keeps to"] = 0.6
    ada_images: Annotated[
        Count, "images within which the chance of a distortion may rise to 1 (2020b, section 3; there 500,000)"
    ] = 50_000
    ema: float = 0.998
    lr: float = 2.5e-3
    constant: int = 6000
    decay: int = 5000
    beta1: float = 0.0
    beta2: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.data_shape)
        if not self.channels:
            raise ConfigError("channels is empty, but there must be those of at least the smallest maps")


class StyleGAN(GAN):
    """StyleGAN2 in small, for images of any size.

    >>> tg.models.StyleGAN(tg.models.StyleGANConfig(data_shape=(16, 16, 3))).sample(2).shape
    (2, 16, 16, 3)
    """

    name = "stylegan"
    Config = StyleGANConfig
    defaults: ClassVar = {"data": "sixfactors", "size": 32, "steps": 11_000, "batch": 16}

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        self.value_range = (-1.0, 1.0)
        self.augment = Augment(Generator(seed, f"{self.name}/augment")) if self.config.ada else None
        self.length = Buffer(init.zeros((1,))) if self.config.path else None  # the running mean of path lengths

    @property
    def sizes(self) -> Sizes:
        c = self.config
        return Sizes(c.channels, c.data_shape, c.latent_dim, c.slope)

    def output(self) -> str:
        """G ends without an activation: its images are sums."""
        return "linear"

    def generator(self, output: str, rng: Generator) -> list[layers.Module]:
        """The mapping, noise to styles, and the synthesis, styles to images."""
        noise = Generator(self.seed, f"{self.name}/noise")
        return [Mapping(self.sizes, self.config.depth, rng), Synthesis(self.sizes, rng, noise)]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The layers of D: (N, *data_shape) to the scores (N, 1)."""
        return critic(self.sizes, self.config.group, rng)

    def check_batch(self, batch: int) -> None:
        group = self.config.group
        if batch % group:
            raise ConfigError(f"{self.name}: the batch is {batch}, but it must be a multiple of group={group}")

    # How it learns

    def steps(self, batch: Any) -> list[Step]:
        """D learns to tell x from G's images, then G to fool D, and every path_every steps also to be even."""
        steps = super().steps(batch)
        if not self.config.path or not variant(self.path_due):
            return steps
        return [*steps, self.step_path(len(self.checked(batch)[0]) // self.batches_per_step)]

    def path_due(self) -> bool:
        """Whether this step has the penalty on the lengths of G's paths."""
        every, t = self.config.path_every, self.opt_G.t
        return (t - t // (every + 1) + 1) % every == 0  # t counts the optimiser's steps for the penalty, too

    def step_path(self, n: int) -> Step:
        """G learns that a step in w changes the image by as much everywhere: Karras et al. 2020, eq. 4.

        E (‖∇w (g(w) · y)‖ - a)²,   y ~ N(0, 1) / √(H W), a the running mean of the lengths
        """

        def loss() -> Loss:
            c, (_, synthesis) = self.config, self.parts
            w = self.mixed_styles(self.noise(n))
            images = synthesis(w)
            y = self.rng.normal(images.shape, std=math.prod(c.data_shape[:2]) ** -0.5, dtype=images.dtype)
            (gw,) = grad(ops.sum(images * y), [w], create_graph=True)
            length = ops.sqrt(ops.mean(ops.sum(gw * gw, 2), 1) + 1e-12)
            assert self.length is not None
            with no_grad():
                batch = parallel.mean(ops.mean(length).data)
                mean = self.length.data + (1 - LENGTHS) * (batch - self.length.data)
                self.length.assign(mean)
            excess = length - mean.copy()
            value = c.path * c.path_every * ops.mean(excess * excess)
            value = value + 0 * ops.mean(images)  # it depends on no bias; so their gradients are zeros
            return Loss(value, {"path": ops.mean(length).detach()})

        return Step("path", loss, {"G": self.G}, self.opt_G)

    def generate(self, z: Array, *y: Array) -> Tensor:
        """G(z), where most images have the styles of z only up to some layer: Karras et al. 2019, section 3.1."""
        _, synthesis = self.parts
        return synthesis(self.mixed_styles(z)) if self.config.mixing else self.G(z)

    def mixed_styles(self, z: Array) -> Tensor:
        """Styles for each layer, (N, styles, features): those of z and, from some layer on, those of other noise."""
        mapping, synthesis = self.parts
        draws = self.rng.uniform((len(z), 2, 1), dtype=z.dtype)
        w, other = ops.split(mapping(ops.concatenate([z, self.noise(len(z))])), 2)
        return mixed(w, other, synthesis.styles, draws, self.config.mixing)

    def loss_D(self, x: Array, fake: Tensor, *y: Array) -> Loss:
        """The GAN's loss; if D's inputs are distorted, its scores say how much they are to be."""
        loss = super().loss_D(x, fake, *y)
        if self.augment is None:
            return loss
        self.augment.adapt(loss.named["D(x)"], self.config.ada_target, self.config.ada_images)
        return loss._replace(metrics={**loss.metrics, "ada_p": ops.mean(self.augment.p)})

    def augmented(self, x: Any) -> Any:
        """x with instance noise, if any, and distorted, if that is asked for."""
        x = super().augmented(x)
        return x if self.augment is None else self.augment(x)

    def judge(self, x: Array, fake: Tensor, *y: Array) -> Sequence[Tensor]:
        """D's scores of a real and of a fake batch, in one pass: each group of MinibatchStd is of one kind."""
        return ops.split(self.D(ops.concatenate([x, fake])), 2)

    # What it makes

    @no_grad()
    def sample(self, n: int, rng: Generator | None = None, psi: float = 1.0) -> Array:
        """n images, by the mean of G's weights. psi: of the truncation; see `styles`."""
        return self.synthesise(self.styles(self._latents(n, rng), psi))

    @no_grad()
    def draw(self, z: Array, *y: Array) -> Array:
        """G(z), by the mean of G's weights if there is one; the noise of its layers is always the same."""
        return self.synthesise(self.styles(z))

    @no_grad()
    def styles(self, z: Array, psi: float = 1.0) -> Array:
        """The styles of z, (N, features), moved towards their mean: mean + psi (w - mean). With psi below 1 images are
        more alike, and more of them good: the truncation of Karras et al. 2019, appendix B."""
        mapping, _ = self.drawing_parts
        with layers.evaluating(mapping):
            mean = mapping.mean.data
            return mean + number(self.name, "psi", psi) * (mapping(z).data - mean)

    @no_grad()
    def synthesise(self, w: Array, rng: Generator | None = None) -> Array:
        """The images of styles w (N, features), or of one for each layer, (N, styles, features).

        rng: draws the noise of the layers; without it, that is always the same.
        """
        _, synthesis = self.drawing_parts
        with layers.evaluating(synthesis):
            return synthesis(w, rng).data.clip(-1, 1)

    def drawings(self) -> tuple[str, ...]:
        return ("style_mixing",)

    @property
    def parts(self) -> Sequence[Any]:
        """G's mapping and synthesis."""
        return list(self.G)

    @property
    def drawing_parts(self) -> Sequence[Any]:
        """The mapping and the synthesis that draw samples: with the mean of G's weights, if there is one."""
        return list(self.drawing_G)
