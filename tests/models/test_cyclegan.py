"""The CycleGAN: its losses, what learns from which, its ways there and back, and that it learns one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from models.small import batches, fed, in_float64, small

import tinygen as tg
from tinygen.data import Dataset, Loader
from tinygen.errors import ConfigError, DataError
from tinygen.gradcheck import gradcheck
from tinygen.models import CycleGAN, CycleGANConfig
from tinygen.models.collapse import Recent
from tinygen.random import Generator

W = {"cycle": 3.0, "identity": 2.0}


def pair(model, n=4, dtype=np.float32):
    return fed(model, batches(1, size=n)[0].astype(dtype))


def numpy(x):
    return np.asarray(getattr(x, "data", x))


def test_the_defaults():
    model = CycleGAN()
    layers = [repr(layer) for layer in model.G.body]
    assert layers[:4] == [
        "Pad(3, 'reflect')",
        "Conv(3, 16, 7, padding='valid')",
        "InstanceNorm(16, eps=1e-05)",
        "ReLU()",
    ]
    assert layers.count("UpSampling(2)") == 2 and sum(layer.startswith("Skip") for layer in layers) == 3
    convolutions = [layer for layer in map(repr, model.D_X) if layer.startswith("Conv")]
    assert convolutions == ["Conv(3, 32, 4, stride=2)", "Conv(32, 64, 4, stride=2)", "Conv(64, 1, 4)"]
    rates = [model.opt_G.lr(i) for i in (0, 999, 1000, 1500, 2000, 5000)]
    assert rates == pytest.approx([4e-4, 4e-4, 4e-4, 2e-4, 0, 0])


def test_the_losses_by_hand():
    model = small("cyclegan", **W, pool=0)
    x, y = pair(model)
    GF, D = model.steps((x, y))
    G, F, D_X, D_Y = (lambda z, net=net: numpy(net(z)) for net in (model.G, model.F, model.D_X, model.D_Y))
    fake_y, fake_x = G(x), F(y)
    adversarial = ((D_Y(fake_y) - 1) ** 2).mean() + ((D_X(fake_x) - 1) ** 2).mean()
    cycle = np.abs(F(fake_y) - x).mean() + np.abs(G(fake_x) - y).mean()
    identity = np.abs(G(y) - y).mean() + np.abs(F(x) - x).mean()
    loss = GF.compute_loss()
    assert loss.value.item() == pytest.approx(adversarial + 3 * cycle + 2 * identity, rel=1e-5)
    change = (np.abs(fake_y - x).mean() + np.abs(fake_x - y).mean()) / 2
    assert loss.metrics["change"].item() == pytest.approx(change, rel=1e-5)
    halves = [
        0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean()
        for real, fake in ((D_Y(y), D_Y(fake_y)), (D_X(x), D_X(fake_x)))
    ]
    assert D.compute_loss().value.item() == pytest.approx(sum(halves), rel=1e-5)


def test_each_step_moves_its_own_networks():
    model = small("cyclegan")
    before = {n: p.numpy().copy() for n, p in model.named_parameters()}
    GF, D = model.steps(pair(model))
    for step, networks in ((GF, {"G", "F"}), (D, {"D_X", "D_Y"})):
        step.take()
        moved = {n.partition(".")[0] for n, p in model.named_parameters() if not np.array_equal(p.numpy(), before[n])}
        assert moved == networks
        before = {n: p.numpy().copy() for n, p in model.named_parameters()}


def test_the_gradients_of_both_losses():
    narrow = {"data_shape": (4, 4, 1), "g_channels": (2,), "d_channels": (2,)}
    model = in_float64(small("cyclegan", pool=0, **narrow, **W))
    for p in model.parameters():  # off the small weights of the last layer, and off what is symmetric
        p.assign(p.data + Generator(0, p.name).normal(p.shape, std=0.1, dtype=np.float64))
    x, y = np.random.default_rng(0).uniform(size=(2, 2, 4, 4, 1))
    for learns, step in zip(({"G", "F"}, {"D_X", "D_Y"}), model.steps((x, y)), strict=True):
        parameters = [p for n, p in model.named_parameters() if n.partition(".")[0] in learns]
        chosen = [p for p in parameters if p.size <= 4]  # biases and norms, of every layer

        def loss(*_, name=step.name):
            return model.steps_on(x, y)[name].compute_loss(freeze=False).value

        assert gradcheck(loss, chosen, order=1).error < 1e-6


def dark_and_bright(n=64):
    """Grey squares on black, and other, bright ones."""
    rng = np.random.default_rng(0)
    domains = []
    for value in (0.4, 0.9):
        x = np.zeros((n, 8, 8, 1), np.float32)
        for image, (i, j) in zip(x, rng.integers(0, 5, (n, 2)), strict=True):
            image[i : i + 4, j : j + 4] = value
        domains.append(2 * x - 1)
    return domains


def test_it_learns_to_brighten_squares_and_to_darken_them_without_pairs():
    x, y = dark_and_bright()
    settings = {"g_channels": (8,), "blocks": 1, "d_channels": (8, 16), "identity": 0.0, "pool": 0, "lr": 2e-3}
    model = CycleGAN(CycleGANConfig(data_shape=(8, 8, 1), **settings), seed=0)
    loader = Loader(x, 8, (-1, 1), Generator(0, "order", "cpu"), other=y)
    step = tg.compile(model, "numpy")
    for _ in range(60):
        step(loader.next_batch())
    there, back = model.translate(x), model.translate(y, "ba")
    square, other = x > -0.9, y > -0.9
    assert np.abs(there[square] - 0.8).mean() < 0.4 and np.abs(back[other] + 0.2).mean() < 0.4  # 1 at first
    assert there[square].mean() - there[~square].mean() > 1  # 0.8 at first
    assert np.abs(model.translate(there, "ba") - x).mean() < 0.2


def test_the_ways_there_and_back():
    model = small("cyclegan")
    x, y = pair(model)
    np.testing.assert_array_equal(model.translate(x), np.clip(numpy(model.G(x)), -1, 1))
    np.testing.assert_array_equal(model.translate(y, "ba"), np.clip(numpy(model.F(y)), -1, 1))
    rows = model.preview((x, y), 100).reshape(4, 6, *x.shape[1:])
    np.testing.assert_array_equal(rows[:, 0], x)
    np.testing.assert_array_equal(rows[:, 2], model.translate(model.translate(x), "ba"))
    np.testing.assert_array_equal(rows[:, 4], model.translate(y, "ba"))
    with pytest.raises(ConfigError, match='cyclegan: direction is \'there\', but it must be "ab" or "ba"'):
        model.translate(x, "there")


def rows(change, acc):
    return Recent([{"change": change, "acc": acc, "spread": math.nan}] * 10, [1.0], 1.0)


def test_generators_that_do_nothing_are_noticed():
    model = small("cyclegan")
    (sign,) = model.signs(rows(0.002, 0.97))
    assert sign.name == "both generators do nothing" and "97%" in sign.evidence
    assert not [*model.signs(rows(0.2, 0.97)), *model.signs(rows(0.002, 0.6))]


def test_it_does_nothing_where_the_identity_costs_too_much_and_says_so():
    x, y = dark_and_bright()
    as_bytes = [np.rint((a + 1) * 127.5).astype(np.uint8) for a in (x, y)]
    data = Dataset("dark", as_bytes[0], as_bytes[0][:2], other=Dataset("bright", as_bytes[1], as_bytes[1][:2]))
    settings = {"g_channels": (4,), "blocks": 1, "d_channels": (8, 16), "identity": 100.0, "pool": 0, "lr": 2e-3}
    model = CycleGAN(CycleGANConfig(data_shape=(8, 8, 1), **settings), seed=0)
    with pytest.warns(tg.inside.CollapseWarning, match="both generators do nothing"):
        tg.fit(model, data, 50, callbacks=[tg.inside.Warnings(data, patience=2)], log_every=10, progress=False)


REFUSED = {
    "sides that can't be halved": ({"data_shape": (30, 32, 3)}, "their sides must be multiples of 4; choose --size"),
    "points": ({"data_shape": (2,)}, "convolutions take images"),
    "no maps": ({"g_channels": ()}, "g_channels is empty"),
    "a D that is too deep": ({"d_channels": (4,) * 6}, "can't be halved so often"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_config_that_does_not_fit_is_refused(case):
    settings, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message):
        CycleGANConfig(**settings)


def test_one_domain_alone_is_refused():
    model = small("cyclegan")
    x, y = pair(model)
    with pytest.raises(DataError, match=r"the batch is x alone, but this model takes \(x, y\) of two domains"):
        model.train_step(x)
    with pytest.raises(DataError, match="4 examples of one domain and 3 of the other"):
        model.train_step((x, y[:3]))
    with pytest.raises(ConfigError, match="cyclegan learns from two domains; give a Dataset with an `other`"):
        tg.fit(model, np.zeros((8, 8, 8, 1), np.float32), 1)
