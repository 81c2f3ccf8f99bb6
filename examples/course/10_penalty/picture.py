"""The picture of piece 10: how steep D is all over the plane, with and without a penalty; and the losses by tinygen."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

import tinygen as tg

STEPS, BATCH, SIDE, REACH = 600, 128, 61, 1.8


def draw(penalty, folder: Path) -> list[Path]:
    """slopes.png: ‖∇D‖ after training on eight real clouds around one fake one: no penalty, WGAN-GP's, R1."""
    noise, data = tg.Generator(0, "noise"), tg.Generator(0, "data")
    losses = {
        "no penalty": lambda D, x, fake: penalty.r1_loss(D, x, fake, 0.0),
        "WGAN-GP, lam = 1": lambda D, x, fake: penalty.critic_loss(D, x, fake, noise, 1.0),
        "R1, gamma = 1": lambda D, x, fake: penalty.r1_loss(D, x, fake, 1.0),
    }
    trained = {title: train(loss, data) for title, loss in losses.items()}
    return [plot(penalty, trained, points(data), folder / "slopes.png")]


def points(rng, n=BATCH):
    """Real points, in eight clouds on a circle, and fake ones, in the middle."""
    turn = 2 * np.pi * rng.integers(0, 8, n) / 8
    centres = np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    return centres + rng.normal((n, 2), std=0.08), rng.normal((n, 2), std=0.3)


def train(loss, rng):
    """A D that has lowered a loss."""
    dense = partial(tg.layers.Dense, rng=tg.Generator(0, "weights"))
    D = tg.layers.Sequential(dense(2, 64), tg.layers.Tanh(), dense(64, 64), tg.layers.Tanh(), dense(64, 1))
    opt = tg.optim.Adam(D.parameters(), 3e-3)
    for _ in range(STEPS):
        opt.step(tg.grad(loss(D, *points(rng)), opt.params, unused="zeros"))
    return D


def plot(penalty, trained, some, path: Path) -> Path:
    """A panel for each D, all on one scale of colours."""
    from matplotlib.figure import Figure

    at = np.linspace(-REACH, REACH, SIDE, dtype=np.float32)
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    look = {"origin": "lower", "extent": (-REACH, REACH, -REACH, REACH), "interpolation": "bilinear"}
    look |= {"norm": "log", "vmin": 0.1, "vmax": 30, "cmap": "cividis"}
    fig = Figure(figsize=(9.6, 3.6), layout="constrained")
    panels = fig.subplots(1, len(trained), sharey=True)
    for axes, (title, D) in zip(panels, trained.items(), strict=True):
        gx = penalty.input_gradient(D, grid).numpy()
        steep = np.sqrt((gx**2).sum(axis=1)).reshape(SIDE, SIDE)
        image = axes.imshow(steep, **look)
        for name, xs, colour in zip(("real", "fake"), some, ("white", "#FF8C42"), strict=True):
            axes.scatter(*xs.T, s=5, color=colour, edgecolors="black", linewidths=0.3, label=name)
        axes.contour(at, at, steep, levels=[1.0], colors="white", linewidths=0.8)
        axes.set(title=title, aspect="equal", xlim=(-REACH, REACH), ylim=(-REACH, REACH))
    panels[0].legend(loc="upper left", fontsize=8, facecolor="#666666", labelcolor="white", framealpha=0.9)
    fig.colorbar(image, ax=panels, label="‖∇D‖ (white line: 1)", format="%g", shrink=0.8)
    fig.savefig(path, dpi=100)
    return path


def numbers(penalty=None):
    """Both losses of one batch, and the length of each weight's gradient: by tinygen, or with the student's."""
    found = {}
    for name, model in (("WGAN-GP", wgan_gp()), ("R1", r1())):
        x, fake = Noise("x").normal((6, 2)) + 1, Noise("fake").normal((6, 2))
        if penalty is None:
            model.rng = tg.Generator(0, "t")
            loss = model.loss_D(x, tg.tensor(fake)).value
        elif name == "R1":
            loss = penalty.r1_loss(model.D, x, fake, 3.0)
        else:
            loss = penalty.critic_loss(model.D, x, fake, Noise("t"), 2.0)
        gradients = tg.grad(loss, [layer.w for layer in (model.D[0], model.D[2], model.D[4])])
        found[f"{name}: the loss"] = loss.item()
        found[f"{name}: gradients"] = [float(np.sqrt((g.numpy() ** 2).sum())) for g in gradients]
    return found


def wgan_gp():
    return of_float64(tg.models.WGANGP(tg.models.WGANGPConfig(data_shape=(2,), gp=2.0)))


def r1():
    return of_float64(tg.models.GAN(tg.models.GANConfig(data_shape=(2,), r1=3.0)))


def of_float64(model):
    """The model with a small D that computes in float64."""
    dense, tanh = partial(tg.layers.Dense, dtype=np.float64, rng=tg.Generator(0, "weights")), tg.layers.Tanh
    model.D = tg.layers.Sequential(dense(2, 8), tanh(), dense(8, 6), tanh(), dense(6, 1))
    return model


class Noise:
    """Random numbers in float64."""

    def __init__(self, name):
        rng = tg.Generator(0, name)
        self.normal, self.uniform = (partial(draw, dtype=np.float64) for draw in (rng.normal, rng.uniform))
