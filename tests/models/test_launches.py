"""How many launches a step is on a GPU that runs as it is written: kernels, products and copies.

The twins of the kernels run as they are, on a stand-in for CuPy (launching.py).
"""

from __future__ import annotations

import numpy as np
import pytest
import standin
from launching import launching
from models.small import batches, fed, small

from tinygen import kernels, optim
from tinygen.models import MODELS
from tinygen.tensor import Parameter


@pytest.mark.parametrize(
    ("name", "shape", "batch", "most"),
    [("gan", (28, 28, 1), 128, 120), ("dcgan", (28, 28, 1), 16, 141), ("dcgan64", (64, 64, 3), 4, 252)],
)
def test_launches_of_a_step(name, shape, batch, most):
    with launching() as cupy:
        kind = MODELS[name]
        model = kind(kind.Config(data_shape=shape))
        x = cupy.asarray(np.random.default_rng(0).uniform(-1, 1, (batch, *shape)).astype(np.float32))
        model.train_step(x)
        with standin.count_launches() as launches:
            model.train_step(x)
    assert launches.count <= most, launches


@pytest.mark.parametrize("name", MODELS)
def test_the_twins_serve_every_model_without_waiting_or_adding_atomically(name):
    with launching() as cupy, standin.count_syncs() as syncs:
        model = small(name)
        x = cupy.asarray(np.concatenate([batches(1)[0]] * model.batches_per_step))
        batch = fed(model, x)
        begin = syncs.count
        model.train_step(batch)
        assert syncs.count == begin, syncs


@pytest.mark.parametrize("options", [{}, {"clip_norm": 1.0}, {"clip_value": 1.0}], ids=str)
@pytest.mark.parametrize("kind", optim.OPTIMIZERS.values())
def test_an_optimiser_s_step_is_as_many_launches_for_many_parameters_as_for_two(kind, options):
    counts = []
    with launching() as cupy:
        for n in (2, 9, 100):
            params = [Parameter(cupy.zeros(k + 1, np.float32)) for k in range(n)]
            optimizer = kind(params, lr=0.1, **options)
            gradients = [cupy.zeros(k + 1, np.float32) for k in range(n)]
            with standin.count_launches() as launches:
                optimizer.step(gradients)
            counts.append(launches.count)
    assert counts[0] == counts[1] == counts[2]


def test_floats_are_not_added_atomically():
    with launching() as cupy:
        x, places = cupy.zeros(3, np.float32), cupy.asarray(np.array([1, 1]))
        kernels.add_at(x, places, 1.0)
        with pytest.raises(AssertionError, match="in no fixed order"):
            cupy.add.at(x, places, 1.0)
