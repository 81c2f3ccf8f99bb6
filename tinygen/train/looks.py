"""What there is to see in a model, family by family: functions of the same noise and the same data each time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, ops
from ..backend import Array, Generator, array_module, to_device, to_host
from ..layers import BatchNorm, evaluating
from ..metrics.modes import mixture_scores
from ..models import GAN, VAEGAN, WGANGP, Autoencoder, Memory
from ..models.vae import GaussianEncoder
from ..tensor import Tensor, grad, no_grad
from .probe import Signals, undisturbed, watched

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model

BATCH, POINTS = 64, 256  # how many images, or points in the plane, D judges at a look
SHOWN, PIXELS = 16, 16 * 28 * 28  # how many of the images are kept: fewer if they have more numbers than this
ENCODED, LATENTS = 256, 256 * 32  # how many examples are encoded, and how many latents of them are kept at most
GRID = 41  # the side of the grid on which D's field in the plane is kept


class Looks:
    """All that a Recorder keeps of one model at one moment: `looks()` gives host arrays by name."""

    def __init__(self, model: Model, dataset: Dataset):
        self.model, self.dataset = model, dataset
        shape = dataset.shape
        self.plane = shape == (2,)
        self.shown = POINTS if self.plane else max(4, min(SHOWN, PIXELS // math.prod(shape)))
        self.batch = POINTS if self.plane else BATCH
        self.facts: dict[str, Any] = {"shown": self.shown}
        self.constants: dict[str, np.ndarray] = {}
        self._looks = [look(self) for kind, look in LOOKS.items() if isinstance(model, kind)] or [AnyLook(self)]

    def __call__(self) -> dict[str, np.ndarray]:
        signals, found = Signals(self.model), dict[str, Any]()
        for look in self._looks:
            with undisturbed(self.model):
                found |= look(signals)
        return {name: to_host(x) for name, x in found.items()} | signals.arrays()

    def examples(self, n: int, test: bool = False) -> tuple[Array, np.ndarray | None]:
        """The first n examples as the model takes them, on the device, and their labels, on the host."""
        from ..data import Loader

        data = self.dataset
        x, labels = (data.test, data.test_labels) if test and len(data.test) else (data.train, data.labels)
        x = x[:n]
        loader = Loader(x, len(x), self.model.value_range, Generator(0, "recorder", "cpu"), shuffle=False)
        return loader.next_batch(), None if labels is None else labels[:n]


class AnyLook:
    """Samples, of any model."""

    def __init__(self, about: Looks):
        self.about, self.model = about, about.model

    def __call__(self, signals: Signals) -> dict[str, Array]:
        return {"samples": self.model.sample(self.about.shown, Generator(0, "recorder"))}


class GANLook:
    """What D says of fixed noise and of real data, and what it tells G: through D, and back to G's first layer."""

    def __init__(self, about: Looks):
        model, self.about = about.model, about
        self.model, labelled = model, model.takes_labels
        together = math.lcm(*(module.batch_multiple for _, module in model.named_modules()))
        n = about.batch // together * together
        real, labels = about.examples(n)
        n = len(real) // together * together
        self.real, self.real_y = real[:n], ([to_device(labels[:n])] if labelled and labels is not None else [])
        self.z = model.noise(n, Generator(0, "recorder"))
        self.y = [to_device(np.arange(n) % model.config.classes)] if labelled else []
        self.t = Generator(0, "recorder/t").uniform((n, *[1] * (real.ndim - 1)))
        self.together = together
        if labelled:
            about.constants["labels"] = to_host(self.y[0])[: about.shown]
        self._describe(n)
        self.field = Field(self) if about.plane and "D" not in model.labelled else None

    def _describe(self, n: int) -> None:
        model, loss = self.model, self.model.loss
        mixes = any(isinstance(layer, BatchNorm) for _, layer in model.D.named_modules())
        self.plain = not mixes and type(model).loss_G is GAN.loss_G
        self.about.facts |= {
            "scores": n // self.together,
            "loss": model.config.loss,
            "probability": loss.probability,
            "threshold": loss.threshold,
            "separable": not mixes,
        }

    def __call__(self, signals: Signals) -> dict[str, Any]:
        model, shown = self.model, self.about.shown
        with watched() as seen:
            fake = model.G(Tensor(self.z).requires_grad_(), *self.y)
            loss, _ = model.loss_G(fake, *self.y)
        scores = seen[id(model.D)]
        column = array_module(scores).zeros(scores.shape, scores.dtype)
        column[:, 0] = 1
        (score_gradient,) = grad(scores, [fake], column, retain_graph=True)
        (pixel_gradient,) = signals.take(loss, seen, fake)
        with no_grad():
            real_scores = model.D(model.blurred(self.real), *(self.real_y if "D" in model.labelled else []))
        found = {
            "samples": fake.data[:shown],
            "score_fake": self._each(scores),
            "score_real": self._each(real_scores),
            "score_gradient": score_gradient.data[:shown],
        }
        if not self.plain:
            found["pixel_gradient"] = pixel_gradient.data[:shown]
        if isinstance(model, WGANGP):
            found["slopes"] = self._slopes(fake.data)
        if self.field is not None:
            found |= self.field(fake.data)
        return found

    def _each(self, scores: Tensor) -> Array:
        """The score of each example: that of its pack, where D judges packs."""
        return scores.data[:, 0].repeat(self.together)

    def _slopes(self, fake: Array) -> Array:
        """The length of D's gradient between real and fake examples: Gulrajani et al. 2017, eq. 3."""
        x = Tensor(self.real + self.t * (fake - self.real)).requires_grad_()
        (gx,) = grad(ops.sum(self.model.D(x, *(self.y if "D" in self.model.labelled else []))), [x])
        return ops.sqrt(ops.sum(gx.data * gx.data, tuple(range(1, gx.ndim))))


class Field:
    """D's scores over the plane, and which modes the points of G hit."""

    def __init__(self, look: GANLook):
        self.look = look
        reach = 1.25 * float(np.abs(look.about.dataset.train[:10_000]).max()) or 1.0
        axis = np.linspace(-reach, reach, GRID, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # row by row, y from -reach up
        self.points = to_device(np.repeat(points, look.together, axis=0))  # a pack is of one point
        look.about.facts["reach"] = reach
        modes = look.about.dataset.modes
        if modes is not None:
            look.about.constants["centres"] = modes.centres.astype(np.float32)

    def __call__(self, fake: Array) -> dict[str, Any]:
        model, modes = self.look.model, self.look.about.dataset.modes
        with no_grad(), evaluating(model.D):
            found = {"field": model.D(self.points).data[:, 0].reshape(GRID, GRID)}
        if modes is not None:
            found |= {name: np.float32(value) for name, value in mixture_scores(fake, modes).items()}
        return found


class EncoderLook:
    """Where a VAE's encoder puts fixed data, what comes back, and the two ways by which the gradient gets to it."""

    def __init__(self, about: Looks):
        self.about, self.model = about, about.model
        n = max(about.shown, min(ENCODED, LATENTS // about.model.config.latent_dim))
        self.x, labels = about.examples(n, test=True)
        if labels is not None:
            about.constants["data_labels"] = labels
        about.constants["data"] = to_host(self.x[: about.shown])

    def __call__(self, signals: Signals) -> dict[str, Any]:
        model, x = self.model, self.x[:BATCH]
        found = {} if isinstance(model, GAN) else AnyLook(self.about)(signals)
        mu, logvar = model.posterior(self.x)
        with watched() as seen:
            paths = model.encode(Tensor(x).requires_grad_())
            reconstruction, kl = self._losses(model.reparameterise(*paths), *paths, x)
        names = [f"{name}_gradient{by}" for by in ("", "_kl") for name in ("mu", "logvar")]
        pulls = [g for loss in (reconstruction, kl) for g in grad(loss, paths, retain_graph=True)]
        if isinstance(model, GAN):  # whose G and D have been seen with G's loss
            seen = {i: y for i, y in seen.items() if i in map(id, model.encoder)}
        signals.take(reconstruction + kl, seen)
        return found | {
            "mu": mu,
            "logvar": logvar,
            "kl": (mu * mu + ops.exp(logvar) - 1 - logvar).mean(axis=0) * 0.5,
            "reconstructions": model.decode(mu[: self.about.shown]),
            **{name: ops.sqrt(ops.sum(g.data * g.data, 0)) for name, g in zip(names, pulls, strict=True)},
        }

    def _losses(self, z: Tensor, mu: Tensor, logvar: Tensor, x: Array) -> tuple[Tensor, Tensor]:
        """The two terms of what the encoder lowers."""
        model, kl = self.model, losses.gaussian_kl(mu, logvar)
        if isinstance(model, VAEGAN):
            (copy, _), (like, _) = model.look(model.G(z)), model.look(x)
            return losses.mse(copy, like, "sum") * (0.5 / len(x)), model.config.beta * kl
        return model.reconstruction_loss(model.decoder(z), x), model.weighted(kl)


class AutoencoderLook(EncoderLook):
    """Where an autoencoder puts fixed data, and what comes back."""

    def __call__(self, signals: Signals) -> dict[str, Any]:
        model, x = self.model, self.x[:BATCH]
        with watched() as seen:
            loss = losses.mse(model(Tensor(x).requires_grad_()), x)
        signals.take(loss, seen)
        mu = model.codes(self.x)
        found = AnyLook(self.about)(signals)
        return found | {"mu": mu, "reconstructions": model.decode(mu[: self.about.shown])}


class MemoryLook:
    """What a Memory makes of its codes."""

    def __init__(self, about: Looks):
        self.about, self.model = about, about.model
        self.x, _ = about.examples(about.model.config.images)
        about.constants["data"] = to_host(self.x)

    def __call__(self, signals: Signals) -> dict[str, Any]:
        codes = array_module(self.x).eye(len(self.x), dtype=self.x.dtype)
        with watched() as seen:
            y = self.model.decoder(Tensor(codes).requires_grad_())
            loss = losses.mse(y, self.x)
        signals.take(loss, seen)
        return AnyLook(self.about)(signals) | {"reconstructions": y.data}


LOOKS: dict[type, Any] = {
    GAN: GANLook,
    GaussianEncoder: EncoderLook,
    Autoencoder: AutoencoderLook,
    Memory: MemoryLook,
}
