"""Record the runs of piece 12, train the solution's checkpoints, and count the modes that many seeds reach.

python examples/course/12_collapse/record.py: runs_*.json of the piece's fixtures, mended_*.npz and modes.json, in about
ten minutes of one core. What was really done in each run is in RUNS and `won`.
"""

import json
from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen.course.masters import Master
from tinygen.course.student import load_module

FOLDER = Path(__file__).parent
SEEDS = 30


collapse = load_module("collapse", FOLDER / "collapse.py")
SPEED = {"lr": 0.1, "d_lr": 0.1, "ema": 0.0, "g_activation": "leaky_relu", "d_activation": "leaky_relu"}
RUNS = {  # settings that differ from the mended ones; for "D won" see won()
    "healthy": {},
    "collapse": collapse.BROKEN,
    "D won": {"loss": "minimax", "d_steps": 5, "ema": 0.0},
    "D asleep": {"d_lr": 1e-7, "ema": 0.0},
    "too fast": SPEED,
}


def won(model):
    """G begins at (2.5, 2), far from all data, and moves by plain gradient descent: D is soon sure, and stays so."""
    *_, b = model.G.parameters()
    b.assign(np.float32([2.5, 2.0]))
    model.opt_G = tg.optim.SGD(model.G.parameters(), lr=1e-2)


def record(cause, seed):
    """The record of a run."""
    settings = collapse.MENDED | RUNS[cause]
    model, rng = collapse.model_of(settings, seed), np.random.default_rng(seed)
    if cause == "D won":
        won(model)
    take, names = tg.compile(model), ("step", "loss_D", "loss_G", "acc", "gradient")
    run = {name: [] for name in names} | {"samples": {}}
    for step in range(1, settings["steps"] + 1):
        batch = collapse.real(settings["batch"] * model.batches_per_step, rng)
        if step == 1 or step % 50 == 0:
            last = model.list_steps(batch)[-1]
            gradients = last.gradients_of(last.compute_loss())
            length = float(np.sqrt(sum((g.data.astype(np.float64) ** 2).sum() for g in gradients)))
        losses = take(batch)
        if step == 1 or step % 50 == 0:
            values = [step, *(float(losses[name].data) for name in names[1:4]), length]
            for name, value in zip(names, values, strict=True):
                run[name].append(step if name == "step" else float(f"{value:.3g}"))
        if step in (200, 800, 1400, 2000):
            points = model.sample(100, tg.Generator(seed, "record"))
            run["samples"][str(step)] = [[float(f"{v:.3g}") for v in point] for point in points.tolist()]
    return run


def write(mixture):
    """The record of the five runs on a mixture, in the order of the solution's diagnoses."""
    runs = {f"run{i}": record(cause, seed=30 + i) for i, cause in enumerate(collapse.OF_RUNS[mixture], 1)}
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(run)}" for name, run in runs.items())
    (Master(FOLDER).piece.folder / "fixtures" / f"runs_{mixture}.json").write_text(f"{{\n{text}\n}}\n")


def reached(weights, seed):
    """How many modes these weights reach, as the grader counts."""
    z = np.random.default_rng(1000 + seed).normal(size=(2000, 2))
    counts = collapse.mode_counts(collapse.generate(weights, z), collapse.centres(), collapse.STD)
    return collapse.mode_scores(counts, len(z), 1 / 4)[0]


def table(settings, seeds):
    """How many seeds reach how many modes, and the weights of the first seed with the most."""
    weights = [collapse.train(settings, seed) for seed in range(seeds)]
    modes = [reached(own, seed) for seed, own in enumerate(weights)]
    return {str(m): modes.count(m) for m in sorted(set(modes))}, weights[modes.index(max(modes))]


if __name__ == "__main__":
    modes = {}
    for mixture in collapse.OF_RUNS:
        collapse.MIXTURE = mixture
        write(mixture)
        mended, weights = table(collapse.MENDED, SEEDS)
        broken, _ = table(collapse.BROKEN, SEEDS)
        np.savez(FOLDER / f"mended_{mixture}.npz", **weights)
        modes[mixture] = {"seeds that reach so many modes, mended": mended, "broken": broken}
        print(mixture, modes[mixture], flush=True)
    (FOLDER / "modes.json").write_text(json.dumps(modes, indent=1) + "\n")
