"""What "saturated" and "collapsed" mean: the signs of a failing GAN in the logs of its training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..gradients import grad
from ..losses import GANLoss
from ..tensor import tensor

SATURATED = 0.99  # share of images that D judges correctly
ALIKE = 0.25  # times the distance between data
VANISHED, EXPLODED = 1e-3, 1e2  # times the usual gradient of G

NOISE = "label_smoothing=0.1 (Salimans et al. 2016, section 3.4), instance_noise=0.1 (Arjovsky and Bottou 2017)"
PENALTY = "the gradient penalty of wgangp (Gulrajani et al. 2017)"
NONSATURATING = "loss=nonsaturating, whose gradient for G stays while D wins (Goodfellow et al. 2014, section 3)"


class Sign(NamedTuple):
    """A sign of failure: its name, the evidence, and the remedy of the papers."""

    name: str
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Recent:
    """The last logs of a training.

    rows: their metrics, and "spread", the distance between samples of the same noise (NaN if there are none).
    norms: of G's gradient, at these logs and those before.  spread: the distance between data.
    """

    rows: Sequence[dict[str, float]]
    norms: Sequence[float]
    spread: float


def collapse(recent: Recent, game: GANLoss) -> Iterator[Sign]:
    """The signs that a GAN is collapsing:

    D saturated: it gets 99% right, and G's loss doesn't fall.
    samples alike: the distance between them is at most a quarter of that between examples of the data.
    G's gradient vanished: to a thousandth of its largest.  exploded: to a hundred times the median, in a single log.
    """
    rows, norms, usual = recent.rows, recent.norms, float(np.median(recent.norms))
    remedy = f"{NONSATURATING if _fades(game) else NOISE}; or {PENALTY}"
    if norms[-1] > EXPLODED * usual:
        evidence = f"it is {norms[-1]:.2g}; its median over the earlier logs is {usual:.2g}"
        yield Sign("G's gradient exploded", evidence, "a lower lr, or clipped gradients (Pascanu et al. 2013)")
    if all(row.get("acc", 0) >= SATURATED and "loss_G" in row for row in rows) and _does_not_fall(rows):
        evidence = f"it judged {SATURATED:.0%} of images correctly in {len(rows)} logs, and G's loss did not fall"
        yield Sign("D saturated", evidence, remedy)
    if all(row["spread"] < ALIKE * recent.spread for row in rows):
        evidence = f"they lie {rows[-1]['spread'] / recent.spread:.0%} as far from each other as data do"
        yield Sign("samples alike", evidence, f"packing, as in pacgan (Lin et al. 2018), {PENALTY}, or a lower lr")
    if max(norms[-len(rows) :]) < VANISHED * max(norms):
        yield Sign("G's gradient vanished", f"it is {norms[-1]:.1e}; its largest value was {max(norms):.1e}", remedy)


def _fades(game: GANLoss) -> bool:
    """Whether the slope of G's loss fades where D is sure that a sample is fake."""
    score = tensor([-20.0], requires_grad=True)
    return abs(grad(game.G(score), score).item()) < 1e-6


def _does_not_fall(rows: Sequence[dict[str, float]]) -> bool:
    losses = [row["loss_G"] for row in rows]
    half = len(losses) // 2
    return float(np.mean(losses[half:])) >= float(np.mean(losses[:half])) - 0.01 * abs(float(np.mean(losses)))
