"""Whether generated faces vary as drawn ones do: the spread of each factor that the judge of faces reads."""

from __future__ import annotations

import numpy as np

from ..judges.faces import has_drawn_faces, load_face_judge, read_factors
from ..models.base import has
from .images import FEWEST, IMAGES
from .subject import MOST, Score, Subject

ABOUT = {
    "spread": "spread of each factor of faces, as a share of the true one; the mean of all",
    "least_spread": "spread of the factor that varies least, as a share of the true one",
}


def factor_spreads(faces: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The standard deviation of each factor of faces, divided by that of test faces: (6,). Both uint8 or in [0, 1]."""
    judge = load_face_judge()
    return read_factors(judge, faces).std(axis=0) / read_factors(judge, test).std(axis=0)


def measure(subject: Subject) -> dict[str, Score]:
    data, n = subject.data, subject.n or IMAGES
    if not has_drawn_faces(data) or not has(subject.model, "sample") or min(n, len(data.test)) < FEWEST:
        return {}
    test = data.test[:MOST]
    made, real = factor_spreads(subject.samples(n), test), factor_spreads(data.train[:n], test)
    values = {"spread": (made.mean(), real.mean()), "least_spread": (made.min(), real.min())}
    return {name: Score(float(value), float(reference)) for name, (value, reference) in values.items()}
