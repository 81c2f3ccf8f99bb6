"""Slopes by differences: how a function of arrays changes around a point, without backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

Values: TypeAlias = "Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]"

STEPS = (1.0, 2.0**-5, 2.0**-10)  # of eps; a smaller one serves where a larger one gives no settled value
NUDGE = 2.0**-30  # relative: over so short a distance a function is straight, so any bend is rounding


def typical_size(x: np.ndarray) -> np.ndarray:
    """The size of each element, but at least a tenth of the median size, or 1 if all are 0."""
    size = np.abs(x)
    return np.maximum(size, np.median(size[size > 0]) / 10 if size.any() else 1.0)


class Neighbourhood:
    """A function from arrays to arrays, near a point: each array moves from there along its own direction.

    What the function returns is handled as one flat vector. A method's `where` is nothing (all inputs move), or
    the number of an input and which of its elements move, in C order.
    """

    def __init__(self, f: Values, points: list[np.ndarray], directions: list[np.ndarray], eps: float, rtol: float):
        self.f, self.points, self.directions, self.eps, self.rtol = f, points, directions, eps, rtol
        values = f(points)
        self.shapes, self.sizes = [y.shape for y in values], [y.size for y in values]
        self.value = _flat(values)
        bends = np.max([np.abs(self.bend(k * NUDGE)) for k in range(1, 9)], axis=0)
        self.noise = bends + 2.0**-53 * np.abs(self.value)  # how far rounding moves each element of the value

    @np.errstate(all="ignore")  # a step may lead out of the function's domain; then a smaller one is taken
    def at(self, t: float, which: int | None = None, elements: Any = slice(None)) -> np.ndarray:
        """The value at point + t · direction."""
        moved = [x.copy() for x in self.points]
        for i in range(len(moved)) if which is None else [which]:
            moved[i].ravel()[elements] += t * self.directions[i].ravel()[elements]
        return _flat(self.f(moved))

    @np.errstate(all="ignore")
    def bend(self, t: float, *where: Any) -> np.ndarray:
        """The second difference, which is 0 along a straight line."""
        return self.at(t, *where) - 2 * self.value + self.at(-t, *where)

    @np.errstate(all="ignore")
    def slope(self, *where: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """d value / dt at t = 0; the error that rounding may cause; and the doubt beyond that.

        Central differences at h, h/2 and h/4, extrapolated to order h⁶ (Richardson 1911). The doubt is the
        change by the last extrapolation. Each element of the value takes the step h with the least sum of both.
        """
        slope, rounding, doubt = (np.full(self.value.shape, x) for x in (np.nan, 0.0, np.inf))
        moves: Any = None  # which elements of the value depend on what moves
        for h in [self.eps * s for s in STEPS]:
            coarse, middle, fine = [(self.at(t, *where) - self.at(-t, *where)) / (2 * t) for t in (h, h / 2, h / 4)]
            fourth = (4 * fine - middle) / 3
            sixth = (16 * fourth - (4 * middle - coarse) / 3) / 15
            changed = np.nan_to_num(np.abs(sixth - fourth), nan=np.inf)
            moves = (coarse != 0) | (middle != 0) | (fine != 0) if moves is None else moves
            noise = 4 / h * self.noise * moves
            better = changed + noise < doubt + rounding
            slope, rounding, doubt = (
                np.where(better, new, old) for new, old in ((sixth, slope), (noise, rounding), (changed, doubt))
            )
            if (doubt <= self.rtol / 10 * np.abs(slope) + rounding).all():
                break
        return slope, rounding, doubt


def _flat(ys: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(y.ravel() for y in ys)])
