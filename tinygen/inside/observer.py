"""Everything that is recorded of a model at one step, always from the same noise and the same data.

What is recorded depends on what the model has, by the contract of `models.Model`: a game, an encoder, steps.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, array_of, to_host
from ..data.loader import first_examples
from ..gradients import grad
from ..layers import Module
from ..losses import gaussian_kls
from ..models.probe import Signals, undisturbed, watched
from ..models.steps import Loss
from ..ops import sqrt
from ..random import Generator
from ..tensor import Tensor
from .adversary import Adversary
from .examples import batch_for
from .missing import missing, names_in_losses

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model

IMAGES, POINTS = 64, 256  # images, or points in the plane, that are observed
SHOWN, SHOWN_VALUES = 16, 4 * 64 * 64 * 3  # images that are kept, and their values at most: fewer of large images
ENCODED, LATENTS = 256, 256 * 32  # examples that are encoded, and their latents at most


class Observer:
    """What a Recorder keeps of a model: a call returns host arrays by name.

    facts, constants: values and arrays that are the same at each step.
    shown: how many images (or points) are kept.  batch: how many are observed, so that batch norm has its statistics.
    """

    def __init__(self, model: Model, dataset: Dataset):
        self.model, self.dataset = model, dataset
        self.plane = dataset.shape == (2,) and dataset.vocabulary is None
        self.batch = POINTS if self.plane else IMAGES
        self.shown = POINTS if self.plane else max(2, min(SHOWN, SHOWN_VALUES // math.prod(dataset.shape)))
        self.facts: dict[str, Any] = {"shown": self.shown}
        self.constants: dict[str, np.ndarray] = {}
        self.encoded = self._examples_to_encode() if model.has("codes") or model.has("reconstruct") else None
        if self.encoded is None or model.game is not None or model.takes_labels or model.takes_domains:
            self.training_batch = batch_for(model, dataset, self.batch)
        else:
            self.training_batch = (self.encoded[: self.batch],)
        with undisturbed(model):
            self.learners = self._networks_that_learn()
        self.adversary: Adversary | None = None
        if model.game is not None and "G" in self.learners:
            self.adversary = Adversary(model, dataset, batch_for(model, dataset, self.batch, True), self.shown)
            self.facts |= self.adversary.facts
            self.constants |= self.adversary.constants
            if self.encoded is not None and not self.plane:  # "data" are those that are encoded
                self.constants["real"] = to_host(self.adversary.x[: self.shown])
        self._named = names_in_losses(model, self.training_batch)

    def __call__(self) -> dict[str, np.ndarray]:
        model, signals, found = self.model, Signals(self.model), dict[str, Any]()
        if self.adversary is not None:
            with undisturbed(model):
                found |= self.adversary.observe(signals)
        if self.encoded is not None:
            with undisturbed(model):
                found |= self._reconstructions(self.encoded)
        for name, networks in self.learners.items():
            if not signals.cover(networks):
                with undisturbed(model):
                    found |= self._follow(name, signals)
        if "samples" not in found and model.has("sample"):
            with undisturbed(model):
                found["samples"] = model.sample(self.shown, Generator(0, "recorder"))
        return {name: to_host(array_of(x)) for name, x in found.items()} | signals.arrays()

    def _examples_to_encode(self) -> Array:
        """The examples that are encoded: test examples, unless the model learns a few training examples by heart."""
        model, dataset, few = self.model, self.dataset, self.model.defaults.get("examples")
        latents = 1
        if model.has("codes"):
            with undisturbed(model):
                latents = model.codes(first_examples(dataset, self.shown, model.value_range)[0]).shape[1]
        n = few or (max(self.shown, min(ENCODED, LATENTS // latents)) if model.has("codes") else self.shown)
        x, labels = first_examples(dataset, n, model.value_range, test=not few)
        self.constants["data"] = to_host(x[: self.shown])
        if model.has("degrade") and model.has("plain"):
            with undisturbed(model):
                self.constants["plain"] = to_host(array_of(model.plain(model.degrade(x[: self.shown]))))
        if labels is not None and model.has("codes"):
            self.constants["data_labels"] = labels
        return x

    def _networks_that_learn(self) -> dict[str, list[Module]]:
        """The networks that learn in each of the model's steps, by the name of the step."""
        steps = self.model.steps_on(*self.training_batch) if self.model.has("steps") else {}
        return {name: [*step.learns.values()] for name, step in steps.items()}

    def _reconstructions(self, x: Array) -> dict[str, Any]:
        """The codes of fixed data, and their reconstructions."""
        model, found = self.model, dict[str, Any]()
        if model.has("posterior"):
            mu, logvar = model.posterior(x)
            found |= {"mu": mu, "logvar": logvar, "kl": gaussian_kls(mu, logvar)}
        elif model.has("codes"):
            found["mu"] = model.codes(x)
        if "mu" in found and model.has("decode"):
            found["reconstructions"] = model.decode(found["mu"][: self.shown])
        elif model.has("reconstruct"):
            found["reconstructions"] = model.reconstruct(x[: self.shown] if "mu" in found else x)
        return found

    def _follow(self, name: str, signals: Signals) -> dict[str, Any]:
        """The gradient of a step's loss at layers that no earlier step covered, and its terms' pulls on an encoder."""
        x, *more = self.training_batch
        leaf: Any = x  # a leaf, so that the first layer has a gradient, even without weights; tokens can have none
        if x.dtype.kind == "f":
            leaf = Tensor(x).requires_grad_()
        step = self.model.steps_on(leaf, *more)[name]
        with watched() as outputs:
            loss = step.compute_loss()
        found = pulls(loss)
        signals.take(loss.value, outputs)
        return found

    def missing(self, arrays: Collection[str]) -> list[list[str]]:
        """The views that the page can't show of a recording with these arrays, by id, and why."""
        return missing(self.model, self.dataset.shape, self._named, arrays)


def pulls(loss: Loss) -> dict[str, Array]:
    """The length of the gradient of each term of an encoder's loss by each mu and logvar, (latents,)."""
    named, found = loss.named, dict[str, Array]()
    if {"mu", "logvar", "reconstruction", "KL"} <= named.keys():
        paths = [named["mu"], named["logvar"]]
        for term, suffix in (("reconstruction", ""), ("KL", "_kl")):
            for name, g in zip(("mu", "logvar"), grad(named[term], paths, retain_graph=True), strict=True):
                found[f"{name}_gradient{suffix}"] = sqrt((g.data * g.data).sum(axis=0))
    return found
