"""What there is to see in a GAN: D's scores, and what its gradient tells G, pixel by pixel and layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, array_module, to_device, to_host
from ..errors import ConfigError
from ..gradients import grad
from ..layers import evaluating
from ..metrics.modes import mixture_scores
from ..models import GAN, WGANGP
from ..models.penalties import slopes
from ..models.probe import Signals, watched
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from ..viz.points import range_around_zero

if TYPE_CHECKING:
    from .looks import Looks

GRID = 41  # the side of the grid on which D's field in the plane is kept


class GANLook:
    """D's scores of G's images and of real ones, and G's loss differentiated through D, back to G's first layer."""

    def __init__(self, model: GAN, about: Looks):
        self.model, self.shown, self.dataset = model, about.shown, about.dataset
        self.pack = model.batch_unit
        n = max(about.batch // self.pack, 1) * self.pack
        x, labels = about.examples(n)
        if model.takes_labels and labels is None:
            raise ConfigError(
                f"Recorder: {model.name} learns from labels, and {self.dataset.name} has none; give other data"
            )
        self.x = x[: len(x) // self.pack * self.pack]
        self.y_real = [to_device(labels[: len(self.x)])] if model.takes_labels and labels is not None else []
        self.z = model.noise(n, Generator(0, "recorder/z"))
        self.y = [to_device(np.arange(n) % model.config.classes)] if model.takes_labels else []
        self.t = Generator(0, "recorder/t").uniform((len(self.x), *[1] * (x.ndim - 1)))
        self.plain = not model.D_mixes and type(model).loss_G is GAN.loss_G
        about.facts |= {
            "loss": model.loss.name,
            "game": model.loss.describe(),
            "probability": model.loss.probability,
            "threshold": model.loss.threshold,
            "scores": n // self.pack,
            "separable": not model.D_mixes,
        }
        if self.y:
            about.constants["labels"] = to_host(self.y[0])[: self.shown]
        self.field = Field(self, about) if about.plane and "D" not in model.labelled else None

    def __call__(self, signals: Signals) -> dict[str, Any]:
        model, found = self.model, dict[str, Any]()
        if self.field is not None:
            found["field"] = self.field.scores()  # before what follows changes running statistics
        with watched() as seen:
            fake = model.G(Tensor(self.z).requires_grad_(), *self.y)
            loss, _ = model.loss_G(fake, *self.y)
        scores = seen[id(model.D)]
        first = array_module(scores).zeros(scores.shape, scores.dtype)
        first[:, 0] = 1  # of several columns the first is the score, the others are logits of classes
        (score_gradient,) = grad(scores, [fake], first, retain_graph=True)
        (pixel_gradient,) = signals.take(loss, seen, fake)
        with no_grad():
            real_scores = model.score(model.blurred(self.x), *self.y_real)
        found |= {
            "samples": fake.data[: self.shown],
            "score_fake": self._each(scores),
            "score_real": self._each(real_scores),
            "score_gradient": score_gradient.data[: self.shown],
        }
        if not self.plain:
            found["pixel_gradient"] = pixel_gradient.data[: self.shown]
        if isinstance(model, WGANGP):
            found["slopes"] = self._slopes(fake.data[: len(self.x)])
        return found if self.field is None else found | self.field.hits(fake.data)

    def _each(self, scores: Tensor) -> Array:
        """The score of each image: where D judges packs, that of its pack."""
        return scores.data[:, 0].repeat(self.pack)

    def _slopes(self, fake: Array) -> Array:
        """How steep D is between real and fake images, always at the same t: Gulrajani et al. 2017, eq. 3."""
        return slopes(self.model.score, self.x + self.t * (fake - self.x), *self.y_real).data


class Field:
    """D's scores over the plane, and which modes of a mixture G's points hit."""

    def __init__(self, look: GANLook, about: Looks):
        self.model, self.modes = look.model, about.dataset.modes
        _, reach = range_around_zero(about.dataset.train[:10_000])
        axis = np.linspace(-reach, reach, GRID, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # row by row, from the lowest y up
        self.points = to_device(np.repeat(points, look.pack, axis=0))  # a pack is one point, several times
        about.facts["reach"] = reach
        about.constants["data"] = to_host(look.x)
        if self.modes is not None:
            about.constants["centres"] = self.modes.centres.astype(np.float32)
            about.facts["within"] = 3 * self.modes.std  # of a centre: what mixture_scores counts

    @no_grad()
    def scores(self) -> Array:
        """D at each point of the grid, (GRID, GRID)."""
        with evaluating(self.model.D):
            return self.model.score(self.points).data.reshape(GRID, GRID)

    def hits(self, fake: Array) -> dict[str, np.ndarray]:
        """The scores of mixture_scores, if the data are a mixture."""
        return {} if self.modes is None else {n: np.asarray(v) for n, v in mixture_scores(fake, self.modes).items()}
