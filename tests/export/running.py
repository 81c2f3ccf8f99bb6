"""What the tests of export share: exported networks in ONNX Runtime, beside the networks themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import tinygen as tg
from tinygen.backend import to_device
from tinygen.layers import Buffer, evaluating

TOLERANCE = 1e-5


class Op(tg.Module):
    """A function of Tensors as a network."""

    def __init__(self, function: Any):
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def noise(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def shaken(module: tg.Module) -> tg.Module:
    """The module with noise on its weights and running statistics, so that a bias of 0 is none."""
    for i, (_, t) in enumerate(module.named_tensors()):
        change = to_device(0.1 * noise(t.shape, i))
        t.assign(t.data + (abs(change) if isinstance(t, Buffer) else change))
    return module


def drawn(shapes: Mapping[str, Sequence[int]], n: int) -> dict[str, np.ndarray]:
    """A batch of n examples for each input, of labels for ()."""
    return {name: noise((n, *shape), n) if shape else np.arange(n) % 3 for name, shape in shapes.items()}


def results(module: tg.Module, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What a module gives in eval mode."""
    with tg.no_grad(), evaluating(module):
        made = module(*map(tg.tensor, inputs))
    return [y.numpy() for y in (made if isinstance(made, tuple) else [made])]


def channels_first(x: np.ndarray) -> np.ndarray:
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


def in_runtime(model: Any, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What ONNX Runtime makes of an exported model with images NCHW."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: channels_first(x) for name, x in inputs.items()})


def assert_exported(module: tg.Module, shapes: Mapping[str, Sequence[int]], sizes: Sequence[int] = (2, 6)) -> Any:
    """Export a module; ONNX Runtime and the module read again must agree with it. Returns the model."""
    model = tg.export.onnx(module, shapes)
    again = tg.export.read_onnx(model.SerializeToString())
    for n in sizes:
        inputs = drawn(shapes, n)
        expected = results(module, list(inputs.values()))
        for y, there, back in zip(
            expected, in_runtime(model, inputs), results(again, list(inputs.values())), strict=True
        ):
            np.testing.assert_allclose(there, channels_first(y), rtol=0, atol=TOLERANCE)
            np.testing.assert_allclose(back, y, rtol=0, atol=TOLERANCE)
            assert there.dtype == back.dtype == y.dtype
    return model
