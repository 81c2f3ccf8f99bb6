"""How far ONNX Runtime's results lie from tinygen's, for every network of every model, with two batch sizes.

pip install "tinygen[onnx]" onnxruntime
python examples/onnx_agreement.py           # all models, in their full size
python examples/onnx_agreement.py gan vae
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnxruntime

import tinygen as tg
from tinygen.layers import evaluating

BATCHES = 1, 3  # in units of the smallest batch that the network takes


def compared(module: tg.Module, shapes: dict[str, tuple[int, ...]]) -> tuple[int, float, float]:
    """How many nodes the exported network has, its largest |y|, and the largest |ONNX Runtime - tinygen|."""
    model, rng = tg.export.onnx(module, shapes), np.random.default_rng(0)
    largest = worst = 0.0
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for n in (batch * module.batch_unit for batch in BATCHES):
        given = {name: drawn(rng, n, shape) for name, shape in shapes.items()}
        with tg.no_grad(), evaluating(module):
            made = module(*given.values())
        expected = made if isinstance(made, (tuple, list)) else [made]
        results = session.run(None, {name: channels_first(x) for name, x in given.items()})
        for y, z in zip(expected, results, strict=True):
            largest = max(largest, float(np.abs(z).max()))
            worst = max(worst, float(np.abs(channels_first(y.numpy()) - z).max()))
    return len(model.graph.node), largest, worst


def drawn(rng: np.random.Generator, n: int, shape: tuple[int, ...]) -> np.ndarray:
    """A batch of noise, or of labels."""
    return rng.normal(size=(n, *shape)).astype(np.float32) if shape else rng.integers(0, 3, n)


def channels_first(x: Any) -> Any:
    """Images NHWC as NCHW; anything else as it is."""
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


def shaken(module: tg.Module) -> tg.Module:
    """The module with noise on its weights and running statistics, so that a bias of 0 is none."""
    rng = np.random.default_rng(1)
    for _, t in module.named_tensors():
        t.assign((t.data + 0.01 * rng.uniform(-1, 1, t.shape)).astype(t.dtype))
    return module


def networks(model: tg.models.Model) -> Iterator[tuple[str, dict[str, tuple[int, ...]]]]:
    """The networks of a model, and what they take."""
    for name, shape in model.inputs.items():
        yield name, {"x": shape} | ({"label": ()} if name in model.labelled else {})


def main(models: Sequence[str]) -> None:
    """Print the table."""
    print("| model | network | nodes | largest output | largest difference |\n| --- | --- | --- | --- | --- |")
    for name in models:
        model = tg.models.MODELS[name]()
        for network, shapes in networks(model):
            nodes, largest, worst = compared(shaken(getattr(model, network)), shapes)
            print(f"| {name} | {network} | {nodes} | {largest:.2g} | {worst:.0e} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(tg.models.MODELS))
