"""The autoencoder, and the lesson before it: a decoder that learns four images by heart.

    Autoencoder:  minimise  mean (x - decoder(encoder(x)))²
    Memory:       minimise  mean (x_i - decoder(e_i))²  over images x_i and their one-hot codes e_i

The second has no encoder: each image has a fixed code, and the decoder learns to turn it into the image. Between two
codes it has learnt nothing: what to draw there is the question that autoencoders and VAEs answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from .. import layers, losses, ops
from ..backend import Array, array_module
from ..checks import whole
from ..errors import ConfigError
from ..fields import Count, Counts
from ..processes import own, sharing
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from .base import Model, ModelConfig
from .latents import PLANE, plane_around
from .networks import VALUE_RANGES, Activation, Output, WeightInit, elements, initial, make_optimizer, mlp, output_for
from .presets import POINTS, Preset
from .steps import Loss, Step


@dataclass(frozen=True)
class AutoencoderConfig(ModelConfig):
    """The hyperparameters. The defaults are a small form of Hinton and Salakhutdinov 2006, trained in one piece."""

    latent_dim: Annotated[Count, "how many numbers a code has"] = 32
    hidden: Annotated[Counts, "the widths of the encoder's hidden layers; reversed in the decoder"] = (512, 256)
    activation: Activation = "relu"
    output: Output = "auto"
    weight_init: WeightInit = "glorot"


class Autoencoder(Model):
    """An autoencoder of dense layers.

    >>> model = tg.models.Autoencoder(tg.models.AutoencoderConfig(latent_dim=2))
    >>> model.codes(np.zeros((8, 28, 28, 1), np.float32)).shape
    (8, 2)
    """

    name = "ae"
    Config = AutoencoderConfig
    presets: ClassVar = {
        "plane": Preset(
            "for points in the plane",
            {"latent_dim": 1, "hidden": (64, 64)},  # with two numbers a code would be the point itself
            {"steps": 3000, "batch": 128},
            POINTS,
        )
    }
    defaults: ClassVar = {"data": "digits", "steps": 3000, "batch": 128}

    def __init__(self, config: AutoencoderConfig | None = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, "ae/init")
        size = elements(c.data_shape)
        output = output_for(c.output, c.data_shape, images="sigmoid")
        widths = (c.latent_dim, *reversed(c.hidden), size)
        self.encoder = layers.Sequential(layers.Flatten(), *mlp(widths[::-1], c.activation, **initial(c, rng)))
        self.decoder = layers.Sequential(
            *mlp(widths, c.activation, output, **initial(c, rng)),
            layers.Reshape(c.data_shape),
        )
        self.inputs = {"encoder": c.data_shape, "decoder": (c.latent_dim,)}
        self.opt = make_optimizer(c, self.parameters())
        self.value_range = VALUE_RANGES[output]

    def forward(self, x: Array) -> Tensor:
        return self.decoder(self.encoder(x))

    def steps(self, batch: Any) -> list[Step]:
        """One step down the mean squared error of a batch's reconstruction."""
        (x,) = self.checked(batch)

        def loss() -> Loss:
            z = self.encoder(x)
            y = self.decoder(z)
            return Loss(losses.mse(y, x), named={"x": x, "z": z})

        return [Step("loss", loss, {"encoder": self.encoder, "decoder": self.decoder}, self.opt)]

    @no_grad()
    def preview(self, x: Array, n: int, rng: Generator | None = None) -> Array:
        """Rows of originals, each above the row of their reconstructions; about n pictures in all."""
        columns = max(int(min(n, 2 * len(x)) ** 0.5), 1)  # so that a square grid shows each pair in one column
        rows = max(columns // 2, 1)
        x = x[: rows * columns]
        y = self.decode(self.codes(x))
        pairs = ops.stack([images.reshape(rows, -1, *x.shape[1:]) for images in (x, y)], 1)
        return pairs.reshape(-1, *x.shape[1:])

    def sample(self, n: int, rng: Generator | None = None) -> Array:
        """The decoder's images of codes from N(0, 1): an autoencoder promises nothing about them (a VAE does)."""
        return self.decode(self._latents(n, rng))

    @no_grad()
    def codes(self, x: Array) -> Array:
        """The codes of x: (N, latent_dim)."""
        with layers.evaluating(self.encoder):
            return self.encoder(x).data

    @no_grad()
    def decode(self, codes: Array) -> Array:
        """The images of codes (N, latent_dim)."""
        with layers.evaluating(self.decoder):
            return self.decoder(codes).data

    def plane(self, x: Array, side: int) -> Array:
        """side · side codes in rows, over the area where the codes of x lie."""
        return plane_around(self.codes(x), side)

    def drawings(self) -> tuple[str, ...]:
        return PLANE if self.config.latent_dim == 2 else ()


@dataclass(frozen=True)
class MemoryConfig(ModelConfig):
    """The hyperparameters."""

    images: Annotated[Count, "how many to learn by heart; also the length of their one-hot codes"] = 4
    hidden: Annotated[Counts, "the widths of the decoder's hidden layers"] = (128,)
    activation: Activation = "relu"
    output: Output = "auto"
    weight_init: WeightInit = "glorot"
    lr: float = 3e-3


class Memory(Model):
    """A decoder that learns a few examples by heart, from one-hot codes.

    Its samples lie between them.

    >>> tg.models.Memory(tg.models.MemoryConfig()).sample(2).shape
    (2, 28, 28, 1)
    """

    name = "memory"
    Config = MemoryConfig
    defaults: ClassVar = {"data": "digits", "steps": 300, "batch": 4, "examples": 4, "shuffle": False}

    def __init__(self, config: MemoryConfig | None = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, "memory/init")
        output = output_for(c.output, c.data_shape, images="sigmoid")
        self.decoder = layers.Sequential(
            *mlp((c.images, *c.hidden, elements(c.data_shape)), c.activation, output, **initial(c, rng)),
            layers.Reshape(c.data_shape),
        )
        self.inputs = {"decoder": (c.images,)}
        self.opt = make_optimizer(c, self.parameters())
        self.value_range = VALUE_RANGES[output]

    def steps(self, batch: Any) -> list[Step]:
        """One step down the mean squared error of all images; batch: the same images in the same order each time.

        Raises ConfigError unless there is one image for each code.
        """
        (x,) = self.checked(batch)
        self.check_batch(len(x) * sharing().size)

        def loss() -> Loss:
            z = self.one_hot(x)
            return Loss(losses.mse(self.decoder(z), x), named={"x": x, "z": z})

        return [Step("loss", loss, {"decoder": self.decoder}, self.opt)]

    def one_hot(self, x: Array) -> Array:
        """The codes of the images, the rows of the identity matrix."""
        return own(array_module(x).eye(len(x) * sharing().size, dtype=x.dtype))

    def reconstruct(self, x: Array) -> Array:
        """The decoder's images of the codes of x."""
        return self.decode(self.one_hot(x))

    def check_batch(self, batch: int) -> None:
        n = self.config.images
        if batch != n:
            raise ConfigError(f"memory: a batch of {batch} images for {n} codes; give batch {n}, or set images={batch}")

    @no_grad()
    def decode(self, codes: Array) -> Array:
        """The images of real-valued codes (N, images)."""
        with layers.evaluating(self.decoder):
            return self.decoder(codes).data

    @no_grad()
    def preview(self, x: Array, n: int, rng: Generator | None = None) -> Array:
        """A square of at most n pictures: the first four images in its corners, mixtures of their codes between."""
        side = max(int(n**0.5), 2)
        xp = array_module(x)
        t = xp.linspace(0, 1, side, dtype=x.dtype)
        down, right = t.reshape(-1, 1), t.reshape(1, -1)
        corners = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
        codes = xp.zeros((side * side, self.config.images), x.dtype)
        for i, weight in enumerate(corners[: self.config.images]):
            codes[:, i] = weight.reshape(-1)
        return self.decode(codes)

    def sample(self, n: int, rng: Generator | None = None) -> Array:
        """The images of n random mixtures of the codes (weights that sum to 1)."""
        weights = self.sampling_stream(rng).uniform((whole(self.name, "n", n, 0), self.config.images))
        return self.decode(weights / weights.sum(axis=1, keepdims=True))
