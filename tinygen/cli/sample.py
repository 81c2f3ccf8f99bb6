"""Draw samples of a trained model and save them as one picture.

The run itself is not changed. Sentences are printed, and written beside the picture, to RUN/sample.txt.

examples:
  tinygen sample runs/gan
  tinygen sample runs/gan -n 100 --seed 7 --out digits.png
  tinygen sample runs/cgan --label 3
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..backend import DEVICES
from ..errors import ConfigError
from ..files import check_place, writing
from ..settings import did_you_mean
from .arguments import SEED, Parser, count_from, path
from .codes import OK


def add_arguments(command: Parser) -> None:
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/gan")
    command.add_argument("-n", type=count_from(1), help="how many (as many as the pictures of training show)")
    command.add_argument("--label", metavar="N|NAME", help="of which class, if the model learns classes")
    command.add_argument("--seed", type=SEED, default=0, help="other samples for another seed (0)")
    command.add_argument("--device", choices=DEVICES, default="cpu", help="cpu (the default) or cuda")
    command.add_argument("--out", type=path, metavar="FILE", help="the picture, a PNG file (RUN/sample.png)")


def run(args: argparse.Namespace) -> int:
    from .. import backend, random, viz
    from ..data import to_sentences
    from ..train import load
    from ..train.callbacks import picture_layout

    out = Path(args.out or Path(args.run, "sample.png"))
    if out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: the picture is a PNG file, so its name must end in .png")
    if args.out:  # else it goes into the run, whose absence `load` reports
        check_place(out)
    backend.use(args.device)
    model, labels = load(args.run), {}
    if not model.has("sample"):
        instead = f"see tinygen translate {args.run}" if model.has("translate") else "write a sample()"
        raise ConfigError(f"{model.name} makes no images from noise; {instead}")
    n, columns = picture_layout(model)
    if args.label is not None:
        if not model.takes_labels:
            raise ConfigError(f"--label {args.label}: {model.name} knows no classes; leave the option out")
        labels, columns = {"labels": _label(args.label, Path(args.run))}, None
    n = args.n or n
    images = model.sample(n, random.Generator(args.seed, "sample"), **labels)
    with writing(out):
        viz.save_grid(images, out, model.value_range, columns=columns, vocabulary=model.vocabulary)
    if model.vocabulary is not None:
        text = "\n".join(to_sentences(images, model.vocabulary))
        with writing(out.with_suffix(".txt")):
            out.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
        print(text + "\n")
    print(f"{n:,} samples of {model.name}: {out}")
    return OK


def _label(text: str, run: Path) -> int:
    """The label of a text: a number, or the name of a class of the run's data."""
    from ..train import RunDirectory

    classes = (RunDirectory(run).read_settings().get("classes") if run.is_dir() else None) or []
    if text in classes:
        return classes.index(text)
    if text.isascii() and text.isdecimal():
        return int(text)
    known = f"{did_you_mean(text, classes)}; its classes are {', '.join(classes)}" if classes else ""
    raise ConfigError(f"--label {text}: there is no such class{known or '; it must be a whole number of at least 0'}")
