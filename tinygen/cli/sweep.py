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
from collections.abc import Sequence
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
    found = trainings_of(args)
    if args.list:
        done = (f"{min(one.made, one.steps):,} of {one.steps:,}" for one in found)
        rows = [(str(i), str(one.out), steps) for i, (one, steps) in enumerate(zip(found, done, strict=True))]
        print(table([("", "run", "steps"), *rows], right=[0, 2]))
        return OK
    chosen = _chosen(found, args.only)
    with writing(args.out, "directory"):
        Path(args.out).mkdir(parents=True, exist_ok=True)
    code = do(chosen, args.jobs)
    if args.only is None and any(one.made for one in found):
        print()
        compare.show([args.out], Path(args.out, compare.PAGE))
    return code


def trainings(line: Sequence[str]) -> list[Training]:
    """The runs of a command line of `tinygen sweep`, seed by seed. Raises UserError for the first that is wrong."""
    command = Parser(prog="tinygen sweep")
    add_arguments(command)
    return trainings_of(command.parse_args(line))


def do(runs: Sequence[Training], jobs: int) -> int:
    """Do what is left of some trainings, `jobs` at a time, and say how each ended; returns the exit code."""
    from ..sweep import threads_each, work

    left = [one for one in runs if not one.is_finished]
    jobs = min(jobs, len(left) or 1)
    threads = f", {threads_each(jobs)} thread{'s' * (threads_each(jobs) > 1)} each" if jobs > 1 else ""
    print(f"{_count(len(runs))}, {len(runs) - len(left)} finished; {jobs} at a time{threads}", flush=True)
    told = _Teller(len(left), jobs)
    try:
        work(left, jobs, told)
    except (KeyboardInterrupt, SystemExit):
        done = sum(one.is_finished for one in runs)
        print(f"stopped: {done} of {_count(len(runs))} finished; the same command does the rest", flush=True)
        raise
    if told.failed:
        print(f"{told.failed} of {_count(len(runs))} failed; the same command tries again", flush=True)
    return FAILED if told.failed else OK


class _Teller:
    """Says how each run ended and, after it, how long the others will take."""

    def __init__(self, runs: int, jobs: int):
        self._runs, self._jobs, self._told, self._took = runs, jobs, 0, list[float]()
        self.failed = 0

    def __call__(self, outcome: Outcome) -> None:
        from ..train.progress import in_words

        self._told += 1
        if outcome.busy:
            how = "left to another process, which is at it"
        elif outcome.fault:
            how = f"failed: {outcome.fault}{f'; see {outcome.log}' if outcome.log.exists() else ''}"
            self.failed += 1
        else:
            how = f"{outcome.seconds:.0f} s"
            self._took.append(outcome.seconds)
        rounds = -(-(self._runs - self._told) // self._jobs)
        left = f"; {in_words(sum(self._took) / len(self._took) * rounds)} left" if self._took and rounds else ""
        print(f"[{self._told}/{self._runs}] {outcome.training.out.name}: {how}{left}", flush=True)


def _chosen(found: list[Training], only: list[int] | None) -> list[Training]:
    """The trainings of these numbers; all for None. Raises ConfigError."""
    for number in only or ():
        if number >= len(found):
            raise ConfigError(f"--only {number}: the last of {_count(len(found))} is number {len(found) - 1}")
    return found if only is None else [found[number] for number in dict.fromkeys(only)]


def _count(n: int) -> str:
    return f"{n:,} run{'s' * (n != 1)}"
