"""How many launches a step is on a GPU that runs as it is written: kernels, products and copies.

The twins of the kernels run as they are, on a stand-in for CuPy (launching.py); batches are as large as in training.
"""

from __future__ import annotations

import numpy as np
import pytest
import standin
from launching import launching

from tinygen.models import MODELS


@pytest.mark.parametrize(
    ("name", "shape", "batch", "most"),
    [
        ("gan", (28, 28, 1), 128, 225),
        ("dcgan", (28, 28, 1), 64, 245),
        ("dcgan64", (64, 64, 3), 16, 451),
    ],
)
def test_launches_of_a_step(name, shape, batch, most):
    with launching() as cupy:
        kind = MODELS[name]
        model = kind(kind.Config(data_shape=shape))
        x = cupy.asarray(np.random.default_rng(0).uniform(-1, 1, (batch, *shape)).astype(np.float32))
        with standin.count_launches() as launches, standin.count_syncs() as syncs:
            model.train_step(x)
    assert launches.count <= most, launches
    assert syncs.count == 0, syncs
