"""What a function gives, and its derivatives of the first two orders, to compare one backend with another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import tinygen as tg
from tinygen.backend import to_host
from tinygen.gradcheck import _function_of_floats, _gradients


def derivatives(f: Callable[..., Any], inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The values of f, then ⟨u, y⟩'s gradients, then theirs, for random u that are the same on each backend.

    f: as `gradcheck` takes it. Of a Module its parameters are inputs, too.
    """
    fn, points, _ = _function_of_floats(f, inputs)
    rng, found = np.random.default_rng(0), []
    for _order in range(3):
        ys = [to_host(y.data) for y in fn([tg.tensor(x, requires_grad=True) for x in points], False)]
        found += ys
        fn, points = partial(_gradients, fn, len(points)), [*points, *(rng.normal(size=y.shape) for y in ys)]
    return found
