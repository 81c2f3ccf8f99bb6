"""Write a network of a trained model as an ONNX file, for other programs to run.

The file takes batches of any size. Images in it are NCHW, as is usual in ONNX. The run itself is not changed.

examples:
  tinygen export runs/gan G.onnx
  tinygen export runs/gan D.onnx --network D
  tinygen export runs/vae encoder.onnx --network encoder
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checks import check_installed
from ..errors import ConfigError
from ..files import check_place, writing
from .arguments import Parser, path
from .codes import OK

DRAWING = "G_mean", "G", "decoder"  # the network that draws: the first of these that there is


def add_arguments(command: Parser) -> None:
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/gan")
    command.add_argument("file", type=path, metavar="FILE", help="the network, an ONNX file")
    command.add_argument("--network", metavar="NAME", help="which network of the model (the one that draws)")
    command.add_argument(
        "--layout", choices=["NCHW", "NHWC"], default="NCHW", help="of images: NCHW (the default) or NHWC"
    )


def run(args: argparse.Namespace) -> int:
    from .. import export
    from ..train import load

    out = Path(args.file)
    if out.suffix.lower() != ".onnx":
        raise ConfigError(f"{out}: the network is an ONNX file, so its name must end in .onnx")
    check_installed("tinygen export", "onnx")
    check_place(out, option="FILE")
    model = load(args.run)
    name = _network(model, args.network)
    given, made = names(name, model.inputs[name])
    shapes = {given: model.inputs[name]} | ({"label": ()} if name in model.labelled else {})
    facts = {"model": model.name, "network": name}
    with writing(out, option="FILE"):
        file = export.onnx(getattr(model, name), shapes, out, outputs=[made], layout=args.layout, metadata=facts)
    print(f"{name} of {model.name}, {_shapes(file.graph.input)} -> {_shapes(file.graph.output)}: {out}")
    return OK


def _network(model: Any, wanted: str | None) -> str:
    """The name of the network that is wanted, or of the one that draws. Raises ConfigError."""
    known = [*getattr(model, "inputs", {})]
    if not known:
        raise ConfigError(f"{model.name} has no network to export: `inputs` of a model names them, and what they take")
    name: str = wanted or next((name for name in DRAWING if name in known), known[0])
    if name not in known:
        raise ConfigError(f"{model.name} has no network {name!r}; its networks are {', '.join(known)}")
    return name


def names(network: str, shape: Sequence[int]) -> tuple[str, str]:
    """What the input and the output of a network are called in the papers."""
    if network in DRAWING and len(shape) < 3:
        return "z", "x"
    return "x", "score" if network.startswith("D") else "y"


def _shapes(values: Any) -> str:
    """Names with their shapes: z (N, 100)."""
    sizes = [[d.dim_param or str(d.dim_value) for d in value.type.tensor_type.shape.dim] for value in values]
    return ", ".join(f"{value.name} ({', '.join(n)})" for value, n in zip(values, sizes, strict=True))
