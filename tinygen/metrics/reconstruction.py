"""How close reconstructions are to test examples."""

from __future__ import annotations

import numpy as np

from ..backend import to_host
from ..models.base import has
from .subject import MOST, Score, Subject

ABOUT = {
    "mse": "squared error of reconstructed test examples; lower is better",
}


def measure(subject: Subject) -> dict[str, Score]:
    model = subject.model
    if not has(model, "codes"):
        return {}
    low, high = model.value_range or (0.0, 1.0)
    x = subject.data.test[:MOST]
    errors = (((model.decode(model.codes(b)) - b) ** 2).sum(dtype=np.float64) for b in subject.batches(x))
    return {"mse": Score(sum(float(to_host(error)) for error in errors) / x.size / (high - low) ** 2)}
