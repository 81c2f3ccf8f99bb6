"""The leaderboard: every model of digits at the same budget, three seeds each, in one table and one picture.

Each is trained for a fixed number of steps on the 9,000 embedded digits, about 200 seconds on one core (two minutes on
two), and compared with the 1,000 test digits. The table has the mean of the seeds ± their standard deviation; nothing
is selected. Finished trainings stay on disk: stop the script whenever you like; the next call does the rest.

    python examples/leaderboard.py                                 all of it: 39 trainings, two at a time
    python examples/leaderboard.py --models gan cgan --scale 0.1   a taste
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

import tinygen as tg
from tinygen.inside import Warnings
from tinygen.metrics import augmentation, evaluate, unit_images
from tinygen.models import MODELS
from tinygen.settings import format_value, from_data
from tinygen.train.batches import loader_for
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
BATCH = 64
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
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


# One training


def train(name: str, seed: int, steps: int, n: int | None, file: Path) -> str:
    """Train and evaluate one model, write its result to the file, and return a line about it."""
    began = time.perf_counter()
    with file.with_suffix(".log").open("w") as log, contextlib.redirect_stdout(log):
        write(file, json.dumps(result_of(name, seed, steps, n)).encode())
    return f"{name} seed {seed}: {steps:,} steps, {time.perf_counter() - began:.0f} s with its evaluation"


def result_of(name: str, seed: int, steps: int, n: int | None) -> dict[str, Any]:
    """One training's scores, from n samples or each score's default, its seconds, warnings and a few samples."""
    tg.seed(seed)
    digits, model = tg.data.load("digits"), build(name, seed)
    loader = loader_for(model, digits.train, BATCH, tg.Generator(seed, "loader"), digits.labels)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tg.fit(model, loader, steps, callbacks=[Warnings(digits)], log_every=100, checkpoint_every=steps)
    seconds = time.perf_counter() - began
    scores = {n: score._asdict() for n, score in evaluate(model, digits, n, seed, parts=["images", "transfer"]).items()}
    result = {**task(name, seed, steps, n), "seconds": seconds, "scores": scores}
    result["warnings"] = [str(warning.message) for warning in caught]
    if name == "cgan":
        result["augmentation"] = augmented(model, digits, seed)
    samples = tg.to_host(model.sample(SHOWN, tg.Generator(0, "leaderboard")))
    result["samples"] = np.rint(unit_images(samples, model.value_range)[..., 0] * 255).astype(int).tolist()
    return result


def build(name: str, seed: int) -> Any:
    kind = MODELS[name]
    return kind(kind.Config(**SETTINGS.get(name, {}), **from_data(kind.Config, tg.data.load("digits"))), seed)


def task(name: str, seed: int, steps: int, n: int | None) -> dict[str, Any]:
    """All that a result depends on: a file from other settings is not taken for it."""
    config = {key: format_value(value) for key, value in vars(build(name, seed).config).items()}
    return {"model": name, "seed": seed, "steps": steps, "n": n, "batch": BATCH, "config": config}


def augmented(model: Any, digits: Any, seed: int) -> list[dict[str, float]]:
    """Accuracies of a classifier trained on 100, 300 and 1,000 real digits, without and with generated ones."""
    labels = np.arange(AUGMENTED) % 10
    images = unit_images(model.sample(AUGMENTED, tg.Generator(seed, "augmentation"), labels), model.value_range)
    rows = augmentation(
        digits.train, digits.labels, images, labels, digits.test, digits.test_labels, seeds=(seed,), steps=500
    )
    return [row._asdict() for row in rows]


# All of them


def main() -> None:
    args = arguments()
    missing = [name for name in args.models if name not in MODELS]
    for name in missing:
        print(f"{name}: no such model; left out")
    out = Path(args.out)
    (out / "results").mkdir(parents=True, exist_ok=True)
    tasks = [
        (name, seed, max(1, round(args.scale * STEPS[name])), args.n)
        for seed in args.seeds  # seed by seed, so that a stopped run has results of every model
        for name in args.models
        if name not in missing
    ]
    files = {key: out / "results" / "{}-{}-{}.json".format(*key[:3]) for key in tasks}
    todo = [key for key, file in files.items() if finished(*key, file) is None]
    print(f"{len(tasks)} trainings, {len(tasks) - len(todo)} of them finished", flush=True)
    if not args.table:
        work(todo, files, args.jobs)
    if results := [result for key, file in files.items() if (result := finished(*key, file))]:
        report(results, out)


def work(todo: list[tuple[Any, ...]], files: dict[Any, Path], jobs: int) -> None:
    """Do the trainings that are left, `jobs` at a time."""
    os.environ.update(ONE_THREAD)  # for the processes that start now
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        for future in as_completed([pool.submit(train, *key, files[key]) for key in todo]):
            print(future.result(), flush=True)
    finally:  # Ctrl-C ends the running ones too; no more are started
        pool.shutdown(cancel_futures=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", metavar="NAME", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--seeds", nargs="+", metavar="N", type=int, default=[0, 1, 2])
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies each model's steps (1)")
    parser.add_argument("-n", type=int, help="samples to score (5,000; 9,000 to train a classifier on)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, each on one thread (2)")
    parser.add_argument("--table", action="store_true", help="train nothing: only the table of finished trainings")
    parser.add_argument("--out", metavar="DIR", default="leaderboard", help="the folder for all files (leaderboard)")
    return parser.parse_args()


def finished(name: str, seed: int, steps: int, n: int | None, file: Path) -> dict[str, Any] | None:
    """The result in the file, if it is of this very task."""
    if not file.exists():
        return None
    result = json.loads(file.read_bytes())
    return result if result.items() >= task(name, seed, steps, n).items() else None


# The report


def report(results: list[Any], out: Path) -> None:
    """Write leaderboard.json, leaderboard.md and leaderboard.png, the best FID first."""
    models = {r["model"]: [q for q in results if q["model"] == r["model"]] for r in results}
    ranked = sorted(models, key=lambda name: np.mean(values(models[name], "fid")))
    table = [row(name, models[name]) for name in ranked]
    real = {
        n: score["reference"] for r in results for n, score in r["scores"].items() if score["reference"] is not None
    }
    table.append(
        ["*real digits*", "", "", "", *(f"{real[n]:{form}}" if n in real else "" for n, form in SCORES.items())]
    )
    heads = ["model", "seeds", "steps", "seconds", *(n.replace("_", " ") for n in SCORES)]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *table)]
    text = "\n".join([*lines, *notes(models)]) + "\n"
    write(out / "leaderboard.md", text.encode())
    kept = [{key: value for key, value in r.items() if key != "samples"} for r in results]
    write(out / "leaderboard.json", json.dumps(kept, indent=1).encode())
    picture({name: models[name][0] for name in ranked}, out / "leaderboard.png")
    print(f"\n{text}\n{out / 'leaderboard.md'}, {out / 'leaderboard.json'} and {out / 'leaderboard.png'}")


def values(results: list[Any], score: str) -> list[float]:
    return [r["scores"][score]["value"] for r in results if score in r["scores"]]


def row(name: str, results: list[Any]) -> list[str]:
    seconds = np.mean([r["seconds"] for r in results])
    return [
        name,
        str(len(results)),
        f"{results[0]['steps']:,}",
        f"{seconds:.0f}",
        *(spread(values(results, n), form) for n, form in SCORES.items()),
    ]


def spread(numbers: list[float], form: str) -> str:
    """mean ± standard deviation; for one seed, the number."""
    if not numbers:
        return ""
    return f"{np.mean(numbers):{form}}" + (f" ± {np.std(numbers):{form}}" if len(numbers) > 1 else "")


def notes(models: dict[str, list[Any]]) -> list[str]:
    """The models that gave warnings, and what the conditional GAN's images add to few real ones."""
    lines = []
    for name, results in models.items():
        names = sorted({message.split(": ")[1] for r in results for message in r["warnings"]})
        lines += [f"- {name}: {', '.join(names)} (in one or more of {len(results)} seeds)"] if names else []
    lines = ["", "Warnings while training:", *lines] if lines else []
    for name, results in models.items():
        if "augmentation" in results[0]:
            lines += [
                "",
                f"A classifier trained on few real digits, alone and with {AUGMENTED:,} digits from {name}:",
                "",
            ]
            lines += ["| real digits | alone | with generated ones |", "| --- | --- | --- |"]
            for rows in zip(*(r["augmentation"] for r in results), strict=True):
                alone, both = ([r[key] for r in rows] for key in ("real", "both"))
                lines.append(f"| {rows[0]['size']:,} | {spread(alone, '.1%')} | {spread(both, '.1%')} |")
    return lines


def picture(first: dict[str, Any], path: Path) -> None:
    """A row of samples for each model, with its name: those of the first seed, unselected."""
    side, label, gap = 28, 80, 4
    fig = figure(label + SHOWN * side, len(first) * (side + gap), layout=None)
    for i, (name, result) in enumerate(first.items()):
        height = (side + gap) * len(first)
        left, bottom = label / (label + SHOWN * side), 1 - (i + 1) * (side + gap) / height
        axes = fig.add_axes((left, bottom, 1 - left, side / height))
        axes.imshow(np.hstack(result["samples"]), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        fig.text(left - 0.01, bottom + side / height / 2, name, ha="right", va="center", fontsize=9)
    write_png(fig, path)


if __name__ == "__main__":
    main()
