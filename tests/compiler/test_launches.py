"""How many launches a compiled step is on a GPU: kernels, products, draws and copies, counted on the stand-in.

A sum along many rows is two launches on a GPU, and counts as one here.
"""

from __future__ import annotations

import numpy as np
import pytest
import standin
from conftest import device

import tinygen as tg
from tinygen import kernels
from tinygen.compiler.device import BodyByCalls
from tinygen.models import MODELS

ONE_LAUNCH = ["normal", "uniform", "bernoulli", "bits", "total_into", "im2col", "col2im"]  # what CuPy has a kernel for


@pytest.mark.parametrize(
    ("name", "shape", "batch", "most"),
    [
        ("vae", (28, 28, 1), 16, 49),
        ("gan", (28, 28, 1), 32, 141),
        ("dcgan", (28, 28, 1), 4, 156),
        ("dcgan64", (64, 64, 3), 2, 308),
    ],
)
def test_launches_of_a_compiled_step(name, shape, batch, most, monkeypatch):
    monkeypatch.setattr(BodyByCalls, "__call__", standin.as_launches(BodyByCalls.__call__))
    for kernel in ONE_LAUNCH:
        monkeypatch.setattr(kernels, kernel, standin.as_launches(getattr(kernels, kernel)))
    with device("standin") as backend:
        kind = MODELS[name]
        step = tg.compile(kind(kind.Config(data_shape=shape)))
        x = backend.xp.asarray(np.random.default_rng(0).uniform(0.05, 0.95, (batch, *shape)).astype(np.float32))
        step(x)
        assert step.reason is None
        with standin.count_launches() as launches:
            step(x)
    assert launches.count <= most, launches


def test_views_and_empty_memory_are_no_launches():
    with standin.count_launches() as launches:
        x = standin.empty((4, 3))
        x.T.reshape(3, 4)[1:].transpose(1, 0)
        assert launches.count == 0, launches
        x[...] = 1
        standin.matmul(x, x.T, out=standin.empty((4, 4)))
        x.sum(axis=0)
        x += x
        x.copy()
        standin.asarray(x)
        x.astype(np.float32)
    assert launches.names == ["setitem", "matmul", "sum", "add", "copy", "astype"]
