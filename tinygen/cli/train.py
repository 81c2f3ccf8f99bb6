"""Train a model, or resume a run.

It leaves a run directory: pictures of samples while it learns, training.gif, curves.png, metrics.jsonl, and
checkpoints to resume from.

examples:
  tinygen train gan
  tinygen train gan --steps 20000 --set loss=lsgan --out runs/lsgan
  tinygen train vae --data fashion --batch 128 --set latent_dim=2 lr=3e-4
  tinygen train gan --data folder:photos --size 32 --fit pad --mirror
  tinygen train cgan --data folder:animals     a class for each folder in animals
  tinygen train gan --resume --steps 40000     resume a run where it stopped, here to more steps than were planned
  tinygen train gan --resume --set lr=1e-5     the learning rate and the intervals may change, and the images move:
  tinygen train gan --resume --data folder:new/place/of/photos
  tinygen train lsgan --init-from runs/gan     a new run that starts with the weights of another
  tinygen models                               the models, and what --set can change
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backend import DEVICES
from ..errors import ConfigError, RunError
from ..settings import describe_settings, format_value, from_data, parse_settings
from .arguments import SEED, Parser, count_from, count_or_none, path
from .codes import OK
from .runs import FROM_DATA, load_data, model_class

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model


# What `train` takes beside the model's own settings, as config.json records it; None: the model's default.
RUN_OPTIONS: dict[str, Any] = {
    "data": None,
    "size": None,
    "channels": None,
    "fit": None,
    "mirror": None,
    "batch": None,
    "seed": 0,
    "device": "cpu",
    "log_every": 50,
    "sample_every": 200,
    "checkpoint_every": 500,
    "evaluate_every": None,
    "record": 16,
}
RATES = {"lr", "d_lr"}  # settings of the model that may change when a run is resumed, and what else may:
MAY_CHANGE = {*RATES, "log_every", "sample_every", "checkpoint_every", "evaluate_every"}


def add_arguments(command: Parser) -> None:
    count, add = count_from(1), command.add_argument
    command.settings = _settings_of
    add("model", metavar="MODEL", help="the first argument; `tinygen models` lists them")
    add("--data", metavar="NAME", help="`tinygen data` lists them; folder:PATH for your own images (the model's own)")
    add("--size", type=count, metavar="N", help="the side of the square to which folder: brings its images")
    add("--channels", type=count, metavar="1|3|4", help="of folder: images: grey, colour, or with opacity (3)")
    add("--fit", metavar="crop|pad|stretch", help="how folder: images become squares (crop)")
    add("--mirror", action="store_true", default=None, help="show each image mirrored half of the time")
    add("--steps", type=count, metavar="N", help="the last step (the model's own)")
    add("--batch", type=count, metavar="N", help="examples a step (the model's own)")
    add("--seed", type=SEED, metavar="N", help="decides every random number: weights, batches, noise (0)")
    add("--device", choices=DEVICES, help="cpu (the default) or cuda, a GPU through CuPy")
    add("--out", type=path, metavar="DIR", help="the run directory (runs/MODEL)")
    add(
        "--init-from",
        type=path,
        metavar="RUN",
        help="start with the weights of another run, or of one of its checkpoints",
    )
    add("--resume", action="store_true", help="resume the run in --out, with its options, from its last checkpoint")
    add("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="settings of the model")
    add("--log-every", type=count, metavar="N", help="steps between lines of metrics.jsonl (50)")
    add("--sample-every", type=count, metavar="N", help="steps between pictures of samples (200)")
    add("--checkpoint-every", type=count, metavar="N", help="steps between checkpoints (500)")
    or_none: dict[str, Any] = {"type": count_or_none, "metavar": "N|none"}
    add("--evaluate-every", **or_none, help="steps between evaluations, of 1,000 samples each (none)")
    add("--record", **or_none, help="steps between looks inside, for the report (16)")


def run(args: argparse.Namespace) -> int:
    from .. import backend, random
    from ..data import Flip, placed
    from ..inside import Recorder, Warnings
    from ..train import Callback, Evaluate, RunDirectory, fit
    from ..train import load as load_run
    from ..train.batches import loader_for

    kind, out = model_class(args.model), Path(args.out or Path("runs", args.model))
    settings = parse_settings(kind.Config, args.set, [*RUN_OPTIONS, "steps", "out", "resume", "init_from"])
    given = {name: value for name, value in vars(args).items() if name in RUN_OPTIONS and value is not None}
    given |= {"data": placed(args.data)} if args.data else {}
    changes = dict[str, Any]()
    if args.resume:
        saved = _saved_run(out, args.model, args.init_from)
        changes = _changes(out, saved, given, settings)
        _check_steps(out, args.steps)
        chosen = {**dict.fromkeys(RUN_OPTIONS), **saved["settings"], "steps": saved["steps"], **changes}
    else:
        RunDirectory(out).check_unused()
        chosen = {**RUN_OPTIONS, **kind.defaults, **given}
    _check_apart(out, chosen["data"])
    steps = args.steps or chosen["steps"]
    options = {name: chosen[name] for name in RUN_OPTIONS}

    seed, batch, device = options["seed"], options["batch"], options["device"]
    backend.use(device)
    random.seed(seed)
    dataset = load_data(options, moved=args.resume and not args.data)
    if args.resume:
        rates = {name: x for name, x in (saved["config"] | changes).items() if name in RATES}
        model = load_run(out, **rates)
    else:
        model = _build(kind, settings, dataset, seed)
    mirror, order = Flip() if options["mirror"] else None, random.Generator(seed, "loader", "cpu")
    loader = loader_for(model, dataset.train, batch, order, dataset.labels, mirror)
    if not args.resume:
        print(f"{model.summary()}\n\n{dataset}\n{steps:,} steps of batch {batch}, seed {seed}, {device}\n", flush=True)
    every = {name: options[name] for name in ("log_every", "sample_every", "checkpoint_every")}
    watching: list[Callback] = [Warnings(dataset)]
    if options["evaluate_every"] not in (None, "none"):
        watching.append(Evaluate(options["evaluate_every"], dataset))
    if options["record"] not in (None, "none"):  # None: the run was begun before there was a recorder
        watching.append(Recorder(dataset, options["record"]))
    with _advice_after_nan(args.model, out, model):
        fit(
            model,
            loader,
            steps,
            out=out,
            resume=args.resume,
            settings=options | ({"classes": list(dataset.classes)} if dataset.classes else {}),
            dataset=dataset,
            callbacks=watching,
            changing={*changes, "classes"},
            init_from=None if args.resume else args.init_from,
            **every,
        )
    return OK


@contextmanager
def _advice_after_nan(name: str, out: Path, model: Model) -> Iterator[None]:
    """Add to what a NaN is answered with the command that resumes the run with a lower rate."""
    from ..train import NonFiniteError, RunDirectory

    try:
        yield
    except NonFiniteError as error:
        rate = getattr(model.config, "lr", None)
        if rate and RunDirectory(out).config_file.exists():
            again = f"tinygen train {name} --resume --out {shlex.quote(str(out))} --set lr={rate / 10:g}"
            error.args = (f"{error}\n{again}  resumes it from there with a tenth of the rate",)
        raise


def _settings_of(known: argparse.Namespace) -> list[str]:
    """What --set takes, of the model that was given or, if that is none, of any."""
    from ..models import MODELS

    chosen = [MODELS[known.model]] if getattr(known, "model", None) in MODELS else MODELS.values()
    return list(dict.fromkeys(setting.name for model in chosen for setting in describe_settings(model.Config)))


def _check_apart(out: Path, data: str) -> None:
    """Raise ConfigError if a run would write among the images that it learns from."""
    kind, _, folder = data.partition(":")
    if kind == "folder" and folder and out.resolve() == Path(folder).resolve():
        raise ConfigError(f"--out {out}: the images are there; choose another directory for the run")


def _build(kind: type[Model], settings: dict[str, Any], dataset: Dataset, seed: int) -> Model:
    try:
        return kind(kind.Config(**settings, **from_data(kind.Config, dataset)), seed)
    except ValueError as error:  # a width of 0, say, that a layer refuses
        raise ConfigError(str(error)) from error


def _saved_run(out: Path, model: str, init_from: str | None) -> dict[str, Any]:
    """What config.json in `out` says. Raises RunError, ConfigError if it began with other weights than are named."""
    from ..train import RunDirectory

    saved = RunDirectory(out).read_config()
    if saved["model"] != model:
        raise RunError(
            f"{out} holds a run of {saved['model']!r}, not of {model!r}; choose another directory with --out"
        )
    if not saved["settings"].keys() >= FROM_DATA:
        raise RunError(f"{out}: this run was not begun by `tinygen train`; resume it with the program that began it")
    RunDirectory(out).read_settings()
    if init_from is not None and saved.get("init_from", {}).get("run") != str(Path(init_from)):
        raise ConfigError(
            f"--init-from {init_from}: the run in {out} has begun already, with other weights; leave the option out to "
            "resume it, or begin another with --out DIR"
        )
    return saved


def _changes(out: Path, saved: dict[str, Any], given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What options change of a saved run, by name. Raises ConfigError for what can't change while a run is under way.

    A folder of images may be in another place; whether it is the same is seen when it has been loaded.
    """
    begun = [(f"--{name.replace('_', '-')}", name, x, saved["settings"].get(name)) for name, x in given.items()]
    begun += [(f"--set {name}", name, x, saved["config"].get(name)) for name, x in settings.items()]
    changes = dict[str, Any]()
    for option, name, now, before in begun:
        if format_value(now) == format_value(before):
            continue
        moves = name == "data" and all(str(data).startswith("folder:") for data in (now, before))
        if name not in MAY_CHANGE and not moves:
            raise ConfigError(
                f"{option}: the run in {out} has {format_value(before)}, not {format_value(now)}; "
                "leave it out to resume that run, or begin another with --out DIR"
            )
        changes[name] = now
    return changes


def _check_steps(out: Path, steps: int | None) -> None:
    from ..train import RunDirectory

    made = max(RunDirectory(out).checkpoints(), default=0)
    if steps is not None and steps < made:
        raise ConfigError(
            f"--steps {steps}: the run in {out} has made {made} already; give more, or leave the option out"
        )
