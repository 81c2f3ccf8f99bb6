"""The losses of a GAN's game: what D and G minimise, given D's scores. Each is one entry of GAN_LOSSES.

In the formulas r is D's score of a real example and s its score of a fake one, both before any sigmoid σ; a loss is the
mean of its formula over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..backend import to_host
from ..checks import number
from ..gradients import grad
from ..tensor import Tensor, tensor
from .functions import bce_logits, check_floats, hinge, mse

LOW, HIGH, EVERY = -32.0, 32.0, 1 / 16  # a description has the slope at these scores; linear between them


class GANLoss(NamedTuple):
    """The two sides of a GAN's game, with their formulas and what a score means.

    D: (real scores, fake scores) -> the loss that D minimises; if labelled, the label of real may be a third argument.
    G: fake scores -> the loss that G minimises, a mean over them.
    probability: whether σ(score) is D's probability that the example is real.
    threshold: the score above which D takes an example for real; None if scores only rank examples.
    labelled: whether D's loss compares scores with labels, 1 for real and 0 for fake.
    name: its name in `--set loss=`.  title: its name on a page, by default the same.
    formula_D, formula_G: the losses in terms of r and s, as in the source.

    >>> game = tg.losses.GAN_LOSSES["hinge"]
    >>> real, fake = tg.tensor([[2.0], [0.0]]), tg.tensor([[-2.0], [0.0]])
    >>> game.D(real, fake).item(), game.G(fake).item()
    (1.0, 1.0)
    """

    D: Callable[..., Tensor]
    G: Callable[[Any], Tensor]
    probability: bool = False
    threshold: float | None = None
    labelled: bool = False
    name: str = "own"
    title: str = ""
    formula_D: str = ""
    formula_G: str = ""
    source: str = ""

    def slope(self, scores: Any) -> Any:
        """dL_G/ds at each score, where L_G is the loss of that example alone; an array of the shape of `scores`."""
        s = tensor(scores.reshape(-1, 1), requires_grad=True)
        (slope,) = grad(self.G(s) * s.size, [s])  # G's loss is a mean
        return slope.data.reshape(scores.shape)

    def describe(self) -> dict[str, Any]:
        """Everything but D and G as JSON values, and the slope at even steps from `low` to `high`."""
        with np.errstate(all="ignore"):  # a loss may be infinite far out
            slope = to_host(self.slope(np.linspace(LOW, HIGH, round((HIGH - LOW) / EVERY) + 1)))
        return {
            "name": self.name,
            "title": self.title or self.name,
            "formula_D": self.formula_D,
            "formula": self.formula_G,
            "source": self.source,
            "probability": self.probability,
            "threshold": self.threshold,
            "labelled": self.labelled,
            "low": LOW,
            "high": HIGH,
            "slope": [float(f"{x:.7g}") if np.isfinite(x) else None for x in slope],
        }

    def __repr__(self) -> str:
        return f"GANLoss({self.name!r}: D lowers {self.formula_D or 'D(r, s)'}, G lowers {self.formula_G or 'G(s)'})"


def slope_from(description: dict[str, Any], scores: np.ndarray) -> np.ndarray:
    """The slope at each score from the result of `describe`: linear between the steps, and beyond the ends."""
    slope = np.array(description["slope"], np.float64)
    place = (
        (scores.astype(np.float64) - description["low"]) / (description["high"] - description["low"]) * (len(slope) - 1)
    )
    i = np.nan_to_num(place).clip(0, len(slope) - 2).astype(int)
    return (slope[i] + (place - i) * (slope[i + 1] - slope[i])).astype(scores.dtype)


def _logistic_D(real: Any, fake: Any, target: float = 1.0) -> Tensor:
    return bce_logits(real, target) + bce_logits(fake, 0.0)


def _minimax_G(fake: Any) -> Tensor:
    return -bce_logits(fake, 0.0)


def _nonsaturating_G(fake: Any) -> Tensor:
    return bce_logits(fake, 1.0)


def _hinge_D(real: Any, fake: Any) -> Tensor:
    return hinge(real, 1.0) + hinge(fake, -1.0)


def _wasserstein_D(real: Any, fake: Any) -> Tensor:
    check_floats("wasserstein", real, fake)
    return ops.mean(fake) - ops.mean(real)


def _minus_mean(fake: Any) -> Tensor:
    check_floats("G's loss", fake)
    return -ops.mean(fake)


class _LeastSquares(NamedTuple):
    """The labels of the game: a of fake examples, b of real ones, c what G wants."""

    a: float
    b: float
    c: float

    def D(self, real: Any, fake: Any, target: float | None = None) -> Tensor:
        return (mse(real, self.b if target is None else target) + mse(fake, self.a)) * 0.5

    def G(self, fake: Any) -> Tensor:
        return mse(fake, self.c) * 0.5


def _half_square(letter: str, label: float) -> str:
    return f"½ ({letter} {'−' if label > 0 else '+'} {abs(label):g})²" if label else f"½ {letter}²"


def least_squares(a: float = 0.0, b: float = 1.0, c: float = 1.0) -> GANLoss:
    """½ E (D(x) - b)² + ½ E (D(G(z)) - a)² for D, ½ E (D(G(z)) - c)² for G: Mao et al. 2017, eq. 2.

    >>> tg.losses.least_squares(a=-1.0, b=1.0, c=0.0)
    GANLoss('lsgan': D lowers ½ (r − 1)² + ½ (s + 1)², G lowers ½ s²)
    """
    game = _LeastSquares(*(number("least_squares", name, label) for name, label in (("a", a), ("b", b), ("c", c))))
    return GANLoss(
        game.D,
        game.G,
        threshold=(game.a + game.b) / 2,
        labelled=True,
        name="lsgan",
        title="least squares",
        formula_D=f"{_half_square('r', game.b)} + {_half_square('s', game.a)}",
        formula_G=_half_square("s", game.c),
        source="Mao et al. 2017, eq. 2",
    )


GAN_LOSSES = {  # made of named functions, so that a model can be pickled
    loss.name: loss
    for loss in (
        GANLoss(  # G's side is flat while D wins
            _logistic_D,
            _minimax_G,
            probability=True,
            threshold=0.0,
            labelled=True,
            name="minimax",
            formula_D="−log σ(r) − log(1 − σ(s))",
            formula_G="log(1 − σ(s))",
            source="Goodfellow et al. 2014, eq. 1",
        ),
        GANLoss(
            _logistic_D,
            _nonsaturating_G,
            probability=True,
            threshold=0.0,
            labelled=True,
            name="nonsaturating",
            title="non-saturating",
            formula_D="−log σ(r) − log(1 − σ(s))",
            formula_G="−log σ(s)",
            source="Goodfellow et al. 2014, section 3",
        ),
        least_squares(),  # the labels of eq. 9
        GANLoss(
            _hinge_D,
            _minus_mean,
            threshold=0.0,
            name="hinge",
            formula_D="max(0, 1 − r) + max(0, 1 + s)",
            formula_G="−s",
            source="Lim and Ye 2017, eq. 3; Miyato et al. 2018, eq. 16 and 17",
        ),
        GANLoss(  # D must be held Lipschitz by other means
            _wasserstein_D,
            _minus_mean,
            name="wasserstein",
            title="Wasserstein",
            formula_D="s − r",
            formula_G="−s",
            source="Arjovsky et al. 2017, eq. 2",
        ),
    )
}
