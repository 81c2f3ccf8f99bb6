"""The pictures of piece 9: a GAN in the plane that learns by the student's steps; and the same steps by tinygen."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np

import tinygen as tg

STEPS = 2000


def draw(gan, folder: Path) -> list[Path]:
    """training.gif: G's points on eight Gaussians on a circle; report.html: what happened inside."""
    ring, run = tg.data.load("ring8"), folder / "ring8_run"
    shutil.rmtree(run, ignore_errors=True)

    class OwnGAN(GANOfPiece):
        name, piece = "own gan", gan

    model = OwnGAN(tg.models.GAN.preset("plane", data_shape=(2,)))
    loader = tg.data.Loader(ring.train, batch=128, value_range=None)
    watch = [tg.inside.Recorder(ring)]
    tg.fit(model, loader, STEPS, out=run, callbacks=watch, sample_every=50, compile="off", progress=False)
    page = tg.report.report(run, out=folder / "report.html", model=OwnGAN)
    return [Path(shutil.copy(run / "training.gif", folder)), page]


class GANOfPiece(tg.models.GAN):
    """tinygen's GAN, whose networks the student's train_step moves. What is watched is the same game."""

    piece = None

    def train_step(self, batch):
        loss_D, loss_G = self.piece.train_step(self, [batch], self.rng)
        self.average()
        return {"loss_D": tg.tensor(loss_D), "loss_G": tg.tensor(loss_G)}


def numbers(gan=None):
    """The losses of a third step, and where G puts some noise after it: by tinygen's GAN, or the student's steps."""
    model = tg.models.GAN(tg.models.GANConfig(data_shape=(2,), latent_dim=2, d_steps=2), seed=0)
    dense = partial(tg.layers.Dense, dtype=np.float64, rng=tg.Generator(0, "weights"))
    model.G = tg.layers.Sequential(dense(2, 8), tg.layers.Tanh(), dense(8, 2))
    model.D = tg.layers.Sequential(dense(2, 8), tg.layers.Tanh(), dense(8, 1))
    model.opt_G, model.opt_D = (tg.optim.Adam(net.parameters(), 0.01) for net in (model.G, model.D))
    rng, data = Noise(tg.Generator(0, "noise")), Noise(tg.Generator(0, "data"))
    model.noise = lambda n: rng.normal((n, 2))
    for _ in range(3):
        x = data.normal((10, 2)) + 2
        if gan is None:
            losses = model.train_step(x)
            loss_D, loss_G = losses["loss_D"].item(), losses["loss_G"].item()
        else:
            loss_D, loss_G = gan.train_step(model, [x[:5], x[5:]], rng)
    points = model.G(np.linspace(-1, 1, 6).reshape(3, 2)).numpy()
    return {"loss of D": loss_D, "loss of G": loss_G, "G(z)": points.ravel().tolist()}


class Noise:
    """N(0, 1) in float64."""

    def __init__(self, rng):
        self.normal = partial(rng.normal, dtype=np.float64)
