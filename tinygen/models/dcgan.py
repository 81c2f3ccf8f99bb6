"""GANs of convolutions: the 28x28 one of TensorFlow's tutorial, and the 64x64 one of Radford et al. 2015.

G turns noise into small feature maps and grows them: each transposed convolution of stride 2 doubles the sides.
D is the reverse. The algorithm is the GAN's, in gan.py.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from .. import layers
from ..errors import ConfigError
from ..fields import Counts, Decay
from ..kernels.reference_conv import Pair
from ..random import Generator
from .gan import GAN, AdversarialConfig
from .networks import Activation, ChannelsOfD, KernelSize, WeightInit, activation, initial
from .presets import Preset


@dataclass(frozen=True)
class DCGANConfig(AdversarialConfig):
    """The hyperparameters. The networks are those of TensorFlow's tutorial (tensorflow.org/tutorials/generative/dcgan):
    256-128-64 and 64-128 channels, 5x5 kernels, LeakyReLU(0.3), Dropout(0.3) in D; so is Adam's eps 1e-7. Its beta1 of
    0.5 is that of Radford et al. 2015 (section 4). The rate, five times theirs, and the settings of PyTorch for batch
    norm and initial weights were chosen by measurement: after 2,000 steps of batch 64 the FID on the digits is 1.9; at
    2e-4 and with those of Keras it is 2.5. With the tutorial's Adam(1e-4, 0.9) and batch of 256, ten minutes of
    training gave strokes, but no digits.
    """

    g_channels: Annotated[
        Counts,
        "the channels of G's maps; a dense layer makes the first. As many layers as D has, the last ones, double the "
        "sides; those before them keep the size",
    ] = (256, 128, 64)
    d_channels: ChannelsOfD = (64, 128)
    kernel_size: KernelSize = 5
    g_activation: Annotated[Activation, "the activation of G's hidden layers"] = "leaky_relu"
    slope: float = 0.3
    bn_momentum: float = 0.9
    bn_eps: float = 1e-5
    weight_init: WeightInit = "fan_in"
    d_batch_norm: Annotated[bool, "batch norm in D, after every convolution but the first"] = False
    d_bias: Annotated[bool, "biases in D; G has none"] = True
    dropout: Annotated[Decay, "the share of D's features that is dropped while D learns"] = 0.3
    lr: float = 1e-3
    beta1: float = 0.5
    eps: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.data_shape)
        if not self.g_channels:
            raise ConfigError("g_channels is empty, but G needs the channels of at least its first maps")


class DCGAN(GAN):
    """A GAN of convolutions, for images of any size.

    By default it is the one of TensorFlow's tutorial, for 28x28.

    >>> tg.models.DCGAN(tg.models.DCGANConfig(data_shape=(16, 16, 3))).sample(2).shape
    (2, 16, 16, 3)
    """

    name = "dcgan"
    Config: ClassVar[type] = DCGANConfig
    presets: ClassVar = {
        "tensorflow": Preset(
            "TensorFlow's tutorial to the letter (tensorflow.org/tutorials/generative/dcgan)",
            {"weight_init": "glorot", "bn_momentum": 0.99, "bn_eps": 1e-3, "lr": 1e-4, "beta1": 0.9},
            {"batch": 256, "steps": 1750},
        )
    }
    defaults: ClassVar = {"data": "digits", "steps": 4000, "batch": 64}

    def generator(self, output: str, rng: Generator) -> list[layers.Module]:
        """Noise, the smallest maps, and transposed convolutions up to the image."""
        c, options = self.config, initial(self.config, rng)
        doublings = min(len(c.d_channels), len(c.g_channels))
        sizes = halvings(c.data_shape[:2], doublings)[::-1]
        sizes = sizes[:1] * (len(c.g_channels) - doublings) + sizes
        network = self.first_maps(sizes[0], options)
        for i, (channels, more) in enumerate(itertools.pairwise((*c.g_channels, c.data_shape[-1]))):
            network += self.normed(channels) if i else []
            growing = growth(sizes[i], sizes[i + 1])
            network.append(layers.ConvTranspose(channels, more, c.kernel_size, **growing, bias=False, **options))
        return [*network, *activation(output)]

    def first_maps(self, size: Pair, options: dict[str, Any]) -> list[layers.Module]:
        """Noise to the first maps of G: batch norm over each pixel of each map, as in the tutorial."""
        c, features = self.config, math.prod(size) * self.config.g_channels[0]
        dense = layers.Dense(c.latent_dim, features, bias=False, **options)
        return [dense, *self.normed(features), layers.Reshape((*size, c.g_channels[0]))]

    def normed(self, features: int) -> list[layers.Module]:
        """Batch norm, then activation: the reverse of the order in the dense GAN."""
        c = self.config
        norm = [layers.BatchNorm(features, c.bn_momentum, c.bn_eps)] if c.batch_norm else []
        return [*norm, *activation(c.g_activation, c.slope)]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """Convolutions of stride 2, and a score of the smallest maps."""
        c, options, network = self.config, initial(self.config, rng), list[layers.Module]()
        for i, (channels, more) in enumerate(itertools.pairwise((c.data_shape[-1], *c.d_channels))):
            network.append(layers.Conv(channels, more, c.kernel_size, 2, bias=c.d_bias, **options))
            if c.d_batch_norm and i > 0:
                network.append(layers.BatchNorm(more, c.bn_momentum, c.bn_eps))
            network.append(layers.LeakyReLU(c.slope))
            if c.dropout > 0:
                network.append(layers.Dropout(c.dropout, Generator(self.seed, f"{self.name}/dropout/{i}")))
        size = halvings(c.data_shape[:2], len(c.d_channels))[-1]
        features = math.prod(size) * (c.data_shape[-1], *c.d_channels)[-1]
        return [*network, layers.Flatten(), layers.Dense(features, 1, bias=c.d_bias, **options)]


@dataclass(frozen=True)
class DCGAN64Config(DCGANConfig):
    """The hyperparameters. The defaults are those of Radford et al. 2015 (figure 1, section 4): 512-256-128-64 channels
    in G and the mirror image in D, ReLU in G and LeakyReLU(0.2) in D, weights from N(0, 0.02²), Adam(2e-4, 0.5). 4x4
    kernels, BatchNorm(0.9, 1e-5) and no biases are those of PyTorch's DCGAN tutorial; so is half of the paper's width.

    At this width it needs a GPU. With networks narrow enough for a CPU, D had won by step 125 on the drawn faces. The
    settings of the preset "narrow" learnt there.
    """

    data_shape: tuple[int, ...] = (64, 64, 3)
    g_channels: tuple[int, ...] = (512, 256, 128, 64)
    d_channels: tuple[int, ...] = (64, 128, 256, 512)
    kernel_size: int = 4
    g_activation: Activation = "relu"
    slope: float = 0.2
    bn_momentum: float = 0.9
    bn_eps: float = 1e-5
    d_batch_norm: bool = True
    d_bias: bool = False
    dropout: float = 0.0
    weight_init: str = "normal"
    lr: float = 2e-4
    beta1: float = 0.5
    eps: float = 1e-8


class DCGAN64(DCGAN):
    """The DCGAN of Radford et al. 2015, for images of 64x64 pixels.

    It has batch norm in both networks.

    >>> tg.models.DCGAN64(tg.models.DCGAN64Config(g_channels=(32, 16, 8, 8))).sample(2).shape
    (2, 64, 64, 3)
    """

    name = "dcgan64"
    Config = DCGAN64Config
    presets: ClassVar = {
        "narrow": Preset(
            "narrow enough for a CPU; it learns the drawn faces",
            {
                "g_channels": (256, 128, 64, 32),
                "d_channels": (16, 32, 64, 128),
                "weight_init": "glorot",
                "d_batch_norm": False,
                "r1": 1.0,
                "lr": 4e-4,
                "d_lr": 2e-4,
            },
            {"batch": 32, "steps": 4000},
        )
    }
    defaults: ClassVar = {"data": "sixfactors", "steps": 5000, "batch": 128}

    def first_maps(self, size: Pair, options: dict[str, Any]) -> list[layers.Module]:
        """Noise to the first maps of G: batch norm over each map, as everywhere else."""
        c, channels = self.config, self.config.g_channels[0]
        dense = layers.Dense(c.latent_dim, math.prod(size) * channels, bias=False, **options)
        return [dense, layers.Reshape((*size, channels)), *self.normed(channels)]


def halvings(size: Pair, n: int) -> list[Pair]:
    """The size, then n sizes with the sides halved each time, rounded up, as convolutions of stride 2 do."""
    sizes = [size]
    for _ in range(n):
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def growth(size: Pair, larger: Pair) -> dict[str, Any]:
    """The options of a transposed convolution from maps of one size to another, the same or twice as large."""
    (h, w), (H, W) = size, larger
    stride = -(-H // h), -(-W // w)
    odd = H - h * stride[0], W - w * stride[1]  # -1 where an odd side is less than twice the one before
    return {"stride": stride, "padding": "same", "output_padding": odd}


def check_images(data_shape: tuple[int, ...]) -> None:
    """Raise ConfigError unless the data are images."""
    if len(data_shape) != 3:
        raise ConfigError(f"the data have the shape {data_shape}, but convolutions take images (H, W, C)")
