"""The runs that the command line of a sweep describes: each combination of values, checked as by `tinygen train`."""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigError
from ..kinds import SWITCH
from ..options import COURSE, DATA, LOADING, OPTIONS
from ..settings import format_value, parse_settings
from . import train
from .runs import check_apart, load_data, model_class

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model
    from ..sweep import Training

AXES = (*(option.name for option in (*DATA, *COURSE) if option.kind is not SWITCH and option.name != "seed"), "preset")
MAY_CHANGE = {option.name for option in OPTIONS if option.may_change} | {"classes"}  # when a run is resumed
LONGEST = 120  # characters of the name of a run


class Combination(NamedTuple):
    """One of each value but the seed.  identity: what config.json would say of it."""

    given: argparse.Namespace
    name: str
    steps: int
    identity: dict[str, Any]


def trainings_of(args: argparse.Namespace) -> list[Training]:
    """All runs, seed by seed, so that a sweep that is stopped has some of each combination.

    Raises UserError for the first that is wrong, and if there is another run in its place.
    """
    from ..sweep import Training

    if args.n is not None and not args.evaluate:
        raise ConfigError(f"-n {args.n}: it is for --evaluate; give that, too, or leave the option out")
    combinations, found = list(_combinations(args)), dict[Path, Training]()
    for seed, one in itertools.product(args.seed or [0], combinations):
        out = Path(args.out, f"{one.name}-seed={seed}")
        if out in found:
            raise ConfigError(f"{out.name}: two runs have this name; give each value once")
        _check_place(out, one, seed, args.steps)
        evaluation = {"n": args.n, "seed": seed} if args.evaluate else None
        found[out] = Training(out, _written(one.given, seed), one.steps, evaluation, args.report)
    return [*found.values()]


def _combinations(args: argparse.Namespace) -> Iterator[Combination]:
    """Every combination of models, options and settings. Raises UserError for the first that is no run."""
    from ..train.snapshot import identity

    settings, load = dict[str, list[str]](), _Loader(args.out)
    for assignment in args.set:
        settings.setdefault(assignment.partition("=")[0].strip(), []).append(assignment)
    axes = {name: values for name in AXES if (values := getattr(args, name))}
    for model, *values in itertools.product(args.model, *axes.values(), *settings.values()):
        chosen = dict(zip(axes, values, strict=False))
        fixed = {"model": model, "set": values[len(axes) :], "resume": False, **dict.fromkeys(AXES), "seed": None}
        given, kind = argparse.Namespace(**{**vars(args), **fixed, **chosen}), model_class(model)
        try:
            plan = train.plan(given, kind, functools.partial(load, kind))
        except ConfigError as error:
            named = len(args.model) == 1 or str(error).startswith(f"{model}: ")
            raise ConfigError(str(error) if named else f"{model}: {error}") from error
        assigned = parse_settings(kind.Config, given.set)
        yield Combination(
            given,
            _name(model, chosen | dict(sorted(assigned.items()))),
            plan.steps,
            {**identity(plan.model), "settings": plan.options},
        )


class _Loader:
    """Loads the data of a combination, those of the last one once. On the CPU: each run needs the GPU for itself."""

    def __init__(self, out: str):
        self._out = Path(out)
        self._last: dict[Any, Dataset] = {}

    def __call__(self, kind: type[Model], options: dict[str, Any]) -> Dataset:
        from ..backend import device_module

        device_module(options["device"])  # raises DeviceError if it isn't there
        for name in ("data", "data_b"):
            check_apart(self._out, options[name] or "")
        key = kind.takes_domains, *(options[name] for name in ("data", "data_b", *LOADING))
        if key not in self._last:
            self._last.clear()
            self._last[key] = load_data(options, two=kind.takes_domains)
        return self._last[key]


def _name(model: str, values: dict[str, Any]) -> str:
    """The name of a run but for its seed: a folder that every file system takes, another for other values.

    What is given is in it even if it doesn't vary, so that it can vary in a later call.
    """
    full = "-".join([model, *(f"{key}={format_value(value)}" for key, value in values.items())])
    name = re.sub(r"[^\w.,=+-]", "_", full, flags=re.ASCII)[:LONGEST]
    return name if name == full else f"{name}-{hashlib.sha256(full.encode()).hexdigest()[:8]}"


def _written(given: argparse.Namespace, seed: int) -> tuple[str, ...]:
    """A combination as the command line of `tinygen train` says it."""
    values = {option.name: getattr(given, option.name) for option in OPTIONS} | {"seed": seed}
    values |= {name: getattr(given, name) for name in ("preset", "init_from", "tensorboard")}
    options = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in values.items()
        if value is not None and value is not False
    ]
    return (given.model, *options, *(["--set", *given.set] if given.set else []))


def _check_place(out: Path, one: Combination, seed: int, steps: int | None) -> None:
    """Raise RunError if there is another run in the place of this one, ConfigError if it has made more steps."""
    from ..train import RunDirectory

    run = RunDirectory(out)
    if not run.config_file.exists():
        run.check_unused()
        return
    settings = one.identity["settings"] | {"seed": seed}
    run.check({**one.identity, "settings": settings}, MAY_CHANGE)
    train.check_steps(out, steps)
