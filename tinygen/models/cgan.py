"""The conditional GAN: Mirza and Osindero 2014. G draws a given class; D judges examples given their class.

    min_G max_D  E log D(x, y) + E log(1 - D(G(z, y), y)),   z ~ N(0, 1), y the label of x            (eq. 2)

Each network has its own embedding of the labels and joins its vector to the input. The algorithm is the GAN's, in
gan.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from .. import layers, ops
from ..backend import Array, is_array, to_device, to_host
from ..checks import check_input
from ..errors import ConfigError, DataError
from ..fields import Count
from ..random import Generator
from .gan import GAN, GANConfig, plane
from .networks import WeightInit, elements, initial, mlp

COLUMNS = 16  # classes in a picture


@dataclass(frozen=True)
class CGANConfig(GANConfig):
    """The hyperparameters. The paper's are for maxout units and SGD; these networks are the GAN's, but smaller, and
    Adam's lr suits a budget of minutes. G has no batch norm, which mixes the classes of a batch: in a trial each class
    collapsed to one image, or to noise. R1 holds D back (Mescheder et al. 2018), and samples are drawn with the mean of
    G's weights (Yazıcı et al. 2019). The initial weights are those of Keras: with the GAN's the FID was higher, in the
    ACGAN by a factor of three.

    classes: set from the data.
    """

    g_hidden: tuple[int, ...] = (256, 512)
    d_hidden: tuple[int, ...] = (512, 256)
    batch_norm: bool = False
    weight_init: WeightInit = "glorot"
    r1: float = 0.1
    ema: float = 0.999
    lr: float = 1e-3
    classes: Count = 10
    label_width: Annotated[Count, "how many numbers stand for a label"] = 50


class JoinLabels(layers.Module):
    """(x, y) to (N, C + width): x (N, ...) flattened, and beside it a vector for each integer label y (N,)."""

    def __init__(self, classes: int, width: int, rng: Generator | None = None):
        self.embedding = layers.Embedding(classes, width, rng)

    def forward(self, x: Any, y: Any) -> Any:
        check_input(self, x, least=1)
        check_input(self, y, least=1)
        if y.shape != x.shape[:1]:
            raise ValueError(f"JoinLabels: y is {y.shape}, but x is {x.shape}, and each example needs one label")
        return ops.concatenate([ops.reshape(x, (x.shape[0], elements(x.shape[1:]))), self.embedding(y)], axis=1)


class CGAN(GAN):
    """A GAN of dense layers that draws examples of a given class.

    >>> model = tg.models.CGAN(tg.models.CGANConfig(classes=10))
    >>> model.sample(4, labels=np.arange(4)).shape
    (4, 28, 28, 1)
    """

    name = "cgan"
    Config: ClassVar[type] = CGANConfig
    takes_labels = True
    presets: ClassVar = {"plane": plane(3000, label_width=8, r1=0.0)}
    defaults: ClassVar = {"data": "digits", "steps": 7000, "batch": 64}
    labelled: ClassVar[tuple[str, ...]] = ("G", "G_mean", "D")

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        self.columns = min(self.config.classes, COLUMNS)

    def generator(self, output: str, rng: Generator) -> list[layers.Module]:
        """The layers of G: noise (N, latent_dim) and labels (N,) to (N, *data_shape)."""
        c = self.config
        join = JoinLabels(c.classes, c.label_width, rng)
        norm = {"momentum": c.bn_momentum, "eps": c.bn_eps} if c.batch_norm else None
        widths = (c.latent_dim + c.label_width, *c.g_hidden, elements(c.data_shape))
        return [
            join,
            *mlp(widths, c.g_activation, output, c.slope, norm, **initial(c, rng)),
            layers.Reshape(c.data_shape),
        ]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The layers of D: (N, *data_shape) and labels (N,) to the scores (N, 1)."""
        c = self.config
        join = JoinLabels(c.classes, c.label_width, rng)
        widths = (elements(c.data_shape) + c.label_width, *c.d_hidden, 1)
        return [join, *mlp(widths, c.d_activation, "linear", c.slope, None, **initial(c, rng))]

    def sample(self, n: int, rng: Generator | None = None, labels: Any = None) -> Array:
        """n images of the classes in `labels`, one for all or one for each; by default 0, 1, 2, ... over and over.

        Raises DataError for an unknown label, ConfigError unless there are one or n labels.
        """
        z = self._latents(n, rng)
        return self.draw(z, self.labels_for(n, labels))

    def preview(self, x: Any, n: int, rng: Generator | None = None) -> Array:
        """A column for each of the first 16 classes, a row for each draw of z."""
        row, label = np.divmod(np.arange(n), min(self.config.classes, COLUMNS))
        return self.draw(self.noise(n, self.sampling_stream(rng))[to_device(row)], to_device(label))

    def labels_for(self, n: int, labels: Any = None) -> Array:
        """n labels on the device, from those that `sample` takes."""
        if labels is None:
            return to_device(np.arange(n) % self.config.classes)
        labels = to_host(labels) if is_array(labels) else np.asarray(labels)
        self.check_labels(labels)
        if labels.shape not in ((), (n,)):
            raise ConfigError(f"{self.name}: labels have the shape {labels.shape}, but {n} samples need one or {n}")
        return to_device(np.broadcast_to(labels, n).astype(np.int64))

    def check_labels(self, labels: Any) -> None:
        """Raise DataError unless labels are whole numbers from 0 to classes - 1. Waits for the GPU."""
        classes = self.config.classes
        if labels.dtype.kind not in "iu":
            raise DataError(f"{self.name}: the labels are {labels.dtype}, but they must be whole numbers")
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise DataError(
                f"{self.name}: there is no label {int(labels.max() if labels.max() >= classes else labels.min())}; "
                f"the labels of {classes} classes go from 0 to {classes - 1}"
            )
