"""A VAE of convolutions, for images: the one in Keras's example (keras.io/examples/generative/vae).

The encoder halves the sides with each convolution; the decoder doubles them with transposed ones. The bound and
the algorithm are the VAE's, in vae.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from .. import layers
from ..random import Generator
from .dcgan import check_images, growth, halvings
from .networks import ChannelsOfEncoder, KernelSize, activation, initial, mlp
from .vae import VAE, VAEConfig


@dataclass(frozen=True)
class ConvVAEConfig(VAEConfig):
    """The hyperparameters. The defaults are those of Keras's example, 32 and 64 channels, 3x3 kernels, Adam(1e-3) and
    batches of 128, except: 20 latents as in the VAE of dense layers, not 2, and so 128 features between the maps and
    the latents, not 16; and one transposed convolution fewer, so that the decoder mirrors the encoder.
    """

    channels: ChannelsOfEncoder = (32, 64)
    hidden: Annotated[
        tuple[int, ...], "the widths of the dense layers between the smallest maps and the latents; reversed to decode"
    ] = (128,)
    kernel_size: KernelSize = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.data_shape)


class ConvVAE(VAE):
    """A variational autoencoder of convolutions, for images of any size.

    >>> tg.models.ConvVAE(tg.models.ConvVAEConfig(latent_dim=2)).sample(2).shape
    (2, 28, 28, 1)
    """

    name = "convvae"
    Config: ClassVar[type] = ConvVAEConfig
    defaults: ClassVar = {"data": "digits", "steps": 3500, "batch": 128}

    def encoder_layers(self, rng: Generator) -> list[layers.Module]:
        """Convolutions of stride 2, and dense layers to mu and logvar."""
        c, weights = self.config, initial(self.config, rng)
        maps = convolutions(c.data_shape, c.channels, c.kernel_size, c.activation, **weights)
        widths = (math.prod(smallest_maps(c.data_shape, c.channels)), *c.hidden, 2 * c.latent_dim)
        return [*maps, layers.Flatten(), *mlp(widths, c.activation, **weights)]

    def decoder_layers(self, rng: Generator) -> list[layers.Module]:
        """The reverse: dense layers to the smallest maps, and transposed convolutions up to the image's logits."""
        c, weights = self.config, initial(self.config, rng)
        first = smallest_maps(c.data_shape, c.channels)
        sizes = halvings(c.data_shape[:2], len(c.channels))[::-1]
        widths = (c.latent_dim, *reversed(c.hidden), math.prod(first))
        network = [*mlp(widths, c.activation, **weights), layers.Reshape(first)]
        for (size, larger), (channels, fewer) in zip(
            pairwise(sizes), pairwise((*reversed(c.channels), c.data_shape[-1])), strict=True
        ):
            options = {**growth(size, larger), **weights}
            grow = layers.ConvTranspose(channels, fewer, c.kernel_size, **options)
            network += [*activation(c.activation), grow]
        return network


def convolutions(
    data_shape: Sequence[int], channels: Sequence[int], kernel_size: int, kind: str, slope: float = 0.2, **options: Any
) -> list[layers.Module]:
    """Convolutions of stride 2, one for each number of channels, each with its activation."""
    network: list[layers.Module] = []
    for fewer, more in pairwise((data_shape[-1], *channels)):
        network += [layers.Conv(fewer, more, kernel_size, 2, **options), *activation(kind, slope)]
    return network


def smallest_maps(data_shape: tuple[int, ...], channels: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape (H, W, C) of the last maps of such convolutions."""
    height, width = halvings((data_shape[0], data_shape[1]), len(channels))[-1]
    return height, width, (data_shape[-1], *channels)[-1]
