"""Adaptive augmentation: Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data".

D sees real and generated images through the same distortions, each with probability p. Where p is below about 0.8,
G still learns the images without them (section 2.2). p follows how much D overfits.
"""

from __future__ import annotations

from typing import Any

from .. import init, layers, ops
from ..backend import Array, array_module, array_of
from ..layers import Buffer
from ..parallel import mean
from ..processes import sharing
from ..random import Generator

SHIFT, BRIGHTNESS, CONTRAST = 1 / 8, 0.2, 0.5  # of the side; standard deviations: appendix B, in images of [-1, 1]
FOLLOWS = 0.95  # of the statistic, about 20 batches; the paper takes the mean of 4


class Augment(layers.Module):
    """Images x (N, H, W, C), distorted in four ways, each with probability p: mirrored (half of the time), moved by
    whole pixels with the border repeated, brighter or darker, and of another contrast.

    p: a buffer, 0 at first.  r: the running mean of sign(D(x)) for real images x, by which p is adapted.
    """

    def __init__(self, rng: Generator):
        self.p, self.r = Buffer(init.zeros((1,))), Buffer(init.zeros((1,)))
        self.rng = rng

    def forward(self, x: Any) -> Any:
        N = len(x)
        on = self.rng.uniform((N, 4, 1, 1), dtype=x.dtype) < self.p.data.reshape(1, 1, 1, 1)
        flip, right, down = (self.rng.uniform((N, 1, 1), dtype=x.dtype) for _ in range(3))
        x = ops.where((on[:, :1] & (flip < 0.5)[..., None]), ops.flip(x, 2), x)
        x = moved(x, ops.where(on[:, 1], down - 0.5, 0.0), ops.where(on[:, 1], right - 0.5, 0.0))
        brightness, contrast = (self.rng.normal((N, 1, 1, 1), dtype=x.dtype) for _ in range(2))
        x = x + ops.where(on[:, 2:3], BRIGHTNESS * brightness, 0.0)
        return x * ops.where(on[:, 3:4], ops.exp(CONTRAST * contrast), 1.0)

    def adapt(self, scores: Any, target: float, images: int) -> None:
        """Move p up by N / images if D knows the real images too well, if r is above the target; else down.

        scores: D's of N real images: section 3, r_t.
        """
        xp, r = array_module(self.r.data), self.r.data
        self.r.assign(FOLLOWS * r + (1 - FOLLOWS) * mean(xp.sign(array_of(scores)).mean()))
        step = xp.sign(self.r.data - target) * (len(scores) * sharing().size / images)
        self.p.assign((self.p.data + step).clip(0, 1))


def moved(x: Any, down: Array, right: Array) -> Any:
    """x (N, H, W, C) moved by whole pixels, at most an eighth of the sides: by shares (N, 1, 1), -0.5 to 0.5, of both
    ways."""
    N, H, W, _ = x.shape
    xp = array_module(down)
    rows = _from(xp.arange(H).reshape(1, H, 1), down, H)
    columns = _from(xp.arange(W).reshape(1, 1, W), right, W)
    return x[xp.arange(N).reshape(N, 1, 1), rows, columns]


def _from(places: Array, share: Array, n: int) -> Array:
    """Where the pixels at these places come from."""
    most = round(n * SHIFT)
    shift = (share * (2 * most + 1) + (most + 0.5)).astype("int64") - most  # in [-most, most], 0 for a share of 0
    return (places - shift).clip(0, n - 1)
