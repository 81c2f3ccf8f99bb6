"""Train many runs: models, settings and seeds, each combination a run of its own in a process of its own.

It takes the options of `tinygen train`, and several values of most; with --set, a key given twice has two values.
Everything is checked before the first run begins. The same command again does what is left, whatever ended it: runs
that are finished stay, the others are resumed. At the end it compares them, as `tinygen compare DIR` does.

Of J runs at a time each gets a J-th of the cores, unless OPENBLAS_NUM_THREADS and OMP_NUM_THREADS say otherwise. On a
cluster let each task of a job array do one run, tinygen sweep ... --only $SLURM_ARRAY_TASK_ID, then compare.

examples:
  tinygen sweep gan --seed 0 1 2 --set lr=1e-4 lr=3e-4 --jobs 2
  tinygen sweep gan lsgan wgangp --steps 2000 --evaluate --report --out runs/losses
  tinygen sweep vae --batch 32 128 --set latent_dim=2 latent_dim=20 --list    the runs, with their numbers
  tinygen sweep gan --seed 0 1 2 --only 2                                     the run of that number alone
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..files import writing
from ..options import COURSE, DATA, INTERVALS
from ..tables import table
from . import compare, train
from .arguments import Parser, count_from, path
from .codes import FAILED, OK
from .grid import trainings_of

if TYPE_CHECKING:
    from ..sweep import Outcome, Training


def add_arguments(command: Parser) -> None:
    add, count = command.add_argument, count_from(1)
    command.settings = train.settings_of
    add("model", metavar="MODEL", nargs="+", help="the first arguments; `tinygen models` lists them")
    train.add_options(command, DATA, several=True)
    add("--steps", type=count, metavar="N", help="the last step of each run (the model's own)")
    train.add_options(command, COURSE, several=True)
    add("--preset", metavar="NAME", nargs="+", help="settings that belong together")
    add("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="settings; lr=1 lr=2: two values")
    train.add_options(command, INTERVALS)
    add("--init-from", type=path, metavar="RUN", help="start each with the weights of another run")
    add("--tensorboard", action="store_true", help="as in tinygen train")
    add("--evaluate", action="store_true", help="evaluate each run, with its own seed, and compare the scores")
    add("-n", type=count_from(2), help="how many samples --evaluate takes (what is usual for the data)")
    add("--report", action="store_true", help="write the page of each run, as tinygen report does")
    add("--jobs", type=count, default=1, metavar="J", help="how many runs at a time (1)")
    add("--only", type=count_from(0), nargs="+", metavar="I", help="the runs of these numbers alone; compare none")
    add("--list", action="store_true", help="only say which runs there are, and how far each is")
    add("--out", type=path, metavar="DIR", default="runs/sweep", help="the folder of the run directories (runs/sweep)")


def run(args: argparse.Namespace) -> int:
    from ..sweep import BUSY, threads_each, work

    trainings = trainings_of(args)
    if args.list:
        print(_listed(trainings))
        return OK
    chosen = _chosen(trainings, args.only)
    with writing(args.out, "directory"):
        Path(args.out).mkdir(parents=True, exist_ok=True)
    left = [one for one in chosen if not one.is_finished]
    jobs = min(args.jobs, len(left) or 1)
    threads = f", {threads_each(jobs)} thread{'s' * (threads_each(jobs) > 1)} each" if jobs > 1 else ""
    print(
        f"{_runs(len(chosen))} in {args.out}, {len(chosen) - len(left)} finished; {jobs} at a time{threads}", flush=True
    )
    try:
        outcomes = work(left, jobs, _Teller(len(left), jobs))
    except (KeyboardInterrupt, SystemExit):
        done = sum(one.is_finished for one in chosen)
        print(f"stopped: {done} of {_runs(len(chosen))} finished; the same command does the rest", flush=True)
        raise
    if args.only is None and any(one.made for one in trainings):
        print()
        compare.show([args.out], Path(args.out, compare.PAGE))
    unfinished = [outcome.fault for outcome in outcomes if outcome.fault]
    if unfinished:
        print(f"{len(unfinished)} of {_runs(len(chosen))} not finished; the same command tries again", flush=True)
    return OK if set(unfinished) <= {BUSY} else FAILED


class _Teller:
    """Says how each run ended and, after it, how long the others will take."""

    def __init__(self, runs: int, jobs: int):
        self._runs, self._jobs, self._done = runs, jobs, list[float]()

    def __call__(self, outcome: Outcome) -> None:
        from ..train.progress import in_words

        self._done.append(outcome.seconds)
        left = sum(self._done) / len(self._done) * -(-(self._runs - len(self._done)) // self._jobs)
        how = f"{outcome.seconds:.0f} s" if not outcome.fault else f"not finished: {outcome.fault}"
        log = f"; see {outcome.log}" if outcome.fault and outcome.log.exists() else ""
        time = f"; {in_words(left)} left" if left else ""
        print(f"[{len(self._done)}/{self._runs}] {outcome.training.out.name}: {how}{log}{time}", flush=True)


def _listed(trainings: list[Training]) -> str:
    """A table of the runs."""
    done = (f"{min(one.made, one.steps):,} of {one.steps:,}" for one in trainings)
    rows = [(str(i), str(one.out), steps) for i, (one, steps) in enumerate(zip(trainings, done, strict=True))]
    return table([("", "run", "steps"), *rows], right=[0, 2])


def _chosen(trainings: list[Training], only: list[int] | None) -> list[Training]:
    """The trainings of these numbers; all for None. Raises ConfigError."""
    for number in only or ():
        if number >= len(trainings):
            raise ConfigError(f"--only {number}: the last of {_runs(len(trainings))} is number {len(trainings) - 1}")
    return trainings if only is None else [trainings[number] for number in dict.fromkeys(only)]


def _runs(n: int) -> str:
    return f"{n:,} run{'s' * (n != 1)}"
