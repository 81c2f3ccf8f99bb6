"""Running a model to measure its layers' outputs and gradients, without changing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, array_module, to_host
from ..gradients import grad
from ..layers import Buffer, Dropout, Module
from ..layers.module import watching
from ..random import Generator
from ..tensor import Parameter, Tensor
from .average import Average

if TYPE_CHECKING:
    from .base import Model

SIGNALS = ("activation_norm", "activation_zeros", "gradient_norm", "gradient_zeros")


@contextmanager
def undisturbed(model: Model) -> Iterator[None]:
    """In the block a model may be run forward and backward; afterwards it is restored to the bit.

    Layers are as in training, so batch norm takes the batch's statistics, but dropout is off. Random numbers come from
    separate streams, the same each time. Buffers, such as running statistics, are restored.
    """
    modules = [module for _, module in model.named_modules()]
    buffers = [(t, t.data.copy()) for _, t in model.named_tensors() if isinstance(t, Buffer)]
    streams = [(g, g.state) for g in model.generators().values()]
    modes = [(m, m.training) for m in modules if isinstance(m, Dropout)]
    try:
        for i, (stream, _) in enumerate(streams):
            key = "z" if model.game is not None and stream is vars(model).get("rng") else i
            stream.state = Generator(0, f"recorder/{key}", stream.device).state
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for stream, state in streams:
            stream.state = state
        for t, values in buffers:
            t.assign(values)


@contextmanager
def watched() -> Iterator[dict[int, Any]]:
    """The output of each module called in the block, by the module's id: the first that requires a gradient."""
    outputs = dict[int, Any]()

    def note(module: Module, y: Any) -> None:
        if not getattr(outputs.get(id(module)), "requires_grad", False):
            outputs[id(module)] = y

    with watching(note):
        yield outputs


def layers_of(model: Any) -> list[tuple[str, str, Module]]:
    """Every layer of every network that learns, with the name of the network and its path there; a mean of weights does
    not, nor does what has none."""
    return [
        (network, name, layer)
        for network, module in model.named_children()
        if not isinstance(module, Average) and module.parameters()
        for name, layer in module.named_layers()
    ]


class Signals:
    """For each layer's output and its gradient: the length as one vector, and the share that is exactly 0."""

    def __init__(self, model: Any):
        self._layers = [id(layer) for _, _, layer in layers_of(model)]
        self._found: dict[int, list[Array]] = {}

    def take(self, loss: Tensor, outputs: dict[int, Any], *more: Tensor) -> list[Tensor]:
        """Add the signals of the layers in outputs that have none yet; returns the gradients of loss by `more`."""
        new = [i for i in self._layers if i in outputs and i not in self._found]
        ids = [i for i in new if isinstance(outputs[i], Tensor) and outputs[i].requires_grad]
        gradients = grad(loss, [*more, *(outputs[i] for i in ids)], unused="zeros")
        for i, g in zip(ids, gradients[len(more) :], strict=True):
            self._found[i] = [number for x in (outputs[i].data, g.data) for number in (length(x), _zeros(x))]
        return gradients[: len(more)]

    def cover(self, networks: Iterable[Module]) -> bool:
        """Whether all layers of these networks have their signals."""
        modules = {id(module) for network in networks for _, module in network.named_modules()}
        return all(i in self._found for i in self._layers if i in modules)

    def arrays(self) -> dict[str, np.ndarray]:
        """A number for each layer, NaN for one without signals, by the names of SIGNALS."""
        table = np.full((len(self._layers), len(SIGNALS)), np.nan, np.float32)
        if self._found:
            table[[self._layers.index(i) for i in self._found]] = to_rows(
                [number for four in self._found.values() for number in four], len(SIGNALS)
            )
        return dict(zip(SIGNALS, table.T.copy(), strict=True))


class Weights:
    """For each layer's parameters: their length as one vector, and how far a step moves them, relative to that."""

    def __init__(self, model: Any):
        self._layers = [own_parameters(layer) for _, _, layer in layers_of(model)]
        self._before: list[list[Array]] = []

    def keep(self) -> None:
        """Keep copies of them before a step."""
        self._before = [[p.data.copy() for p in layer] for layer in self._layers]

    def arrays(self, moved: bool) -> dict[str, np.ndarray]:
        """weight_norm and update_ratio, a number for each layer, NaN for one without weights.

        moved: whether there was one step since keep(); if not, update_ratio is NaN.
        """
        table = np.full((len(self._layers), 2), np.nan, np.float32)
        places = [i for i, layer in enumerate(self._layers) if layer]
        found = []
        for i in places:
            weights = [p.data for p in self._layers[i]]
            steps = [w - b for w, b in zip(weights, self._before[i], strict=True)] if moved else weights
            found += [length(*weights), length(*steps)]
        if found:
            table[places] = to_rows(found, 2)
        norm, step = table.T
        self._before = []
        return {"weight_norm": norm.copy(), "update_ratio": step / norm if moved else np.full_like(norm, np.nan)}


def own_parameters(layer: Module) -> list[Parameter]:
    """The parameters of a layer, without those of the layers in it."""
    return [p for name, p in layer.named_parameters() if "." not in name]


def length(*xs: Array) -> Array:
    """The length of arrays, taken together as one vector."""
    return array_module(*xs).sqrt(sum((x * x).sum() for x in xs))


def _zeros(x: Array) -> Array:
    return (x == 0).mean(dtype=x.dtype)


def to_rows(values: list[Array], columns: int) -> np.ndarray:
    """0-d arrays on a device as rows of `columns` numbers on the host, fetched at once."""
    return to_host(array_module(*values).stack(values)).astype(np.float32).reshape(-1, columns)
