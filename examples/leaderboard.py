"""The leaderboard: every model of digits at the same budget, three seeds each, in one table and one picture.

Each is trained for a fixed number of steps on the 9,000 embedded digits, about 200 seconds on one core (two minutes on
two), and compared with the 1,000 test digits. The table has the mean of the seeds ± their standard deviation; nothing
is selected. The trainings are those of `tinygen sweep`: stop the script whenever you like; the next call does the rest.

    python examples/leaderboard.py                                 all of it: 39 trainings, two at a time
    python examples/leaderboard.py --models gan cgan --scale 0.1   a taste
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tinygen as tg
from tinygen.cli.sweep import do, trainings
from tinygen.metrics import augmentation, unit_images
from tinygen.report.comparison import Group, markdown, spread
from tinygen.settings import format_value
from tinygen.sweep import Training
from tinygen.train.disk import write
from tinygen.viz.plots import figure, write_png

STEPS = {  # 200 seconds of one core
    "vae": 30_000,
    "convvae": 7000,
    "gan": 7000,
    "lsgan": 7000,
    "hingegan": 7000,
    "wgan": 2700,
    "wgangp": 2000,
    "pacgan": 7000,
    "cgan": 7000,
    "acgan": 7000,
    "dcgan": 2800,
    "sngan": 2800,
    "vaegan": 1600,
}
NARROW = {"g_channels": (64, 32, 16), "d_channels": (32, 64)}  # so that convolutions get enough steps in this time
OF_IMAGES = {"g_activation": "leaky_relu", "d_activation": "leaky_relu", "batch_norm": True, "lr": 2e-4, "d_lr": 2e-4}
SETTINGS: dict[str, dict[str, Any]] = {  # what differs from a model's defaults
    "dcgan": NARROW,
    "sngan": NARROW,
    "pacgan": {  # as in the GAN
        "latent_dim": 100,
        "g_hidden": (256, 512, 1024),
        "d_hidden": (512, 256),
        "pack": 2,
        "ema": 0.0,
        "weight_init": "fan_in",
        **OF_IMAGES,
    },
}
SCORES = {  # with their formats
    "fid": ".2f",
    "kid": ".3f",
    "precision": ".3f",
    "recall": ".3f",
    "density": ".3f",
    "coverage": ".3f",
    "inception_score": ".2f",
    "gan_train": ".1%",
    "gan_test": ".1%",
}
SHOWN, AUGMENTED = 20, 5000  # samples in a row of the picture; generated images added to few real ones


# The trainings


def runs(args: argparse.Namespace) -> list[Training]:
    """All trainings, seed by seed, so that a stopped script has results of every model."""
    found = []
    for name in args.models:
        steps = max(1, round(args.scale * STEPS[name]))
        settings = [f"{key}={format_value(value)}" for key, value in SETTINGS.get(name, {}).items()]
        line = [name, "--batch=64", f"--steps={steps}", f"--out={args.out}", "--seed", *map(str, args.seeds)]
        line += ["--record=none", "--log-every=100", f"--sample-every={steps}", f"--checkpoint-every={steps}"]
        line += ["--evaluate", *([f"-n={args.n}"] if args.n else []), *(["--set", *settings] if settings else [])]
        found.append(trainings(line))
    return [training for of_a_seed in zip(*found, strict=True) for training in of_a_seed]


def main() -> int:
    args = arguments()
    all_of_them = runs(args)
    code = 0 if args.table else do(all_of_them, args.jobs)
    finished = [training.out for training in all_of_them if training.is_finished]
    if finished:
        report(tg.report.compare(*finished), Path(args.out))
    return code


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", metavar="NAME", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--seeds", nargs="+", metavar="N", type=int, default=[0, 1, 2])
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies each model's steps (1)")
    parser.add_argument("-n", type=int, help="samples to score (5,000; 9,000 to train a classifier on)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, each on its share of the cores (2)")
    parser.add_argument("--table", action="store_true", help="train nothing: only the table of finished trainings")
    parser.add_argument("--out", metavar="DIR", default="leaderboard", help="the folder for all files (leaderboard)")
    return parser.parse_args()


# The report


def report(comparison: tg.report.Comparison, out: Path) -> None:
    """Write leaderboard.md and leaderboard.png, the best FID first, and the page of the comparison."""
    ranked = sorted(comparison.groups, key=lambda group: np.mean([run.numbers["fid"] for run in group.runs]))
    heads = ["model", "seeds", "steps", *(name.replace("_", " ") for name in SCORES)]
    rows = [
        [g.model, str(len(g.runs)), f"{g.steps:,}", *(g.spread(n, form) for n, form in SCORES.items())] for g in ranked
    ]
    real = {name: x for run in comparison.runs for name, x in run.reference.items()}
    rows.append(["*real digits*", "", "", *(f"{real[n]:{form}}" if n in real else "" for n, form in SCORES.items())])
    text = markdown([heads, *rows]) + "\n".join(notes(ranked))
    write(out / "leaderboard.md", text.encode())
    picture(ranked, out / "leaderboard.png")
    page = comparison.write(out / "compare.html")
    print(f"\n{text}\n{out / 'leaderboard.md'}, {out / 'leaderboard.png'} and {page}")


def notes(groups: Sequence[Group]) -> list[str]:
    """The models that gave warnings, and what the conditional GAN's images add to few real ones."""
    lines = []
    for group in groups:
        signs = sorted({event["name"] for run in group.runs for event in tg.train.RunDirectory(run.path).read_events()})
        lines += [f"- {group.model}: {', '.join(signs)} (in one or more of {len(group.runs)} seeds)"] if signs else []
    lines = ["", "Warnings while training:", "", *lines] if lines else []
    for group in groups:
        if group.model == "cgan":
            lines += [
                "",
                f"A classifier trained on few real digits, alone and with {AUGMENTED:,} digits from cgan:",
                "",
            ]
            found = [augmented(run.path, run.seed) for run in group.runs]
            heads = [["real digits", "alone", "with generated ones"]]
            for rows in zip(*found, strict=True):
                both = (spread([row[key] for row in rows], ".1%") for key in ("real", "both"))
                heads.append([f"{rows[0]['size']:,}", *both])
            lines.append(markdown(heads))
    return lines


def augmented(run: Path, seed: int) -> list[dict[str, float]]:
    """Accuracies of a classifier trained on 100, 300 and 1,000 real digits, without and with generated ones.

    They are measured once, and kept in the run.
    """
    file = run / "augmentation.json"
    if not file.exists():
        model, digits, labels = tg.load(run), tg.data.load("digits"), np.arange(AUGMENTED) % 10
        images = unit_images(model.sample(AUGMENTED, tg.Generator(seed, "augmentation"), labels), model.value_range)
        real = digits.train, digits.labels, images, labels, digits.test, digits.test_labels
        rows = augmentation(*real, seeds=(seed,), steps=500)
        write(file, json.dumps([row._asdict() for row in rows]).encode())
    return json.loads(file.read_bytes())


def picture(groups: Sequence[Group], path: Path) -> None:
    """A row of samples for each model, with its name: those of the first seed, unselected."""
    side, label, gap = 28, 80, 4
    fig = figure(label + SHOWN * side, len(groups) * (side + gap), layout=None)
    for i, group in enumerate(groups):
        height = (side + gap) * len(groups)
        left, bottom = label / (label + SHOWN * side), 1 - (i + 1) * (side + gap) / height
        axes = fig.add_axes((left, bottom, 1 - left, side / height))
        axes.imshow(np.hstack(samples(group.runs[0].path)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_axis_off()
        fig.text(left - 0.01, bottom + side / height / 2, group.model, ha="right", va="center", fontsize=9)
    write_png(fig, path)


def samples(run: Path) -> np.ndarray:
    model = tg.load(run)
    return unit_images(tg.to_host(model.sample(SHOWN, tg.Generator(0, "leaderboard"))), model.value_range)[..., 0]


if __name__ == "__main__":
    sys.exit(main())
