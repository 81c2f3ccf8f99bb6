"""Autoencoders, VAEs and GANs on a from-scratch autodiff framework.

examples:
  tinygen train gan                      a GAN learns handwritten digits; pictures in runs/gan
  tinygen train vae --set latent_dim=2 --out runs/plane
  tinygen sample runs/gan -n 64
  tinygen evaluate runs/gan              how good it is, in numbers
  tinygen report runs/gan                what happened inside of it: a web page
  tinygen models                         what can be trained, and every setting
  tinygen explain "sigmoid(w*x + b)"     backpropagation through one formula, step by step
  tinygen COMMAND --help                 more, with examples

exit codes:
  0    done
  1    a check failed, or a training met a NaN or an infinity
  2    bad usage or bad input: one line says what to do
  129  stopped because the terminal closed (SIGHUP)
  130  stopped by Ctrl-C
  141  stopped because what read the output closed it
  143  stopped by SIGTERM
A training that is stopped finishes its step and saves a checkpoint, unless Ctrl-C comes twice: resume it with --resume.
"""

# The docstring above is what --help prints, and a command's docstring is its help. What a command needs is imported
# inside of it, so that --help is quick.

from __future__ import annotations

import argparse
import errno
import inspect
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import terminal
from ..backend import DEVICES
from ..errors import ConfigError, DataError, RunError, UserError
from ..files import replace_file, writing
from ..settings import describe_settings, format_value, from_data, nearest, parse_settings
from ..signals import finish, give_back, stop, take_over
from ..version import __version__
from .arguments import LARGEST_SEED, Parser, count_from, count_or_none, path

if TYPE_CHECKING:
    from ..data import Dataset
    from ..graph import Explanation
    from ..models.base import Model

OK, FAILED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. What a user can mend is one line on standard error."""
    handlers = take_over(stop)
    try:
        with terminal.prepared():
            code = _run(argv)
            lost = terminal.flushed(sys.stdout)  # a pipe that was closed is noticed here, not at exit
            terminal.flushed(sys.stderr)
            return _output_lost(lost) if lost and code == OK else code
    finally:
        give_back(handlers)
        finish()


def _run(argv: Sequence[str] | None) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            args = _parser().parse_args(argv)
            return args.command(args)
    except SystemExit as end:  # --help and --version; SIGTERM and SIGHUP
        return end.code if isinstance(end.code, int) else OK
    except UserError as error:
        return _say(error, FAILED if _is_non_finite(error) else BAD_INPUT)
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError as error:
        return _say(f"not enough memory: {error or 'choose a smaller batch or model'}", BAD_INPUT)
    except OSError as error:
        lost = terminal.flushed(sys.stdout)
        if lost or (error.errno and not error.filename):  # an error of a file names it
            return _output_lost(lost or error)
        return _say(f"{error.filename}: {error.strerror}" if error.filename else error, BAD_INPUT)


def _output_lost(error: OSError) -> int:
    """What to end with when standard output takes no more."""
    if error.errno in (errno.EPIPE, errno.EIO):  # nobody reads any more
        return BROKEN_PIPE
    return _say(f"standard output: {error.strerror}", BAD_INPUT)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _complain(f"tinygen: warning: {terminal.printable(message)}")


def _say(message: object, code: int) -> int:
    lines = str(message).split("\n") if code == FAILED else [str(message)]
    _complain("tinygen: error: " + "\n".join(map(terminal.printable, lines)))
    return code


def _complain(text: str) -> None:
    with suppress(OSError):  # where nobody reads, the exit code has to do
        print(text, file=sys.stderr, flush=True)


def _is_non_finite(error: UserError) -> bool:
    from ..train import NonFiniteError

    return isinstance(error, NonFiniteError)


# The commands

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
LOADING = ("size", "channels", "fit")  # how --data is loaded
FROM_DATA = {"data", "size"}  # in the settings of every run that the command line began
RATES = {"lr", "d_lr"}  # settings of the model that may change when a run is resumed, and what else may:
MAY_CHANGE = {*RATES, "log_every", "sample_every", "checkpoint_every", "evaluate_every"}


def train(args: argparse.Namespace) -> int:
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
    from .. import backend, random
    from ..data import Flip, placed
    from ..inside import Recorder, Warnings
    from ..train import Callback, Evaluate, RunDirectory, fit
    from ..train import load as load_run
    from ..train.batches import loader_for

    model_class, out = _model_class(args.model), Path(args.out or Path("runs", args.model))
    settings = parse_settings(model_class.Config, args.set, [*RUN_OPTIONS, "steps", "out", "resume", "init_from"])
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
        chosen = {**RUN_OPTIONS, **model_class.defaults, **given}
    _check_apart(out, chosen["data"])
    steps = args.steps or chosen["steps"]
    options = {name: chosen[name] for name in RUN_OPTIONS}

    seed, batch, device = options["seed"], options["batch"], options["device"]
    backend.use(device)
    random.seed(seed)
    dataset = _load_data(options, moved=args.resume and not args.data)
    if args.resume:
        rates = {name: x for name, x in (saved["config"] | changes).items() if name in RATES}
        model = load_run(out, **rates)
    else:
        model = _build(model_class, settings, dataset, seed)
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


def _model_class(name: str) -> type[Model]:
    from ..models import MODELS

    if name not in MODELS:
        raise ConfigError(f"there is no model {name!r}{nearest(name, MODELS)}; `tinygen models` lists them")
    return MODELS[name]


def _settings_of(known: argparse.Namespace) -> list[str]:
    """What --set takes, of the model that was given or, if that is none, of any."""
    from ..models import MODELS

    chosen = [MODELS[known.model]] if getattr(known, "model", None) in MODELS else MODELS.values()
    return list(dict.fromkeys(setting.name for model in chosen for setting in describe_settings(model.Config)))


def _load_data(settings: dict[str, Any], moved: bool = False) -> Dataset:
    """The data set that the settings of a run name, loaded as they say; if its folder is gone, it may have moved."""
    from ..data import load

    try:
        return load(settings["data"], **{option: settings.get(option) for option in LOADING})
    except DataError as error:
        if moved and str(settings["data"]).startswith("folder:"):
            raise DataError(
                f"{error}; if the images have moved, give their new place with --data folder:PATH"
            ) from None
        raise


def _check_apart(out: Path, data: str) -> None:
    """Raise ConfigError if a run would write among the images that it learns from."""
    kind, _, folder = data.partition(":")
    if kind == "folder" and folder and out.resolve() == Path(folder).resolve():
        raise ConfigError(f"--out {out}: the images are there; choose another directory for the run")


def _build(model_class: type[Model], settings: dict[str, Any], dataset: Dataset, seed: int) -> Model:
    try:
        return model_class(model_class.Config(**settings, **from_data(model_class.Config, dataset)), seed)
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


def sample(args: argparse.Namespace) -> int:
    """Draw samples of a trained model and save them as one picture.

    The run itself is not changed.

    examples:
      tinygen sample runs/gan
      tinygen sample runs/gan -n 100 --seed 7 --out digits.png
      tinygen sample runs/cgan --label 3
    """
    from .. import backend, random, viz
    from ..train import load
    from ..train.callbacks import pictured

    out = Path(args.out or Path(args.run, "sample.png"))
    if out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: the picture is a PNG file, so its name must end in .png")
    backend.use(args.device)
    model, wanted = load(args.run), {}
    n, columns = pictured(model)
    if args.label is not None:
        if not getattr(model, "takes_labels", False):
            raise ConfigError(f"--label {args.label}: {model.name} knows no classes; leave the option out")
        wanted, columns = {"labels": _label(args.label, Path(args.run))}, None
    n = args.n or n
    images = model.sample(n, random.Generator(args.seed, "sample"), **wanted)
    with writing(out):
        viz.save_grid(images, out, model.value_range, columns=columns)
    print(f"{n:,} samples of {model.name}: {out}")
    return OK


def _label(text: str, run: Path) -> int:
    """The label that is meant: a number, or the name of a class of the run's data."""
    from ..train import RunDirectory

    classes = (RunDirectory(run).read_settings().get("classes") if run.is_dir() else None) or []
    if text in classes:
        return classes.index(text)
    if text.isascii() and text.isdecimal():
        return int(text)
    known = f"{nearest(text, classes)}; its classes are {', '.join(classes)}" if classes else ""
    raise ConfigError(f"--label {text}: there is no such class{known or '; it must be a whole number of at least 0'}")


def evaluate(args: argparse.Namespace) -> int:
    """Measure how good a trained model is, by what suits it and its data.

    It prints a table, in which real data stand beside the samples, and writes it to metrics.json in the run. The run
    itself is not changed, and the same options give the same numbers.

    examples:
      tinygen evaluate runs/gan
      tinygen evaluate runs/vae -k 5000                   a tighter bound on the likelihood; takes minutes
      tinygen evaluate runs/dcgan -n 2000 --seed 1 --out again.json
      tinygen evaluate runs/gan --data folder:new/place/of/photos
    """
    import json

    from .. import backend
    from ..data import placed
    from ..metrics.evaluate import ABOUT
    from ..metrics.evaluate import evaluate as measure
    from ..train import RunDirectory
    from ..train import load as load_run

    run = RunDirectory(args.run)
    saved, out = run.read_config(), Path(args.out or run.path / "metrics.json")
    if not saved["settings"].keys() >= FROM_DATA:
        raise RunError(f"{run.path}: this run was not begun by `tinygen train`, so its data are not known; "
                       "call tinygen.metrics.evaluate(model, dataset)")  # fmt: skip
    settings = run.read_settings()
    backend.use(args.device)
    step = run.newest().step
    model = load_run(run.checkpoint_file(step))
    moved = {"data": placed(args.data)} if args.data else {}
    dataset = _load_data(settings | moved, moved=not moved)
    run.check_data(dataset)
    print(f"{model.name} after {step:,} steps\n{dataset}\n", flush=True)
    scores = measure(model, dataset, args.n, args.seed, k=args.k)
    rows = [(name, _number(score.value), _number(score.reference), ABOUT[name]) for name, score in scores.items()]
    print(_table(("score", model.name, "real data", ""), rows))
    for features in {score.features: None for score in scores.values() if score.features}:
        print(f"\nimages are compared by their features: {features}")
    record = {"model": model.name, "step": step, "data": dataset.name, "n": args.n, "seed": args.seed, "k": args.k}
    record |= {"scores": {name: score._asdict() for name, score in scores.items()}}
    with writing(out), replace_file(out) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    print(f"\n{out}")
    return OK


def report(args: argparse.Namespace) -> int:
    """Write a web page that shows what happened inside a run.

    One file, which opens in any browser without a network: what D's gradient changes in each image, how much of the
    signal arrives at each layer, curves, and more that suits the model. Two runs stand side by side. The run itself is
    not changed.

    examples:
      tinygen report runs/gan
      tinygen report runs/gan runs/wgangp --out both.html
    """
    from ..report import report as write

    runs = [args.run, args.other] if args.other else [args.run]
    print(f"open {write(*runs, out=args.out)} in a browser")
    return OK


def models(args: argparse.Namespace) -> int:
    """List the models with their settings and defaults.

    examples:
      tinygen models
      tinygen models gan vae
      tinygen train gan --set g_hidden=128,256 lr=1e-3     how a setting is changed
    """
    from ..models import MODELS

    for name in args.names or MODELS:
        model_class = _model_class(name)
        defaults = model_class.defaults
        print(f"{name}: {_first_line(model_class)}")
        print(f"  trained on {defaults['data']} for {defaults['steps']:,} steps of batch {defaults['batch']}")
        print(_table(("--set", "default", "may be"), describe_settings(model_class.Config), indent=2), end="\n\n")
    return OK


def data(args: argparse.Namespace) -> int:
    """List the data sets that train --data takes.

    examples:
      tinygen data
      tinygen train gan --data ring8
      tinygen train vae --data folder:photos --size 32
    """
    from ..data import DATASETS

    print(_table(("--data", "what it is"), [(name, entry.about) for name, entry in DATASETS.items()]))
    return OK


def gradcheck(args: argparse.Namespace) -> int:
    """Check the derivatives of every primitive and layer.

    Each is compared with a numeric one in float64, at first and second order; a table shows the worst errors. The exit
    code is 1 if one is too large.

    examples:
      tinygen gradcheck
      tinygen gradcheck matmul softmax --order 1
    """
    from .. import selfcheck

    return OK if selfcheck.run(args.names, args.order) else FAILED


def explain(args: argparse.Namespace) -> int:
    """Explain a formula: its tape, with every derivative and number.

    The formula has numbers, variables, + - * / **, comparisons and ops such as sigmoid(x), all of them in float64; a
    variable without a value gets one.

    examples:
      tinygen explain "sigmoid(w*x + b)" w=2 x=-1 b=0.5
      tinygen explain "log(1 + exp(x))" x=3 --svg tape.svg
      tinygen explain "where(x > 0, x, 0.2*x)" x=-1
    """
    from ..graph import explain

    if args.svg and Path(args.svg).suffix != ".svg":
        raise ConfigError(f"--svg {args.svg}: the picture is an SVG file, so its name must end in .svg")
    given = dict(_variable(text) for text in args.values)
    found = explain(args.expression, given)
    values = [f"{name} = {value:g}{'' if name in given else ' (chosen)'}" for name, value in found.given.items()]
    print(f"{args.expression}   with {', '.join(values)}\n")
    print(_table(("step", "value", "gradient", "to", "rule", "local", "passes on"), _steps(found)))
    print(
        "\nRead down for the values. Then up for the gradients, d(result)/d(step); gv1 is that of v1. Each step passes"
        "\nwhat arrives at it, times its local derivative, on to its inputs, where all that arrives is summed."
    )
    for name, text in {name: text for step in found.steps for name, text in step.helpers.items()}.items():
        print(f"{name}: {text}")
    if args.svg:
        with writing(args.svg, option="--svg"):
            found.picture.save(args.svg)
        print(f"\n{args.svg}")
    return OK


def _variable(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if equals and name.isidentifier():
            return name, float(value)
    except ValueError:
        pass
    raise ConfigError(f"{text!r}: expected a variable and its value, such as x=0.5")


def _steps(found: Explanation) -> Iterator[tuple[str, ...]]:
    """A line for each step, and one for each further input."""
    for step in found.steps:
        own = (
            step.name if step.name == step.text else f"{step.name} = {step.text}",
            _number(step.value),
            _number(step.gradient),
        )
        passed = [x.derivative * (step.gradient or 0) for x in step.locals]
        inputs = [(x.to, x.rule, _number(x.derivative), _number(g)) for x, g in zip(step.locals, passed, strict=True)]
        yield from ((own if i == 0 else ("", "", "")) + line for i, line in enumerate(inputs or [("",) * 4]))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def doctor(args: argparse.Namespace) -> int:
    """Report on what tinygen runs on and what is missing.

    Versions, the BLAS with its kernels, threads and speed, Numba, CuPy and GPU, where files go; and what to do about
    each. The exit code is 1 if something is broken that tinygen needs.

    examples:
      tinygen doctor
    """
    from ..doctor import run

    return OK if run() else FAILED


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], indent: int = 0) -> str:
    """Rows in columns as wide as they need, below a head."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(" " * indent + line.rstrip() for line in padded)


# The arguments


def _parser() -> Parser:
    parser = Parser(prog="tinygen", usage="tinygen [-h] [--version] COMMAND ...", **_help(sys.modules[__name__]))
    parser.add_argument("--version", action="version", version=f"tinygen {__version__}")
    commands = parser.add_subparsers(title="commands", prog="tinygen", metavar="COMMAND ...", required=True)

    def add(command: Callable[[argparse.Namespace], int]) -> Parser:
        about = _first_line(command).rstrip(".")
        added = commands.add_parser(command.__name__, help=about, **_help(command))
        added.set_defaults(command=command)
        added.commands = commands.choices
        return added

    _add_train_arguments(add(train))
    seed = count_from(0, LARGEST_SEED)

    command = add(sample)
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/gan")
    command.add_argument("-n", type=count_from(1), help="how many (as many as the pictures of training show)")
    command.add_argument("--label", metavar="N|NAME", help="of which class, if the model learns classes")
    command.add_argument("--seed", type=seed, default=0, help="other samples for another seed (0)")
    command.add_argument("--device", choices=DEVICES, default="cpu", help="cpu (the default) or cuda")
    command.add_argument("--out", type=path, metavar="FILE", help="the picture, a PNG file (RUN/sample.png)")

    command = add(evaluate)
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/gan")
    command.add_argument("--data", metavar="NAME", help="the run's data, if its folder of images has moved")
    command.add_argument("-n", type=count_from(2), help="how many samples (what is usual for the data)")
    command.add_argument("-k", type=count_from(1), default=100, help="draws for the bound on a VAE's likelihood (100)")
    command.add_argument("--seed", type=seed, default=0, help="other samples for another seed (0)")
    command.add_argument("--device", choices=DEVICES, default="cpu", help="cpu (the default) or cuda")
    command.add_argument("--out", type=path, metavar="FILE", help="where the numbers go, as JSON (RUN/metrics.json)")

    command = add(report)
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/gan")
    command.add_argument("other", type=path, metavar="RUN2", nargs="?", help="another, to stand beside it")
    command.add_argument("--out", type=path, metavar="FILE", help="the page, an HTML file (RUN/report.html)")

    command = add(models)
    command.add_argument("names", metavar="NAME", nargs="*", help="the models to list (all)")

    add(data)

    command = add(gradcheck)
    command.add_argument("names", metavar="NAME", nargs="*", help="primitives and layers to check (all)")
    command.add_argument("--order", type=int, choices=(1, 2), default=2, help="up to which order (2)")

    command = add(explain)
    command.add_argument("expression", metavar="EXPRESSION", help="the formula, in quotes")
    command.add_argument("values", metavar="KEY=VALUE", nargs="*", help="values of its variables")
    command.add_argument("--svg", type=path, metavar="FILE", help="draw the tape as an SVG file, too")

    add(doctor)
    return parser


def _help(thing: object) -> dict[str, Any]:
    """A docstring as argparse takes it: what comes before the arguments, and the examples, which come after them."""
    description, _, examples = (inspect.getdoc(thing) or "").partition("\nexamples:\n")
    return {"description": description.strip(), "epilog": f"examples:\n{examples}"}


def _add_train_arguments(command: Parser) -> None:
    count, seed, add = count_from(1), count_from(0, LARGEST_SEED), command.add_argument
    command.settings = _settings_of
    add("model", metavar="MODEL", help="the first argument; `tinygen models` lists them")
    add("--data", metavar="NAME", help="`tinygen data` lists them; folder:PATH for your own images (the model's own)")
    add("--size", type=count, metavar="N", help="the side of the square to which folder: brings its images")
    add("--channels", type=count, metavar="1|3|4", help="of folder: images: grey, colour, or with opacity (3)")
    add("--fit", metavar="crop|pad|stretch", help="how folder: images become squares (crop)")
    add("--mirror", action="store_true", default=None, help="show each image mirrored half of the time")
    add("--steps", type=count, metavar="N", help="the last step (the model's own)")
    add("--batch", type=count, metavar="N", help="examples a step (the model's own)")
    add("--seed", type=seed, metavar="N", help="decides every random number: weights, batches, noise (0)")
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
