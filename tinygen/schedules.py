"""Learning-rate schedules: functions of the step, from 0. After the last step the rate stays constant.

They are made of named functions, so that an optimiser can be pickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from .checks import number, whole

__all__ = ["cosine_decay", "exponential_decay", "linear_decay", "step_decay"]


def __dir__() -> list[str]:
    return __all__


def _warm(rate: Callable[[int], float], lr: float, warmup: int, step: int) -> float:
    return lr * (step + 1) / warmup if step < warmup else rate(step - warmup)


def _linear(lr: float, final: float, steps: int, constant: int, i: int) -> float:
    return lr + (final - lr) * min(max(i - constant, 0) / steps, 1.0)


def _cosine(lr: float, final: float, steps: int, i: int) -> float:
    return final + 0.5 * (lr - final) * (1 + math.cos(math.pi * min(i / steps, 1.0)))


def _exponential(lr: float, factor: float, every: int, i: int) -> float:
    return lr * factor ** (i / every)


def _steps(lr: float, factor: float, every: int, i: int) -> float:
    return lr * factor ** (i // every)


def linear_decay(
    lr: float, steps: int, final: float = 0.0, warmup: int = 0, constant: int = 0
) -> Callable[[int], float]:
    """A linear rise to lr over warmup steps, lr for `constant` steps, then a straight line to final at step `steps`.

    >>> rate = tg.optim.linear_decay(0.1, steps=100, warmup=10)
    >>> round(rate(4), 3), rate(10), round(rate(55), 3), rate(100)
    (0.05, 0.1, 0.05, 0.0)
    """
    lr, steps, final, warmup = _span("linear_decay", lr, steps, final, warmup)
    flat = warmup + whole("linear_decay", "constant", constant, 0)
    return partial(_warm, partial(_linear, lr, final, max(steps - flat, 1), flat - warmup), lr, warmup)


def cosine_decay(lr: float, steps: int, final: float = 0.0, warmup: int = 0) -> Callable[[int], float]:
    """final + ½ (lr - final)(1 + cos(π i / n)), n = steps - warmup: Loshchilov and Hutter 2017, eq. 5.

    >>> rate = tg.optim.cosine_decay(0.1, steps=100)
    >>> rate(0), round(rate(50), 3), rate(100)
    (0.1, 0.05, 0.0)
    """
    lr, steps, final, warmup = _span("cosine_decay", lr, steps, final, warmup)
    return partial(_warm, partial(_cosine, lr, final, max(steps - warmup, 1)), lr, warmup)


def exponential_decay(lr: float, factor: float, every: int = 1) -> Callable[[int], float]:
    """lr · factor^(i / every): smooth; factor is the change over `every` steps.

    >>> rate = tg.optim.exponential_decay(0.1, 0.5, every=10)
    >>> rate(0), round(rate(5), 4), rate(10)
    (0.1, 0.0707, 0.05)
    """
    return partial(_exponential, *_rates("exponential_decay", lr, factor, every))


def step_decay(lr: float, factor: float, every: int) -> Callable[[int], float]:
    """lr · factor^⌊i / every⌋: constant for `every` steps, then multiplied by factor, and so on.

    >>> rate = tg.optim.step_decay(0.1, 0.5, every=10)
    >>> rate(0), rate(9), rate(10)
    (0.1, 0.1, 0.05)
    """
    return partial(_steps, *_rates("step_decay", lr, factor, every))


def _span(name: str, lr: float, steps: int, final: float, warmup: int) -> tuple[float, int, float, int]:
    lr, final = number(name, "lr", lr, 0), number(name, "final", final, 0)
    return lr, whole(name, "steps", steps, 0), final, whole(name, "warmup", warmup, 0)


def _rates(name: str, lr: float, factor: float, every: int) -> tuple[float, float, int]:
    return number(name, "lr", lr, 0), number(name, "factor", factor, above=0), whole(name, "every", every, 1)
