"""A trained model that takes its steps again and again, always from the same state and on the same batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..backend import Array
from ..data import batch_of
from ..data import load as load_data
from ..errors import ConfigError, DataError
from ..inside.recording import Recording
from ..layers import Module
from ..models import GAN, VAE, VAEGAN
from ..models.base import Model
from ..scopes import frozen, no_grad
from ..tensor import Tensor
from ..train import RunDirectory

EXAMPLES = 32


class Step(NamedTuple):
    """A step of one of the model's optimisers.

    loss(careful): what it lowers; careful: with what keeps the gradient from the other networks, `shielded`.
    networks: those that may get a gradient, by name.
    """

    name: str
    loss: Callable[[bool], Tensor]
    shielded: tuple[str, ...]
    networks: dict[str, Module]


class Studio:
    """A model in the state of a checkpoint, a fixed batch for it, and the names of what it takes and makes."""

    def __init__(self, model: Model, x: Array, labels: tuple[Array, ...]):
        self.model: Any = model
        self.x, self.labels = x, labels
        self.tensors: dict[str, Tensor] = {}
        self.names: dict[int, str] = {}
        self._state = model.state_dict()
        self._streams = {name: stream.state for name, stream in model.generators().items()}

    def steps(self) -> list[Step]:
        """The steps that the page can follow; of a model of another kind none."""
        m = self.model
        if isinstance(m, VAEGAN):
            networks = {"E": m.encoder, "D": m.D, "G": m.G}
            others = {name: tuple(other for other in networks if other != name) for name in networks}
            kept_out = {name: [networks[other] for other in others[name]] for name in networks}
            return [Step(n, partial(self._loss_of, n, kept_out[n]), others[n], networks) for n in networks]
        if isinstance(m, GAN):
            networks = {"G": m.G, "D": m.D}
            return [Step("D", self._loss_D, ("G",), networks), Step("G", self._loss_G, ("D",), networks)]
        if isinstance(m, VAE):
            return [Step("loss", self._loss, (), {"encoder": m.encoder, "decoder": m.decoder})]
        return []

    def rewind(self) -> None:
        """Put the model back as the run left it: weights, statistics, random numbers. Gradients stay.

        The names of arrays, which are by id, hold until then: another may lie where one was.
        """
        self.names = {id(self.x): "x", **{id(y): "labels" for y in self.labels}}
        self.model.load_state_dict(self._state)
        for name, stream in self.model.generators().items():
            stream.state = self._streams[name]

    def clear(self) -> None:
        """Forget all gradients."""
        for p in self.model.parameters():
            p.grad = None

    def _fake(self) -> Any:
        model, z = self.model, self.model.noise(len(self.x))
        self.names[id(z)] = "z"
        return model.G(z, *self.labels)

    def _loss_D(self, careful: bool) -> Tensor:
        model = self.model
        with no_grad() if careful else contextlib.nullcontext():
            fake = self._fake()
        self.tensors = {"G(z)": fake}
        return model.loss_D(self.x, fake, *self.labels)[0]

    def _loss_G(self, careful: bool) -> Tensor:
        model = self.model
        with frozen(model.D) if careful else contextlib.nullcontext():
            fake = self._fake()
            self.tensors = {"G(z)": fake}
            return model.loss_G(fake, *self.labels)[0]

    def _loss(self, careful: bool) -> Tensor:
        with self._heard("reparameterise", self._name_latents):
            return self.model.loss(self.x)[0]

    def _loss_of(self, name: str, others: list[Module], careful: bool) -> Tensor:
        """One of the losses of a VAE-GAN, which are made together; each may reach every network."""
        with contextlib.ExitStack() as within:
            within.enter_context(self._heard("reparameterise", self._name_latents))
            within.enter_context(self._heard("noise", lambda z, *_: self.names.update({id(z): "z_p"})))
            for other in others if careful else ():
                within.enter_context(frozen(other))
            return getattr(self.model.losses(self.x)[0], name)

    def _name_latents(self, z: Tensor, mu: Tensor, logvar: Tensor, *_: Any) -> None:
        self.tensors = {"mu": mu, "logvar": logvar, "z": z}

    @contextlib.contextmanager
    def _heard(self, method: str, told: Callable[..., Any]) -> Iterator[None]:
        """Within it, `told` gets what a method of the model returns, and what it was given."""
        original = getattr(self.model, method)

        def heard(*given: Any) -> Any:
            result = original(*given)
            told(result, *given)
            return result

        setattr(self.model, method, heard)
        try:
            yield
        finally:
            delattr(self.model, method)


def batch_for(model: Model, path: Path) -> tuple[Array, tuple[Array, ...]]:
    """The first examples of the run's data as the model takes them, with their labels if it learns from labels; of data
    that can't be had, those of the recording. Raises RunError, DataError or ConfigError if there is neither."""
    run = RunDirectory(path)
    settings = run.read_settings()
    try:
        options = {name: settings.get(name) for name in ("size", "channels", "fit")}
        data = load_data(settings.get("data") or "", **options)
        run.check_data(data)
        x, labels = data.train, data.labels
    except (DataError, ConfigError):
        recording = Recording.load(path)
        x, labels = recording["data" if "data" in recording else "samples"], recording.arrays.get("labels")
        x = x if x.ndim == 1 + len(model.config.data_shape) else x[-1]
    n = max(EXAMPLES // model.batch_unit, 1) * model.batch_unit
    x, labels = x[:n], None if labels is None else labels[:n]
    if model.takes_labels and labels is None:
        raise DataError(f"{path}: no labels to show the model")
    given = labels if model.takes_labels else None
    batch = batch_of(x, model.value_range, given)
    return (batch[0], tuple(batch[1:])) if isinstance(batch, tuple) else (batch, ())
