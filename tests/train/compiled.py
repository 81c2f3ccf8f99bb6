"""What the tests of compiled trainings share: a model whose step is a program, and what equal runs are."""

from __future__ import annotations

import numpy as np
from equal import assert_equal_arrays

import tinygen as tg
from tinygen.random import Generator
from tinygen.train import RunDirectory

EVERY = {"log_every": 2, "sample_every": 100, "checkpoint_every": 3}
POINTS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
DATA = [POINTS[:10], POINTS[10:]]


class Net(tg.models.Model):
    """Learns to return what it is given."""

    def __init__(self):
        super().__init__()
        self.net = tg.layers.Dense(3, 3, rng=Generator(1))
        self.opt = tg.optim.Adam(self.net.parameters(), lr=0.01)
        self.scale = 1.0

    def train_step(self, x):
        loss = ((self.net(x) * self.scale - x + 0.1 * self.rng.normal(x.shape)) ** 2).mean()
        self.opt.step(tg.grad(loss, self.net.parameters()))
        return {"loss": loss}


def assert_same(a, b):
    """Two runs are equal to the bit."""
    a, b = RunDirectory(a), RunDirectory(b)
    ours, theirs = a.newest(), b.newest()
    assert (ours.step, ours.facts) == (theirs.step, theirs.facts)
    assert_equal_arrays(ours.tensors, theirs.tensors)
    assert a.metrics_file.read_bytes() == b.metrics_file.read_bytes()
    assert a.config_file.read_bytes() == b.config_file.read_bytes()


def assert_close(model, other):
    for name, x in other.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], x, rtol=1e-4, atol=1e-5, err_msg=name)
