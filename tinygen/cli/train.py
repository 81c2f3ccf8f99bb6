"""Train a model, or resume a run.

It leaves a run directory: pictures of samples while it learns, training.gif, curves.png, metrics.jsonl, and
checkpoints to resume from. The first lines say where the pictures appear and, after a second, how long it will take.

examples:
  tinygen train gan
  tinygen train gan --steps 20000 --set loss=lsgan --out runs/lsgan
  tinygen train gan --data ring8               points in the plane, with the model's settings for them
  tinygen train gan --preset keras             the settings of a tutorial
  tinygen train vae --data fashion --batch 128 --set latent_dim=2 lr=3e-4
  tinygen train gan --data folder:photos --size 32 --fit pad --mirror
  tinygen train cgan --data folder:animals     a class for each folder in animals
  tinygen train cyclegan --data folder:horses --data-b folder:zebras
  tinygen train gan --resume --steps 40000     resume a run where it stopped, here to more steps than were planned
  tinygen train gan --resume --set lr=1e-5     the learning rate and the intervals may change, and the images move:
  tinygen train gan --resume --data folder:new/place/of/photos
  tinygen train lsgan --init-from runs/gan     a new run that starts with the weights of another
  tinygen train vae --compile off              each step as it is written, not as a program
  mpiexec -n 4 tinygen train dcgan --parallel mpi   four processes, each with a quarter of the batch: the same run
  tinygen models gan                           what --set can change, and what it means
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..backend import DEVICES
from ..checks import installed
from ..errors import ConfigError, RunError
from ..kinds import COUNT, EVERY, MAY_COUNT, MAY_NONE, SWITCH, Kind
from ..options import COMPILE, COMPILE_MODES, COURSE, DATA, DEFAULTS, DEVICE, INTERVALS, LOADING, OPTIONS, Option
from ..processes import LAUNCHERS, Group, group
from ..settings import describe_settings, format_value, from_data, parse_settings
from .arguments import SEED, Parser, count_from, count_or_none, path
from .codes import OK
from .runs import FROM_DATA, check_apart, load_data, model_class

if TYPE_CHECKING:
    from ..data import Dataset, Loader
    from ..models.base import Model
    from ..models.presets import Preset
    from ..train import Callback


FORMS: dict[Kind, dict[str, Any]] = {  # how each kind of option is written
    EVERY: {"type": count_from(1), "metavar": "N"},
    MAY_COUNT: {"type": count_from(1), "metavar": "N"},
    MAY_NONE: {"type": count_or_none, "metavar": "N|none"},
    COUNT: {"type": SEED, "metavar": "N"},
    DEVICE: {"choices": DEVICES},
    COMPILE: {"choices": COMPILE_MODES},
    SWITCH: {"action": "store_true", "default": None},
}


def add_arguments(command: Parser) -> None:
    add, count = command.add_argument, count_from(1)
    command.settings = settings_of
    add("model", metavar="MODEL", help="the first argument; `tinygen models` lists them")
    add_options(command, DATA)
    add("--steps", type=count, metavar="N", help="the last step (the model's own)")
    add_options(command, COURSE)
    add("--out", type=path, metavar="DIR", help="the run directory (runs/MODEL)")
    about = "start with the weights of another run, or of one of its checkpoints"
    add("--init-from", type=path, metavar="RUN", help=about)
    add("--resume", action="store_true", help="resume the run in --out, with its options, from its last checkpoint")
    add("--preset", metavar="NAME", help="settings that belong together; `tinygen models MODEL` lists them")
    add("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="settings of the model")
    add_options(command, INTERVALS)
    add("--parallel", choices=LAUNCHERS, help="share each step with the processes that mpiexec started: see below")
    add("--local-batch-norm", action="store_true", help="with --parallel: of each process's share, not of the batch")
    add("--tensorboard", action="store_true", help="write what `tensorboard --logdir DIR` shows, with tensorboardX")


def add_options(command: Parser, options: Iterable[Option], several: bool = False) -> None:
    """Declare options of a run.  several: whether they take several values each, where they take one at all."""
    for option in options:
        form = FORMS.get(option.kind, {}) | ({"metavar": option.metavar} if option.metavar else {})
        if several and option.kind is not SWITCH:
            form |= {"nargs": "+"}
        about = option.help.replace("{default}", format_value(option.default))
        command.add_argument(f"--{option.name.replace('_', '-')}", help=about, **form)


def run(args: argparse.Namespace) -> int:
    from ..parallel import join

    if args.local_batch_norm and not args.parallel:
        raise ConfigError("--local-batch-norm: it is for --parallel mpi; leave it out for one process")
    with join(args.parallel, args.local_batch_norm) if args.parallel else nullcontext(group()) as processes:
        return _train(args, processes)


def _train(args: argparse.Namespace, processes: Group) -> int:
    from ..train import RunDirectory, fit
    from ..train.rebuild import build

    kind, out, changes = model_class(args.model), Path(args.out or Path("runs", args.model)), dict[str, Any]()
    first = processes.rank == 0  # which reads and writes the run's files, and prints
    if args.resume:
        begun = _resumed(args, kind, out, _settings(args, kind)) if first else None
        chosen, config, changes = processes.from_first(begun)
        dataset = _load(args, kind, out, chosen)
        model = build(out, kind, config, {})
        steps, options = args.steps or chosen["steps"], {name: chosen[name] for name in DEFAULTS}
    else:
        if first:
            RunDirectory(out).check_unused()
        model, dataset, steps, options, suited = plan(args, kind, lambda chosen: _load(args, kind, out, chosen))
    loader = _loader(model, dataset, options)
    if first and not args.resume:
        _introduce(model, dataset, steps, options, "" if args.preset else suited)
    with _advice_after_nan(args.model, out, model):
        fit(
            model,
            loader,
            steps,
            out=out,
            resume=args.resume,
            settings=options | ({"classes": list(dataset.classes)} if dataset.classes else {}),
            dataset=dataset,
            callbacks=_callbacks(options, dataset, args.tensorboard),
            changing={*changes, "classes"},
            init_from=None if args.resume else args.init_from,
            compile=options["compile"] or "auto",  # None: the run was begun before a step could be compiled
            **{name: options[name] for name in ("log_every", "sample_every", "checkpoint_every")},
        )
    if first:
        _say_what_next(out, options["device"])
    return OK


class Plan(NamedTuple):
    """A new run before its first step.  suited: what its settings are for, if the kind of data chose them."""

    model: Model
    dataset: Dataset
    steps: int
    options: dict[str, Any]
    suited: str


def plan(args: argparse.Namespace, kind: type[Model], load: Callable[[dict[str, Any]], Dataset]) -> Plan:
    """The new run that a command line describes. Raises UserError if it describes none.  load: the data of options."""
    settings, chosen = _settings(args, kind), _begun(args, kind)
    dataset = load(chosen)
    preset = _preset(args, kind, dataset.shape)
    chosen = {**chosen, **preset.options, **_given(args)}
    model = _build(kind, {**preset.settings, **settings}, dataset, chosen["seed"])
    options = {name: chosen[name] for name in DEFAULTS}
    return Plan(model, dataset, args.steps or chosen["steps"], options, preset.about)


def _settings(args: argparse.Namespace, kind: type[Model]) -> dict[str, Any]:
    """The settings of the model that --set gives."""
    return parse_settings(kind.Config, args.set, [*DEFAULTS, "steps", "out", "resume", "init_from", "preset"])


def _begun(args: argparse.Namespace, kind: type[Model]) -> dict[str, Any]:
    """The options of a new run, as far as they don't depend on the data."""
    from ..data import takes

    given = _given(args)
    data = given.get("data", kind.defaults["data"])
    own = {name: x for name, x in kind.defaults.items() if name not in LOADING or takes(data, name)}
    return {**DEFAULTS, **own, **_preset(args, kind).options, **given}


def _preset(args: argparse.Namespace, kind: type[Model], shape: tuple[int, ...] = ()) -> Preset:
    """The preset that the command line names or, if it names none, that for examples of this shape; may be empty."""
    from ..models.presets import Preset, find_preset, preset_for

    name = args.preset or preset_for(kind, shape)
    return find_preset(kind, name) if name else Preset("", {})


def _load(args: argparse.Namespace, kind: type[Model], out: Path, options: dict[str, Any]) -> Dataset:
    """The data set that the options name, with the device and the random numbers set up as they say."""
    from .. import backend, random

    check_apart(out, options["data"])
    check_apart(out, options["data_b"] or "")
    backend.use(options["device"])
    if options["device"] == "cuda":
        group().take_gpu()
    random.seed(options["seed"])
    return load_data(options, moved=args.resume and not args.data, two=kind.takes_domains)


def _loader(model: Model, dataset: Dataset, options: dict[str, Any]) -> Loader:
    """Batches of a data set for a model, in an order that the seed decides."""
    from ..data import Flip
    from ..random import Generator
    from ..train.batches import loader_for

    mirror, order = Flip() if options["mirror"] else None, Generator(options["seed"], "loader", "cpu")
    beside: dict[str, Any] = {"other": dataset.other, "paired": dataset.paired}
    return loader_for(model, dataset.train, options["batch"], order, dataset.labels, mirror, **beside)


def _introduce(model: Model, dataset: Dataset, steps: int, options: dict[str, Any], suited: str) -> None:
    """Print what is about to be trained.  suited: what the settings are for, if the kind of data chose them."""
    print(f"{model.summary()}\n\n{dataset}")
    if suited:
        print(f"settings {suited}; `tinygen models {model.name}` lists them")
    print(f"{steps:,} steps of batch {options['batch']}, seed {options['seed']}, {options['device']}\n", flush=True)


def _say_what_next(out: Path, device: str) -> None:
    """Print what to do with a run that has ended, and how the next may be faster."""
    print(f"tinygen report {shlex.quote(str(out))}  shows what happened inside")
    if device == "cpu" and not (installed("numba") or installed("llvmlite")):
        print('pip install "tinygen[fast]"  makes training faster')


def _resumed(
    args: argparse.Namespace, kind: type[Model], out: Path, settings: dict[str, Any]
) -> tuple[dict[str, Any], ...]:
    """The options of an existing run, its model's config, and what the command line changes in both."""
    if args.preset:
        raise ConfigError(f"--preset {args.preset}: it is for a new run; leave it out to resume one as it began")
    saved = _saved_run(out, args.model, args.init_from)
    rates = fields.rates(kind.Config)
    may_change = {*rates, *(option.name for option in OPTIONS if option.may_change)}
    changes = _changes(out, saved, _given(args), settings, may_change)
    check_steps(out, args.steps)
    chosen = {**dict.fromkeys(DEFAULTS), **saved["settings"], "steps": saved["steps"], **changes}
    return chosen, saved["config"] | {name: x for name, x in changes.items() if name in rates}, changes


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """The options that the command line gives."""
    from ..data import placed

    given = {name: value for name, value in vars(args).items() if name in DEFAULTS and value is not None}
    return given | {name: placed(given[name]) for name in ("data", "data_b") if name in given}


def _callbacks(options: dict[str, Any], dataset: Dataset, tensorboard: bool) -> list[Callback]:
    """The callbacks that observe the training."""
    from ..inside import Recorder, Warnings
    from ..train import Evaluate, TensorBoard

    callbacks: list[Callback] = [Warnings(dataset), *([TensorBoard()] if tensorboard else [])]
    if options["evaluate_every"] not in (None, "none"):
        callbacks.append(Evaluate(options["evaluate_every"], dataset))
    if options["record"] not in (None, "none"):  # None: the run was begun before there was a recorder
        callbacks.append(Recorder(dataset, options["record"]))
    return callbacks


@contextmanager
def _advice_after_nan(name: str, out: Path, model: Model) -> Iterator[None]:
    """Add to the error for a NaN the command that resumes the run with a lower rate."""
    from ..train import NonFiniteError, RunDirectory

    try:
        yield
    except NonFiniteError as error:
        rate = model.config.lr if "lr" in fields.rates(type(model.config)) else 0
        if rate and RunDirectory(out).config_file.exists():
            again = f"tinygen train {name} --resume --out {shlex.quote(str(out))} --set lr={rate / 10:g}"
            error.args = (f"{error}\n{again}  resumes it from there with a tenth of the rate",)
        raise


def settings_of(known: argparse.Namespace) -> list[str]:
    """The settings that --set takes: those of the given models, or of all models if none is given."""
    from ..models import MODELS

    given = getattr(known, "model", None)
    chosen = [MODELS[name] for name in (given if isinstance(given, list) else [given]) if name in MODELS]
    return list(
        dict.fromkeys(
            setting.name for model in chosen or MODELS.values() for setting in describe_settings(model.Config)
        )
    )


def _build(kind: type[Model], settings: dict[str, Any], dataset: Dataset, seed: int) -> Model:
    try:
        return kind(kind.Config(**settings, **from_data(kind.Config, dataset)), seed)
    except ValueError as error:  # a width of 0, say, that a layer refuses
        raise ConfigError(str(error)) from error


def _saved_run(out: Path, model: str, init_from: str | None) -> dict[str, Any]:
    """The contents of config.json in `out`. Raises RunError; ConfigError if the run began with other weights."""
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


def _changes(
    out: Path, saved: dict[str, Any], given: dict[str, Any], settings: dict[str, Any], may_change: Collection[str]
) -> dict[str, Any]:
    """What the given options change in a saved run, by name. Raises ConfigError for an option that can't change.

    A folder of images may have moved; its contents are checked when it is loaded.
    """
    begun = [(f"--{name.replace('_', '-')}", name, x, saved["settings"].get(name)) for name, x in given.items()]
    begun += [(f"--set {name}", name, x, saved["config"].get(name)) for name, x in settings.items()]
    changes = dict[str, Any]()
    for option, name, now, before in begun:
        if format_value(now) == format_value(before):
            continue
        moves = name in ("data", "data_b") and all(str(data).startswith("folder:") for data in (now, before))
        if name not in may_change and not moves:
            raise ConfigError(
                f"{option}: the run in {out} has {format_value(before)}, not {format_value(now)}; "
                "leave it out to resume that run, or begin another with --out DIR"
            )
        changes[name] = now
    return changes


def check_steps(out: Path, steps: int | None) -> None:
    """Raise ConfigError if the run in `out` has made more steps than are asked for."""
    from ..train import RunDirectory

    made = max(RunDirectory(out).checkpoints(), default=0)
    if steps is not None and steps < made:
        raise ConfigError(
            f"--steps {steps}: the run in {out} has made {made} already; give more, or leave the option out"
        )
