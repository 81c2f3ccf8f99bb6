"""The coupled GANs: what they share, their losses, and that they learn pairs which nobody showed them."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, in_float64, small

import tinygen as tg
from tinygen.data.domains import negative
from tinygen.errors import ConfigError
from tinygen.gradcheck import gradcheck
from tinygen.layers import evaluating
from tinygen.metrics.pairs import pixels_agree
from tinygen.models import CoGAN, CoGANConfig
from tinygen.models.cogan import Halves, distances, related
from tinygen.models.collapse import Recent
from tinygen.random import Generator

X, Y = batches(2).astype(np.float64)


def double(**settings):
    return in_float64(small("cogan", **settings))


def test_the_networks_and_what_they_share():
    gan = CoGAN()
    norm = "BatchNorm({}, momentum=0.9, eps=1e-05)".format
    assert [repr(layer) for layer in gan.G[:-2]] == [
        *("Dense(16, 2352, bias=False)", norm(2352), "ReLU()", "Reshape((7, 7, 48))"),
        *("ConvTranspose(48, 32, 4, stride=2, bias=False)", norm(32), "ReLU()"),
        *("ConvTranspose(32, 8, 4, stride=2, bias=False)", norm(8), "ReLU()"),
    ]
    fork, halves = gan.G[10], gan.D[0]
    assert [repr(layer) for layer in (fork.first, fork.second)] == ["Conv(8, 1, 5)"] * 2
    assert [repr(layer) for layer in (halves.first, halves.second)] == ["Conv(1, 16, 5, stride=2)"] * 2
    assert [repr(layer) for layer in gan.D[1:]] == [
        *("LeakyReLU(0.2)", "Conv(16, 32, 5, stride=2)", "LeakyReLU(0.2)", "Flatten()", "Dense(1568, 1)")
    ]
    np.testing.assert_array_equal(fork.first.w.numpy(), fork.second.w.numpy())  # both domains begin with one image
    assert fork.first.w.numpy().std() == pytest.approx(0.01, rel=0.2)
    assert not np.isclose(halves.first.w.numpy(), halves.second.w.numpy()).any()
    assert gan.value_range == (-1, 1)


@pytest.mark.parametrize("r1_every", [1, 2])
def test_the_losses_are_the_means_of_two_gans(r1_every):
    """Two plain GANs with layers in common, one domain after the other. R1 is due at the first of r1_every steps."""
    gan = double(r1=3.0, r1_every=r1_every)
    z = gan.noise(4, Generator(1))
    gan.noise = lambda n: z
    fork, halves = gan.G[len(gan.G) - 2], gan.D[0]
    for due in (True, r1_every == 1):
        h = gan.G[:-2](z)
        expected = {"D": [], "G": []}
        for real, head, first in ((X, fork.first, halves.first), (Y, fork.second, halves.second)):
            x = tg.tensor(real, requires_grad=True)
            score, fake = gan.D[1:](first(x)), gan.D[1:](first(tg.ops.tanh(head(h))))
            loss = tg.ops.mean(tg.ops.softplus(-score)) + tg.ops.mean(tg.ops.softplus(fake))
            (slope,) = tg.grad(tg.ops.sum(score), [x], retain_graph=True)
            penalty = r1_every * 3.0 / 2 * np.square(slope.numpy()).sum() / 4
            expected["D"].append(loss.item() + due * penalty)
            expected["G"].append(tg.ops.mean(tg.ops.softplus(-fake)).item())
        losses = {name: step.compute_loss() for name, step in gan.steps_on(X, Y).items()}
        for name, both in expected.items():
            assert losses[name].value.item() == pytest.approx(np.mean(both), rel=1e-10)
        gan.train_step((X, Y))


@pytest.mark.parametrize("d_batch_norm", [False, True])
def test_scores_stay_in_their_domain(d_batch_norm):
    gan = double(d_batch_norm=d_batch_norm)
    named = gan.steps_on(X, Y)["D"].compute_loss().named
    for scores, images in (("D(x)", [X, Y]), ("D(G(z))", [named["G(z)"].data, named["G_y(z)"].data])):
        of_both = np.concatenate([named[scores].data, named[scores.replace("x", "y").replace("G", "G_y")].data])
        np.testing.assert_allclose(of_both, gan.D(np.concatenate(images)).data, atol=1e-12)
    if not d_batch_norm:
        np.testing.assert_allclose(gan.score(X).data, named["D(x)"].data, atol=1e-12)


@pytest.mark.parametrize("name", ["D", "G"])
def test_the_gradient_of_a_whole_loss(name):
    gan = double(latent_dim=2, g_channels=(2, 2), d_channels=(2,), g_activation="tanh", batch_norm=False, r1=1.0)
    z = gan.noise(2).astype(np.float64)
    gan.noise = lambda n: z
    step = gan.steps_on(X[:2], Y[:2])[name]
    assert gradcheck(lambda: step.compute_loss().value, step.optimizer.params, 1).error < 1e-7


def corners(n, seed):
    """n images of 4x4: black, with one bright corner of 2x2. No negative of one is another."""
    bright = np.random.default_rng(seed).integers(0, 4, n)
    x = np.zeros((n, 2, 2, 2, 2, 1), np.uint8)
    x[np.arange(n), bright // 2, :, bright % 2] = 255
    return x.reshape(n, 4, 4, 1)


def test_it_learns_pairs_that_it_never_saw():
    """The corner that is bright in one domain must be dark in the other."""
    sizes = {"data_shape": (4, 4, 1), "latent_dim": 4, "g_channels": (16, 8), "d_channels": (16,), "kernel_size": 3}
    gan = CoGAN(CoGANConfig(**sizes, lr=4e-3, d_lr=0.0, r1=1.0, ema=0.9))
    first, second = corners(400, 0), negative(corners(400, 1))
    loader = tg.data.Loader(first, 32, gan.value_range, Generator(0, "order", "cpu"), other=second)
    for _ in range(150):
        metrics = gan.train_step(loader.next_batch())
    x, y = (np.rint(127.5 * (images + 1)).astype(np.uint8) for images in gan.sample_pairs(200))
    assert pixels_agree(negative(x), y) > 0.93 > pixels_agree(negative(x), np.roll(y, 1, 0)) + 0.2
    assert metrics["related"].item() > 0.9
    drawn = x.reshape(200, 2, 2, 2, 2).mean(axis=(2, 4)).reshape(200, 4).argmax(1)
    assert len(np.unique(drawn)) == 4


def test_a_pair_is_of_one_latent():
    gan = small("cogan", ema=0.0)
    gan.train_step((X.astype(np.float32), Y.astype(np.float32)))
    x, y = gan.sample_pairs(5, Generator(3))
    for domain, images in enumerate((x, y)):
        np.testing.assert_array_equal(gan.sample(5, Generator(3), domain=domain), images)
    assert not np.allclose(x, y)
    z = gan.noise(5, Generator(3))
    with evaluating(gan.G):
        np.testing.assert_array_equal(np.concatenate([x, y]), gan.G(z).numpy())
    np.testing.assert_array_equal(gan.draw(z), x)


def test_the_picture_has_a_domain_above_the_other():
    gan = small("cogan")
    gan.train_step((X.astype(np.float32), Y.astype(np.float32)))
    x, y = gan.sample_pairs(16, Generator(0))
    np.testing.assert_array_equal(gan.preview(X, 32, Generator(0)), np.concatenate([x[:8], y[:8], x[8:], y[8:]]))
    x, y = gan.sample_pairs(3, Generator(0))
    np.testing.assert_array_equal(gan.preview(X, 7, Generator(0)), np.concatenate([x, y]))


# The relation of two batches, and warnings


def test_distances_and_their_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 30, 5))
    d = np.square(x[:, None] - x).sum(-1)
    np.testing.assert_allclose(distances(x), d, atol=1e-12)
    others = ~np.eye(30, dtype=bool)
    e = np.square(y[:, None] - y).sum(-1)
    assert related(x, y) == pytest.approx(np.corrcoef(d[others], e[others])[0, 1])
    assert related(x, 3 - 2 * x) == pytest.approx(1) and abs(related(x, y)) < 0.3
    assert related(x[:1], y[:1]) == related(x, x * 0) == 0


def recent(**values):
    """Ten logs of a healthy training, but for these values."""
    row = {"acc": 0.7, "acc_y": 0.7, "spread": 5.0, "spread_y": 0.9, "related": 0.9, "loss_G": 1.0}
    return Recent([{**row, **values}] * 10, [1.0] * 10, 5.0)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, []),
        ({"acc": 1.0}, ["D saturated"]),
        ({"acc_y": 1.0}, ["D saturated in the second domain"]),
        ({"spread": 0.5}, ["samples alike"]),
        ({"spread_y": 0.1}, ["samples alike in the second domain"]),
        ({"related": 0.1}, ["domains unrelated"]),
    ],
)
def test_signs_of_failure_in_each_domain(values, names):
    assert [sign.name for sign in small("cogan").signs(recent(**values))] == names


def test_what_a_step_says_of_each_domain():
    gan = small("cogan")
    x, y = X.astype(np.float32), Y.astype(np.float32)
    named = gan.steps_on(x, y)["D"].compute_loss().named
    made = named["G_y(z)"].numpy()
    gan = small("cogan")
    metrics = gan.train_step((x, y))
    expected = np.sqrt(made.var(axis=0).sum() / y.var(axis=0).sum())
    assert metrics["spread_y"].item() == pytest.approx(expected, rel=1e-4)
    assert metrics["related"].item() == pytest.approx(related(named["G(z)"].numpy(), made).item(), rel=1e-4)
    right = (named["D(y)"].numpy() > 0).mean() + (named["D(G_y(z))"].numpy() <= 0).mean()
    assert metrics["acc_y"].item() == pytest.approx(right / 2)
    assert "gap_y" in small("cogan", loss="wasserstein").train_step((x, y))


# Refusals


def test_what_it_refuses():
    with pytest.raises(ConfigError, match="d_channels is empty, but each domain needs a first convolution of its own"):
        CoGANConfig(d_channels=())
    for domain in (2, -1, 0.5, "x"):
        with pytest.raises(ConfigError, match=r"cogan: domain is .*, but it must be an int from 0 to 1"):
            small("cogan").sample(1, domain=domain)
    with pytest.raises(ValueError, match="split: axis 0 has length 3, which can't be cut into 2"):
        Halves(tg.layers.ReLU(), tg.layers.ReLU())(np.ones((3, 2)))
