"""What a teacher writes of a piece: its checks, the known mistakes, and right answers in other words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Check:
    """One question to a student's file: a probe of probes.py, called with drawn inputs.

    name: what it is about, as the student reads it.  draw(rng): the probe's inputs, by name.
    rtol: how far an answer may be off, relative to the largest number of the right one.
    judge(answer, right): instead of equality, the share of the points (0 to 1) and what to tell the student.
    seconds: after which the file is stopped.
    """

    name: str
    points: float
    probe: str
    draw: Callable[[np.random.Generator], dict[str, Any]]
    public: bool = False
    rtol: float = 1e-7
    judge: Callable[[Any, Any], tuple[float, str]] | None = None
    seconds: float = 10.0


@dataclass(frozen=True)
class Mistake:
    """A classic mistake: how the master is changed to make it, which checks it fails, and what to tell who made it.

    changes: pairs of lines of the master and what stands there instead; each must be found once.
    """

    name: str
    changes: Sequence[tuple[str, str]]
    fails: Sequence[str]
    says: str


@dataclass(frozen=True)
class Words:
    """A right answer in other words, which must get all points: how the master is changed to make it."""

    name: str
    changes: Sequence[tuple[str, str]]
