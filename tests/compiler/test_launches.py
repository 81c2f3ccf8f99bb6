"""How many launches a compiled step is on a GPU before it is a graph: kernels, products and copies.

Each call of a step is one launch there, as the stand-in counts: a kernel of loops takes its sums itself, however many
rows they have. Besides the calls, the batch is copied into the step, and what it returns is copied out.
"""

from __future__ import annotations

import numpy as np
import pytest
import standin
from conftest import device

import tinygen as tg
from tinygen import kernels
from tinygen.compiler.device import LoopsByCalls
from tinygen.models import MODELS

ONE_LAUNCH = ["normal", "uniform", "bernoulli", "bits", "total_into", "im2col", "col2im"]  # what CuPy has a kernel for
COPIES = 2  # of the batch, and of what is returned


def compiled(name, shape, batch, xp):
    """A step that is ready for a batch."""
    kind = MODELS[name]
    step = tg.compile(kind(kind.Config(data_shape=shape)))
    x = xp.zeros((batch, *shape), np.float32)
    step.prepare(x)
    assert step.reason is None
    (ready,) = step._ready.values()
    return step, x, ready.executable


@pytest.mark.parametrize(
    ("name", "shape", "batch", "most"),
    [
        ("vae", (28, 28, 1), 128, 24),
        ("gan", (28, 28, 1), 64, 55),
        ("dcgan", (28, 28, 1), 64, 79),
        ("dcgan64", (64, 64, 3), 64, 154),
    ],
)
def test_launches_of_a_compiled_step(name, shape, batch, most):
    with device("standin") as backend:
        *_, executable = compiled(name, shape, batch, backend.xp)
    assert len(executable.calls) + COPIES <= most and executable.plan.copies == []


@pytest.mark.parametrize(("name", "shape", "batch"), [("gan", (28, 28, 1), 32), ("dcgan", (28, 28, 1), 4)])
def test_each_call_is_one_launch(name, shape, batch, monkeypatch):
    monkeypatch.setattr(LoopsByCalls, "__call__", standin.as_launches(LoopsByCalls.__call__))
    for kernel in ONE_LAUNCH:
        monkeypatch.setattr(kernels, kernel, standin.as_launches(getattr(kernels, kernel)))
    with device("standin") as backend:
        step, x, executable = compiled(name, shape, batch, backend.xp)
        step(x)
        with standin.count_launches() as launches:
            step(x)
    assert launches.count == len(executable.calls) + COPIES, launches


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
