"""What is recorded of two networks that play a game: D's scores, and its gradient at G's samples, pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..backend import Array, to_device, to_host
from ..data.loader import first_examples
from ..gradients import grad
from ..layers import evaluating
from ..metrics.modes import mixture_scores
from ..models.probe import Signals, length, undisturbed, watched
from ..scopes import no_grad
from ..tensor import Tensor
from ..viz.points import range_around_zero

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model

GRID = 41  # points on a side of the grid on which D's field in the plane is recorded


class Adversary:
    """D's scores of G's samples and of real ones, and G's loss differentiated through D, back to G's first layer.

    batch: the one on which the steps are made.  facts, constants: as in an Observer.
    """

    def __init__(self, model: Model, dataset: Dataset, batch: tuple[Array, ...], shown: int):
        assert model.game is not None
        self.model, self.game, self.shown = model, model.game, shown
        self.batch = batch
        x, labels = first_examples(dataset, len(batch[0]), model.value_range)
        self.x = x[: len(x) // model.batch_unit * model.batch_unit]
        self.y_real = [] if labels is None or not model.takes_labels else [to_device(labels[: len(self.x)])]
        self.plain: bool | None = None  # whether the scores determine G's gradient: see _is_plain
        with undisturbed(model):
            self.separable = not model.steps_on(*batch)["G"].mixes_examples
        self.facts: dict[str, Any] = {
            "loss": self.game.name,
            "game": self.game.describe(),
            "probability": self.game.probability,
            "threshold": self.game.threshold,
            "scores": len(batch[0]),
            "separable": self.separable,
        }
        self.constants = {"labels": to_host(batch[1])[:shown]} if model.takes_labels else {}
        self.field: Field | None = None
        with undisturbed(model):
            self.observe(Signals(model))  # it finds out whether the scores determine G's gradient, for the facts
        if dataset.shape == (2,) and model.has("score") and "D" not in model.labelled:
            self.field = Field(model, dataset)
            self.facts |= self.field.facts
            self.constants |= {"data": to_host(self.x)} | self.field.constants

    def observe(self, signals: Signals) -> dict[str, Any]:
        """The arrays of a step; the gradient at each layer goes to the signals."""
        model, found = self.model, dict[str, Any]()
        if self.field is not None:
            found["field"] = self.field.scores()  # first, as the rest changes running statistics
        step = model.steps_on(*self.batch)["G"]
        with watched() as outputs:
            loss = step.compute_loss()
        fake, scores = loss.named.get("G(z)"), loss.named.get("D(G(z))")
        if fake is None:
            signals.take(loss.value, outputs)
            return found
        found["samples"] = fake.data[: self.shown]
        if scores is None:
            (found["pixel_gradient"],) = (g.data[: self.shown] for g in signals.take(loss.value, outputs, fake))
            return found
        if self.plain is None:
            self.facts["scores"] = len(self.batch[0]) * scores.size // len(fake)  # fewer, if D judges packs
        (score_gradient,) = grad(ops.sum(scores), [fake], retain_graph=True)
        (pixel_gradient,) = signals.take(loss.value, outputs, fake)
        found |= {"score_fake": _each(scores, len(fake)), "score_gradient": score_gradient.data[: self.shown]}
        if not self._is_plain(scores, score_gradient.data, pixel_gradient.data):
            found["pixel_gradient"] = pixel_gradient.data[: self.shown]
        if model.has("score"):
            with no_grad():
                found["score_real"] = _each(model.score(model.augmented(self.x), *self.y_real), len(self.x))
        found |= model.observe(self.x, fake.data[: len(self.x)], *self.y_real)
        return found if self.field is None else found | self.field.hits(fake.data)

    def _is_plain(self, scores: Tensor, score_gradient: Array, pixel_gradient: Array) -> bool:
        """Whether L_G depends on each score alone, so that dL_G/dx = L'(s)/N · ds/dx need not be stored."""
        if self.plain is None and self.separable:
            slope = self.game.slope(scores.data.reshape(-1)) / scores.size
            derived = score_gradient * slope.repeat(len(pixel_gradient) // scores.size).reshape(
                -1, *[1] * (pixel_gradient.ndim - 1)
            )
            share = float((derived * pixel_gradient).sum()) / (float((derived * derived).sum()) or 1.0)
            difference = float(length(share * derived - pixel_gradient))
            self.plain = difference <= 1e-3 * float(length(pixel_gradient))
            if self.plain and share:  # 1/2, say, if the loss is a mean over as many other scores, too
                self.facts["scores"] = round(scores.size / share)
        return bool(self.plain)


def _each(scores: Tensor, n: int) -> Array:
    """The score of each of n images; if D judges packs, the score of its pack."""
    return scores.data.reshape(-1).repeat(n // scores.size)


class Field:
    """D's scores over the plane, and which modes of a mixture G's points hit."""

    def __init__(self, model: Model, dataset: Dataset):
        self.model, self.modes = model, dataset.modes
        _, reach = range_around_zero(dataset.train[:10_000])
        axis = np.linspace(-reach, reach, GRID, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # row by row, from the lowest y up
        self.points = to_device(np.repeat(points, model.batch_unit, axis=0))  # a pack is one point, several times
        self.facts: dict[str, Any] = {"reach": reach}
        self.constants: dict[str, np.ndarray] = {}
        if self.modes is not None:
            self.constants["centres"] = self.modes.centres.astype(np.float32)
            self.facts["within"] = 3 * self.modes.std  # from a centre, as mixture_scores counts

    @no_grad()
    def scores(self) -> Array:
        """D at each point of the grid, (GRID, GRID)."""
        with evaluating(self.model):
            return self.model.score(self.points).data.reshape(GRID, GRID)

    def hits(self, fake: Array) -> dict[str, np.ndarray]:
        """The scores of mixture_scores, if the data are a mixture."""
        return {} if self.modes is None else {n: np.asarray(v) for n, v in mixture_scores(fake, self.modes).items()}
