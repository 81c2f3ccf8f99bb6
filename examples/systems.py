"""The second leaderboard: what GANs are for, each trained by one command and held against a bar.

Each system is trained by the command line for three seeds, with its defaults, and measured by `tinygen evaluate`. The
table has the mean of the seeds ± their standard deviation, the bar that was set beforehand, and beside it what doing
nothing, or the simplest means, scores, and what real data score. Finished runs stay on disk: stop the script whenever
you like; the next call does the rest.

    python examples/systems.py                             all of it
    python examples/systems.py --systems srgan --seeds 0   a taste
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Bar(NamedTuple):
    """A score, and the least or the most that it must be, if it has a bar; scale: 100 for a percentage."""

    score: str
    sign: str = ""
    bar: float | None = None
    scale: float = 1.0
    digits: int = 2

    def shown(self, x: float | None) -> str:
        if x is None:
            return ""
        return f"{x * self.scale:.{self.digits}f}" + (" %" if self.scale == 100 else "")


class System(NamedTuple):
    """What is trained, and the scores that are shown of it."""

    train: str
    bars: tuple[Bar, ...]


def share(score: str, sign: str = "", bar: float | None = None) -> Bar:
    return Bar(score, sign, bar, 100, 1)


WAYS = ("ab", "ba")
HOLE = Bar("psnr", ">=", 22), Bar("restored_fid", digits=3), Bar("sharpness"), Bar("smile_spread")
LARGER = Bar("psnr"), Bar("ssim", digits=3), Bar("restored_fid", digits=3), share("restored_accuracy")
SYSTEMS = {
    "cyclegan": System(
        "cyclegan",
        (
            *(share(f"moved_{way}", ">=", 0.95) for way in WAYS),
            *(share(f"moved_alone_{way}", ">=", 0.95) for way in WAYS),
            *(Bar(f"fid_{way}", "<=", 0.5, digits=3) for way in WAYS),
            *(Bar(f"mouth_error_{way}", digits=4) for way in WAYS),
            *(Bar(f"round_trip_{way}", digits=4) for way in WAYS),
        ),
    ),
    "srresnet": System("srgan --set adversarial=0", LARGER),
    "srgan": System("srgan", LARGER),
    "cogan": System(
        "cogan",
        (
            share("classes_agree", ">=", 0.7),
            share("pixels_agree", ">=", 0.95),
            Bar("fid", "<=", 6),
            Bar("fid_other", "<=", 6),
        ),
    ),
    "textgan": System(
        "textgan",
        (share("valid", ">=", 0.85), share("distinct", ">=", 0.88), Bar("kl", "<=", 0.45, digits=3), share("unseen")),
    ),
    "likelihood": System(
        "textgan --steps 800 --set method=mle",
        (share("valid"), share("distinct"), Bar("kl", digits=3), share("unseen")),
    ),
    "inpaint": System("inpaint", HOLE),
    "inpaint_l2": System("inpaint --set adversarial=0", HOLE),
    "stylegan": System("stylegan", (Bar("fid", "<=", 0.5, digits=3), Bar("least_spread", ">=", 0.85), Bar("spread"))),
}
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def main() -> None:
    args = arguments()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    tasks = [(name, seed) for seed in args.seeds for name in args.systems]
    if not args.table:
        with ThreadPoolExecutor(args.jobs) as pool:
            for line in pool.map(lambda task: measured(*task, out), tasks):
                print(line, flush=True)
    report(args.systems, args.seeds, out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", metavar="NAME", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--seeds", nargs="+", metavar="N", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, each on one thread (2)")
    parser.add_argument("--table", action="store_true", help="train nothing: only the table of finished runs")
    parser.add_argument("--out", metavar="DIR", default="systems", help="the folder for all runs (systems)")
    return parser.parse_args()


def measured(name: str, seed: int, out: Path) -> str:
    """Train and evaluate one system, unless that is done; returns a line about it."""
    run = out / f"{name}-{seed}"
    if (run / "metrics.json").exists():
        return f"{run}: finished"
    shutil.rmtree(run, ignore_errors=True)
    model, *settings = SYSTEMS[name].train.split()
    began = time.perf_counter()
    tinygen("train", model, "--seed", str(seed), "--out", str(run), "--record", "none", *settings)
    seconds = time.perf_counter() - began
    tinygen("evaluate", str(run))
    (run / "seconds.json").write_text(json.dumps(seconds))
    return f"{run}: {seconds:.0f} s"


def tinygen(*arguments: str) -> None:
    """Run a command on one thread. Raises an error with what it printed if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tinygen", *arguments], env=os.environ | ONE_THREAD, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"tinygen {' '.join(arguments)}: {done.stdout[-2000:]}\n{done.stderr}")


# The report


def report(systems: list[str], seeds: list[int], out: Path) -> None:
    """Write systems.md and systems.json, and a picture of each system, those of the first seed, unselected."""
    lines, kept = [], list[dict[str, Any]]()
    for name in systems:
        runs = [run for seed in seeds if (run := out / f"{name}-{seed}").joinpath("metrics.json").exists()]
        if not runs:
            continue
        results = [json.loads((run / "metrics.json").read_text()) for run in runs]
        seconds = [json.loads((run / "seconds.json").read_text()) for run in runs]
        kept += [{"system": name, "seconds": s, **result} for s, result in zip(seconds, results, strict=True)]
        lines += table(name, results, seconds)
        newest = max((runs[0] / "samples").glob("*.png"))
        shutil.copy(newest, out / f"{name}.png")
    (out / "systems.md").write_text("\n".join(lines) + "\n")
    (out / "systems.json").write_text(json.dumps(kept, indent=1))
    print("\n".join(lines))


def table(name: str, results: list[dict[str, Any]], seconds: list[float]) -> list[str]:
    """The scores of a system over its seeds, as lines of Markdown."""
    system, steps = SYSTEMS[name], results[0]["step"]
    minutes = np.mean(seconds) / 60
    lines = [
        f"\n`tinygen train {system.train}`: {steps:,} steps, {minutes:.1f} minutes on one core, {len(results)} seeds\n",
        f"| score | {name} | bar | doing nothing, or the simplest means | real data |",
        "| --- | --- | --- | --- | --- |",
    ]
    for bar in system.bars:
        scores = [result["scores"][bar.score] for result in results if bar.score in result["scores"]]
        if not scores:
            continue
        values = [score["value"] for score in scores]
        mean = f"{bar.shown(float(np.mean(values)))} ± {bar.shown(float(np.std(values)))}"
        plain, real = (average([score.get(key) for score in scores]) for key in ("plain", "reference"))
        wanted = "" if bar.bar is None else f"{bar.sign} {bar.shown(bar.bar)}, {met(bar, values)}"
        lines.append(f"| {bar.score} | {mean} | {wanted} | {bar.shown(plain)} | {bar.shown(real)} |")
    return lines


def average(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def met(bar: Bar, values: list[float]) -> str:
    """How many of the seeds meet a bar."""
    assert bar.bar is not None
    test = operator.ge if bar.sign == ">=" else operator.le
    return f"met by {sum(test(value, bar.bar) for value in values)} of {len(values)}"


if __name__ == "__main__":
    main()
