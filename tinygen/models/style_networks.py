"""The networks of StyleGAN2: noise to styles, styles to images, and the residual D. Karras et al. 2020, figure 2c."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from .. import init, layers, ops, parallel
from ..backend import Array, array_module
from ..kernels.reference_conv import Pair
from ..layers import Buffer
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Parameter, Tensor
from .dcgan import growth, halvings

GAIN = math.sqrt(2)  # after a leaky ReLU it brings the variance of its input back, nearly
RATE = 0.01  # of the mapping: Karras et al. 2019, appendix C
FOLLOWS = 0.998  # of the mean style


class Lifted(layers.LeakyReLU):
    """√2 · leaky_relu(x)."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) * GAIN


@dataclass(frozen=True)
class Sizes:
    """The sizes that the networks share.

    channels: of the maps, the smallest first.  features: of z and w.  slope: of the leaky ReLUs.
    """

    channels: tuple[int, ...]
    data_shape: tuple[int, ...]
    features: int
    slope: float

    @property
    def levels(self) -> list[Pair]:
        """The height and width of the maps of each level, those of the image last."""
        H, W, _ = self.data_shape
        return halvings((H, W), len(self.channels) - 1)[::-1]


class Mapping(layers.Module):
    """Noise z (N, features) to styles w (N, features): z on the sphere of radius √features, then dense layers.

    mean: the running mean of w in training.
    """

    def __init__(self, sizes: Sizes, depth: int, rng: Generator):
        n, self.net = sizes.features, layers.Sequential()
        for _ in range(depth):
            self.net.extend([layers.EqualizedDense(n, n, rate=RATE, rng=rng), Lifted(sizes.slope)])
        self.mean = Buffer(init.zeros((n,)))

    def forward(self, z: Any) -> Any:
        w = self.net(z / ops.sqrt(ops.mean(z * z, 1, keepdims=True) + 1e-8))
        if self.training:
            with no_grad():
                self.mean.assign(FOLLOWS * self.mean.data + (1 - FOLLOWS) * parallel.mean(ops.mean(w, 0).data))
        return w


class StyledConv(layers.Module):
    """A modulated 3x3 convolution, noise with a learnt weight, a bias, and √2 · leaky_relu: maps of level i or, if up,
    of the level before, to those of level i. If it is transposed, a blur follows.

    The noise is drawn in each pass of training, or from an rng that the call gives; else it is `fixed`.
    """

    def __init__(self, i: int, sizes: Sizes, up: bool, rng: Generator, noise: Generator):
        (C, CO), size = (sizes.channels[j] for j in (i - up, i)), sizes.levels[i]
        growing = growth(sizes.levels[i - 1], size) if up else {}
        stride, more = growing.get("stride"), growing.get("output_padding", 0)
        self.conv = layers.ModulatedConv(C, CO, 3, sizes.features, up=stride, output_padding=more, rng=rng)
        self.blur = layers.Blur(math.prod(stride)) if stride else None  # it put zeros between the pixels
        self.strength = Parameter(init.zeros((1,)))
        self.b = Parameter(init.zeros((CO,)))
        self.act = Lifted(sizes.slope)
        self.fixed = Buffer(rng.normal((1, *size, 1)))
        self.rng = noise

    def forward(self, x: Any, w: Any, rng: Generator | None = None) -> Any:
        y = self.conv(x, w)
        y = y if self.blur is None else self.blur(y)
        rng = self.rng if rng is None and self.training else rng
        N, H, W, _ = y.shape  # the noise lies in memory as y does: see ops.conv
        noise = self.fixed if rng is None else rng.normal((H, N, W, 1), dtype=y.dtype, axis=1).swapaxes(0, 1)
        return self.act(y + noise * self.strength + self.b)


class ToImage(layers.Module):
    """A modulated 1x1 convolution to the channels of the image, without demodulation, and a bias."""

    def __init__(self, C: int, sizes: Sizes, rng: Generator):
        channels = sizes.data_shape[-1]
        self.conv = layers.ModulatedConv(C, channels, 1, sizes.features, demodulate=False, rng=rng)
        self.b = Parameter(init.zeros((channels,)))

    def forward(self, x: Any, w: Any) -> Any:
        return self.conv(x, w) + self.b


class Start(layers.Module):
    """Styles w (N, ...) to the same learnt constant for each, (N, *shape): what the first level starts from."""

    def __init__(self, shape: tuple[int, ...], rng: Generator):
        self.w = Parameter(init.normal((1, *shape), rng, std=1.0))

    def forward(self, w: Any) -> Any:
        return ops.broadcast_to(self.w, (w.shape[0], *self.w.shape[1:]))


class Level(layers.Module):
    """The layers of one resolution: maps of the level before and styles w (N, 3, features) to maps and their image.

    The first level has no maps before it, and takes two styles.
    """

    def __init__(self, i: int, sizes: Sizes, rng: Generator, noise: Generator):
        first = (*sizes.levels[i], sizes.channels[i])
        self.start: Any = StyledConv(i, sizes, True, rng, noise) if i else Start(first, rng)
        self.conv = StyledConv(i, sizes, False, rng, noise)
        self.image = ToImage(sizes.channels[i], sizes, rng)

    def forward(self, x: Any, w: Any, rng: Generator | None = None) -> tuple[Any, Any]:
        x = self.start(w) if x is None else self.start(x, w[:, 0], rng)
        x = self.conv(x, w[:, -2], rng)
        return x, self.image(x, w[:, -1])


class Synthesis(layers.Module):
    """Styles w (N, features), or one for each layer (N, styles, features), to images (N, *data_shape).

    Each level doubles the sides, and adds its image to the enlarged one of the level before. rng: of the noise.
    """

    def __init__(self, sizes: Sizes, rng: Generator, noise: Generator):
        n = len(sizes.channels)
        self.levels = layers.ModuleList([Level(i, sizes, rng, noise) for i in range(n)])
        self.styles = 2 * n  # the image of a level and the first layer of the next share one

    def forward(self, w: Any, rng: Generator | None = None) -> Any:
        if w.ndim == 2:
            w = ops.broadcast_to(w.reshape(w.shape[0], 1, w.shape[1]), (w.shape[0], self.styles, w.shape[1]))
        x: Any = None
        image: Any = None
        for i, level in enumerate(self.levels):
            x, more = level(x, w[:, max(2 * i - 1, 0) : 2 * i + 2], rng)
            image = more if image is None else ops.blur(enlarged(image, more.shape[1:3])) + more
        return image


def enlarged(image: Any, size: Pair) -> Any:
    """Each pixel repeated, to a size of at most twice each side; with a blur after it the steps are gone."""
    scale = growth(image.shape[1:3], size)["stride"]
    return ops.upsample_nearest(image, scale)[:, : size[0], : size[1]]


class Halving(layers.Module):
    """A residual block of D: maps (N, *size, C) to half the sides, rounded up, with a blur before every other pixel is
    left out."""

    def __init__(self, C: int, CO: int, size: Pair, slope: float, rng: Generator):
        conv, (H, W) = layers.EqualizedConv, size
        down = conv(C, CO, 3, 2, ((1, H % 2), (1, W % 2)), rng=rng)  # pixels 0, 2, ... stay, on both paths
        self.main = layers.Sequential(conv(C, C, 3, rng=rng), Lifted(slope), layers.Blur(), down, Lifted(slope))
        self.skip = layers.Sequential(layers.Blur(), conv(C, CO, 1, 2, bias=False, rng=rng))

    def forward(self, x: Any) -> Tensor:
        return (self.main(x) + self.skip(x)) * (1 / GAIN)


def critic(sizes: Sizes, group: int, rng: Generator) -> list[layers.Module]:
    """The layers of D: the image to maps, residual blocks, the spread of the minibatch, and the score (N, 1)."""
    (last, *_), act = sizes.channels, functools.partial(Lifted, sizes.slope)
    network = [layers.EqualizedConv(sizes.data_shape[-1], sizes.channels[-1], 1, rng=rng), act()]
    for i in range(len(sizes.channels) - 1, 0, -1):
        network.append(Halving(sizes.channels[i], sizes.channels[i - 1], sizes.levels[i], sizes.slope, rng))
    network += [layers.MinibatchStd(group), layers.EqualizedConv(last + 1, last, 3, rng=rng), act(), layers.Flatten()]
    network += [layers.EqualizedDense(math.prod(sizes.levels[0]) * last, last, rng=rng), act()]
    return [*network, layers.EqualizedDense(last, 1, rng=rng)]


def mixed(w: Any, other: Any, styles: int, draws: Array, share: float) -> Any:
    """Styles for each layer, (N, styles, features): w (N, features) up to some layer, from there on `other`.

    draws: (N, 2, 1) of U(0, 1): whether the two are mixed, with probability share, and from which layer on.
    """
    N, features = w.shape
    first = ops.where(draws[:, :1] < share, 1 + draws[:, 1:] * (styles - 1), float(styles))
    layer = array_module(draws).arange(styles, dtype=draws.dtype).reshape(1, styles, 1) + 0.5
    w, other = (ops.broadcast_to(x.reshape(N, 1, features), (N, styles, features)) for x in (w, other))
    return ops.where(layer < first, w, other)
