"""The picture of piece 11, a film of three games in the plane; and the first steps of the same games by tinygen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen.colours import COLOURS
from tinygen.course.games import film
from tinygen.layers import SpectralNorm, evaluating
from tinygen.models import WGAN, HingeGAN
from tinygen.viz.plots import figure

GAMES = {"clipped weights": WGAN, "hinge": HingeGAN, "hinge, spectral norm": HingeGAN}
SETTINGS = {"data_shape": (2,), "g_hidden": (32, 32), "d_hidden": (32, 32), "ema": 0.0, "eps": 1e-5}
RATES = {
    "clipped weights": {"lr": 2e-3, "clip": 0.3},
    "hinge": {"lr": 1e-3, "d_lr": 2e-3},
    "hinge, spectral norm": {"lr": 1e-3, "d_lr": 2e-3},
}
STEPS, FRAMES, SIDE, EDGE = 1200, 40, 60, 1.7


def draw(critics, folder: Path) -> list[Path]:
    """critics.gif: three games side by side. D's scores, from blue (low) to orange; eight real modes; G's points."""
    real = tg.data.load("ring8").train
    models = {title: model_of(title, critics) for title in GAMES}
    streams = {title: tg.Generator(0, title) for title in GAMES}
    steps = {round(STEPS * (i / (FRAMES - 1)) ** 1.5) for i in range(FRAMES)}

    def train():
        for title, model in models.items():
            rows = streams[title].integers(0, len(real), 64 * model.batches_per_step)
            train_step(model, real[rows], critics)

    def save_frame(path, step):
        frame(models, real[:200], step).savefig(path)

    return [film(folder / "critics.gif", STEPS, steps, train, save_frame)]


def numbers(critics=None):
    """Losses, scores and weights after three large steps of each game: by tinygen, or with the student's parts."""
    found, real = {}, tg.data.load("ring8").train
    for title in GAMES:
        model = model_of(title, critics)
        if not isinstance(model, WGAN):
            model.opt_D.lr *= 20  # so that some scores are beyond the margin
        for step in range(3):
            batch = real[step * 320 :][: 32 * model.batches_per_step]
            losses = train_step(model, batch, critics)
            found |= {f"{title}: {name}, step {step}": float(losses[name].data) for name in ("loss_D", "loss_G")}
        with tg.no_grad(), evaluating(model.D):
            for time in ("once", "twice"):  # a second look finds the same
                found[f"{title}: D's scores, {time}"] = float(model.D(real[:100]).data.sum())
        for name in "DG":
            network = getattr(model, name)
            found[f"{title}: weights of {name}"] = float(sum(np.abs(p.data).sum() for p in network.parameters()))
    return found


def model_of(title, critics):
    """A game in float64: tinygen's, or with the student's losses and spectral norm in place of tinygen's."""
    kind = GAMES[title]

    class Game(kind):
        name = kind.name

        def generator(self, *options):
            return in_float64(super().generator(*options))

        def discriminator(self, *options):
            network = in_float64(super().discriminator(*options))
            if not title.endswith("spectral norm"):
                return network
            return [normed(layer, critics, i) if hasattr(layer, "w") else layer for i, layer in enumerate(network)]

    model = Game(kind.preset("plane", **SETTINGS, **RATES[title]), seed=1)
    if critics is not None:
        own = critics.critic_loss if kind is WGAN else critics.hinge_loss
        model.game = model.game._replace(D=loss_of(own), G=loss_of(critics.generator_loss))
    return model


def in_float64(network):
    """The same layers with weights of twice the precision, so that both ways of computing agree."""
    for layer in network:
        for name, p in list(layer.named_parameters()):
            setattr(layer, name, tg.Parameter(p.data.astype(np.float64)))
    return network


def loss_of(function):
    """A student's loss, which returns its gradients too, as a primitive of tinygen."""

    @tg.primitive
    def of_two(r, s):
        return np.asarray(function(r, s)[0])

    @tg.primitive
    def of_one(s):
        return np.asarray(function(s)[0])

    of_two.joint(lambda gy, y, r, s: tuple(gy * g for g in function(r, s)[1:]))
    of_one.rules(lambda gy, y, s: gy * function(s)[1])
    return lambda *scores: (of_two if len(scores) == 2 else of_one)(*scores)


def normed(layer, critics, seed):
    """A layer with a normalised weight: tinygen's, or by the student's class."""
    by_tinygen = SpectralNorm(layer, rng=tg.Generator(seed, "spectral norm"))
    if critics is None:
        return by_tinygen
    norm = critics.SpectralNorm(by_tinygen.u.data.copy(), by_tinygen.v.data.copy())

    class Own(SpectralNorm):
        def _forward(self, x):
            w = self.normed.w
            vars(self.normed)["w"] = divided(w)
            try:
                return self.normed(x)
            finally:
                vars(self.normed)["w"] = w

    own = Own(layer)

    @tg.primitive
    def divided(w):
        return norm.forward(w, own.training)

    divided.rules(lambda gy, y, w: norm.backward(w, gy))
    return own


def train_step(model, batch, critics):
    """A round of the game; the critic's with the student's steps and clipping. A gradient is scaled as RMSprop does."""
    if critics is None or not isinstance(model, WGAN):
        return model.train_step(batch)
    steps, losses = model.list_steps(batch), {}
    squares = vars(model).setdefault("squares", {})

    def gradients(step):
        loss = step.compute_loss()
        losses[step.metric] = loss.value.detach()
        found = [g.data for g in step.gradients_of(loss)]
        for i, g in enumerate(found):
            old = squares.get((step.name, i), 0.0)
            squares[step.name, i] = model.config.beta2 * old + (1 - model.config.beta2) * g * g
        return [g / (np.sqrt(squares[step.name, i]) + model.config.eps) for i, g in enumerate(found)]

    D, G = ([p.data for p in network.parameters()] for network in (model.D, model.G))
    own = iter(steps)
    critics.play_round(
        D, G, lambda: gradients(next(own)), lambda: gradients(steps[-1]),
        len(steps) - 1, model.config.lr, model.config.clip,
    )  # fmt: skip
    return losses


def frame(models, real, step):
    """One frame: a panel a game."""
    fig = figure(990, 370)
    x, y = np.meshgrid(np.linspace(-EDGE, EDGE, SIDE), np.linspace(-EDGE, EDGE, SIDE))
    for i, (title, model) in enumerate(models.items()):
        with tg.no_grad(), evaluating(model.D):
            scores = model.D(np.stack([x.ravel(), y.ravel()], axis=1)).data.reshape(SIDE, SIDE)
        points = model.sample(200, tg.Generator(3, "points")).clip(-EDGE, EDGE)
        axes = fig.add_subplot(1, 3, i + 1, aspect="equal", xticks=[], yticks=[], title=title)
        axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE))
        middle, spread = np.median(scores), np.abs(scores - np.median(scores)).max() or 1.0
        axes.contourf(x, y, (scores - middle) / spread, np.linspace(-1, 1, 13), cmap="PuOr_r", alpha=0.8)
        axes.scatter(*real.T, s=8, c="white", edgecolors="0.3", linewidths=0.5)
        axes.scatter(*points.T, s=6, c=COLOURS[6], linewidths=0, clip_on=False)
    fig.suptitle(f"step {step}: D's scores, real points (white) and G's points (black)", fontsize=10)
    return fig
