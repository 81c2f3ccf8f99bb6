"""Running a model only to look: nothing is disturbed, every layer is seen, and so is the gradient that reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..backend import Array, array_module, to_host
from ..gradients import grad
from ..layers import Buffer, Dropout, Module
from ..layers.module import watching
from ..random import Generator
from ..tensor import Tensor
from .average import Average

SIGNALS = ("activation_norm", "activation_zeros", "gradient_norm", "gradient_zeros")


@contextmanager
def undisturbed(model: Module) -> Iterator[None]:
    """In the block a model may be run forward and backward; afterwards it is, to the bit, as it was.

    Layers are as in training, so batch norm takes the batch's statistics, but dropout is off. All that draws draws from
    a stream of its own, the same each time. Buffers, such as running statistics, are put back.
    """
    modules = [module for _, module in model.named_modules()]
    buffers = [(t, t.data.copy()) for _, t in model.named_tensors() if isinstance(t, Buffer)]
    streams = [(m, name, g) for m in modules for name, g in vars(m).items() if isinstance(g, Generator)]
    modes = [(m, m.training) for m in modules if isinstance(m, Dropout)]
    try:
        for i, (module, name, stream) in enumerate(streams):
            key = "z" if module is model and name == "rng" else i
            setattr(module, name, Generator(0, f"recorder/{key}", stream.device))
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for module, name, stream in streams:
            setattr(module, name, stream)
        for t, values in buffers:
            t.assign(values)


@contextmanager
def watched() -> Iterator[dict[int, Any]]:
    """What each module that is called in the block gives, by the module's id: the first that has a gradient."""
    outputs = dict[int, Any]()

    def note(module: Module, y: Any) -> None:
        if not getattr(outputs.get(id(module)), "requires_grad", False):
            outputs[id(module)] = y

    with watching(note):
        yield outputs


def layers_of(model: Any) -> list[tuple[str, str, Module]]:
    """Every layer of every network, with the names of both; a mean of weights is no network that learns."""
    return [
        (network, name, layer)
        for network, module in model.named_children()
        if not isinstance(module, Average)
        for name, layer in list(module.named_children()) or [("", module)]
    ]


class Signals:
    """Of each layer's output, and of its gradient: the length as one vector, and the share that is exactly 0."""

    def __init__(self, model: Any):
        self._layers = [id(layer) for _, _, layer in layers_of(model)]
        self._found: dict[int, list[Array]] = {}

    def take(self, loss: Tensor, outputs: dict[int, Any], *more: Tensor) -> list[Tensor]:
        """Note what a loss makes of the layers that were watched on the way to it and are new; returns the gradients of
        `more`."""
        new = [i for i in self._layers if i in outputs and i not in self._found]
        ids = [i for i in new if isinstance(outputs[i], Tensor) and outputs[i].requires_grad]
        gradients = grad(loss, [*more, *(outputs[i] for i in ids)], unused="zeros")
        for i, g in zip(ids, gradients[len(more) :], strict=True):
            self._found[i] = [number for x in (outputs[i].data, g.data) for number in (length(x), _zeros(x))]
        return gradients[: len(more)]

    def cover(self, networks: Iterable[Module]) -> bool:
        """Whether all layers of these networks are known."""
        modules = {id(module) for network in networks for _, module in network.named_modules()}
        return all(i in self._found for i in self._layers if i in modules)

    def arrays(self) -> dict[str, np.ndarray]:
        """A number for each layer, NaN for one that no loss came through, by the names of SIGNALS."""
        table = np.full((len(self._layers), len(SIGNALS)), np.nan, np.float32)
        if self._found:
            table[[self._layers.index(i) for i in self._found]] = numbers(
                [number for four in self._found.values() for number in four], len(SIGNALS)
            )
        return dict(zip(SIGNALS, table.T.copy(), strict=True))


class Weights:
    """Of each layer's parameters: their length as one vector, and how far a step moves them, relative to that."""

    def __init__(self, model: Any):
        self._layers = [layer.parameters() for _, _, layer in layers_of(model)]
        self._before: list[list[Array]] = []

    def keep(self) -> None:
        """Remember them as they are before a step."""
        self._before = [[p.data.copy() for p in layer] for layer in self._layers]

    def arrays(self, moved: bool) -> dict[str, np.ndarray]:
        """weight_norm and update_ratio, a number for each layer, NaN for one without weights.

        moved: whether there was one step since keep(); if not, nothing is known of the second.
        """
        table = np.full((len(self._layers), 2), np.nan, np.float32)
        places = [i for i, layer in enumerate(self._layers) if layer]
        found = []
        for i in places:
            weights = [p.data for p in self._layers[i]]
            steps = [w - b for w, b in zip(weights, self._before[i], strict=True)] if moved else weights
            found += [length(*weights), length(*steps)]
        if found:
            table[places] = numbers(found, 2)
        norm, step = table.T
        self._before = []
        return {"weight_norm": norm.copy(), "update_ratio": step / norm if moved else np.full_like(norm, np.nan)}


def length(*xs: Array) -> Array:
    """The length of arrays, taken together as one vector."""
    return array_module(*xs).sqrt(sum((x * x).sum() for x in xs))


def _zeros(x: Array) -> Array:
    return (x == 0).mean(dtype=x.dtype)


def numbers(values: list[Array], columns: int) -> np.ndarray:
    """0-d arrays of a device as rows of so many columns, fetched at once."""
    return to_host(array_module(*values).stack(values)).astype(np.float32).reshape(-1, columns)
