"""The pictures of piece 5, made by the student's optimisers; and a GAN's numbers by tinygen's optimisers or theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen.course.games import film, train_step
from tinygen.layers import Dense, ReLU, Sequential

STEPS, FRAMES = 2000, 40
START = -2.6, 1.2


def draw(optimisers, folder: Path) -> list[Path]:
    """valley.png: three ways down a valley.  film.gif: a GAN in the plane, trained by the student's Adam."""
    return [draw_valley(optimisers, folder / "valley.png"), draw_film(optimisers, folder / "film.gif")]


def draw_valley(optimisers, path: Path) -> Path:
    """The ways of three optimisers over the contours of a long valley."""
    from matplotlib.figure import Figure

    from tinygen.colours import COLOURS

    ways = {
        "descent: momentum of m = 0": optimisers.Momentum([np.array(START)], lr=0.05, m=0.0),
        "momentum of m = 0.8": optimisers.Momentum([np.array(START)], lr=0.05, m=0.8),
        "Adam": optimisers.Adam([np.array(START)], lr=0.15, beta1=0.8, beta2=0.99),
    }
    fig = Figure(figsize=(8, 6), dpi=100, layout="constrained")
    axes = fig.add_subplot(aspect="equal", xlabel="$w_1$", ylabel="$w_2$")
    a, b = np.meshgrid(np.linspace(-3, 1.5, 200), np.linspace(-1.6, 1.6, 150))
    axes.contour(a, b, valley(a, b), np.geomspace(0.05, 40, 14), colors="#cccccc", linewidths=0.8)
    for (name, optimiser), colour in zip(ways.items(), COLOURS):
        (w,) = optimiser.params
        way = [w.copy()]
        for _ in range(40):
            p = tg.tensor(w.copy(), requires_grad=True)
            optimiser.step([tg.grad(valley(p[0], p[1]), p).numpy()])
            way.append(w.copy())
        axes.plot(*np.transpose(way), "o-", color=colour, markersize=3, linewidth=1.2, label=name)
    axes.plot(0, 0, "*", color="black", markersize=10, label="the lowest point")
    axes.set(xlim=(-3, 1.5), ylim=(-1.6, 1.6), title="40 steps down a long valley")
    axes.legend(loc="upper right", frameon=False)
    fig.savefig(path)
    return path


def valley(a, b):
    """½ (w₁² + 36 w₂²): steep across and nearly flat along."""
    return 0.5 * (a * a + 36 * b * b)


def draw_film(optimisers, path: Path) -> Path:
    """A GAN in the plane learns a ring of eight clouds; half of the frames are from the first quarter of its steps."""
    real = tg.data.load("ring8").train
    G, D, noise = networks("float32")
    opt_G = Stepper(G.parameters(), optimisers.Adam, lr=1e-3, beta1=0.5)
    opt_D = Stepper(D.parameters(), optimisers.Adam, lr=2e-3, beta1=0.5)
    batches, z = tg.Generator(5, "batches"), tg.Generator(5, "shown").normal((500, 2))
    shown = {round(STEPS * (i / FRAMES) ** 2) for i in range(FRAMES + 1)}
    return film(
        path,
        STEPS,
        shown,
        lambda: train_step(G, D, opt_G, opt_D, real[batches.integers(0, len(real), 128)], noise),
        lambda frame, step: save_frame(frame, real[:500], G, z, D, step),
    )


def save_frame(path: Path, real, G, z, D, step: int) -> None:
    """Real points and G's, on the field of D's verdicts."""
    from matplotlib.figure import Figure

    from tinygen.colours import COLOURS

    fig = Figure(figsize=(4.2, 4.5), dpi=80, layout="constrained")
    axes = fig.add_subplot(aspect="equal", xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), xticks=[], yticks=[])
    places = np.linspace(-1.7, 1.7, 60, dtype=np.float32)
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    with tg.no_grad():
        verdicts = tg.ops.sigmoid(D(grid)).numpy().reshape(60, 60)
        made = G(z).numpy()
    axes.imshow(verdicts, extent=(-1.7, 1.7) * 2, origin="lower", cmap="gray", vmin=-0.6, vmax=1, aspect="auto")
    axes.scatter(*real.T, s=7, color=COLOURS[0], linewidths=0, label="real")
    axes.scatter(*made.clip(-1.7, 1.7).T, s=7, color=COLOURS[1], linewidths=0, label="G(z)")
    axes.legend(loc="upper right", framealpha=0.9, markerscale=2, fontsize=8)
    axes.set_title(f"step {step}: light where D says real", fontsize=10)
    fig.savefig(path)


def networks(dtype: str):
    """G and D for points in the plane, and the noise."""
    tg.seed(5)
    G = Sequential(Dense(2, 64, dtype=dtype), ReLU(), Dense(64, 64, dtype=dtype), ReLU(), Dense(64, 2, dtype=dtype))
    D = Sequential(Dense(2, 64, dtype=dtype), ReLU(), Dense(64, 64, dtype=dtype), ReLU(), Dense(64, 1, dtype=dtype))
    return G, D, tg.Generator(5, "noise")


class Stepper:
    """A student's optimiser for the parameters of a network."""

    def __init__(self, parameters, optimiser, **settings):
        self.parameters = parameters
        self.optimiser = optimiser([p.array for p in parameters], **settings)

    def step(self, grads) -> None:
        self.optimiser.step([g.numpy() for g in grads])
        for p in self.parameters:
            p.changed()


def numbers(optimisers=None):
    """The losses of a small GAN after 20 steps, and its mean weights, by tinygen's optimisers or by the student's."""
    found = {}
    for name in ("Momentum", "Adam"):
        G, D, noise = networks("float64")
        batches = tg.Generator(5, "batches")
        opt_G, opt_D = (optimiser_for(optimisers, name, network.parameters()) for network in (G, D))
        for _ in range(20):
            losses = train_step(G, D, opt_G, opt_D, batches.normal((32, 2), dtype="float64"), noise)
        found |= {f"{name}, D's loss": losses[0], f"{name}, G's loss": losses[1]}
        for which, network in (("G", G), ("D", D)):
            squares = [np.mean(p.numpy() ** 2) for p in network.parameters()]
            found[f"{name}, {which}'s squared weights"] = float(np.mean(squares))
    return found


def optimiser_for(optimisers, name: str, parameters):
    """tinygen's, or the student's with the same settings."""
    if optimisers is not None:
        settings = {"Momentum": {"lr": 0.02, "m": 0.8}, "Adam": {"lr": 0.01, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3}}
        return Stepper(parameters, getattr(optimisers, name), **settings[name])
    if name == "Momentum":
        return tg.optim.SGD(parameters, lr=0.02, momentum=0.8)
    return tg.optim.Adam(parameters, lr=0.01, betas=(0.5, 0.9), eps=1e-3)
