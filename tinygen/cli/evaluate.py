"""Measure how good a trained model is, with the scores that suit it and its data.

It prints a table, in which real data stand beside the samples, and beside restored images what the simplest means make
of the same input; and writes it to metrics.json in the run. The run itself is not changed, and the same options give
the same numbers.

examples:
  tinygen evaluate runs/gan
  tinygen evaluate runs/vae -k 5000                   a tighter bound on the likelihood; takes minutes
  tinygen evaluate runs/dcgan -n 2000 --seed 1 --out again.json
  tinygen evaluate runs/dcgan --features inception-2015-12-05.pt   the FID that papers report
  tinygen evaluate runs/gan --data folder:new/place/of/photos
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..backend import DEVICES
from ..errors import RunError
from ..files import check_place, replace_file, writing
from ..tables import cell, table
from .arguments import SEED, Parser, count_from, path
from .codes import OK
from .runs import FROM_DATA, load_data


def add_arguments(command: Parser) -> None:
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/gan")
    command.add_argument("--data", metavar="NAME", help="the run's data, if its folder of images has moved")
    command.add_argument("--data-b", metavar="NAME", help="the second domain, if its folder has moved")
    command.add_argument("-n", type=count_from(2), help="how many samples (what is usual for the data)")
    command.add_argument("-k", type=count_from(1), default=100, help="draws for the bound on a VAE's likelihood (100)")
    about = (
        "a network whose features FID and the others compare: .onnx, or TorchScript, such as inception-2015-12-05.pt"
    )
    command.add_argument("--features", type=path, metavar="FILE", help=about)
    scalings = "how it expects pixels: tf, (x - 128) / 128 (the default), or imagenet, as torchvision's weights do"
    command.add_argument("--scaling", choices=("tf", "imagenet"), default="tf", help=scalings)
    command.add_argument("--seed", type=SEED, default=0, help="other samples for another seed (0)")
    command.add_argument("--device", choices=DEVICES, default="cpu", help="cpu (the default) or cuda")
    command.add_argument("--out", type=path, metavar="FILE", help="where the numbers go, as JSON (RUN/metrics.json)")


def run(args: argparse.Namespace) -> int:
    import json

    from .. import backend
    from ..data import placed
    from ..metrics import Inception
    from ..metrics.evaluate import ABOUT
    from ..metrics.evaluate import evaluate as measure
    from ..train import RunDirectory
    from ..train.rebuild import rebuilt

    run = RunDirectory(args.run)
    saved, out = run.read_config(), Path(args.out or run.path / "metrics.json")
    if not saved["settings"].keys() >= FROM_DATA:
        raise RunError(f"{run.path}: this run was not begun by `tinygen train`, so its data are not known; "
                       "call tinygen.metrics.evaluate(model, dataset)")  # fmt: skip
    settings = run.read_settings()
    check_place(out)
    features = Inception(args.features, args.scaling) if args.features else None
    backend.use(args.device)
    newest = run.newest()
    model, step = rebuilt(newest, run.path), newest.step
    moved = {name: placed(data) for name, data in (("data", args.data), ("data_b", args.data_b)) if data}
    dataset = load_data(settings | moved, moved=not moved)
    run.check_data(dataset)
    print(f"{model.name} after {step:,} steps\n{dataset}\n", flush=True)
    scores = measure(model, dataset, args.n, args.seed, features, args.k)
    values: dict[str, list[float | None]] = {model.name: [score.value for score in scores.values()]}
    if any(score.plain is not None for score in scores.values()):
        values["simplest means"] = [score.plain for score in scores.values()]
    values["real data"] = [score.reference for score in scores.values()]
    rows = zip(scores, *(map(cell, column) for column in values.values()), map(ABOUT.get, scores), strict=True)
    print(table([("score", *values, ""), *rows]))
    for name in {score.features: None for score in scores.values() if score.features}:
        print(f"\nimages are compared by their features: {name}")
    record = {"model": model.name, "step": step, "data": dataset.name, "n": args.n, "seed": args.seed, "k": args.k}
    record |= {"scores": {name: score._asdict() for name, score in scores.items()}}
    with writing(out), replace_file(out) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    print(f"\n{out}")
    return OK
