"""What measures a model while it runs: its layers, their signals and weights; and that it is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, small

import tinygen as tg
from tinygen.layers import BatchNorm, Dense, Dropout, Embedding, LeakyReLU, Module, Sequential
from tinygen.layers.module import thread_state
from tinygen.models import Model
from tinygen.models.probe import Signals, Weights, layers_of, undisturbed, watched
from tinygen.ops import concatenate
from tinygen.random import Generator


def test_in_the_block_dropout_is_off_and_batch_norm_as_in_training():
    model = small("dcgan", d_batch_norm=True, dropout=0.5)
    before = {n: t.numpy().copy() for n, t in model.named_tensors()}
    streams = {n: g.state for n, g in model.generators().items()}
    modes = [m.training for _, m in model.named_modules()]
    with pytest.raises(KeyError), undisturbed(model):
        assert {m.training for _, m in model.named_modules() if isinstance(m, Dropout)} == {False}
        assert {m.training for _, m in model.named_modules() if isinstance(m, BatchNorm)} == {True}
        first = model.D(model.G(model.noise(4))).numpy()
        model.rng.normal(3)
        assert not np.array_equal(model.G[1].mean.numpy(), before["G.1.mean"])
        raise KeyError
    assert [m.training for _, m in model.named_modules()] == modes
    assert {n: g.state for n, g in model.generators().items()} == streams
    for n, t in model.named_tensors():
        np.testing.assert_array_equal(t.numpy(), before[n], err_msg=n)
    with undisturbed(model):
        np.testing.assert_array_equal(model.D(model.G(model.noise(4))).numpy(), first)


def test_watching_nests_and_ends():
    model = small("gan")
    with watched() as outer:
        with pytest.raises(KeyError), watched() as inner:
            y = model.D(batches(1)[0])
            raise KeyError
        model.G(model.noise(2))
    assert inner[id(model.D)] is y and id(model.D) not in outer and id(model.G) in outer
    assert thread_state.watcher is None


def test_what_no_loss_comes_through_is_not_a_number():
    model = small("gan")
    table = Signals(model).arrays()
    assert all(np.isnan(column).all() and len(column) == len(layers_of(model)) for column in table.values())


class Joined(Module):
    """A network that is a module around a Sequential, and has a parameter of its own."""

    def __init__(self):
        rng = Generator(0)
        self.embed, self.shift = Embedding(3, 2, rng), tg.Parameter(np.zeros(2, np.float32))
        self.net = Sequential(Dense(4, 3, rng=rng), Sequential(LeakyReLU(), Dense(3, 1, rng=rng)))

    def forward(self, x, y):
        return self.net(concatenate([x + self.shift, self.embed(y)], axis=1))


def test_the_layers_are_those_of_the_summary():
    model = Model()
    model.D = Joined()
    paths = [f"{network}.{path}".rstrip(".") for network, path, _ in layers_of(model)]
    assert paths == ["D", "D.embed", "D.net.0", "D.net.1.0", "D.net.1.1"]
    assert [row[0].split()[0] for row in model.summary_rows()[1:-3]] == paths
    weights = Weights(model)
    weights.keep()
    whole, *parts = weights.arrays(moved=False)["weight_norm"]
    assert (
        whole == 0
        and np.isnan(parts[2])
        and np.linalg.norm([parts[0], parts[1], parts[3]])
        == pytest.approx(np.sqrt(sum((p.numpy() ** 2).sum() for p in model.parameters())), rel=1e-5)
    )
