"""The auxiliary-classifier GAN: its losses; D recognises classes and G draws them."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, fed, in_float64, learnt_classes, small

import tinygen as tg
from tinygen.losses import GAN_LOSSES
from tinygen.models import ACGAN


def test_D_gives_a_score_and_the_logits_of_the_classes():
    gan = ACGAN()
    assert gan.D(np.zeros((3, 28, 28, 1), np.float32)).shape == (3, 11)
    assert gan.score(np.zeros((3, 28, 28, 1), np.float32)).shape == (3, 1)
    assert "D.1 Dense(784, 512)" in gan.summary() and "G.0.embedding Embedding(10" in gan.summary()


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("w", [0.0, 1.0, 3.0])
def test_the_losses_are_those_of_the_paper(w):
    """-L_S - w L_C for D, and for G the nonsaturating form of L_S - w L_C, by hand."""
    gan = in_float64(small("acgan", class_weight=w, r1=0.0))
    x, y = fed(gan, batches(1)[0].astype(np.float64))
    fake = gan.G(gan.noise(len(x)).astype(np.float64), y)
    real, made = gan.D(x).numpy(), gan.D(fake).numpy()
    rows = np.arange(len(y))
    class_real, class_fake = (-log_softmax(out[:, 1:])[rows, y].mean() for out in (real, made))
    probability = 1 / (1 + np.exp(-made[:, 0]))
    loss_S = np.log1p(np.exp(-real[:, 0])).mean() - np.log(1 - probability).mean()
    assert gan.loss_D(x, fake, y)[0].item() == pytest.approx(loss_S + w * (class_real + class_fake), rel=1e-9)
    loss_G, report, _ = gan.loss_G(fake, y)
    assert loss_G.item() == pytest.approx(-np.log(probability).mean() + w * class_fake, rel=1e-9)
    assert report["loss_C"].item() == pytest.approx(class_fake, rel=1e-9)


@pytest.mark.parametrize("loss, r1", [(loss, 0.0) for loss in GAN_LOSSES] + [("nonsaturating", 3.0)])
def test_the_gradients_of_both_losses_by_every_parameter(loss, r1):
    gan = in_float64(small("acgan", latent_dim=2, g_hidden=(4,), d_hidden=(3,), loss=loss, r1=r1))
    x, y = fed(gan, batches(1)[0].astype(np.float64))
    z = gan.noise(len(x)).astype(np.float64)

    def both():
        fake = gan.G(z, y)
        return gan.loss_D(x, fake, y)[0], gan.loss_G(fake, y)[0]

    assert tg.gradcheck(both, gan.parameters(), 1).error < 1e-7


def test_the_penalty_is_of_the_score_alone():
    """R1 does not penalise the slope of the class logits."""
    gan, (x, y) = small("acgan", r1=2.0), fed(small("acgan"), batches(1)[0])
    before = gan.loss_of_scores(gan.score(x), gan.score(x), x, y).item()
    last = gan.D[len(gan.D) - 1].w
    last.assign(np.concatenate([last.numpy()[:, :1], 10 * last.numpy()[:, 1:]], axis=1))
    assert gan.loss_of_scores(gan.score(x), gan.score(x), x, y).item() == pytest.approx(before, rel=1e-6)


def test_it_learns_where_each_class_is_and_to_tell_them_apart():
    gan, samples = learnt_classes("acgan")
    for label, points in enumerate(samples):
        assert (gan.D(points).numpy()[:, 1:].argmax(1) == label).mean() > 0.99
