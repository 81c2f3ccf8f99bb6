"""The pictures of piece 12, the recorded runs and the film of the student's own GAN; and tinygen's counts of modes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from tinygen.colours import COLOURS
from tinygen.data import load
from tinygen.metrics import mixture_scores
from tinygen.viz import save_gif
from tinygen.viz.plots import figure, tidy

EDGE = 1.9
CURVES = {"losses": ("loss_D", "loss_G"), "acc": ("acc",), "gradient of G": ("gradient",)}


def draw(collapse, folder: Path) -> list[Path]:
    """runs.png: the five recorded runs. mended.gif: the student's own, whose weights become mended.npz."""
    runs = json.loads((Path(__file__).parent / "fixtures" / f"runs_{collapse.MIXTURE}.json").read_text())
    record(collapse, runs).savefig(folder / "runs.png")
    with tempfile.TemporaryDirectory() as place:
        frames = []

        def watch(step, weights):
            frames.append(Path(place) / f"{step}.png")
            frame(collapse, weights, step).savefig(frames[-1])

        weights = collapse.train(collapse.MENDED, collapse.SEED, watch)
        np.savez(folder / "mended.npz", **weights)
        save_gif(frames, folder / "mended.gif")
    return [folder / name for name in ("runs.png", "mended.gif", "mended.npz")]


def numbers(collapse=None):
    """The scores of points of three kinds on two mixtures: by tinygen, or by the student's functions."""
    found = {}
    for name in ("ring8", "grid25"):
        data, rng = load(name), np.random.default_rng(1)
        kinds = {
            "real points": data.test,
            "some modes": data.test[data.test_labels % 3 > 0],
            "blurred": data.test + 2 * data.modes.std * rng.normal(size=data.test.shape),
        }
        for kind, points in kinds.items():
            if collapse is None:
                values = mixture_scores(points, data.modes).values()
            else:
                counts = collapse.mode_counts(points.astype(np.float64), data.modes.centres, data.modes.std)
                values = collapse.mode_scores(counts, len(points), 0)
            found |= {f"{name}, {kind}: {score}": v for score, v in zip(("modes", "near", "KL"), values, strict=True)}
    return found


def record(collapse, runs):
    """A row a run: its losses, D's accuracy, the gradient of G, and G's points at four steps."""
    fig = figure(1240, 200 * len(runs) + 20)
    grid = fig.subplots(len(runs), 7, width_ratios=[1.3, 1.3, 1.3, 1, 1, 1, 1])
    for (name, run), row in zip(runs.items(), grid, strict=True):
        for axes, (title, names) in zip(row[:3], CURVES.items(), strict=True):
            for colour, curve in zip(COLOURS, names, strict=False):
                axes.plot(run["step"], run[curve], color=colour, lw=1, label=curve)
            axes.set_title(title, fontsize=9)
            tidy(axes)
        if max(*run["loss_D"], *run["loss_G"]) > 20:
            row[0].set_yscale("symlog", linthresh=3)
        row[0].legend(fontsize=7)
        row[0].set_ylabel(f"{name}\n{collapse.DIAGNOSES.get(name) or '?'}", fontsize=11)
        row[1].set_ylim(-0.05, 1.05)
        row[2].set_yscale("symlog", linthresh=1e-3)
        row[2].set_ylim(bottom=0)
        for axes, (step, points) in zip(row[3:], run["samples"].items(), strict=True):
            cloud(axes, np.array(points), collapse.centres(), f"step {step}")
    return fig


def cloud(axes, points, centres, title):
    """Points and the centres of the modes; orange and with numbers at the axes if they need another scale."""
    every = np.concatenate([points, centres])
    middle, half = (every.max(0) + every.min(0)) / 2, 0.55 * np.ptp(every, axis=0).max()
    far = np.abs(every).max() > EDGE
    low, high = (middle - half, middle + half) if far else (np.full(2, -EDGE), np.full(2, EDGE))
    axes.scatter(*centres.T, s=30, facecolors="none", edgecolors="0.6")
    axes.scatter(*points.T, s=5, color=COLOURS[1 if far else 0], linewidths=0)
    axes.set(aspect="equal", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=4)
    if not far:
        axes.set(xticks=[], yticks=[])


def frame(collapse, weights, step):
    """G's points, and the centres: a ring around each mode that the student's functions find reached."""
    points = collapse.generate(weights, np.random.default_rng(0).normal(size=(1000, 2)))
    centres, n = collapse.centres(), len(points)
    counts = collapse.mode_counts(points, centres, collapse.STD)
    scores = None if counts is None else collapse.mode_scores(counts, n, 1 / 4)
    reached = np.zeros(len(centres), bool)
    if scores is not None:
        alone = [np.where(np.arange(len(centres)) == i, counts, 0) for i in range(len(centres))]
        reached = np.array([collapse.mode_scores(one, n, 1 / 4)[0] == 1 for one in alone])
    fig = figure(480, 500)
    axes = fig.add_subplot(aspect="equal", xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xticks=[], yticks=[])
    for which, colour, style in ((reached, COLOURS[2], "-"), (~reached, "0.6", ":")):
        axes.scatter(*centres[which].T, s=420, facecolors="none", edgecolors=colour, linewidths=2, linestyle=style)
    axes.scatter(*points.clip(-EDGE, EDGE).T, s=4, color=COLOURS[0], linewidths=0, clip_on=False)
    told = "" if scores is None else f": {scores[0]} of {len(centres)} modes, {scores[1]:.0%} of the points near one"
    axes.set_title(f"step {step}{told}", fontsize=11)
    return fig
